# SPDX-License-Identifier: BSD-3-Clause
"""Each kind of edit: what it changes and keeps, what it refuses, and that it outlives a rebuild."""

import gc
import weakref
from collections.abc import Awaitable, Mapping
from typing import Any

import nbformat
import pytest
from jupyter_ydoc import YNotebook
from pycrdt import Doc
from replicas import EMPTY, Agent, Room
from servers import RunningServer

from jupyter_agent_core import (
    CellNotFoundError,
    CellTypeError,
    ConfigurationError,
    Notebook,
    SourceMatchError,
)
from jupyter_agent_core._document.model import NotebookDocument
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


async def refused(notebook: Notebook, edit: Awaitable[Any], error: type[Exception]) -> Any:
    """Await an edit that must be refused and must not change anything; return why it was."""
    before, log = await notebook.read(), await notebook.changes()
    with pytest.raises(error) as caught:
        await edit
    assert await notebook.read() == before
    assert (await notebook.changes(log.cursor)).changes == ()
    assert caught.value.applied == "no"  # type: ignore[attr-defined]
    return caught.value


# --- sources


async def test_a_piece_of_a_source_is_replaced(notebook: Notebook) -> None:
    cell = await notebook.append_cell("é = 1\nprint('😀', é)\n")
    edited = await cell.edit_source("'😀', é", "é + 1")
    assert edited.source == "é = 1\nprint(é + 1)\n"
    assert edited == await cell.read()


async def test_a_piece_that_is_there_more_than_once_is_refused_with_its_lines(
    notebook: Notebook,
) -> None:
    cell = await notebook.append_cell("x = 1\ny = x\n\nx += y")
    error = await refused(notebook, cell.edit_source("x", "z"), SourceMatchError)
    assert error.lines == (1, 2, 4)
    everywhere = await cell.edit_source("x", "z", replace_all=True)
    assert everywhere.source == "z = 1\ny = z\n\nz += y"


async def test_places_that_overlap_are_several_places(notebook: Notebook) -> None:
    cell = await notebook.append_cell("---")
    error = await refused(notebook, cell.edit_source("--", "+"), SourceMatchError)
    assert error.lines == (1, 1)


async def test_a_piece_that_is_not_there_is_refused_with_the_source(notebook: Notebook) -> None:
    cell = await notebook.append_cell("x = 1")
    error = await refused(notebook, cell.edit_source("x=1", "x=2"), SourceMatchError)
    assert error.lines == ()
    assert "x = 1" in str(error)
    await refused(notebook, cell.edit_source("", "x"), ConfigurationError)


@pytest.mark.parametrize("source", ["", "\n", "a\r\nb\rc", "a\u2028b\x0bc\x85", "no end", "end\n"])
async def test_odd_ends_of_lines_and_texts_stay_as_they_are(
    notebook: Notebook, source: str
) -> None:
    cell = await notebook.append_cell(f"{source}1{source}")
    assert (await cell.edit_source("1", "é")).source == f"{source}é{source}"
    assert (await cell.set_source(source)).source == source


async def test_half_a_character_is_refused(notebook: Notebook) -> None:
    cell = await notebook.append_cell("whole")
    await refused(notebook, cell.set_source("half \ud83d"), ConfigurationError)
    await refused(notebook, cell.edit_source("whole", "\udc00"), ConfigurationError)


def test_the_caret_is_where_the_text_has_changed() -> None:
    agent = Agent()
    Room(agent)
    cell_id = agent.insert("aaaa\nb\nccc")
    agent.document.awareness.set_local_state({})
    for source in ("\nb\nccX", "😀\nb\ncX", "", "x", "x\n" * 9):
        agent.set(cell_id, source)
        (cursor,) = (agent.document.awareness.get_local_state() or {})["cursors"]
        assert cursor["anchor"]


# --- places


