# SPDX-License-Identifier: BSD-3-Clause
"""From the answer of a tool to what a model reads, by the kind of answer."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch

from .budget import clip
from .content import DEFAULT, Content, Settings, Text


@singledispatch
def render(answer: object, settings: Settings = DEFAULT) -> list[Content]:
    """Return text and images that say what an answer says.

    Args:
        answer: What a tool method returned.
        settings: Whether images are shown, and the budget.

    Raises:
        TypeError: Nothing is known of this kind of answer.
    """
    raise TypeError(f"{type(answer).__name__} is no answer of a tool")


def row(*fields: object) -> str:
    """Return one line of a table; a tab or a line break in a field would break it."""
    texts = ("-" if field is None else str(field) for field in fields)
    return "\t".join(" ".join(text.splitlines()).replace("\t", " ") for text in texts)


def more(end: int, total: int) -> list[str]:
    """Return the line that says how to read on in a list; none at its end."""
    return [f"… {total - end} more: read on with start_index={end}"] if end < total else []


def one_text(lines: Iterable[str], settings: Settings) -> list[Content]:
    """Return lines as one text within the budget."""
    return [Text(clip("\n".join(lines), settings.max_tokens))]
