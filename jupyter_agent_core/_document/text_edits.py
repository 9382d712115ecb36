# SPDX-License-Identifier: BSD-3-Clause
"""The smallest edits that turn one text into another, and the merge of two texts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import attrs
from pycrdt import Doc, Text

# `before[i1:i2]` has become `after[j1:j2]`
_Hunk = tuple[int, int, int, int]
_WORDS = re.compile(r"\w+|\W", re.DOTALL)
# characters from which on a line is data, and matching its words would take long
_LONG_LINE = 1000


@attrs.frozen
class TextEdit:
    """Replace `text[start:stop]` of the old text, in UTF-8 bytes (which pycrdt counts)."""

    start: int
    stop: int
    replacement: str


def text_edits(old: str, new: str) -> list[TextEdit]:
    """Return the edits that turn `old` into `new`, from the end of the text to its start.

    Lines are matched first, then the words of a line that has become another, and what is
    left is trimmed to its differing middle: text that did not change keeps its identity in
    the CRDT, and with it the cursors and keystrokes of whoever is typing there.
    """
    before, after = old.split("\n"), new.split("\n")
    # where each line begins; `str.splitlines` takes more than editors do for the end of one
    starts = list(accumulate((len(line.encode()) + 1 for line in before), initial=0))
    edits = []
    for i1, i2, j1, j2 in reversed(_hunks(before, after)):
        if i2 - i1 == j2 - j1:
            # one by one, so that what is between the changes of two lines stays
            for i, j in zip(reversed(range(i1, i2)), reversed(range(j1, j2)), strict=True):
                edits += _edits_of_line(starts[i], before[i], after[j])
        elif i1 < i2 and j1 < j2:
            hunk, wanted = "\n".join(before[i1:i2]), "\n".join(after[j1:j2])
            edits.append(_trimmed(starts[i1], hunk, wanted))
        else:
            # whole lines with the line end that follows, or after the last line with that before
            behind = i2 == len(before)
            added = "".join(f"\n{line}" if behind else f"{line}\n" for line in after[j1:j2])
            edits.append(TextEdit(starts[i1] - behind, starts[i2] - behind, added))
    return edits


def _edits_of_line(start: int, old: str, new: str) -> list[TextEdit]:
    if max(len(old), len(new)) > _LONG_LINE:
        return [_trimmed(start, old, new)]
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    starts = list(accumulate((len(word.encode()) for word in before), initial=start))
    return [
        _trimmed(starts[i1], "".join(before[i1:i2]), "".join(after[j1:j2]))
        for i1, i2, j1, j2 in reversed(_hunks(before, after))
    ]


def overwritten_lines(old: str, new: str) -> set[int]:
    """Return the 0-based lines of `old` that are not as they were in `new`.

    What follows a line does not change it: a line added to the last one leaves that alone.
    """
    hunks = _hunks(old.split("\n"), new.split("\n"))
    return {line for i1, i2, _, _ in hunks for line in range(i1, i2)}


def lines_at(text: str, start: int, stop: int) -> range:
    """Return the 0-based lines that hold the bytes from `start` to `stop`, one at least."""
    encoded = text.encode()
    first = encoded.count(b"\n", 0, start)
    return range(first, encoded.count(b"\n", 0, max(start, stop - 1)) + 1)


def _hunks(before: Sequence[str], after: Sequence[str]) -> list[_Hunk]:
    """Where lines differ."""
    # difflib is quadratic where many lines are equal, so it gets only what lies between
    head, tail = _common_ends(before, after)
    matcher = difflib.SequenceMatcher(
        None, before[head : len(before) - tail], after[head : len(after) - tail], autojunk=False
    )
    return [
        (head + i1, head + i2, head + j1, head + j2)
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
    ]


def merge3(base: str, ours: str, theirs: str) -> str:
    """Merge two texts that both come from `base`.

    Insertions of both survive; what either deleted is gone; at one place, theirs comes first.
    Lines that only one has touched are his, lines that both have put in stay whole, and lines
    that both have changed are merged as by two editors of one CRDT text.
    """
    if theirs == base:
        return ours
    if ours in (base, theirs):
        return theirs
    origin, one, other = base.split("\n"), ours.split("\n"), theirs.split("\n")
    merged: list[str] = []
    at = 0
    for region in _regions(_hunks(origin, one), _hunks(origin, other)):
        merged += origin[at : region.start]
        at = region.stop
        mine = _lines(origin, region, one, region.ours)
        his = _lines(origin, region, other, region.theirs)
        if not region.theirs or mine == his:
            merged += mine
        elif not region.ours:
            merged += his
        elif all(i1 == i2 for i1, i2, _, _ in region.ours):
            merged += his + [line for _, _, j1, j2 in region.ours for line in one[j1:j2]]
        elif all(i1 == i2 for i1, i2, _, _ in region.theirs):
            merged += [line for _, _, j1, j2 in region.theirs for line in other[j1:j2]] + mine
        else:
            merged += _merged_text(origin[region.start : region.stop], mine, his)
    return "\n".join(merged + origin[at:])


@attrs.define
class _Region:
    """Lines `start` to `stop` of a text, and the hunks of two who have changed it there."""

    start: int
    stop: int
    ours: list[_Hunk] = attrs.field(factory=list)
    theirs: list[_Hunk] = attrs.field(factory=list)


def _regions(ours: Sequence[_Hunk], theirs: Sequence[_Hunk]) -> list[_Region]:
    """Put the hunks of both together where they meet."""
    regions: list[_Region] = []
    sides = [(hunk, True) for hunk in ours] + [(hunk, False) for hunk in theirs]
    for hunk, is_ours in sorted(sides):
        start, stop = hunk[:2]
        last = regions[-1] if regions else None
        if last is None or (start >= last.stop and not start == stop == last.start):
            last = _Region(start, stop)
            regions.append(last)
        last.stop = max(last.stop, stop)
        (last.ours if is_ours else last.theirs).append(hunk)
    return regions


def _lines(
    base: Sequence[str], region: _Region, text: Sequence[str], hunks: Sequence[_Hunk]
) -> list[str]:
    """The lines that a text has in the place of a region of the base."""
    lines: list[str] = []
    at = region.start
    for i1, i2, j1, j2 in hunks:
        lines += [*base[at:i1], *text[j1:j2]]
        at = i2
    return [*lines, *base[at : region.stop]]


def _merged_text(base: list[str], ours: list[str], theirs: list[str]) -> list[str]:
    """Merge lines that both have changed, character by character."""
    # with an end to the last line, too, so that lines come and go there as everywhere
    texts = ["".join(f"{line}\n" for line in lines) for lines in (base, ours, theirs)]
    origin: Doc[Any] = Doc(client_id=1)
    origin["text"] = Text(texts[0])
    merged = _edited(origin, texts[1], client_id=3)
    merged.apply_update(_edited(origin, texts[2], client_id=2).get_update())
    text = str(merged.get("text", type=Text))
    return text.removesuffix("\n").split("\n") if text else []


def _edited(origin: Doc[Any], text: str, *, client_id: int) -> Doc[Any]:
    doc: Doc[Any] = Doc(client_id=client_id)
    doc.apply_update(origin.get_update())
    ytext = doc.get("text", type=Text)
    apply_edits(ytext, text_edits(str(ytext), text))
    return doc


def apply_edits(ytext: Text, edits: Iterable[TextEdit]) -> None:
    """Make the edits in a Yjs text, in one transaction."""
    with ytext.doc.transaction():
        for edit in edits:
            if edit.stop > edit.start:
                del ytext[edit.start : edit.stop]
            if edit.replacement:
                ytext.insert(edit.start, edit.replacement)


def replaced(text: str, edits: Iterable[TextEdit]) -> str:
    """Make the edits, from the end of the text to its start, in a plain text."""
    encoded = text.encode()
    for edit in edits:
        encoded = encoded[: edit.start] + edit.replacement.encode() + encoded[edit.stop :]
    return encoded.decode()


def _trimmed(offset: int, hunk: str, wanted: str) -> TextEdit:
    head, tail = _common_ends(hunk, wanted)
    start = offset + len(hunk[:head].encode())
    stop = start + len(hunk[head : len(hunk) - tail].encode())
    return TextEdit(start, stop, wanted[head : len(wanted) - tail])


def _common_ends(one: Sequence[str], other: Sequence[str]) -> tuple[int, int]:
    """Return the numbers of characters, or of lines, with which both begin, and then end."""
    head = common_prefix(one, other)
    return head, common_prefix(one[head:][::-1], other[head:][::-1])


def common_prefix(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the number of characters, or of lines, with which both begin."""
    shorter = min(len(one), len(other))
    length = 0
    while length < shorter and one[length] == other[length]:
        length += 1
    return length
