# SPDX-License-Identifier: BSD-3-Clause
"""What collaborators tell of themselves, as far as it can be understood.

It is any JSON in the awareness messages of y-protocols; JupyterLab's fields are read.
"""

from __future__ import annotations

import msgspec
from pycrdt import Awareness

TextId = tuple[int, int]


class _User(msgspec.Struct):
    name: str | None = None
    display_name: str | None = None


class _Id(msgspec.Struct):
    client: int
    clock: int


class _Place(msgspec.Struct):
    type: _Id | None = None


class _Cursor(msgspec.Struct):
    head: _Place | None = None


class Presence(msgspec.Struct):
    """One collaborator.

    Attributes:
        user: Who it is.
        cursors: Where their cursors are.
    """

    user: _User | None = None
    cursors: list[_Cursor] | None = None

    @property
    def name(self) -> str | None:
        """How they want to be called."""
        return (self.user.display_name or self.user.name or None) if self.user else None

    @property
    def texts(self) -> list[TextId]:
        """The texts that their cursors are in, by the ids that Yjs has given to them."""
        places = [cursor.head.type for cursor in self.cursors or () if cursor.head]
        return [(place.client, place.clock) for place in places if place]


def presence_of(awareness: Awareness, client: int) -> Presence:
    """Return what a client tells of itself; nothing if it makes no sense."""
    try:
        return msgspec.convert(awareness.states.get(client) or {}, Presence)
    except msgspec.ValidationError:
        return Presence()
