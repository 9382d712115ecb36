# SPDX-License-Identifier: BSD-3-Clause
"""Outputs page by page: from a place on, in full, and the place where the next page begins."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

import attrs

from .._output_cursor import OutputPosition
from .._values import Output, StreamOutput
from .budget import FENCE, NOTICE, Pictures, clip, cost, cost_of, fence_cost
from .content import Content, Settings, Text
from .images import MOST_IMAGES
from .masking import start_of_key
from .outputs import Block, output_block, stream_text
from .provenance import fenced
from .tokens import count_within, estimate_tokens, prefix_within


@attrs.frozen
class LinePage:
    """A part of a cell.

    Attributes:
        contents: What is shown.
        next_line: The line at which to read on, None at the end.
        breaks_line: It ends within a long line.
    """

    contents: list[Content]
    next_line: int | None
    breaks_line: bool = False


@attrs.frozen
class OutputPage:
    """A part of the outputs of a run.

    Attributes:
        contents: What is shown.
        end: The place at which to read on, None at the end.
        breaks_line: It ends within a long line.
    """

    contents: list[Content]
    end: OutputPosition | None
    breaks_line: bool = False


def page_of_lines(
    blocks: Sequence[Block],
    first_line: int,
    budget: int,
    settings: Settings,
    with_more: Callable[[int, int], str],
) -> LinePage:
    """Return the blocks from a line on.

    Args:
        blocks: The source of a cell and its outputs.
        first_line: 0-based, counted over the full text of all blocks.
        budget: Estimated tokens.
        settings: Whether images are shown.
        with_more: From a line that no page of this budget holds and a budget that is enough for it
            to the call that shows it.
    """
    contents: list[Content] = []
    start, left = 0, budget
    pictures = Pictures(settings, sum(block.picture is not None for block in blocks))
    for block in blocks:
        end = start + block.lines
        if end <= first_line:
            start = end
            continue
        if left <= NOTICE and contents:
            return LinePage(contents, start)
        if block.picture is not None:
            if pictures.are_all or (contents and not pictures.has_room(block, left)):
                return LinePage(contents, start)
            shown = pictures.shown(block, left, None)
            contents += shown
            left -= min(left, cost_of(shown))
            start = end
            continue
        pieces = block.pieces()[max(0, first_line - start) :]
        count, text, spent = _lines_within(pieces, left)
        if count == 0:
            if contents:
                return LinePage(contents, end - len(pieces))
            count, spent = 1, left
            text = _too_long(pieces[0], left, partial(with_more, end - len(pieces)))
        contents.append(Text(fenced(text + "\n", block.kind)))
        left -= spent
        breaks_line = count < len(pieces) and not pieces[count - 1].endswith("\n")
        if count < len(pieces):
            return LinePage(contents, end - len(pieces) + count, breaks_line=breaks_line)
        start = end
    return LinePage(contents, None)


def _lines_within(pieces: Sequence[str], tokens: int) -> tuple[int, str, int]:
    """As many lines as fit: how many, their text, and what they cost, fenced."""
    # only what is shown has a fence around it, which may be shorter than that of all
    count, text, spent = _unfenced(pieces, tokens - FENCE)
    frame = fence_cost(text)
    if spent + frame > tokens:
        count, text, spent = _unfenced(pieces, tokens - frame)
    return count, text.removesuffix("\n"), spent + frame


def _unfenced(pieces: Sequence[str], tokens: int) -> tuple[int, str, int]:
    text = "".join(pieces)
    whole = cost(text, tokens)
    if whole <= tokens:
        return len(pieces), text, whole
    count = count_within(map(len, pieces), prefix_within(text, tokens))
    shown = "".join(pieces[:count])
    return count, shown, cost(shown, tokens)


def _too_long(piece: str, tokens: int, with_more: Callable[[int], str]) -> str:
    """A line of which no page of this budget holds all."""
    frame = fence_cost(piece)
    call = with_more(estimate_tokens(piece) + frame)
    return clip(piece.removesuffix("\n"), tokens - frame, lambda _: call)


def page_of_outputs(
    outputs: Sequence[Output], start: OutputPosition, budget: int, settings: Settings
) -> OutputPage:
    """Return the outputs of a run from a place on.

    Args:
        outputs: All outputs of the run.
        start: The place.
        budget: Estimated tokens.
        settings: Whether images are shown.
    """
    contents: list[Content] = []
    left = budget
    pictures = Pictures(settings, MOST_IMAGES)
    for index in range(start.index, len(outputs)):
        output = outputs[index]
        begin = start.character if index == start.index else 0
        if left <= NOTICE and contents:
            return OutputPage(contents, OutputPosition(index, begin))
        block = output_block(output, settings)
        if block is None:
            continue
        if block.picture is not None:
            if pictures.are_all or (contents and not pictures.has_room(block, left)):
                return OutputPage(contents, OutputPosition(index, begin))
            shown = pictures.shown(block, left, None)
            contents += shown
            left -= min(left, cost_of(shown))
            continue
        is_stream = isinstance(output, StreamOutput)
        raw = output.text if isinstance(output, StreamOutput) else block.full
        text, end, spent = _part(raw, begin, left, settings if is_stream else None)
        if text.strip():
            contents.append(Text(text))
        left -= spent
        if end < len(raw):
            breaks_line = not raw[:end].endswith("\n")
            return OutputPage(contents, OutputPosition(index, end), breaks_line=breaks_line)
    return OutputPage(contents, None)


def _part(raw: str, begin: int, tokens: int, stream: Settings | None) -> tuple[str, int, int]:
    """The text from a place on that fits: what it shows, where it ends, what it costs.

    Args:
        raw: All of the text.
        begin: The place.
        tokens: Estimated tokens.
        stream: For what was written to a terminal, and has to be shown as it shows it.
    """
    hides = stream is not None and stream.mask_secrets
    # what is left of a key whose beginning was shown before looks like no key
    first = start_of_key(raw, begin) if hides else begin

    def shown(end: int) -> str:
        return raw[first:end] if stream is None else stream_text(raw[first:end], stream)

    whole = shown(len(raw))
    spent = cost(whole, tokens)
    if spent <= tokens:
        return whole, len(raw), spent
    ends = [found.end() for found in re.finditer("\n", raw[begin:])]

    def fits(count: int) -> bool:
        return cost(shown(begin + ends[count - 1]), tokens) <= tokens

    high = 1
    while high < len(ends) and fits(high):
        high *= 2
    low, high = high // 2, min(high, len(ends))  # of the first `low` lines it is known
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    end = begin + (ends[low - 1] if low else max(1, prefix_within(raw[begin:], tokens)))
    return shown(end), end, tokens
