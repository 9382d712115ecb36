# SPDX-License-Identifier: BSD-3-Clause
"""In which cells collaborators have their cursors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pycrdt import Assoc, Text

from .model import NotebookDocument


def cursors_of(document: NotebookDocument) -> list[tuple[str, str]]:
    """Return the other collaborators who have a cursor in a cell, who moved last first.

    A cursor names the text that it is in by the id that Yjs has given to the text.

    Returns:
        Their names and the ids of the cells.
    """
    texts: dict[tuple[int, int] | None, str] = {}
    for cell in document.cells():
        ycell = document.ycell(cell.id)
        source = ycell.get("source") if ycell is not None else None
        if isinstance(source, Text):
            texts[_text_id(source.sticky_index(0, Assoc.BEFORE).to_json())] = cell.id
    awareness = document.awareness
    others = [client for client in awareness.states if client != awareness.client_id]
    others.sort(key=lambda client: awareness.meta[client]["lastUpdated"], reverse=True)
    found: list[tuple[str, str]] = []
    for client in others:
        state: Mapping[str, Any] = awareness.states[client] or {}
        user = state.get("user") or {}
        name = str(user.get("display_name") or user.get("name") or "Somebody")
        for cursor in state.get("cursors") or ():
            text_id = _text_id(cursor.get("head") or {})
            if text_id is not None and text_id in texts:
                found.append((name, texts[text_id]))
    return list(dict.fromkeys(found))


def _text_id(place: Mapping[str, Any]) -> tuple[int, int] | None:
    """The id of the text that a relative position is in, as far as it tells."""
    kind = place.get("type")
    return (int(kind["client"]), int(kind["clock"])) if kind else None
