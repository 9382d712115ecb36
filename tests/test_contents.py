# SPDX-License-Identifier: BSD-3-Clause
"""Notebooks on a server without live documents: files, and others who write them, too."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import nbformat
import pytest
from servers import Proxy, RunningServer, jupyter_server

from jupyter_agent_core import (
    Change,
    ConfigurationError,
    ConnectionLostError,
    Notebook,
    NotebookConflictError,
    Server,
    connect,
)

FILES_ONLY = dict.fromkeys(
    ("jupyter_server_ydoc", "jupyter_server_fileid", "jupyterlab", "jupyter_lsp"), False
)


@pytest.fixture
async def plain_server(plain: RunningServer) -> AsyncIterator[Server]:
    async with connect(plain.url, token=plain.token) as server:
        yield server


@pytest.fixture
async def file(plain_server: Server, request: pytest.FixtureRequest) -> Notebook:
    """A fresh notebook with three cells, on a server with files only."""
    notebook = await plain_server.open_notebook(f"{request.node.name}.ipynb", create=True)
    for source in ("one = 1\ntwo = 2\nthree = 3\n", "# text", "print('hello')"):
        await notebook.append_cell(source)
    return notebook


def on_disk(server: RunningServer, notebook: Notebook) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((server.root / notebook.path).read_text())
    return content


def write(server: RunningServer, path: str, content: dict[str, Any]) -> None:
    """Write the file as another client of the server does."""
    body = {"type": "notebook", "format": "json", "content": content}
    with server.http() as http:
        assert http.put(f"/api/contents/{path}", json=body).status_code in (200, 201)


def text(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


async def sources(notebook: Notebook) -> list[str]:
    return [cell.source for cell in await notebook.read()]


async def test_an_edit_that_has_returned_is_in_the_file(
    file: Notebook, plain: RunningServer
) -> None:
    assert file.mode == "contents"
    cell = await file.insert_cell(1, "new")
    assert [text(cell) for cell in on_disk(plain, file)["cells"]] == await sources(file)
    await cell.set_source("newer")
    await file.move_cell(0, 3)
    await file.delete_cells([1])
    async with file.batch() as batch:
        batch.append_cell("last", "raw")
        batch.set_type(0, "markdown")
    content = on_disk(plain, file)
    assert [text(cell) for cell in content["cells"]] == await sources(file)
    assert [cell["id"] for cell in content["cells"]] == [cell.id for cell in await file.read()]
    nbformat.validate(content)
    await file.undo()
    assert len(on_disk(plain, file)["cells"]) == 3


async def test_outputs_of_a_run_are_in_the_file(file: Notebook, plain: RunningServer) -> None:
    result = await file.cell(2).execute()
    assert (result.status, result.text) == ("ok", "hello")
    await file.save()
    ran = on_disk(plain, file)["cells"][2]
    assert "".join(ran["outputs"][0]["text"]) == "hello\n"
    assert ran["execution_count"] == 1
    nbformat.validate(on_disk(plain, file))


async def test_what_others_write_is_read(file: Notebook, plain: RunningServer) -> None:
    cursor = (await file.changes()).cursor
    content = on_disk(plain, file)
    edited, deleted = (cell["id"] for cell in content["cells"][1:])
    del content["cells"][2]
    content["cells"].insert(0, {**content["cells"].pop(), "source": "# theirs"})
    write(plain, file.path, content)
    assert await sources(file) == ["# theirs", "one = 1\ntwo = 2\nthree = 3\n"]
    told = await file.changes(cursor)
    kinds = {(change.kind, change.cell_id) for change in told.changes}
    assert kinds == {("edited", edited), ("moved", edited), ("deleted", deleted)}
    assert not any(change.own or change.by for change in told.changes)


async def test_an_edit_over_a_file_that_others_have_written_is_refused_with_what_changed(
    file: Notebook, plain: RunningServer
) -> None:
    content = on_disk(plain, file)
    content["cells"][1]["source"] = "# theirs"
    write(plain, file.path, content)
    theirs = (plain.root / file.path).read_bytes()

    with pytest.raises(NotebookConflictError, match="# theirs") as caught:
        await file.cell(0).set_source("mine")
    assert caught.value.applied == "no"
    assert caught.value.changes == (("edited", content["cells"][1]["id"]),)
    assert (plain.root / file.path).read_bytes() == theirs
    assert await sources(file) == ["one = 1\ntwo = 2\nthree = 3\n", "# theirs", "print('hello')"]

    await file.cell(0).set_source("mine")
    assert await sources(file) == ["mine", "# theirs", "print('hello')"]


async def test_a_refused_edit_is_merged_with_theirs_by_cell_and_line(
    file: Notebook, plain: RunningServer
) -> None:
    content = on_disk(plain, file)
    content["cells"][0]["source"] = "one = 1\ntwo = 2\nthree = 'theirs'\n"
    del content["cells"][1]
    write(plain, file.path, content)
    with pytest.raises(NotebookConflictError):
        await _edit_three_cells(file)
    merged = await file.merge()
    wanted = ["one = 'mine'\ntwo = 2\nthree = 'theirs'\n", "print('hello')", "new"]
    assert [cell.source for cell in merged] == wanted
    assert [text(cell) for cell in on_disk(plain, file)["cells"]] == wanted


async def _edit_three_cells(notebook: Notebook) -> None:
    async with notebook.batch() as batch:
        batch.edit_source(0, "one = 1", "one = 'mine'")
        batch.append_cell("new")
        batch.set_source(1, "# of a cell that is gone")


async def test_a_run_does_not_overwrite_what_others_write_meanwhile(
    file: Notebook, plain: RunningServer
) -> None:
    waiting = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(.01)\n"
    cell = await file.append_cell(f"print('a', flush=True)\n{waiting}print('b')")
    await file.kernel.connect()
    with anyio.fail_after(20):
        watching = file.watch()
        run = await cell.start()
        async for change in watching:
            if isinstance(change, Change) and change.kind == "run" and (await cell.read()).text:
                break
    await file.flush()  # it may be being written
    content = on_disk(plain, file)
    content["cells"][0]["source"] = "theirs"
    write(plain, file.path, content)
    (plain.root / "go").touch()
    await run.wait(20)
    with anyio.fail_after(20):
        await file.save()
    content = on_disk(plain, file)
    assert text(content["cells"][0]) == "theirs"
    assert "".join(content["cells"][3]["outputs"][0]["text"]) == "a\nb\n"


async def test_cells_that_nobody_touches_stay_as_they_were_on_disk(
    plain_server: Server, plain: RunningServer, request: pytest.FixtureRequest
) -> None:
    path = f"{request.node.name}.ipynb"
    cell = {
        "id": "untouched",
        "cell_type": "code",
        "source": "x\n",
        "metadata": {"a": 1.0, "deep": {"b": [1, 2.0]}, "tags": []},
        "execution_count": 3,
        "outputs": [
            {
                "output_type": "display_data",
                "data": {"application/json": {"n": 1.0}, "text/plain": ["a\n", "b"]},
                "metadata": {},
            }
        ],
    }
    write(
        plain, path, {"cells": [cell], "metadata": {"x": 1.5}, "nbformat": 4, "nbformat_minor": 5}
    )
    before = json.loads((plain.root / path).read_text())
    notebook = await plain_server.open_notebook(path)
    await notebook.append_cell("new")
    after = on_disk(plain, notebook)
    assert after["cells"][0] == before["cells"][0]
    assert after["metadata"] == before["metadata"]


async def test_cells_without_ids_keep_those_that_they_get(
    plain_server: Server, plain: RunningServer, request: pytest.FixtureRequest
) -> None:
    path = f"{request.node.name}.ipynb"
    cells = [{"cell_type": "raw", "source": text, "metadata": {}} for text in ("a", "b", "c")]
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    (plain.root / path).write_text(json.dumps(content))
    notebook = await plain_server.open_notebook(path)
    ids = [cell.id for cell in await notebook.read()]
    (plain.root / path).write_text(json.dumps({**content, "cells": [cells[0], cells[2]]}))
    assert [cell.id for cell in await notebook.read()] == [ids[0], ids[2]]
    await notebook.cell(ids[2]).set_source("C")
    assert on_disk(plain, notebook)["cells"] == [
        {"cell_type": "raw", "source": [text], "metadata": {}} for text in ("a", "C")
    ]


async def test_two_clients_never_overwrite_each_other(file: Notebook, plain: RunningServer) -> None:
    async with connect(plain.url, token=plain.token) as other:
        theirs = await other.open_notebook(file.path)
        refused = 0
        for number in range(6):
            for one in (file, theirs):
                try:
                    await one.append_cell(f"{one is file} {number}")
                except NotebookConflictError:
                    refused += 1
                    await one.merge()
        wanted = {f"{who} {number}" for who in (True, False) for number in range(6)}
        assert refused > 0
        assert set(await sources(file)) >= wanted
        assert sorted(await sources(file)) == sorted(await sources(theirs))


async def test_a_write_whose_answer_is_lost_is_not_taken_for_somebody_elses(
    plain: RunningServer, request: pytest.FixtureRequest
) -> None:
    path = f"{request.node.name}.ipynb"
    async with (
        Proxy.before(plain.port, mute=b"PUT ") as proxy,
        connect(plain.url, token=plain.token) as direct,
    ):
        seen = await direct.open_notebook(path, create=True)
        await seen.append_cell("first")
        async with connect(proxy.url, token=plain.token) as server:
            notebook = await server.open_notebook(path)
            async with anyio.create_task_group() as group:
                group.start_soon(_edit_into_silence, notebook)
                with anyio.fail_after(20):
                    while "second" not in await sources(seen):
                        pass
                proxy.unmute()
                proxy.cut()
            with anyio.fail_after(20):
                await notebook.flush()
            assert await sources(notebook) == ["first", "second"]
        assert [text(cell) for cell in on_disk(plain, notebook)["cells"]] == ["first", "second"]


async def _edit_into_silence(notebook: Notebook) -> None:
    with pytest.raises(ConnectionLostError) as caught:
        await notebook.append_cell("second")
    assert caught.value.applied == "unknown"


async def test_an_edit_made_while_theirs_is_read_is_refused_and_not_forgotten(
    plain: RunningServer, request: pytest.FixtureRequest
) -> None:
    path = f"{request.node.name}.ipynb"
    async with (
        Proxy.before(plain.port) as proxy,
        connect(proxy.url, token=plain.token) as server,
    ):
        notebook = await server.open_notebook(path, create=True)
        await notebook.append_cell("first")
        await notebook.append_cell("second")
        content = on_disk(plain, notebook)
        content["cells"][0]["source"] = "theirs"
        write(plain, path, content)
        proxy.stall()
        async with anyio.create_task_group() as group:
            group.start_soon(notebook.read)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(_edit_and_be_refused, notebook)
            await anyio.wait_all_tasks_blocked()
            proxy.resume()
        assert await sources(notebook) == ["theirs", "second"]
        await notebook.merge()
        assert [text(cell) for cell in on_disk(plain, notebook)["cells"]] == ["theirs", "mine"]


async def _edit_and_be_refused(notebook: Notebook) -> None:
    with pytest.raises(NotebookConflictError):
        await notebook.cell(1).set_source("mine")


async def test_a_refusal_that_came_when_nobody_waited_is_told_by_the_next_flush(
    plain: RunningServer, request: pytest.FixtureRequest
) -> None:
    path = f"{request.node.name}.ipynb"
    async with (
        Proxy.before(plain.port) as proxy,
        connect(proxy.url, token=plain.token) as server,
    ):
        notebook = await server.open_notebook(path, create=True)
        await notebook.append_cell("first")
        proxy.stall()
        async with anyio.create_task_group() as group:
            group.start_soon(notebook.append_cell, "second")
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        content = on_disk(plain, notebook)
        content["cells"][0]["source"] = "theirs"
        write(plain, path, content)
        proxy.cut()
        proxy.resume()
        with anyio.fail_after(20):
            assert await sources(notebook) == ["theirs"]
            with pytest.raises(NotebookConflictError, match="theirs"):
                await notebook.flush()
            await notebook.flush()
            await notebook.merge()
        assert [text(cell) for cell in on_disk(plain, notebook)["cells"]] == ["theirs", "second"]


@pytest.mark.timeout(120)
async def test_edits_while_the_server_is_away_arrive_and_a_room_is_never_written_over(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack:
        running = stack.enter_context(jupyter_server(tmp_path, extensions=FILES_ONLY))
        proxy = await stack.enter_async_context(Proxy.before(running.port))
        server = await stack.enter_async_context(connect(proxy.url, token=running.token))
        notebook = await server.open_notebook("away.ipynb", create=True)
        await notebook.append_cell("first")
        running.kill()
        with pytest.raises(ConnectionLostError) as caught:
            await notebook.append_cell("second")
        assert caught.value.applied == "unknown"

        again = stack.enter_context(jupyter_server(tmp_path, extensions=FILES_ONLY))
        proxy.point_to(again.port)
        with anyio.fail_after(20):
            await notebook.flush()
        assert [text(cell) for cell in on_disk(again, notebook)["cells"]] == ["first", "second"]
        again.kill()

        (tmp_path / "config" / "jupyter_server_config.json").write_text("{}")
        with_rooms = stack.enter_context(jupyter_server(tmp_path, extensions={}))
        proxy.point_to(with_rooms.port)
        with anyio.fail_after(20), pytest.raises(ConnectionLostError, match="again") as caught:
            await notebook.append_cell("third")
        assert caught.value.applied == "no"
        assert len(on_disk(with_rooms, notebook)["cells"]) == 2


async def test_a_file_that_is_gone_is_said(file: Notebook, plain: RunningServer) -> None:
    (plain.root / file.path).unlink()
    with pytest.raises(ConnectionLostError, match="no notebook") as caught:
        await file.append_cell("lost")
    assert caught.value.applied == "no"
    with pytest.raises(ConnectionLostError, match="no notebook") as caught:
        await file.append_cell("lost")
    assert caught.value.applied == "no"


async def test_closing_a_connection_that_does_not_answer_says_that_edits_may_be_lost(
    plain: RunningServer, request: pytest.FixtureRequest
) -> None:
    path = f"{request.node.name}.ipynb"
    async with Proxy.before(plain.port) as proxy:
        with pytest.raises(ConnectionLostError, match="not closed within") as caught:
            await _edit_and_leave(proxy, plain.token, path)
        assert caught.value.applied == "unknown"


async def _edit_and_leave(proxy: Proxy, token: str, path: str) -> None:
    async with connect(proxy.url, token=token) as server:
        notebook = await server.open_notebook(path, create=True)
        proxy.stall()
        async with anyio.create_task_group() as group:
            group.start_soon(notebook.append_cell, "nobody waits for this")
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()


async def test_an_edit_after_a_refusal_makes_it_too_late_to_merge(
    file: Notebook, plain: RunningServer
) -> None:
    content = on_disk(plain, file)
    content["cells"][0]["source"] = "theirs"
    write(plain, file.path, content)
    with pytest.raises(NotebookConflictError):
        await file.append_cell("mine")
    await file.append_cell("mine")
    with pytest.raises(ConfigurationError, match="nothing to merge"):
        await file.merge()
    assert (await sources(file)).count("mine") == 1


async def test_a_file_that_may_not_be_written_is_said_and_can_still_be_read(
    plain: RunningServer, request: pytest.FixtureRequest
) -> None:
    def read_only(data: bytes) -> bytes:
        return data.replace(b"PUT /api/contents/", b"PUT /api/CONTENTS/") if locked else data

    locked = False
    async with (
        Proxy.before(plain.port, rewrite=read_only) as proxy,
        connect(proxy.url, token=plain.token) as server,
    ):
        notebook = await server.open_notebook(f"{request.node.name}.ipynb", create=True)
        await notebook.append_cell("first")
        locked = True
        with pytest.raises(ConnectionLostError, match="refuses to write") as caught:
            await notebook.append_cell("second")
        assert caught.value.applied == "no"
        assert await sources(notebook) == ["first"]
        await notebook.flush()
        locked = False
        await notebook.append_cell("third")
        assert [text(cell) for cell in on_disk(plain, notebook)["cells"]] == ["first", "third"]


async def test_a_file_that_is_read_while_an_editor_writes_it_is_read_again_later(
    file: Notebook, plain: RunningServer
) -> None:
    whole = (plain.root / file.path).read_text()
    (plain.root / file.path).write_text(whole[:100])
    with pytest.raises(ConnectionLostError, match="cannot be opened"):
        await file.read()
    (plain.root / file.path).write_text(whole)
    await file.append_cell("new")
    assert len(on_disk(plain, file)["cells"]) == 4
