# SPDX-License-Identifier: BSD-3-Clause
"""Cells and edits on the Yjs document of a notebook, without I/O.

The document model is the `YNotebook` of `jupyter_ydoc`, which the servers have too; what is used
of its internals is held by a contract test.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from jupyter_ydoc import YNotebook
from pycrdt import Array, Assoc, Awareness, Decoder, Doc, Map, Subscription, Text

from .._errors import CellNotFoundError
from .._values import CellSnapshot
from .changes import AGAIN, Author, ChangeLog, differences
from .edits import Deleted, Inserted, SourceSet
from .journal import Entry, Journal
from .mirror import Mirror, Transaction, plain_cells
from .presence import presence_of
from .replay import Cells, again, only_ours
from .text_edits import apply_edits, merge3, text_edits
from .typing_guard import TypingGuard
from .writer import Writer

EDIT = "jupyter-agent-core:edit"
RECORD = "jupyter-agent-core:record"
REMOTE = "jupyter-agent-core:remote"
# the client id under which jupyter-server-ydoc builds a document from its file
BUILDER = 0
# Yjs has 32 bits for them; pycrdt 0.14 takes 53, of which older servers cut the rest off: then what
# we insert comes back as somebody else's, and who removes the double removes both
CLIENT_IDS = 2**32

MIN_PREFIX = 4
_CANDIDATES = 5


class NotebookDocument:
    """One notebook's content.

    Attributes:
        awareness: Who is here, and where.
        journal: What was edited here of late.
        changes: What happened to the cells, by whomever.
        typing: Where others type.
        is_new: It has never been merged with the server's.
        refused: Edits that were not made, as others were faster, and can be made again.
        generation: How often the server's document replaced this one.
        on_edit: Called with the update of each transaction that was made here.
    """

    def __init__(self) -> None:
        self.journal: Journal = Journal()
        self.changes: ChangeLog = ChangeLog()
        self.typing: TypingGuard = TypingGuard()
        self.refused: list[Entry] = []
        self.is_new: bool = True
        self.generation: int = 0
        self.on_edit: Callable[[bytes], None] | None = None
        self._names: dict[int, str] = {}
        self._applying_remote = False
        self._author: Author | None = None
        self._transaction = self._remote = Transaction()
        self._subscription: Subscription | None = None
        self._open()

    def _open(self, fill: Callable[[], None] = lambda: None) -> None:
        doc: Doc[Any] = Doc(client_id=random.randrange(1, CLIENT_IDS))  # noqa: S311 (no secret)
        self.awareness: Awareness = Awareness(doc)
        self._notebook = YNotebook(ydoc=doc, awareness=self.awareness)
        fill()
        self._mirror = Mirror(self._notebook.ycells, self._on_change)
        self._subscription = self.ydoc.observe(self._observe)

    def close(self) -> None:
        """Follow the Yjs document no more: its subscriptions would keep it alive for ever."""
        if self._subscription is not None:  # another one may have failed to take its place
            self._mirror.close()
            self.ydoc.unobserve(self._subscription)
            self._subscription = None

    @property
    def ydoc(self) -> Doc[Any]:
        """The Yjs document."""
        return self._notebook.ydoc

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

    def apply_remote(self, update: bytes, *, just_now: bool = True) -> None:
        """Apply a peer's update.

        In a transaction with an origin: those without one are recorded by the undo
        manager that YNotebook brings along.

        Args:
            update: The update.
            just_now: A save that it tells of was just now, and not at some time while there was
                no connection.
        """
        self._remote = Transaction()
        self._applying_remote = True
        try:
            with self.ydoc.transaction(origin=REMOTE):
                self.ydoc.apply_update(update)
        finally:
            self._applying_remote = False
        self.journal.saved(self._notebook.hash, just_now=just_now)
        if any(self.journal.edits_of_source(edit.cell_id) for edit in self._remote.edited):
            self.cells()  # as `_make_up` needs them
        self._make_up(self._remote.replaced)
        self._make_one(self._remote.put)

    def _make_up(self, replaced: Sequence[CellSnapshot]) -> None:
        """Put edits of sources made here into copies of cells that were taken without them.

        Who moves a cell puts a copy in its place: edits that had not reached him go with the
        old one. If his copy is what the old one would be without the last edits made here,
        those are what it lacks.
        """
        for old in replaced:
            edits = self.journal.edits_of_source(old.id)
            if not edits or not self.has(old.id):
                continue
            source = self.cell(old.id).source
            without, lacking = old.source, list[SourceSet]()
            for edit in reversed(edits):
                if without == source:
                    break
                without = merge3(edit.after, edit.before, without)
                lacking.insert(0, edit)
            if lacking and without == source:
                with self.edit(AGAIN) as writer:
                    for edit in lacking:
                        merged = merge3(edit.before, edit.after, source)
                        writer.perform(SourceSet(old.id, source, merged))
                        source = merged
                self.cells()

    def _make_one(self, cell_ids: Iterable[str]) -> None:
        """Keep one of the copies that are left if two have moved a cell at the same time.

        It is the first one, as with the server when it saves; whoever does this removes the
        same. A copy with a text of its own stays, until the server gives it an id of its own:
        an id that is changed in place is lost if somebody undoes a deletion meanwhile.
        """
        first = self.positions
        if len(first) == len(self.ids):
            return
        cells = tuple(self.cells())
        with self.made_by(AGAIN), self.ydoc.transaction(origin=EDIT):
            for cell in reversed(cells):
                one = cells[first[cell.id]]
                if cell.id in cell_ids and cell is not one and cell.source == one.source:
                    del self.ycells[cell.index]

    def _on_change(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def _observe(self, event: Any) -> None:
        """Follow a transaction; the mirror has been told before."""
        seen, self._transaction = self._transaction, Transaction()
        author = self._author or frozenset()
        if self._applying_remote and self._author is None:
            before, after = _clocks(event.before_state), _clocks(event.after_state)
            author = frozenset(client for client in after if after[client] != before.get(client))
            self._learn_names(author)
            self._remote = seen
        for edit in seen.edited:
            self.typing.follow(edit.cell_id, edit.delta, author)
        self.changes.note(seen.happened, author)
        made_here = not self._applying_remote and event.update != b"\x00\x00"
        if made_here and self.journal.is_unplaced:
            self.journal.place(event.after_state)
        if made_here and self.on_edit is not None:
            self.on_edit(event.update)

    def _learn_names(self, clients: Iterable[int]) -> None:
        """Remember who is who: who has left is not known any more."""
        for client in clients:
            if name := presence_of(self.awareness, client).name:
                self._names[client] = name

    def name_of(self, author: Author) -> str | None:
        """Return the name under which collaborators know the author of a change, if it is known."""
        if not isinstance(author, frozenset):
            author = frozenset({self.awareness.client_id})
        self._learn_names(author)
        names = {self._names[client] for client in author if client in self._names}
        return " and ".join(sorted(names)) or None

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
            self._replace(lambda: self.apply_remote(server))
            return
        here = Cells(self.cells())
        theirs: Doc[Any] = Doc()
        theirs.apply_update(server)
        rebuilt = not self._is_of_our_history(theirs)
        if rebuilt:
            self._replace(lambda: self.apply_remote(server))
        else:
            self.apply_remote(server, just_now=False)
        if rebuilt or restarted:
            self.journal.loaded(self._notebook.hash)
            self._edit_again(theirs, here, rebuilt=rebuilt)

    def _edit_again(self, theirs: Doc[Any], here: Cells, *, rebuilt: bool) -> None:
        """Make the late edits again that are not in the document of a server.

        Args:
            theirs: The server's document, which ours has been merged with.
            here: Our cells before that.
            rebuilt: It is in the place of ours.
        """
        entries = self.journal.take()
        edits = [entry.edit for entry in entries]
        there = plain_cells(theirs.get("cells", type=Array))
        inserted = any(isinstance(edit, Inserted) for edit in edits)
        placeholder = _placeholder_in(there)
        if inserted and placeholder not in here.by_id and self.has(placeholder):
            with self.edit(frozenset()) as writer:
                writer.perform(Deleted(placeholder))
        whole = only_ours(edits, there, here, Cells(self.cells()))
        self._set_whole(whole)
        self.typing.forget(whole)
        known = self._own_operations(theirs.get_state())
        for entry in entries:
            # what the server's history lacked of ours has come with ours, and would be doubled;
            # if it wrote its file over that, the place is another one, then and in later files
            entry.came |= not rebuilt and self._own_operations(entry.state) > known
            if not self.make_again(entry, here):
                self.journal.keep(entry)
        self._make_one({*whole, *(edit.cell_id for edit in edits)})

    def _set_whole(self, sources: Mapping[str, str]) -> None:
        """Set the sources of cells, and of all their copies if a merge has made any.

        The journal is not told: what it has leads to them.
        """
        with self.made_by(AGAIN), self.ydoc.transaction(origin=EDIT):
            for cell in tuple(self.cells()):
                source = sources.get(cell.id, cell.source)
                if source != cell.source:
                    edits = text_edits(cell.source, source)
                    apply_edits(self.ycells[cell.index]["source"], edits)

    def _replace(self, fill: Callable[[], None]) -> None:
        """Give up this document for another one of the same notebook."""
        was_new, self.is_new = self.is_new, False
        before = tuple(self.cells())
        self.close()
        self._open(fill)
        if not was_new:
            self.typing = TypingGuard()
            self.generation += 1
            self.changes.note(differences(before, self.cells()), frozenset())

    def load(self, content: Mapping[str, Any], *, anew: bool) -> None:
        """Take over the content of a file.

        Args:
            content: The notebook as nbformat has it, with ids for all cells.
            anew: Give up the present document, instead of editing it.
        """
        if self.is_new or anew:
            self._replace(lambda: self._set(content))
        else:
            self._set(content)

    def _set(self, content: Mapping[str, Any]) -> None:
        self._applying_remote = True
        try:
            with self.made_by(frozenset()), self.ydoc.transaction(origin=REMOTE):
                self._notebook.set(dict(content))
                if not content["cells"]:
                    self.ycells.clear()  # it gets a placeholder
        finally:
            self._applying_remote = False

    def _own_operations(self, state: bytes | None) -> int:
        """How many of the operations made here a state vector has."""
        return _clocks(state).get(self.ydoc.client_id, 0) if state is not None else 0

    def _is_of_our_history(self, theirs: Doc[Any]) -> bool:
        """Say whether the server's document comes from the same operations as ours.

        Everybody edits under a random client id of his own. A server may build the document
        from the file under an id that is always the same; then the same operations are only
        those of the same content, and only they merge to the same in either order.
        """
        known, own = _clocks(theirs.get_state()), _clocks(self.ydoc.get_state())
        shared = known.keys() & own.keys()
        if not known or shared - {BUILDER}:
            return True
        if not shared or known[BUILDER] != own[BUILDER]:
            return False
        ours: Doc[Any] = Doc()
        ours.apply_update(self.ydoc.get_update())
        ours.apply_update(theirs.get_update())
        both: Doc[Any] = Doc()
        both.apply_update(theirs.get_update())
        both.apply_update(self.ydoc.get_update())
        merged = [plain_cells(doc.get("cells", type=Array)) for doc in (ours, both)]
        return merged[0] == merged[1]

    def make_again(self, entry: Entry, here: Cells | None = None) -> bool:
        """Make an edit, as far as it still makes sense in this document and is not there.

        Args:
            entry: The edit.
            here: The document in which it was made, as it was last.

        Returns:
            Whether there was anything to do.
        """
        edit = again(entry.edit, Cells(self.cells()), here, came=entry.came)
        if edit is not None:
            with self.edit(AGAIN) as writer:
                writer.perform(edit)
        return edit is not None

    def make_refused_again(self) -> None:
        """Make the refused edits on what others have made of the cells."""
        entries, self.refused = self.refused, []
        for entry in entries:
            self.make_again(entry)

    # --- reading

    @property
    def ids(self) -> Sequence[str]:
        """The ids of all cells in order."""
        return self._mirror.ids

    @property
    def positions(self) -> Mapping[str, int]:
        """The index of each cell by its id."""
        return self._mirror.positions()

    def cells(self) -> Sequence[CellSnapshot]:
        """Return all cells in order."""
        return self._mirror.cells()

    def cell(self, ref: int | str) -> CellSnapshot:
        """Return the cell at an index, or with an id or a unique prefix of one.

        Raises:
            CellNotFoundError
        """
        count = len(self.ids)
        if isinstance(ref, int):
            if 0 <= ref < count:
                return self._mirror.cell(ref)
            raise CellNotFoundError(
                ref, f"is out of range: the notebook has {count} cells, 0-based"
            )
        position = self.positions.get(ref)
        if position is not None:
            return self._mirror.cell(position)
        return _by_prefix(ref, self.cells())

    def nbformat_cell(self, cell_id: str) -> Mapping[str, Any]:
        """Return a cell as nbformat has it, with its id."""
        index = self.positions[cell_id]
        cell: dict[str, Any] = self._notebook.get_cell(index)
        return {**cell, "id": cell_id}

    def has(self, cell_id: str) -> bool:
        """Say whether the cell still exists."""
        return cell_id in self.positions

    def ycell(self, cell_id: str) -> Map[Any] | None:
        """Return the Yjs map of a cell, None if it has been deleted."""
        position = self.positions.get(cell_id)
        ycell: Map[Any] | None = None if position is None else self._notebook.ycells[position]
        return ycell

    # --- editing

    @contextmanager
    def edit(self, author: Author) -> Iterator[Writer]:
        """Open a transaction of edits, which travel and are seen by others as one."""
        origin = EDIT if isinstance(author, frozenset) else author
        writer = Writer(self._notebook, self.ids, self.journal)
        with self.made_by(author), self.ydoc.transaction(origin=origin):
            yield writer
        if cursor := writer.cursor():
            self._show_cursor(*cursor)

    def drop_placeholder(self) -> None:
        """Delete the empty cell that the server puts into a notebook without cells."""
        cells = self.cells()
        if len(cells) == 1 and cells[0].cell_type == "code" and not cells[0].source:
            with self.edit(frozenset()) as writer:
                writer.perform(Deleted(cells[0].id))

    @contextmanager
    def record(self, author: Author) -> Iterator[None]:
        """Open a transaction of recorded outputs, which nobody can undo."""
        with self.made_by(author), self.ydoc.transaction(origin=RECORD):
            yield

    @contextmanager
    def made_by(self, author: Author) -> Iterator[None]:
        """Let an author be known for what is done in the block."""
        outer, self._author = self._author, author
        try:
            yield
        finally:
            self._author = outer

    @property
    def ycells(self) -> Array[Map[Any]]:
        """The Yjs array of the cells."""
        ycells: Array[Map[Any]] = self._notebook.ycells
        return ycells

    def youtputs(self, cell_id: str) -> Array[Map[Any]] | None:
        """Return the Yjs array of a cell's outputs, None if there is no such code cell."""
        ycell = self.ycell(cell_id)
        outputs = None if ycell is None else ycell.get("outputs")
        return outputs if isinstance(outputs, Array) else None

    def _show_cursor(self, ytext: Text, offset: int) -> None:
        """Show collaborators where we edit, as JupyterLab shows a caret with its owner's name."""
        if self.awareness.get_local_state() is not None and len(ytext):
            # there is nothing after the end, which pycrdt answers with a panic
            side = Assoc.AFTER if offset < len(ytext) else Assoc.BEFORE
            place = ytext.sticky_index(offset, side).to_json()
            cursor = {"anchor": place, "head": place, "primary": True, "empty": True}
            self.awareness.set_local_state_field("cursors", [cursor])


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


def _placeholder_in(cells: Sequence[Mapping[str, Any]]) -> str:
    """The id of the lone empty cell of a server whose notebook has none, empty if it has some."""
    match cells:
        case [{"id": str(cell_id), "cell_type": "code", "source": ""}]:
            return cell_id
    return ""
