# SPDX-License-Identifier: BSD-3-Clause
"""The smallest edits that turn one text into another."""

from __future__ import annotations

import difflib

import attrs


@attrs.frozen
class TextEdit:
    """Replace `text[start:stop]` of the old text, in UTF-8 bytes (which pycrdt counts)."""

    start: int
    stop: int
    replacement: str


def text_edits(old: str, new: str) -> list[TextEdit]:
    """Return the edits that turn `old` into `new`, from the end of the text to its start.

    Lines are matched first, then each changed hunk is trimmed to its differing middle:
    text that did not change keeps its identity in the CRDT, and with it the cursors and
    keystrokes of whoever is typing there.
    """
    if old == new:
        return []
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    offsets = [0]
    for line in before:
        offsets.append(offsets[-1] + len(line.encode()))
    edits = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, i1, i2, j1, j2 in reversed(matcher.get_opcodes()):
        if tag != "equal":
            hunk, wanted = "".join(before[i1:i2]), "".join(after[j1:j2])
            edits.append(_trimmed(offsets[i1], hunk, wanted))
    return edits


def _trimmed(offset: int, hunk: str, wanted: str) -> TextEdit:
    shorter = min(len(hunk), len(wanted))
    head = common_prefix(hunk, wanted)
    tail = 0
    while tail < shorter - head and hunk[-1 - tail] == wanted[-1 - tail]:
        tail += 1
    start = offset + len(hunk[:head].encode())
    stop = start + len(hunk[head : len(hunk) - tail].encode())
    return TextEdit(start, stop, wanted[head : len(wanted) - tail])


def common_prefix(one: str, other: str) -> int:
    """Return the number of characters with which both texts begin."""
    shorter = min(len(one), len(other))
    length = 0
    while length < shorter and one[length] == other[length]:
        length += 1
    return length
