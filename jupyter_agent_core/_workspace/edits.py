# SPDX-License-Identifier: BSD-3-Clause
"""Tools that make several edits at once, and take edits back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from .._answers import EditsApplied, EditsUndone
from .._errors import one_of_many
from .._values import CellType
from .arguments import NotebookName, cell_of
from .registry import ToolHints, tool
from .state import Toolset

if TYPE_CHECKING:
    from .._handles.batch import Batch
    from .._handles.notebook import Notebook


class InsertEdit(Struct, tag_field="edit", tag="insert", forbid_unknown_fields=True):
    """Insert a cell before the one at `cell_index`, -1 for the end."""

    cell_source: str
    cell_type: CellType = "code"
    cell_index: Annotated[int, Meta(ge=-1)] = -1

    def add_to(self, batch: Batch, notebook: Notebook) -> str:
        """Add the edit to a batch, and return the id of its cell."""
        if self.cell_index == -1:
            return batch.append_cell(self.cell_source, self.cell_type)
        return batch.insert_cell(self.cell_index, self.cell_source, self.cell_type)


class _EditOfCell(Struct, forbid_unknown_fields=True, kw_only=True):
    cell_index: int | None = None
    cell_id: str | None = None
    force: bool = False

    def cell(self, notebook: Notebook) -> str:
        """Return the id of the cell that is meant."""
        return cell_of(notebook, self.cell_index, self.cell_id).id


class _VersionedEdit(_EditOfCell, kw_only=True):
    expected_version: str | None = None


class OverwriteEdit(_VersionedEdit, tag_field="edit", tag="overwrite", kw_only=True):
    """Replace a source."""

    cell_source: str

    def add_to(self, batch: Batch, notebook: Notebook) -> str:
        """Add the edit to a batch, and return the id of its cell."""
        cell, version = self.cell(notebook), self.expected_version
        batch.set_source(cell, self.cell_source, expected_version=version, force=self.force)
        return cell


class ReplaceEdit(_VersionedEdit, tag_field="edit", tag="edit", kw_only=True):
    """Replace a piece of a source."""

    old_string: str
    new_string: str
    replace_all: bool = False

    def add_to(self, batch: Batch, notebook: Notebook) -> str:
        """Add the edit to a batch, and return the id of its cell."""
        cell = self.cell(notebook)
        batch.edit_source(
            cell,
            self.old_string,
            self.new_string,
            replace_all=self.replace_all,
            expected_version=self.expected_version,
            force=self.force,
        )
        return cell


class DeleteEdit(_VersionedEdit, tag_field="edit", tag="delete"):
    """Delete a cell."""

    def add_to(self, batch: Batch, notebook: Notebook) -> str:
        """Add the edit to a batch, and return the id of its cell."""
        cell = self.cell(notebook)
        batch.delete_cell(cell, expected_version=self.expected_version, force=self.force)
        return cell


class MoveEdit(_EditOfCell, tag_field="edit", tag="move", kw_only=True):
    """Move a cell to an index."""

    target_index: int

    def add_to(self, batch: Batch, notebook: Notebook) -> str:
        """Add the edit to a batch, and return the id of its cell."""
        cell = self.cell(notebook)
        batch.move_cell(cell, self.target_index, force=self.force)
        return cell


class EditTools(Toolset):
    """Several edits as one, and undo."""

    @tool(ToolHints("Apply edits", "cell", destructive=True))
    async def apply_edits(
        self,
        edits: Annotated[
            list[InsertEdit | OverwriteEdit | ReplaceEdit | DeleteEdit | MoveEdit],
            Meta(min_length=1, description="Cells by index or id as they are before all edits."),
        ],
        notebook_name: NotebookName = None,
    ) -> EditsApplied:
        """Make several edits as one: all of them, or none if one is refused."""
        named = await self._state.named(notebook_name)
        notebook = named.notebook
        cells = {cell.id: cell for cell in await notebook.read()}
        ids: list[str] = []
        async with notebook.batch() as batch:
            for number, edit in enumerate(edits):
                with one_of_many(number, len(edits)):
                    ids.append(edit.add_to(batch, notebook))
        cells |= {cell.id: cell for cell in await notebook.read()}
        kinds = [str(edit.__struct_config__.tag) for edit in edits]
        # who is inserted here may have been deleted by somebody else by now
        done = [(kind, id_) for kind, id_ in zip(kinds, ids, strict=True) if id_ in cells]
        return EditsApplied(tuple((kind, cells[id_]) for kind, id_ in done))

    @tool(ToolHints("Undo edits", "cell", destructive=True))
    async def undo_edits(
        self,
        count: Annotated[int, Meta(ge=1, description="How many; apply_edits counts as one.")] = 1,
        notebook_name: NotebookName = None,
    ) -> EditsUndone:
        """Take back your own last edits of a notebook; nobody else's, and no outputs."""
        named = await self._state.named(notebook_name)
        return EditsUndone(count, await named.notebook.undo(count))
