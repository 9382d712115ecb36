# SPDX-License-Identifier: BSD-3-Clause
"""The live room: a change returns when the server has it, and what is lost is said."""

import gc
import json
import re
import weakref
from pathlib import Path

import anyio
import pytest
from collaborator import collaborator
from files import on_disk, saved_by_now
from servers import Proxy, RunningServer, jupyter_server

from jupyter_agent_core import (
    CellNotFoundError,
    ConnectionLostError,
    JupyterAgentError,
    Notebook,
    NotSyncedError,
    Server,
    connect,
)
from jupyter_agent_core._document import connection as connection_module
from jupyter_agent_core._document import room as room_module


async def until_lost(notebook: Notebook) -> ConnectionLostError:
    """Wait for the end of the connection as a caller notices it: reading is refused."""
    with anyio.fail_after(10):
        while True:
            try:
                await notebook.flush()
            except ConnectionLostError as error:
                return error


# --- acknowledged writes


async def test_a_change_that_has_returned_is_on_the_server(
    notebook: Notebook, lab: RunningServer
) -> None:
    with anyio.fail_after(10):
        async with collaborator(lab, notebook.path) as raw:
            cell = await notebook.append_cell("1")
            await raw.pull()
            assert [c["source"] for c in raw.cells()] == ["1"]
            await cell.set_source("12")
            await raw.pull()
            assert [c["source"] for c in raw.cells()] == ["12"]
            await notebook.insert_cell(0, "0")
            await raw.pull()
            assert [c["source"] for c in raw.cells()] == ["0", "12"]
            await notebook.delete_cells([1])
            await raw.pull()
            assert [c["source"] for c in raw.cells()] == ["0"]


async def test_a_change_is_seen_by_another_client_after_one_flush_of_its_own(
    notebook: Notebook, other: Server
) -> None:
    theirs = await other.open_notebook(notebook.path)
    for number in range(20):
        cell = await notebook.append_cell(f"{number}")
        await theirs.flush()
        assert (await theirs.read())[-1].id == cell.id


async def test_many_changes_at_once_share_their_round_trips(
    lab: RunningServer, folder: str
) -> None:
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        proxy.heard.clear()
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                for number in range(200):
                    group.start_soon(notebook.append_cell, f"{number}")
        assert len(await notebook.read()) == 200
        # 200 cells of some 150 bytes, with few sync steps between them
        assert len(proxy.heard) < 200 * 300


async def test_what_others_change_is_not_sent_back(
    lab: RunningServer, folder: str, notebook: Notebook
) -> None:
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        listening = await server.open_notebook(notebook.path)
        proxy.heard.clear()
        for number in range(20):
            await notebook.append_cell(f"# {number}\n" + "x" * 1000)
        await listening.flush()
        assert await listening.read() == await notebook.read()
        assert len(proxy.heard) < 1000


async def test_changes_right_before_closing_the_notebook_arrive(
    server: Server, lab: RunningServer, folder: str
) -> None:
    path = f"{folder}/n.ipynb"
    notebook = await server.open_notebook(path, create=True)
    cell = await notebook.append_cell("")
    async with anyio.create_task_group() as group:
        group.start_soon(cell.set_source, "last words")
        await anyio.lowlevel.checkpoint()
        await notebook.close()
    async with collaborator(lab, path) as raw:
        assert [c["source"] for c in raw.cells()] == ["last words"]


async def test_changes_right_before_leaving_the_server_arrive_and_are_saved(
    lab: RunningServer, folder: str
) -> None:
    path = f"{folder}/n.ipynb"
    async with connect(lab.url, token=lab.token) as server:
        notebook = await server.open_notebook(path, create=True)
        await notebook.append_cell("kept")
    async with collaborator(lab, path) as raw:
        assert [c["source"] for c in raw.cells()] == ["kept"]
    async with connect(lab.url, token=lab.token) as server:
        with anyio.fail_after(10):
            while saved_by_now(lab, path) != ["kept"]:
                await server.list_files(folder)


