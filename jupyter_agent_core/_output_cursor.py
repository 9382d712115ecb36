# SPDX-License-Identifier: BSD-3-Clause
"""Places in the outputs of a run that stay valid while it adds more.

A cursor is a place and two checksums: of all outputs before it, and of the unfinished line
behind it that was seen. So it is known whether something before it has changed since (outputs
were cleared, a display was updated), and whether a progress bar has moved on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from zlib import crc32

import attrs

from ._errors import ConfigurationError
from ._values import Output, StreamOutput

_SHOWN = 60  # characters of what is no cursor
_PLACE = re.compile(r"[0-9]{1,18}")


@attrs.frozen
class OutputPosition:
    """A place in the outputs of a run.

    Attributes:
        index: How many outputs lie before it.
        character: How much of the text of the next one does.
    """

    index: int
    character: int = 0


BEGIN = OutputPosition(0)


def cursor_at(outputs: Sequence[Output], position: OutputPosition, *, seen: str = "") -> str:
    """Return the cursor for a place.

    Args:
        outputs: All outputs of the run.
        position: The place.
        seen: What was seen behind it, to be shown again if it changes.
    """
    before = _checksum("".join(map(repr, outputs[: position.index])))
    before = _checksum(_text(outputs, position.index)[: position.character], before)
    checks = (f"{check & 0xFFFFFF:06x}" for check in (before, _checksum(seen)))
    return ".".join([str(position.index), str(position.character), *checks])


def end_of(outputs: Sequence[Output]) -> str:
    """Return the cursor behind all outputs; a line that is not finished may be shown again."""
    last = len(outputs) - 1
    if last < 0 or not isinstance(outputs[last], StreamOutput):
        return cursor_at(outputs, OutputPosition(last + 1))
    text = _text(outputs, last)
    line = text.rfind("\n") + 1
    return cursor_at(outputs, OutputPosition(last, line), seen=text[line:])


def position_of(outputs: Sequence[Output], cursor: str) -> OutputPosition | None:
    """Return the place from which on a cursor has not seen the outputs.

    Returns:
        The place; None if what lies before it has changed since.

    Raises:
        ConfigurationError: It is no cursor.
    """
    parts = cursor.split(".")
    if len(parts) != 4 or not all(map(_PLACE.fullmatch, parts[:2])):
        given = cursor if len(cursor) <= _SHOWN else f"{cursor[:_SHOWN]}…"
        raise ConfigurationError(
            f"{given!r} is no cursor of wait_run: leave it out to see all outputs",
            name="since",
            value=cursor,
        )
    position = OutputPosition(int(parts[0]), int(parts[1]))
    text = _text(outputs, position.index)
    rest = text[position.character :]
    now = cursor_at(outputs, position, seen=rest).split(".")
    if position.index > len(outputs) or now[2] != parts[2]:
        return None
    is_stream = position.index < len(outputs) and text
    if is_stream and now[3] == parts[3]:
        return OutputPosition(position.index + 1)
    return position


def outputs_from(outputs: Sequence[Output], position: OutputPosition) -> tuple[Output, ...]:
    """Return the outputs from a place on; what is no stream is there as a whole."""
    rest = tuple(outputs[position.index :])
    if rest and isinstance(rest[0], StreamOutput):
        first = StreamOutput(rest[0].name, rest[0].text[position.character :])
        return (first, *rest[1:])
    return rest


def _text(outputs: Sequence[Output], index: int) -> str:
    """The text of a stream; nothing for what is none."""
    output = outputs[index] if index < len(outputs) else None
    return output.text if isinstance(output, StreamOutput) else ""


def _checksum(text: str, before: int = 0) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"), before)
