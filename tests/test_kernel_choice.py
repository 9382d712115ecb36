# SPDX-License-Identifier: BSD-3-Clause
"""Which kernel a notebook runs on: none yet, the same again, or one that others have, too."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import anyio
import pytest
from servers import Proxy, RunningServer

from jupyter_agent_core import (
    KernelInfo,
    KernelNotFoundError,
    Notebook,
    Server,
    SessionInfo,
    connect,
)
from jupyter_agent_core._handles.notebook_kernel import NotebookKernel


async def test_a_kernel_that_was_never_started_is_shut_down_without_a_word(
    notebook: Notebook, server: Server
) -> None:
    before = {kernel.id for kernel in await server.list_kernels()}
    await notebook.kernel.shutdown()
    assert {kernel.id for kernel in await server.list_kernels()} <= before
    assert (await notebook.kernel.execute("6 * 7", timeout=30)).text == "42"


async def test_the_kernel_that_a_notebook_has_is_used_on_even_if_it_is_busy(
    notebook: Notebook,
) -> None:
    kernel = notebook.kernel
    run = await kernel.start("x = input()")
    info = await notebook.use_kernel(kernel.id)
    assert info.id == kernel.id
    await run.interrupt()
    assert (await kernel.execute("6 * 7", timeout=30)).text == "42"


async def test_a_notebook_without_a_kernel_gets_the_one_that_is_named(
    notebook: Notebook, server: Server
) -> None:
    free = await server.start_kernel()
    await free.execute("x = 42", timeout=30)
    assert (await notebook.use_kernel(free.id)).id == free.id
    assert (await notebook.kernel.execute("x", timeout=30)).text == "42"
    await free.shutdown()


async def test_a_kernel_of_others_that_goes_while_we_connect_to_it_is_said_to_be_gone(
    lab: RunningServer, other: Server
) -> None:
    theirs = await other.start_kernel()
    kernel_id = str(theirs.id)

    is_gone = False

    def gone(data: bytes) -> bytes:
        nonlocal is_gone
        is_gone = is_gone or b"/channels?" in data
        return data.replace(kernel_id.encode(), b"gone") if is_gone else data

    async with (
        Proxy.before(lab.port, rewrite=gone) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        with anyio.fail_after(10), pytest.raises(KernelNotFoundError, match=kernel_id):
            await server.kernel(kernel_id).connect()
    assert (await theirs.execute("6 * 7", timeout=30)).text == "42"


async def both_connected(one: Notebook, two: Notebook) -> set[str]:
    """The kernels of two handles that are first used at the same moment."""
    with anyio.fail_after(40):
        async with anyio.create_task_group() as group:
            for notebook in (one, two):
                group.start_soon(notebook.kernel.connect)
    return {str(notebook.kernel.id) for notebook in (one, two)}


async def test_two_handles_that_start_the_kernel_of_a_notebook_at_once_start_one(
    lab: RunningServer, folder: str
) -> None:
    path = f"{folder}/n.ipynb"
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        one = await server.open_notebook(path, create=True)
        [kernel_id] = await both_connected(one, await server.open_notebook(path))
        assert proxy.heard.count(b"POST /api/sessions ") == 1
    async with connect(lab.url, token=lab.token) as server:
        assert kernel_id not in {kernel.id for kernel in await server.list_kernels()}


async def test_two_clients_that_start_the_kernel_of_a_notebook_at_once_share_one(
    notebook: Notebook, server: Server, other: Server
) -> None:
    before = {session.id for session in await server.list_sessions()}
    theirs = await other.open_notebook(notebook.path)
    [kernel_id] = await both_connected(notebook, theirs)
    after = [session for session in await server.list_sessions() if session.id not in before]
    assert [(session.path, session.kernel.id) for session in after] == [(notebook.path, kernel_id)]
    assert (await notebook.kernel.execute("x = 42", timeout=30)).status == "ok"
    assert (await theirs.kernel.execute("x", timeout=30)).text == "42"


class Sessions:
    """A server at which another client's session for `n.ipynb` is filed right before ours."""

    def __init__(self, first: SessionInfo | None, clients: int = 0) -> None:
        self.filed = [] if first is None else [first]
        self.seen = False
        self.clients = clients

    async def session(self, path: str) -> SessionInfo | None:
        seen, self.seen = self.seen, True
        return self.filed[0] if seen else None

    async def start_session(self, path: str, *, kernel_name: str) -> SessionInfo:
        self.filed.append(session("ours", kernel_name, self.clients))
        return self.filed[-1]


def session(name: str, kernel_name: str, clients: int = 0) -> SessionInfo:
    kernel = KernelInfo(name, kernel_name, "starting", clients, None)
    return SessionInfo(f"session-{name}", "n.ipynb", kernel)


@pytest.mark.parametrize(
    ("first", "used", "ended"),
    [
        (None, "ours", []),
        (session("theirs", "python3"), "theirs", ["ours"]),
        (session("theirs", "ir"), "ours", []),
    ],
    ids=["nobody else's", "the same kernelspec", "another kernelspec"],
)
async def test_of_two_sessions_that_were_started_at_once_the_first_is_used_if_it_will_do(
    first: SessionInfo | None, used: str, ended: list[str]
) -> None:
    connections = choosing(Sessions(first))
    choice = NotebookKernel(connections, lambda: "n.ipynb", lambda: None, kernel_name="python3")
    assert (await choice.locate()).id == used
    calls = connections.end_kernel.await_args_list
    assert [call.args for call in calls] == [(kernel,) for kernel in ended]
    assert connections.started_kernels == {"ours": "session-ours"}


@pytest.mark.parametrize("clients", [0, 1])
async def test_a_session_that_somebody_has_started_since_we_looked_is_not_ours(
    clients: int,
) -> None:
    connections = choosing(Sessions(None, clients))
    choice = NotebookKernel(connections, lambda: "n.ipynb", lambda: None)
    assert (await choice.locate()).id == "ours"
    assert list(connections.started_kernels) == ["ours"] * (not clients)


async def test_a_new_kernel_is_not_given_up_for_that_of_another_client() -> None:
    connections = choosing(Sessions(session("theirs", "python3")))
    choice = NotebookKernel(connections, lambda: "n.ipynb", lambda: None, kernel_id="NEW")
    assert (await choice.locate()).id == "ours"
    assert choice.kernel_id is None
    assert not connections.end_kernel.await_count


def choosing(sessions: Sessions) -> Any:
    kernelspec = AsyncMock(return_value=SimpleNamespace(name="python3"))
    return SimpleNamespace(
        sessions=sessions,
        kernels=SimpleNamespace(kernelspec=kernelspec),
        session_locks={},
        started_kernels={},
        end_kernel=AsyncMock(),
    )
