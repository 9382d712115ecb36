# SPDX-License-Identifier: BSD-3-Clause
"""Values, titles and lists of charts, in a few words."""

from __future__ import annotations

import array
import base64
import binascii
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

# https://numpy.org/doc/stable/reference/arrays.interface.html, as Plotly and Bokeh write it
_CODES = {
    "f8": "d",
    "float64": "d",
    "f4": "f",
    "float32": "f",
    "i1": "b",
    "int8": "b",
    "u1": "B",
    "uint8": "B",
    "i2": "h",
    "int16": "h",
    "u2": "H",
    "uint16": "H",
    "i4": "i",
    "int32": "i",
    "u4": "I",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
}
SAMPLE = 3
MOST_PARTS = 12


def values(data: Any) -> Sequence[Any]:
    """Return the values of a list, or of an array that is packed in base64."""
    if isinstance(data, list):
        return data
    if isinstance(data, Mapping):
        packed, code = data.get("bdata", data.get("array")), _CODES.get(str(data.get("dtype")))
        if isinstance(packed, Mapping):  # Bokeh
            packed = packed.get("data")
        if isinstance(packed, str) and code is not None:
            values = array.array(code)
            try:
                values.frombytes(base64.b64decode(packed))
            except (binascii.Error, ValueError):
                return ()
            if sys.byteorder == "big":
                values.byteswap()
            return values
        if isinstance(packed, list):
            return packed
    return ()


def short(value: Any) -> str:
    """Return a value in a few characters."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        text = value
    else:
        try:
            text = json.dumps(value, ensure_ascii=False, default=str)
        except (ValueError, RecursionError):  # an endless number, or lists in lists in lists
            return "…"
    return text if len(text) <= 40 else text[:39] + "…"


def extent(values: Sequence[Any]) -> str:
    """Return what the values are: from the least to the greatest, or the first of them."""
    numbers = [v for v in values if isinstance(v, int | float) and v == v]
    if numbers and len(numbers) == sum(v is not None for v in values):
        return f"{short(min(numbers))} to {short(max(numbers))}"
    distinct = list(dict.fromkeys(map(short, values)))
    more = f", … ({len(distinct)} different)" if len(distinct) > SAMPLE else ""
    return ", ".join(distinct[:SAMPLE]) + more


def title(value: Any) -> str:
    """Return a title as it stands behind what it names; empty if there is none."""
    if isinstance(value, Mapping):
        value = value.get("text")
    if isinstance(value, list):
        value = " ".join(map(short, value[:SAMPLE]))
    return f" {short(value)!r}" if value else ""


def limited(lines: list[str], what: str) -> list[str]:
    """Return the first lines, and how many more there are."""
    more = len(lines) - MOST_PARTS
    return [*lines[:MOST_PARTS], f"and {more} more {what}"] if more > 0 else lines


def list_of_mappings(value: Any) -> list[Mapping[str, Any]]:
    """Return those items of a list that have fields."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
