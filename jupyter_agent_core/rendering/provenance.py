# SPDX-License-Identifier: BSD-3-Clause
"""What is data, and what are our own words.

Text of notebooks, outputs and collaborators is never mixed with ours: it stands in a table, a
line a row; or between fences that are longer than any in it, so that it cannot end them; or, in
the answer of a run, before the last line. In all of these places a line of data that looks like
one of ours is indented, so that it cannot pass for one.
"""

from __future__ import annotations

import re

import regex

# what no reader sees: before or within what looks like one of our lines
_HIDDEN = r"\p{Default_Ignorable_Code_Point}"
_UNSEEN = rf"[ \t\x1f\u2800\p{{Zs}}{_HIDDEN}]*+"
_LINE_END = r"(?:^|(?<=[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]))"
# how lines of ours begin that stand beside data: headings, states, notices
_BEGINNINGS = ("=====Cell", "…", "Outputs of cell ", "Notebook '", "Changes in notebook ")
_OURS = regex.compile(
    _LINE_END
    + rf"(?={_UNSEEN}(?:\[{_HIDDEN}*[^\W\d_]|"
    + "|".join(f"{_HIDDEN}*".join(map(re.escape, beginning)) for beginning in _BEGINNINGS)
    + "))",
)
_FENCE = re.compile(r"`{3,}")
MARK = "│ "


def as_data(text: str) -> str:
    """Return text of others, with lines that look like ours indented."""
    return _OURS.sub(MARK, text)


def fenced(text: str, kind: str) -> str:
    """Return text between fences that it cannot end itself.

    Args:
        text: Text of others.
        kind: What it is, in a word.
    """
    fence = fence_of(text)
    end = "" if text.endswith("\n") or not text else "\n"
    return f"{fence}{kind}\n{text}{end}{fence}"


def fence_of(text: str) -> str:
    """Return a fence that is longer than any in the text."""
    return "`" * (max(map(len, _FENCE.findall(text)), default=2) + 1)
