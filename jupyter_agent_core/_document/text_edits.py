# SPDX-License-Identifier: BSD-3-Clause
"""The smallest edits that turn one text into another, and the merge of two texts."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import attrs
from pycrdt import Doc, Text


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


def merge3(base: str, ours: str, theirs: str) -> str:
    """Merge two texts that both come from `base`, as two editors of one CRDT text would have.

    Insertions of both survive; what either deleted is gone; at one place, theirs comes first.
    """
    if theirs == base:
        return ours
    if ours in (base, theirs):
        return theirs
    origin: Doc[Any] = Doc(client_id=1)
    origin["text"] = Text(base)
    merged, other = (_edited(origin, ours, client_id=3), _edited(origin, theirs, client_id=2))
    merged.apply_update(other.get_update())
    return str(merged.get("text", type=Text))


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
