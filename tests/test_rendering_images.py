# SPDX-License-Identifier: BSD-3-Clause
"""Images as models take them, with Pillow and without."""

import base64
import io
import sys
from typing import Any

import pytest
from PIL import ExifTags
from PIL import Image as Pillow
from rendered import cell, result, texts

from jupyter_agent_core import DisplayOutput
from jupyter_agent_core._answers import CellView, CodeRun
from jupyter_agent_core.rendering import Image, Settings, Text, render
from jupyter_agent_core.rendering.images import MOST_BASE64, MOST_IMAGES, Picture, fit_picture

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20" viewBox="0 0 40 20">'
    '<rect width="40" height="20" fill="red"/><text x="2" y="12">north</text></svg>'
)


def file(width: int, height: int, kind: str = "PNG", **options: Any) -> str:
    """A noisy picture, which no format packs well."""
    noise = Pillow.effect_noise((width, height), 90)
    buffer = io.BytesIO()
    Pillow.merge("RGB", (noise, noise.rotate(90), noise)).save(buffer, kind, **options)
    return base64.b64encode(buffer.getvalue()).decode()


def shown(*pictures: tuple[str, str], settings: Settings | None = None) -> list[Image | Text]:
    outputs = [DisplayOutput({mime: data, "text/plain": "<Figure>"}) for mime, data in pictures]
    return render(CodeRun(result(*outputs)), settings or Settings())[:-1]


def opened(image: Image) -> Pillow.Image:
    picture = Pillow.open(io.BytesIO(base64.b64decode(image.data)))
    assert picture.get_format_mimetype() == image.mime_type
    return picture


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_an_image_that_fits_is_shown_byte_by_byte(kind: str) -> None:
    data, mime = file(300, 200, kind), f"image/{kind.lower()}"
    assert shown((mime, data)) == [Image(data, mime)]
    assert Picture(data, mime).size == (300, 200)


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": False}])
def test_the_size_of_a_webp_is_told_in_each_of_its_kinds(options: dict[str, Any]) -> None:
    assert Picture(file(33, 44, "WEBP", **options), "image/webp").size == (33, 44)
    frames = [Pillow.new("RGBA", (33, 44), color) for color in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:])
    packed = base64.b64encode(buffer.getvalue()).decode()
    assert Picture(packed, "image/webp").size == (33, 44)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_large_image_is_scaled_and_its_size_is_told(kind: str) -> None:
    data, mime = file(2_400, 1_200, kind), f"image/{kind.lower()}"
    image, note = shown((mime, data))
    assert isinstance(image, Image)
    assert len(image.data) <= MOST_BASE64
    width, height = opened(image).size
    assert max(width, height) <= 1_568
    assert abs(width - 2 * height) <= 1
    size = len(data) * 3 // 4
    assert note == Text(f"[{mime} 2400×1200, {size} bytes: shown at {width}×{height}]")


def test_a_drawing_stays_a_png_and_transparency_stays() -> None:
    drawing = Pillow.new("RGBA", (3_000, 1_000), (0, 0, 0, 0))
    drawing.paste((255, 0, 0, 255), (100, 100, 900, 900))
    buffer = io.BytesIO()
    drawing.save(buffer, "PNG")
    image, _ = shown(("image/png", base64.b64encode(buffer.getvalue()).decode()))
    assert isinstance(image, Image)
    assert image.mime_type == "image/png"
    assert opened(image).mode == "RGBA"


def test_the_images_of_an_answer_share_one_length_and_one_number() -> None:
    pictures = [("image/png", file(700, 500)) for _ in range(MOST_IMAGES + 2)]
    contents = shown(*pictures)
    images = [content for content in contents if isinstance(content, Image)]
    assert len(images) == MOST_IMAGES
    assert sum(len(image.data) for image in images) <= MOST_BASE64
    notes = [content.text for content in contents if isinstance(content, Text)]
    assert sum("not shown, as an answer holds 8 images" in note for note in notes) == 2
    assert all("see it with wait_run(" in note for note in notes if "not shown" in note)


def test_a_small_budget_makes_small_images() -> None:
    image, note = shown(("image/png", file(1_200, 900)), settings=Settings(max_tokens=300))
    assert isinstance(image, Image)
    width, height = opened(image).size
    assert width * height < 300 * 750
    assert isinstance(note, Text)


