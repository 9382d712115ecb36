# SPDX-License-Identifier: BSD-3-Clause
"""An agent takes back its own edits: nobody else's, no outputs, nothing that others built on."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from collaborator import collaborator
from jupyter_ydoc import YNotebook
from pycrdt import Doc
from replicas import EMPTY, Agent, Human, Room
from servers import Proxy, RunningServer

from jupyter_agent_core import (
    ConfigurationError,
    Notebook,
    Server,
    UndoConflictError,
    connect,
)
from jupyter_agent_core._document import editor
from jupyter_agent_core._document.operations import (
    ClearOutputs,
    DeleteCell,
    EditSource,
    InsertCell,
    MoveCell,
    Operation,
    SetAttachments,
    SetMetadata,
    SetSource,
    SetType,
)

PNG = {"a.png": {"image/png": "aGk="}}
OUTPUT = {"output_type": "stream", "name": "stdout", "text": "1\n"}
HTML = {"output_type": "display_data", "data": {"text/html": "<b>"}, "metadata": {}}
CODE = {"id": "code", "cell_type": "code", "source": "one\ntwo\nthree", "metadata": {"a": 1}}
CONTENT = EMPTY | {
    "cells": [
        CODE | {"outputs": [OUTPUT, HTML], "execution_count": 7},
        {"id": "text", "cell_type": "markdown", "source": "![]()", "metadata": {"tags": ["t"]}}
        | {"attachments": PNG},
        {"id": "raw", "cell_type": "raw", "source": "", "metadata": {}},
        {"id": "last", "cell_type": "raw", "source": "last", "metadata": {}},
    ]
}
EDITS: list[list[Operation]] = [
    [InsertCell("new", "code", None)],
    [InsertCell("new", "raw", "code")],
    [DeleteCell("code")],
    [DeleteCell("code"), DeleteCell("raw"), DeleteCell("text")],
    [MoveCell("code", None)],
    [MoveCell("last", "code"), MoveCell("code", None), MoveCell("raw", "text")],
    [SetSource("code", "one, é😀\ntwo\nthree\nfour")],
    [SetSource("code", "")],
    [EditSource("last", "s", "ß")],
    [SetType("code", "markdown")],
    [SetType("text", "code")],
    [SetType("raw", "markdown")],
    [SetMetadata("code", {"a": 2, "b": 3})],
    [SetMetadata("text", {}, ["tags"])],
    [SetAttachments("text", {})],
    [SetAttachments("raw", PNG)],
    [ClearOutputs("code")],
    [
        SetSource("code", "x"),
        SetType("code", "raw"),
        MoveCell("code", None),
        SetMetadata("code", {"n": 1}, ["a"]),
        DeleteCell("text"),
        SetAttachments("code", PNG),
        InsertCell("new", "code", "raw"),
    ],
]


def plain(agent: Agent) -> list[Any]:
    return [agent.document.nbformat_cell(cell_id) for cell_id in agent.ids]


def edited(*operations: Operation) -> tuple[Agent, Human, Room]:
    """An agent that has made edits, with a human beside him."""
    agent, human = Agent(), Human()
    room = Room(agent, human, content=CONTENT)
    for operation in operations:
        agent.do(operation)
    room.settle()
    return agent, human, room


@pytest.mark.parametrize("operations", EDITS, ids=range(len(EDITS)))
def test_an_edit_that_is_undone_leaves_the_notebook_as_it_was(operations: list[Operation]) -> None:
    agent, human, room = edited()
    before = plain(agent)
    agent.do(*operations)
    assert plain(agent) != before
    changed = agent.editor.undo(1)
    assert plain(agent) == before
    assert set(changed) <= {"code", "text", "raw", "last"}
    room.settle()
    assert human.cells() == agent.cells()


def test_all_edits_are_undone_one_after_the_other_and_all_at_once() -> None:
    for counts in ([1] * 6, [2, 1, 3], [6]):
        agent, *_ = edited()
        states = [plain(agent)]
        for operations in (EDITS[6], EDITS[4], EDITS[9], EDITS[12], EDITS[7], EDITS[2]):
            agent.do(*operations)
            states.append(plain(agent))
        for count in counts:
            agent.editor.undo(count)
            del states[-count:]
            assert plain(agent) == states[-1]


def test_more_than_there_is_cannot_be_undone() -> None:
    agent, *_ = edited(SetSource("last", "1"), SetSource("last", "2"))
    before = plain(agent)
    for count in (0, -1, 3):
        with pytest.raises(ConfigurationError, match="2 can"):
            agent.editor.undo(count)
    assert plain(agent) == before


def test_what_changed_nothing_is_nothing_to_undo() -> None:
    agent, *_ = edited(SetSource("last", "edited"))
    agent.do(SetSource("last", "edited"), SetMetadata("text", {"tags": ["t"]}))
    agent.do(MoveCell("last", None))
    agent.editor.undo(1)
    assert agent.source("last") == "last"


def test_old_edits_are_forgotten_not_mixed_up() -> None:
    agent, *_ = edited()
    for number in range(editor.UNDOABLE + 5):
        agent.set("last", str(number))
    agent.editor.undo(editor.UNDOABLE)
    assert agent.source("last") == "4"
    with pytest.raises(ConfigurationError, match="there is none to undo"):
        agent.editor.undo(1)


def test_an_edit_that_was_undone_and_is_refused_then_takes_no_other_with_it() -> None:
    agent, *_ = edited()
    agent.set("last", "first")
    second = agent.editor.apply([SetSource("last", "second")])
    agent.editor.undo(1)
    agent.editor.forget(second)
    agent.editor.undo(1)
    assert agent.source("last") == "last"


# --- beside others


def test_edits_of_others_in_other_lines_and_cells_are_kept() -> None:
    agent, human, room = edited(
        SetSource("code", "one\ntwo, edited\nthree"), SetMetadata("text", {"n": 1})
    )
    human.type("code", " typed")
    human.type("code", "typed\n", 0)
    human.type("text", "typed")
    human.move("last", 0)
    room.settle()
    agent.editor.undo(2)
    assert agent.source("code") == "typed\none\ntwo\nthree typed"
    assert agent.source("text") == "![]()typed"
    assert agent.document.cell("text").metadata == {"tags": ["t"]}
    assert agent.ids[0] == "last"
    room.settle()
    assert human.cells() == agent.cells()


def test_lines_that_others_put_between_those_that_go_are_kept() -> None:
    agent, human, room = edited(SetSource("last", "last\nnew 1\nnew 2"))
    human.type("last", "his\n", len("last\nnew 1\n"))
    room.settle()
    agent.editor.undo(1)
    assert agent.source("last") == "last\nhis"


@pytest.mark.parametrize(
    ("operation", "build"),
    [
        (SetSource("code", "one\nedited\nthree"), lambda human: human.type("code", "x", 6)),
        (SetSource("code", "one\nedited\nthree"), lambda human: human.erase("code", 4, 6)),
        (SetSource("last", ""), lambda human: human.type("last", "his")),
        (InsertCell("new", "raw", "code", "new"), lambda human: human.type("new", "his")),
        (InsertCell("new", "raw", "code", "new"), lambda human: human.set_type("new", "code")),
        (SetType("last", "code"), lambda human: human.set_type("last", "markdown")),
        (MoveCell("last", "code"), lambda human: human.move("last", 2)),
        (
            SetMetadata("text", {"tags": ["agent"]}),
            lambda human: human.ycell("text")["metadata"].update({"tags": ["his"]}),
        ),
        (
            SetAttachments("text", {}),
            lambda human: human.ycell("text").update({"attachments": {"b.png": {}}}),
        ),
    ],
    ids=[
        "typed in the line",
        "erased from the line",
        "typed in an emptied cell",
        "typed in the new cell",
        "changed the new cell's type",
        "changed the type too",
        "moved it too",
        "set the same metadata",
        "set attachments too",
    ],
)
def test_what_others_have_built_on_is_not_undone(
    operation: Operation, build: Callable[[Human], None]
) -> None:
    agent, human, room = edited(SetSource("raw", "first"), operation)
    build(human)
    room.settle()
    before = plain(agent)
    for count in (1, 2):
        with pytest.raises(UndoConflictError):
            agent.editor.undo(count)
        assert plain(agent) == before


def test_others_may_run_move_and_retype_what_an_undo_changes() -> None:
    agent, human, room = edited(SetSource("code", "one\nedited\nthree"))
    human.move("code", 3)
    human.set_type("code", "raw")
    human.set_type("code", "code")
    with human.ydoc.transaction():
        human.ycell("code")["outputs"].append(OUTPUT)
    room.settle()
    agent.editor.undo(1)
    assert agent.source("code") == "one\ntwo\nthree"
    assert agent.ids == ["text", "raw", "last", "code"]
    assert len(agent.document.cell("code").outputs) == 1


def test_an_edit_of_which_nothing_is_left_is_not_followed_by_an_older_one() -> None:
    agent, human, room = edited(SetSource("last", "edited"), InsertCell("new", "raw", None, "new"))
    human.delete("new")
    room.settle()
    assert agent.editor.undo(1) == []
    assert agent.source("last") == "edited"
    assert agent.editor.undo(1) == ["last"]
    assert agent.source("last") == "last"


def test_a_cell_that_came_back_otherwise_is_not_doubled() -> None:
    agent, human, room = edited(DeleteCell("raw"), MoveCell("last", "code"), DeleteCell("text"))
    human.notebook.ycells.append(
        human.notebook.create_ycell({"id": "text", "cell_type": "raw", "source": "his"})
    )
    human.delete("last")
    room.settle()
    agent.editor.undo(3)
    assert agent.ids == ["code", "text", "raw"]
    assert agent.source("text") == "his"


def test_a_cell_goes_back_to_its_place_although_its_neighbours_are_gone() -> None:
    agent, human, room = edited(DeleteCell("raw"))
    human.delete("text")
    human.insert(0, "his")
    room.settle()
    agent.editor.undo(1)
    assert agent.ids[1:] == ["code", "raw", "last"]


def test_two_agents_and_a_human_take_back_their_own_only() -> None:
    agent, other, human = Agent(), Agent(), Human()
    room = Room(agent, other, human, content=CONTENT)
    agent.set("code", "one, agent\ntwo\nthree")
    room.settle()
    other.set("code", "one, agent\ntwo, other\nthree")
    room.settle()
    human.type("code", ", human")
    agent.insert("agent's")
    room.settle()

    human.undo()
    room.settle()
    assert agent.source("code") == "one, agent\ntwo, other\nthree"
    agent.editor.undo(2)
    room.settle()
    assert human.source("code") == "one\ntwo, other\nthree"
    assert len(human.ids) == 4
    other.editor.undo(1)
    room.settle()
    assert human.source("code") == "one\ntwo\nthree"
    for replica in (agent, other):
        with pytest.raises(ConfigurationError, match="there is none to undo"):
            replica.editor.undo(1)


def test_what_an_agent_has_undone_a_humans_undo_does_not_bring_back() -> None:
    agent, human, room = edited(SetSource("last", "agent"))
    human.type("text", "human")
    room.settle()
    agent.editor.undo(1)
    room.settle()
    human.undo()
    human.undo()
    room.settle()
    assert (agent.source("last"), agent.source("text")) == ("last", "![]()")


# --- outputs


async def test_outputs_are_not_taken_back(notebook: Notebook) -> None:
    cell = await notebook.append_cell("1 + 1")
    await cell.set_source("1 + 2")
    await cell.execute(timeout=30)
    (now,) = await notebook.undo()
    assert (now.source, now.text, now.execution_count) == ("1 + 1", "3", 1)
    await notebook.undo()
    assert await notebook.read() == ()


async def test_cleared_outputs_come_back_unless_the_cell_has_been_run_since(
    notebook: Notebook,
) -> None:
    cell = await notebook.append_cell("print(1)\n2")
    await cell.execute(timeout=30)
    before = await cell.read()
    await cell.clear_outputs()
    (now,) = await notebook.undo()
    assert now == before
    await cell.clear_outputs()
    await cell.execute(timeout=30)
    await notebook.undo()
    assert (await cell.read()).execution_count == 2


def test_outputs_that_come_back_are_not_trusted_more_than_before() -> None:
    agent, *_ = edited(SetType("code", "raw"))
    agent.editor.undo(1)
    assert agent.document.cell("code").metadata == {"a": 1}
    assert len(agent.document.cell("code").outputs) == 2


# --- on a server


async def test_two_notebook_objects_of_one_document_undo_their_own(
    server: Server, notebook: Notebook
) -> None:
    second = await server.open_notebook(notebook.path)
    cell = await notebook.append_cell("first's")
    await second.append_cell("second's")
    with pytest.raises(ConfigurationError, match="1 can"):
        await second.undo(2)
    await second.undo()
    assert [one.source for one in await notebook.read()] == ["first's"]
    await second.cell(cell.id).set_source("first's, edited by the second")
    with pytest.raises(UndoConflictError):
        await notebook.undo()


async def test_who_has_built_on_it_is_told_by_name(
    notebook: Notebook, other: Server, lab: RunningServer
) -> None:
    cell = await notebook.append_cell("x = 1")
    theirs = await other.open_notebook(notebook.path)
    await theirs.cell(0).set_source("x = 2")
    await notebook.flush()
    with pytest.raises(UndoConflictError, match="Other has changed cell") as caught:
        await notebook.undo()
    assert (caught.value.by, caught.value.cell_id) == ("Other", cell.id)
    async with collaborator(lab, notebook.path) as human:
        assert human.cell(cell.id)["source"] == "x = 2"


@pytest.mark.usefixtures("patient")
async def test_edits_are_undone_after_a_connection_that_broke(
    lab: RunningServer, folder: str
) -> None:
    path = f"{folder}/undone.ipynb"
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
        connect(lab.url, token=lab.token) as other,
    ):
        notebook = await server.open_notebook(path, create=True)
        cell = await notebook.append_cell("one\ntwo")
        await cell.set_source("one, edited\ntwo")
        theirs = await other.open_notebook(path)
        proxy.cut()
        await theirs.cell(0).set_source("one, edited\ntwo, theirs")
        with anyio.fail_after(40):
            await notebook.flush()
            await notebook.undo()
        await theirs.flush()
        assert (await theirs.read())[0].source == "one\ntwo, theirs"


def test_edits_are_undone_on_a_document_that_was_built_anew() -> None:
    def built(*sources: str) -> bytes:
        doc: Doc[Any] = Doc(client_id=0)
        cells = [
            {"id": f"cell-{source[0]}", "cell_type": "raw", "source": source, "metadata": {}}
            for source in sources
        ]
        YNotebook(doc).set({**EMPTY, "cells": cells})
        return doc.get_update()

    agent = Agent()
    agent.document.merge(built("a\nb", "c"))
    agent.set("cell-a", "a, edited\nb")
    agent.do(DeleteCell("cell-c"))
    agent.document.merge(built("n", "a\nb, theirs", "c"), restarted=True)
    assert agent.document.generation == 1
    assert [cell["source"] for cell in agent.cells()] == ["n", "a, edited\nb, theirs"]
    agent.editor.undo(2)
    assert [cell["source"] for cell in agent.cells()] == ["n", "a\nb, theirs", "c"]
    # what is undone stays undone
    agent.document.merge(built("n", "a\nb, theirs", "c", "more"), restarted=True)
    assert agent.document.generation == 2
    assert [cell["source"] for cell in agent.cells()] == ["n", "a\nb, theirs", "c", "more"]
