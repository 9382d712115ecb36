# SPDX-License-Identifier: BSD-3-Clause
"""Edits made on the Yjs document, within one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_ydoc import YNotebook
from pycrdt import Array, Map, Text

from .edits import (
    AttachmentsSet,
    Deleted,
    Edit,
    Inserted,
    MetadataSet,
    Moved,
    OutputsCleared,
    RunRecorded,
    SourceSet,
    TypeSet,
)
from .journal import Journal
from .text_edits import apply_edits, text_edits


class Writer:
    """Makes edits that have been found possible, and notes them in the journal.

    Args:
        notebook: The document.
        ids: The ids of its cells, in order.
        journal: Where the edits are noted.
    """

    def __init__(self, notebook: YNotebook, ids: Sequence[str], journal: Journal) -> None:
        self._notebook = notebook
        self._ycells: Array[Map[Any]] = notebook.ycells
        # the document tells of its changes at the end of the transaction only
        self._ids = list(ids)
        self._journal = journal
        self._edited: tuple[str, int] | None = None

    def perform(self, edit: Edit) -> None:
        """Make one edit."""
        match edit:
            case Inserted(cell, after):
                self._insert(after, edit.cell_id, self._notebook.create_ycell(dict(cell)))
                self._edited = edit.cell_id, 0
            case Deleted(cell_id):
                self._remove(cell_id)
            case Moved(cell_id, after):
                copy = _copied(self._ycell(cell_id))
                self._remove(cell_id)
                self._insert(after, cell_id, copy)
            case SourceSet():
                self._set_source(edit)
            case TypeSet():
                self._set_type(edit)
            case MetadataSet(cell_id, values, removed):
                metadata = self._ycell(cell_id)["metadata"]
                metadata.update(values)
                for key in removed:
                    del metadata[key]
            case AttachmentsSet(cell_id, attachments):
                self._ycell(cell_id)["attachments"] = dict(attachments)
            case OutputsCleared(cell_id):
                self._ycell(cell_id)["outputs"].clear()
                self._ycell(cell_id)["execution_count"] = None
            case RunRecorded(cell_id, outputs, count):
                self._record(cell_id, outputs, count)
        self._journal.note(edit)

    def cursor(self) -> tuple[Text, int] | None:
        """Return the text that was edited last, and where in UTF-8 bytes."""
        if self._edited is None or self._edited[0] not in self._ids:
            return None
        cell_id, offset = self._edited
        return self._ycell(cell_id)["source"], offset

    def _ycell(self, cell_id: str) -> Map[Any]:
        return self._ycells[self._ids.index(cell_id)]

    def _insert(self, after: str | None, cell_id: str, ycell: Map[Any]) -> None:
        index = 0 if after is None else self._ids.index(after) + 1
        self._ycells.insert(index, ycell)
        self._ids.insert(index, cell_id)

    def _remove(self, cell_id: str) -> None:
        index = self._ids.index(cell_id)
        del self._ycells[index]
        del self._ids[index]

    def _set_source(self, edit: SourceSet) -> None:
        ytext: Text = self._ycell(edit.cell_id)["source"]
        edits = text_edits(str(ytext), edit.after)
        apply_edits(ytext, edits)
        if edits:
            # the first part of the text that was edited: where it is, no other edit has changed
            first = edits[-1]
            self._edited = edit.cell_id, first.start + len(first.replacement.encode())

    def _set_type(self, edit: TypeSet) -> None:
        """As JupyterLab does: a new cell with the same id in the place of the old one."""
        plain = self._ycell(edit.cell_id).to_py() or {}
        cell = {
            "id": edit.cell_id,
            "cell_type": edit.cell_type,
            "source": plain["source"],
            "metadata": edit.metadata(plain.get("metadata") or {}),
        }
        if edit.cell_type == "code":
            cell |= {"outputs": [], "execution_count": None}
        elif plain.get("attachments"):
            cell["attachments"] = plain["attachments"]
        self._ycells[self._ids.index(edit.cell_id)] = self._notebook.create_ycell(cell)

    def _record(self, cell_id: str, outputs: Sequence[Any], count: int | None) -> None:
        ycell = self._ycell(cell_id)
        youtputs: Array[Map[Any]] = ycell["outputs"]
        youtputs.clear()
        youtputs.extend(self._notebook._create_youtputs(list(outputs)))
        ycell["execution_count"] = count
        ycell["execution_state"] = "idle"


def _copied(value: Any) -> Any:
    """Copy a part of a Yjs document, to be put elsewhere: Yjs can move nothing."""
    if isinstance(value, Text):
        return Text(str(value))
    if isinstance(value, Array):
        return Array([_copied(item) for item in value])
    if isinstance(value, Map):
        return Map({key: _copied(item) for key, item in value.items()})
    return value
