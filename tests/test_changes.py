# SPDX-License-Identifier: BSD-3-Clause
"""What changed since a cursor: which cells, how and by whom, at the cost of what changed."""

import threading
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from collaborator import collaborator
from pycrdt import Map, Text
from replicas import EMPTY, Agent, Human, Room
from servers import Proxy, RunningServer

from jupyter_agent_core import (
    Change,
    ConfigurationError,
    ConnectionChange,
    Notebook,
    NotebookClosedError,
    Server,
    connect,
    sync,
)
from jupyter_agent_core._document import mirror
from jupyter_agent_core._document.operations import (
    ClearOutputs,
    DeleteCell,
    InsertCell,
    MoveCell,
    SetAttachments,
    SetMetadata,
    SetSource,
    SetType,
)

STREAM = {"output_type": "stream", "name": "stdout"}
CELLS = [
    {"id": "a", "cell_type": "code", "source": "a", "metadata": {}}
    | {"outputs": [STREAM | {"text": "1\n"}], "execution_count": 1},
    {"id": "b", "cell_type": "markdown", "source": "b", "metadata": {}},
    {"id": "c", "cell_type": "raw", "source": "c", "metadata": {}},
]


class Watched:
    """An agent and a human, and what the agent is told."""

    def __init__(self) -> None:
        self.agent, self.human = Agent(), Human()
        self.room = Room(self.agent, self.human, content=EMPTY | {"cells": CELLS})
        self.cursor = self.agent.editor.cursor()

    def told(self) -> list[tuple[Any, ...]]:
        """What happened since it was told the last time."""
        self.room.settle()
        changes = self.agent.editor.changes(self.cursor)
        self.cursor = changes.cursor
        return [(one.kind, one.cell_id, one.index, one.own) for one in changes.changes]


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_each_edit_is_told_as_what_it_is(watched: Watched) -> None:
    agent = watched.agent
    for operation, told in (
        (SetSource("a", "A"), ("edited", "a", 0, True)),
        (SetMetadata("a", {"tags": ["t"]}), ("edited", "a", 0, True)),
        (SetAttachments("b", {"i.png": {"image/png": "aGk="}}), ("edited", "b", 1, True)),
        (SetType("c", "markdown"), ("edited", "c", 2, True)),
        (ClearOutputs("a"), ("run", "a", 0, True)),
        (MoveCell("a", None), ("moved", "a", 2, True)),
        (InsertCell("new", "code", "b", "new"), ("inserted", "new", 0, True)),
        (DeleteCell("b"), ("deleted", "b", None, True)),
    ):
        agent.do(operation)
        assert watched.told() == [told]
    assert watched.told() == []


def test_what_a_human_does_is_told_as_what_it_is(watched: Watched) -> None:
    human = watched.human
    human.type("b", "typed")
    assert watched.told() == [("edited", "b", 1, False)]
    human.erase("b", 0, 3)
    assert watched.told() == [("edited", "b", 1, False)]
    human.set_type("b", "code")
    assert watched.told() == [("edited", "b", 1, False)]
    human.move("b", 2)
    assert watched.told() == [("moved", "b", 2, False)]
    new = human.insert(0, "his")
    assert watched.told() == [("inserted", new, 0, False)]
    human.delete(new)
    assert watched.told() == [("deleted", new, None, False)]
    human.undo()
    assert watched.told() == [("inserted", new, 0, False)]


def test_what_a_run_writes_is_told_once_as_a_run(watched: Watched) -> None:
    cell = watched.human.ycell("a")
    with watched.human.ydoc.transaction():
        cell["outputs"].clear()
        cell["execution_count"] = None
        cell["execution_state"] = "running"
    for number in range(20):
        cell["outputs"].append(Map(STREAM | {"text": Text(f"{number}\n")}))
    cell["outputs"][-1]["text"] += "more"
    with watched.human.ydoc.transaction():
        cell["metadata"]["execution"] = {"iopub.status.busy": "now"}
        cell["metadata"]["trusted"] = True
        cell["execution_count"] = 2
        cell["execution_state"] = "idle"
    assert watched.told() == [("run", "a", 0, False)]


def test_a_cell_that_came_and_went_is_not_told_and_a_new_one_only_as_new(watched: Watched) -> None:
    passing = watched.human.insert(1, "passing")
    new = watched.human.insert(0, "")
    for key in "typed":
        watched.human.type(new, key)
    watched.human.move(new, 2)
    watched.room.settle()
    watched.human.delete(passing)
    watched.human.type("a", "typed")
    watched.human.delete("a")
    assert sorted(watched.told()) == [("deleted", "a", None, False), ("inserted", new, 0, False)]


def test_many_keystrokes_are_one_change_in_the_order_of_the_last(watched: Watched) -> None:
    watched.human.type("a", "first")
    for key in "many keys":
        watched.human.type("c", key)
    watched.human.type("b", "x")
    watched.human.type("a", "last")
    assert [one[1] for one in watched.told()] == ["c", "b", "a"]


