# SPDX-License-Identifier: BSD-3-Clause
"""A server with jupyter-server-documents, which excludes jupyter-collaboration.

It lives in an environment of its own, whose interpreter `SERVER_DOCUMENTS_PYTHON` names
(`nox -s server_documents` makes one).
"""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from servers import RunningServer, jupyter_server

from jupyter_agent_core import Notebook, Server, connect

VARIABLE = "SERVER_DOCUMENTS_PYTHON"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.server_documents)


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter of the environment with jupyter-server-documents."""
    if VARIABLE not in os.environ:
        pytest.skip(f"{VARIABLE} names no interpreter: run `nox -s server_documents`")
    return os.environ[VARIABLE]


@pytest.fixture(scope="session")
def documents(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with jupyter-server-documents."""
    folder = tmp_path_factory.mktemp("documents")
    with jupyter_server(folder, extensions={}, python=python) as server:
        yield server


@pytest.fixture
async def server(documents: RunningServer) -> AsyncIterator[Server]:
    """A connection to it."""
    async with connect(documents.url, token=documents.token) as server:
        yield server


@pytest.fixture
async def other(documents: RunningServer) -> AsyncIterator[Server]:
    """A second collaborator's connection to it."""
    async with connect(documents.url, token=documents.token, username="Other") as server:
        yield server


@pytest.fixture
async def notebook(server: Server, request: pytest.FixtureRequest) -> Notebook:
    """A fresh notebook without cells."""
    return await server.open_notebook(f"{request.node.name}.ipynb", create=True)
