# SPDX-License-Identifier: BSD-3-Clause
"""Outputs as a model reads them: one representation for each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from .._values import (
    CellSnapshot,
    DisplayOutput,
    ErrorOutput,
    ExecuteResult,
    Output,
    StreamOutput,
    strip_ansi,
)
from .bundles import plain_text, plain_twin, representation
from .content import Settings
from .images import Picture
from .markup import is_blank
from .masking import masked
from .packed import without_base64
from .provenance import as_data
from .terminal import collapsed, displayed
from .tracebacks import RULE, shortened

_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
LONGEST_LINE = 1_000
"""Characters that are counted as one line: a page holds at least one."""
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which no host can be sent


@attrs.frozen
class Block:
    """One piece of what a model reads, at full length.

    Attributes:
        kind: `source`, `stdout`, `stderr`, `display`, `result` or `error`.
        text: What is shown of it first; for a picture, its text twin.
        full: What is shown of it page by page.
        picture: The image that it is.
        index: Its place among the outputs.
        is_shortened: The text leaves out what the full one has; it may have it in other lines, too.
    """

    kind: str
    text: str
    full: str
    picture: Picture | None = None
    index: int = 0
    is_shortened: bool = False

    @property
    def lines(self) -> int:
        """Lines of the full text; an image is one, a line that is long as many as its pieces."""
        if self.picture:
            return 1
        lines = self.full.removesuffix("\n").split("\n")
        return len(lines) + sum(_count(line) - 1 for line in lines if len(line) > LONGEST_LINE)

    def pieces(self) -> list[str]:
        """Return what is counted as a line each, with the line ends that there are."""
        return _pieces(self.full.removesuffix("\n"))

    def place(self, line: int) -> int:
        """Return how many pieces lie before a line of the full text."""
        return sum(_count(text) for text in self.full.split("\n")[:line])


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text with their numbers from 0 on; long ones are several."""
    number = 0
    for line in text.removesuffix("\n").split("\n"):
        yield number, line
        number += _count(line)


def _count(line: str) -> int:
    return max(1, -(-len(line) // LONGEST_LINE))


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    for line in text.split("\n"):
        places = range(0, max(1, len(line)), LONGEST_LINE)
        pieces += [line[place : place + LONGEST_LINE] for place in places]
        pieces[-1] += "\n"
    pieces[-1] = pieces[-1].removesuffix("\n")
    return pieces


def _without_rules(traceback: str) -> str:
    return "\n".join(line for line in traceback.split("\n") if not RULE.match(line)).strip()


def cell_blocks(cell: CellSnapshot, settings: Settings, *, include_outputs: bool) -> list[Block]:
    """Return the source of a cell and its outputs, in their order."""
    source = Block("source", cell.source, cell.source)
    return [source, *(output_blocks(cell.outputs, settings) if include_outputs else [])]


def output_blocks(outputs: Sequence[Output], settings: Settings) -> list[Block]:
    """Return the outputs that show anything, in their order."""
    return [
        attrs.evolve(block, index=index)
        for index, output in enumerate(outputs)
        if (block := output_block(output, settings)) is not None
    ]


def output_block(output: Output, settings: Settings) -> Block | None:
    """Return one output, None if it shows nothing.

    Whatever a kernel sends, an answer comes of it: where a representation makes a reader of it
    fail, a line names it, and the plain text stands below.
    """
    try:
        return _block(output, settings)
    except Exception:  # noqa: BLE001 (whatever a kernel sends, an answer comes of it)
        note = f"[output that cannot be rendered: {_said(output, settings)}]"
        twin = "" if isinstance(output, StreamOutput | ErrorOutput) else plain_twin(output.data)
        text = "\n".join(filter(None, [note, data_text(strip_ansi(twin), settings)]))
        return Block("display", text, text)


def _said(output: Output, settings: Settings) -> str:
    """What an output is, with its length where that is known at once."""
    if isinstance(output, StreamOutput):
        return f"{output.name}, {len(output.text)} characters"
    if isinstance(output, ErrorOutput):
        return data_text(output.ename[:100], settings)
    kinds = (f"{mime}, {_length(item)}" for mime, item in output.data.items())
    return "; ".join(" ".join(kind.split()) for kind in kinds)[:300]


def _length(value: Any) -> str:
    return (
        f"{len(value)} {'characters' if isinstance(value, str) else 'entries'}"
        if isinstance(value, str | list | Mapping)
        else type(value).__name__
    )


def _block(output: Output, settings: Settings) -> Block | None:
    match output:
        case StreamOutput():
            text = stream_text(output.text, settings)
            return Block(output.name, text, text) if text.strip() else None
        case ErrorOutput():
            raw = "\n".join(output.traceback) or f"{output.ename}: {output.evalue}"
            full = data_text(displayed(raw), settings)
            brief = shortened(full)
            is_shortened = brief.strip() != _without_rules(full)
            return Block("error", brief, full, is_shortened=is_shortened)
        case DisplayOutput() | ExecuteResult():
            kind = "result" if isinstance(output, ExecuteResult) else "display"
            return _display(kind, output.data, settings)


def stream_text(text: str, settings: Settings) -> str:
    """Return what a terminal shows in the end, with repeated lines counted."""
    return collapsed(data_text(displayed(text), settings))


def data_text(text: str, settings: Settings) -> str:
    """Return text of others as it may stand beside ours, without files and, if wished, secrets."""
    # first of all, as the notes that come into it are ours
    text = without_base64(as_data(_SURROGATE.sub("\ufffd", text)))
    return masked(text) if settings.mask_secrets else text


def _display(kind: str, data: Mapping[str, Any], settings: Settings) -> Block | None:
    picture, unreadable = _picture(data)
    told = representation(data, mask_secrets=settings.mask_secrets)
    text = data_text(displayed(told.text), settings)
    full = text if told.full == told.text else data_text(displayed(told.full), settings)
    if picture is not None:
        return Block(kind, text, text, picture)
    if unreadable:
        text, full = (f"{unreadable}\n{part}".rstrip() for part in (text, full))
    if not text:
        text = full = _kinds(data, settings)
    return Block(kind, text, full, is_shortened=told.is_shortened) if text else None


def _picture(data: Mapping[str, Any]) -> tuple[Picture | None, str]:
    """The image of a bundle, None if there is none, and what is said of one that is broken."""
    unreadable = ""
    for mime_type in _IMAGES:
        if isinstance(data.get(mime_type), str):
            picture = Picture("".join(data[mime_type].split()), mime_type)
            if picture.kind is not None:
                return picture, ""
            unreadable = unreadable or f"[{picture.named()}: it cannot be read]"
    return None, unreadable


def _kinds(data: Mapping[str, Any], settings: Settings) -> str:
    """What is to be said of an output that cannot be shown."""
    twin = data_text(plain_text(data), settings).strip()
    sizes = {
        mime: _length(item)
        for mime, item in data.items()
        if mime != "text/plain" and not (mime == "text/html" and is_blank(item))
    }
    if not sizes:
        return twin
    kinds = ", ".join(f"{' '.join(mime.split())} ({n})" for mime, n in sizes.items())
    return f"{twin} [output without a text form: {kinds}]".lstrip()
