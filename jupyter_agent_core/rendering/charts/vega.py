# SPDX-License-Identifier: BSD-3-Clause
"""Vega and Vega-Lite specifications in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from .values import limited, list_of_mappings, short, title

MOST_VIEWS = 1_000


def vega_lite_chart(spec: Mapping[str, Any]) -> str:
    """Return what a Vega-Lite specification shows."""
    datasets = spec.get("datasets")
    rows = {
        name: items
        for name, items in (datasets.items() if isinstance(datasets, Mapping) else ())
        if isinstance(items, list)
    }
    lines = [f"Vega-Lite chart{title(spec.get('title'))}:"]
    lines += limited(list(islice(_views(spec), MOST_VIEWS)), "views")
    inline = spec.get("data", {})
    if isinstance(inline, Mapping) and isinstance(inline.get("values"), list):
        rows["inline"] = inline["values"]
    if isinstance(inline, Mapping) and "url" in inline:
        lines.append(f"data from {short(inline['url'])}")
    for items in rows.values():
        first = f", first {_row(items[0])}" if items else ""
        lines.append(f"data: {len(items)} rows{first}")
    return "\n".join(lines)


def _row(row: Any) -> str:
    if not isinstance(row, Mapping):
        return short(row)
    fields = [f"{short(name)} {short(value)}" for name, value in row.items()]
    return "(" + ", ".join(limited(fields, "fields")) + ")"


def _views(spec: Mapping[str, Any], where: str = "") -> Iterator[str]:
    for kind in ("layer", "concat", "hconcat", "vconcat"):
        for part in list_of_mappings(spec.get(kind)):
            yield from _views({"encoding": spec.get("encoding"), **part}, f"{where}{kind}: ")
    for kind in ("facet", "repeat"):
        if kind in spec and isinstance(spec.get("spec"), Mapping):
            yield from _views(spec["spec"], f"{where}{kind}: ")
    if mark := spec.get("mark"):
        name = mark.get("type") if isinstance(mark, Mapping) else mark
        encoding = spec.get("encoding")
        channels = encoding.items() if isinstance(encoding, Mapping) else ()
        parts = [f"{short(channel)}={_field(value)}" for channel, value in channels]
        yield f"- {where}{short(name)}{title(spec.get('title'))}: {', '.join(parts)}"


def _field(channel: Any) -> str:
    if not isinstance(channel, Mapping):
        return short(channel)
    field = channel.get("field", channel.get("value", ""))
    text = (
        f"{short(channel['aggregate'])}({short(field)})" if "aggregate" in channel else short(field)
    )
    kind = channel.get("type")
    return text + title(channel.get("title")) + (f" ({short(kind)})" if kind else "")


def vega_chart(spec: Mapping[str, Any]) -> str:
    """Return what a Vega specification shows."""
    lines = [f"Vega chart{title(spec.get('title'))}:"]
    marks = list_of_mappings(spec.get("marks"))
    lines += limited([f"- {short(mark.get('type'))}" for mark in marks], "marks")
    for data in list_of_mappings(spec.get("data")):
        values = data.get("values")
        count = f": {len(values)} rows" if isinstance(values, list) else ""
        lines.append(f"data {short(data.get('name'))}{count}")
    return "\n".join(lines)
