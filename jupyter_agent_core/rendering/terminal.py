# SPDX-License-Identifier: BSD-3-Clause
"""What a terminal would show in the end of what was written to it.

Enough of ECMA-48 for progress bars, status lines and colours (tqdm, rich, pip, test runners):
carriage return, backspace, cursor movements, and what erases. Colours, titles, links and modes
are dropped. The screen has no edges: nothing scrolls away and no line is wrapped.
"""

from __future__ import annotations

import operator
import re
from itertools import groupby, islice

_CONTROL = re.compile(
    r"(?:\x1b\[|\x9b)(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"  # CSI
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)"  # OSC and other strings
    r"|\x1b[ -/]*(?P<escape>[0-~])"
    r"|(?P<one>[\r\n\b\x0b\x0c])"
    r"|[\x00-\x07\x0e-\x1f\x7f-\x84\x86-\x9f]"  # other control characters but the tab
)
# what changes nothing on the screen but colours: most of what there is, so it goes first
_INERT = re.compile(
    r"(?:\x1b\[|\x9b)[0-9:;]*m|\x1b\[\?[0-9;]*[hl]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\([A-Z0-9]"
    r"|[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9a\x9c-\x9f]"
)
_PLAIN = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f]*")
_ELSEWHERE = re.compile(r"[\x1b\x9b\b\x0b\x0c]")
_FAR = 10_000
"""No movement goes farther at once: a broken sequence must not cost memory."""
_MOST_ROWS = 200_000
"""Empty rows that movements downwards leave, in all; then they go down one row."""
_MOST_BLANKS = 2_000_000
"""Blanks that movements to the right leave, in all; then they do not move."""
_MOST_ERASED = 20_000_000
"""Characters that are erased or moved before the cursor, in all; then they stay."""
_ROW = 10
"""A row counts as so many of them: rows are erased one by one."""

# a line of tqdm
_BAR = re.compile(r"(?P<percent>\d{1,3})%\|[^|]*\| [^/ ]+/(?P<total>[^/ ]+) \[")
_LONGEST_BAR = 500

REPEATS = 3
"""Equal lines in a row that are shown as they are."""


class _Screen:
    def __init__(self) -> None:
        self.lines: list[list[str]] = [[]]  # by characters, which are written over in place
        self.row = self.column = 0
        self._saved = (0, 0)
        self._blanks = self._empty_rows = self._erased = 0

    def write(self, text: str) -> None:
        line = self.lines[self.row]
        if self.column > len(line):
            self._blanks += self.column - len(line)
            if self._blanks > _MOST_BLANKS:
                self.column = len(line)
            line.extend(" " * (self.column - len(line)))
        end = self.column + len(text)
        line[self.column : end] = text
        self.column = end

    def go(self, row: int, column: int) -> None:
        self.row, self.column = max(0, row), max(0, column)
        if self.row >= len(self.lines):
            self._empty_rows += self.row - len(self.lines)
            if self._empty_rows > _MOST_ROWS:
                self.row = len(self.lines)
            self.lines.extend([] for _ in range(self.row + 1 - len(self.lines)))

    def control(self, character: str) -> None:
        """Obey one control character."""
        if character == "\r":
            self.column = 0
        elif character == "\b":
            self.column = max(0, self.column - 1)
        else:
            self.go(self.row + 1, 0)

    def escape(self, final: str) -> None:
        """Obey a short escape sequence."""
        if final == "7":
            self._saved = (self.row, self.column)
        elif final == "8":
            self.go(*self._saved)
        elif final == "M":
            self.go(self.row - 1, self.column)
        elif final == "c":
            self._erase_lines(2)
            self.go(0, 0)

    def command(self, parameters: str, final: str) -> None:
        """Obey a control sequence; what is not about place or erasing has no effect."""
        if parameters.startswith(("?", "<", "=", ">")):
            return
        numbers = [_number(parameter) for parameter in parameters.split(";")[:2]]
        first, count = numbers[0], max(1, numbers[0])
        match final:
            case "A" | "F":
                self.go(self.row - count, 0 if final == "F" else self.column)
            case "B" | "E":
                self.go(self.row + count, 0 if final == "E" else self.column)
            case "C":
                self.go(self.row, self.column + count)
            case "D":
                self.go(self.row, self.column - count)
            case "G" | "`":
                self.go(self.row, count - 1)
            case "H" | "f":
                self.go(count - 1, max(1, *numbers[1:2], 1) - 1)
            case "d":
                self.go(count - 1, self.column)
            case "K":
                self._erase_in_line(first)
            case "J":
                self._erase_lines(first)
            case "P":
                line = self.lines[self.row]
                if self._may_erase(len(line) - self.column):
                    del line[self.column : self.column + count]
            case "X":
                column = self.column
                self._blanks += count
                self.write(" " * (count if self._blanks <= _MOST_BLANKS else 0))
                self.column = column
            case "s":
                self._saved = (self.row, self.column)
            case "u":
                self.go(*self._saved)
            case _:
                pass

    def _erase_in_line(self, which: int) -> None:
        line = self.lines[self.row]
        if which == 0:
            del line[self.column :]
        elif which == 1:
            count = min(len(line), self.column + 1)
            if self._may_erase(count):
                line[:count] = " " * count
        elif which == 2:
            line.clear()

    def _erase_lines(self, which: int) -> None:
        if which == 0:
            self._erase_in_line(0)
            del self.lines[self.row + 1 :]
        elif self._may_erase(_ROW * self.row):
            for line in islice(self.lines, self.row):
                line.clear()
            self._erase_in_line(min(which, 2))
            if which != 1:
                del self.lines[self.row + 1 :]

    def _may_erase(self, count: int) -> bool:
        self._erased += max(0, count)
        return self._erased <= _MOST_ERASED


