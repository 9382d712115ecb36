# SPDX-License-Identifier: BSD-3-Clause
"""The lines of cells that match a query."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic

import anyio.to_thread
import regex as regular

from .._answers import LineMatch
from .._errors import ConfigurationError
from .._values import CellSnapshot
from ..rendering.content import DEFAULT
from ..rendering.masking import without_keys
from ..rendering.outputs import Block, cell_blocks, numbered_lines

TIMEOUT = 2.0
"""Seconds for one search: a regular expression may take for ever."""


async def matching_lines(
    cells: Iterable[CellSnapshot], query: str, *, regex: bool, in_outputs: bool
) -> tuple[LineMatch, ...]:
    """Return the lines that match, in the order of the cells.

    Args:
        cells: The cells.
        query: A text, in any case, or a regular expression.
        regex: It is a regular expression.
        in_outputs: Look in outputs, too.

    Raises:
        ConfigurationError: It is empty, no regular expression, or one that takes too long.
    """
    if not query:
        raise ConfigurationError(
            "query is empty: name a text to look for", name="query", value=query
        )
    matches = _pattern(query) if regex else _text(query)
    try:
        # in a thread: the lock of the interpreter is given up while it matches
        return await anyio.to_thread.run_sync(_found, tuple(cells), matches, in_outputs)
    except TimeoutError:
        raise ConfigurationError(
            f"{query!r} takes longer than {TIMEOUT:.0f} s: use a simpler regular expression",
            name="query",
            value=query,
        ) from None


def _pattern(query: str) -> Callable[[str], bool]:
    try:
        pattern = regular.compile(query)
    except (regular.error, RecursionError) as error:
        raise ConfigurationError(
            f"{query!r} is no regular expression: {str(error) or type(error).__name__}",
            name="query",
            value=query,
        ) from error
    deadline = monotonic() + TIMEOUT

    def matches(line: str) -> bool:
        left = deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        return pattern.search(line, timeout=left, concurrent=True) is not None

    return matches


def _text(query: str) -> Callable[[str], bool]:
    folded = query.casefold()
    return lambda line: folded in line.casefold()


def _found(
    cells: Iterable[CellSnapshot], matches: Callable[[str], bool], in_outputs: bool
) -> tuple[LineMatch, ...]:
    found = []
    for cell in cells:
        line = 0
        for block in cell_blocks(cell, DEFAULT, include_outputs=in_outputs):
            found += [
                LineMatch(cell.index, cell.id, block.kind, line + 1 + number, text)
                for number, text in (() if block.picture else numbered_lines(_text_of(block)))
                if matches(text)
            ]
            line += block.lines
    return tuple(found)


def _text_of(block: Block) -> str:
    """The text of a block; of an output without private keys, whose lines no mask would know."""
    return block.full if block.kind == "source" else without_keys(block.full)
