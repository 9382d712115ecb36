# SPDX-License-Identifier: BSD-3-Clause
"""Tools that change cells, as an agent calls them, beside somebody else."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from rendered import text
from servers import RunningServer

from jupyter_agent_core import (
    CellNotFoundError,
    CellTypeError,
    CollaboratorTypingError,
    ConfigurationError,
    Server,
    SourceMatchError,
    Workspace,
)
from jupyter_agent_core._answers import NotebookChanges
from jupyter_agent_core._workspace.registry import tools_of

TOOLS = tools_of(Workspace)


@pytest.fixture
async def workspace(server: Server, folder: str) -> AsyncIterator[Workspace]:
    """An agent with a notebook of three cells in use."""
    async with Workspace(server) as workspace:
        await workspace.use_notebook("nb", f"{folder}/nb.ipynb", mode="create")
        for source in ("a = 1", "b = 2", "print(a)"):
            await workspace.insert_cell(-1, "code", source)
        yield workspace


async def call(workspace: Workspace, tool: str, **arguments: Any) -> Any:
    return await TOOLS[tool].call(workspace, arguments)


async def sources(workspace: Workspace) -> list[str]:
    view = await workspace.read_notebook()
    return [] if isinstance(view, NotebookChanges) else [cell.source for cell in view.cells]


async def test_a_cell_is_moved_to_the_place_of_another(workspace: Workspace) -> None:
    moved = await call(workspace, "move_cell", source_index=0, target_index=2)
    assert await sources(workspace) == ["b = 2", "print(a)", "a = 1"]
    assert (moved.start, moved.cell.index) == (0, 2)
    assert "from index 0 to index 2" in text(moved)
    first = (await workspace.read_cell(0)).cell.id
    await call(workspace, "move_cell", source_cell_id=moved.cell.id, target_cell_id=first)
    assert await sources(workspace) == ["a = 1", "b = 2", "print(a)"]
    with pytest.raises(CellNotFoundError):
        await call(workspace, "move_cell", source_index=0, target_index=3)


async def test_a_piece_of_a_source_is_replaced(workspace: Workspace) -> None:
    edited = await call(
        workspace, "edit_cell_source", cell_index=0, old_string="1", new_string="10"
    )
    assert "+a = 10" in text(edited)
    with pytest.raises(SourceMatchError, match="is not there"):
        await call(workspace, "edit_cell_source", cell_index=0, old_string="x", new_string="y")
    await workspace.overwrite_cell_source("a = a + a", 0)
    with pytest.raises(SourceMatchError, match="3 places"):
        await call(workspace, "edit_cell_source", cell_index=0, old_string="a", new_string="y")
    await call(
        workspace,
        "edit_cell_source",
        cell_index=0,
        old_string="a",
        new_string="y",
        replace_all=True,
    )
    assert (await sources(workspace))[0] == "y = y + y"


async def test_outputs_of_one_cell_or_of_all_are_cleared(workspace: Workspace) -> None:
    await workspace.run_all_cells()
    assert (await workspace.read_cell(2)).cell.text == "1"
    cleared = await call(workspace, "clear_cell_output", cell_index=2)
    assert [cell.index for cell in cleared.cells] == [2]
    assert (await workspace.read_cell(2)).cell.outputs == ()
    assert (await workspace.read_cell(0)).cell.execution_count == 1
    assert "3 code cells" in text(await call(workspace, "clear_cell_output"))
    assert (await workspace.read_cell(0)).cell.execution_count is None
    await workspace.insert_cell(0, "markdown", "# title")
    with pytest.raises(CellTypeError):
        await call(workspace, "clear_cell_output", cell_index=0)


async def test_several_edits_are_made_as_one_and_undone_as_one(workspace: Workspace) -> None:
    before = await sources(workspace)
    applied = await call(
        workspace,
        "apply_edits",
        edits=[
            {"edit": "insert", "cell_index": 0, "cell_source": "# title", "cell_type": "markdown"},
            {"edit": "overwrite", "cell_index": 0, "cell_source": "a = 100"},
            {"edit": "edit", "cell_index": 2, "old_string": "a", "new_string": "b"},
            {"edit": "delete", "cell_index": 1},
            {"edit": "move", "cell_index": 2, "target_index": 0},
            {"edit": "insert", "cell_source": "end"},
        ],
    )
    assert await sources(workspace) == ["# title", "print(b)", "a = 100", "end"]
    assert [kind for kind, _ in applied.edits] == [
        "insert",
        "overwrite",
        "edit",
        "delete",
        "move",
        "insert",
    ]
    assert "6 edits made as one" in text(applied)
    undone = await call(workspace, "undo_edits")
    assert await sources(workspace) == before
    assert "1 of your edits undone" in text(undone)


async def test_what_cannot_be_undone_is_said(workspace: Workspace) -> None:
    await call(workspace, "undo_edits", count=3)
    with pytest.raises(ConfigurationError, match="there is none to undo"):
        await call(workspace, "undo_edits")
    await call(workspace, "insert_cell", cell_index=-1, cell_type="code", cell_source="1")
    with pytest.raises(ConfigurationError, match="only 1 can be undone, not 2"):
        await call(workspace, "undo_edits", count=2)
    await workspace.delete_cell(cell_indices=[0])
    nothing = await call(workspace, "undo_edits", count=2)
    assert text(nothing) == "2 of your edits undone. No cell of the notebook is different by it."


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        ({"edit": "overwrite", "cell_index": 9, "cell_source": ""}, CellNotFoundError),
        ({"edit": "edit", "cell_index": 0, "old_string": "?", "new_string": ""}, SourceMatchError),
        ({"edit": "rename", "cell_index": 0}, ConfigurationError),
        ({"edit": "delete", "cell_index": 0, "cell_source": ""}, ConfigurationError),
        ({"edit": "delete"}, ConfigurationError),
        ({"edit": "delete", "cell_index": 0, "expected_version": "0"}, Exception),
    ],
)
async def test_one_edit_that_is_refused_is_the_end_of_all(
    workspace: Workspace, edit: dict[str, Any], error: type[Exception]
) -> None:
    before = await sources(workspace)
    with pytest.raises(error, match=r"edit 2 of 2; none of them was made|edits\[1\]"):
        await call(workspace, "apply_edits", edits=[{"edit": "insert", "cell_source": "x"}, edit])
    assert await sources(workspace) == before


async def test_only_own_edits_are_undone(workspace: Workspace, other: Server, folder: str) -> None:
    theirs = await other.open_notebook(f"{folder}/nb.ipynb")
    await workspace.overwrite_cell_source("a = 2", 0)
    await theirs.append_cell("theirs")
    await call(workspace, "undo_edits", count=2)
    assert await sources(workspace) == ["a = 1", "b = 2", "theirs"]
    with pytest.raises(ConfigurationError, match="only 2 can be undone, not 3"):
        await call(workspace, "undo_edits", count=3)


async def test_only_what_others_changed_is_told_and_by_whom(
    workspace: Workspace, other: Server, folder: str
) -> None:
    theirs = await other.open_notebook(f"{folder}/nb.ipynb")
    view = await workspace.read_notebook()
    assert f"[cursor {view.cursor}]" in text(view)
    await theirs.cell(1).set_source("b = 'theirs'")
    await theirs.append_cell("new")
    await workspace.insert_cell(0, "code", "mine")
    changes = await call(workspace, "read_notebook", changed_since=view.cursor)
    assert isinstance(changes, NotebookChanges)
    told = [(change.kind, change.index, change.by) for change, _ in changes.changes]
    assert told == [("edited", 2, "Other"), ("inserted", 4, "Other")]
    assert "b = 'theirs'" in text(changes)
    detailed = await call(
        workspace, "read_notebook", changed_since=view.cursor, response_format="detailed"
    )
    assert len(detailed.changes) == 2
    again = await call(workspace, "read_notebook", changed_since=changes.cursor)
    assert "Nobody else has changed" in text(again)
    with pytest.raises(ConfigurationError, match="no cursor"):
        await call(workspace, "read_notebook", changed_since="0")


async def test_lines_that_somebody_types_are_overwritten_by_force_only(
    workspace: Workspace, other: Server, folder: str
) -> None:
    theirs = await other.open_notebook(f"{folder}/nb.ipynb")
    await theirs.cell(0).set_source("a = 'typing")
    await workspace.insert_cell(-1, "code", "mine")  # with the answer, theirs is here
    for tool, arguments in (
        ("overwrite_cell_source", {"cell_index": 0, "cell_source": "a = 3"}),
        ("edit_cell_source", {"cell_index": 0, "old_string": "a", "new_string": "b"}),
        ("delete_cell", {"cell_indices": [0]}),
        ("move_cell", {"source_index": 0, "target_index": 1}),
        ("apply_edits", {"edits": [{"edit": "delete", "cell_index": 0}]}),
    ):
        with pytest.raises(CollaboratorTypingError, match="Other has just changed line 1"):
            await call(workspace, tool, **arguments)
    await call(workspace, "overwrite_cell_source", cell_index=0, cell_source="a = 3", force=True)
    assert (await sources(workspace))[0] == "a = 3"


async def test_saving_answers_when_the_notebook_is_on_disk(
    workspace: Workspace, lab: RunningServer, folder: str
) -> None:
    saved = await call(workspace, "save_notebook")
    assert "is saved" in text(saved)
    cells = json.loads((lab.root / folder / "nb.ipynb").read_text())["cells"]
    assert ["".join(cell["source"]) for cell in cells] == await sources(workspace)
