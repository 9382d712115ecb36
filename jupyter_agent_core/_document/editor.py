# SPDX-License-Identifier: BSD-3-Clause
"""The edits of one holder of a notebook: checked, made whole or not at all, his to undo."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count

from .._errors import CellNotFoundError, ConfigurationError, one_of_many
from .._values import Change, ChangeKind, Changes
from .changes import Mark
from .draft import Draft
from .edits import Moved
from .model import EDIT, NotebookDocument
from .operations import Operation
from .undo import Done, TakeBack, cells_before

# how many edits of one holder can be undone
UNDOABLE = 100

_numbers = count(1)


class Editor:
    """Edits of one holder on one document.

    Args:
        document: The document.

    Attributes:
        author: Tells his edits from those of others.
    """

    def __init__(self, document: NotebookDocument) -> None:
        self._document = document
        self.author: str = f"{EDIT}:{next(_numbers)}"
        self._done: deque[Done] = deque(maxlen=UNDOABLE)

    def place(self, index: int, *, without: str | None = None) -> str | None:
        """Return the cell before which something at an index goes, None for the end.

        Args:
            index: 0-based.
            without: A cell that is not to be counted, as it is what goes there.

        Raises:
            CellNotFoundError: The index is out of range.
        """
        ids = [cell_id for cell_id in self._document.ids if cell_id != without]
        if not 0 <= index <= len(ids):
            raise CellNotFoundError(index, f"is out of range: a cell can go to 0 … {len(ids)}")
        return ids[index] if index < len(ids) else None

    def apply(self, operations: Iterable[Operation]) -> Done:
        """Make edits in one transaction, all of them or none.

        Returns:
            What to forget if the server refuses it.

        Raises:
            CellNotFoundError, CellTypeError, ConfigurationError, SourceMatchError
            VersionConflictError, CollaboratorTypingError: Nothing has changed.
        """
        done = self._make(tuple(operations))
        if done.anything:
            self._done.append(done)
        return done

    def forget(self, done: Done) -> None:
        """What the server has refused is not there to be undone."""
        if done in self._done:
            self._done.remove(done)

    def undo(self, count: int) -> list[str]:
        """Take back the last edits in one transaction, all of them or none.

        Returns:
            The ids of the cells that have changed by it, without those that are gone.

        Raises:
            ConfigurationError: There are not so many edits. Nothing has changed.
            UndoConflictError: Others have built on one of them. Nothing has changed.
        """
        left = len(self._done)
        if not 1 <= count <= left:
            said = f"only {left} can be undone, not {count}" if left else "there is none to undo"
            raise ConfigurationError(
                f"Of your own edits of this notebook {said}", name="count", value=count
            )
        undone = [self._done[-1 - number] for number in range(count)]
        taken = self._make([TakeBack(done, self._document, self.author) for done in undone])
        for _ in undone:
            self._done.pop()
        return [cell_id for cell_id in self._document.ids if cell_id in taken.after]

    def _make(self, operations: Sequence[Operation]) -> Done:
        draft = Draft(self._document, self.author)
        for number, operation in enumerate(operations):
            with one_of_many(number, len(operations)):
                operation.plan(draft)
        before = cells_before(self._document, draft.edits)
        with self._document.edit(self.author) as writer:
            for edit in draft.edits:
                writer.perform(edit)
        touched = dict.fromkeys(edit.cell_id for edit in draft.edits)
        after = {id_: self._document.cell(id_) for id_ in touched if self._document.has(id_)}
        moved = frozenset(edit.cell_id for edit in draft.edits if isinstance(edit, Moved))
        return Done(before, after, moved & before.keys(), self._document.changes.last)

    # --- what changed

    def cursor(self) -> str:
        """Return the cursor for what happens from now on."""
        log = self._document.changes
        return f"{log.id}.{log.last}"

    def changes(self, since: str | None) -> Changes:
        """Return what happened after a cursor.

        Raises:
            ConfigurationError: It is no cursor of this notebook.
        """
        log = self._document.changes
        if since is None:
            return Changes(self.cursor(), ())
        log_id, _, number = since.partition(".")
        if log_id != log.id or not number.isdecimal() or int(number) > log.last:
            raise ConfigurationError(
                f"{since!r} is no cursor of this notebook since it was opened: "
                "read it anew and go on with the cursor of that answer",
                name="since",
                value=since,
            )
        return Changes(self.cursor(), tuple(self.told(log.since(int(number)))))

    def told(self, marks: Sequence[Mark]) -> list[Change]:
        """Put marks into words: those of a cell of one kind together, in order."""
        by_kind: dict[tuple[ChangeKind, str], list[Mark]] = {}
        for mark in marks:
            group = by_kind.pop((mark.kind, mark.cell_id), [])
            by_kind[mark.kind, mark.cell_id] = [*group, mark]
        positions = self._document.positions
        changes: list[Change] = []
        for (kind, cell_id), group in by_kind.items():
            index = positions.get(cell_id)
            is_new = ("inserted", cell_id) in by_kind
            if index is None:
                told = kind == "deleted" and not is_new
            else:
                told = kind != "deleted" and (kind == "inserted" or not is_new)
            if told:
                names = {self._document.name_of(mark.author) for mark in group}
                by = " and ".join(sorted(name for name in names if name)) or None
                own = all(mark.author == self.author for mark in group)
                changes.append(Change(kind, cell_id, index, by, own))
        return changes
