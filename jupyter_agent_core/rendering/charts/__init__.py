# SPDX-License-Identifier: BSD-3-Clause
"""Charts that a browser would draw, in words: Plotly, Vega and Vega-Lite, Bokeh."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping
from itertools import islice
from typing import Any

from .bokeh import bokeh_chart
from .plotly import plotly_chart
from .vega import vega_chart, vega_lite_chart

_PLOTLY = re.compile(r"Plotly\.(?:newPlot|react)\(\s{0,99}[\"'][^\"']{0,999}[\"']\s{0,99},\s{0,99}")
_VEGA = re.compile(r"\}\)\((?=\{)|(?:var|const|let) spec = (?=\{)")
_BOKEH = re.compile(r"docs_json = (?=\{)|docs_json = '(?=\{)")
_COMMA = re.compile(r"[ \t\r\n,]*")
_VEGA_KEYS = {"$schema", "mark", "marks", "layer", "concat", "hconcat", "vconcat", "spec"}
_MOST_FINDS = 20
"""Places of a script at which a chart is looked for."""


def chart_of_json(mime_type: str, data: Any) -> str | None:
    """Return a chart in words, None if the MIME type is not that of a chart."""
    if not isinstance(data, Mapping):
        return None
    if mime_type.startswith("application/vnd.plotly."):
        return plotly_chart(data.get("data"), data.get("layout"))
    if mime_type.startswith("application/vnd.vegalite."):
        return vega_lite_chart(data)
    if mime_type.startswith("application/vnd.vega."):
        return vega_chart(data)
    return None


def chart_in_script(script: str) -> str | None:
    """Return the chart that a page or script draws in words, None if there is none."""
    # the library itself may come first
    for found in reversed(deque(_PLOTLY.finditer(script), _MOST_FINDS)):
        data, end = _decoded(script, found.end())
        if isinstance(data, list):
            return plotly_chart(data, _decoded(script, end)[0])
    for found in islice(_VEGA.finditer(script), _MOST_FINDS) if "vega" in script else ():
        spec, _ = _decoded(script, found.end())
        if isinstance(spec, Mapping) and not _VEGA_KEYS.isdisjoint(spec):
            is_lite = "vega-lite" in str(spec.get("$schema", "vega-lite"))
            return vega_lite_chart(spec) if is_lite else vega_chart(spec)
    bokeh = _BOKEH.search(script)
    return None if bokeh is None else bokeh_chart(_decoded(script, bokeh.end())[0])


def _decoded(text: str, start: int) -> tuple[Any, int]:
    """The JSON value at a place, None if there is none, and the place behind it and a comma."""
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, start
    behind = _COMMA.match(text, end)
    return value, behind.end() if behind else end
