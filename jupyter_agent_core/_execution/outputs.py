# SPDX-License-Identifier: BSD-3-Clause
"""Kernel messages folded into the outputs of one run, without I/O.

The rules are JupyterLab's (`@jupyterlab/outputarea` model): adjacent streams of one name
are one output, `\\r` and `\\b` act within their line, `clear_output(wait=True)` clears when
the next output comes, and a display update changes every output of its `display_id`.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .._values import (
    DisplayOutput,
    ErrorOutput,
    ExecuteResult,
    Output,
    StreamOutput,
)

# displays that can still be updated, for one kernel
_MAX_DISPLAYS = 1000
# characters of text that are kept of a run, and those of its end that are kept beside them
MAX_TEXT = 8_000_000
MAX_TAIL = 20_000
# outputs that are kept of a run
MAX_OUTPUTS = 2_000
_CONTROLS = re.compile(r"([\r\b])")


class StreamText:
    """The text of a stream, with a cursor in its last line.

    Attributes:
        name: `"stdout"`, `"stderr"` or `"stdin"`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._settled: list[str] = []
        self._settled_length = 0
        #: the last line, in pieces as long as nothing is overwritten in it
        self._pieces: list[str] = []
        self._line_length = 0
        self._cursor = 0
        self._committed = 0
        self._committed_line = ""

    def __len__(self) -> int:
        """How many characters the text has."""
        return self._settled_length + self._line_length

    def write(self, text: str) -> None:
        """Append what the kernel wrote."""
        if self._cursor == self._line_length and not _CONTROLS.search(text):
            self._append(text)
            return
        for number, part in enumerate(text.split("\n")):
            if number:
                self._settle()
            if not _CONTROLS.search(part) and self._cursor == self._line_length:
                self._append(part)
            elif part:
                self._overwrite(part)

    def _append(self, text: str) -> None:
        """Write at the end: all lines at once, as there may be very many."""
        whole, newline, last = text.rpartition("\n")
        if newline:
            self._settle(whole)
        self._pieces.append(last)
        self._cursor = self._line_length = self._line_length + len(last)

    @property
    def _line(self) -> str:
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def _settle(self, rest: str = "") -> None:
        """End the last line, after the rest of it and any whole lines below."""
        lines = f"{self._line}{rest}\n"
        self._settled.append(lines)
        self._settled_length += len(lines)
        self._pieces, self._line_length, self._cursor = [], 0, 0

    def _overwrite(self, text: str) -> None:
        line = self._line
        for piece in _CONTROLS.split(text):
            if piece == "\r":
                self._cursor = 0
            elif piece == "\b":
                if self._cursor:
                    self._cursor -= 1
                    line = line[: self._cursor] + line[self._cursor + 1 :]
            elif piece:
                end = self._cursor + len(piece)
                line = line[: self._cursor] + piece + line[end:]
                self._cursor = end
        self._pieces, self._line_length = [line], len(line)

    @property
    def text(self) -> str:
        """All of the text."""
        return "".join(self._settled) + self._line

    def commit(self) -> tuple[str, str]:
        """Return what the last commit ended with, and what has to stand in its place now.

        Only the last line can have changed; whole lines before it never do.
        """
        was = self._committed_line
        now = "".join(self._settled[self._committed :]) + self._line
        self._committed = len(self._settled)
        self._committed_line = self._line
        return was, now