async def test_a_moved_cell_keeps_all_that_it_has(notebook: Notebook) -> None:
    cell = await notebook.append_cell("1 + 1")
    await notebook.append_cell("text", "markdown")
    last = await notebook.append_cell("last")
    await cell.set_metadata({"tags": ["kept"], "deep": {"list": [1, {"a": None}]}})
    await cell.execute(timeout=30)
    before = await cell.read()

    moved = await cell.move(2)
    assert moved.index == 2
    assert (moved.id, moved.source, moved.version) == (before.id, before.source, before.version)
    assert (moved.outputs, moved.execution_count) == (before.outputs, before.execution_count)
    assert (moved.text, moved.metadata) == ("2", before.metadata)
    assert [one.id for one in await notebook.read()][1:] == [last.id, cell.id]
    assert (await cell.move(0)).index == 0


async def test_a_cell_with_attachments_keeps_them_when_it_moves(notebook: Notebook) -> None:
    cell = await notebook.append_cell("![](attachment:a.png)", "markdown")
    await notebook.append_cell("other")
    await cell.set_attachments(PNG)
    assert (await cell.move(1)).attachments == PNG


async def test_a_cell_cannot_be_moved_out_of_the_notebook(notebook: Notebook) -> None:
    cell = await notebook.append_cell("1")
    await notebook.append_cell("2")
    for index in (-1, 2, 99):
        await refused(notebook, cell.move(index), CellNotFoundError)
    before = await notebook.changes()
    await cell.move(0)
    assert (await notebook.changes(before.cursor)).changes == ()


# --- types


