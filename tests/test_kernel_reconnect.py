# SPDX-License-Identifier: BSD-3-Clause
"""Connections to kernels that break while code runs: it goes on, and so does its run."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from servers import Proxy, RunningServer, jupyter_server

from jupyter_agent_core import AuthenticationError, Cell, Notebook, Run, Server, connect
from jupyter_agent_core._answers import CodeRun
from jupyter_agent_core._execution import channels
from jupyter_agent_core.rendering import render

# prints, says so by a file, waits for another file, prints again
WAITING = """\
import pathlib, time
print('before', flush=True)
while not pathlib.Path('go').exists():
    time.sleep(0.01)
print('after')
"""


@pytest.fixture
async def proxy(lab: RunningServer) -> AsyncIterator[Proxy]:
    async with Proxy.before(lab.port) as proxy:
        yield proxy


@pytest.fixture
async def behind_proxy(proxy: Proxy, lab: RunningServer) -> AsyncIterator[Server]:
    async with connect(proxy.url, token=lab.token) as server:
        yield server


@pytest.fixture
async def notebook(behind_proxy: Server, folder: str) -> Notebook:
    return await behind_proxy.open_notebook(f"{folder}/notebook.ipynb", create=True)


async def until_printed(notebook: Notebook, cell: Cell, text: str) -> None:
    with anyio.fail_after(20):
        watching = notebook.watch()
        if text in (await cell.read()).text:
            return
        async for _ in watching:
            if text in (await cell.read()).text:
                return


async def until_server_says(lab: RunningServer, notebook: Notebook, **facts: object) -> None:
    with lab.http() as http, anyio.fail_after(20):
        while not facts.items() <= http.get(f"/api/kernels/{notebook.kernel.id}").json().items():
            await anyio.lowlevel.checkpoint()


async def cut_off(proxy: Proxy, lab: RunningServer, notebook: Notebook) -> None:
    """Break the connection, and wait until the server knows: what it sends before is lost."""
    proxy.point_to(9)
    proxy.cut()
    await until_server_says(lab, notebook, connections=0)


async def started(notebook: Notebook) -> tuple[Cell, Run]:
    cell = await notebook.append_cell(WAITING)
    run = await cell.start()
    await until_printed(notebook, cell, "before")
    return cell, run


async def test_a_run_goes_on_when_the_connection_drops(
    notebook: Notebook, proxy: Proxy, lab: RunningServer, folder: str
) -> None:
    cell, run = await started(notebook)
    behind = await (await notebook.append_cell("'behind'")).start()
    await cut_off(proxy, lab, notebook)
    proxy.point_to(lab.port)
    (lab.root / folder / "go").touch()
    with anyio.fail_after(20):
        result, next_ = await run.wait(), await behind.wait()
    assert (result.status, result.text, result.outputs_lost) == ("ok", "before\nafter", False)
    assert (next_.status, next_.text) == ("ok", "'behind'")
    await notebook.flush()
    assert (await cell.read()).text == "before\nafter"
    assert (await cell.read()).execution_state == "idle"


async def test_what_the_kernel_said_meanwhile_comes_after_the_reconnection(
    notebook: Notebook, proxy: Proxy, lab: RunningServer, folder: str
) -> None:
    _, run = await started(notebook)
    await cut_off(proxy, lab, notebook)
    (lab.root / folder / "go").touch()
    await until_server_says(lab, notebook, execution_state="idle")
    proxy.point_to(lab.port)
    with anyio.fail_after(20):
        result = await run.wait()
    assert (result.status, result.text, result.outputs_lost) == ("ok", "before\nafter", False)


async def test_what_went_to_a_connection_that_was_no_more_is_said_to_be_missing(
    notebook: Notebook, proxy: Proxy, lab: RunningServer, folder: str
) -> None:
    again = WAITING.replace("'before'", "'between'").replace("'go'", "'go again'")
    cell = await notebook.append_cell(WAITING + again.replace("'after'", "'end'"))
    run = await cell.start()
    await until_printed(notebook, cell, "before")
    proxy.stall_open()
    (lab.root / folder / "go").touch()
    with anyio.fail_after(20):
        while b"between" not in proxy.swallowed:
            await anyio.lowlevel.checkpoint()
    await cut_off(proxy, lab, notebook)
    proxy.point_to(lab.port)
    (lab.root / folder / "go again").touch()
    with anyio.fail_after(20):
        result = await run.wait()
    assert (result.status, result.text, result.outputs_lost) == ("ok", "before\nend", True)


@pytest.mark.usefixtures("patient")
async def test_what_is_lost_as_others_are_connected_is_said(
    notebook: Notebook, proxy: Proxy, lab: RunningServer, folder: str
) -> None:
    _, run = await started(notebook)
    async with connect(lab.url, token=lab.token) as other:
        theirs = other.kernel(str(notebook.kernel.id))
        await theirs.connect()
        proxy.point_to(9)
        proxy.cut()
        (lab.root / folder / "go").touch()
        with anyio.fail_after(20):
            assert (await theirs.execute("1")).status == "ok"  # so ours is over
        proxy.point_to(lab.port)
        with anyio.fail_after(20):
            result = await run.wait()
        assert (result.status, result.text, result.outputs_lost) == ("lost", "before", True)
        assert "some outputs are missing, or may be" in str(render(CodeRun(result)))
        again = await notebook.kernel.execute("2", timeout=20)
        assert (again.status, again.text) == ("ok", "2")


async def test_a_server_that_does_not_come_back_in_time_ends_the_runs(
    notebook: Notebook, proxy: Proxy, lab: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert channels.RECONNECT_TIMEOUT < 5
    monkeypatch.setattr(channels, "RECONNECT_TIMEOUT", 1.0)
    _, run = await started(notebook)
    behind = await notebook.kernel.start("'never'")
    proxy.point_to(9)
    proxy.cut()
    with anyio.fail_after(6):
        assert (await run.wait()).status == "disconnected"
        assert (await behind.wait()).status == "aborted"
    proxy.point_to(lab.port)
    await notebook.kernel.interrupt()
    with anyio.fail_after(20):
        assert (await notebook.kernel.execute("3")).text == "3"


@pytest.mark.usefixtures("patient")
async def test_a_kernel_that_is_restarted_while_the_connection_is_away_ends_its_run(
    notebook: Notebook, proxy: Proxy, lab: RunningServer
) -> None:
    _, run = await started(notebook)
    proxy.point_to(9)
    proxy.cut()
    async with connect(lab.url, token=lab.token) as direct:
        await direct.kernel(str(notebook.kernel.id)).restart()
    proxy.point_to(lab.port)
    with anyio.fail_after(20):
        result = await run.wait()
        assert (result.status, result.text) == ("kernel_restarted", "before")
        assert (await notebook.kernel.execute("4")).text == "4"


@pytest.mark.usefixtures("patient")
async def test_a_kernel_that_is_gone_when_the_connection_is_back_ends_its_run(
    notebook: Notebook, proxy: Proxy, lab: RunningServer
) -> None:
    _, run = await started(notebook)
    proxy.point_to(9)
    proxy.cut()
    async with connect(lab.url, token=lab.token) as direct:
        await direct.kernel(str(notebook.kernel.id)).shutdown()
    proxy.point_to(lab.port)
    with anyio.fail_after(20):
        assert (await run.wait()).status == "kernel_gone"
        assert (await notebook.kernel.execute("5")).text == "5"


async def test_code_that_was_given_while_the_connection_was_away_runs_after_it(
    notebook: Notebook, proxy: Proxy, lab: RunningServer
) -> None:
    await notebook.kernel.execute("x = 6")
    proxy.point_to(9)
    proxy.cut()
    with anyio.fail_after(20):
        while notebook.kernel.state != "reconnecting":
            await anyio.lowlevel.checkpoint()
    run = await notebook.kernel.start("x")
    proxy.point_to(lab.port)
    with anyio.fail_after(20):
        result = await run.wait()
    assert (result.status, result.text, result.outputs_lost) == ("ok", "6", False)


@pytest.mark.timeout(120)
async def test_a_server_that_was_killed_took_the_kernel_with_it(tmp_path: Path) -> None:
    with jupyter_server(tmp_path, extensions={}) as running:
        async with (
            Proxy.before(running.port) as proxy,
            connect(proxy.url, token=running.token) as server,
        ):
            kernel = await server.start_kernel()
            run = await kernel.start("import time; time.sleep(60)")
            running.kill()
            with jupyter_server(tmp_path, extensions={}) as again:
                proxy.point_to(again.port)
                with anyio.fail_after(20):
                    assert (await run.wait()).status in ("kernel_gone", "disconnected")


async def test_a_token_that_is_revoked_ends_the_run_and_is_said_by_the_next_call(
    lab: RunningServer,
) -> None:
    revoked = False

    def rewrite(data: bytes) -> bytes:
        return data.replace(lab.token.encode(), b"0" * len(lab.token)) if revoked else data

    async with (
        Proxy.before(lab.port, rewrite=rewrite) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        kernel = await server.start_kernel()
        run = await kernel.start("import time; time.sleep(60)")
        revoked = True
        proxy.cut()
        with anyio.fail_after(6):
            assert (await run.wait()).status == "disconnected"
        with pytest.raises(AuthenticationError):
            await kernel.execute("1")
        revoked = False
