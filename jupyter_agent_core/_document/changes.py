# SPDX-License-Identifier: BSD-3-Clause
"""What happened to the cells of a document, in order and by whom, without their content.

The log keeps the last of each kind for each cell and author, so that it grows with the
notebook and not with its use; who asks what is new since a number pays for that only.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import SequenceMatcher

import attrs

from .._values import CellSnapshot, ChangeKind, ConnectionState

# an editor here, or the Yjs clients whose updates came together (none: not known)
Author = str | frozenset[int]
# what makes edits once more that the server has lost
AGAIN: Author = "jupyter-agent-core:again"

_CONNECTION_EVENTS = 100


@attrs.frozen
class Mark:
    """Something that happened to a cell.

    Attributes:
        number: Marks are numbered from 1.
        kind: What happened.
        cell_id: The cell.
        author: Who did it.
    """

    number: int
    kind: ChangeKind
    cell_id: str
    author: Author


@attrs.frozen
class ConnectionMark:
    """Something that happened to the connection."""

    number: int
    state: ConnectionState
    reason: str


class ChangeLog:
    """The marks of one document.

    Attributes:
        id: Tells this log from others.
        last: The number of the last mark.
    """

    def __init__(self) -> None:
        self.id: str = secrets.token_hex(4)
        self.last: int = 0
        # in the order of their numbers: a mark that comes again moves to the end
        self._marks: dict[tuple[ChangeKind, str, Author], Mark] = {}
        self._connection: deque[ConnectionMark] = deque(maxlen=_CONNECTION_EVENTS)
        self._listeners: set[Callable[[], None]] = set()

    def note(self, happened: Iterable[tuple[ChangeKind, str]], author: Author) -> None:
        """Note what one transaction did to cells."""
        for kind, cell_id in happened:
            self.last += 1
            key = (kind, cell_id, author)
            self._marks.pop(key, None)
            self._marks[key] = Mark(self.last, kind, cell_id, author)
        self.tell()

    def note_connection(self, state: ConnectionState, reason: str) -> None:
        """Note what happened to the connection."""
        self.last += 1
        self._connection.append(ConnectionMark(self.last, state, reason))
        self.tell()

    def since(self, number: int) -> list[Mark]:
        """Return the marks after a number, in order."""
        marks: list[Mark] = []
        for mark in reversed(self._marks.values()):
            if mark.number <= number:
                break
            marks.append(mark)
        return marks[::-1]

    def connection_since(self, number: int) -> list[ConnectionMark]:
        """Return what happened to the connection after a number, in order."""
        return [mark for mark in self._connection if mark.number > number]

    @contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call the listener after each mark, within the block."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def tell(self) -> None:
        """Let the listeners look again."""
        for listener in tuple(self._listeners):
            listener()


def is_edited(one: CellSnapshot, other: CellSnapshot) -> bool:
    """Say whether two readings of a cell differ in what an edit changes."""
    return (one.version, one.attachments) != (other.version, other.attachments)


def differences(
    before: Sequence[CellSnapshot], after: Sequence[CellSnapshot]
) -> list[tuple[ChangeKind, str]]:
    """Return what happened to cells between two readings of a notebook."""
    old, new = ({cell.id: cell for cell in cells} for cells in (before, after))
    happened: list[tuple[ChangeKind, str]] = [("deleted", id_) for id_ in old if id_ not in new]
    happened += [("inserted", id_) for id_ in new if id_ not in old]
    stayed = [id_ for id_ in new if id_ in old]
    was = [id_ for id_ in old if id_ in new]
    for tag, i1, i2, _, _ in SequenceMatcher(None, was, stayed, autojunk=False).get_opcodes():
        if tag in ("delete", "replace"):
            happened += [("moved", id_) for id_ in was[i1:i2]]
    for id_ in stayed:
        one, other = old[id_], new[id_]
        if is_edited(one, other):
            happened.append(("edited", id_))
        if (one.outputs, one.execution_count) != (other.outputs, other.execution_count):
            happened.append(("run", id_))
    return happened
