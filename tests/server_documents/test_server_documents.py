# SPDX-License-Identifier: BSD-3-Clause
"""Notebooks on jupyter-server-documents: live, saved, found again."""

import json
from pathlib import Path

import anyio
import nbformat
import pytest
from files import on_disk
from servers import Proxy, RunningServer, jupyter_server

from jupyter_agent_core import (
    ConnectionLostError,
    Notebook,
    NotebookNotFoundError,
    NotSyncedError,
    SaveError,
    Server,
    Workspace,
    connect,
)


async def sources(notebook: Notebook) -> list[str]:
    return [cell.source for cell in await notebook.read()]


async def until_lost(notebook: Notebook) -> ConnectionLostError:
    with anyio.fail_after(10):
        while True:
            try:
                await notebook.flush()
            except ConnectionLostError as error:
                return error


async def test_the_mode_is_told(server: Server, notebook: Notebook) -> None:
    assert server.info.mode == notebook.mode == "server-documents"
    async with Workspace(server) as workspace:
        opened = await workspace.use_notebook("nb", notebook.path)
        assert opened.notebook.mode == "server-documents"


async def test_a_change_that_has_returned_is_seen_by_others(
    notebook: Notebook, other: Server
) -> None:
    theirs = await other.open_notebook(notebook.path)
    cell = await notebook.append_cell("é😀 = 1")
    for number in range(10):
        await cell.set_source(f"é😀 = {number}")
        await theirs.flush()
        assert await sources(theirs) == [f"é😀 = {number}"]
    await notebook.insert_cell(0, "# title", "markdown")
    await notebook.delete_cells([1])
    await theirs.flush()
    assert await sources(theirs) == ["# title"]


async def test_both_edit_one_cell_and_both_texts_survive(notebook: Notebook, other: Server) -> None:
    mine = await notebook.append_cell("a\nb\nc")
    theirs = (await other.open_notebook(notebook.path)).cell(0)
    async with anyio.create_task_group() as group:
        group.start_soon(mine.set_source, "mine\nb\nc")
        group.start_soon(theirs.set_source, "a\nb\ntheirs")
    await notebook.flush()
    assert await sources(notebook) == ["mine\nb\ntheirs"]


async def test_collaborators_see_each_other_by_name(notebook: Notebook, other: Server) -> None:
    theirs = await other.open_notebook(notebook.path)
    await notebook.flush()
    assert notebook.collaborators() == ("Other",)
    assert theirs.collaborators() == ("Agent",)
    await theirs.close()
    with anyio.fail_after(5):
        while notebook.collaborators():
            await notebook.flush()


async def test_leaving_keeps_nobody_else_waiting(notebook: Notebook, other: Server) -> None:
    with anyio.fail_after(4):  # the room would wait 5 s for an answer that is owed to it
        for number in range(5):
            theirs = await other.open_notebook(notebook.path)
            await theirs.append_cell(str(number))
            await theirs.close()
            await notebook.append_cell("mine")
    assert len(await notebook.read()) == 10


# --- saving


async def test_save_returns_when_the_file_holds_the_notebook(
    notebook: Notebook, documents: RunningServer
) -> None:
    for number in range(2):
        await notebook.append_cell(f"x = {number}")
        await notebook.save()
        assert on_disk(documents, notebook.path) == [f"x = {n}" for n in range(number + 1)]
    with anyio.fail_after(0.4):  # less than the server waits before it saves
        await notebook.save()


async def test_save_returns_while_somebody_else_goes_on_editing(
    notebook: Notebook, other: Server, documents: RunningServer
) -> None:
    cell = await (await other.open_notebook(notebook.path)).append_cell("")

    async def go_on() -> None:
        for number in range(10**6):
            await cell.set_source(str(number))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(go_on)
            await notebook.append_cell("mine")
            await notebook.save()
            assert "mine" in on_disk(documents, notebook.path)
            group.cancel_scope.cancel()


async def test_outputs_are_saved_with_their_cell(
    notebook: Notebook, documents: RunningServer
) -> None:
    code = "from IPython.display import JSON, Image, display\nprint('a')\ndisplay(JSON({'b': [1]}))"
    await (await notebook.append_cell(code)).execute(timeout=30)
    await (await notebook.append_cell("1/0")).execute(timeout=30)
    with anyio.fail_after(5):
        await notebook.save()
    saved = nbformat.read(documents.root / notebook.path, as_version=4)
    assert [len(cell.outputs) for cell in saved.cells] == [2, 1]


