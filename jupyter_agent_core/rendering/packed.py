# SPDX-License-Identifier: BSD-3-Clause
"""Files that are packed into text, told by their type and length."""

from __future__ import annotations

import re

_LEAST = 400
"""Characters of base64 that are a file rather than a key or a number."""
_LEAST_CAPITALS = 0.15
"""The part that capital letters have in base64 at least: in paths and names they have less."""
_LINE = r"[A-Za-z0-9+/_-]{48,}"
_BREAK = r"(?:\r?\n[ \t]*|(?:\\r)?\\n)"  # also as it is written in a literal
_END = rf"(?:{_BREAK}[A-Za-z0-9+/_-]{{1,75}}(?==)|{_BREAK}[A-Za-z0-9+/_-]{{20,}})?={{0,2}}"
_BASE64 = re.compile(rf"(?<![A-Za-z0-9+/_-]){_LINE}(?:{_BREAK}{_LINE})*{_END}")
_DATA_URI = re.compile(
    r"data:(?P<type>[\w.+-]{1,99}/[\w.+-]{1,99})(?:;[\w=.-]{1,99}){0,9};base64,"
    rf"(?P<data>{_LINE}(?:{_BREAK}{_LINE})*{_END}|[A-Za-z0-9+/_-]{{20,}}={{0,2}})"
)


def without_base64(text: str) -> str:
    """Return the text with a note in the place of files that are packed into it."""
    if "base64," in text:
        text = _DATA_URI.sub(_data_uri, text)
    return _BASE64.sub(_packed, text) if len(text) >= _LEAST else text


def _data_uri(found: re.Match[str]) -> str:
    return f"[{found['type']}, {_length(found['data']) * 3 // 4} bytes]"


def _packed(found: re.Match[str]) -> str:
    run = found[0]
    length = _length(run)
    is_mixed = all(re.search(kind, run) for kind in ("[a-z]", "[0-9]"))
    capitals = sum(map(str.isupper, run))
    if length < _LEAST or not is_mixed or capitals < _LEAST_CAPITALS * length:
        return run
    return f"[base64, {length} characters]"


def _length(run: str) -> int:
    return len(re.sub(r"\s|\\[rn]", "", run))
