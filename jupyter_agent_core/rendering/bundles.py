# SPDX-License-Identifier: BSD-3-Clause
"""What says most to a model, of the representations in which a kernel sends one object."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import attrs

from .charts import chart_in_script, chart_of_json
from .markup import html_text
from .svg import SVG, described_svg
from .terminal import displayed

WIDGET = "application/vnd.jupyter.widget-view+json"
_SCRIPTS = ("text/html", "application/javascript")
_TEXTS = ("text/markdown", "text/latex", "application/json", "application/geo+json")
# what stands for an object without saying anything of it
_EMPTY_TWIN = re.compile(r"<[^<>\n]*>|")
_WORD = re.compile(r"\w+")
_SHORT_TWIN = 300
_SHORT_PAGE = 1_000
"""Characters of a page that is shown beside its plain twin."""
_LEAST_NEW = 0.1
"""The part of the words of a page that its plain twin lacks, if the page says more."""


@attrs.frozen
class Representation:
    """A text that stands for an object.

    Attributes:
        text: What is shown of it first.
        full: What is shown of it page by page.
        is_shortened: The text leaves out what the full one has.
    """

    text: str
    full: str
    is_shortened: bool = False

    @classmethod
    def of(cls, text: str) -> Representation:
        """Make one that is shown as a whole."""
        return cls(text, text)


def representation(data: Mapping[str, Any], *, mask_secrets: bool) -> Representation:
    """Return the text that says most of an object; an empty one if there is none.

    Args:
        data: Its representations by their MIME types.
        mask_secrets: Put a note in the place of what a table calls a secret.
    """
    if (chart := _chart(data)) is not None:
        return Representation.of(chart)
    html, twin = data.get("text/html"), plain_twin(data)
    page = html_text(html, mask_secrets=mask_secrets) if isinstance(html, str) else ""
    has_table = bool(page) and "<table" in str(html)
    if has_table and "dataframe" in str(html):
        return Representation.of(page)
    for mime_type in _TEXTS:
        if mime_type in data:
            return _of_text(data[mime_type])
    if isinstance(data.get(SVG), str):
        return Representation.of("\n".join(filter(None, [described_svg(data[SVG]), twin])))
    if page and twin:
        return _page_and_twin(page, twin, has_table=has_table)
    if WIDGET in data and twin:
        return Representation.of(f"{twin}\n(a widget, as it was first shown)")
    return Representation.of(page or twin)


def _chart(data: Mapping[str, Any]) -> str | None:
    for mime_type, value in data.items():
        if (chart := chart_of_json(mime_type, value)) is not None:
            return chart
    for mime_type in _SCRIPTS:
        script = data.get(mime_type)
        if isinstance(script, str) and (chart := chart_in_script(script)) is not None:
            return chart
    return None


def _of_text(value: Any) -> Representation:
    """JSON is brief in one line, and on many lines can be read page by page."""
    if isinstance(value, str):
        return Representation.of(value)
    brief = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Representation(brief, json.dumps(value, indent=1, ensure_ascii=False))


def _page_and_twin(page: str, twin: str, *, has_table: bool) -> Representation:
    """What is shown of a page and of its plain twin, where neither has to say all."""
    in_page, in_twin = set(_WORD.findall(page)), set(_WORD.findall(displayed(twin)))
    is_explained = in_twin <= in_page  # as the parameters of a model are below its name
    both = page if is_explained else f"{twin}\n{page}"
    is_short = len(page) <= _SHORT_PAGE and len(twin) <= _SHORT_TWIN
    if has_table and (is_short or not is_explained or len(page) <= len(twin)):
        return Representation.of(both if len(twin) <= _SHORT_TWIN else page)
    if len(in_page - in_twin) <= _LEAST_NEW * len(in_page):
        return Representation.of(twin)
    if is_short:
        return Representation.of(both)
    note = f"(its HTML says more: {len(page)} characters)"
    return Representation(f"{twin}\n{note}", both, is_shortened=True)


def plain_twin(data: Mapping[str, Any]) -> str:
    """Return the plain text, if it says more than that there is an object."""
    plain = plain_text(data)
    return "" if _EMPTY_TWIN.fullmatch(plain.strip()) else plain


def plain_text(data: Mapping[str, Any]) -> str:
    """Return the plain text; empty if there is none."""
    plain = data.get("text/plain", "")
    return plain if isinstance(plain, str) else ""
