# SPDX-License-Identifier: BSD-3-Clause
"""Plotly figures in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .values import SAMPLE, extent, limited, list_of_mappings, short, title, values

_COORDINATES = ("x", "y", "z", "lat", "lon", "labels", "values", "r", "theta", "open", "close")


def plotly_chart(data: Any, layout: Any) -> str:
    """Return what a Plotly figure shows.

    Args:
        data: Its traces.
        layout: Its titles and axes.
    """
    traces = list_of_mappings(data)
    layout = layout if isinstance(layout, Mapping) else {}
    axes = [
        f"{name.replace('axis', '')}:{named}"
        for name, axis in layout.items()
        if isinstance(name, str)
        and re.fullmatch(r"[xyz]axis\d*", name)
        and isinstance(axis, Mapping)
        and (named := title(axis.get("title")))
    ]
    facts = [f"{len(traces)} trace{'s' * (len(traces) != 1)}", *axes]
    heading = f"Plotly chart{title(layout.get('title'))}: {'; '.join(facts)}"
    return "\n".join([heading, *limited([_trace(trace) for trace in traces], "traces")])


def _trace(trace: Mapping[str, Any]) -> str:
    found = {name: values(trace.get(name)) for name in _COORDINATES}
    found = {name: items for name, items in found.items() if len(items)}
    count = max(map(len, found.values()), default=0)
    extents = "".join(f"; {name} {extent(items)}" for name, items in found.items())
    kind = short(trace.get("type", "scatter"))
    line = f"- {kind}{title(trace.get('name'))}: {count} points{extents}"
    points = [
        "(" + ", ".join(short(v) for v in point) + ")"
        for point in zip(*(items[:SAMPLE] for items in found.values()), strict=False)
    ]
    return line + (f"; first {' '.join(points)}" if points and len(found) > 1 else "")