def test_a_batch_and_its_undo_are_told_cell_by_cell(watched: Watched) -> None:
    watched.agent.do(SetSource("a", "A"), MoveCell("b", None), DeleteCell("c"))
    assert sorted(watched.told()) == [
        ("deleted", "c", None, True),
        ("edited", "a", 0, True),
        ("moved", "b", 1, True),
    ]
    watched.agent.editor.undo(1)
    assert {one[:2] for one in watched.told()} >= {("edited", "a"), ("inserted", "c")}
    assert watched.agent.ids == ["a", "b", "c"]


def test_a_cell_that_two_have_moved_at_once_is_told_as_moved(watched: Watched) -> None:
    watched.agent.move("a", 2)
    watched.human.move("a", 1)
    assert {one[:2] for one in watched.told()} == {("moved", "a")}
    assert sorted(watched.agent.ids) == ["a", "b", "c"]


def test_a_change_by_both_is_not_own(watched: Watched) -> None:
    watched.agent.do(SetSource("a", "A"))
    watched.human.type("a", "x", 0)
    assert watched.told() == [("edited", "a", 0, False)]
    watched.agent.do(SetSource("a", "B", force=True))
    assert watched.told() == [("edited", "a", 0, True)]


@pytest.mark.parametrize(
    "cursor", ["", "0", "x.1", "{id}", "{id}.", "{id}.x", "{id}.-1", "{id}.99"]
)
def test_what_is_no_cursor_is_refused(watched: Watched, cursor: str) -> None:
    log = watched.agent.document.changes
    with pytest.raises(ConfigurationError, match="no cursor of this notebook"):
        watched.agent.editor.changes(cursor.format(id=log.id))
    assert watched.agent.editor.changes(f"{log.id}.0").changes is not None


def test_a_cursor_can_be_used_again(watched: Watched) -> None:
    watched.agent.do(SetSource("a", "A"))
    since = watched.cursor
    assert watched.told() == [("edited", "a", 0, True)]
    watched.cursor = since
    assert watched.told() == [("edited", "a", 0, True)]


def test_the_log_does_not_grow_with_use(watched: Watched) -> None:
    for number in range(500):
        watched.agent.set("a", str(number))
        watched.human.type("b", "x")
        watched.room.settle()
    assert len(watched.agent.document.changes._marks) < 10
    assert watched.agent.document.changes.last >= 1000


def test_only_what_has_changed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    agent, human = Agent(), Human()
    cells = [
        {"id": f"cell-{number}", "cell_type": "raw", "source": "x", "metadata": {}}
        for number in range(1000)
    ]
    room = Room(agent, human, content=EMPTY | {"cells": cells})
    agent.document.cells()
    read: list[int] = []
    snapshot = mirror.snapshot
    monkeypatch.setattr(
        mirror, "snapshot", lambda index, cell: read.append(index) or snapshot(index, cell)
    )
    bulk: list[int] = []
    plain_cells = mirror.plain_cells
    monkeypatch.setattr(mirror, "plain_cells", lambda ycells: bulk.append(1) or plain_cells(ycells))
    cursor = agent.editor.cursor()
    human.type("cell-7", "typed")
    human.insert(3, "new")
    human.delete("cell-900")
    human.move("cell-5", 800)
    room.settle()
    assert len(agent.editor.changes(cursor).changes) == 4
    assert read == [800]  # what is moved is put anew, and may be another by then
    agent.document.cells()
    agent.document.cells()
    agent.editor.changes(cursor)
    assert len(read) == 3
    assert bulk == []


# --- by whom, on a server


async def test_it_is_told_by_whom(notebook: Notebook, other: Server, lab: RunningServer) -> None:
    cell = await notebook.append_cell("one\ntwo")
    begin = await notebook.changes()
    assert begin.changes == ()
    theirs = await other.open_notebook(notebook.path)
    await theirs.cell(0).set_source("one, theirs\ntwo")
    await notebook.flush()
    with anyio.fail_after(20):
        async with collaborator(lab, notebook.path) as human:
            await human.greet("Human")
            await human.pull()
            await notebook.flush()
            assert set(notebook.collaborators()) == {"Human", "Other"}
            text = human.ycell(cell.id)["source"]
            await human.send(lambda: text.insert(0, "typed "))
            await human.pull()
            await notebook.flush()
    new = await theirs.append_cell("theirs")
    mine = await notebook.append_cell("mine")
    changes = await notebook.changes(begin.cursor)
    assert changes.changes == (
        Change("edited", cell.id, 0, "Human and Other", own=False),
        Change("inserted", new.id, 1, "Other", own=False),
        Change("inserted", mine.id, 2, changes.changes[2].by, own=True),
    )
    assert (await notebook.changes(changes.cursor)).changes == ()