def test_an_image_that_no_format_packs_small_enough_is_named() -> None:
    fitted = fit_picture(Picture(file(300, 200), "image/png"), tokens=1_000, length=500)
    assert fitted.image is None
    assert fitted.note is not None
    assert fitted.note.endswith(": too large for what is left of the budget]")


def test_what_is_no_image_is_told() -> None:
    for broken in ("", "A", "!" * 50, base64.b64encode(b"no image").decode()):
        (told,) = shown(("image/png", broken))
        assert isinstance(told, Text)
        assert "it cannot be read]" in told.text
    cut = file(2_400, 1_200)[:2_000]
    (told,) = shown(("image/png", cut))
    assert isinstance(told, Text)
    assert "2400×1200" in told.text
    assert "it cannot be read]" in told.text


def test_an_image_that_would_take_all_memory_is_not_opened() -> None:
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (100_000).to_bytes(4, "big") * 2
    (told,) = shown(("image/png", base64.b64encode(head).decode()))
    assert isinstance(told, Text)
    assert told.text.endswith("too large to be scaled]")


def test_without_images_a_line_names_each_with_its_text() -> None:
    outputs = DisplayOutput({"image/png": file(30, 20), "text/plain": "a plot of sales"})
    settings = Settings(images=False)
    (line, _) = texts(CodeRun(result(outputs)), settings)
    assert line.startswith("[image/png 30×20, ")
    assert line.endswith("images are switched off] a plot of sales")


def test_without_pillow_images_are_shown_as_they_are_or_a_line_says_why_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "jupyter_agent_core.rendering.scaling", None)
    fine, large = file(1_600, 100), file(2_400, 1_200)
    assert shown(("image/png", fine)) == [Image(fine, "image/png")]
    (told,) = shown(("image/png", large))
    assert isinstance(told, Text)
    assert "Pillow, which would scale it, is not installed" in told.text


# --- SVG


def test_an_svg_is_told_in_words() -> None:
    told = f"SVG drawing, {len(SVG)} characters; size 40×20; 1 rect; texts: north"
    assert shown(("image/svg+xml", SVG)) == [Text(told)]
    (broken,) = shown(("image/svg+xml", "<svg><broken"))
    assert broken == Text("SVG drawing, 12 characters; not well-formed; no shapes")


def test_secrets_in_the_texts_of_an_svg_are_masked() -> None:
    drawing = SVG.replace("north", "ghp_" + "a1B2" * 9)
    (told,) = shown(("image/svg+xml", drawing), settings=Settings(mask_secrets=True))
    assert isinstance(told, Text)
    assert "texts: [masked: GitHub token, 40 characters]" in told.text


def test_a_page_of_a_cell_shows_the_images_on_it() -> None:
    data = file(30, 20)
    snapshot = cell(0, "a\nb", outputs=(DisplayOutput({"image/png": data}),))
    contents = render(CellView(snapshot, True, start_line=3))
    assert Image(data, "image/png") in contents
    assert texts(CellView(snapshot, True, start_line=3))[-1] == "[lines 3-3 of 3]"


def turned_photograph(width: int, height: int) -> str:
    """A JPEG whose left half is white, and that is to be shown turned to the right."""
    image = Pillow.new("RGB", (width, height), "black")
    image.paste("white", (0, 0, width // 2, height))
    tags = Pillow.Exif()
    tags[ExifTags.Base.Orientation] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=tags)
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize(("width", "height"), [(400, 200), (3_000, 1_500)])
def test_a_photograph_is_shown_as_its_camera_was_held(width: int, height: int) -> None:
    image, note = shown(("image/jpeg", turned_photograph(width, height)))
    assert isinstance(image, Image)
    assert isinstance(note, Text)
    picture = Pillow.open(io.BytesIO(base64.b64decode(image.data)))
    assert picture.height == 2 * picture.width
    assert f"shown at {picture.width}×{picture.height}" in note.text
    top, bottom = (picture.getpixel((9, place)) for place in (9, picture.height - 9))
    assert (min(top), max(bottom)) >= (200, 0)
    assert max(bottom) < 60
    assert picture.getexif() == {}