class Overflow:
    """What is too much to keep: how much it was, and the end of its text.

    Attributes:
        left_out: How many outputs that are no text it had.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._length = 0
        self._name = "stdout"
        self._tail = ""

    def __bool__(self) -> bool:
        """Whether there was something."""
        return bool(self._length or self.left_out)

    def add(self, name: str, text: str) -> None:
        """Take more text."""
        self._length += len(text)
        self._name = name
        self._tail = (self._tail + text[-MAX_TAIL:])[-MAX_TAIL:]

    def told(self) -> tuple[str, str]:
        """Return the name of the last stream, and text that says what is missing, with the end."""
        missing = self._length - len(self._tail)
        parts = [f"{missing} characters of output"] if missing else []
        parts += [f"{self.left_out} outputs"] if self.left_out else []
        notice = f"\n[… {' and '.join(parts)} were not kept …]\n" if parts else ""
        return self._name, notice + self._tail


Item = StreamText | DisplayOutput | ExecuteResult | ErrorOutput


def _size(item: DisplayOutput | ExecuteResult | ErrorOutput) -> int:
    if isinstance(item, ErrorOutput):
        return len(item.evalue) + sum(map(len, item.traceback))
    return sum(
        len(value if isinstance(value, str) else repr(value)) for value in item.data.values()
    )


def output_of(type_: str, content: Mapping[str, Any]) -> Output | None:
    """Return what one iopub message adds to the outputs, None if it adds nothing."""
    if type_ == "stream":
        return StreamOutput(content["name"], content["text"])
    if type_ == "display_data":
        return DisplayOutput(content["data"], content["metadata"])
    if type_ == "execute_result":
        return ExecuteResult(content["data"], content["metadata"], content["execution_count"])
    if type_ == "error":
        return ErrorOutput(content["ename"], content["evalue"], tuple(content["traceback"]))
    return None


class Displays:
    """Which outputs of one kernel show which `display_id`."""

    def __init__(self) -> None:
        self._targets: OrderedDict[str, list[tuple[OutputFold, int]]] = OrderedDict()

    def add(self, display_id: str, fold: OutputFold, index: int) -> None:
        """Note that the output of the fold shows the display."""
        self._targets.setdefault(display_id, []).append((fold, index))
        self._targets.move_to_end(display_id)
        while len(self._targets) > _MAX_DISPLAYS:
            self._targets.popitem(last=False)

    def update(self, display_id: str, content: Mapping[str, Any]) -> None:
        """Change every output that shows the display."""
        for fold, index in self._targets.get(display_id, ()):
            fold.replace(index, content["data"], content["metadata"])

    def forget(self, fold: OutputFold) -> None:
        """The outputs of the fold are gone."""
        self._forget(lambda other: other is fold)

    def clear(self) -> None:
        """Nothing will be updated any more."""
        self._targets.clear()

    def forget_cell(self, cell_id: str) -> None:
        """The outputs of the cell are gone."""
        self._forget(lambda other: other.cell_id == cell_id)

    def _forget(self, is_gone: Callable[[OutputFold], bool]) -> None:
        for display_id, targets in list(self._targets.items()):
            targets[:] = [target for target in targets if not is_gone(target[0])]
            if not targets:
                del self._targets[display_id]


def folded(outputs: Iterable[Output]) -> OutputFold:
    """Fold outputs as somebody else has stored them, message by message perhaps."""
    fold = OutputFold(Displays(), bounded=False)
    for output in outputs:
        fold.add(output)
    return fold


class OutputFold:
    """The outputs of one run, as messages come in.

    Attributes:
        items: The outputs.
        cell_id: The cell that shows them, if one does.
        overflowed: There was more text than is kept.

    Args:
        displays: The displays of the kernel.
        on_change: Called after each change.
        cell_id: The cell that shows the outputs, if one does.
        bounded: Keep of very much text the beginning and the end.
    """

    def __init__(
        self,
        displays: Displays,
        on_change: Callable[[], None] | None = None,
        cell_id: str | None = None,
        *,
        bounded: bool = True,
    ) -> None:
        self._bounded = bounded
        self.items: list[Item] = []
        self.cell_id = cell_id
        self._changed_from = 0
        self._displays = displays
        self._on_change = on_change
        self._clear_next = False
        self._kept = 0
        #: characters of the outputs that are no stream, None until somebody asks
        self._beside: int | None = None
        self._overflow = Overflow()
        self.overflowed: bool = False

    def feed(self, type_: str, content: Mapping[str, Any]) -> None:
        """Fold in one iopub message; types that leave no output are ignored."""
        output = output_of(type_, content)
        if output is not None:
            if self._clear_next:
                self._clear()
            is_display = isinstance(output, DisplayOutput | ExecuteResult)
            transient = content.get("transient", {}) if is_display else {}
            self.add(output, transient.get("display_id"))
        elif type_ == "clear_output":
            if content.get("wait"):
                self._clear_next = True
            else:
                self._clear()
        else:
            return
        if self._on_change is not None:
            self._on_change()

    def add(self, output: Output, display_id: str | None = None) -> None:
        """Add an output, which may be one that can be updated."""
        if isinstance(output, StreamOutput):
            self._stream(output.name, output.text)
            return
        if isinstance(output, ErrorOutput):
            self.finish()
        elif self._bounded and len(self.items) >= MAX_OUTPUTS:
            self.overflowed = True
            self._overflow.left_out += 1
            return
        if display_id:
            self._displays.add(display_id, self, len(self.items))
        self._append(output)

    def finish(self) -> None:
        """No text follows: add what is known of what was too much."""
        overflow, self._overflow = self._overflow, Overflow()
        if overflow:
            self._write_stream(*overflow.told())

    def outputs(self) -> tuple[Output, ...]:
        """Return all outputs until now, as values."""
        return tuple(
            StreamOutput(item.name, item.text) if isinstance(item, StreamText) else item
            for item in self.items
        )

    @property
    def size(self) -> int:
        """About how many characters the outputs have."""
        if self._beside is None:
            self._beside = sum(_size(i) for i in self.items if not isinstance(i, StreamText))
        return self._kept + self._beside

    def take_changed(self) -> int:
        """Return the index of the first output that has changed since the last call."""
        first, self._changed_from = self._changed_from, len(self.items)
        return first

    def mark_changed(self) -> None:
        """Treat all outputs as changed."""
        self._changed_from = 0

    @property
    def error(self) -> ErrorOutput | None:
        """The exception that ended the run, if one did."""
        return next((i for i in reversed(self.items) if isinstance(i, ErrorOutput)), None)

    def replace(self, index: int, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """Change what a display shows."""
        item = self.items[index]
        if isinstance(item, ExecuteResult):
            self.items[index] = ExecuteResult(data, metadata, item.execution_count)
        else:
            self.items[index] = DisplayOutput(data, metadata)
        self._beside = None
        self._changed_from = min(self._changed_from, index)
        if self._on_change is not None:
            self._on_change()

    def _stream(self, name: str, text: str) -> None:
        room = len(text)
        if self._bounded:
            last = self.items[-1] if self.items else None
            is_another = not isinstance(last, StreamText) or last.name != name
            is_full = is_another and len(self.items) >= MAX_OUTPUTS
            room = 0 if is_full else max(0, MAX_TEXT - self._kept)
        if text[room:]:
            self.overflowed = True
            self._overflow.add(name, text[room:])
        if text[:room]:
            self._write_stream(name, text[:room])

    def _write_stream(self, name: str, text: str) -> None:
        last = self.items[-1] if self.items else None
        if isinstance(last, StreamText) and last.name == name:
            before = len(last)
            last.write(text)
            self._kept += len(last) - before
            self._changed_from = min(self._changed_from, len(self.items) - 1)
        else:
            stream = StreamText(name)
            stream.write(text)
            self._kept += len(stream)
            self._append(stream)

    def _append(self, item: Item) -> None:
        self._beside = None
        self._changed_from = min(self._changed_from, len(self.items))
        self.items.append(item)

    def _clear(self) -> None:
        self._clear_next = False
        self._displays.forget(self)
        self._kept = 0
        self._beside = None
        self._overflow = Overflow()
        self.overflowed = False
        self.items.clear()
        self._changed_from = 0
