# SPDX-License-Identifier: BSD-3-Clause
"""A batch is one edit: it is made whole or not at all, and undone as one."""

from collections.abc import Callable

import pytest
from clock import stopped
from collaborator import collaborator
from replicas import Agent, Room
from servers import RunningServer

from jupyter_agent_core import (
    BatchOpenError,
    CellNotFoundError,
    CellTypeError,
    CollaboratorTypingError,
    ConfigurationError,
    Notebook,
    Server,
    SourceMatchError,
    VersionConflictError,
)
from jupyter_agent_core._document import typing_guard
from jupyter_agent_core._document.operations import InsertCell, MoveCell, SetMetadata, SetSource
from jupyter_agent_core._handles.batch import Batch

Edit = Callable[[Batch], object]


async def together(notebook: Notebook, *edits: Edit) -> None:
    """Make edits in a batch."""
    async with notebook.batch() as batch:
        for edit in edits:
            edit(batch)


@pytest.fixture
async def filled(notebook: Notebook) -> Notebook:
    """A notebook with five cells."""
    for letter in "abcde":
        await notebook.append_cell(letter, "markdown" if letter == "c" else "code")
    return notebook


async def sources(notebook: Notebook) -> str:
    return " ".join(cell.source for cell in await notebook.read())


async def test_all_edits_arrive_as_one(filled: Notebook, lab: RunningServer) -> None:
    async with collaborator(lab, filled.path) as human:
        arrived: list[object] = []
        subscription = human.notebook.ycells.observe_deep(arrived.append)
        async with filled.batch() as batch:
            batch.set_source(0, "A")
            batch.delete_cell(1)
            batch.move_cell(4, 0)
            new = batch.insert_cell(2, "new", "raw")
            batch.set_metadata(new, {"tags": ["t"]})
            batch.append_cell("end")
        await human.pull()
        human.notebook.ycells.unobserve(subscription)
        assert len(arrived) == 1
        assert [cell["source"] for cell in human.cells()] == ["e", "A", "new", "c", "d", "end"]
    assert await sources(filled) == "e A new c d end"
    assert filled.cell(new).id == new


async def test_reads_inside_show_the_notebook_before(filled: Notebook) -> None:
    before = await filled.read()
    async with filled.batch() as batch:
        batch.delete_cell(0)
        new = batch.append_cell("new")
        assert await filled.read() == before
        with pytest.raises(CellNotFoundError):
            filled.cell(new)
    assert await sources(filled) == "b c d e new"


async def test_cells_and_places_are_those_before_the_batch(filled: Notebook) -> None:
    async with filled.batch() as batch:
        batch.delete_cell(0)
        batch.set_source(1, "B")
        batch.insert_cell(3, "1")
        batch.insert_cell(3, "2")
        batch.move_cell(4, 1)
    assert await sources(filled) == "e B c 1 2 d"


async def test_places_of_cells_that_the_batch_deletes_stay_places(filled: Notebook) -> None:
    async with filled.batch() as batch:
        batch.delete_cell(0)
        batch.delete_cell(2)
        batch.insert_cell(0, "first")
        batch.insert_cell(2, "for c")
        batch.move_cell(4, 2)
    assert await sources(filled) == "first b for c e d"


async def test_later_edits_build_on_earlier_ones(filled: Notebook) -> None:
    version = (await filled.cell(0).read()).version
    async with filled.batch() as batch:
        batch.set_source(0, "x = 1", expected_version=version)
        batch.edit_source(0, "1", "2", expected_version=version)
        new = batch.append_cell("y", "markdown")
        batch.edit_source(new, "y", "z")
        batch.set_attachments(new, {"a.png": {"image/png": "aGk="}})
        batch.set_type(new, "code")
        batch.clear_outputs(new)
        batch.set_metadata(new, {"a": 1})
        batch.set_metadata(new, {"b": 1}, remove=["a"])
        batch.move_cell(0, 4)
    assert await sources(filled) == "b c d e z x = 2"
    last = await filled.cell(new).read()
    assert last.cell_type == "code"
    assert last.attachments == {}
    assert last.metadata["b"] == 1
    assert "a" not in last.metadata


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda batch: batch.set_source(1, "x", expected_version="0"), VersionConflictError),
        (lambda batch: batch.edit_source(1, "missing", "x"), SourceMatchError),
        (lambda batch: batch.set_source(1, "\ud83d"), ConfigurationError),
        (lambda batch: batch.append_cell("x", "heading"), ConfigurationError),
        (lambda batch: batch.set_type(1, "heading"), ConfigurationError),
        (lambda batch: batch.set_metadata(1, {"n": 2**70}), ConfigurationError),
        (lambda batch: batch.set_attachments(1, {}), CellTypeError),
        (lambda batch: batch.clear_outputs(2), CellTypeError),
        (lambda batch: batch.delete_cell(0), CellNotFoundError),
        (lambda batch: batch.set_source(0, "gone"), CellNotFoundError),
        (lambda batch: batch.move_cell(0, 3), CellNotFoundError),
        (lambda batch: batch.set_source("missing", "x"), CellNotFoundError),
        (lambda batch: batch.insert_cell(-1, "x"), CellNotFoundError),
        (lambda batch: batch.insert_cell(6, "x"), CellNotFoundError),
        (lambda batch: batch.move_cell(1, 5), CellNotFoundError),
    ],
    ids=range(15),
)
async def test_one_edit_that_is_refused_is_the_end_of_all(
    filled: Notebook, spoil: Edit, error: type[Exception]
) -> None:
    before, log = await filled.read(), await filled.changes()
    with pytest.raises(error):
        await together(
            filled,
            lambda batch: batch.delete_cell(0),
            lambda batch: batch.append_cell("new"),
            spoil,
            lambda batch: batch.set_source(3, "after"),
        )
    assert await filled.read() == before
    assert (await filled.changes(log.cursor)).changes == ()
    # and nothing is left of it
    await together(filled)
    assert await filled.read() == before
    await filled.cell(0).set_source("A")


