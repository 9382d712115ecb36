# SPDX-License-Identifier: BSD-3-Clause
"""The cells as plain values, kept in step with the Yjs document.

Walking 1,000 cells through pycrdt costs 100 ms and more. The mirror observes the
array of cells and reads again only what has changed, when somebody asks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, cast

import attrs
from pycrdt import Array, Map

from .._stored_outputs import as_count, output_from_nbformat
from .._values import CellSnapshot, ChangeKind, DisplayOutput, Output
from .changes import is_edited

# written by running a cell, not by editing it
RUN_METADATA = frozenset({"trusted", "execution"})
_RUN_KEYS = frozenset({"outputs", "execution_count", "execution_state"})
# from this many cells on, one serialisation of the whole array is cheaper
_BULK = 32


@attrs.frozen
class SourceEdited:
    """The source of a cell was edited in place.

    Attributes:
        cell_id: The cell.
        delta: What was done, as a Yjs text event tells it.
    """

    cell_id: str
    delta: Sequence[Mapping[str, Any]]


Happened = tuple[ChangeKind, str]


@attrs.frozen
class Transaction:
    """What one transaction did to the cells.

    Attributes:
        happened: What happened to which cells.
        edited: The edits of sources.
        put: The ids of cells that were put somewhere, new or not.
        replaced: Cells in whose place another with the same id was put, as they were, as far
            as that is known.
    """

    happened: Iterable[Happened] = ()
    edited: Sequence[SourceEdited] = ()
    put: Iterable[str] = ()
    replaced: Sequence[CellSnapshot] = ()


Observer = Callable[[Transaction], None]


class Mirror:
    """Snapshots of the cells of one document.

    Args:
        ycells: The cells in the document.
        on_change: Called after each transaction with what it did.
    """

    def __init__(self, ycells: Array[Map[Any]], on_change: Observer) -> None:
        self._ycells = ycells
        self._on_change = on_change
        self._ids: list[str] = []
        self._cells: list[CellSnapshot | None] = []
        self._stale: set[int] = set()
        self._moved = False
        self._positions: dict[str, int] | None = None
        if len(ycells):
            self._cells = [snapshot(i, cell) for i, cell in enumerate(plain_cells(ycells))]
            self._ids = [cell.id for cell in self.cells()]
        self._subscription = ycells.observe_deep(self._on_events)

    def close(self) -> None:
        """Stop following the document, and let go of who is told: he has the mirror, too."""
        self._ycells.unobserve(self._subscription)
        del self._on_change

    def cell(self, index: int) -> CellSnapshot:
        """Return the cell at an index, without a look at the others."""
        cell = self._cells[index]
        if cell is None:
            cell = snapshot(index, self._ycells[index].to_py() or {})
            self._stale.discard(index)
        elif cell.index != index:
            cell = attrs.evolve(cell, index=index)
        self._cells[index] = cell
        return cell

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

    @property
    def ids(self) -> Sequence[str]:
        """The ids of all cells in order."""
        return self._ids

    def positions(self) -> Mapping[str, int]:
        """Return the index of each cell by its id, of the first one if that is there twice."""
        if self._positions is None:
            last = len(self._ids) - 1
            self._positions = {id_: last - i for i, id_ in enumerate(reversed(self._ids))}
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
        happened: dict[Happened, None] = {}
        edited: list[SourceEdited] = []
        put: set[str] = set()
        taken: dict[str, CellSnapshot | None] = {}
        for event in events:
            if not event.path:
                before = list(self._ids)
                taken, put = self._follow(event.delta)
                happened = dict.fromkeys(_order_changes(before, self._ids, taken.keys() | put))
                happened |= dict.fromkeys(self._content_changes(taken, put))
        # paths are those after the change
        for event in events:
            if event.path:
                index = event.path[0]
                self._cells[index] = None
                self._stale.add(index)
                if kind := _kind_of(event):
                    happened[kind, self._ids[index]] = None
                if event.path[1:] == ["source"]:
                    edited.append(SourceEdited(self._ids[index], event.delta))
                if len(event.path) == 1 and "id" in event.keys:
                    self._ids[index] = _id_of(self._ycells[index])
                    self._positions = None
                    happened["inserted", self._ids[index]] = None
        replaced = [cell for id_, cell in taken.items() if cell is not None and id_ in put]
        self._on_change(Transaction(happened, edited, put, replaced))

    def _follow(
        self, delta: list[dict[str, Any]]
    ) -> tuple[dict[str, CellSnapshot | None], set[str]]:
        """Follow a change of the array; return the cells that were taken out and those put in."""
        taken: dict[str, CellSnapshot | None] = {}
        put: set[str] = set()
        index = 0
        for change in delta:
            if "retain" in change:
                index += int(change["retain"])
            elif "delete" in change:
                stop = index + int(change["delete"])
                taken |= zip(self._ids[index:stop], self._cells[index:stop], strict=True)
                del self._cells[index:stop], self._ids[index:stop]
            else:
                ids = [_id_of(ycell) for ycell in change["insert"]]
                put.update(ids)
                self._ids[index:index] = ids
                self._cells[index:index] = [None] * len(ids)
                index += len(ids)
        self._stale = {i for i, cell in enumerate(self._cells) if cell is None}
        self._moved = True
        self._positions = None
        return taken, put

    def _content_changes(
        self, taken: Mapping[str, CellSnapshot | None], put: Set[str]
    ) -> Iterator[Happened]:
        """What else happened to cells in whose place another with the same id was put."""
        for cell_id, old in taken.items():
            if cell_id in put:
                new = self.cell(self.positions()[cell_id])
                if old is None or is_edited(old, new):
                    yield "edited", cell_id
                if old and old.cell_type == new.cell_type and old.outputs != new.outputs:
                    yield "run", cell_id


def _order_changes(
    before: Sequence[str], after: Sequence[str], touched: Set[str]
) -> Iterator[Happened]:
    """What a change of the array means for the cells that were taken out of it or put into it."""
    was, now = set(before), set(after)
    # in its own place a cell is replaced to change its type
    stayed: ChangeKind = "edited" if before == after else "moved"
    for cell_id in dict.fromkeys((*before, *after)):
        if cell_id in touched:
            if cell_id not in now:
                yield "deleted", cell_id
            else:
                yield (stayed if cell_id in was else "inserted"), cell_id


def _kind_of(event: Any) -> ChangeKind | None:
    """What an event inside a cell means, None where it means nothing to a reader."""
    place = event.path[1] if len(event.path) > 1 else None
    if place is None:
        return "run" if event.keys.keys() <= _RUN_KEYS else "edited"
    if place == "metadata" and len(event.path) == 2 and event.keys.keys() <= RUN_METADATA:
        return None
    return "run" if place in _RUN_KEYS else "edited"


def _id_of(ycell: Map[Any]) -> str:
    # undoing a deletion can bring back a cell without the id that was changed in place meanwhile
    return str(ycell.get("id", ""))


def plain_cells(ycells: Array[Map[Any]]) -> list[dict[str, Any]]:
    """Return all cells as plain values; the text in between has its keys in random order."""
    cells: list[dict[str, Any]] = json.loads(str(ycells))
    return cells


def snapshot(index: int, cell: Mapping[str, Any]) -> CellSnapshot:
    """Return the value of a cell of the document."""
    metadata = cell.get("metadata") or {}
    return CellSnapshot(
        id=cell.get("id", ""),
        index=index,
        cell_type=cell["cell_type"],
        source=cell["source"],
        outputs=tuple(_output(output) for output in cell.get("outputs") or ()),
        execution_count=as_count(cell.get("execution_count")),
        execution_state=cell.get("execution_state") or "idle",
        metadata=metadata,
        attachments=cell.get("attachments") or {},
        version=version_of(cell["cell_type"], cell["source"], metadata),
    )


def _output(output: Mapping[str, Any]) -> Output:
    try:
        return output_from_nbformat(output)
    except (LookupError, TypeError, AttributeError, ValueError):
        return DisplayOutput({"text/plain": "[an output that is not valid nbformat]"})


def version_of(cell_type: str, source: str, metadata: Mapping[str, Any]) -> str:
    """Return the version of a cell: what an edit changes, and nothing that a run changes."""
    edited = {key: value for key, value in metadata.items() if key not in RUN_METADATA}
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
