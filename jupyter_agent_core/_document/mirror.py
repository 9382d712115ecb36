# SPDX-License-Identifier: BSD-3-Clause
"""The cells as plain values, kept in step with the Yjs document.

Walking 1,000 cells through pycrdt costs 100 ms and more. The mirror observes the
array of cells and reads again only what has changed, when somebody asks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import attrs
from pycrdt import Array, Map

from .._values import CellSnapshot, DisplayOutput, Output, as_count, output_from_nbformat

# written by running a cell, not by editing it
_RUN_METADATA = frozenset({"trusted", "execution"})
# from this many cells on, one serialisation of the whole array is cheaper
_BULK = 32


class Mirror:
    """Snapshots of the cells of one document."""

    def __init__(self, ycells: Array[Map[Any]]) -> None:
        self._ycells = ycells
        self._cells: list[CellSnapshot | None] = [None] * len(ycells)
        self._stale = set(range(len(ycells)))
        self._moved = False
        self._positions: dict[str, int] | None = None
        self._subscription = ycells.observe_deep(self._on_events)

    def close(self) -> None:
        """Stop following the document."""
        self._ycells.unobserve(self._subscription)

    def cells(self) -> Sequence[CellSnapshot]:
        """Return all cells in order."""
        if self._stale:
            self._read_stale()
        if self._moved:
            for index, cell in enumerate(self._cells):
                if cell is not None and cell.index != index:
                    self._cells[index] = attrs.evolve(cell, index=index)
            self._moved = False
        return cast("list[CellSnapshot]", self._cells)

    def positions(self) -> Mapping[str, int]:
        """Return the index of each cell by its id."""
        if self._positions is None:
            self._positions = {cell.id: cell.index for cell in self.cells()}
        return self._positions

    def _read_stale(self) -> None:
        if len(self._stale) >= _BULK:
            plain = plain_cells(self._ycells)
            for index in self._stale:
                self._cells[index] = snapshot(index, plain[index])
        else:
            for index in self._stale:
                self._cells[index] = snapshot(index, self._ycells[index].to_py() or {})
        self._stale.clear()

    def _on_events(self, events: list[Any]) -> None:
        for event in events:
            if not event.path:
                self._follow(event.delta)
        # paths are those after the change
        for event in events:
            if event.path:
                self._cells[event.path[0]] = None
                self._stale.add(event.path[0])
                if len(event.path) == 1 and "id" in getattr(event, "keys", ()):
                    self._positions = None

    def _follow(self, delta: list[dict[str, Any]]) -> None:
        index = 0
        for change in delta:
            if "retain" in change:
                index += int(change["retain"])
            elif "delete" in change:
                del self._cells[index : index + int(change["delete"])]
            else:
                count = len(change["insert"])
                self._cells[index:index] = [None] * count
                index += count
        self._stale = {i for i, cell in enumerate(self._cells) if cell is None}
        self._moved = True
        self._positions = None


def plain_cells(ycells: Array[Map[Any]]) -> list[dict[str, Any]]:
    """Return all cells as plain values; the text in between has its keys in random order."""
    cells: list[dict[str, Any]] = json.loads(str(ycells))
    return cells


def snapshot(index: int, cell: Mapping[str, Any]) -> CellSnapshot:
    """Return the value of a cell of the document."""
    metadata = cell.get("metadata") or {}
    return CellSnapshot(
        id=cell["id"],
        index=index,
        cell_type=cell["cell_type"],
        source=cell["source"],
        outputs=tuple(_output(output) for output in cell.get("outputs") or ()),
        execution_count=as_count(cell.get("execution_count")),
        execution_state=cell.get("execution_state") or "idle",
        metadata=metadata,
        version=version_of(cell["cell_type"], cell["source"], metadata),
    )


def _output(output: Mapping[str, Any]) -> Output:
    try:
        return output_from_nbformat(output)
    except (LookupError, TypeError, AttributeError, ValueError):
        return DisplayOutput({"text/plain": "[an output that is not valid nbformat]"})


def version_of(cell_type: str, source: str, metadata: Mapping[str, Any]) -> str:
    """Return the version of a cell: what an edit changes, and nothing that a run changes."""
    edited = {key: value for key, value in metadata.items() if key not in _RUN_METADATA}
    canonical = json.dumps([cell_type, source, _plain_numbers(edited)], sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]


def _plain_numbers(value: Any) -> Any:
    """Whole numbers as integers: a Yjs client may have turned them into floats."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain_numbers(item) for item in value]
    return value