async def test_an_edit_of_a_cell_that_somebody_deletes_meanwhile_returns_what_it_has_made(
    lab: RunningServer, folder: str
) -> None:
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        cell = await notebook.append_cell("1")
        await notebook.append_cell("2")
        async with collaborator(lab, notebook.path) as human, anyio.create_task_group() as group:
            proxy.stall()

            async def edit() -> None:
                made = await cell.set_source("edited")
                assert (made.id, made.source) == (cell.id, "edited")

            group.start_soon(edit)
            await anyio.wait_all_tasks_blocked()
            await human.send(lambda: human.notebook.ycells.pop(0))
            await human.pull()
            proxy.resume()
        assert [cell.source for cell in await notebook.read()] == ["2"]
        with pytest.raises(CellNotFoundError):
            await cell.read()


async def test_a_cancelled_change_leaves_the_connection_usable(notebook: Notebook) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await notebook.append_cell("perhaps")
    assert scope.cancelled_caught
    await notebook.append_cell("surely")
    assert (await notebook.read())[-1].source == "surely"


async def test_opening_that_is_cancelled_leaves_nothing_behind(
    lab: RunningServer, folder: str, notebook: Notebook
) -> None:
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        proxy.stall()
        with anyio.move_on_after(0.2) as scope:
            await server.open_notebook(notebook.path)
        assert scope.cancelled_caught
        proxy.resume()
        with anyio.fail_after(10):
            again = await server.open_notebook(notebook.path)
            await again.append_cell("1")


# --- a notebook that cannot be synchronised


async def refused(url: str, lab: RunningServer, folder: str) -> JupyterAgentError:
    """Open a notebook that cannot be opened; it has a cell, so that it is never rightly empty."""
    cell = {"id": "c", "cell_type": "raw", "source": "here", "metadata": {}}
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (lab.root / folder / "n.ipynb").write_text(json.dumps(content))
    async with connect(url, token=lab.token) as server:
        with anyio.fail_after(5), pytest.raises(JupyterAgentError) as caught:
            await server.open_notebook(f"{folder}/n.ipynb")
        assert await server.list_files(folder)
    return caught.value


async def test_a_session_that_the_server_does_not_know_is_an_error(
    lab: RunningServer, folder: str
) -> None:
    def forget(data: bytes) -> bytes:
        return re.sub(rb"(sessionId=\w)\w{4}", rb"\g<1>0000", data)

    async with Proxy.before(lab.port, rewrite=forget) as proxy:
        error = await refused(proxy.url, lab, folder)
    assert isinstance(error, NotSyncedError)
    assert "1003" in error.reason


async def test_a_server_that_never_answers_the_sync_is_an_error(
    lab: RunningServer, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "SYNC_TIMEOUT", 0.5)
    async with Proxy.before(lab.port, mute=b"/api/collaboration/room/") as proxy:
        error = await refused(proxy.url, lab, folder)
    assert isinstance(error, NotSyncedError)
    assert "no answer" in error.reason


async def test_a_websocket_that_is_refused_is_an_error(lab: RunningServer, folder: str) -> None:
    def mislead(data: bytes) -> bytes:
        return data.replace(b"GET /api/collaboration/room/", b"GET /api/collaboration/raum/")

    async with Proxy.before(lab.port, rewrite=mislead) as proxy:
        error = await refused(proxy.url, lab, folder)
    assert "404" in str(error)
    assert "sessionId" not in str(error)


