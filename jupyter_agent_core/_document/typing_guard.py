# SPDX-License-Identifier: BSD-3-Clause
"""Where in the sources others have typed within the last two seconds.

A range of a text is kept in UTF-8 bytes, as pycrdt counts them, and follows the edits that
come after it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from .changes import AGAIN, Author

# seconds for which a line that somebody has changed is his
WINDOW = 2.0

Delta = Sequence[Mapping[str, Any]]


@attrs.frozen
class Typed:
    """A part of a source that somebody has just changed.

    Attributes:
        start: Its first byte.
        stop: The byte after it; the same where something was deleted.
        at: When, on the monotonic clock.
        author: By whom.
    """

    start: int
    stop: int
    at: float
    author: Author


class TypingGuard:
    """Who has typed where of late."""

    def __init__(self) -> None:
        self._typed: dict[str, list[Typed]] = {}

    def follow(self, cell_id: str, delta: Delta, author: Author) -> None:
        """Take note of an edit of a source, given as the delta of a Yjs text event."""
        now = time.monotonic()
        kept = [
            _followed(typed, delta)
            for typed in self._typed.get(cell_id, ())
            if now - typed.at < WINDOW
        ]
        self._typed[cell_id] = kept + [
            Typed(start, stop, now, author) for start, stop in _changed(delta)
        ]

    def forget(self, cell_ids: Iterable[str]) -> None:
        """Nobody has typed in these cells, whatever it looked like."""
        for cell_id in cell_ids:
            self._typed.pop(cell_id, None)

    def typed(self, cell_id: str, editor: Author) -> list[Typed]:
        """Return where anybody but the editor has typed within the window.

        An edit that is made here once more has not been typed by anybody.
        """
        since = time.monotonic() - WINDOW
        kept = [typed for typed in self._typed.pop(cell_id, ()) if typed.at > since]
        if kept:
            self._typed[cell_id] = kept
        return [typed for typed in kept if typed.author not in (editor, AGAIN)]


def _followed(typed: Typed, delta: Delta) -> Typed:
    """Where a part of the old text is in the new one; what is put beside it is not of it."""
    stop = _moved(typed.stop, delta, behind=False)
    return attrs.evolve(typed, start=min(_moved(typed.start, delta, behind=True), stop), stop=stop)


def _moved(place: int, delta: Delta, *, behind: bool) -> int:
    """Where a place of the old text is in the new one, behind or before what was put there."""
    old = new = 0
    for change in delta:
        if old > place or (old == place and not behind):
            break
        if "retain" in change:
            old += int(change["retain"])
            new += int(change["retain"])
        elif "insert" in change:
            new += len(str(change["insert"]).encode())
        else:
            count = int(change["delete"])
            if old <= place < old + count:
                return new
            old += count
    return new + place - old


def _changed(delta: Delta) -> list[tuple[int, int]]:
    """The parts of the new text that an edit has changed."""
    parts: list[tuple[int, int]] = []
    place = 0
    for change in delta:
        if "retain" in change:
            place += int(change["retain"])
            continue
        length = len(str(change["insert"]).encode()) if "insert" in change else 0
        if parts and parts[-1][1] == place:
            parts[-1] = (parts[-1][0], place + length)
        else:
            parts.append((place, place + length))
        place += length
    return parts