@pytest.mark.parametrize("before", ["code", "markdown", "raw"])
@pytest.mark.parametrize("after", ["code", "markdown", "raw"])
async def test_a_cell_becomes_one_of_another_type(
    notebook: Notebook, lab: RunningServer, before: Any, after: Any
) -> None:
    cell = await notebook.append_cell("1 + 1", before)
    await cell.set_metadata({"tags": ["kept"]})
    if before != "code":
        await cell.set_attachments(PNG)
    was = await cell.read()
    now = await cell.set_type(after)
    assert (now.id, now.cell_type, now.source) == (cell.id, after, "1 + 1")
    assert now.metadata["tags"] == ["kept"]
    assert (now.attachments == PNG) is (after != "code" and before != "code")
    assert (now == was) is (before == after)
    await notebook.save()
    on_disk = nbformat.read(lab.root / notebook.path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(on_disk)
    assert on_disk.cells[0].cell_type == after


async def test_outputs_go_where_the_new_type_has_none(notebook: Notebook) -> None:
    cell = await notebook.append_cell("1 + 1")
    await cell.execute(timeout=30)
    now = await cell.set_type("markdown")
    assert (now.outputs, now.execution_count) == ((), None)
    assert (await cell.set_type("code")).outputs == ()
    assert (await cell.execute(timeout=30)).text == "2"


async def test_an_unknown_type_is_refused(notebook: Notebook) -> None:
    cell = await notebook.append_cell("1")
    await refused(notebook, cell.set_type("heading"), ConfigurationError)  # type: ignore[arg-type]


# --- metadata


async def test_entries_of_metadata_are_set_and_removed_and_others_stay(
    notebook: Notebook, lab: RunningServer
) -> None:
    cell = await notebook.append_cell("1", "markdown")
    await cell.set_metadata({"tags": ["a", "b"], "kept": {"deep": [1, 2.5, None, "é"]}})
    now = await cell.set_metadata({"tags": ("c",), "n": 2**53 - 1}, remove=["tags", "n", "n"])
    assert now.metadata == {"kept": {"deep": [1, 2.5, None, "é"]}}
    now = await cell.set_metadata({"tags": ["c"], 1: {2: True}})  # type: ignore[dict-item]
    await notebook.save()
    on_disk = nbformat.read(lab.root / notebook.path, as_version=4)
    nbformat.validate(on_disk)
    assert on_disk.cells[0].metadata == now.metadata
    assert now.metadata["1"] == {"2": True}


@pytest.mark.parametrize(
    "values",
    [
        {"tags": "one"},
        {"tags": ["one,two"]},
        {"tags": ["twice", "twice"]},
        {"tags": [""]},
        {"tags": [["nested"]]},
        {"name": ""},
        {"name": 1},
        {"collapsed": "yes"},
        {"scrolled": 1.5},
        {"jupyter": []},
        {"format": None},
        {"execution": {"iopub.status.busy": 1}},
        {"n": float("nan")},
        {"n": 2**53},
        {"deep": {"n": [-(2**70)]}},
        {"half": "\ud83d"},
        {"code": print},
        {"set": {1}},
    ],
    ids=repr,
)
async def test_metadata_that_a_notebook_cannot_hold_is_refused(
    notebook: Notebook, values: dict[str, Any]
) -> None:
    cell = await notebook.append_cell("1")
    await refused(notebook, cell.set_metadata({"first": 1} | values), ConfigurationError)


async def test_metadata_that_is_not_there_cannot_be_removed(notebook: Notebook) -> None:
    cell = await notebook.append_cell("1", "raw")
    await cell.set_metadata({"there": 1})
    error = await refused(
        notebook, cell.set_metadata({"a": 1}, remove=["ther"]), ConfigurationError
    )
    assert "there" in str(error)


# --- attachments and outputs


async def test_attachments_are_replaced(notebook: Notebook, lab: RunningServer) -> None:
    cell = await notebook.append_cell("![](attachment:a.png)", "markdown")
    await cell.set_attachments({"old.png": {"image/png": "aGk="}})
    assert (await cell.set_attachments(PNG)).attachments == PNG
    await notebook.save()
    on_disk = nbformat.read(lab.root / notebook.path, as_version=4)
    nbformat.validate(on_disk)
    assert on_disk.cells[0].attachments == PNG
    assert (await cell.set_attachments({})).attachments == {}


@pytest.mark.parametrize(
    "attachments", [{"a.png": "aGk="}, {"a.png": {"image/png": 1}}, ["a.png"], {"a": {"b": None}}]
)
async def test_what_are_no_attachments_is_refused(notebook: Notebook, attachments: Any) -> None:
    cell = await notebook.append_cell("text", "markdown")
    await refused(notebook, cell.set_attachments(attachments), ConfigurationError)


async def test_code_has_no_attachments_and_text_no_outputs(notebook: Notebook) -> None:
    code, text = await notebook.append_cell("1"), await notebook.append_cell("text", "raw")
    await refused(notebook, code.set_attachments(PNG), CellTypeError)
    await refused(notebook, text.clear_outputs(), CellTypeError)


async def test_outputs_and_the_count_are_cleared(notebook: Notebook) -> None:
    cell = await notebook.append_cell("1 + 1")
    await cell.execute(timeout=30)
    before = await cell.read()
    now = await cell.clear_outputs()
    assert (now.outputs, now.execution_count) == ((), None)
    assert (now.source, now.version) == (before.source, before.version)


async def test_no_edit_of_a_cell_that_is_gone(notebook: Notebook) -> None:
    cell = await notebook.append_cell("a")
    await notebook.append_cell("b")
    await cell.delete()
    for edit in (
        cell.set_source("x"),
        cell.edit_source("a", "b"),
        cell.set_type("raw"),
        cell.set_metadata({}),
        cell.set_attachments({}),
        cell.clear_outputs(),
        cell.move(0),
        cell.delete(),
    ):
        await refused(notebook, edit, CellNotFoundError)


def test_nothing_is_put_before_a_cell_that_is_not_there() -> None:
    agent = opened(CELLS)
    for operation in (InsertCell("new", "raw", "gone"), MoveCell("last", "gone")):
        with pytest.raises(CellNotFoundError, match="'gone' does not exist"):
            agent.do(DeleteCell("text"), operation)
    assert agent.ids == ["code", "text", "last"]


# --- the server has built its document anew

CODE = {"id": "code", "cell_type": "code", "source": "one\ntwo", "metadata": {"a": 1, "b": 2}}
OUTPUT = {"output_type": "stream", "name": "stdout", "text": "1\n"}
CELLS: list[dict[str, Any]] = [
    CODE | {"outputs": [OUTPUT], "execution_count": 1},
    {"id": "text", "cell_type": "markdown", "source": "text", "metadata": {}},
    {"id": "last", "cell_type": "raw", "source": "last", "metadata": {}},
]


def built(cells: list[dict[str, Any]]) -> bytes:
    """A document as a server builds it from a file."""
    doc: Doc[Any] = Doc(client_id=0)
    YNotebook(doc).set({**EMPTY, "cells": cells})
    return doc.get_update()


def opened(cells: list[dict[str, Any]]) -> Agent:
    agent = Agent()
    agent.document.merge(built(cells))
    return agent


def content(agent: Agent) -> list[Mapping[str, Any]]:
    return [agent.document.nbformat_cell(cell_id) for cell_id in agent.ids]


OPERATIONS: list[Operation] = [
    InsertCell("new", "markdown", "text", "new"),
    InsertCell("new", "code", None, "new"),
    DeleteCell("text"),
    MoveCell("code", None),
    MoveCell("last", "code"),
    SetSource("code", "one\ntwo, é😀\nthree"),
    EditSource("text", "ex", "es"),
    SetType("code", "markdown"),
    SetType("last", "code"),
    SetMetadata("code", {"tags": ["t"]}, ["a"]),
    SetAttachments("text", PNG),
    ClearOutputs("code"),
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=repr)
@pytest.mark.parametrize("acknowledged", [False, True])
def test_an_edit_is_made_again_on_a_document_that_was_built_anew(
    operation: Operation, acknowledged: bool
) -> None:
    theirs = {"id": "theirs", "cell_type": "raw", "source": "new on disk", "metadata": {}}
    with_more = [*CELLS[:2], theirs, CELLS[2]]
    if not acknowledged:
        with_more[0] = CELLS[0] | {"source": "zero\none\ntwo"}
    agent = opened(CELLS)
    agent.do(operation)
    if acknowledged:
        agent.document.journal.acknowledged(agent.document.journal.last)
    agent.document.merge(built(with_more), restarted=True)
    assert agent.document.generation == 1

    at_once = opened(with_more)
    if isinstance(operation, SetSource) and not acknowledged:
        operation = SetSource("code", "zero\none\ntwo, é😀\nthree")
    at_once.do(operation)
    assert content(agent) == content(at_once)
    nbformat.validate(nbformat.from_dict({**EMPTY, "cells": content(agent)}))


@pytest.mark.parametrize("operation", OPERATIONS, ids=repr)
def test_an_edit_that_makes_no_sense_on_the_new_document_is_left(operation: Operation) -> None:
    agent = opened(CELLS)
    agent.do(operation)
    code = {"id": "text", "cell_type": "code", "source": "other", "metadata": {}}
    there = [code | {"outputs": [], "execution_count": None}]
    agent.document.merge(built(there), restarted=True)
    assert agent.document.generation == 1
    nbformat.validate(nbformat.from_dict({**EMPTY, "cells": content(agent)}))
    # a text that was written is put in even there
    if not isinstance(operation, InsertCell | DeleteCell | EditSource):
        assert content(agent) == there


def test_an_edit_that_is_made_again_is_not_taken_for_typing() -> None:
    agent = opened(CELLS)
    agent.do(SetSource("code", "edited"))
    agent.document.merge(built([CELLS[2] | {"id": "theirs"}, *CELLS]), restarted=True)
    assert agent.source("code") == "edited"
    agent.do(SetSource("code", "edited again"))
    assert agent.source("code") == "edited again"


def test_a_document_that_is_closed_is_gone_from_memory_at_once() -> None:
    document = NotebookDocument()
    document.merge(built(CELLS))
    left = [weakref.ref(document), weakref.ref(document.ydoc)]
    gc.collect()
    gc.disable()  # it would come late: the collector does not know how much memory there is in one
    try:
        document.close()
        del document
        assert [reference() for reference in left] == [None, None]
    finally:
        gc.enable()
