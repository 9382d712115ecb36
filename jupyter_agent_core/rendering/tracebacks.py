# SPDX-License-Identifier: BSD-3-Clause
"""Tracebacks kept to what matters: the frames in the user's code, the last frame, the message."""

from __future__ import annotations

import re
from collections.abc import Iterator

# how IPython and plain Python begin a frame
_FRAME = re.compile(
    r"^(?:Cell In\[|Input In |File [^\n]*:\d+,? |File [^\n]*:\d+$|  File \"|<ipython-input)",
)
_USERS = re.compile(r"^(?:Cell In\[|Input In |<ipython-input|  File \"/?(?:<|\S*ipykernel_\d+/))")
_MARGIN = re.compile(r" *\| ")  # of what is within an exception group
RULE = re.compile(r"^-{20,}$")
_LEAST_OMITTED = 2
MOST_FRAMES = 6
"""Frames of the user's code that are shown of each exception: a recursion has thousands."""
LONGEST_MESSAGE = 2_000


def shortened(traceback: str) -> str:
    """Return a traceback without the frames inside libraries, each gap with its count.

    Args:
        traceback: Without colours. What has no frames that can be told stays as it is.
    """
    lines = [line for line in traceback.split("\n") if not RULE.match(line)]
    return "\n".join(_shown(list(_parts(lines)))).strip("\n")


def _parts(lines: list[str]) -> Iterator[list[str]]:
    """Split into frames, each with the lines of code below it, and what stands between."""
    part: list[str] = []
    for line in lines:
        is_frame = _is_frame(line)
        # a message, or the next exception of a chain, is not a part of the frame before
        leaves = bool(part) and _is_frame(part[0]) and _is_outside(_bare(line))
        if part and (is_frame or leaves):
            yield part
            part = []
        part.append(line)
    if part:
        yield part


def _bare(line: str) -> str:
    return line[found.end() :] if (found := _MARGIN.match(line)) else line


def _is_frame(line: str) -> bool:
    return _FRAME.match(_bare(line)) is not None


def _is_outside(line: str) -> bool:
    return bool(line) and not line.startswith((" ", "-", "\t")) and not line[0].isdecimal()


def _shown(parts: list[list[str]]) -> Iterator[str]:
    run: list[list[str]] = []
    for part in [*parts, []]:
        if part and _is_frame(part[0]):
            run.append(part)
            continue
        yield from _frames(run)
        run = []
        yield from map(_bounded, part)


def _frames(frames: list[list[str]]) -> Iterator[str]:
    """The frames of one exception: the user's and the last, with the others counted."""
    kept = {index for index, frame in enumerate(frames) if _USERS.match(_bare(frame[0]))}
    if len(kept) > MOST_FRAMES:
        ordered = sorted(kept)
        kept = {*ordered[: MOST_FRAMES // 2], *ordered[-MOST_FRAMES // 2 :]}
    kept.add(len(frames) - 1)
    omitted: list[list[str]] = []
    for index, frame in enumerate(frames):
        if index not in kept:
            omitted.append(frame)
            continue
        yield from _gap(omitted)
        omitted = []
        yield from frame


def _gap(frames: list[list[str]]) -> Iterator[str]:
    if len(frames) < _LEAST_OMITTED:
        for frame in frames:
            yield from frame
    else:
        yield f"… {len(frames)} frames omitted …"
        yield ""


def _bounded(line: str) -> str:
    if len(line) <= LONGEST_MESSAGE:
        return line
    head, tail = line[: LONGEST_MESSAGE // 2], line[-LONGEST_MESSAGE // 2 :]
    return f"{head}\n… {len(line) - LONGEST_MESSAGE} characters of this line omitted …\n{tail}"
