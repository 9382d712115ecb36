# SPDX-License-Identifier: BSD-3-Clause
"""What a model can be shown."""

from __future__ import annotations

import attrs

from .._errors import ConfigurationError

LEAST_TOKENS = 200
"""Tokens of an answer in which there is room for what is said of it."""


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


def _has_room(_: object, __: object, tokens: int) -> None:
    if tokens < LEAST_TOKENS:
        raise ConfigurationError(
            f"max_tokens is {tokens}, but an answer needs at least {LEAST_TOKENS}",
            name="max_tokens",
            value=tokens,
        )


@attrs.frozen
class Settings:
    """How an answer is rendered.

    Attributes:
        images: Show images, or a line of text in their place.
        max_tokens: Estimated tokens that one answer may take, text and images together; at
            least 200.
        mask_secrets: Put a note in the place of what looks like a token, key or password in
            outputs and variables.
    """

    images: bool = True
    max_tokens: int = attrs.field(default=6_000, validator=_has_room)
    mask_secrets: bool = False


DEFAULT = Settings()
