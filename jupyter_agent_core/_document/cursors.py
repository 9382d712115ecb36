# SPDX-License-Identifier: BSD-3-Clause
"""In which cells collaborators have their cursors."""

from __future__ import annotations

from pycrdt import Assoc, Text

from .model import NotebookDocument
from .presence import TextId, presence_of


def cursors_of(document: NotebookDocument) -> list[tuple[str, str]]:
    """Return the other collaborators who have a cursor in a cell, who moved last first.

    Returns:
        Their names and the ids of the cells.
    """
    texts: dict[TextId, str] = {}
    for cell in document.cells():
        ycell = document.ycell(cell.id)
        source = ycell.get("source") if ycell is not None else None
        if isinstance(source, Text):
            created = source.sticky_index(0, Assoc.BEFORE).to_json()["type"]
            texts[created["client"], created["clock"]] = cell.id
    awareness = document.awareness
    others = [client for client in awareness.states if client != awareness.client_id]
    others.sort(key=lambda client: awareness.meta[client]["lastUpdated"], reverse=True)
    found: list[tuple[str, str]] = []
    for client in others:
        presence = presence_of(awareness, client)
        name = presence.name or "Somebody"
        found += [(name, texts[text]) for text in presence.texts if text in texts]
    return list(dict.fromkeys(found))
