# SPDX-License-Identifier: BSD-3-Clause
"""`Notebook.save` in a live room: it returns when the file holds the notebook, or says why not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from files import on_disk, saved_by_now
from servers import Proxy, RunningServer, jupyter_server

from jupyter_agent_core import Notebook, SaveError, Server, connect
from jupyter_agent_core._document import room as room_module
from jupyter_agent_core._document.connection import UNANSWERED, RoomConnection


async def test_save_returns_when_the_file_holds_the_notebook(
    notebook: Notebook, lab: RunningServer
) -> None:
    for number in range(3):
        await notebook.append_cell(f"x = {number}")
        await notebook.save()
        assert on_disk(lab, notebook.path) == [f"x = {n}" for n in range(number + 1)]


async def test_save_without_a_change_returns_too(notebook: Notebook) -> None:
    with anyio.fail_after(20):
        await notebook.save()
        await notebook.save()


SLOW_DISK = """
import asyncio
from pathlib import Path
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

class SlowDisk(AsyncLargeFileManager):
    async def save(self, model, path=""):
        if Path(self.root_dir, "slow").exists():
            await asyncio.sleep(3)
        return await super().save(model, path)
"""


@pytest.fixture
async def on_slow_disk(tmp_path: Path) -> AsyncIterator[tuple[Notebook, Path]]:
    """A saved notebook on a server whose disk is slow from now on, and its file."""
    (tmp_path / "slow_disk.py").write_text(SLOW_DISK)
    settings = ["--ServerApp.contents_manager_class=slow_disk.SlowDisk"]
    with jupyter_server(tmp_path, extensions={}, settings=settings) as slow:
        async with connect(slow.url, token=slow.token) as server:
            notebook = await server.open_notebook("a.ipynb", create=True)
            await notebook.append_cell("kept")
            with anyio.fail_after(10):
                while saved_by_now(slow, "a.ipynb") != ["kept"]:
                    await notebook.flush()
            (slow.root / "slow").touch()
            yield notebook, slow.root / "a.ipynb"


@asynccontextmanager
async def a_save(notebook: Notebook) -> AsyncIterator[RoomConnection]:
    """A save that the server has been asked for, until it is done; and over which connection."""
    connection: RoomConnection = notebook._provider._connection
    async with anyio.create_task_group() as group:
        group.start_soon(notebook.save)
        while not connection.is_saving:
            await anyio.wait_all_tasks_blocked()
        yield connection


async def test_save_waits_for_a_server_that_takes_long_to_write_what_it_has_written_before(
    on_slow_disk: tuple[Notebook, Path],
) -> None:
    """It empties the file and fills it again: who reads it meanwhile finds half of it."""
    notebook, file = on_slow_disk
    before = file.stat().st_mtime_ns
    with anyio.fail_after(15):
        await notebook.save()
    assert file.stat().st_mtime_ns > before


async def test_edits_during_a_long_save_wait_for_it_on_the_same_connection(
    on_slow_disk: tuple[Notebook, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a server saves, it answers nothing else to who has asked for it."""
    notebook, _ = on_slow_disk
    with anyio.fail_after(25):
        async with a_save(notebook) as connection:
            monkeypatch.setattr(room_module, "ANSWER_TIMEOUT", 1.0)
            monkeypatch.setattr(room_module, "ACKNOWLEDGE_TIMEOUT", 2.0)
            await notebook.append_cell("meanwhile")
    assert notebook._provider._connection is connection
    assert [cell.source for cell in await notebook.read()] == ["kept", "meanwhile"]


async def test_a_server_has_time_to_answer_when_it_has_saved(lab: RunningServer) -> None:
    async with Proxy.before(lab.port) as proxy, connect(proxy.url, token=lab.token) as server:
        notebook = await server.open_notebook("has_saved.ipynb", create=True)
        connection: RoomConnection = notebook._provider._connection
        proxy.stall_open()
        connection._saves[0] = UNANSWERED
        async with anyio.create_task_group() as group:
            group.start_soon(connection.acknowledge_within, 0.3)
            await anyio.wait_all_tasks_blocked()
            del connection._saves[0]
        assert connection.is_open
        assert not await connection.acknowledge_within(0.3)
        with anyio.fail_after(5):
            await connection._ended.wait()


@pytest.mark.usefixtures("patient")
async def test_a_save_goes_on_after_its_connection_has_ended(
    on_slow_disk: tuple[Notebook, Path],
) -> None:
    notebook, file = on_slow_disk
    before = file.stat().st_mtime_ns
    with anyio.fail_after(40):
        async with a_save(notebook) as connection:
            connection._socket.transport.abort()
    assert notebook._provider._connection is not connection
    assert file.stat().st_mtime_ns > before


async def test_a_save_that_nobody_waits_for_any_more_is_forgotten(notebook: Notebook) -> None:
    connection = notebook._provider._connection
    with anyio.CancelScope() as scope:
        scope.cancel()
        await connection.request_save()
    assert not connection._saves


async def test_two_clients_save_at_once(
    notebook: Notebook, other: Server, lab: RunningServer
) -> None:
    theirs = await other.open_notebook(notebook.path)
    await notebook.append_cell("mine")
    await theirs.append_cell("theirs")
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(notebook.save)
            group.start_soon(theirs.save)
    assert sorted(on_disk(lab, notebook.path)) == ["mine", "theirs"]


async def test_save_of_a_deleted_file_is_an_error_and_the_notebook_lives_on(
    notebook: Notebook, lab: RunningServer
) -> None:
    await notebook.append_cell("1")
    await notebook.save()
    (lab.root / notebook.path).unlink()
    await notebook.append_cell("2")
    with anyio.fail_after(40), pytest.raises(SaveError) as caught:
        await notebook.save()
    assert caught.value.path == notebook.path
    assert [cell.source for cell in await notebook.read()] == ["1", "2"]


async def test_an_edit_after_one_that_was_not_saved_is_refused_while_there_is_no_file(
    notebook: Notebook, lab: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_module, "UNSAVED_TIMEOUT", 0.0)
    await notebook.append_cell("1")
    await notebook.save()
    file = lab.root / notebook.path
    content = file.read_bytes()
    file.unlink()
    cell = await notebook.append_cell("2")  # the one before was saved: nobody looks for the file
    for edit in (notebook.append_cell("3"), cell.set_source("3"), notebook.undo()):
        with anyio.fail_after(10), pytest.raises(SaveError, match="edit was not made") as caught:
            await edit
        assert caught.value.applied == "no"
    assert [cell.source for cell in await notebook.read()] == ["1", "2"]
    file.write_bytes(content)
    await notebook.append_cell("4")
