# SPDX-License-Identifier: BSD-3-Clause
"""Several edits of a notebook that become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, final

from .._document.operations import (
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
from .._errors import ConfigurationError
from .._values import CellType

if TYPE_CHECKING:
    from .editing import Editing


@final
class Batch:
    """Edits that are made together at the end of a `with` block, all of them or none.

    Made by `Notebook.batch`. Cells and places are named by index or id as the notebook is before
    the batch, or by the ids of cells that the batch inserts. The server and everybody who looks on
    see one edit, and `undo` takes it back as one. If the block raises, nothing is done. What is
    refused (see `Cell`) is raised at the end of the block.
    """

    def __init__(self, editing: Editing) -> None:
        self._editing = editing
        self._operations: list[Operation] = []
        self._inserted: set[str] = set()
        self._is_open = False

    def __repr__(self) -> str:
        return f"<Batch of {len(self._operations)} edits on {self._editing.provider.path!r}>"

    async def __aenter__(self) -> Batch:
        self._editing.check_live()
        self._editing.in_batch = self._is_open = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._editing.in_batch = self._is_open = False
        if exc_type is None:
            await self._editing.apply(*self._operations)
        self._operations.clear()

    def _add(self, operation: Operation) -> None:
        if not self._is_open:
            raise ConfigurationError(
                "The batch is not open: edit within `async with notebook.batch() as batch:`"
            )
        self._operations.append(operation)

    def _id(self, ref: int | str) -> str:
        if isinstance(ref, str) and ref in self._inserted:
            return ref
        return self._editing.provider.document.cell(ref).id

    def append_cell(self, source: str, cell_type: CellType = "code") -> str:
        """Add a cell at the end.

        Args:
            source: Its text.
            cell_type: `"code"`, `"markdown"` or `"raw"`.

        Returns:
            The id that it will have.
        """
        return self._insert(None, source, cell_type)

    def insert_cell(self, index: int, source: str, cell_type: CellType = "code") -> str:
        """Add a cell before the one that is at `index` now; several go there in order.

        Args:
            index: 0-based; the number of cells means at the end.
            source: Its text.
            cell_type: `"code"`, `"markdown"` or `"raw"`.

        Returns:
            The id that it will have.

        Raises:
            CellNotFoundError: The index is out of range.
        """
        return self._insert(self._editing.editor.place(index), source, cell_type)

    def _insert(self, before: str | None, source: str, cell_type: CellType) -> str:
        operation = InsertCell(source, cell_type, before)
        self._add(operation)
        self._inserted.add(operation.cell_id)
        return operation.cell_id

    def delete_cell(
        self, ref: int | str, *, expected_version: str | None = None, force: bool = False
    ) -> None:
        """Delete a cell, as `Cell.delete` does.

        Args:
            ref: The cell, by index or id.
            expected_version: Refuse if the cell is not at this version any more.
            force: Delete it although somebody else types in it.

        Raises:
            CellNotFoundError: There is no such cell, or more than one.
        """
        self._add(DeleteCell(self._id(ref), expected_version, force))

    def move_cell(self, ref: int | str, index: int, *, force: bool = False) -> None:
        """Move a cell to where it would be at `index` if nothing else was done.

        Args:
            ref: The cell, by index or id.
            index: Its 0-based position, as in `Cell.move`.
            force: Move it although somebody else types in it, who may lose a keystroke.

        Raises:
            CellNotFoundError: There is no such cell, or the index is out of range.
        """
        cell_id = self._id(ref)
        before = self._editing.editor.place(index, without=cell_id)
        self._add(MoveCell(cell_id, before, force))

    def set_source(
        self,
        ref: int | str,
        source: str,
        *,
        expected_version: str | None = None,
        force: bool = False,
    ) -> None:
        """Turn the source of a cell into another, as `Cell.set_source` does.

        Args:
            ref: The cell, by index or id.
            source: The new text.
            expected_version: Refuse if the cell is not at this version any more.
            force: Overwrite also lines that somebody else has just changed.

        Raises:
            CellNotFoundError: There is no such cell, or more than one.
        """
        self._add(SetSource(self._id(ref), source, expected_version, force))

    def edit_source(
        self,
        ref: int | str,
        old: str,
        new: str,
        *,
        replace_all: bool = False,
        expected_version: str | None = None,
        force: bool = False,
    ) -> None:
        """Replace a piece of a cell's source by another, as `Cell.edit_source` does.

        Args:
            ref: The cell, by index or id.
            old: The text to replace, exactly as it is; it must be there once.
            new: What takes its place.
            replace_all: Replace it wherever it is.
            expected_version: Refuse if the cell is not at this version any more.
            force: Overwrite also lines that somebody else has just changed.

        Raises:
            CellNotFoundError: There is no such cell, or more than one.
        """
        cell_id = self._id(ref)
        self._add(EditSource(cell_id, old, new, replace_all, expected_version, force))

    def set_type(
        self,
        ref: int | str,
        cell_type: CellType,
        *,
        expected_version: str | None = None,
        force: bool = False,
    ) -> None:
        """Make a cell one of another type, as `Cell.set_type` does.

        Args:
            ref: The cell, by index or id.
            cell_type: `"code"`, `"markdown"` or `"raw"`.
            expected_version: Refuse if the cell is not at this version any more.
            force: Do it although somebody else types in it.

        Raises:
            CellNotFoundError: There is no such cell, or more than one.
        """
        self._add(SetType(self._id(ref), cell_type, expected_version, force))

    def set_metadata(
        self,
        ref: int | str,
        values: Mapping[str, Any],
        *,
        remove: Sequence[str] = (),
        expected_version: str | None = None,
    ) -> None:
        """Set entries of a cell's metadata, as `Cell.set_metadata` does.

        Args:
            ref: The cell, by index or id.
            values: The entries to set, as JSON values.
            remove: Names of entries to remove.
            expected_version: Refuse if the cell is not at this version any more.

        Raises:
            CellNotFoundError: There is no such cell, or more than one.
        """
        self._add(SetMetadata(self._id(ref), values, remove, expected_version))

    def set_attachments(
        self,
        ref: int | str,
        attachments: Mapping[str, Mapping[str, Any]],
        *,
        expected_version: str | None = None,
    ) -> None:
        """Replace the attachments of a cell, as `Cell.set_attachments` does.

        Args:
            ref: The cell, by index or id.
            attachments: Name to MIME bundle.
            expected_version: Refuse if the cell is not at this version any more.

        Raises:
            CellNotFoundError: There is no such cell, or more than one.
        """
        self._add(SetAttachments(self._id(ref), attachments, expected_version))

    def clear_outputs(self, ref: int | str) -> None:
        """Remove the outputs of a code cell, as `Cell.clear_outputs` does.

        Args:
            ref: The cell, by index or id.

        Raises:
            CellNotFoundError: There is no such cell, or more than one.
        """
        self._add(ClearOutputs(self._id(ref)))
