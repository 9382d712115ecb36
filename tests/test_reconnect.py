# SPDX-License-Identifier: BSD-3-Clause
"""Connections that break, servers that come back: no edit is lost, no cell is doubled."""

import json
import os
import random
import shutil
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path

import anyio
import pytest
from collaborator import collaborator
from jupyter_server.services.contents.fileio import path_to_intermediate
from jupyter_ydoc import YNotebook
from pycrdt import Array, Doc, Map
from servers import Proxy, Restartable, RunningServer, restartable_server
from watching import watching

from jupyter_agent_core import (
    ConnectionLostError,
    Notebook,
    NotebookNotFoundError,
    RequestError,
    ServerUnreachableError,
    connect,
)
from jupyter_agent_core._backoff import LAST_DELAY, is_transient, reconnect_delays
from jupyter_agent_core._document import journal
from jupyter_agent_core._document.connection import RoomConnection
from jupyter_agent_core._document.editor import Editor
from jupyter_agent_core._document.model import NotebookDocument
from jupyter_agent_core._document.operations import InsertCell, SetSource


def test_delays_grow_to_a_bound_and_never_end():
    delays = list(islice(reconnect_delays(random.Random(1)), 50))  # noqa: S311
    assert max(delays) <= LAST_DELAY
    assert delays[0] < 0.1
    assert min(delays[-10:]) >= LAST_DELAY / 2


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (ServerUnreachableError("http://x/", "refused"), True),
        (RequestError("GET", "/x", 503, "restarting"), True),
        (RequestError("GET", "/x", 424, "stopped"), True),
        (RequestError("GET", "/x", 400, "bad"), False),
        (NotebookNotFoundError("a.ipynb"), False),
    ],
)
def test_only_what_may_get_better_is_tried_again(error: Exception, transient: bool):
    assert is_transient(error) is transient


@pytest.fixture
async def restartable(tmp_path: Path) -> AsyncIterator[Restartable]:
    async with restartable_server(tmp_path) as place:
        yield place


async def sources(notebook: Notebook) -> list[str]:
    return [cell.source for cell in await notebook.read()]


async def test_edits_before_during_and_after_a_broken_connection_arrive_once(lab: RunningServer):
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
        connect(lab.url, token=lab.token) as other,
    ):
        notebook = await server.open_notebook("broken.ipynb", create=True)
        cell = await notebook.append_cell("one")
        for number in range(5):
            proxy.cut()
            with anyio.fail_after(10):
                await cell.set_source(f"one {number}")
                await notebook.append_cell(f"cell {number}")
        seen = await other.open_notebook("broken.ipynb")
        wanted = ["one 4", *(f"cell {number}" for number in range(5))]
        assert await sources(notebook) == wanted
        assert await sources(seen) == wanted


async def test_a_silent_peer_is_left_for_a_new_connection(lab: RunningServer):
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        notebook = await server.open_notebook("silent.ipynb", create=True)
        proxy.stall_open()
        with anyio.fail_after(15):
            await notebook.append_cell("said into silence")
            assert await sources(notebook) == ["said into silence"]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("with_store", [True, False], ids=["with its store", "without its store"])
