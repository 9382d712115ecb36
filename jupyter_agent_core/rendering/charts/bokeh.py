# SPDX-License-Identifier: BSD-3-Clause
"""Bokeh documents in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .values import extent, limited, short, title, values


def bokeh_chart(documents: Any) -> str:
    """Return what the documents of Bokeh show."""
    objects = list(_objects(documents))
    by_id = {item["id"]: item for item in objects if isinstance(item.get("id"), str)}

    def attributes(item: Any) -> Mapping[str, Any]:
        return _mapping(_named_by(item, by_id).get("attributes"))

    named = [(str(item.get("name")), attributes(item)) for item in objects]
    heading = next((title(a["text"]) for name, a in named if name == "Title" and a.get("text")), "")
    axes = [short(a["axis_label"]) for name, a in named if "Axis" in name and a.get("axis_label")]
    facts = f": axes {', '.join(map(repr, axes))}" if axes else ":"
    lines = []
    for name, renderer in named:
        if name == "GlyphRenderer":
            glyph = _named_by(renderer.get("glyph"), by_id)
            columns = _columns(attributes(renderer.get("data_source")).get("data"))
            count = max(map(len, columns.values()), default=0)
            extents = "".join(f"; {key} {extent(v)}" for key, v in columns.items() if len(v))
            lines.append(f"- {short(glyph.get('name'))}: {count} points{extents}")
    return "\n".join([f"Bokeh chart{heading}{facts}", *limited(lines, "glyphs")])


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """All models below a value, outermost first."""
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, Mapping):
            if item.get("type") == "object":
                yield item
            left += reversed(list(item.values()))
        elif isinstance(item, list):
            left += reversed(item)


def _named_by(item: Any, by_id: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The model itself, or the one that is meant by its id."""
    found = _mapping(item)
    name = found.get("id")
    return by_id.get(name, found) if isinstance(name, str) else found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _columns(data: Any) -> dict[str, Any]:
    """The columns of a source of data by their names."""
    entries = _mapping(data).get("entries")
    pairs = [e for e in entries if isinstance(e, list)] if isinstance(entries, list) else []
    return {short(pair[0]): values(pair[1]) for pair in pairs if len(pair) == 2}
