# SPDX-License-Identifier: BSD-3-Clause
"""What a model can be shown."""

from __future__ import annotations

import attrs


@attrs.frozen
class Text:
    """A piece of text."""

    text: str


@attrs.frozen
class Image:
    """An image.

    Attributes:
        data: The file, in base64.
        mime_type: Its type.
    """

    data: str = attrs.field(repr=False)
    mime_type: str


Content = Text | Image


@attrs.frozen
class Settings:
    """How an answer is rendered.

    Attributes:
        images: Show images, or a line of text in their place.
        max_characters: Characters of text that the outputs of one answer may take.
    """

    images: bool = True
    max_characters: int = 24_000


DEFAULT = Settings()


def clip(text: str, limit: int) -> str:
    """Return the text, or its head and tail and how much was left out between them.

    Args:
        text: Any text.
        limit: Characters to keep at most, beside the line that says what was left out.
    """
    if len(text) <= limit:
        return text
    head = text[: limit * 3 // 5]
    tail = text[len(text) - (limit - len(head)) :]
    # whole lines, where the lines are not huge themselves
    if "\n" in head:
        head = head[: head.rindex("\n") + 1]
    if "\n" in tail[:-1]:
        tail = tail[tail.index("\n") + 1 :]
    omitted = text[len(head) : len(text) - len(tail)]
    lines = omitted.count("\n")
    gap = "" if head.endswith("\n") else "\n"
    return f"{head}{gap}… {lines} lines, {len(omitted)} characters omitted …\n{tail}"
