# SPDX-License-Identifier: BSD-3-Clause
"""A live notebook."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, final

import anyio
from anyio.abc import TaskStatus

from .._document.operations import DeleteCell, InsertCell
from .._errors import CellNotFoundError, CellTypeError, ConfigurationError
from .._values import (
    CellSnapshot,
    CellType,
    Change,
    Changes,
    ConnectionChange,
    ExecutionResult,
    InputHandler,
    KernelInfo,
    KernelRelease,
    Mode,
)
from .arguments import check_on_input, check_timeout
from .batch import Batch
from .cell import Cell
from .connections import Connections
from .editing import Editing
from .kernel import Kernel
from .kernel_release import end_if_ours, leave
from .notebook_kernel import NotebookKernel
from .run import check_can_wait, finish

if TYPE_CHECKING:
    from .._document.provider import DocumentProvider


@final
class Notebook:
    """One notebook, edited beside whoever else has it open; made by `Server.open_notebook`.

    Reading costs nothing: the document is here. A change returns when the server has it.
    """

    def __init__(
        self,
        connections: Connections,
        editing: Editing,
        kernel_name: str | None,
        kernel_id: str | None,
    ) -> None:
        self._connections = connections
        self._editing = editing
        self._provider = editing.provider
        document = editing.provider.document
        source = NotebookKernel(
            connections,
            editing.open_path,
            lambda: _kernelspec(document.metadata),
            kernel_name,
            kernel_id,
        )
        self._kernel_source = source
        self._kernel = Kernel(connections, source.locate, source.find, editing.provider)

    def __repr__(self) -> str:
        return f"<Notebook {self.path!r}>"

    @property
    def path(self) -> str:
        """Path below the server's root."""
        return self._provider.path

    @property
    def mode(self) -> Mode:
        """How it is kept in step with the server (see `ServerInfo`)."""
        return self._connections.mode

    @property
    def kernel(self) -> Kernel:
        """The notebook's kernel; adopted or started when it is first used."""
        return self._kernel

    @property
    def is_closed(self) -> bool:
        """Whether it has been closed here."""
        return self._editing.closed

    def _live(self) -> DocumentProvider:
        self._editing.check_open()
        return self._provider

    async def read(self) -> tuple[CellSnapshot, ...]:
        """Return all cells as they are now.

        Raises:
            ConnectionLostError: What is known here may be out of date.
            NotebookClosedError
        """
        return tuple((await self._live().current()).cells())

    def cell(self, ref: int | str) -> Cell:
        """Return the cell at a 0-based index, or with an id or a unique prefix of one.

        Args:
            ref: The index, or the id or its first 4 characters or more.

        Raises:
            CellNotFoundError: There is none, or more than one.
            ConnectionLostError, NotebookClosedError
        """
        return self._cell(self._live().document.cell(ref).id)

    def _cell(self, cell_id: str) -> Cell:
        return Cell(cell_id, self._editing, self._kernel)

    async def append_cell(self, source: str, cell_type: CellType = "code") -> Cell:
        """Add a cell at the end.

        Args:
            source: Its text.
            cell_type: `"code"`, `"markdown"` or `"raw"`.

        Returns:
            The new cell, once the server has it.

        Raises:
            ConfigurationError: There is no such cell type.
            ConnectionLostError: `applied` says what became of the edit.
            BatchOpenError, NotebookClosedError
        """
        return await self._insert(InsertCell(source, cell_type, before=None))

    async def insert_cell(self, index: int, source: str, cell_type: CellType = "code") -> Cell:
        """Add a cell before the one at `index`.

        Args:
            index: 0-based; the number of cells means at the end.
            source: Its text.
            cell_type: `"code"`, `"markdown"` or `"raw"`.

        Returns:
            The new cell, once the server has it.

        Raises:
            CellNotFoundError: The index is out of range.
            ConfigurationError: There is no such cell type.
            ConnectionLostError: `applied` says what became of the edit.
            BatchOpenError, NotebookClosedError
        """
        self._live()
        before = self._editing.editor.place(index)
        return await self._insert(InsertCell(source, cell_type, before))

    async def _insert(self, operation: InsertCell) -> Cell:
        await self._editing.apply(operation)
        return self._cell(operation.cell_id)

    async def delete_cells(
        self, refs: Sequence[int | str], *, force: bool = False
    ) -> tuple[CellSnapshot, ...]:
        """Delete cells, all of them or none.

        Args:
            refs: Indices or ids, each cell once.
            force: Delete them although somebody else types in one.

        Returns:
            The cells as they were, in the order of `refs`.

        Raises:
            CellNotFoundError: One of them does not exist, or is named twice.
            CollaboratorTypingError: Somebody else has just typed in one.
            ConnectionLostError: `applied` says what became of the edit.
            BatchOpenError, NotebookClosedError
        """
        document = self._live().document
        cells = tuple(document.cell(ref) for ref in refs)
        seen: set[str] = set()
        for ref, cell in zip(refs, cells, strict=True):
            if cell.id in seen:
                raise CellNotFoundError(ref, "is named twice")
            seen.add(cell.id)
        await self._editing.apply(*(DeleteCell(cell.id, force=force) for cell in cells))
        return cells

    async def move_cell(self, ref: int | str, index: int, *, force: bool = False) -> CellSnapshot:
        """Move a cell; it keeps its id, its outputs and what runs in it.

        Args:
            ref: Its index or id.
            index: Its 0-based position afterwards.
            force: Move it although somebody else types in it, who may lose a keystroke.

        Returns:
            The cell, once the server has applied the change.

        Raises:
            CellNotFoundError: There is no such cell, or the index is out of range.
            CollaboratorTypingError, ConnectionLostError, BatchOpenError, NotebookClosedError
        """
        return await self.cell(ref).move(index, force=force)

    def batch(self) -> Batch:
        """Collect edits in a `with` block, to be made at its end as one, all or none.

        While it is open, reads show the notebook as it was before, and edits and runs that are
        not the batch's are refused.

        Returns:
            The batch, with a method for each kind of edit.
        """
        return Batch(self._editing)

    async def undo(self, count: int = 1) -> tuple[CellSnapshot, ...]:
        """Take back the last edits made through this notebook object; nobody else's, no outputs.

        Args:
            count: How many of them, 100 at most; a batch is one.

        Returns:
            The cells that are different now, once the server has them.

        Raises:
            ConfigurationError: There are not so many. Nothing has changed.
            UndoConflictError: Others have built on one of them. Nothing has changed.
            ConnectionLostError, BatchOpenError, NotebookClosedError
        """
        await self._provider.check_file()
        self._editing.check_live()
        cell_ids = self._editing.editor.undo(count)
        await self._provider.acknowledge()
        document = self._provider.document
        return tuple(document.cell(cell_id) for cell_id in cell_ids if document.has(cell_id))

    async def merge(self) -> tuple[CellSnapshot, ...]:
        """Make the edits that the last `NotebookConflictError` refused, beside what others wrote.

        By cell id; where both have changed a source, line by line. Only until the next edit,
        which may be the same one, repeated. `undo` does not take a merge back.

        Returns:
            All cells, once they are in the file.

        Raises:
            ConfigurationError: Nothing has been refused.
            NotebookConflictError: Others have been faster once more.
            ConnectionLostError, BatchOpenError, NotebookClosedError
        """
        self._editing.check_live()
        document = self._provider.document
        if not document.refused:
            raise ConfigurationError("There is nothing to merge: no edit has been refused")
        document.make_refused_again()
        await self._provider.acknowledge()
        return tuple(document.cells())

    async def changes(self, since: str | None = None) -> Changes:
        """Return what happened to the cells since a cursor: which, how and by whom.

        Args:
            since: The cursor of an earlier answer; None only gives a cursor, for what follows.

        Returns:
            The changes and the cursor to go on with.

        Raises:
            ConfigurationError: It is no cursor of this notebook since it was opened.
            ConnectionLostError, NotebookClosedError
        """
        await self._live().current()
        return self._editing.editor.changes(since)

    async def selections(self) -> tuple[tuple[str, CellSnapshot], ...]:
        """Return the cells in which collaborators have their cursors, who moved last first.

        Returns:
            The name of each, and the cell; a cursor between cells is in none.

        Raises:
            ConnectionLostError, NotebookClosedError
        """
        from .._document.cursors import cursors_of

        document = await self._live().current()
        return tuple((by, document.cell(cell_id)) for by, cell_id in cursors_of(document))

    async def watch(self) -> AsyncIterator[Change | ConnectionChange]:
        """Follow what happens to the notebook and its connection, until that ends for good.

        Yields:
            Each change as it comes; what comes faster than it is taken is told once a cell
            and kind.

        Raises:
            NotebookClosedError
        """
        self._editing.check_open()
        log = self._provider.document.changes
        number, happened = log.last, anyio.Event()
        with log.listening(lambda: happened.set()):
            while True:
                connection, marks = log.connection_since(number), log.since(number)
                number, happened = log.last, anyio.Event()
                for mark in connection:
                    yield ConnectionChange(mark.state, mark.reason)
                for change in self._editing.editor.told(marks):
                    yield change
                if number == log.last:
                    if self._editing.closed or self._provider.lost is not None:
                        return
                    await happened.wait()

    async def run_all(
        self,
        *,
        restart: bool = False,
        stop_on_error: bool = True,
        timeout: float | None = None,
        on_input: InputHandler | None = None,
    ) -> tuple[ExecutionResult, ...]:
        """Run all code cells in order.

        One that is deleted, or made something else than code, before its turn is left out.

        Args:
            restart: Restart the kernel first.
            stop_on_error: Do not run the cells after one that did not end as `ok`.
            timeout: Seconds for all of them; the cell at work then runs on.
            on_input: Called with what the code asks its user, to answer; None ends the input
                (`EOFError` in Python). Without it, asking is an error in the code at once.

        Returns:
            The outcomes of the cells that were run.

        Raises:
            KernelSpecNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
            ConfigurationError: `on_input`, where the server runs the cells.
            NotebookClosedError
        """
        check_timeout(timeout)
        check_on_input(on_input)
        self._editing.check_live()
        cells = [cell for cell in self._provider.document.cells() if cell.cell_type == "code"]
        await check_can_wait(self._kernel)
        if restart:
            await self._kernel.restart()
        deadline = None if timeout is None else anyio.current_time() + timeout
        results: list[ExecutionResult] = []
        for cell in cells:
            left = None if deadline is None else deadline - anyio.current_time()
            if left is not None and left <= 0:
                break
            try:
                run = await self._cell(cell.id).start(on_input=on_input)
            except (CellNotFoundError, CellTypeError):
                continue
            result = await finish(run, left, "keep_running")
            results.append(result)
            if result.status != "ok" and (stop_on_error or result.status != "error"):
                break
        return tuple(results)

    async def use_kernel(
        self, kernel_id: str | None = None, *, kernel_name: str | None = None
    ) -> KernelInfo:
        """Run the notebook on another kernel from now on, for everybody who has it open.

        The server ends the kernel that it ran on.

        Args:
            kernel_id: A running kernel, or `"NEW"` for a new one.
            kernel_name: Kernelspec of the new one; default: that of the present one.

        Returns:
            The kernel that it runs on now.

        Raises:
            ConfigurationError: No kernel is named.
            KernelNotFoundError, KernelSpecNotFoundError, ConnectError, NotebookClosedError
            KernelUnavailableError: The present one is in use, or the other one did not start.
        """
        self._editing.check_live()
        await self._kernel_source.switch(self._kernel, kernel_id, kernel_name)
        return await self._kernel.connect()

    async def restart(self) -> None:
        """Restart the notebook's kernel; its memory is lost.

        Raises:
            KernelNotFoundError, KernelUnavailableError, ConnectError, NotebookClosedError
        """
        self._live()
        await self._kernel.restart()

    def collaborators(self) -> tuple[str, ...]:
        """Return the display names of the others who have the notebook open.

        Raises:
            ConnectionLostError, NotebookClosedError
        """
        return tuple(self._live().peers())

    async def flush(self) -> None:
        """Return when the server has applied everything done here, outputs included.

        Raises:
            ConnectionLostError: `applied` says what became of it.
            NotebookConflictError: Others had written the file before; edits were not made.
            NotebookClosedError
        """
        await self._live().acknowledge()

    async def save(self) -> None:
        """Return when the file on disk holds the notebook as it is now.

        Raises:
            SaveError: The server did not confirm it.
            ConnectionLostError, NotebookConflictError, NotebookClosedError
        """
        await self._live().save()

    async def close(self) -> KernelRelease:
        """Deliver what is left, leave the room and let go of the kernel.

        Returns:
            What became of the kernel.

        Raises:
            ConnectionLostError: The last changes may not have arrived.
            NotebookConflictError: Others had written the file before; they were not made.
            ConnectError
        """
        if self._editing.closed:
            return KernelRelease(None, shut_down=False)
        self._editing.closed = True
        self._provider.document.changes.tell()
        released: list[KernelRelease] = []

        async def close(*, task_status: TaskStatus[None]) -> None:
            released.append(await self._close())
            task_status.started()

        # who is cancelled must not leave a kernel that nobody ends
        await self._connections.background.start_uncut(close)
        return released[0]

    async def _close(self) -> KernelRelease:
        # before the room, so that what runs that end with it have printed is there
        await self._kernel._stop_connecting()
        kernel = await leave(self._kernel)
        try:
            if self._connections.documents.release(self._provider):
                await self._provider.close()
        finally:
            released = await end_if_ours(self._connections, kernel)
        return released


def _kernelspec(metadata: object) -> str | None:
    """The name of the kernelspec that the notebook was written for, if it tells."""
    spec = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    name = spec.get("name") if isinstance(spec, dict) else None
    return str(name) if name else None
