# SPDX-License-Identifier: BSD-3-Clause
"""Cells and edits on the Yjs document of a notebook, without I/O.

The document model is that of `jupyter_nbmodel_client`; this module is the only one
that touches it, and what it uses of its internals is held by a contract test.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from jupyter_nbmodel_client.model import NotebookModel  # type: ignore[import-untyped]
from pycrdt import Array, Assoc, Awareness, Decoder, Doc, Map, Text

from .._errors import CellNotFoundError, CellTypeError, ConfigurationError, VersionConflictError
from .._values import CELL_TYPES, CellSnapshot, CellType
from .journal import Deleted, Entry, Inserted, Journal, RunRecorded, SourceSet
from .mirror import Mirror, plain_cells
from .text_edits import apply_edits, merge3, text_edits

log = logging.getLogger(__name__)

EDIT = "jupyter-agent-core:edit"
RECORD = "jupyter-agent-core:record"
REMOTE = "jupyter-agent-core:remote"
# the client id under which jupyter-server-ydoc builds a document from its file
BUILDER = 0

MIN_PREFIX = 4
_CANDIDATES = 5


class NotebookDocument:
    """One notebook's content.

    Attributes:
        journal: What was edited here of late.
        is_new: It has never been merged with the server's.
        generation: How often the server's document replaced this one.
        on_edit: Called with the update of each transaction that was made here.
    """

    def __init__(self) -> None:
        self.journal: Journal = Journal()
        self.is_new: bool = True
        self.generation: int = 0
        self.on_edit: Callable[[bytes], None] | None = None
        self._applying_remote = False
        self._open()

    def _open(self) -> None:
        self._notebook = NotebookModel()._doc
        self._mirror = Mirror(self._notebook.ycells)
        self._subscription = self.ydoc.observe(self._observe)

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

    def _observe(self, event: Any) -> None:
        made_here = not self._applying_remote and event.update != b"\x00\x00"
        if made_here and self.on_edit is not None:
            self.on_edit(event.update)

    def merge(self, server: bytes, *, restarted: bool = False) -> None:
        """Take over the server's whole document, at the start and after each reconnect.

        If its history is still ours, the two merge. If the server has built its document
        anew from the file, merging would double every cell: ours is given up for it. In
        both cases a server that has been restarted may have gone back to the file, and
        our late edits that are not in it are made again.

        Args:
            server: All updates of the server's document.
            restarted: It is not the same server process as before.
        """
        if self.is_new:
            self.is_new = False
            self.apply_remote(server)
            return
        rebuilt = not self._is_of_our_history(server)
        if rebuilt:
            log.warning("the server has built the document anew")
            self._mirror.close()
            self._open()
            self.generation += 1
        self.apply_remote(server)
        if rebuilt or restarted:
            for entry in self.journal.take():
                self._make_again(entry, merged=not rebuilt)

    def _is_of_our_history(self, server: bytes) -> bool:
        """Say whether the server's document comes from the same operations as ours.

        Everybody edits under a random client id of his own. A server may build the document
        from the file under an id that is always the same; then the same operations are only
        those of the same content, and only they merge to the same in either order.
        """
        theirs: Doc[Any] = Doc()
        theirs.apply_update(server)
        known, own = _clocks(theirs.get_state()), _clocks(self.ydoc.get_state())
        shared = known.keys() & own.keys()
        if not known or shared - {BUILDER}:
            return True
        if not shared or known[BUILDER] != own[BUILDER]:
            return False
        ours: Doc[Any] = Doc()
        ours.apply_update(self.ydoc.get_update())
        ours.apply_update(server)
        theirs.apply_update(self.ydoc.get_update())
        merged = [plain_cells(doc.get("cells", type=Array)) for doc in (ours, theirs)]
        return merged[0] == merged[1]

    def _make_again(self, entry: Entry, *, merged: bool) -> None:
        """Make an edit on the server's document, as far as it still makes sense there.

        Args:
            entry: The edit.
            merged: The document is a merge with ours, which has the edit unless it was undone.
        """
        match entry.edit:
            case Inserted(cell, after):
                if not self.has(cell["id"]):
                    self._insert(self._place_after(after), cell)
            case Deleted(cell_ids):
                if left := [cell_id for cell_id in cell_ids if self.has(cell_id)]:
                    self.delete_cells(left)
            case SourceSet(cell_id, before, after):
                if self.has(cell_id):
                    theirs = self.cell(cell_id).source
                    # what the server once had is in what others wrote since
                    if theirs == before or not (merged or entry.acknowledged):
                        self.set_source(cell_id, merge3(before, after, theirs))
            case RunRecorded(cell_id, outputs, count):
                self._record_again(cell_id, outputs, count)

    def _place_after(self, cell_id: str | None) -> int:
        """The index behind a cell; at the end if it is gone."""
        if cell_id is None:
            return 0
        return self.cell(cell_id).index + 1 if self.has(cell_id) else len(self.cells())

    def _record_again(
        self, cell_id: str, outputs: Sequence[Mapping[str, Any]], count: int | None
    ) -> None:
        ycell, youtputs = self.ycell(cell_id), self.youtputs(cell_id)
        if ycell is None or youtputs is None:
            return
        known = self.cell(cell_id).execution_count
        if known is not None and (count is None or known >= count):
            return  # the run is there, or a later one
        with self.record():
            youtputs.clear()
            youtputs.extend(self._notebook._create_youtputs(list(outputs)))
            ycell["execution_count"] = count
            ycell["execution_state"] = "idle"
            self.journal.note(RunRecorded(cell_id, outputs, count))

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
        check_text(source)
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
        self._insert(index, cell)
        return str(cell["id"])

    def _insert(self, index: int, cell: Mapping[str, Any]) -> None:
        after = self.cell(index - 1).id if index else None
        with self.edit():
            self._notebook.ycells.insert(index, self._notebook.create_ycell(dict(cell)))
            self.journal.note(Inserted(cell, after))
        self._show_cursor(self._notebook.ycells[index]["source"], 0)

    def delete_cells(self, cell_ids: Sequence[str]) -> None:
        """Delete cells that exist, in one transaction."""
        positions = sorted((self._mirror.positions()[id_] for id_ in cell_ids), reverse=True)
        with self.edit():
            for position in positions:
                del self._notebook.ycells[position]
            self.journal.note(Deleted(tuple(cell_ids)))

    def drop_placeholder(self) -> None:
        """Delete the empty cell that the server puts into a notebook without cells."""
        cells = self.cells()
        if len(cells) == 1 and cells[0].cell_type == "code" and not cells[0].source:
            self.delete_cells([cells[0].id])

    def set_source(self, cell_id: str, source: str) -> None:
        """Turn the source of a cell into another by the smallest edits."""
        check_text(source)
        cell = self.cell(cell_id)
        ytext: Text = self._notebook.ycells[cell.index]["source"]
        edits = text_edits(cell.source, source)
        with self.edit():
            apply_edits(ytext, edits)
            self.journal.note(SourceSet(cell_id, cell.source, source))
        if edits:
            self._show_cursor(ytext, edits[0].start + len(edits[0].replacement.encode()))

    def _show_cursor(self, ytext: Text, offset: int) -> None:
        """Show collaborators where we edit, as JupyterLab shows a caret with its owner's name."""
        if self.awareness.get_local_state() is not None and len(ytext):
            # there is nothing after the end, which pycrdt answers with a panic
            side = Assoc.AFTER if offset < len(ytext) else Assoc.BEFORE
            place = ytext.sticky_index(offset, side).to_json()
            cursor = {"anchor": place, "head": place, "primary": True, "empty": True}
            self.awareness.set_local_state_field("cursors", [cursor])

    def youtputs(self, cell_id: str) -> Array[Map[Any]] | None:
        """Return the Yjs array of a cell's outputs, None if there is no such code cell."""
        ycell = self.ycell(cell_id)
        outputs = None if ycell is None else ycell.get("outputs")
        return outputs if isinstance(outputs, Array) else None


def check_text(source: str) -> None:
    """Refuse what cannot be written as UTF-8.

    Raises:
        ConfigurationError
    """
    try:
        source.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            f"The source holds half a character at position {error.start} (a lone surrogate)",
            name="source",
        ) from error


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


def _clocks(state_vector: bytes) -> dict[int, int]:
    """Decode a Yjs state vector: how many operations of each client are known."""
    decoder = Decoder(state_vector)
    count = decoder.read_var_uint()
    return {decoder.read_var_uint(): decoder.read_var_uint() for _ in range(count)}
