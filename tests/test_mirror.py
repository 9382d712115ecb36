# SPDX-License-Identifier: BSD-3-Clause
"""The plain cells that are read are always those of the document."""

import random
from collections.abc import Callable

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Map, Text

from jupyter_agent_core import Notebook, Server
from jupyter_agent_core._document.editor import Editor
from jupyter_agent_core._document.mirror import snapshot
from jupyter_agent_core._document.model import NotebookDocument
from jupyter_agent_core._document.operations import DeleteCell, InsertCell, SetSource
from jupyter_agent_core._values import CellType


class Replica(NotebookDocument):
    """A document that can do what JupyterLab does to one, too."""

    def __init__(self) -> None:
        super().__init__()
        self.editor = Editor(self)

    def insert_cell(self, index: int, source: str, cell_type: CellType) -> str:
        """Insert a cell as an agent does."""
        operation = InsertCell(source, cell_type, self.editor.place(index))
        self.editor.apply([operation])
        return operation.cell_id

    def check(self) -> None:
        """Compare what is read with what the document holds."""
        held = [snapshot(index, cell.to_py() or {}) for index, cell in enumerate(self.ycells)]
        assert list(self.cells()) == held
        # a cell that two have moved at once and one has edited is there twice
        by_id = {cell.id: cell for cell in reversed(held)}
        for index, cell in enumerate(held):
            assert self.cell(index) == cell
            assert self.cell(cell.id) == by_id[cell.id]
            assert self.has(cell.id)

    def move(self, start: int, target: int) -> None:
        """Move a cell as JupyterLab does: delete it and insert a copy with its id."""
        plain = self.ycells[start].to_py() or {}
        with self.ydoc.transaction():
            del self.ycells[start]
            self.ycells.insert(target, self._notebook.create_ycell(plain))

    def print(self, index: int, text: str) -> None:
        """Append to the output of a code cell, as a kernel does."""
        youtputs = self.youtputs(self.cell(index).id)
        if youtputs is None:
            return
        if len(youtputs):
            ytext = youtputs[-1]["text"]
            ytext += text
        else:
            stream = {"output_type": "stream", "name": "stdout", "text": Text(text)}
            youtputs.append(Map(stream))


def test_client_ids_are_no_longer_than_those_of_yjs() -> None:
    """Older servers cut longer ones off, and take what we insert for somebody else's."""
    ids = {NotebookDocument().ydoc.client_id for _ in range(50)}
    assert len(ids) == 50
    assert 0 < min(ids) <= max(ids) < 2**32


def exchange(one: Replica, other: Replica) -> None:
    """Bring both up to date, also with what the other made of what he got."""
    for _ in range(2):
        for_other = one.ydoc.get_update(other.ydoc.get_state())
        one.apply_remote(other.ydoc.get_update(one.ydoc.get_state()))
        other.apply_remote(for_other)


Edit = Callable[[Replica], None]
TEXT = st.text("ab\né😀", max_size=8)
SHARE = st.floats(0, 1, exclude_max=True)


def at(share: float, count: int) -> int:
    return int(share * count)


def inserting(share: float, text: str, cell_type: str) -> Edit:
    return lambda one: one.insert_cell(at(share, len(one.ycells) + 1), text, cell_type)  # type: ignore[arg-type, func-returns-value, return-value]


def where_there_are_cells(edit: Callable[[Replica, int], object]) -> Callable[[float], Edit]:
    """Make an edit of one cell that does nothing in an empty notebook."""

    def make(share: float) -> Edit:
        def apply(one: Replica) -> None:
            if len(one.ycells):
                edit(one, at(share, len(one.ycells)))

        return apply

    return make


def edits() -> st.SearchStrategy[Edit]:
    def of_cell(make: Callable[[str], Callable[[Replica, int], object]]) -> st.SearchStrategy[Edit]:
        return st.builds(lambda share, text: where_there_are_cells(make(text))(share), SHARE, TEXT)

    return st.one_of(
        st.builds(inserting, SHARE, TEXT, st.sampled_from(["code", "markdown", "raw"])),
        of_cell(
            lambda _: lambda one, i: one.editor.apply([DeleteCell(one.cell(i).id, force=True)])
        ),
        of_cell(
            lambda text: (
                lambda one, i: one.editor.apply([SetSource(one.cell(i).id, text, force=True)])
            )
        ),
        of_cell(lambda text: lambda one, i: one.move(i, at(len(text) / 9, len(one.ycells)))),
        of_cell(lambda text: lambda one, i: one.print(i, text)),
        of_cell(lambda text: lambda one, i: one.ycells[i]["metadata"].update({"tag": text})),
        of_cell(lambda _: lambda one, i: one.ycells[i].update({"execution_state": "running"})),
        st.just(lambda one: one.check()),
    )


@given(st.lists(st.tuples(st.integers(0, 2), edits()), max_size=30), st.sampled_from([0, 3, 40]))
def test_cells_read_are_those_of_the_document_after_edits_by_two(
    steps: list[tuple[int, Edit]], cells: int
) -> None:
    replicas = Replica(), Replica()
    for number in range(cells):
        replicas[0].insert_cell(number, str(number), "code")
    exchange(*replicas)
    for who, edit in steps:
        if who == 2:
            exchange(*replicas)
        else:
            edit(replicas[who])
    for replica in replicas:
        replica.check()
    exchange(*replicas)
    for replica in replicas:
        replica.check()
    assert replicas[0].cells() == replicas[1].cells()


def test_a_version_is_the_same_for_every_client_and_no_run_changes_it() -> None:
    one, other = Replica(), Replica()
    cell_id = one.insert_cell(0, "x = 1", "code")
    one.ycells[0]["metadata"]["width"] = 3
    exchange(one, other)
    version = one.cell(cell_id).version
    assert other.cell(cell_id).version == version

    other.print(0, "hello")
    other.ycells[0].update({"execution_count": 7.0, "execution_state": "running"})
    assert other.cell(cell_id).version == version

    other.ycells[0]["metadata"]["width"] = 4
    assert other.cell(cell_id).version != version


@pytest.mark.timeout(120)
async def test_a_thousand_cells_stay_in_step_while_two_clients_edit(
    notebook: Notebook, other: Server
) -> None:
    theirs = await other.open_notebook(notebook.path)
    chance = random.Random(7)  # noqa: S311  # the same each time
    with anyio.fail_after(100):
        async with anyio.create_task_group() as group:
            for number in range(1000):
                group.start_soon(notebook.append_cell, f"cell = {number}")
        await theirs.flush()
        for _ in range(60):
            one = chance.choice((notebook, theirs))
            count = len(await one.read())
            index = chance.randrange(count)
            match chance.randrange(3):
                case 0:
                    await one.insert_cell(index, "new", "markdown")
                case 1:
                    await one.delete_cells([index])
                case _:
                    await one.cell(index).set_source(f"é{chance.random()}")
        await notebook.flush()
        await theirs.flush()
    cells = await notebook.read()
    assert cells == await theirs.read()
    assert [cell.index for cell in cells] == list(range(len(cells)))
    assert [notebook.cell(cell.id).id for cell in cells] == [cell.id for cell in cells]
