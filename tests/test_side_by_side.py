# SPDX-License-Identifier: BSD-3-Clause
"""Two who use one notebook, kernel or workspace at the same moment: none takes from the other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import anyio
import pytest
from servers import Proxy, RunningServer

from jupyter_agent_core import (
    ExecutionResult,
    KernelInfo,
    KernelUnavailableError,
    Notebook,
    Server,
    SessionInfo,
    Workspace,
    WorkspaceOptions,
    connect,
)
from jupyter_agent_core._execution import channels, introspection
from jupyter_agent_core._handles import kernel_release
from jupyter_agent_core._handles.connections import Connections
from jupyter_agent_core._handles.server import connections_of
from jupyter_agent_core._workspace import connecting


async def test_cells_that_somebody_takes_away_before_their_turn_are_left_out(
    notebook: Notebook, other: Server, lab: RunningServer
) -> None:
    go = (lab.root / notebook.path).with_name("go")
    waiting = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(.01)\n'a'"
    cells = [await notebook.append_cell(source) for source in (waiting, "'b'", "'c'", "'d'")]
    await notebook.kernel.connect()
    theirs = await other.open_notebook(notebook.path)
    results: list[ExecutionResult] = []

    async def run_all() -> None:
        results.extend(await notebook.run_all())

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(run_all)
            while notebook.kernel.activity.running is None:
                await notebook.flush()
            await theirs.cell(cells[1].id).delete()
            await theirs.cell(cells[2].id).set_type("markdown")
            await notebook.flush()
            go.touch()
    assert [(result.status, result.text) for result in results] == [("ok", "'a'"), ("ok", "'d'")]


# --- kernels


async def test_a_kernel_is_not_ended_under_a_handle_whose_connection_has_ended(
    lab: RunningServer, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "RECONNECT_TIMEOUT", 0.2)
    path = f"{folder}/n.ipynb"
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        one = await server.open_notebook(path, create=True)
        assert (await one.kernel.execute("x = 42", timeout=30)).status == "ok"
        two = await server.open_notebook(path)
        await two.kernel.connect()
        lost = one.kernel._channels
        assert lost is not None
        proxy.point_to(9)
        proxy.cut()
        with anyio.fail_after(20):
            await lost.ended.wait()
        proxy.point_to(lab.port)
        assert (await two.kernel.execute("x", timeout=30)).text == "42"
        assert not (await two.close()).shut_down
        assert (await one.kernel.execute("x", timeout=30)).text == "42"
        assert (await one.close()).shut_down


@pytest.mark.parametrize("at_end", [False, True])
async def test_a_kernel_that_is_used_again_as_it_is_to_end_is_left_unless_all_ends(
    at_end: bool,
) -> None:
    kernel = KernelInfo("k", "python3", "idle", 0, None)
    shared: Any = SimpleNamespace(
        kernels=SimpleNamespace(kernel=AsyncMock(return_value=kernel)),
        kernel_mode="collaboration",
        started_kernels={"k": None},
        detached_kernels=set(),
        abandoned_at=lambda _: [],
        is_used=lambda _: True,
        end_kernel=AsyncMock(),
    )
    left = kernel_release.LeftKernel("k", unused=True)
    release = await kernel_release.end_if_ours(shared, left, at_end=at_end)
    assert release.shut_down == at_end
    assert release.reason == (None if at_end else "it is in use here again")
    assert shared.end_kernel.await_count == at_end


@pytest.mark.parametrize("has_it", [True, False], ids=["its session", "that of another kernel"])
async def test_a_kernel_ends_with_its_session_only_if_that_has_not_gone_over_to_another(
    has_it: bool,
) -> None:
    kernel = KernelInfo("k" if has_it else "theirs", "python3", "idle", 0, None)
    rest: Any = AsyncMock()
    rest.lacks = {}
    rest.sessions.return_value = [SessionInfo("s", "n.ipynb", kernel)]
    background: Any = None
    connections = Connections(rest, "contents", rest, "contents", None, background, "Agent")
    connections.started_kernels["k"] = "s"
    await connections.end_kernel("k")
    assert rest.end_session.await_count == has_it
    assert rest.shut_down_kernel.await_count == (not has_it)
    assert not connections.started_kernels


async def test_a_kernel_is_not_taken_from_a_call_that_waits_for_it(
    server: Server, notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, go, open_kernel = anyio.Event(), anyio.Event(), channels.open_kernel

    async def slowly(*arguments: Any) -> Any:
        opening.set()
        await go.wait()
        return await open_kernel(*arguments)

    monkeypatch.setattr(channels, "open_kernel", slowly)
    wanting = await server.open_notebook(notebook.path, kernel_id="NEW")
    with anyio.fail_after(40):
        async with anyio.create_task_group() as group:
            group.start_soon(notebook.kernel.connect)
            await opening.wait()
            with pytest.raises(KernelUnavailableError, match="a call that waits for it"):
                await wanting.kernel.connect()
            go.set()
    assert (await notebook.kernel.execute("6 * 7", timeout=30)).text == "42"


@pytest.mark.parametrize("moment", ["find", "open"])
async def test_a_notebook_that_is_closed_as_its_kernel_is_first_used_leaves_no_kernel_and_no_run(
    moment: str,
    server: Server,
    other: Server,
    notebook: Notebook,
    lab: RunningServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_it, go = anyio.Event(), anyio.Event()
    holder, name = {
        "find": (connections_of(server).sessions, "start_session"),
        "open": (channels, "open_kernel"),
    }[moment]
    proper = getattr(holder, name)

    async def slowly(*arguments: Any, **options: Any) -> Any:
        at_it.set()
        await go.wait()
        return await proper(*arguments, **options)

    monkeypatch.setattr(holder, name, slowly)
    before = {kernel.id for kernel in await other.list_kernels()}
    cell = await notebook.append_cell("open('ran', 'w').close()")
    said: list[str] = []

    async def execute() -> None:
        with pytest.raises(KernelUnavailableError) as caught:
            await cell.execute()
        said.append(str(caught.value))

    async def close() -> None:
        await notebook.close()

    with anyio.fail_after(40):
        async with anyio.create_task_group() as group:
            for _ in range(2):  # the second one waits for the first
                group.start_soon(execute)
            await at_it.wait()
            await anyio.wait_all_tasks_blocked()
            group.start_soon(close)
            await anyio.wait_all_tasks_blocked()
            go.set()
        assert ["let go while it was being connected" in one for one in said] == [True, True]
        # the connection that was being made ends by itself
        while not {kernel.id for kernel in await other.list_kernels()} <= before:
            pass  # each look is a round trip
    assert not (lab.root / notebook.path).with_name("ran").exists()


@pytest.mark.parametrize("moment", [b"GET /api/kernels/", b"DELETE /api/sessions/"])
async def test_a_notebook_whose_closing_is_cancelled_leaves_no_kernel(
    moment: bytes, lab: RunningServer, other: Server, folder: str
) -> None:
    scope, closing = anyio.CancelScope(), False

    def cancel_at(data: bytes) -> bytes:
        if closing and moment in data:
            scope.cancel()
        return data

    async with (
        Proxy.before(lab.port, rewrite=cancel_at) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        kernel_id = (await notebook.kernel.connect()).id
        closing = True
        with scope:
            await notebook.close()
        assert scope.cancelled_caught
        with anyio.fail_after(20):
            while kernel_id in {kernel.id for kernel in await other.list_kernels()}:
                pass  # each look is a round trip


async def test_questions_that_come_at_once_share_a_connection_that_others_may_cut_off(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as on jupyter-server-documents, but for the others
    monkeypatch.setattr(connections_of(server), "kernel_mode", "server-documents")
    kernel = await server.start_kernel()
    assert (await kernel.execute("x = 42", timeout=30)).status == "ok"
    first, values = kernel._channels, list[str]()

    async def ask() -> None:
        values.append((await kernel.get_variable("x")).text)

    async def ask_at_once() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(ask)

    with anyio.fail_after(30):
        await ask_at_once()
        assert kernel._channels is first  # over which the kernel still answers
        monkeypatch.setattr(introspection, "PROBE_TIMEOUT", 0.0)
        await ask_at_once()
    assert kernel._channels is not first
    assert values == ["42"] * 8


# --- workspaces


async def test_a_notebook_that_is_used_again_while_another_one_is_let_go_is_kept(
    server: Server, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(server, WorkspaceOptions(idle_timeout=0.0))
    for name in ("one", "two"):
        await workspace.use_notebook(name, f"{folder}/{name}.ipynb", mode="create")
    let_go: list[str] = []

    async def unuse(name: str) -> None:
        let_go.append(name)
        del workspace._state.notebooks[name]
        workspace._state.notebooks["two"].used_at = anyio.current_time() + 60
        workspace._left.set()

    monkeypatch.setattr(workspace, "unuse_notebook", unuse)
    with anyio.fail_after(20):
        await workspace._release_idle()
    assert let_go == ["one"]


async def test_going_to_another_server_waits_for_a_notebook_that_is_being_opened(
    server: Server, other: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def at_once(*_: object, **__: object) -> AsyncIterator[Server]:
        yield other

    monkeypatch.setattr(connecting, "connect", at_once)
    async with Workspace(server, WorkspaceOptions(connect_hosts=("*",))) as workspace:
        async with anyio.create_task_group() as group, workspace._state.naming:
            group.start_soon(workspace.connect_to_jupyter, other.url)
            await anyio.wait_all_tasks_blocked()
            assert workspace._state.visited is None
        assert workspace._state.visited is other
