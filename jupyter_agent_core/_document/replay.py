# SPDX-License-Identifier: BSD-3-Clause
"""What has to be done to make an edit again, where a server has gone back to its file.

The file is what the document was at some moment: some of our late edits are in it, some are not,
and others may have edited since. What is in it is not made a second time, and what others had
undone before is not brought back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

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
from .torn import is_torn

TELLING = 3
"""So many characters tell a text apart from what stands somewhere by chance."""


@attrs.frozen
class Cells:
    """The cells of a notebook at one moment."""

    in_order: Sequence[CellSnapshot] = attrs.field(converter=tuple[CellSnapshot, ...])
    by_id: Mapping[str, CellSnapshot] = attrs.field(init=False)

    @by_id.default
    def _index(self) -> Mapping[str, CellSnapshot]:
        # of several copies the first one, which is edited
        return {cell.id: cell for cell in reversed(self.in_order)}

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


def only_ours(
    edits: Sequence[Edit], there: Sequence[Mapping[str, Any]], here: Cells, now: Cells
) -> Mapping[str, str]:
    """Find the sources that nobody but us has changed since the one that a server has.

    They are to be as ours are, whatever comes of a merge: a server that begins again with its
    store writes its file over that, and operations that come afterwards tear or double the text.
    Others may have brought ours already.

    Args:
        edits: Our late edits, in order.
        there: The cells that the server has, as nbformat has them.
        here: Our cells, as they were last.
        now: What has come of a merge of both.

    Returns:
        Our sources by the ids of their cells, without those of which there are several copies.
    """
    states = {cell_id: [cell.source] for cell_id, cell in here.by_id.items()}
    for edit in reversed(edits):
        if isinstance(edit, SourceSet) and edit.after == states.get(edit.cell_id, [None])[0]:
            states[edit.cell_id].insert(0, edit.before)
    sources = [(cell.get("id", ""), cell["source"]) for cell in there]
    copies = Counter(cell.id for cell in here.in_order) | Counter(cell_id for cell_id, _ in sources)
    return {
        cell_id: states[cell_id][-1]
        for cell_id, source in sources
        if copies[cell_id] == 1
        and cell_id in states
        and cell_id in now.by_id
        and (source in states[cell_id] or is_torn(now.by_id[cell_id].source, states[cell_id]))
    }


def again(
    edit: Edit, there: Cells, here: Cells | None = None, *, came: bool = False
) -> Edit | None:
    """Return what makes an edit again, None if there is nothing to do.

    Args:
        edit: The edit.
        there: The document in which it is to be made.
        here: The document in which it was made, as it was last; None if that is not known.
        came: It came to this document by itself, though perhaps not to its place.
    """
    if isinstance(edit, Inserted):
        wanted = here is None or edit.cell_id in here.by_id
        missing = edit.cell_id not in there.by_id
        return (
            Inserted(_as_last(edit, here), there.behind(edit.after)) if wanted and missing else None
        )
    if edit.cell_id not in there.by_id:
        return None
    theirs = there.by_id[edit.cell_id]
    if isinstance(edit, Deleted):
        return edit if here is None or edit.cell_id not in here.by_id else None
    if isinstance(edit, Moved):
        return _moved(edit, there, here)
    ours = here.by_id.get(edit.cell_id) if here is not None else None
    return _edited(edit, theirs, ours, came=came)


def _as_last(edit: Inserted, here: Cells | None) -> Mapping[str, Any]:
    """The cell that was inserted, with the source that it had last."""
    source = here.by_id[edit.cell_id].source if here is not None else edit.cell["source"]
    return {**edit.cell, "source": source}


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
    *,
    came: bool,
) -> Edit | None:
    is_code = theirs.cell_type == "code"
    match edit:
        case SourceSet(cell_id):
            source = source_again(edit, theirs.source, ours.source if ours else None, came=came)
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


def source_again(
    edit: SourceSet, theirs: str, ours: str | None = None, *, came: bool = False
) -> str:
    """Return a source with an edit of it, as far as that is not there and not undone.

    Args:
        edit: The edit.
        theirs: The source in which it is to be made.
        ours: The last one in which it was made; None if that is not known.
        came: It came by itself, though perhaps not to its place.
    """
    if theirs == ours:
        return theirs
    if theirs == edit.after or (theirs == edit.before and ours in (None, edit.after)):
        return edit.after
    there = text_edits(edit.before, theirs)
    here = None if ours is None else text_edits(edit.before, ours)
    wanted = []
    for part in text_edits(edit.before, edit.after):
        made = _is_in(there, edit.before, part)
        kept = here is None or _is_in(here, edit.before, part)
        if ours is not None and not made and (came or _tells(part)):  # it may be at another place
            made = _is_as_often(part.replacement, theirs, ours)
        if ours is not None and not kept and _tells(part):  # it may have been moved
            kept = _is_as_often(part.replacement, ours, edit.after)
        wanted.append(part if kept and not made else attrs.evolve(part, replacement=""))
    return merge3(edit.before, replaced(edit.before, wanted), theirs)


def _tells(part: TextEdit) -> bool:
    """Say whether what a part puts in tells itself apart from what stands there by chance."""
    return len(part.replacement.strip()) >= TELLING


def _is_as_often(written: str, text: str, other: str) -> bool:
    """Say whether something that was written is in a text as often as in another one."""
    told = written.strip("\n") or written
    return bool(told) and text.count(told) >= other.count(told)


def _is_in(edits: Sequence[TextEdit], before: str, part: TextEdit) -> bool:
    """Say whether edits of a text put in, at that place, what a part of another edit of it does."""
    written = part.replacement.strip("\n")
    if any(written in edit.replacement for edit in edits if _touch(edit, part.start, part.stop)):
        return True
    # the same change can be told in several ways; the whole lines that come of it are the same
    at, lines = _lines_around(before, part, edits)
    touching = [edit for edit in edits if _touch(edit, at, at + len(lines.encode()))]
    alone = replaced(lines, [_moved_back(part, at)])
    now = replaced(lines, [_moved_back(edit, at) for edit in touching])
    return bool(written) and now.count(written) >= alone.count(written)


def _moved_back(edit: TextEdit, by: int) -> TextEdit:
    return attrs.evolve(edit, start=edit.start - by, stop=edit.stop - by)


def _lines_around(text: str, part: TextEdit, edits: Sequence[TextEdit]) -> tuple[int, str]:
    """The whole lines that a part of an edit is in, with all that other edits have to do with.

    Returns:
        Where they begin, in bytes, and what they are.
    """
    data = text.encode()
    # a line that is put in between two may be told as the end of the first one
    start, stop = max(0, part.start - 1), min(len(data), part.stop + 1)
    while True:
        start = data.rfind(b"\n", 0, start) + 1
        end = data.find(b"\n", stop)
        stop = len(data) if end < 0 else end
        touching = [edit for edit in edits if _touch(edit, start, stop)]
        first = min([start, *(edit.start for edit in touching)])
        last = max([stop, *(edit.stop for edit in touching)])
        if (first, last) == (start, stop):
            return start, data[start:stop].decode()
        start, stop = first, last


def _touch(edit: TextEdit, start: int, stop: int) -> bool:
    return edit.start <= stop and edit.stop >= start
