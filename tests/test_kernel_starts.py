# SPDX-License-Identifier: BSD-3-Clause
"""Kernels that end as they start: said soon, and not the end of it if only that one does."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from servers import KERNEL, install_kernelspec, jupyter_server
from websockets.asyncio.client import ClientConnection

from jupyter_agent_core import KernelUnavailableError, Notebook, Server, connect
from jupyter_agent_core._execution import channels
from jupyter_agent_core._handles import connections
from jupyter_agent_core._handles.kernel_release import release
from jupyter_agent_core._handles.server import connections_of
from jupyter_agent_core._http.rest import JupyterRest

ENDS = "import sys; sys.exit(1)"
# as with a port that somebody else has: the server tries again with the same ones
ENDS_IN_THE_FIRST_KERNEL = f"""
import sys
from pathlib import Path
connection = Path(sys.argv[-1])
first = connection.with_name("first")
if not first.exists():
    first.write_text(connection.name)
if first.read_text() == connection.name:
    sys.exit(1)
{KERNEL}
"""
# the process stays, silent: ipykernel closes no iopub that it has not bound, and waits for its end
HANGS_IN_THE_FIRST_KERNEL = f"""
import json, socket, sys
from pathlib import Path
connection = Path(sys.argv[-1])
taken = connection.with_name("taken")
if not taken.exists():
    taken.write_text("")
    listener = socket.create_server(("127.0.0.1", json.loads(connection.read_text())["iopub_port"]))
{KERNEL}
"""
# until somebody says so
WAITS = f"""
import sys, time
from pathlib import Path
while not Path("go").exists():
    time.sleep(0.02)
{KERNEL}
"""


@pytest.fixture
async def hasty(tmp_path: Path) -> AsyncIterator[Server]:
    """A server that sees at once when a kernel has ended; it looks every 3 s by itself."""
    install_kernelspec(tmp_path, "ends", [sys.executable, "-c", ENDS])
    install_kernelspec(tmp_path, "recovers", [sys.executable, "-c", ENDS_IN_THE_FIRST_KERNEL])
    install_kernelspec(tmp_path, "hangs", [sys.executable, "-c", HANGS_IN_THE_FIRST_KERNEL])
    install_kernelspec(tmp_path, "waits", [sys.executable, "-c", WAITS])
    settings = ["--AsyncIOLoopKernelRestarter.time_to_dead=0.3"]
    with jupyter_server(tmp_path, extensions={}, settings=settings) as running:
        async with connect(running.url, token=running.token) as server:
            yield server


async def test_a_kernel_that_ends_as_it_starts_is_said_soon(hasty: Server) -> None:
    """The server waits a minute for its answer."""
    notebook = await hasty.open_notebook("a.ipynb", create=True, kernel_name="ends")
    with anyio.fail_after(25), pytest.raises(KernelUnavailableError) as caught:
        await notebook.kernel.execute("6 * 7")
    assert caught.value.kernel == "ends"
    assert not await hasty.list_kernels()


async def test_a_kernel_that_ends_as_it_starts_is_left_for_a_new_one(hasty: Server) -> None:
    notebook = await hasty.open_notebook("a.ipynb", create=True, kernel_name="recovers")
    with anyio.fail_after(25):
        assert (await notebook.kernel.execute("6 * 7")).text == "42"
    assert [kernel.id for kernel in await hasty.list_kernels()] == [notebook.kernel.id]


async def test_a_kernel_that_says_nothing_is_left_for_a_new_one(
    hasty: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SILENCE", 2.0)
    notebook = await hasty.open_notebook("a.ipynb", create=True, kernel_name="hangs")
    with anyio.fail_after(25):
        assert (await notebook.kernel.execute("6 * 7")).text == "42"
    assert [kernel.id for kernel in await hasty.list_kernels()] == [notebook.kernel.id]


async def test_a_kernel_without_a_notebook_that_says_nothing_is_left_for_a_new_one(
    hasty: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SILENCE", 2.0)
    with anyio.fail_after(25):
        kernel = await hasty.start_kernel("hangs")
        assert (await kernel.execute("6 * 7")).text == "42"
    assert [info.id for info in await hasty.list_kernels()] == [kernel.id]
    assert (await release(kernel)).shut_down


async def test_a_kernel_without_a_notebook_that_ends_as_it_starts_is_left_too(
    hasty: Server,
) -> None:
    with anyio.fail_after(25):
        kernel = await hasty.start_kernel("recovers")
        assert (await kernel.execute("6 * 7")).text == "42"
    with anyio.fail_after(25), pytest.raises(KernelUnavailableError):
        await hasty.start_kernel("ends")
    assert [info.id for info in await hasty.list_kernels()] == [kernel.id]


async def test_two_handles_leave_a_silent_kernel_for_one_new_one(
    hasty: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SILENCE", 2.0)
    notebooks = [
        await hasty.open_notebook("a.ipynb", create=number == 0, kernel_name="hangs")
        for number in range(2)
    ]
    texts = []

    async def execute(notebook: Notebook) -> None:
        texts.append((await notebook.kernel.execute("6 * 7")).text)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for notebook in notebooks:
                group.start_soon(execute, notebook)
    assert texts == ["42", "42"]
    assert {kernel.id for kernel in await hasty.list_kernels()} == {notebooks[0].kernel.id}


@pytest.fixture
async def waiting(hasty: Server, monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """A notebook with a kernel that has not answered, and a call for it that was cancelled."""
    asked, ask = anyio.Event(), channels.open_kernel

    async def open_kernel(rest: JupyterRest, kernel_id: str, session: str) -> ClientConnection:
        asked.set()
        return await ask(rest, kernel_id, session)

    monkeypatch.setattr(channels, "open_kernel", open_kernel)
    notebook = await hasty.open_notebook("a.ipynb", create=True, kernel_name="waits")
    async with anyio.create_task_group() as group:
        group.start_soon(notebook.kernel.execute, "1")
        await asked.wait()
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    return notebook


async def test_a_call_that_is_cancelled_while_a_kernel_starts_is_counted_right(
    hasty: Server, waiting: Notebook, tmp_path: Path
) -> None:
    """The server would subtract a connection that is cut off before the kernel answers."""
    (tmp_path / "root" / "go").touch()
    with anyio.fail_after(25):
        assert (await waiting.kernel.execute("6 * 7")).text == "42"
    (kernel,) = await hasty.list_kernels()
    assert kernel.connections == 1


async def test_a_kernel_that_has_answered_to_nobody_any_more_ends_with_its_notebook(
    hasty: Server, waiting: Notebook, tmp_path: Path
) -> None:
    (abandoned,) = connections_of(hasty).abandoned_at(waiting.kernel.id or "")
    (tmp_path / "root" / "go").touch()
    with anyio.fail_after(25):
        await abandoned.ended.wait()
        assert (await waiting.close()).shut_down
    assert not await hasty.list_kernels()


async def test_a_kernel_that_has_not_answered_ends_with_its_notebook(
    hasty: Server, waiting: Notebook
) -> None:
    with anyio.fail_after(25):
        assert (await waiting.close()).shut_down
    assert not await hasty.list_kernels()
