# SPDX-License-Identifier: BSD-3-Clause
"""Outputs of a run as a model reads them: one representation for each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from .._values import DisplayOutput, ErrorOutput, ExecuteResult, Output, StreamOutput, strip_ansi
from .content import Content, Image, Settings, Text, clip

_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_TEXTS = ("text/markdown", "text/latex", "application/json", "text/plain")
LEAST = 240
"""Characters of one output that are worth showing; an image counts for as many."""


def render_outputs(outputs: Sequence[Output], settings: Settings) -> list[Content]:
    """Return text and images for the outputs, in their order, within the budget."""
    return fit(contents_of(outputs, settings), settings.max_characters)


def contents_of(outputs: Sequence[Output], settings: Settings) -> list[Content]:
    """Return text and images for the outputs, in their order and full length."""
    contents = [_content(output, settings) for output in outputs]
    return [content for content in contents if content != Text("")]


def fit(contents: Sequence[Content], budget: int) -> list[Content]:
    """Keep contents to a budget of characters: of very many, some are left out."""
    contents = _first_and_last(contents, budget)
    texts = [content.text for content in contents if isinstance(content, Text)]
    clipped = iter(_shared_out(texts, budget))
    return [Text(next(clipped)) if isinstance(item, Text) else item for item in contents]


def _first_and_last(contents: Sequence[Content], budget: int) -> Sequence[Content]:
    """Leave out what lies in the middle, where not even the least of each fits."""
    costs = [min(len(c.text), LEAST) if isinstance(c, Text) else LEAST for c in contents]
    if sum(costs) <= budget or len(contents) < 3:
        return contents
    head = max(1, _count_within(costs, budget * 3 // 5))
    tail = max(1, _count_within(reversed(costs), budget * 2 // 5))
    notice = Text(f"… {len(contents) - head - tail} outputs omitted …")
    return [*contents[:head], notice, *contents[-tail:]]


def _count_within(costs: Iterable[int], budget: int) -> int:
    return sum(spent <= budget for spent in accumulate(costs))


def _shared_out(texts: Sequence[str], budget: int) -> list[str]:
    """Clip texts so that short ones stay whole and long ones share what is left."""
    limits = dict.fromkeys(range(len(texts)), 0)
    left = budget
    for rank, index in enumerate(sorted(limits, key=lambda i: len(texts[i]))):
        limits[index] = min(len(texts[index]), left // (len(texts) - rank))
        left -= limits[index]
    return [clip(text, limits[index]) for index, text in enumerate(texts)]


def _content(output: Output, settings: Settings) -> Content:
    match output:
        case StreamOutput():
            return Text(strip_ansi(output.text))
        case ErrorOutput():
            traceback = strip_ansi("\n".join(output.traceback))
            return Text(traceback or f"{output.ename}: {output.evalue}")
        case DisplayOutput() | ExecuteResult():
            return _display(output.data, settings)


def _display(data: Mapping[str, Any], settings: Settings) -> Content:
    for mime_type in _IMAGES:
        if mime_type in data:
            image = "".join(str(data[mime_type]).split())
            if settings.images:
                return Image(image, mime_type)
            size = len(image) * 3 // 4
            return Text(f"[{mime_type} output, {size} bytes; images are switched off]")
    for mime_type in _TEXTS:
        if mime_type in data:
            value = data[mime_type]
            return Text(strip_ansi(value if isinstance(value, str) else _compact(value)))
    kinds = ", ".join(f"{mime} ({len(str(value))} characters)" for mime, value in data.items())
    return Text(f"[output without a text form: {kinds}]")


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