async def test_a_notebook_with_a_cell_of_20_megabytes_is_read_whole(
    server: Server, lab: RunningServer, folder: str
) -> None:
    text = "0123456789abcdef" * (20 * 2**16)
    output = {"output_type": "stream", "name": "stdout", "text": text}
    cell = {"id": "c", "cell_type": "code", "source": "1", "metadata": {}, "execution_count": 1}
    content = {
        "cells": [cell | {"outputs": [output]}],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (lab.root / folder / "n.ipynb").write_text(json.dumps(content))
    with anyio.fail_after(30):
        notebook = await server.open_notebook(f"{folder}/n.ipynb")
    (snapshot,) = await notebook.read()
    assert snapshot.text == text


# --- a connection that is lost


async def test_while_the_server_is_away_nothing_is_shown_as_current_and_no_edit_is_lost(
    lab: RunningServer, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        cell = await notebook.append_cell("1")
        monkeypatch.setattr(room_module, "RECONNECT_TIMEOUT", 0.3)
        proxy.point_to(9)
        proxy.cut()
        await until_lost(notebook)
        for use, applied in (
            (notebook.read, "no"),
            (cell.read, "no"),
            (notebook.save, "unknown"),
            (lambda: notebook.append_cell("2"), "unknown"),
            (lambda: cell.set_source("1, edited"), "unknown"),
        ):
            with anyio.fail_after(5), pytest.raises(ConnectionLostError) as caught:
                await use()
            assert caught.value.applied == applied
            assert caught.value.retryable
        monkeypatch.undo()
        proxy.point_to(lab.port)
        with anyio.fail_after(15):
            assert [cell.source for cell in await notebook.read()] == ["1, edited", "2"]
            await notebook.save()
        assert on_disk(lab, notebook.path) == ["1, edited", "2"]


async def test_changes_whose_confirmation_is_lost_are_confirmed_by_the_next_connection(
    lab: RunningServer, folder: str
) -> None:
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        proxy.stall()
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                for number in range(5):
                    group.start_soon(notebook.append_cell, str(number))
                await anyio.wait_all_tasks_blocked()
                proxy.cut()
                proxy.resume()
        assert sorted(cell.source for cell in await notebook.read()) == list("01234")


async def test_a_change_that_is_not_confirmed_in_time_is_said_to_be_unknown(
    lab: RunningServer, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        monkeypatch.setattr(room_module, "ACKNOWLEDGE_TIMEOUT", 0.3)
        proxy.stall()
        with anyio.fail_after(5), pytest.raises(ConnectionLostError, match="no answer") as caught:
            await notebook.append_cell("1")
        assert caught.value.applied == "unknown"
        monkeypatch.undo()
        proxy.resume()
        await notebook.flush()
        assert [cell.source for cell in await notebook.read()] == ["1"]


async def test_a_file_that_is_gone_when_the_connection_is_is_said(
    lab: RunningServer, folder: str
) -> None:
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        await notebook.append_cell("1")
        (lab.root / notebook.path).unlink()
        proxy.cut()
        error = await until_lost(notebook)
        assert "There is no notebook" in str(error)
        with anyio.fail_after(5), pytest.raises(ConnectionLostError) as caught:
            await notebook.append_cell("2")
        assert caught.value.applied == "no"


async def test_a_killed_server_is_said_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_module, "RECONNECT_TIMEOUT", 1.0)
    with jupyter_server(tmp_path, extensions={"jupyterlab": False}) as private:
        async with connect(private.url, token=private.token) as server:
            notebook = await server.open_notebook("n.ipynb", create=True)
            await notebook.append_cell("1")
            private.kill()
            error = await until_lost(notebook)
            assert error.retryable
            with pytest.raises(ConnectionLostError):
                await notebook.read()
            with anyio.fail_after(5), pytest.raises(JupyterAgentError):
                await server.open_notebook("other.ipynb")


# --- presence


async def test_collaborators_see_each_other_by_name(notebook: Notebook, other: Server) -> None:
    theirs = await other.open_notebook(notebook.path)
    with anyio.fail_after(20):
        while notebook.collaborators() != ("Other",):
            await notebook.flush()
        assert "Agent" in theirs.collaborators() or not theirs.collaborators()
        await theirs.close()
        while notebook.collaborators():
            await notebook.flush()


async def test_a_collaborator_who_vanishes_without_a_word_is_forgotten(
    notebook: Notebook, lab: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with anyio.fail_after(10):
        async with collaborator(lab, notebook.path) as human:
            await human.greet("Ada")
            while notebook.collaborators() != ("Ada",):
                await notebook.flush()
        assert notebook.collaborators() == ("Ada",)
        monkeypatch.setattr(room_module, "PRESENCE_TIMEOUT", 0.1)
        while notebook.collaborators():
            await notebook.flush()


async def test_one_client_opens_a_notebook_twice_and_closes_it_once(
    server: Server, notebook: Notebook
) -> None:
    again = await server.open_notebook(notebook.path)
    assert notebook.collaborators() == ()
    cell = await again.append_cell("1")
    assert notebook.cell(0).id == cell.id
    await again.close()
    assert (await notebook.cell(0).set_source("2")).source == "2"


async def test_nothing_is_left_of_the_document_of_a_closed_notebook(
    server: Server, folder: str
) -> None:
    path = f"{folder}/n.ipynb"
    notebook = await server.open_notebook(path, create=True)
    cell = await notebook.append_cell("display('one', display_id='d')")
    assert (await cell.execute(timeout=30)).text.startswith("'one'")
    document = weakref.ref(notebook._provider.document)
    await notebook.close()
    notebook = await server.open_notebook(path)  # closed ones are forgotten with the next
    del cell
    gc.collect()
    assert document() is None
