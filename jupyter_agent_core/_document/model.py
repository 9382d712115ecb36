# SPDX-License-Identifier: BSD-3-Clause
"""Cells and edits on the Yjs document of a notebook, without I/O.

The document model is that of `jupyter_nbmodel_client`; this module is the only one
that touches it, and what it uses of its internals is held by a contract test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from jupyter_nbmodel_client.model import NotebookModel  # type: ignore[import-untyped]
from pycrdt import Array, Awareness, Doc, Map, Text

from .._errors import CellNotFoundError, CellTypeError, ConfigurationError, VersionConflictError
from .._values import CELL_TYPES, CellSnapshot, CellType
from .mirror import Mirror
from .text_edits import text_edits

EDIT = "jupyter-agent-core:edit"
RECORD = "jupyter-agent-core:record"
REMOTE = "jupyter-agent-core:remote"

MIN_PREFIX = 4
_CANDIDATES = 5


class NotebookDocument:
    """One notebook's content."""

    def __init__(self) -> None:
        self._notebook = NotebookModel()._doc
        self._mirror = Mirror(self._notebook.ycells)
        self._applying_remote = False

    @property
    def ydoc(self) -> Doc[Any]:
        """The Yjs document."""
        doc: Doc[Any] = self._notebook.ydoc
        return doc

    @property
    def awareness(self) -> Awareness:
        """Who is here, and where."""
        awareness: Awareness = self._notebook.awareness
        return awareness

    @property
    def state(self) -> Mapping[str, Any]:
        """What the server says of the document: `path`, `dirty`, `hash` of the saved file."""
        return self._notebook.ystate.to_py() or {}

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The notebook's metadata."""
        meta = self._notebook._ymeta.to_py() or {}
        metadata: Mapping[str, Any] = meta.get("metadata", {})
        return metadata

    # --- synchronisation

    def state_vector(self) -> bytes:
        """Return what is known here, for a sync step 1."""
        return self.ydoc.get_state()

    def updates_since(self, state_vector: bytes) -> bytes:
        """Return what a peer with that state vector does not know, for a sync step 2."""
        return self.ydoc.get_update(state_vector)

    def apply_remote(self, update: bytes) -> None:
        """Apply a peer's update.

        In a transaction with an origin: those without one are recorded by the undo
        manager that YNotebook brings along.
        """
        self._applying_remote = True
        try:
            with self.ydoc.transaction(origin=REMOTE):
                self.ydoc.apply_update(update)
        finally:
            self._applying_remote = False

    @contextmanager
    def observed(self, on_update: Any) -> Iterator[None]:
        """Call `on_update(bytes)` for each transaction that was made here."""

        def observe(event: Any) -> None:
            if not self._applying_remote and event.update != b"\x00\x00":
                on_update(event.update)

        subscription = self.ydoc.observe(observe)
        try:
            yield
        finally:
            self.ydoc.unobserve(subscription)

    # --- reading

    def cells(self) -> Sequence[CellSnapshot]:
        """Return all cells in order."""
        return self._mirror.cells()

    def cell(self, ref: int | str) -> CellSnapshot:
        """Return the cell at an index, or with an id or a unique prefix of one.

        Raises:
            CellNotFoundError
        """
        cells = self.cells()
        if isinstance(ref, int):
            if 0 <= ref < len(cells):
                return cells[ref]
            raise CellNotFoundError(
                ref, f"is out of range: the notebook has {len(cells)} cells, 0-based"
            )
        position = self._mirror.positions().get(ref)
        if position is not None:
            return cells[position]
        return _by_prefix(ref, cells)

    def has(self, cell_id: str) -> bool:
        """Say whether the cell still exists."""
        return cell_id in self._mirror.positions()

    def ycell(self, cell_id: str) -> Map[Any] | None:
        """Return the Yjs map of a cell, None if it has been deleted."""
        position = self._mirror.positions().get(cell_id)
        ycell: Map[Any] | None = None if position is None else self._notebook.ycells[position]
        return ycell

    # --- editing

    def edit(self) -> Any:
        """Open a transaction of edits."""
        return self.ydoc.transaction(origin=EDIT)

    def record(self) -> Any:
        """Open a transaction of recorded outputs."""
        return self.ydoc.transaction(origin=RECORD)

    def insert_cell(self, index: int, source: str, cell_type: CellType) -> str:
        """Insert a cell before the one at `index` (the number of cells: at the end).

        Returns:
            The id of the new cell.

        Raises:
            ConfigurationError: nbformat has no such cell type.
            CellNotFoundError: The index is out of range.
        """
        if cell_type not in CELL_TYPES:
            raise ConfigurationError(
                f"There is no cell type {cell_type!r}: it is one of {', '.join(CELL_TYPES)}",
                name="cell_type",
                value=cell_type,
            )
        count = len(self._notebook.ycells)
        if not 0 <= index <= count:
            raise CellNotFoundError(index, f"is out of range: a cell can go to 0 … {count}")
        cell: dict[str, Any] = {
            "id": str(uuid4()),
            "cell_type": cell_type,
            "source": source,
            "metadata": {},
        }
        if cell_type == "code":
            # JupyterLab reads trust when a cell appears, and never again
            cell |= {"metadata": {"trusted": True}, "outputs": [], "execution_count": None}
        with self.edit():
            self._notebook.ycells.insert(index, self._notebook.create_ycell(cell))
        return str(cell["id"])

    def delete_cells(self, cell_ids: Sequence[str]) -> None:
        """Delete cells that exist, in one transaction."""
        positions = sorted((self._mirror.positions()[id_] for id_ in cell_ids), reverse=True)
        with self.edit():
            for position in positions:
                del self._notebook.ycells[position]

    def drop_placeholder(self) -> None:
        """Delete the empty cell that the server puts into a notebook without cells."""
        cells = self.cells()
        if len(cells) == 1 and cells[0].cell_type == "code" and not cells[0].source:
            self.delete_cells([cells[0].id])

    def set_source(self, cell_id: str, source: str) -> None:
        """Turn the source of a cell into another by the smallest edits."""
        cell = self.cell(cell_id)
        ytext: Text = self._notebook.ycells[cell.index]["source"]
        with self.edit():
            for change in text_edits(cell.source, source):
                if change.stop > change.start:
                    del ytext[change.start : change.stop]
                if change.replacement:
                    ytext.insert(change.start, change.replacement)

    def youtputs(self, cell_id: str) -> Array[Map[Any]] | None:
        """Return the Yjs array of a cell's outputs, None if there is no such code cell."""
        ycell = self.ycell(cell_id)
        outputs = None if ycell is None else ycell.get("outputs")
        return outputs if isinstance(outputs, Array) else None


def check_version(cell: CellSnapshot, expected: str | None) -> None:
    """Refuse an edit that is based on another version of the cell.

    Raises:
        VersionConflictError
    """
    if expected is not None and cell.version != expected:
        raise VersionConflictError(cell.id, expected, cell.version, cell.source)


def check_code_cell(cell: CellSnapshot) -> None:
    """Refuse what only a code cell can do.

    Raises:
        CellTypeError
    """
    if cell.cell_type != "code":
        raise CellTypeError(cell.index, cell.cell_type, "a code cell")


def _by_prefix(ref: str, cells: Sequence[CellSnapshot]) -> CellSnapshot:
    matches = [cell for cell in cells if ref and cell.id.startswith(ref)]
    if len(matches) == 1 and len(ref) >= MIN_PREFIX:
        return matches[0]
    if len(matches) > 1:
        reason = f"is ambiguous: {len(matches)} ids begin with it"
    elif matches:
        reason = f"is too short: an id's prefix has at least {MIN_PREFIX} characters"
    else:
        reason = "does not exist; it may have been deleted"
    near = (matches or cells)[:_CANDIDATES]
    raise CellNotFoundError(ref, reason, [f"{cell.index}: {cell.id}" for cell in near])
