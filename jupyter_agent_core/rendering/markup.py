# SPDX-License-Identifier: BSD-3-Clause
"""HTML as text: headings, lists, links, and tables as Markdown or CSV."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .tables import Row, Table
from .tags import MOST_HTML, End, Start, tags_of

_SKIPPED = {"head", "noscript", "script", "style", "template"}
_BLOCKS = {
    *("address", "article", "aside", "blockquote", "caption", "center", "details", "dd", "div"),
    *("dl", "dt", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("header", "hr", "li", "main", "nav", "ol", "option", "p", "pre", "section", "summary"),
    *("table", "text", "ul"),
}
# what is inside of them is for browsers that cannot show them
_EMBEDDING = {"audio", "iframe", "object", "video"}
# a script may fill what has a name
_BLANK_PAGE = re.compile(
    r"(?:\s|</?(?:b|br|code|div|i|p|pre|span)"
    r"(?:\s{1,9}(?:class|style)=(?:\"[^\"]{0,999}\"|'[^']{0,999}'))*\s{0,9}/?>)*"
)
_BLANKS = re.compile(r"[ \t\r\n\f]+")


class _Reader:
    """Collects pieces of text, and tables where they stand between them."""

    def __init__(self, *, mask_secrets: bool) -> None:
        self.pieces: list[str | Table] = []
        self._mask_secrets = mask_secrets
        self._skipping = 0
        self._verbatim = 0
        self._rows: list[Row] | None = None
        self._in_head = False
        self._cell: list[str] | None = None
        self._depth = 0
        self._links: list[str] = []

    def read(self, html: str) -> None:
        """Take all of a page."""
        for part in tags_of(html):
            match part:
                case Start():
                    self._start(part.name, part.attributes)
                case End():
                    self._end(part.name)
                case str():
                    self._data(part)
        self._end_table()

    def _start(self, tag: str, given: Mapping[str, str]) -> None:
        if tag in _SKIPPED or tag in _EMBEDDING:
            self._skipping += 1
        if tag in _EMBEDDING or tag in ("embed", "source"):
            self._embedded(tag, given)
        elif tag == "table":
            self._depth += 1
            if self._depth == 1:
                self._rows = []
        elif self._depth == 1 and tag in ("thead", "tbody", "tr", "td", "th"):
            self._table_tag(tag, given)
        elif tag in ("td", "th"):
            self._put(" ")
        elif tag == "br":
            self._put("\n")
        elif tag == "a":
            self._links.append(given.get("href", ""))
        elif tag == "img":
            self._image(given)
        elif tag in _BLOCKS:
            self._block(tag)

    def _table_tag(self, tag: str, given: Mapping[str, str]) -> None:
        assert self._rows is not None
        if tag in ("thead", "tbody"):
            self._in_head = tag == "thead"
        elif tag == "tr":
            self._end_cell()
            self._rows.append(Row(in_head=self._in_head))
        else:
            self._end_cell()
            if not self._rows:
                self._rows.append(Row(in_head=self._in_head))
            self._cell = []
            span = (_number(given.get("colspan")), _number(given.get("rowspan")))
            self._rows[-1].begin(is_header=tag == "th", span=span)

    def _image(self, given: Mapping[str, str]) -> None:
        alternative, source = given.get("alt", ""), given.get("src", "")
        said = f"[image{': ' * bool(alternative)}{alternative}]"
        if source.startswith("data:"):
            said = _packed(source) + f" {alternative}" * bool(alternative)
        self._put(said)

    def _embedded(self, tag: str, given: Mapping[str, str]) -> None:
        source = given.get("src") or given.get("data") or ""
        if page := given.get("srcdoc"):
            text = html_text(page, mask_secrets=self._mask_secrets)
            self._put(f"\n{text or f'[{tag}, {len(page)} characters of HTML]'}\n")
        elif source.startswith("data:"):
            self._put(_packed(source))
        elif source:
            self._put(f"[{tag}: {source}]")

    def _block(self, tag: str) -> None:
        self._put("\n")
        if tag[0] == "h" and tag[1:].isdecimal():
            self._put("#" * int(tag[1:]) + " ")
        elif tag == "li":
            self._put("- ")
        elif tag == "pre":
            self._verbatim += 1

    def _end(self, tag: str) -> None:
        if tag in _SKIPPED or tag in _EMBEDDING:
            self._skipping = max(0, self._skipping - 1)
        elif tag == "table" and self._depth:
            self._depth -= 1
            if self._depth == 0:
                self._end_table()
        elif self._depth == 1 and tag in ("td", "th", "tr"):
            self._end_cell()
        elif self._depth == 1 and tag == "thead":
            self._in_head = False
        elif tag == "a" and self._links:
            target = self._links.pop()
            if target.startswith(("http://", "https://")):
                self._put(f" ({target})")
        elif tag in _BLOCKS:
            self._verbatim -= tag == "pre" and self._verbatim > 0
            self._put("\n")

    def _data(self, data: str) -> None:
        if not self._skipping:
            self._put(data if self._verbatim else _BLANKS.sub(" ", data))

    def _put(self, text: str) -> None:
        if self._cell is not None:
            self._cell.append(text)
        elif self._rows is None:
            self.pieces.append(text)
        elif text.strip():
            self.pieces.append(text.strip() + "\n")  # a caption

    def _end_table(self) -> None:
        if self._rows is not None:
            self._end_cell()
            self.pieces.append(Table.of(self._rows))
            self._rows = None

    def _end_cell(self) -> None:
        if self._cell is not None and self._rows:
            self._rows[-1].end(" ".join("".join(self._cell).split()))
        self._cell = None


def _packed(source: str) -> str:
    """What is said of a file in the page itself, which may be cut to its length."""
    kind, _, rest = source.removeprefix("data:").partition(";")
    length = rest if rest.isdecimal() else len(source)
    return f"[{kind.partition(',')[0]}, {length} characters]"


def _number(value: str | None) -> int:
    if not value or not re.fullmatch("[0-9]{1,9}", value):
        return 1
    return min(1_000, max(1, int(value)))


def is_blank(html: object) -> bool:
    """Return that there is nothing on a page, not even what only a browser could show."""
    return isinstance(html, str) and _BLANK_PAGE.fullmatch(html) is not None


def html_text(html: str, *, mask_secrets: bool = False) -> str:
    """Return what a reader of a page sees, as text; empty if that is nothing.

    Of a page of more than `MOST_HTML` characters, that is what comes first, and how much was
    not read.

    Args:
        html: The page.
        mask_secrets: Put a note in the place of what a table calls a secret.
    """
    reader = _Reader(mask_secrets=mask_secrets)
    reader.read(html[:MOST_HTML])
    words: list[list[str]] = [[]]
    tables: list[Table] = []
    for piece in reader.pieces:
        if isinstance(piece, Table):
            tables.append(piece.without_secrets() if mask_secrets else piece)
            words.append([])
        else:
            words[-1].append(piece)
    first, *others = (re.sub(r"(?<! ) *\n[ \n]*", "\n", "".join(texts)) for texts in words)
    parts = [first.strip("\n")]
    for table, after in zip(tables, others, strict=True):
        rest, shape = Table.shape_in(after)
        parts += [table.text(shape or Table.shape_in(first)[1]), rest.strip("\n")]
    parts[0] = Table.shape_in(parts[0])[0].strip("\n") if tables else parts[0]
    unread = len(html) - MOST_HTML
    parts += [f"({unread} more characters of HTML were not read)"] * (unread > 0)
    return "\n".join(part for part in parts if part.strip()).strip()
