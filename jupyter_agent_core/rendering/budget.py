# SPDX-License-Identifier: BSD-3-Clause
"""One budget for an answer: shared fairly, and never a cut without a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from .content import Content, Settings, Text
from .images import MOST_BASE64, MOST_IMAGES, Picture, fit_picture
from .outputs import Block
from .provenance import fence_of, fenced
from .tokens import (
    MOST_CHARACTERS,
    count_within,
    estimate_tokens,
    prefix_within,
    suffix_within,
)

ReadOn = Callable[[int, int], str | None]
"""From a block and a line in its full text to the call that shows them."""

LEAST = 60
"""Tokens of one block that are worth showing."""
NOTICE = 32
"""Tokens for saying what was left out, without the call that shows it."""
FENCE = 8
"""Tokens of the fences around a text."""
_HEAD = 0.6


def nowhere(_: int, __: int) -> str | None:
    """What is left out cannot be read on."""
    return None


def cost(text: str, most: int) -> int:
    """Return the estimated tokens of a text; of a long one, that it is more than `most`."""
    if len(text) > (most + 1) * MOST_CHARACTERS:
        return most + 1
    return estimate_tokens(text)


def cost_of(contents: Sequence[Content]) -> int:
    """Return the estimated tokens of texts and images."""
    return sum(
        estimate_tokens(content.text)
        if isinstance(content, Text)
        else Picture(content.data, content.mime_type).tokens
        for content in contents
    )


def fence_cost(text: str) -> int:
    """Return the estimated tokens of the fences around a text."""
    return FENCE + len(fence_of(text)) - 3


def shares(costs: Sequence[int], budget: int) -> list[int]:
    """Share a budget so that cheap ones get all that they want, and the others equal parts."""
    granted = [0] * len(costs)
    left = max(0, budget)
    for rank, index in enumerate(sorted(range(len(costs)), key=costs.__getitem__)):
        granted[index] = min(costs[index], left // (len(costs) - rank))
        left -= granted[index]
    return granted


def clip(text: str, tokens: int, read_on: Callable[[int], str | None] | None = None) -> str:
    """Return the text, or its head and tail and how much was left out between them.

    Args:
        text: Any text.
        tokens: Estimated tokens to keep at most, with the line that says what was left out.
        read_on: From the number of the first line that was left out to the call that shows it.
    """
    if cost(text, tokens) <= tokens:
        return text
    said = read_on(0) if read_on else None
    inner = max(0, tokens - NOTICE - estimate_tokens(said or ""))
    head = text[: prefix_within(text, int(inner * _HEAD))]
    tail = text[max(len(head), suffix_within(text, inner - int(inner * _HEAD))) :]
    # whole lines, where the lines are not huge themselves
    if len(kept := head[: head.rfind("\n") + 1]) > len(head) // 2:
        head = kept
    if len(kept := tail[tail.find("\n") + 1 :]) > len(tail) // 2:
        tail = kept
    omitted = text[len(head) : len(text) - len(tail)]
    gap = "" if head.endswith("\n") or not head else "\n"
    call = read_on(head.count("\n")) if read_on else None
    return f"{head}{gap}{omission(omitted, call)}\n{tail}"


def omission(omitted: str, call: str | None) -> str:
    """Return the line that says what was left out."""
    how = f"; read on with {call}" if call else ""
    return f"… {omitted.count(chr(10))} lines, {len(omitted)} characters omitted{how} …"


def rows_within(rows: list[str], budget: int) -> list[str]:
    """Return the rows that fit, at least one, beside a heading and how to read on."""
    costs = (estimate_tokens(row) + 1 for row in rows)
    return rows[: max(1, count_within(costs, budget - 2 * NOTICE))]


def fit(
    blocks: Sequence[Block],
    budget: int,
    settings: Settings,
    *,
    read_on: ReadOn = nowhere,
    fence: bool = False,
) -> list[Content]:
    """Return the blocks within a budget; of very many, those in the middle are left out.

    Args:
        blocks: The blocks.
        budget: Estimated tokens for all of them.
        settings: Whether images are shown.
        read_on: How to see what is left out.
        fence: Put texts between fences.
    """
    costs = costs_of(blocks, budget, settings, read_on=read_on, fence=fence)
    said = NOTICE + estimate_tokens(read_on(0, 0) or "") if blocks else 0
    least = [min(c, LEAST + said) for c in costs]
    head, tail = len(blocks), 0
    if sum(least) > budget and len(blocks) > 2:
        budget -= said
        head, tail = _first_and_last(least, budget)
    shown = [*range(head), *range(len(blocks) - tail, len(blocks))]
    granted = dict(zip(shown, shares([costs[i] for i in shown], budget), strict=True))
    pictures = Pictures(settings, sum(blocks[index].picture is not None for index in shown))
    contents: list[Content] = []
    for place, index in enumerate(shown):
        if place == head and len(shown) < len(blocks):
            contents.append(_left_out(len(blocks) - head - tail, read_on(head, 0)))
        block = blocks[index]
        if block.picture is not None:
            contents += pictures.shown(block, granted[index], read_on(index, 0))
            continue
        room = granted[index] - (fence_cost(block.text) if fence else 0)
        text = _shown_text(block, room, partial(read_on, index))
        contents.append(Text(fenced(text, block.kind) if fence else text))
    return contents


def _shown_text(block: Block, tokens: int, read_on: Callable[[int], str | None]) -> str:
    if block.text == block.full:
        return clip(block.text, tokens, read_on)
    call = read_on(0)
    if call is None or not block.is_shortened:
        # its lines are not those of the full text: that is read from its beginning
        return clip(block.text, tokens, lambda _: call)
    hint = f"… all of it: {call} …"
    return f"{clip(block.text, tokens - estimate_tokens(hint) - 1).rstrip()}\n{hint}"


def costs_of(
    blocks: Sequence[Block],
    most: int,
    settings: Settings,
    *,
    read_on: ReadOn = nowhere,
    fence: bool = False,
) -> list[int]:
    """Return the estimated tokens that each block would take; of a long text, more than `most`.

    Args:
        blocks: The blocks.
        most: Tokens up to which costs are told apart.
        settings: Whether images are shown.
        read_on: How to see what is left out.
        fence: Put texts between fences.
    """
    costs: list[int] = []
    images = MOST_IMAGES if settings.images else 0
    for index, block in enumerate(blocks):
        if block.picture is not None:
            text = LEAST + cost(block.text, most)
            costs.append(max(text, LEAST + block.picture.tokens) if images > 0 else text)
            images -= 1
            continue
        frame = fence_cost(block.text) if fence else 0
        costs.append(frame + cost(block.text, most))
        if block.is_shortened:
            costs[-1] += NOTICE + estimate_tokens(read_on(index, 0) or "")
    return costs


def _left_out(count: int, call: str | None) -> Text:
    how = f"; read on with {call}" if call else ""
    return Text(f"… {count} outputs omitted{how} …")


def _first_and_last(least: Sequence[int], budget: int) -> tuple[int, int]:
    """How many to show from the beginning and from the end: as many as there is room for."""
    head = max(1, count_within(least, int(budget * _HEAD)))
    tail = max(1, count_within(reversed(least), budget - int(budget * _HEAD)))
    return min(head, len(least) - 1), min(tail, len(least) - min(head, len(least) - 1))


class Pictures:
    """The images of one answer, which share a number and a length."""

    def __init__(self, settings: Settings, count: int) -> None:
        """Begin an answer.

        Args:
            settings: Whether images are shown.
            count: How many there are to show.
        """
        self._on = settings.images
        self._left = min(count, MOST_IMAGES)
        self._length = MOST_BASE64

    @property
    def are_all(self) -> bool:
        """No more images are shown in this answer."""
        return self._on and self._left == 0

    def has_room(self, block: Block, tokens: int) -> bool:
        """A number of tokens is enough to show an image as large as a model sees it."""
        picture = block.picture
        return not self._on or picture is None or LEAST + picture.tokens <= tokens

    def shown(self, block: Block, tokens: int, call: str | None) -> list[Content]:
        """Return an image, or what is said in its place.

        Args:
            block: The image.
            tokens: Estimated tokens that it may take.
            call: How to see what is not shown here.
        """
        picture = block.picture
        assert picture is not None
        if not self._on:
            return [_instead(f"[{picture.named()}; images are switched off]", block, tokens)]
        if self._left == 0:
            how = f"; see it with {call}" if call else ""
            said = f"not shown, as an answer holds {MOST_IMAGES} images{how}"
            return [_instead(f"[{picture.named()}: {said}]", block, tokens)]
        fitted = fit_picture(picture, max(LEAST, tokens), self._length // self._left)
        self._left -= 1
        if fitted.image is None:
            return [_instead(fitted.note or "", block, tokens)]
        self._length -= len(fitted.image.data)
        return [fitted.image, *([Text(fitted.note)] if fitted.note else [])]


def _instead(note: str, block: Block, tokens: int) -> Text:
    """What is said in the place of a picture, with as much of its text as there is room for."""
    room = tokens - estimate_tokens(note) - 1
    if not block.text or (room < NOTICE and cost(block.text, room) > room):
        return Text(note)
    return Text(f"{note} {clip(block.text, room)}")
