# SPDX-License-Identifier: BSD-3-Clause
"""Sources that a server has torn.

A server that begins again with its store writes its file over that: it deletes the source of a
cell that differs, and puts that of the file behind it (`YNotebook.set`). Edits that are not in the
store come afterwards, from whoever has them: what they put in is left around the text of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .text_edits import text_edits


def is_torn(source: str, states: Sequence[str]) -> bool:
    """Say whether a source is what late edits have put in, around the text of a file.

    Args:
        source: What a server has.
        states: What the source was after each of the edits, the oldest first; the file and the
            store hold one of them each.
    """
    left = set(_late(states))
    return any(
        source[:place] + source[place + len(file) :] in left
        for file in set(states)
        for place in _places(file, source)
    )


def _late(states: Sequence[str]) -> Iterator[str]:
    """What is left of each state's successors in the last one: what they have put in."""
    text = states[0]
    born = [0] * len(text.encode())
    for step, after in enumerate(states[1:], 1):
        for edit in text_edits(text, after):
            born[edit.start : edit.stop] = [step] * len(edit.replacement.encode())
        text = after
    data = text.encode()
    for stored in range(len(states) - 1):
        yield bytes(byte for byte, step in zip(data, born, strict=True) if step > stored).decode()


def _places(text: str, source: str) -> Iterator[int]:
    """Where a text stands in a source; one that is empty, at its start."""
    place = source.find(text)
    while place >= 0:
        yield place
        place = source.find(text, place + 1) if text else -1
