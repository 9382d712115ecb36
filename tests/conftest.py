# SPDX-License-Identifier: BSD-3-Clause
"""Real servers for all tests of a session, and a connection for each test."""

import itertools
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from servers import RUNNING, RunningServer, jupyter_server

from jupyter_agent_core import Notebook, Server, connect
from jupyter_agent_core._document import room
from jupyter_agent_core._execution import channels

settings.register_profile("this", deadline=None)
settings.load_profile("this")

LAST_LINES = 30


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the servers have logged last if a test has failed."""
    report = yield
    if report.failed:
        for server in RUNNING:
            last = "".join(f"{line.rstrip():.300}\n" for line in server.log[-LAST_LINES:])
            report.sections.append((f"Last log of {server.url}", last))
    return report


_folders = (f"folder-{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _no_server_in_the_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_URL", "JUPYTER_TOKEN"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A real JupyterLab with jupyter-collaboration."""
    folder = tmp_path_factory.mktemp("lab")
    off = ("jupyter_lsp", "jupyter_mcp_tools", "notebook_shim")
    with jupyter_server(
        folder, module="jupyterlab", extensions=dict.fromkeys(off, False)
    ) as server:
        yield server


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A Jupyter server without live documents."""
    folder = tmp_path_factory.mktemp("plain")
    off = ("jupyter_server_ydoc", "jupyter_server_fileid", "jupyterlab", "jupyter_lsp")
    with jupyter_server(folder, extensions=dict.fromkeys(off, False)) as server:
        yield server


@pytest.fixture
def patient() -> Iterator[None]:
    """A server that is away for as long as a test takes is waited for, and so is its answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channels, "RECONNECT_TIMEOUT", 40.0)
        patch.setattr(room, "RECONNECT_TIMEOUT", 30.0)
        patch.setattr(room, "ACKNOWLEDGE_TIMEOUT", 30.0)
        yield


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """An empty working directory."""
    path = tmp_path / "work"
    path.mkdir()
    return path


@pytest.fixture
async def server(lab: RunningServer) -> AsyncIterator[Server]:
    """A connection to the lab."""
    async with connect(lab.url, token=lab.token) as server:
        yield server


@pytest.fixture
async def other(lab: RunningServer) -> AsyncIterator[Server]:
    """A second collaborator's connection to the lab."""
    async with connect(lab.url, token=lab.token, username="Other") as server:
        yield server


@pytest.fixture
def folder(lab: RunningServer) -> str:
    """A fresh folder of the lab, as a path below its root."""
    name = next(_folders)
    (lab.root / name).mkdir()
    return name


@pytest.fixture
async def notebook(server: Server, folder: str) -> Notebook:
    """A fresh notebook without cells, in a fresh folder."""
    return await server.open_notebook(f"{folder}/notebook.ipynb", create=True)
