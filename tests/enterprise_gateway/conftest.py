# SPDX-License-Identifier: BSD-3-Clause
"""Jupyter Enterprise Gateway, which wants a Jupyter Server older than ours.

It lives in an environment of its own, whose interpreter `ENTERPRISE_GATEWAY_PYTHON` names
(`nox -s enterprise_gateway` makes one).
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateways import kernel_gateway
from servers import RunningServer

VARIABLE = "ENTERPRISE_GATEWAY_PYTHON"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.enterprise_gateway)


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """An Enterprise Gateway."""
    if VARIABLE not in os.environ:
        pytest.skip(f"{VARIABLE} names no interpreter: run `nox -s enterprise_gateway`")
    folder = tmp_path_factory.mktemp("enterprise-gateway")
    python = os.environ[VARIABLE]
    with kernel_gateway(folder, module="enterprise_gateway", python=python) as gateway:
        yield gateway