def _number(parameter: str) -> int:
    if not parameter.isdecimal():
        return 0
    # Python refuses to read a number of thousands of digits
    return min(int(parameter.lstrip("0")[:9] or "0"), _FAR)


def displayed(text: str) -> str:
    """Return the text that a terminal shows in the end, without colours."""
    if _PLAIN.fullmatch(text):
        return text
    left = _INERT.sub("", text)
    if _ELSEWHERE.search(left):
        lines = _on_screen(left)
    else:
        lines = [_overwritten(line) for line in left.split("\n")]
    # programs that draw fill their lines with blanks
    return "\n".join(line.rstrip() for line in lines) if "\x1b" in text else "\n".join(lines)


def _overwritten(line: str) -> str:
    """What is left of a line that is written over from its beginning."""
    *before, shown = line.split("\r")
    for other in reversed(before):
        shown += other[len(shown) :]
    return shown


def _on_screen(text: str) -> list[str]:
    screen, end = _Screen(), 0
    for found in _CONTROL.finditer(text):
        if found.start() > end:
            screen.write(text[end : found.start()])
        end = found.end()
        if found["one"]:
            screen.control(found["one"])
        elif found["final"]:
            screen.command(found["parameters"], found["final"])
        elif found["escape"]:
            screen.escape(found["escape"])
    screen.write(text[end:])
    return ["".join(line) for line in screen.lines]


def collapsed(text: str) -> str:
    """Return the text with a count in the place of lines that repeat the one before.

    A progress bar is left out that begins and stands further down as it went on, or goes on in the
    next bars below: notebooks store text in which some movements of the cursor are lost.
    """
    if "\n" not in text:
        return text
    lines = _without_passed_bars(text.split("\n")) if "%|" in text else text.split("\n")
    if not any(map(operator.eq, lines, islice(lines, 1, None))):
        return "\n".join(lines)
    shown: list[str] = []
    for line, group in groupby(lines):
        count = sum(1 for _ in group)
        if count > REPEATS and line.strip():
            shown += [line, f"… the line above {count - 1} more times"]
        else:
            shown += [line] * count
    return "\n".join(shown)


def _without_passed_bars(lines: list[str]) -> list[str]:
    kept: list[str] = []
    below: set[tuple[str, str]] = set()
    next_below: dict[tuple[str, str], int] = {}  # of the bars with nothing else between
    for line in reversed(lines):
        found = _BAR.search(line) if len(line) <= _LONGEST_BAR else None
        if found is None:
            next_below.clear()
            kept.append(line)
            continue
        bar = (line[: found.start()].rstrip(" "), found["total"])
        percent = int(found["percent"])
        if percent >= next_below.get(bar, 0) and (percent > 0 or bar not in below):
            kept.append(line)
        next_below[bar] = percent
        below.add(bar)
    return kept[::-1]
