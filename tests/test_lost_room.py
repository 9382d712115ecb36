# SPDX-License-Identifier: BSD-3-Clause
"""Every way a room can be lost: what was edited arrives once, and who looks is told."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import attrs
import pytest
from collaborator import collaborator
from pycrdt import Encoder
from servers import Proxy, RunningServer, jupyter_server
from watching import Watcher, ticking, watching

from jupyter_agent_core import (
    ConnectionLostError,
    Notebook,
    NotebookNotFoundError,
    SaveError,
    Server,
    connect,
)
from jupyter_agent_core._document import connection as connection_module


@attrs.frozen
class Watched:
    """A notebook behind a proxy, listened to."""

    notebook: Notebook
    proxy: Proxy
    watcher: Watcher


@asynccontextmanager
async def watched(lab: RunningServer, path: str) -> AsyncIterator[Watched]:
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        notebook = await server.open_notebook(path, create=True)
        async with watching(notebook) as watcher:
            yield Watched(notebook, proxy, watcher)


async def sources(notebook: Notebook) -> list[str]:
    return [cell.source for cell in await notebook.read()]


async def on_server(lab: RunningServer, path: str) -> list[tuple[str, str]]:
    """The id and source of each cell, as somebody else sees them."""
    async with collaborator(lab, path) as raw:
        return [(cell["id"], cell["source"]) for cell in raw.cells()]


def rename(lab: RunningServer, path: str, after: str) -> None:
    with lab.http() as http:
        http.patch(f"/api/contents/{path}", json={"path": after}).raise_for_status()


CONFLICT = Encoder()
CONFLICT.write_var_uint(2)
CONFLICT.write_var_string('{"type": "conflict"}')

LOSSES: dict[str, tuple[Callable[[Proxy], None], str]] = {
    "closed cleanly": (lambda proxy: proxy.close_websockets(1000), "code 1000"),
    "closed as going away": (lambda proxy: proxy.close_websockets(1001), "code 1001"),
    "closed by an error": (lambda proxy: proxy.close_websockets(1011), "code 1011"),
    "closed as expired": (lambda proxy: proxy.close_websockets(1003), "code 1003"),
    "ended without a word": (Proxy.cut, "without a closing handshake"),
    "reset": (Proxy.reset, "without a closing handshake"),
    "conflict": (lambda proxy: proxy.say(0x2, CONFLICT.to_bytes()), "reported a conflict"),
    "silent": (Proxy.stall_open, "did not answer"),
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_room_is_found_again_however_it_was_lost(
    lab: RunningServer, folder: str, loss: str
) -> None:
    lose, reason = LOSSES[loss]
    async with watched(lab, f"{folder}/n.ipynb") as watch:
        notebook = watch.notebook
        cell = await notebook.append_cell("before")
        other = await notebook.append_cell("kept")
        lose(watch.proxy)
        with anyio.fail_after(15):
            await cell.set_source("during")
            last = await notebook.append_cell("last")
            await notebook.flush()
        await watch.watcher.until("disconnected", "reconnected")
        assert reason in watch.watcher.told[0].reason
        assert await on_server(lab, notebook.path) == [
            (cell.id, "during"),
            (other.id, "kept"),
            (last.id, "last"),
        ]


async def test_a_server_that_falls_silent_while_nobody_asks_is_left(
    lab: RunningServer, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "PULL_INTERVAL", 0.3)
    async with watched(lab, f"{folder}/n.ipynb") as watch:
        watch.proxy.stall_open()
        await watch.watcher.until("disconnected", "reconnected")
        await watch.notebook.append_cell("1")


@pytest.mark.usefixtures("patient")
async def test_a_session_that_expires_while_connecting_again_is_asked_for_anew(
    lab: RunningServer, folder: str
) -> None:
    refused = 0

    def forget(data: bytes) -> bytes:
        nonlocal refused
        if forgetting and (found := re.search(rb"(sessionId=\w)\w{4}", data)):
            refused += 1
            return data.replace(found[0], found[1] + b"0000")
        return data

    forgetting = False
    async with (
        Proxy.before(lab.port, rewrite=forget) as proxy,
        connect(proxy.url, token=lab.token) as server,
        ticking(),
    ):
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        cell = await notebook.append_cell("before")
        forgetting = True
        proxy.cut()
        async with anyio.create_task_group() as group:
            group.start_soon(cell.set_source, "during")
            with anyio.fail_after(10):
                while refused < 3:
                    await anyio.wait_all_tasks_blocked()
            forgetting = False
        assert await on_server(lab, notebook.path) == [(cell.id, "during")]


# --- inactivity


@pytest.mark.usefixtures("patient")
async def test_a_room_that_was_closed_for_inactivity_is_found_again(
    tmp_path: Path, folder: str
) -> None:
    delay = "--YDocExtension.document_cleanup_delay=0.5"
    with jupyter_server(tmp_path, extensions={"jupyterlab": False}, settings=[delay]) as fickle:
        async with watched(fickle, "n.ipynb") as watch:
            notebook = watch.notebook
            cell = await notebook.append_cell("before")
            await notebook.save()
            watch.proxy.point_to(9)
            watch.proxy.cut()
            with anyio.fail_after(40):
                async with anyio.create_task_group() as group:
                    group.start_soon(cell.set_source, "during")
                    while not any("Deleting Y document" in line for line in fickle.log):
                        await anyio.wait_all_tasks_blocked()
                    watch.proxy.point_to(fickle.port)
                await notebook.append_cell("after")
            await watch.watcher.until("disconnected", "reconnected")
            assert await sources(notebook) == ["during", "after"]
            assert [s for _, s in await on_server(fickle, "n.ipynb")] == ["during", "after"]


# --- the file


async def test_a_file_that_is_renamed_while_the_connection_is_lost_is_found(
    lab: RunningServer, folder: str
) -> None:
    async with watched(lab, f"{folder}/before.ipynb") as watch:
        notebook = watch.notebook
        cell = await notebook.append_cell("1")
        await notebook.save()
        watch.proxy.point_to(9)
        watch.proxy.cut()
        after = f"{folder}/after.ipynb"
        await anyio.to_thread.run_sync(rename, lab, notebook.path, after)
        watch.proxy.point_to(lab.port)
        with anyio.fail_after(15):
            await cell.set_source("2")
            await notebook.save()
        assert notebook.path == after
        assert await on_server(lab, after) == [(cell.id, "2")]
        await watch.watcher.until("disconnected", "reconnected")


async def test_a_file_that_is_moved_on_disk_is_missed_when_it_is_saved(
    notebook: Notebook, lab: RunningServer
) -> None:
    cell = await notebook.append_cell("1")
    await notebook.save()
    file = lab.root / notebook.path
    moved = file.rename(file.with_name("moved.ipynb"))
    await cell.set_source("2")
    with anyio.fail_after(10), pytest.raises(SaveError, match="no file at its path") as caught:
        await notebook.save()
    assert caught.value.applied == "no"
    moved.rename(file)
    with anyio.fail_after(10):
        await notebook.save()
    assert '"2"' in file.read_text()


async def test_a_file_that_is_deleted_and_made_anew_is_another_notebook(
    server: Server, lab: RunningServer, folder: str
) -> None:
    path = f"{folder}/n.ipynb"
    notebook = await server.open_notebook(path, create=True)
    await notebook.append_cell("old")
    await notebook.save()
    with lab.http() as http:
        http.delete(f"/api/contents/{path}").raise_for_status()
    with anyio.fail_after(10), pytest.raises(SaveError, match="no file at its path"):
        await notebook.save()
    with anyio.fail_after(10):
        anew = await server.open_notebook(path, create=True)
        assert await sources(anew) == []
        cell = await anew.append_cell("new")
        await anew.save()
    assert await on_server(lab, path) == [(cell.id, "new")]
    assert '"new"' in (lab.root / path).read_text()
    with pytest.raises(ConnectionLostError, match=r"was deleted.* open the notebook") as caught:
        await notebook.append_cell("to the old one")
    assert caught.value.applied == "no"


async def test_a_notebook_that_was_renamed_is_not_taken_for_the_one_at_its_old_path(
    server: Server, lab: RunningServer, folder: str
) -> None:
    path, after = f"{folder}/n.ipynb", f"{folder}/after.ipynb"
    renamed = await server.open_notebook(path, create=True)
    await renamed.append_cell("old")
    await renamed.save()
    rename(lab, path, after)
    with pytest.raises(NotebookNotFoundError):
        await server.open_notebook(path)
    anew = await server.open_notebook(path, create=True)
    assert await sources(anew) == []
    await anew.append_cell("new")
    await renamed.append_cell("goes on")
    await renamed.save()
    await anew.save()
    assert '"goes on"' in (lab.root / after).read_text()
    assert '"new"' in (lab.root / path).read_text()


@pytest.mark.parametrize("kind", ["lab", "plain"])
async def test_a_file_that_is_deleted_on_disk_and_created_anew_keeps_what_is_written_next(
    request: pytest.FixtureRequest, kind: str
) -> None:
    running: RunningServer = request.getfixturevalue(kind)
    async with connect(running.url, token=running.token) as server:
        notebook = await server.open_notebook("again.ipynb", create=True)
        await notebook.append_cell("old")
        await notebook.save()
        (running.root / notebook.path).unlink()
        anew = await server.open_notebook(notebook.path, create=True)
        assert await sources(anew) == []
        for number in range(5):
            await anew.append_cell(f"new {number}")
        await anew.save()
        assert await sources(anew) == [f"new {number}" for number in range(5)]


@pytest.mark.usefixtures("patient")
async def test_a_proxy_that_answers_with_errors_for_a_while_is_waited_out(
    lab: RunningServer, folder: str
) -> None:
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with (
        watched(lab, f"{folder}/n.ipynb") as watch,
        await asyncio.start_server(answer, "127.0.0.1", 0) as unavailable,
        anyio.create_task_group() as group,
    ):
        watch.proxy.point_to(unavailable.sockets[0].getsockname()[1])
        watch.proxy.cut()
        group.start_soon(watch.notebook.append_cell, "1")
        with anyio.fail_after(10):
            while asked < 3:
                await anyio.wait_all_tasks_blocked()
        watch.proxy.point_to(lab.port)
        await watch.watcher.until("disconnected", "reconnected")


async def test_a_room_is_never_asked_for_at_a_missing_path(
    lab: RunningServer, folder: str, notebook: Notebook
) -> None:
    async with watched(lab, f"{folder}/n.ipynb") as watch:
        (lab.root / folder / "n.ipynb").unlink()
        watch.proxy.heard.clear()
        watch.proxy.cut()
        await watch.watcher.until("disconnected", "lost")
        assert "There is no notebook" in watch.watcher.told[1].reason
        with pytest.raises(ConnectionLostError, match="There is no notebook") as caught:
            await watch.notebook.append_cell("1")
        assert caught.value.applied == "no"
        async with connect(watch.proxy.url, token=lab.token) as server:
            for path in (watch.notebook.path, f"{folder}/never.ipynb"):
                with pytest.raises(NotebookNotFoundError):
                    await server.open_notebook(path)
        assert b"/api/collaboration/room" not in watch.proxy.heard
    async with collaborator(lab, notebook.path) as raw:
        heard = raw.broadcasts
        await notebook.append_cell("the other rooms still speak")
        with anyio.fail_after(5):
            await raw.until(lambda: raw.broadcasts > heard)


async def test_a_fault_of_our_own_is_raised_and_freezes_nobody(
    lab: RunningServer, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise ZeroDivisionError

    with anyio.fail_after(20), pytest.raises(ExceptionGroup) as caught:  # noqa: PT012
        async with connect(lab.url, token=lab.token) as server:
            notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
            monkeypatch.setattr(connection_module.RoomConnection, "_receive", fails)
            await notebook.append_cell("x")
    assert caught.group_contains(ZeroDivisionError)
