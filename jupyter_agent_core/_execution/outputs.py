# SPDX-License-Identifier: BSD-3-Clause
"""Kernel messages folded into the outputs of one run, without I/O.

The rules are JupyterLab's (`@jupyterlab/outputarea` model): adjacent streams of one name
are one output, `\\r` and `\\b` act within their line, `clear_output(wait=True)` clears when
the next output comes, and a display update changes every output of its `display_id`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
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


class StreamText:
    """The text of a stream, with a cursor in its last line.

    Attributes:
        name: `"stdout"` or `"stderr"`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._settled: list[str] = []
        self._line = ""
        self._cursor = 0
        self._committed = 0
        self._committed_line = ""

    def write(self, text: str) -> None:
        """Append what the kernel wrote."""
        if "\r" not in text and "\b" not in text and self._cursor == len(self._line):
            head, newline, tail = text.rpartition("\n")
            if newline:
                self._settled.append(self._line + head + newline)
                self._line = tail
            else:
                self._line += tail
            self._cursor = len(self._line)
            return
        for number, part in enumerate(text.split("\n")):
            if number:
                self._settled.append(self._line + "\n")
                self._line, self._cursor = "", 0
            self._overwrite(part)

    def _overwrite(self, text: str) -> None:
        line = list(self._line)
        for character in text:
            if character == "\r":
                self._cursor = 0
            elif character == "\b":
                if self._cursor:
                    self._cursor -= 1
                    del line[self._cursor]
            else:
                line[self._cursor : self._cursor + 1] = [character]
                self._cursor += 1
        self._line = "".join(line)

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


Item = StreamText | DisplayOutput | ExecuteResult | ErrorOutput


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
            fold.replace(index, content["data"], content.get("metadata", {}))

    def forget(self, fold: OutputFold) -> None:
        """The outputs of the fold are gone."""
        self._forget(lambda other: other is fold)

    def forget_cell(self, cell_id: str) -> None:
        """The outputs of the cell are gone."""
        self._forget(lambda other: other.cell_id == cell_id)

    def _forget(self, is_gone: Callable[[OutputFold], bool]) -> None:
        for display_id, targets in list(self._targets.items()):
            targets[:] = [target for target in targets if not is_gone(target[0])]
            if not targets:
                del self._targets[display_id]


class OutputFold:
    """The outputs of one run, as messages come in.

    Args:
        displays: The displays of the kernel.
        on_change: Called after each change.
        cell_id: The cell that shows the outputs, if one does.
    """

    def __init__(
        self,
        displays: Displays,
        on_change: Callable[[], None] | None = None,
        cell_id: str | None = None,
    ) -> None:
        self.items: list[Item] = []
        self.cell_id = cell_id
        self._changed_from = 0
        self._displays = displays
        self._on_change = on_change
        self._clear_next = False

    def feed(self, type_: str, content: Mapping[str, Any]) -> None:
        """Fold in one iopub message; types that leave no output are ignored."""
        if type_ == "stream":
            self._clear_if_due()
            self._stream(content["name"], content["text"])
        elif type_ in ("display_data", "execute_result"):
            self._clear_if_due()
            self._display(type_, content)
        elif type_ == "error":
            self._clear_if_due()
            traceback = tuple(content["traceback"])
            self._append(ErrorOutput(content["ename"], content["evalue"], traceback))
        elif type_ == "clear_output":
            self._clear_next = bool(content.get("wait"))
            if not self._clear_next:
                self._clear()
        else:
            return
        if self._on_change is not None:
            self._on_change()

    def outputs(self) -> tuple[Output, ...]:
        """Return all outputs until now, as values."""
        return tuple(
            StreamOutput(item.name, item.text) if isinstance(item, StreamText) else item
            for item in self.items
        )

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
        self._changed_from = min(self._changed_from, index)
        if self._on_change is not None:
            self._on_change()

    def _stream(self, name: str, text: str) -> None:
        last = self.items[-1] if self.items else None
        if isinstance(last, StreamText) and last.name == name:
            last.write(text)
            self._changed_from = min(self._changed_from, len(self.items) - 1)
        else:
            stream = StreamText(name)
            stream.write(text)
            self._append(stream)

    def _display(self, type_: str, content: Mapping[str, Any]) -> None:
        data, metadata = content["data"], content.get("metadata", {})
        display_id = content.get("transient", {}).get("display_id")
        if display_id:
            self._displays.add(display_id, self, len(self.items))
        if type_ == "execute_result":
            self._append(ExecuteResult(data, metadata, content["execution_count"]))
        else:
            self._append(DisplayOutput(data, metadata))

    def _append(self, item: Item) -> None:
        self._changed_from = min(self._changed_from, len(self.items))
        self.items.append(item)

    def _clear_if_due(self) -> None:
        if self._clear_next:
            self._clear_next = False
            self._clear()

    def _clear(self) -> None:
        self._displays.forget(self)
        self.items.clear()
        self._changed_from = 0
