# SPDX-License-Identifier: BSD-3-Clause
"""Taking edits back.

Not with the undo manager of Yjs, which knows the items of one Yjs document: it would revive a
cell that somebody has moved since, beside its copy; goes on to older edits where one has left
nothing; and ends with the document. What is taken back is the difference that an edit made,
on the cells as they are now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from .._errors import UndoConflictError
from .._values import CellSnapshot, ChangeKind
from .changes import Author, is_edited
from .edits import (
    AttachmentsSet,
    Deleted,
    Edit,
    Inserted,
    MetadataSet,
    Moved,
    OutputsCleared,
    RunRecorded,
    SourceSet,
    TypeSet,
)
from .mirror import RUN_METADATA
from .text_edits import merge3, overwritten_lines

if TYPE_CHECKING:
    from .draft import Draft
    from .model import NotebookDocument

_MISSING = object()


@attrs.frozen
class CellBefore:
    """A cell before a transaction.

    Attributes:
        cell: The cell.
        preceding: The cell before it, None at the start of the notebook.
        content: The cell as nbformat has it, where the transaction may take something from it
            that its source and metadata do not tell.
    """

    cell: CellSnapshot
    preceding: str | None
    content: Mapping[str, Any] | None


@attrs.frozen(eq=False)
class Done:
    """What one transaction has done.

    Attributes:
        before: The cells that it touched and that were there, in order.
        after: The cells that it touched and left.
        moved: The cells that it moved.
        mark: The last mark of the change log after it.
    """

    before: Mapping[str, CellBefore]
    after: Mapping[str, CellSnapshot]
    moved: frozenset[str]
    mark: int

    @property
    def anything(self) -> bool:
        """Whether it has changed something."""
        before = {cell_id: was.cell for cell_id, was in self.before.items()}
        return bool(self.moved) or before != self.after


def cells_before(document: NotebookDocument, edits: Iterable[Edit]) -> dict[str, CellBefore]:
    """Return the cells that some edits will touch, as they are."""
    whole: dict[str, bool] = {}
    for edit in edits:
        takes = isinstance(edit, Deleted | TypeSet | OutputsCleared)
        whole[edit.cell_id] = whole.get(edit.cell_id, False) or takes
    cells = [document.cell(cell_id) for cell_id in whole if document.has(cell_id)]
    return {
        cell.id: CellBefore(
            cell,
            document.ids[cell.index - 1] if cell.index else None,
            document.nbformat_cell(cell.id) if whole[cell.id] else None,
        )
        for cell in sorted(cells, key=lambda cell: cell.index)
    }


@attrs.frozen
class TakeBack:
    """Take back what one transaction has done.

    Attributes:
        done: What it did.
        document: The notebook.
        author: Who did it.
    """

    done: Done
    document: NotebookDocument
    author: Author

    def plan(self, draft: Draft) -> None:
        """Refuse to take back what others have built on.

        Raises:
            UndoConflictError
        """
        for cell_id, left in self.done.after.items():
            if cell_id not in self.done.before and draft.has(cell_id):
                if is_edited(draft.cell(cell_id), left):
                    raise self._conflict(cell_id)
                draft.add(Deleted(cell_id))
        for cell_id, was in self.done.before.items():
            if cell_id not in self.done.after:
                if not draft.has(cell_id):
                    assert was.content is not None
                    draft.add(Inserted(was.content, _place(draft, was)))
            elif draft.has(cell_id):
                self._plan_cell(draft, was, self.done.after[cell_id])

    def _plan_cell(self, draft: Draft, before: CellBefore, left: CellSnapshot) -> None:
        was, now = before.cell, draft.cell(left.id)
        metadata = self._metadata(was, left, now)
        self._check(now.id, was.cell_type, left.cell_type, now.cell_type)
        self._check(now.id, was.attachments, left.attachments, now.attachments)
        if was.cell_type != left.cell_type and was.cell_type != now.cell_type:
            draft.add(TypeSet(was.id, was.cell_type))
        if now.source != (source := self._source(was, left, now)):
            draft.add(SourceSet(was.id, now.source, source))
        known = draft.cell(was.id).metadata
        values = {k: v for k, v in metadata.items() if known.get(k, _MISSING) != v}
        gone = sorted(known.keys() - metadata.keys())
        if values or gone:
            draft.add(MetadataSet(was.id, values, gone))
        has_place = draft.cell(was.id).cell_type != "code"
        if has_place and was.attachments not in (left.attachments, now.attachments):
            draft.add(AttachmentsSet(was.id, was.attachments))
        _plan_outputs(draft, before, left, now)
        if was.id in self.done.moved:
            self._plan_place(draft, before)

    def _source(self, was: CellSnapshot, left: CellSnapshot, now: CellSnapshot) -> str:
        if now.source == left.source:
            return was.source
        if was.source in (left.source, now.source):
            return now.source
        theirs = overwritten_lines(left.source, now.source)
        if theirs & overwritten_lines(left.source, was.source):
            raise self._conflict(now.id)
        return merge3(left.source, was.source, now.source)

    def _metadata(self, was: CellSnapshot, left: CellSnapshot, now: CellSnapshot) -> dict[str, Any]:
        metadata = dict(now.metadata)
        for key in was.metadata.keys() | left.metadata.keys():
            old, new, present = (cell.metadata.get(key, _MISSING) for cell in (was, left, now))
            if old == new:
                continue
            if key not in RUN_METADATA:
                self._check(now.id, old, new, present)
            if old is _MISSING:
                metadata.pop(key, None)
            else:
                metadata[key] = old
        return metadata

    def _plan_place(self, draft: Draft, before: CellBefore) -> None:
        cell_id = before.cell.id
        if self._mark(cell_id, "moved") is not None:
            raise self._conflict(cell_id, "moved")
        place = _place(draft, before)
        if place not in (cell_id, draft.before(cell_id)):
            draft.add(Moved(cell_id, place))

    def _check(self, cell_id: str, was: object, left: object, now: object) -> None:
        """Refuse if others have changed what the edit has changed, unless to what it was."""
        if was != left and now not in (left, was):
            raise self._conflict(cell_id)

    def _mark(self, cell_id: str, kind: ChangeKind) -> Author | None:
        """Return who else has done something to a cell since."""
        marks = reversed(self.document.changes.since(self.done.mark))
        found = (mark.author for mark in marks if (mark.cell_id, mark.kind) == (cell_id, kind))
        return next((author for author in found if author != self.author), None)

    def _conflict(self, cell_id: str, kind: ChangeKind = "edited") -> UndoConflictError:
        author = self._mark(cell_id, kind)
        by = None if author is None else self.document.name_of(author)
        return UndoConflictError(cell_id, by)


def _place(draft: Draft, before: CellBefore) -> str | None:
    """The cell behind which a cell was, or if that is gone the one that is there."""
    if before.preceding is None or draft.has(before.preceding):
        return before.preceding
    return draft.before_index(before.cell.index)


def _plan_outputs(draft: Draft, before: CellBefore, left: CellSnapshot, now: CellSnapshot) -> None:
    """Put back outputs that were taken from a cell, unless it has been run since."""
    was, content = before.cell, before.content
    has_run = now.outputs or now.execution_count is not None or now.execution_state == "running"
    if content is None or has_run or draft.cell(was.id).cell_type != "code":
        return
    if (was.outputs, was.execution_count) != (left.outputs, left.execution_count):
        draft.add(RunRecorded(was.id, content["outputs"], was.execution_count))
