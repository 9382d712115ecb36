# SPDX-License-Identifier: BSD-3-Clause
"""What was edited here of late.

If the server has rebuilt its document from the file, its history is not ours any more and
merging would double every cell. Then these edits are made again on what the server has
(`replay.py`).
"""

from __future__ import annotations

import time
from collections import deque

import attrs

from .edits import Edit, SourceSet

# seconds for which an acknowledged edit may not be on the server's disk
RETENTION = 30.0


@attrs.define
class Entry:
    """An edit in the journal.

    Attributes:
        number: Edits are numbered from 1.
        edit: The edit.
        made_at: When, on the monotonic clock.
        acknowledged: The server had it.
    """

    number: int
    edit: Edit
    made_at: float
    acknowledged: bool = False


class Journal:
    """Edits in order, until they are safe.

    Attributes:
        last: The number of the last edit.
    """

    def __init__(self) -> None:
        self.last: int = 0
        self._entries: deque[Entry] = deque()

    def note(self, edit: Edit) -> None:
        """An edit was made here."""
        self.last += 1
        self._entries.append(Entry(self.last, edit, time.monotonic()))

    @property
    def pending(self) -> bool:
        """Whether there are edits that the server has not acknowledged."""
        return bool(self._entries) and not self._entries[-1].acknowledged

    def acknowledged(self, number: int) -> None:
        """The server has the edits up to that number.

        It saves a second later, and may die before: they are kept for a while.
        """
        safe_before = time.monotonic() - RETENTION
        while self._entries and self._entries[0].number <= number:
            if self._entries[0].made_at > safe_before:
                break
            self._entries.popleft()
        for entry in reversed(self._entries):
            if entry.number <= number:
                if entry.acknowledged:
                    break
                entry.acknowledged = True

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
        self._entries.append(Entry(self.last, entry.edit, entry.made_at))

    def take(self) -> list[Entry]:
        """Return the edits that may not be on the server's disk, and forget them."""
        entries = list(self._entries)
        self._entries.clear()
        return entries