async def test_a_server_that_is_killed_and_comes_back_loses_and_doubles_nothing(
    restartable: Restartable, with_store: bool, request: pytest.FixtureRequest
):
    async with connect(restartable.proxy.url, token=restartable.server.token) as server:
        notebook = await server.open_notebook("killed.ipynb", create=True)
        first = await notebook.append_cell("first")
        await notebook.append_cell("second")
        await notebook.save()
        await notebook.append_cell("acknowledged and not saved")
        ran = await notebook.append_cell("print('ran')")
        assert (await ran.execute()).status == "ok"
        restartable.kill(with_store=with_store)
        with pytest.raises(ConnectionLostError) as caught, anyio.fail_after(15):
            await first.set_source("first, edited while the server was away")
        assert caught.value.applied == "unknown"
        request.getfixturevalue("patient")
        restartable.start()
        with anyio.fail_after(30):
            await notebook.flush()
            there = await sources(notebook)
            await notebook.save()
        assert there == [
            "first, edited while the server was away",
            "second",
            "acknowledged and not saved",
            "print('ran')",
        ]
        assert [cell.text for cell in await notebook.read()] == ["", "", "", "ran"]
    async with connect(restartable.server.url, token=restartable.server.token) as other:
        seen = await other.open_notebook("killed.ipynb")
        assert await sources(seen) == there
        assert [cell.text for cell in await seen.read()] == ["", "", "", "ran"]


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("patient")
async def test_a_server_that_is_killed_as_it_writes_the_file_loses_nothing(
    restartable: Restartable,
) -> None:
    async with connect(restartable.proxy.url, token=restartable.server.token) as server:
        notebook = await server.open_notebook("torn.ipynb", create=True)
        await notebook.append_cell("saved")
        await notebook.save()
        await notebook.append_cell("acknowledged")
        restartable.kill(with_store=False)
        file = restartable.server.root / "torn.ipynb"
        shutil.copyfile(file, path_to_intermediate(file))
        os.utime(path_to_intermediate(file), (0, 0))
        os.truncate(file, 100)
        restartable.start()
        with anyio.fail_after(30):
            await notebook.flush()
            await notebook.save()
            assert await sources(notebook) == ["saved", "acknowledged"]


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("patient")
async def test_a_server_that_never_saved_while_somebody_typed_loses_nothing(
    restartable: Restartable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "RETENTION", 0.02)
    path = "typed.ipynb"
    async with connect(restartable.proxy.url, token=restartable.server.token) as server:
        notebook = await server.open_notebook(path, create=True)
        for source in ("typed in", "saved"):
            await notebook.append_cell(source)
        await notebook.save()
        written = (restartable.server.root / path).read_bytes()
        async with collaborator(restartable.server, path) as human:
            for number in range(10):
                # the server saves when nobody has typed for a second
                await human.send(lambda: human.notebook.ycells[0]["source"].insert(0, "."))
                await human.pull()
                await notebook.append_cell(f"acknowledged {number}")
                await anyio.sleep(0.05)  # so that it is over for the edits before
        assert (restartable.server.root / path).read_bytes() == written
        restartable.kill(with_store=False)
        restartable.start()
        with anyio.fail_after(30):
            await notebook.flush()
            there = await sources(notebook)
    assert there == ["typed in", "saved", *(f"acknowledged {number}" for number in range(10))]


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("patient")
async def test_edits_during_the_handshake_with_a_rebuilt_document_arrive_once(
    restartable: Restartable, monkeypatch: pytest.MonkeyPatch
):
    def write(*sources: str) -> None:
        cells = [
            {"cell_type": "raw", "source": source, "metadata": {}, "id": source}
            for source in sources
        ]
        content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (restartable.server.root / "rebuilt.ipynb").write_text(json.dumps(content))

    write("first", "second")
    async with connect(restartable.proxy.url, token=restartable.server.token) as server:
        notebook = await server.open_notebook("rebuilt.ipynb")
        synchronise = RoomConnection.synchronise

        async def edit_and_synchronise(self: RoomConnection, *, restarted: bool) -> None:
            group.start_soon(notebook.append_cell, "during the handshake", "raw")
            group.start_soon(notebook.cell("second").set_source, "second, edited")
            await anyio.lowlevel.checkpoint()
            monkeypatch.undo()
            await synchronise(self, restarted=restarted)

        async with anyio.create_task_group() as group, watching(notebook) as watcher:
            monkeypatch.setattr(RoomConnection, "synchronise", edit_and_synchronise)
            restartable.kill(with_store=False)
            # the server gives what it builds from a file the same Yjs ids, whatever is in it
            write("new-on-disk", "first", "second")
            await anyio.to_thread.run_sync(restartable.start)
            await watcher.until("disconnected", "reconnected", "rebuilt")
            await notebook.flush()
        there = await sources(notebook)
        assert there == ["new-on-disk", "first", "second, edited", "during the handshake"]
        async with collaborator(restartable.server, notebook.path) as raw:
            assert [cell["source"] for cell in raw.cells()] == there


