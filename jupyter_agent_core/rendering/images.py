# SPDX-License-Identifier: BSD-3-Clause
"""Images as models take them: not larger than they see, and within a budget.

The type of a file is what its head tells, whatever it was sent as: hosts refuse an answer for
one image that is not what it is said to be. Pillow (extra `mcp` or `all`) decodes each image, and
scales and re-encodes those that are too large; without it an image is shown as it is, or a line
says why not.
"""

from __future__ import annotations

import base64
import binascii
import struct
from functools import cached_property

import attrs

from .content import Image
from .tokens import PIXELS_PER_TOKEN, estimate_tokens, image_tokens

LONGEST_SIDE = 1_568
MOST_BASE64 = 1_000_000
"""Characters of base64 that the images of one answer may take together."""
MOST_IMAGES = 8
_MOST_PIXELS = 25_000_000


@attrs.frozen
class Picture:
    """An image in an output.

    Attributes:
        data: The file in base64.
        mime_type: The type that it was sent as.
    """

    data: str = attrs.field(repr=False)
    mime_type: str

    @property
    def file(self) -> bytes:
        """The file, empty if its base64 cannot be read."""
        try:
            return base64.b64decode(self.data, validate=True)
        except (binascii.Error, ValueError):
            return b""

    @cached_property
    def _head(self) -> tuple[str | None, tuple[int, int] | None]:
        file = self.file
        return _type(file), _size(file)

    @property
    def kind(self) -> str | None:
        """The type that the head of the file tells, None if it is no image that can be shown."""
        return None if self.size is None or 0 in self.size else self._head[0]

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height, None if the head of the file does not tell."""
        return self._head[1]

    @property
    def tokens(self) -> int:
        """Estimated tokens at the size at which a model gets it."""
        return image_tokens(self.size and _scaled(self.size, LONGEST_SIDE))

    def named(self) -> str:
        """Say what it is in a few words."""
        size = self.size
        pixels = f" {size[0]}×{size[1]}" if size else ""
        return f"{self.mime_type}{pixels}, {len(self.data) * 3 // 4} bytes"


@attrs.frozen
class Fitted:
    """An image that fits, or why there is none.

    Attributes:
        image: The image, None if it cannot be shown.
        note: What is to be said of it.
    """

    image: Image | None
    note: str | None = None


def fit_picture(picture: Picture, tokens: int, length: int) -> Fitted:
    """Make an image fit.

    Args:
        picture: The image.
        tokens: Estimated tokens that it may take.
        length: Characters of base64 that it may take.
    """
    kind, size = picture.kind, picture.size
    if kind is None or size is None:
        return Fitted(None, f"[{picture.named()}: it cannot be read]")
    if kind != picture.mime_type:
        picture = Picture(picture.data, kind)
    if size[0] * size[1] > _MOST_PIXELS:
        return Fitted(None, f"[{picture.named()}: too large to be scaled]")
    fits = image_tokens(size) <= tokens and len(picture.data) <= length
    fits = fits and max(size) <= LONGEST_SIDE
    try:
        from .scaling import is_upright, scaled_down
    except ModuleNotFoundError:
        return _as_it_is(picture, length)
    file = picture.file
    try:
        if fits and is_upright(file, _MOST_PIXELS):
            return Fitted(Image(picture.data, picture.mime_type))
        note = estimate_tokens(_scaled_note(picture, (LONGEST_SIDE, LONGEST_SIDE)))
        longest = _longest_side(size, tokens - note)
        scaled = scaled_down(file, longest, length, _MOST_PIXELS)
    except ValueError:
        return Fitted(None, f"[{picture.named()}: it cannot be read]")
    if scaled is None:
        return Fitted(None, f"[{picture.named()}: too large for what is left of the budget]")
    return Fitted(Image(scaled.data, scaled.mime_type), _scaled_note(picture, scaled.size))


def _scaled_note(picture: Picture, size: tuple[int, int]) -> str:
    return f"[{picture.named()}: shown at {size[0]}×{size[1]}]"


def _as_it_is(picture: Picture, length: int) -> Fitted:
    if len(picture.data) <= length:
        return Fitted(Image(picture.data, picture.mime_type))
    said = "too large to be shown, and Pillow, which would scale it, is not installed"
    return Fitted(None, f"[{picture.named()}: {said}]")


def _longest_side(size: tuple[int, int], tokens: int) -> int:
    """The longest side at which an image costs no more than it may."""
    width, height = size
    area = max(1, tokens - 1) * PIXELS_PER_TOKEN
    factor = min(1.0, (area / (width * height)) ** 0.5)
    return max(1, min(LONGEST_SIDE, int(max(size) * factor)))


def _scaled(size: tuple[int, int], longest: int) -> tuple[int, int]:
    factor = min(1.0, longest / max(1, *size))
    return int(size[0] * factor), int(size[1] * factor)


# --- heads of files


def _type(file: bytes) -> str | None:
    heads = {
        "image/png": b"\x89PNG\r\n\x1a\n",
        "image/gif": b"GIF8",
        "image/jpeg": b"\xff\xd8",
        "image/webp": b"RIFF",
    }
    return next((kind for kind, head in heads.items() if file.startswith(head)), None)


def _size(file: bytes) -> tuple[int, int] | None:
    """Width and height as the head of a PNG, GIF, JPEG or WebP tells them."""
    if file[:8] == b"\x89PNG\r\n\x1a\n" and len(file) >= 24:
        return struct.unpack(">II", file[16:24])
    if file[:4] == b"GIF8" and len(file) >= 10:
        return struct.unpack("<HH", file[6:10])
    if file[:2] == b"\xff\xd8":
        return _jpeg_size(file)
    if file[:4] == b"RIFF" and file[8:12] == b"WEBP" and len(file) >= 30:
        return _webp_size(file)
    return None


def _jpeg_size(file: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 <= len(file) and file[place] == 0xFF:
        marker = file[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", file[place + 5 : place + 9])
            return width, height
        length = struct.unpack(">H", file[place + 2 : place + 4])[0]
        if length < 2:  # it counts itself
            return None
        place += 2 + length
    return None


def _webp_size(file: bytes) -> tuple[int, int] | None:
    kind = file[12:16]
    if kind == b"VP8X":
        return (
            1 + int.from_bytes(file[24:27], "little"),
            1 + int.from_bytes(file[27:30], "little"),
        )
    if kind == b"VP8L":
        bits = int.from_bytes(file[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", file[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None
