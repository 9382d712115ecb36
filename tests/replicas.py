# SPDX-License-Identifier: BSD-3-Clause
"""Agents and humans on one notebook without a network: what they send arrives late."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from jupyter_ydoc import YNotebook
from pycrdt import Doc, Map, Text, UndoManager

from jupyter_agent_core._document.editor import Editor
from jupyter_agent_core._document.model import NotebookDocument
from jupyter_agent_core._document.operations import InsertCell, MoveCell, Operation, SetSource
from jupyter_agent_core._values import CellType

HUMAN = "human"
EMPTY = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


class Replica:
    """Somebody's copy of the notebook.

    Attributes:
        sent: His updates that the server does not have yet.
        coming: Updates of others that the server has sent to him.
    """

    def __init__(self) -> None:
        self.sent: deque[bytes] = deque()
        self.coming: deque[bytes] = deque()

    def receive(self, update: bytes) -> None:
        """Apply an update of another."""
        raise NotImplementedError

    def cells(self) -> list[dict[str, Any]]:
        """All cells as plain values."""
        raise NotImplementedError


class Agent(Replica):
    """An editor of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.document = NotebookDocument()
        self.editor = Editor(self.document)
        self.document.on_edit = self.sent.append

    def receive(self, update: bytes) -> None:
        self.document.apply_remote(update)

    def do(self, *operations: Operation) -> None:
        """Make edits as one."""
        self.editor.apply(operations)

    def insert(self, source: str, cell_type: CellType = "code", index: int | None = None) -> str:
        """Insert a cell, at the end if no index is given."""
        place = None if index is None else self.editor.place(index)
        operation = InsertCell(source, cell_type, place)
        self.do(operation)
        return operation.cell_id

    def set(self, cell_id: str, source: str) -> None:
        """Set a source, whoever types there."""
        self.do(SetSource(cell_id, source, force=True))

    def move(self, cell_id: str, index: int) -> None:
        """Move a cell to an index, whoever types in it."""
        self.do(MoveCell(cell_id, self.editor.place(index, without=cell_id), force=True))

    def source(self, cell_id: str) -> str:
        """The source of a cell."""
        return self.document.cell(cell_id).source

    @property
    def ids(self) -> list[str]:
        """The ids of all cells."""
        return list(self.document.ids)

    def cells(self) -> list[dict[str, Any]]:
        return [ycell.to_py() or {} for ycell in self.document.ycells]


