# SPDX-License-Identifier: BSD-3-Clause
"""What was edited here of late.

If the server has rebuilt its document from the file, its history is not ours any more and
merging would double every cell. Then these edits are made again on what the server has
(`replay.py`).
"""

from __future__ import annotations

import math
import time
from collections import deque

import attrs

from .edits import Edit, SourceSet

# seconds for which an acknowledged edit may not be on the server's disk, even if that has saved
RETENTION = 30.0
# seconds by which the word of a save comes after its content was read: disks and lines are slow,
# and in a room that broadcasts nothing any more it comes with the second pull
SAVING = 25.0
# seconds for which it may not be there if the server says nothing of saves
SILENCE = 600.0


@attrs.define
class Entry:
    """An edit in the journal.

    Attributes:
        number: Edits are numbered from 1.
        edit: The edit.
        state: State vector of the Yjs document right after it.
        came: It came to a document by itself, though perhaps not to its place.
        acknowledged_at: When the server said that it has it, on the monotonic clock; infinite as
            long as it has not.
    """

    number: int
    edit: Edit
    state: bytes | None = None
    came: bool = False
    acknowledged_at: float = math.inf

    @property
    def acknowledged(self) -> bool:
        """Whether the server has had it."""
        return self.acknowledged_at < math.inf


class Journal:
    """Edits in order, until they are safe.

    Attributes:
        last: The number of the last edit.
    """

    def __init__(self) -> None:
        self.last: int = 0
        self._entries: deque[Entry] = deque()
        self._hash: str | None = None
        self._saved_at = -math.inf
        self._tells_of_saves = False

    def saved(self, hash_: str | None, *, just_now: bool = True) -> None:
        """The server says which file it has written last, None if it has written none.

        It puts that off as long as somebody types, and forgets it when it reads the file anew.

        Args:
            hash_: What tells this file from others.
            just_now: It says so when it has written; otherwise that may be long ago.
        """
        if hash_ is None or hash_ == self._hash:
            return
        self._hash, self._tells_of_saves = hash_, True
        if just_now:
            self.written()

    def written(self) -> None:
        """The server says that it has just written the file."""
        self._saved_at, self._tells_of_saves = time.monotonic(), True

    def loaded(self, hash_: str | None) -> None:
        """The server has begun anew with a file, which need not hold our edits."""
        self._hash, self._saved_at = hash_, -math.inf
        self._tells_of_saves |= hash_ is not None

    def note(self, edit: Edit) -> None:
        """An edit was made here."""
        self.last += 1
        self._entries.append(Entry(self.last, edit))

    @property
    def is_unplaced(self) -> bool:
        """Whether the transaction of the last edits has not ended."""
        return bool(self._entries) and self._entries[-1].state is None

    def place(self, state: bytes) -> None:
        """The transaction of the last edits has ended: this is the document's state vector now."""
        for entry in reversed(self._entries):
            if entry.state is not None:
                break
            entry.state = state

    @property
    def pending(self) -> bool:
        """Whether there are edits that the server has not acknowledged."""
        return bool(self._entries) and not self._entries[-1].acknowledged

    def acknowledged(self, number: int) -> None:
        """The server has the edits up to that number.

        It saves a second later, or much later, and may die before: from now on they are kept for
        a while, and until it has saved.
        """
        now = time.monotonic()
        for entry in reversed(self._entries):
            if entry.number <= number:
                if entry.acknowledged:
                    break
                entry.acknowledged_at = now
        safe_before = now - SILENCE
        if self._tells_of_saves:
            safe_before = min(now - RETENTION, self._saved_at - SAVING)
        while self._entries and self._entries[0].acknowledged_at <= safe_before:
            self._entries.popleft()

    def edits_of_source(self, cell_id: str) -> list[SourceSet]:
        """Return the edits of a cell's source that others may not know yet."""
        return [
            entry.edit
            for entry in self._entries
            if isinstance(entry.edit, SourceSet) and entry.edit.cell_id == cell_id
        ]

    def keep(self, entry: Entry) -> None:
        """Have an edit again that was taken: the server has it, but perhaps not on its disk."""
        self.last += 1
        self._entries.append(Entry(self.last, entry.edit, entry.state, entry.came))

    def take(self) -> list[Entry]:
        """Return the edits that may not be on the server's disk, and forget them."""
        entries = list(self._entries)
        self._entries.clear()
        return entries
