# SPDX-License-Identifier: BSD-3-Clause
"""HTML as tags and texts, in time that grows as its length does, whatever it is.

The parser of the standard library takes minutes for a page of tags that do not end.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping

import attrs

MOST_HTML = 500_000
"""Characters of a page that are read."""
_BEGIN = r"<(?P<end>/?)(?P<name>[a-zA-Z][^\s/<>]*)"
# browsers take what is in quotes as a value, with whatever signs
_TAG = re.compile(_BEGIN + r"(?P<rest>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>")
_MOST_SIGNS = 1_000
"""Characters of a tag that has `<` or `>` in a value; each other one ends at the next of them."""
_LONG_TAG = re.compile(_BEGIN + r"(?P<rest>(?:[^<>\"']++|\"[^\"<>]*+\"|'[^'<>]*+')*+)>")
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+)))?""")
_DECLARATION = re.compile(r"<[!?][^>]*>?")
# a packed file in a tag: its type and its length are enough
_PACKED = re.compile(r"(data:[\w.+-]{1,99}/[\w.+-]{1,99})[;,][^\"'<>\s]{200,}")
# elements whose content is no HTML
_RAW = {"script", "style", "textarea", "title"}


@attrs.frozen
class Start:
    """The beginning of an element.

    Attributes:
        name: Its name in small letters.
        attributes: Its attributes.
    """

    name: str
    attributes: Mapping[str, str]


@attrs.frozen
class End:
    """The end of an element.

    Attributes:
        name: Its name in small letters.
    """

    name: str


def tags_of(page: str) -> Iterator[Start | End | str]:
    """Yield the tags of a page and the texts between them; what is no tag is text."""
    page = _PACKED.sub(_shortened, page)
    place = begin = 0
    while (place := page.find("<", place)) >= 0:
        if page.startswith("<!--", place):
            tag, end = None, _behind(page, "-->", place + 4)
        elif declaration := _DECLARATION.match(page, place):
            tag, end = None, declaration.end()
        elif found := _TAG.match(page, place, place + _MOST_SIGNS) or _LONG_TAG.match(page, place):
            name = found["name"].lower()
            end = found.end()
            tag = End(name) if found["end"] else Start(name, _attributes(found["rest"]))
        else:
            place += 1
            continue
        yield html.unescape(page[begin:place])
        if tag is not None:
            yield tag
        if isinstance(tag, Start) and tag.name in _RAW:
            closing = re.compile(f"</{tag.name}", re.IGNORECASE).search(page, end)
            stop = closing.start() if closing else len(page)
            yield page[end:stop]
            end = stop
        place = begin = end
    yield html.unescape(page[begin:])


def _behind(page: str, sign: str, place: int) -> int:
    found = page.find(sign, place)
    return len(page) if found < 0 else found + len(sign)


def _attributes(text: str) -> dict[str, str]:
    found = _ATTRIBUTE.finditer(text)
    return {f[1].lower(): html.unescape(f[2] or f[3] or f[4] or "") for f in found}


def _shortened(found: re.Match[str]) -> str:
    return f"{found[1]};{len(found[0])}"