async def test_a_file_that_cannot_be_written_is_said(
    notebook: Notebook, documents: RunningServer
) -> None:
    file = documents.root / notebook.path
    file.unlink()
    file.mkdir()
    await notebook.append_cell("1")
    with pytest.raises(SaveError, match="is a directory"):
        await notebook.save()
    file.rmdir()


# --- lost and found again


async def test_edits_over_a_broken_connection_arrive_once(
    documents: RunningServer, other: Server
) -> None:
    async with (
        Proxy.before(documents.port) as proxy,
        connect(proxy.url, token=documents.token) as server,
    ):
        notebook = await server.open_notebook("broken.ipynb", create=True)
        theirs = await other.open_notebook("broken.ipynb")
        for number in range(3):
            proxy.cut()
            await theirs.append_cell(f"theirs {number}")
            await notebook.append_cell(f"mine {number}")
        proxy.stall_open()
        with anyio.fail_after(10):
            await notebook.append_cell("after silence")
        await theirs.flush()
        assert await sources(theirs) == await sources(notebook)
        assert len(set(await sources(theirs))) == len(await theirs.read()) == 7


async def test_a_server_that_is_killed_and_started_again_gets_what_it_had_not_saved(
    python: str, tmp_path: Path
) -> None:
    async with Proxy.before(1) as proxy:
        with jupyter_server(tmp_path, extensions={}, python=python) as first:
            proxy.point_to(first.port)
            async with connect(proxy.url, token=first.token) as server:
                notebook = await server.open_notebook("n.ipynb", create=True)
                cell = await notebook.append_cell("saved")
                await notebook.save()
                first.kill()
                proxy.cut()
                with anyio.move_on_after(0.1):
                    await cell.set_source("saved, and edited offline")
                with anyio.move_on_after(0.1):
                    await notebook.append_cell("offline")
                with jupyter_server(tmp_path, extensions={}, python=python) as second:
                    proxy.point_to(second.port)
                    with anyio.fail_after(20):
                        while True:
                            try:
                                await notebook.save()
                                break
                            except ConnectionLostError:
                                continue
                    assert on_disk(second, "n.ipynb") == ["saved, and edited offline", "offline"]
                    assert notebook.cell(0).id == cell.id
                    result = await cell.execute(timeout=30)
                    assert result.status == "error"
                    await notebook.close()


async def test_a_notebook_that_is_renamed_is_followed(
    notebook: Notebook, documents: RunningServer, server: Server
) -> None:
    await notebook.append_cell("1")
    with documents.http() as http:
        http.patch(f"/api/contents/{notebook.path}", json={"path": "new é.ipynb"})
    await notebook.append_cell("2")
    await notebook.save()
    assert notebook.path == "new é.ipynb"
    assert on_disk(documents, "new é.ipynb") == ["1", "2"]


async def test_a_notebook_that_is_deleted_is_said(
    notebook: Notebook, documents: RunningServer, server: Server
) -> None:
    path = notebook.path
    with documents.http() as http:
        http.delete(f"/api/contents/{path}")
    error = await until_lost(notebook)
    assert "There is no notebook" in str(error)
    with pytest.raises(NotebookNotFoundError):
        await server.open_notebook(path)
    again = await server.open_notebook(path, create=True)
    await again.append_cell("1")
    await again.save()
    assert on_disk(documents, path) == ["1"]


async def test_a_room_that_the_server_has_stopped_for_good_is_said(
    notebook: Notebook, documents: RunningServer, server: Server
) -> None:
    await notebook.append_cell("1")
    await notebook.save()
    file = documents.root / notebook.path
    file.rename(documents.root / "elsewhere.ipynb")
    await until_lost(notebook)
    (documents.root / "elsewhere.ipynb").rename(file)
    with pytest.raises(NotSyncedError, match="only restarting the server"):
        await server.open_notebook(notebook.path)


async def test_a_change_on_disk_comes_in(notebook: Notebook, documents: RunningServer) -> None:
    await notebook.append_cell("1")
    await notebook.append_cell("2")
    await notebook.save()
    file = documents.root / notebook.path
    content = json.loads(file.read_text())
    content["cells"][0]["source"] = "changed on disk"
    file.write_text(json.dumps(content))
    with anyio.fail_after(5):
        while await sources(notebook) != ["changed on disk", "2"]:
            await notebook.flush()


async def test_a_missing_notebook_is_refused_and_harms_nobody(
    notebook: Notebook, server: Server
) -> None:
    with pytest.raises(NotebookNotFoundError):
        await server.open_notebook("missing.ipynb")
    await notebook.append_cell("1")
