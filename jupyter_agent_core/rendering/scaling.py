# SPDX-License-Identifier: BSD-3-Clause
"""Images scaled and re-encoded by Pillow, which only this module imports."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Iterator

import attrs
from PIL import ExifTags, ImageOps
from PIL import Image as Pillow

_QUALITIES = (85, 65, 45)
_LEAST_SIDE = 64
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
# what Pillow raises of files that are cut or broken, beside its own errors
_BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError),
    *(struct.error, zlib.error, Pillow.DecompressionBombError),
)


@attrs.frozen
class Scaled:
    """An image after scaling.

    Attributes:
        data: The file, in base64.
        mime_type: Its type.
        size: Width and height.
    """

    data: str = attrs.field(repr=False)
    mime_type: str
    size: tuple[int, int]


def scaled_down(file: bytes, longest: int, length: int, pixels: int) -> Scaled | None:
    """Return an image with sides and a length that are not too large; of several, the first.

    Args:
        file: The file.
        longest: Pixels of the longest side.
        length: Characters of base64.
        pixels: Pixels of an image that is decoded at most.

    Returns:
        The image, None if it would be too small to see anything.

    Raises:
        ValueError: It cannot be read.
    """
    opened = _opened(file, longest, pixels)
    image = opened.image
    while True:
        image.thumbnail((longest, longest))
        for data, mime_type in _encodings(image, is_photograph=opened.is_photograph):
            if len(data) <= length:
                return Scaled(data, mime_type, image.size)
        if longest <= _LEAST_SIDE:
            return None
        longest = max(_LEAST_SIDE, longest * 2 // 3)


def is_upright(file: bytes, pixels: int) -> bool:
    """Return that an image is to be shown as it is stored; decode it to see that it can be.

    Args:
        file: The file.
        pixels: Pixels of an image that is decoded at most.

    Raises:
        ValueError: It cannot be read.
    """
    return _opened(file, _LEAST_SIDE, pixels).is_upright


@attrs.frozen
class _Opened:
    image: Pillow.Image
    is_photograph: bool
    is_upright: bool


def _opened(file: bytes, longest: int, pixels: int) -> _Opened:
    """An image as it is to be seen, whichever way the camera was held."""
    try:
        with Pillow.open(io.BytesIO(file), formats=_FORMATS) as opened:
            if opened.width * opened.height > pixels:
                raise ValueError("the image has too many pixels")
            is_jpeg = opened.get_format_mimetype() == "image/jpeg"
            opened.draft("RGB", (longest, longest))  # JPEG: decodes only as much as is needed
            opened.load()
            has_alpha = "A" in opened.getbands() or "transparency" in opened.info
            upright = opened.getexif().get(ExifTags.Base.Orientation, 1) not in range(2, 9)
            image = opened if upright else ImageOps.exif_transpose(opened)
            return _Opened(image.convert("RGBA" if has_alpha else "RGB"), is_jpeg, upright)
    except _BROKEN as error:
        raise ValueError("the image cannot be read") from error


def _encodings(image: Pillow.Image, *, is_photograph: bool) -> Iterator[tuple[str, str]]:
    """The image in the formats that suit it, best first."""
    flat = Pillow.new("RGB", image.size, "white")
    flat.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
    first = _saved(flat, "JPEG", _QUALITIES[0])
    if not is_photograph:
        # a drawing is sharper as PNG and often smaller; what is much larger is no drawing
        png = _saved(image, "PNG")
        if len(png) <= 2 * len(first):
            yield png, "image/png"
    yield first, "image/jpeg"
    for quality in _QUALITIES[1:]:
        yield _saved(flat, "JPEG", quality), "image/jpeg"


def _saved(image: Pillow.Image, kind: str, quality: int = 0) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, optimize=True, **({"quality": quality} if quality else {}))
    return base64.b64encode(buffer.getvalue()).decode()
