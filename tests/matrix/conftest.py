# SPDX-License-Identifier: BSD-3-Clause
"""A server of other versions, in an environment of its own, and a record of what works on it.

`MATRIX_PYTHON` is the interpreter of that environment, and `MATRIX_SERVER` its name in the record,
`results.json` in this folder (`nox -s matrix` makes the environments and writes it). A test that
does not concern a server skips, and says why.
"""

import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from ports import reserved_port
from servers import Proxy, RunningServer, jupyter_server

from jupyter_agent_core import Notebook, Server, connect

RESULTS = Path(__file__).parent / "results.json"
PYTHON, NAME = "MATRIX_PYTHON", "MATRIX_SERVER"
# those by which a server of the table is known
PACKAGES = (
    "jupyter-collaboration",
    "jupyter-server-documents",
    "jupyter-server",
    "jupyter-server-ydoc",
    "jupyter-ydoc",
    "pycrdt",
    "ipykernel",
)
_VERSIONS = """
import json, sys
from importlib import metadata
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""
_outcomes: dict[str, str] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.matrix)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the outcome of a test: `works`, `fails`, or why it does not concern the server."""
    folder, _, test = report.nodeid.partition("::")
    if Path(folder).parent.name != "matrix" or NAME not in os.environ:
        return
    if report.skipped and isinstance(report.longrepr, tuple):
        _outcomes[test] = report.longrepr[2].removeprefix("Skipped: ")
    elif report.failed:
        _outcomes[test] = "fails"
    elif report.when == "call":
        _outcomes[test] = "works"


def pytest_sessionfinish() -> None:
    """Put the row of this server into the record."""
    if not _outcomes:
        return
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    asked = [os.environ[PYTHON], "-c", _VERSIONS, *PACKAGES]
    versions = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    row = {"versions": json.loads(versions), "outcomes": _outcomes}
    results[os.environ[NAME]] = row
    text = json.dumps(results, indent=2, sort_keys=True, ensure_ascii=False)
    RESULTS.write_text(f"{text}\n", encoding="utf-8")


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The server."""
    if PYTHON not in os.environ:
        pytest.skip(f"{PYTHON} names no interpreter: run `nox -s matrix`")
    folder = tmp_path_factory.mktemp("matrix")
    python = os.environ[PYTHON]
    with (
        reserved_port() as port,
        jupyter_server(folder, extensions={}, python=python, port=port) as server,
    ):
        yield server


@pytest.fixture
async def proxy(running: RunningServer) -> AsyncIterator[Proxy]:
    """What is between this client and the server."""
    async with Proxy.before(running.port) as proxy:
        yield proxy


@pytest.fixture
async def server(running: RunningServer, proxy: Proxy) -> AsyncIterator[Server]:
    """A connection to the server, which can be broken."""
    async with connect(proxy.url, token=running.token) as server:
        yield server


@pytest.fixture
async def other(running: RunningServer) -> AsyncIterator[Server]:
    """A second client's connection to it."""
    async with connect(running.url, token=running.token, username="Other") as server:
        yield server


@pytest.fixture
async def notebook(server: Server, request: pytest.FixtureRequest) -> Notebook:
    """A fresh notebook without cells."""
    return await server.open_notebook(f"{request.node.name}.ipynb", create=True)


@pytest.fixture
async def theirs(notebook: Notebook, other: Server) -> Notebook:
    """The same notebook, as the second client has it open."""
    return await other.open_notebook(notebook.path)
