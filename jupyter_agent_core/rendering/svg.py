# SPDX-License-Identifier: BSD-3-Clause
"""SVG in words: its size, its texts, how many shapes. It is not drawn.

No tree is built, so that neither depth nor length of a drawing costs more than reading it once.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter

SVG = "image/svg+xml"
MOST_SVG = 1_000_000
"""Characters of a drawing that are read; what comes later is not counted."""
_SHAPES = ("path", "rect", "circle", "line", "polygon", "use")
_TEXTS = ("text", "title", "desc")
_LONGEST_TEXTS = 300
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Facts:
    """Collects what is told of a drawing while it is parsed."""

    def __init__(self) -> None:
        self.size = ""
        self.shapes: Counter[str] = Counter()
        self.texts: list[str] = []
        self._length = 0
        self._within = 0
        self._is_root = True

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Count an element."""
        name = tag.rpartition("}")[2]
        if self._is_root:
            sides = [" ".join(attributes.get(side, "").split()) for side in ("width", "height")]
            self.size = "×".join(sides)[:40] if all(sides) else ""
            self._is_root = False
        if name in _SHAPES:
            self.shapes[name] += 1
        if name in _TEXTS:
            self._within += 1
            self.texts.append("")

    def end(self, tag: str) -> None:
        """Leave an element."""
        self._within -= tag.rpartition("}")[2] in _TEXTS

    def data(self, text: str) -> None:
        """Keep the words of a text."""
        if self._within and self._length < _LONGEST_TEXTS:
            self._length += len(text)
            self.texts[-1] += text[:_LONGEST_TEXTS]

    def close(self) -> None:
        """End the drawing."""


def described_svg(svg: str) -> str:
    """Return what an SVG holds; of one that is broken or too long, what comes before that."""
    facts = _Facts()
    parser = ElementTree.XMLParser(target=facts)  # noqa: S314
    said = [f"SVG drawing, {len(svg)} characters"]
    try:
        # expat reads nothing from outside, and bounds how much entities grow
        parser.feed(_SURROGATE.sub("\ufffd", svg[:MOST_SVG]))
        if len(svg) <= MOST_SVG:
            parser.close()
    except ElementTree.ParseError:
        said.append("not well-formed")
    if len(svg) > MOST_SVG:
        said.append(f"of which the first {MOST_SVG} were read")
    said += [f"size {facts.size}"] * bool(facts.size)
    counts = (f"{facts.shapes[name]} {name}" for name in _SHAPES if facts.shapes[name])
    said.append(", ".join(counts) or "no shapes")
    texts = ", ".join(filter(None, (" ".join(text.split()) for text in facts.texts)))
    said += [f"texts: {texts[:_LONGEST_TEXTS]}"] * bool(texts)
    return "; ".join(said)