async def test_two_notebook_objects_know_their_own_changes(
    server: Server, notebook: Notebook
) -> None:
    second = await server.open_notebook(notebook.path)
    begin = await notebook.changes()
    await notebook.append_cell("first's")
    await second.append_cell("second's")
    assert [one.own for one in (await notebook.changes(begin.cursor)).changes] == [True, False]
    assert [one.own for one in (await second.changes(begin.cursor)).changes] == [False, True]


async def test_a_run_is_told_as_a_run_by_who_has_started_it(
    notebook: Notebook, other: Server
) -> None:
    cell = await notebook.append_cell("1 + 1")
    theirs = await other.open_notebook(notebook.path)
    mine, begin = await notebook.changes(), await theirs.changes()
    await cell.execute(timeout=30)
    await notebook.flush()
    (change,) = (await notebook.changes(mine.cursor)).changes
    assert (change.kind, change.cell_id, change.own) == ("run", cell.id, True)
    (change,) = (await theirs.changes(begin.cursor)).changes
    assert (change.kind, change.cell_id, change.own) == ("run", cell.id, False)


async def test_a_cursor_outlives_a_connection(lab: RunningServer) -> None:
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
        connect(lab.url, token=lab.token, username="Other") as other,
    ):
        notebook = await server.open_notebook("cursor.ipynb", create=True)
        cell = await notebook.append_cell("one")
        begin = await notebook.changes()
        proxy.point_to(9)
        proxy.cut()
        await (await other.open_notebook("cursor.ipynb")).cell(0).set_source("theirs")
        proxy.point_to(lab.port)
        with anyio.fail_after(15):
            changes = await notebook.changes(begin.cursor)
        assert [(one.kind, one.cell_id) for one in changes.changes] == [("edited", cell.id)]


# --- watch


async def test_changes_are_told_as_they_come(notebook: Notebook, other: Server) -> None:
    theirs = await other.open_notebook(notebook.path)
    watch: AsyncIterator[Change | ConnectionChange] = notebook.watch()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            told: list[Any] = []
            enough = anyio.Event()

            async def listen() -> None:
                async for change in watch:
                    told.append(change)
                    if len(told) == 3:
                        enough.set()

            group.start_soon(listen)
            await anyio.wait_all_tasks_blocked()
            cell = await theirs.append_cell("theirs")
            await notebook.flush()
            await anyio.wait_all_tasks_blocked()
            await notebook.cell(0).set_source("mine", force=True)
            await anyio.wait_all_tasks_blocked()
            await theirs.cell(0).delete(force=True)
            await enough.wait()
            await notebook.close()
    assert [(one.kind, one.cell_id, one.own) for one in told] == [
        ("inserted", cell.id, False),
        ("edited", cell.id, True),
        ("deleted", cell.id, False),
    ]
    assert told[0].by == "Other"


async def test_who_takes_them_slowly_is_told_once_a_cell(notebook: Notebook) -> None:
    cell = await notebook.append_cell("0")
    watch = notebook.watch()
    told: list[Any] = []
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            at_first = anyio.Event()

            async def listen() -> None:
                async for change in watch:
                    told.append(change)
                    if len(told) == 1:
                        at_first.set()
                        await goes_on.wait()

            goes_on = anyio.Event()
            group.start_soon(listen)
            await anyio.wait_all_tasks_blocked()
            await cell.set_source("first")
            await at_first.wait()
            for number in range(10):
                await cell.set_source(str(number))
            await notebook.append_cell("new")
            goes_on.set()
            await anyio.wait_all_tasks_blocked()
            await notebook.close()
    assert [one.kind for one in told] == ["edited", "edited", "inserted"]


async def test_a_closed_notebook_is_not_watched(notebook: Notebook) -> None:
    watch = notebook.watch()
    await notebook.close()
    with pytest.raises(NotebookClosedError):
        await anext(watch)
    with pytest.raises(NotebookClosedError):
        await notebook.changes()


def test_the_blocking_api_tells_the_same(lab: RunningServer, folder: str) -> None:
    path = f"{folder}/blocking.ipynb"
    with (
        sync.connect(lab.url, token=lab.token) as server,
        sync.connect(lab.url, token=lab.token, username="Other") as other,
    ):
        notebook = server.open_notebook(path, create=True)
        theirs = other.open_notebook(path)
        begin = notebook.changes()
        told: list[Any] = []
        listening = threading.Event()

        def listen() -> None:
            listening.set()
            told.extend(notebook.watch())

        listener = threading.Thread(target=listen)
        listener.start()
        assert listening.wait(20)
        cell = theirs.append_cell("theirs")
        notebook.flush()
        (change,) = notebook.changes(begin.cursor).changes
        assert change == Change("inserted", cell.id, 0, "Other", own=False)
        with pytest.raises(ConfigurationError):
            notebook.changes("0")
        notebook.close()
        listener.join(timeout=20)
        assert not listener.is_alive()
    assert told in ([change], [])
