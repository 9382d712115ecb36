# SPDX-License-Identifier: BSD-3-Clause
"""What a notebook would be like after some operations: nothing is changed by a draft.

An operation is checked against the draft, and turned into edits that cannot fail any more.
Only when all operations of a transaction have passed are the edits made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .._errors import (
    CellNotFoundError,
    CollaboratorTypingError,
    VersionConflictError,
)
from .._values import CellSnapshot
from .changes import Author
from .edits import (
    AttachmentsSet,
    Deleted,
    Edit,
    Inserted,
    MetadataSet,
    Moved,
    SourceSet,
    TypeSet,
)
from .mirror import snapshot
from .text_edits import lines_at, overwritten_lines

if TYPE_CHECKING:
    from .model import NotebookDocument


class Draft:
    """The state of a notebook after the edits so far.

    Args:
        document: The notebook as it is.
        editor: Who is going to make the edits.

    Attributes:
        edits: The edits so far, in order.
    """

    def __init__(self, document: NotebookDocument, editor: Author) -> None:
        self.edits: list[Edit] = []
        self._document = document
        self._editor = editor
        self._order = list(document.ids)
        self._changed: dict[str, CellSnapshot] = {}
        #: cells that were deleted here keep their place in `_order` for those that refer to it
        self._gone: set[str] = set()

    def cell(self, cell_id: str) -> CellSnapshot:
        """Return a cell as it would be.

        Raises:
            CellNotFoundError: It does not exist, or has been deleted before.
        """
        if cell_id in self._gone:
            raise CellNotFoundError(cell_id, "has been deleted before, in the same batch")
        return self._changed.get(cell_id) or self._document.cell(cell_id)

    def has(self, cell_id: str) -> bool:
        """Say whether a cell would exist."""
        return cell_id not in self._gone and (
            cell_id in self._changed or self._document.has(cell_id)
        )

    def before(self, cell_id: str | None) -> str | None:
        """Return the cell that would precede a cell, or the end (None): None if nothing does.

        Raises:
            CellNotFoundError
        """
        stop = len(self._order) if cell_id is None else self._place(cell_id)
        return self.before_index(stop)

    def before_index(self, index: int) -> str | None:
        """Return the cell that would precede whatever is put at an index, None if nothing does."""
        left = reversed(self._order[:index])
        return next((id_ for id_ in left if id_ not in self._gone), None)

    def _place(self, cell_id: str) -> int:
        if cell_id not in self._order:
            raise CellNotFoundError(cell_id, "does not exist; it may have been deleted")
        return self._order.index(cell_id)

    # --- checks

    def check_version(self, cell_id: str, expected: str | None) -> None:
        """Refuse an edit that is based on another version of the cell than the present one.

        Raises:
            VersionConflictError, CellNotFoundError
        """
        self.cell(cell_id)
        if expected is not None:
            cell = self._document.cell(cell_id)
            if cell.version != expected:
                raise VersionConflictError(cell.id, expected, cell.version, cell.source)

    def check_nobody_types(self, cell_id: str, source: str | None, *, force: bool) -> None:
        """Refuse to overwrite lines that somebody else has changed within the last 2 s.

        Args:
            cell_id: The cell.
            source: What its source is to become, None if the cell is to go.
            force: Do it all the same.

        Raises:
            CollaboratorTypingError
        """
        if force or not self._document.has(cell_id):
            return
        typed = self._document.typing.typed(cell_id, self._editor)
        if not typed:
            return
        cell = self._document.cell(cell_id)
        lost = None if source is None else overwritten_lines(cell.source, source)
        for part in typed:
            lines = lines_at(cell.source, part.start, part.stop)
            if lost is None or lost.intersection(lines):
                by = self._document.name_of(part.author)
                raise CollaboratorTypingError(cell_id, by, lines.start, cell.version, cell.source)

    # --- edits

    def add(self, edit: Edit) -> None:
        """Add an edit that has been found possible."""
        match edit:
            case Inserted(inserted, after):
                self._order.insert(0 if after is None else self._place(after) + 1, edit.cell_id)
                self._changed[edit.cell_id] = snapshot(0, inserted)
            case Deleted(cell_id):
                self._gone.add(cell_id)
            case Moved(cell_id, after):
                self._order.remove(cell_id)
                self._order.insert(0 if after is None else self._place(after) + 1, cell_id)
            case SourceSet(cell_id, _, source):
                self._evolve(cell_id, source=source)
            case TypeSet(cell_id, cell_type):
                metadata = edit.metadata(self.cell(cell_id).metadata)
                self._evolve(cell_id, cell_type=cell_type, metadata=metadata)
            case MetadataSet(cell_id, values, removed):
                metadata = {**self.cell(cell_id).metadata, **values}
                for key in removed:
                    del metadata[key]
                self._evolve(cell_id, metadata=metadata)
            case AttachmentsSet(cell_id, attachments):
                self._evolve(cell_id, attachments=attachments)
        self.edits.append(edit)

    def _evolve(self, cell_id: str, **changes: Any) -> None:
        self._changed[cell_id] = attrs.evolve(self.cell(cell_id), **changes)