async def test_what_one_edit_has_removed_another_cannot_remove(filled: Notebook) -> None:
    await filled.cell(0).set_metadata({"a": 1, "b": 2})
    with pytest.raises(ConfigurationError):
        await together(
            filled,
            lambda batch: batch.set_source(1, "B"),
            lambda batch: batch.set_metadata(0, {}, remove=["a"]),
            lambda batch: batch.set_metadata(0, {}, remove=["a"]),
        )
    assert await sources(filled) == "a b c d e"
    assert (await filled.cell(0).read()).metadata.keys() >= {"a", "b"}


async def test_a_block_that_raises_makes_nothing(filled: Notebook) -> None:
    with pytest.raises(ZeroDivisionError):
        await together(filled, lambda batch: batch.delete_cell(0), lambda _: 1 / 0)
    assert await sources(filled) == "a b c d e"


async def test_while_it_is_open_nothing_else_is_done(filled: Notebook) -> None:
    cell = filled.cell(0)
    async with filled.batch() as batch:
        batch.set_source(1, "B")
        for other in (
            cell.set_source("x"),
            filled.append_cell("x"),
            filled.delete_cells([0]),
            filled.move_cell(0, 1),
            filled.undo(),
            cell.execute(timeout=5),
            filled.run_all(),
            filled.batch().__aenter__(),
        ):
            with pytest.raises(BatchOpenError):
                await other
    assert await sources(filled) == "a B c d e"
    with pytest.raises(ConfigurationError, match="not open"):
        batch.set_source(0, "late")
    async with batch:
        pass
    assert await sources(filled) == "a B c d e"


async def test_it_is_refused_where_somebody_types(
    filled: Notebook, other: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(monkeypatch, typing_guard)
    theirs = await other.open_notebook(filled.path)
    await theirs.cell(3).set_source("typing")
    await filled.flush()
    with pytest.raises(CollaboratorTypingError):
        await together(
            filled, lambda batch: batch.set_source(0, "A"), lambda batch: batch.set_source(3, "D")
        )
    assert await sources(filled) == "a b c typing e"
    async with filled.batch() as batch:
        batch.set_source(0, "A")
        batch.set_source(3, "D", force=True)
    assert await sources(filled) == "A b c D e"


async def test_it_is_undone_as_one(filled: Notebook) -> None:
    before = await filled.read()
    async with filled.batch() as batch:
        batch.set_source(0, "A")
        batch.move_cell(0, 3)
        batch.delete_cell(2)
        batch.set_type(1, "raw")
        batch.insert_cell(2, "new")
    changed = await filled.undo()
    assert await filled.read() == before
    assert {cell.source for cell in changed} == {"a", "b", "c"}


def test_a_thousand_edits_of_a_thousand_cells_are_one() -> None:
    agent = Agent()
    room = Room(agent)
    agent.do(*(InsertCell(f"cell {number}", "code", None) for number in range(1000)))
    ids = agent.ids
    agent.do(
        *(SetSource(id_, f"now {number}") for number, id_ in enumerate(ids)),
        *(SetMetadata(id_, {"tags": ["t"]}) for id_ in ids),
        *(MoveCell(id_, ids[0]) for id_ in ids[1:]),
    )
    assert agent.ids == [*ids[1:], ids[0]]
    assert len(agent.sent) == 2
    room.settle()
    assert agent.source(ids[500]) == "now 500"
    agent.editor.undo(1)
    assert agent.ids == ids
    assert agent.source(ids[500]) == "cell 500"