@pytest.mark.usefixtures("patient")
async def test_a_notebook_without_cell_ids_is_not_doubled(restartable: Restartable):
    cells = [
        {
            "cell_type": "code",
            "source": text,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        for text in ("first", "second")
    ]
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    (restartable.server.root / "old.ipynb").write_text(json.dumps(content))
    async with connect(restartable.proxy.url, token=restartable.server.token) as server:
        notebook = await server.open_notebook("old.ipynb")
        await notebook.flush()
        restartable.kill(with_store=False)
        restartable.start()
        with anyio.fail_after(30):
            await notebook.flush()
            assert await sources(notebook) == ["first", "second"]


def test_the_same_file_built_into_a_document_twice_is_one_history():
    cells = [
        {"cell_type": "markdown", "source": text, "metadata": {"a": 1, "b": 2}, "id": text}
        for text in ("one", "two")
    ]

    def built() -> bytes:
        doc = Doc(client_id=0)
        YNotebook(doc).set({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        return doc.get_update()

    document = NotebookDocument()
    document.merge(built())
    Editor(document).apply([SetSource("one", "one, edited")])
    document.merge(built(), restarted=True)
    assert document.generation == 0
    assert [cell.source for cell in document.cells()] == ["one, edited", "two"]


def test_a_notebook_that_was_rebuilt_before_its_first_save_gets_no_cell_of_the_servers() -> None:
    def built() -> bytes:
        doc = Doc(client_id=0)
        YNotebook(doc).set({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        return doc.get_update()

    document = NotebookDocument()
    document.merge(built())
    document.drop_placeholder()
    Editor(document).apply([InsertCell(text, "code", before=None) for text in ("one", "two")])
    document.merge(built(), restarted=True)
    assert [cell.source for cell in document.cells()] == ["one", "two"]


def test_the_same_holds_if_the_server_builds_on_a_history_of_ours() -> None:
    def built() -> bytes:
        doc = Doc(client_id=0)
        doc.get("meta", type=Map)["nbformat"] = 4
        other = Doc()  # puts in the empty cell under an id of its own, each time another one
        other.apply_update(doc.get_update())
        cells = other.get("cells", type=Array)
        notebook = YNotebook(Doc())
        cells.append(notebook.create_ycell({"cell_type": "code", "source": "", "metadata": {}}))
        return other.get_update()

    document = NotebookDocument()
    document.merge(built())
    document.drop_placeholder()
    Editor(document).apply([InsertCell(text, "code", before=None) for text in ("one", "two")])
    document.merge(built(), restarted=True)
    assert document.generation == 0
    assert [cell.source for cell in document.cells()] == ["one", "two"]


@pytest.mark.parametrize("client", [0, 1])
def test_a_late_edit_outlives_two_restarts_in_a_row(client: int) -> None:
    def built(client: int) -> bytes:
        doc = Doc(client_id=client)
        cell = {"cell_type": "raw", "source": "one", "metadata": {}, "id": "one"}
        YNotebook(doc).set({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        return doc.get_update()

    document = NotebookDocument()
    document.merge(built(0))
    Editor(document).apply([InsertCell("two", "code", before=None)])
    document.merge(built(client), restarted=True)
    document.merge(built(2), restarted=True)  # it died before it had saved
    assert document.generation > 0
    assert [cell.source for cell in document.cells()] == ["one", "two"]


async def test_a_server_that_never_ended_is_not_taken_for_a_rebuilt_one(
    lab: RunningServer, caplog: pytest.LogCaptureFixture
):
    cell = {"cell_type": "markdown", "source": "text", "metadata": {"a": 1, "b": 2}, "id": "one"}
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (lab.root / "read.ipynb").write_text(json.dumps(content))
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        notebook = await server.open_notebook("read.ipynb")
        for _ in range(3):
            proxy.cut()
            with anyio.fail_after(15):
                await notebook.flush()
        assert await sources(notebook) == ["text"]
    assert "connecting again" in caplog.text
    assert "built the document anew" not in caplog.text


async def test_what_others_wrote_meanwhile_stays(lab: RunningServer):
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
        connect(lab.url, token=lab.token) as other,
    ):
        notebook = await server.open_notebook("meanwhile.ipynb", create=True)
        cell = await notebook.append_cell("one\ntwo\nthree\n")
        theirs = await other.open_notebook("meanwhile.ipynb")
        proxy.point_to(9)
        proxy.cut()
        await theirs.cell(0).set_source("one, edited\ntwo\nthree\n")
        await theirs.append_cell("theirs")
        async with anyio.create_task_group() as group:
            group.start_soon(cell.set_source, "one\ntwo\nthree, edited\n")
            await anyio.wait_all_tasks_blocked()
            proxy.point_to(lab.port)
        wanted = ["one, edited\ntwo\nthree, edited\n", "theirs"]
        assert await sources(notebook) == wanted
        await theirs.flush()
        assert await sources(theirs) == wanted


async def test_edits_over_a_slow_line_are_acknowledged_and_arrive_in_order(
    lab: RunningServer, folder: str
) -> None:
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
        connect(lab.url, token=lab.token) as other,
    ):
        notebook = await server.open_notebook(f"{folder}/slow.ipynb", create=True)
        theirs = await other.open_notebook(notebook.path)
        proxy.delay = 0.15
        with anyio.fail_after(20):
            cell = await notebook.append_cell("one\ntwo\n")
            await theirs.flush()
            async with anyio.create_task_group() as group:
                group.start_soon(cell.edit_source, "one", "ONE")
                group.start_soon(theirs.append_cell, "theirs")
                group.start_soon(cell.edit_source, "two", "TWO")
            await notebook.flush()
            await theirs.flush()
        assert await sources(notebook) == ["ONE\nTWO\n", "theirs"]
        assert await sources(theirs) == ["ONE\nTWO\n", "theirs"]


async def test_an_edit_that_is_cut_in_half_arrives_once(lab: RunningServer, folder: str) -> None:
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
        connect(lab.url, token=lab.token) as other,
    ):
        notebook = await server.open_notebook(f"{folder}/half.ipynb", create=True)
        for number in range(5):
            proxy.truncate()
            with anyio.fail_after(10):
                await notebook.append_cell(f"{number} " + "long " * 200)
        wanted = [f"{number} " + "long " * 200 for number in range(5)]
        assert await sources(notebook) == wanted
        assert await sources(await other.open_notebook(notebook.path)) == wanted
