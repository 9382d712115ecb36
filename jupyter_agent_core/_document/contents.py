# SPDX-License-Identifier: BSD-3-Clause
"""A notebook on a server without live rooms: a file that is read and written whole.

The Contents API ignores `If-Match`, so the file's hash is compared before each write and read
again after it. Where somebody else has written in between, the edits made here are not written
over his: the document becomes what the file is, and the edits are refused, to be repeated or
merged by cell id (`NotebookDocument.make_refused_again`). Outputs of runs are put into their
cells in any case.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, ClassVar
from uuid import uuid4

import anyio
import attrs
from anyio.abc import TaskStatus

from .._backoff import is_transient, reconnect_delays
from .._connect_errors import AuthenticationError
from .._errors import (
    ConnectionLostError,
    JupyterAgentError,
    NotANotebookError,
    NotebookConflictError,
    NotebookNotFoundError,
    RequestError,
)
from .._http.rest import JupyterRest
from .._values import CellSnapshot, Mode
from .changes import differences
from .edits import RunRecorded
from .journal import Entry
from .mirror import snapshot
from .model import NotebookDocument

log = logging.getLogger(__name__)

# outputs that nobody waits for are written together
WRITE_DELAY = 1.0
ACKNOWLEDGE_TIMEOUT = 30.0
READ_TIMEOUT = 10.0
CLOSE_TIMEOUT = 4.0
# first lines that a refusal shows of cells that others have changed
_SHOWN = 10


@attrs.frozen
class _File:
    """A file as it was read or written last.

    Attributes:
        version: What changes with it: its hash, where the server tells it, and its time.
        content: What it holds, as nbformat has it.
        cells: Its cells, with the ids that they have here.
        mark: The last change of the document that is in it.
    """

    version: tuple[str | None, str]
    content: Mapping[str, Any]
    cells: Sequence[CellSnapshot]
    mark: int

    def is_of(self, version: tuple[str | None, str]) -> bool:
        """Say whether a version is this file, which may have been written as it was."""
        same_content = self.version[0] is not None and self.version[0] == version[0]
        return same_content or version == self.version

    def as_written(self) -> dict[str, Mapping[str, Any]]:
        """Its cells as nbformat has them, by the ids that they have here."""
        ids = [cell.id for cell in self.cells]
        return dict(zip(ids, self.content["cells"], strict=True))


class ContentsFile:
    """One document in step with a file, from `run` until `close`.

    Args:
        path: Path of the notebook.
        rest: The server.
        username: The name under which collaborators would see us.
    """

    mode: ClassVar[Mode] = "contents"
    _file: _File

    def __init__(self, path: str, rest: JupyterRest, username: str) -> None:
        self.document: NotebookDocument = NotebookDocument()
        self._path = path
        self._rest = rest
        #: what was being written when the connection broke
        self._written: tuple[CellSnapshot, ...] | None = None
        #: how many transactions were made here, and how many of them are in the file
        self._made = self._delivered = 0
        #: why the last edits that were not made were not
        self._refusal: NotebookConflictError | ConnectionLostError | None = None
        #: whether somebody who waited has been told of it
        self._refusal_told = True
        self._lost: str | None = None
        self._lock = anyio.Lock()
        self._edited = anyio.Event()
        self._closing = anyio.Event()
        self._ended = anyio.Event()

    @property
    def path(self) -> str:
        """Path of the notebook."""
        return self._path

    @property
    def lost(self) -> str | None:
        """Why it can be neither read nor written any more, None as long as it can."""
        return self._lost

    async def is_at(self, path: str) -> bool:
        """Say whether it is of the notebook that is at a path now: a file is its path here."""
        return path == self._path

    async def check_file(self) -> None:
        """Do nothing: an edit is written at once, and refused where that fails."""

    def peers(self) -> list[str]:
        """Return nobody: a file does not tell who has it open."""
        return []

    # --- the connection

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Read the file, report `started`, and write what is recorded until the end.

        Raises:
            NotebookNotFoundError, NotANotebookError, ConnectError: Before `started`.
        """
        try:
            self._take(await self._read())
            self.document.on_edit = self._on_edit
            task_status.started()
            while not self._closing.is_set() and self._lost is None:
                await self._edited.wait()
                with anyio.move_on_after(WRITE_DELAY):
                    await self._closing.wait()
                self._edited = anyio.Event()
                await self._write_behind()
        finally:
            self._lost = self._lost or "it was closed here"
            self.document.close()
            self.document.on_edit = None
            self._ended.set()

    def _on_edit(self, _: bytes) -> None:
        self._made += 1
        self._edited.set()

    @property
    def _dirty(self) -> bool:
        return self._delivered < self._made

    async def _write_behind(self) -> None:
        """Write what nobody waits for, as soon as the server can be reached."""
        for delay in reconnect_delays():
            if self._closing.is_set():
                return  # `close` has written, and told what went wrong
            try:
                async with self._lock:
                    return await self._deliver(self._made)
            except JupyterAgentError as error:
                if error is self._refusal:
                    log.warning("%s", error)
                    return  # `acknowledge` tells it
                log.warning("%s: not written yet: %s", self.path, error)
                if not _may_pass(error):
                    return self._give_up(str(error))
            with anyio.move_on_after(delay):
                await self._closing.wait()

    def _give_up(self, reason: str) -> None:
        self._lost = reason
        self.document.changes.note_connection("lost", reason)

    async def close(self) -> None:
        """Write what is left.

        Raises:
            ConnectionLostError, NotebookConflictError: The last edits are not in the file.
        """
        try:
            if (self._dirty or not self._refusal_told) and self._lost is None:
                await self.acknowledge()
        finally:
            self._closing.set()
            self._edited.set()
            with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                await self._ended.wait()

    # --- what others wait for

    async def current(self) -> NotebookDocument:
        """Return the document as the file is now, with what has been done here since.

        Raises:
            ConnectionLostError: The server cannot be reached: what is known may be out of date.
        """
        try:
            with anyio.fail_after(READ_TIMEOUT):
                async with self._lock:
                    await self._catch_up()
        except (JupyterAgentError, TimeoutError) as error:
            if error is not self._refusal:
                raise self._failed(error, READ_TIMEOUT) from error
            log.warning("%s", error)  # `acknowledge` tells it
        return self.document

    async def _catch_up(self) -> None:
        if not self._dirty and not self._file.is_of(await self._look()):
            model = await self._read()
            if not self._dirty:  # else theirs must not be taken over what was edited meanwhile
                self._take(model)
        await self._deliver(self._made)

    async def acknowledge(self) -> None:
        """Return when the file holds everything that was edited here until now.

        Raises:
            NotebookConflictError: Somebody else has written the file meanwhile; the edits were
                not made. If nothing was edited: earlier edits were not, which nobody was told.
            ConnectionLostError: It is not known in time.
        """
        made = self._made
        told = self._refusal if self._dirty or self._refusal_told else None
        try:
            with anyio.fail_after(ACKNOWLEDGE_TIMEOUT):
                async with self._lock:
                    if self._refusal is told:
                        await self._deliver(made)
        except (JupyterAgentError, TimeoutError) as error:
            if error is not self._refusal:
                raise self._failed(error, ACKNOWLEDGE_TIMEOUT) from error
        if self._refusal is not None and self._refusal is not told:
            self._refusal_told = True
            raise self._refusal

    async def save(self) -> None:
        """Return when the file holds the document.

        Raises:
            NotebookConflictError, ConnectionLostError
        """
        await self.acknowledge()

    def _failed(self, error: Exception, bound: float) -> ConnectionLostError:
        if isinstance(error, ConnectionLostError):
            return error
        if isinstance(error, JupyterAgentError) and not _may_pass(error):
            self._give_up(str(error))
        reason = str(error) or f"no answer within {bound:g} s"
        may_arrive = self._written is not None or (self._dirty and self._lost is None)
        return ConnectionLostError(self.path, reason, applied="unknown" if may_arrive else "no")

    # --- reading the file

    async def _look(self) -> tuple[str | None, str]:
        """Ask which version the file has."""
        return _version(await self._contents(content=False))

    async def _read(self) -> dict[str, Any]:
        return await self._contents(content=True)

    async def _contents(self, *, content: bool) -> dict[str, Any]:
        try:
            model = await self._rest.contents(self.path, content=content, type="notebook", hash="1")
        except RequestError as error:
            if error.status == 400:
                raise NotANotebookError(self.path, error.reason) from error
            raise
        if model is None:
            raise NotebookNotFoundError(self.path)
        return model

    def _take(self, model: Mapping[str, Any], *, anew: bool = False) -> None:
        """Let the document be what the file is.

        Args:
            model: The file.
            anew: Give up what has been done here; else it is somebody else's edit of the document.
        """
        content = dict(model["content"])
        content["cells"] = _with_ids(content["cells"], self.document.cells())
        self.document.load(content, anew=anew)
        cells, mark = tuple(self.document.cells()), self.document.changes.last
        self._file = _File(_version(model), content, cells, mark)

    # --- writing the file

    async def _deliver(self, made: int) -> None:
        """Write what has been done here, up to that transaction at least.

        Raises:
            NotebookConflictError, JupyterAgentError
        """
        while self._delivered < made:
            if await self._is_overtaken():
                made = self._made  # runs that were made again on theirs
            else:
                await self._write()

    async def _is_overtaken(self) -> bool:
        """Say whether others have written the file meanwhile; the document is theirs then.

        Raises:
            NotebookConflictError: There were edits, which are refused.
            ConnectionLostError: The server has rooms by now, to which the file belongs.
        """
        mode, version = await self._rest.probe_mode(), await self._look()
        if mode != self.mode:
            reason = "the server has live documents now: open the notebook again"
            self._give_up(reason)
            raise ConnectionLostError(self.path, reason, applied="no")
        if self._file.is_of(version):
            return False
        model = await self._read()
        model["content"]["cells"] = _with_ids(model["content"]["cells"], self._file.cells)
        cells = tuple(snapshot(i, cell) for i, cell in enumerate(model["content"]["cells"]))
        if self._written is not None and not differences(self._written, cells):
            # it was our own write whose answer was lost
            self._file = _File(_version(model), model["content"], cells, self._file.mark)
            self._written = None
            return False
        self._take_over(model, differences(self._file.cells, cells))
        return True

    def _take_over(self, model: Mapping[str, Any], changed: Sequence[tuple[str, str]]) -> None:
        """Let the document be what others have written; put runs into it, and refuse edits."""
        entries = self._unwritten()
        self._take(model, anew=True)
        self._delivered = self._made
        refused = []
        for entry in entries:
            if isinstance(entry.edit, RunRecorded):
                self.document.make_again(entry)
            else:
                refused.append(entry)
        if refused:
            self._refuse(refused, NotebookConflictError(self.path, changed, self._shown(changed)))

    def _give_back(self, error: AuthenticationError | RequestError) -> None:
        """Let the document be the file again, which the server does not write."""
        entries = self._unwritten()
        written = self._file.as_written()
        cells = [{**raw, "id": cell_id} for cell_id, raw in written.items()]
        self.document.load({**self._file.content, "cells": cells}, anew=True)
        self._file = attrs.evolve(self._file, mark=self.document.changes.last)
        self._delivered, self._written = self._made, None
        remedy = "make it writable for the server and the token"
        if isinstance(error, RequestError) and error.status == 413:
            remedy = error.reason
        reason = (
            f"the server refuses to write the file (HTTP {error.status}): {remedy}, "
            "and repeat the edit"
        )
        self._refuse(entries, ConnectionLostError(self.path, reason, applied="no"))

    def _unwritten(self) -> list[Entry]:
        return [entry for entry in self.document.journal.take() if not entry.acknowledged]

    def _refuse(
        self, entries: list[Entry], refusal: NotebookConflictError | ConnectionLostError
    ) -> None:
        """Keep edits that were not made for a merge, with those of which nobody knows yet."""
        self.document.refused = entries if self._refusal_told else self.document.refused + entries
        self._refusal, self._refusal_told = refusal, False
        raise refusal

    def _shown(self, changed: Sequence[tuple[str, str]]) -> list[str]:
        lines = []
        for kind, cell_id in changed[:_SHOWN]:
            first = ""
            if self.document.has(cell_id):
                cell = self.document.cell(cell_id)
                first = f" (index {cell.index}): {cell.source.partition(chr(10))[0]!r}"
            lines.append(f"{kind} {cell_id}{first}")
        if len(changed) > _SHOWN:
            lines.append(f"… {len(changed) - _SHOWN} more")
        return lines

    async def _write(self) -> None:
        edits, cells = self.document.journal.last, tuple(self.document.cells())
        made, mark = self._made, self.document.changes.last
        content = self._content()
        self._written = cells
        try:
            written = await self._rest.write_notebook(self.path, content)
        except (AuthenticationError, RequestError) as error:
            if not is_transient(error) and error.status != 401:
                self._give_back(error)
            raise
        version = await self._look()
        if version[1] != written["last_modified"]:
            # somebody else was faster: the next write will see that
            version = (None, str(written["last_modified"]))
        self._file = _File(version, content, cells, mark)
        self._delivered, self._written = made, None
        self.document.journal.acknowledged(edits)

    def _content(self) -> dict[str, Any]:
        """The notebook as nbformat has it; cells that nobody has touched as they were read."""
        touched = {mark.cell_id for mark in self.document.changes.since(self._file.mark)}
        content, written = self._file.content, self._file.as_written()
        has_ids = (content["nbformat"], content["nbformat_minor"]) >= (4, 5)
        cells = []
        for cell_id in self.document.ids:
            raw = None if cell_id in touched else written.get(cell_id)
            cell = dict(raw or self.document.nbformat_cell(cell_id))
            if not has_ids:
                cell.pop("id", None)
            cells.append(cell)
        return {**content, "cells": cells}


def _may_pass(error: JupyterAgentError) -> bool:
    """Say whether the same may succeed later: a file may be read while an editor writes it."""
    return is_transient(error) or isinstance(error, NotANotebookError)


def _version(model: Mapping[str, Any]) -> tuple[str | None, str]:
    """What changes with the file: its hash, where the server tells it, and its time."""
    return model.get("hash"), str(model["last_modified"])


def _with_ids(
    cells: Sequence[Mapping[str, Any]], known: Sequence[CellSnapshot]
) -> list[dict[str, Any]]:
    """Give ids to cells that have none (before nbformat 4.5), those that they had here before."""
    with_ids = [dict(cell) for cell in cells]
    taken = {cell["id"] for cell in with_ids if "id" in cell}
    theirs = [(cell["cell_type"], cell["source"]) for cell in with_ids]
    ours = [(cell.cell_type, cell.source) for cell in known]
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    for i, j, size in matcher.get_matching_blocks():
        for offset in range(size):
            if (known_id := known[i + offset].id) not in taken:
                with_ids[j + offset].setdefault("id", known_id)
    for cell in with_ids:
        cell.setdefault("id", str(uuid4()))
    return with_ids
