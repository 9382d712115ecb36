# SPDX-License-Identifier: BSD-3-Clause
"""What has to be done to make an edit again, where a server has gone back to its file.

The file is what the document was at some moment: some of our late edits are in it, some are not,
and others may have edited since. What is in it is not made a second time, and what others had
undone before is not brought back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from .._values import CellSnapshot
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
from .text_edits import TextEdit, merge3, replaced, text_edits


@attrs.frozen
class Cells:
    """The cells of a notebook at one moment."""

    in_order: Sequence[CellSnapshot]
    by_id: Mapping[str, CellSnapshot] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "by_id", {cell.id: cell for cell in self.in_order})

    def behind(self, after: str | None) -> str | None:
        """A cell to put something behind; the last one if that is gone."""
        if after is None or after in self.by_id:
            return after
        return self.in_order[-1].id if self.in_order else None

    def before(self, cell_id: str, among: Mapping[str, CellSnapshot]) -> str | None:
        """The cell before one, of those that are among others; None for the start."""
        index = self.by_id[cell_id].index
        ids = (cell.id for cell in reversed(self.in_order[:index]))
        return next((other for other in ids if other in among), None)


def again(edit: Edit, there: Cells, here: Cells | None = None) -> Edit | None:
    """Return what makes an edit again, None if there is nothing to do.

    Args:
        edit: The edit.
        there: The document in which it is to be made.
        here: The document in which it was made, as it was last; None if that is not known.
    """
    if isinstance(edit, Inserted):
        wanted = here is None or edit.cell_id in here.by_id
        missing = edit.cell_id not in there.by_id
        return Inserted(edit.cell, there.behind(edit.after)) if wanted and missing else None
    if edit.cell_id not in there.by_id:
        return None
    theirs = there.by_id[edit.cell_id]
    if isinstance(edit, Deleted):
        return edit if here is None or edit.cell_id not in here.by_id else None
    if isinstance(edit, Moved):
        return _moved(edit, there, here)
    ours = here.by_id.get(edit.cell_id) if here is not None else None
    return _edited(edit, theirs, ours)


def _moved(edit: Moved, there: Cells, here: Cells | None) -> Edit | None:
    after = there.behind(edit.after)
    if here is None:
        return Moved(edit.cell_id, after) if after != edit.cell_id else None
    undone = edit.cell_id not in here.by_id or (here.before(edit.cell_id, here.by_id) != edit.after)
    in_place = there.before(edit.cell_id, here.by_id) == after
    return None if undone or in_place or after == edit.cell_id else Moved(edit.cell_id, after)


def _edited(
    edit: SourceSet | TypeSet | MetadataSet | AttachmentsSet | OutputsCleared | RunRecorded,
    theirs: CellSnapshot,
    ours: CellSnapshot | None,
) -> Edit | None:
    is_code = theirs.cell_type == "code"
    match edit:
        case SourceSet(cell_id):
            source = source_again(edit, theirs.source, ours.source if ours else None)
            return SourceSet(cell_id, theirs.source, source) if source != theirs.source else None
        case TypeSet(_, cell_type):
            undone = ours is not None and ours.cell_type != cell_type
            return None if undone or theirs.cell_type == cell_type else edit
        case MetadataSet():
            return _metadata_again(edit, theirs.metadata, ours.metadata if ours else None)
        case AttachmentsSet(_, attachments):
            undone = ours is not None and ours.attachments != attachments
            return None if undone or is_code or theirs.attachments == attachments else edit
        case OutputsCleared():
            undone = ours is not None and bool(ours.outputs)
            ran = bool(theirs.outputs) or theirs.execution_count is not None
            return edit if is_code and ran and not undone else None
        case RunRecorded(_, _, count):
            known = theirs.execution_count
            later = known is not None and (count is None or known >= count)
            return edit if is_code and not later else None


def _metadata_again(
    edit: MetadataSet, theirs: Mapping[str, object], ours: Mapping[str, object] | None
) -> MetadataSet | None:
    values = {
        key: value
        for key, value in edit.values.items()
        if theirs.get(key, ...) != value and (ours is None or ours.get(key, ...) == value)
    }
    removed = [key for key in edit.removed if key in theirs and (ours is None or key not in ours)]
    return MetadataSet(edit.cell_id, values, removed) if values or removed else None


def source_again(edit: SourceSet, theirs: str, ours: str | None = None) -> str:
    """Return a source with an edit of it, as far as that is not there and not undone.

    Args:
        edit: The edit.
        theirs: The source in which it is to be made.
        ours: The last one in which it was made; None if that is not known.
    """
    if theirs == edit.after or (theirs == edit.before and ours in (None, edit.after)):
        return edit.after
    there = text_edits(edit.before, theirs)
    here = None if ours is None else text_edits(edit.before, ours)
    wanted = [
        part
        if (here is None or _is_in(here, part)) and not _is_in(there, part)
        else attrs.evolve(part, replacement="")
        for part in text_edits(edit.before, edit.after)
    ]
    return merge3(edit.before, replaced(edit.before, wanted), theirs)


def _is_in(edits: Sequence[TextEdit], part: TextEdit) -> bool:
    """Say whether edits of a text put in, at that place, what a part of another edit of it does."""
    written = part.replacement.strip("\n")
    return any(
        written in other.replacement
        for other in edits
        if other.start <= part.stop and other.stop >= part.start
    )
