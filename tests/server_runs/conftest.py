# SPDX-License-Identifier: BSD-3-Clause
"""A server with jupyter-server-nbmodel, whose part in JupyterLab would run all cells of the lab.

It lives in an environment of its own, whose interpreter `SERVER_RUNS_PYTHON` names
(`nox -s server_runs` makes one).
"""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from servers import RunningServer, jupyter_server

from jupyter_agent_core import Notebook, Server, connect

VARIABLE = "SERVER_RUNS_PYTHON"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.server_runs)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with jupyter-server-nbmodel."""
    if VARIABLE not in os.environ:
        pytest.skip(f"{VARIABLE} names no interpreter: run `nox -s server_runs`")
    folder = tmp_path_factory.mktemp("server-runs")
    with jupyter_server(folder, extensions={}, python=os.environ[VARIABLE]) as server:
        yield server


@pytest.fixture
async def server(running: RunningServer) -> AsyncIterator[Server]:
    """A connection to it."""
    async with connect(running.url, token=running.token) as server:
        yield server


@pytest.fixture
async def notebook(server: Server, request: pytest.FixtureRequest) -> Notebook:
    """A fresh notebook without cells."""
    return await server.open_notebook(f"{request.node.name}.ipynb", create=True)
