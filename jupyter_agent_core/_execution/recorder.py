# SPDX-License-Identifier: BSD-3-Clause
"""The outputs of a run, written into its cell as they come.

What JupyterLab's UI can apply decides how (its `outputarea` and `cells` models): every
output is a Y.Map and stream text a Y.Text; only the last output's text changes, and only
at its end; an output in the middle is changed by writing the tail anew; `execution_state`
is part of the cell. One transaction for each message would cost O(n²), so the first
output is written at once and later ones in batches.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import anyio
from pycrdt import Array, Map, Text

from .._document.changes import Author
from .._document.edits import RunRecorded
from .._document.model import NotebookDocument
from .._document.text_edits import common_prefix
from .._values import DisplayOutput, ErrorOutput, ExecuteResult
from .outputs import Displays, Item, OutputFold, StreamText

INTERVAL = 0.05
_LARGEST = 2**1023


class Recorder:
    """Writes one run into one cell.

    The cell is found by its id each time: it may be moved, cleared or deleted meanwhile,
    and whoever clears its outputs wins.

    Args:
        document: The document that holds the cell.
        cell_id: The cell.
        displays: The displays of the kernel.
        author: Who runs it.
    """

    def __init__(
        self, document: NotebookDocument, cell_id: str, displays: Displays, author: Author
    ) -> None:
        self._document = document
        self._cell_id = cell_id
        self._displays = displays
        self._author = author
        self._base = 0
        self._generation = document.generation
        self._restart()
        self._execution_count: int | None = None
        self._last_write = 0.0
        self._started = False
        self._wake = anyio.Event()
        self._ended = anyio.Event()

    def _restart(self) -> None:
        """Begin behind whatever is in the cell, which is not ours (any more)."""
        self._fold = OutputFold(self._displays, self._on_change, self._cell_id)
        self._written = 0
        self._tail: tuple[StreamText, int] | None = None

    # --- the run's side

    def on_start(self) -> None:
        """The code has been sent: outputs of earlier runs go."""
        self._started = True
        self._displays.forget_cell(self._cell_id)
        ycell = self._document.ycell(self._cell_id)
        outputs = self._document.youtputs(self._cell_id)
        if ycell is None or outputs is None:
            return
        with self._document.record(self._author):
            outputs.clear()
            ycell["execution_count"] = None
            ycell["execution_state"] = "running"

    def on_message(self, type_: str, content: Mapping[str, Any]) -> None:
        """Take one iopub message of the run."""
        if type_ == "execute_input":
            self._execution_count = content["execution_count"]
            return
        outputs = self._document.youtputs(self._cell_id)
        if outputs is not None:
            self._respect_others(outputs)
        self._fold.feed(type_, content)

    def on_end(self) -> None:
        """The run is over, one way or the other, or will never begin."""
        if self._started:
            self._record_end()
        self._ended.set()
        self._wake.set()

    def _record_end(self) -> None:
        self._fold.finish()
        self._write()
        ycell = self._document.ycell(self._cell_id)
        if ycell is not None and "outputs" in ycell:
            with self._document.record(self._author):
                ycell["execution_count"] = self._execution_count
                ycell["execution_state"] = "idle"
                outputs = [_as_nbformat(item) for item in self._fold.items]
                self._document.journal.note(
                    RunRecorded(self._cell_id, outputs, self._execution_count)
                )

    def _on_change(self) -> None:
        # displays may be updated by other cells after the end of this run
        if self._ended.is_set() or time.monotonic() - self._last_write >= INTERVAL:
            self._write()
        else:
            self._wake.set()

    async def run(self) -> None:
        """Write what came too soon after the write before, until the run ends."""
        while not self._ended.is_set():
            await self._wake.wait()
            with anyio.move_on_after(INTERVAL):
                await self._ended.wait()
            self._wake = anyio.Event()
            if not self._ended.is_set():
                self._write()

    # --- the document's side

    def _write(self) -> None:
        self._last_write = time.monotonic()
        outputs = self._document.youtputs(self._cell_id)
        if outputs is None:
            return
        self._respect_others(outputs)
        first = self._fold.take_changed()
        if first < len(self._fold.items) or self._written > first:
            with self._document.record(self._author):
                self._write_from(first, outputs)

    def _respect_others(self, outputs: Array[Map[Any]]) -> None:
        """What others have removed stays removed; what the server has lost is written anew."""
        if self._generation != self._document.generation:
            self._generation = self._document.generation
            self._base = self._written = 0
            self._tail = None
            self._fold.mark_changed()
            with self._document.record(self._author):
                outputs.clear()
        elif self._touched(outputs):
            self._displays.forget(self._fold)
            self._base = len(outputs)
            self._restart()

    def _touched(self, outputs: Array[Map[Any]]) -> bool:
        """Say whether somebody else has changed the outputs."""
        if len(outputs) != self._base + self._written:
            return True
        return self._tail is not None and len(outputs[-1].get("text", ())) != self._tail[1]

    def _write_from(self, first: int, outputs: Array[Map[Any]]) -> None:
        items = self._fold.items
        tail = items[first] if first == self._written - 1 < len(items) else None
        if self._tail is not None and tail is self._tail[0]:
            self._extend_tail(outputs[-1]["text"])
            first += 1
        elif first < self._written:
            del outputs[self._base + first : self._base + self._written]
        if first < len(items):
            outputs.extend([_as_map(item) for item in items[first:]])
            last = items[-1]
            self._tail = None
            if isinstance(last, StreamText):
                self._tail = last, len(outputs[-1]["text"])
        elif not items:
            self._tail = None
        self._written = len(items)

    def _extend_tail(self, ytext: Text) -> None:
        assert self._tail is not None
        was, now = self._tail[0].commit()
        kept = len(was) if now.startswith(was) else common_prefix(was, now)
        end = len(ytext)
        dropped = len(was[kept:].encode())
        if dropped:
            del ytext[end - dropped : end]
        if now[kept:]:
            ytext += now[kept:]
        self._tail = self._tail[0], len(ytext)


def _as_nbformat(item: Item) -> dict[str, Any]:
    match item:
        case StreamText():
            return {"output_type": "stream", "name": item.name, "text": item.text}
        case ErrorOutput():
            error = {"ename": item.ename, "evalue": item.evalue}
            return {"output_type": "error", **error, "traceback": list(item.traceback)}
        case ExecuteResult():
            output = {"output_type": "execute_result", "execution_count": item.execution_count}
        case DisplayOutput():
            output = {"output_type": "display_data"}
    return {**output, "data": _held(item.data), "metadata": _held(item.metadata)}


def _held(value: Any) -> Any:
    """Return JSON as Yjs can hold it: integers beyond 64 bits become floats, as in JavaScript."""
    if isinstance(value, Mapping):
        return {str(key): _held(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_held(part) for part in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value) if abs(value) < _LARGEST else str(value)
    return value


def _as_map(item: Item) -> Map[Any]:
    output = _as_nbformat(item)
    if isinstance(item, StreamText):
        item.commit()
        output["text"] = Text(output["text"])
    return Map(output)