class Human(Replica):
    """Somebody with JupyterLab: jupyter_ydoc and nothing of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.notebook = YNotebook()
        self.ydoc: Doc[Any] = self.notebook.ydoc
        self._undo = UndoManager(scopes=[self.notebook.ycells], capture_timeout_millis=0)
        self._undo.include_origin(HUMAN)
        self._receiving = False
        self._subscription = self.ydoc.observe(self._observe)

    def _observe(self, event: Any) -> None:
        if not self._receiving:
            self.sent.append(event.update)

    def receive(self, update: bytes) -> None:
        self._receiving = True
        with self.ydoc.transaction(origin="remote"):
            self.ydoc.apply_update(update)
        self._receiving = False

    def index(self, cell_id: str) -> int:
        """The index of a cell."""
        return self.ids.index(cell_id)

    def ycell(self, cell_id: str) -> Map[Any]:
        """The Yjs map of a cell."""
        ycell: Map[Any] = self.notebook.ycells[self.index(cell_id)]
        return ycell

    def type(self, cell_id: str, text: str, at: int | None = None) -> None:
        """Type a text, all at once, behind some characters of a source or at its end."""
        ytext: Text = self.ycell(cell_id)["source"]
        place = len(str(ytext)[:at].encode())
        with self.ydoc.transaction(origin=HUMAN):
            ytext.insert(place, text)

    def erase(self, cell_id: str, start: int, stop: int) -> None:
        """Delete characters of a source."""
        ytext: Text = self.ycell(cell_id)["source"]
        first, last = (len(str(ytext)[:place].encode()) for place in (start, stop))
        with self.ydoc.transaction(origin=HUMAN):
            del ytext[first:last]

    def insert(self, index: int, source: str, cell_type: str = "code") -> str:
        """Insert a cell."""
        cell: dict[str, Any] = {"cell_type": cell_type, "source": source}
        if cell_type == "code":
            cell["execution_count"] = None
        ycell = self.notebook.create_ycell(cell)
        with self.ydoc.transaction(origin=HUMAN):
            self.notebook.ycells.insert(index, ycell)
        return str(ycell["id"])

    def delete(self, cell_id: str) -> None:
        """Delete a cell."""
        with self.ydoc.transaction(origin=HUMAN):
            del self.notebook.ycells[self.index(cell_id)]

    def move(self, cell_id: str, index: int) -> None:
        """Move a cell as JupyterLab does: delete it and insert a copy with its id."""
        self._replace(cell_id, index, {})

    def set_type(self, cell_id: str, cell_type: str) -> None:
        """Change the type as JupyterLab does: a new cell with the same id."""
        self._replace(cell_id, self.index(cell_id), {"cell_type": cell_type})

    def _replace(self, cell_id: str, index: int, changes: Mapping[str, Any]) -> None:
        plain = {**(self.ycell(cell_id).to_py() or {}), **changes}
        if plain["cell_type"] == "code":
            plain = {"execution_count": None, **plain}
            plain.pop("attachments", None)
        else:
            for key in ("outputs", "execution_count", "execution_state"):
                plain.pop(key, None)
        with self.ydoc.transaction(origin=HUMAN):
            del self.notebook.ycells[self.index(cell_id)]
            self.notebook.ycells.insert(index, self.notebook.create_ycell(plain))

    def undo(self) -> None:
        """Ctrl-Z."""
        self._undo.undo()

    def source(self, cell_id: str) -> str:
        """The source of a cell."""
        return str(self.ycell(cell_id)["source"])

    @property
    def ids(self) -> list[str]:
        """The ids of all cells."""
        return [str(ycell["id"]) for ycell in self.notebook.ycells]

    def cells(self) -> list[dict[str, Any]]:
        return [ycell.to_py() or {} for ycell in self.notebook.ycells]


class Room:
    """Those who edit one notebook, which has no cells at first.

    Args:
        replicas: Whose copies they are.
        content: The notebook as nbformat has it, instead.
    """

    def __init__(self, *replicas: Agent | Human, content: Mapping[str, Any] | None = None) -> None:
        self.replicas = replicas
        self.first = _update(content or EMPTY)
        self.server = YNotebook()
        self.server.ydoc.apply_update(self.first)
        for replica in replicas:
            if isinstance(replica, Agent):
                replica.document.merge(self.first)
            else:
                replica.receive(self.first)
            replica.sent.clear()

    def deliver(self, link: int) -> None:
        """Let the next update of one link arrive, if there is any."""
        sender = self.replicas[link // 2 % len(self.replicas)]
        if link % 2 and sender.coming:
            sender.receive(sender.coming.popleft())
        elif not link % 2 and sender.sent:
            update = sender.sent.popleft()
            self.server.ydoc.apply_update(update)
            for other in self.replicas:
                if other is not sender:
                    other.coming.append(update)

    def settle(self) -> None:
        """Let everything arrive, also what that makes others do."""
        while any(replica.sent or replica.coming for replica in self.replicas):
            for link in range(2 * len(self.replicas)):
                self.deliver(link)

    def written(self) -> dict[str, Any]:
        """The notebook as the server writes it."""
        written: dict[str, Any] = self.server.get()
        return written


def _update(content: Mapping[str, Any]) -> bytes:
    notebook = YNotebook()
    notebook.set(dict(content))
    if not content["cells"]:
        notebook.ycells.clear()  # it gets a placeholder
    return notebook.ydoc.get_update()
