# SPDX-License-Identifier: BSD-3-Clause
"""A live notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import anyio

from .._errors import CellNotFoundError, NotebookClosedError
from .._values import CellSnapshot, CellType, ExecutionResult, KernelRelease, Mode
from .cell import Cell
from .connections import Connections
from .kernel import Kernel, NotebookKernel, end_if_ours, leave

if TYPE_CHECKING:
    from .._document.room import Room


@final
class Notebook:
    """One notebook, edited beside whoever else has it open; made by `Server.open_notebook`.

    Reading costs nothing: the document is here. A change returns when the server has it.
    """

    def __init__(
        self,
        connections: Connections,
        room: Room,
        kernel_name: str | None,
        kernel_id: str | None,
    ) -> None:
        self._connections = connections
        self._room = room
        self._closed = False
        document = room.document
        source = NotebookKernel(
            connections,
            self._open_path,
            lambda: _kernelspec(document.metadata),
            kernel_name,
            kernel_id,
        )
        self._kernel = Kernel(connections, source.locate)

    def __repr__(self) -> str:
        return f"<Notebook {self.path!r}>"

    @property
    def path(self) -> str:
        """Path below the server's root."""
        return self._room.path

    @property
    def mode(self) -> Mode:
        """How it is kept in step: `"collaboration"`, a live room."""
        return "collaboration"

    @property
    def kernel(self) -> Kernel:
        """The notebook's kernel; adopted or started when it is first used."""
        return self._kernel

    @property
    def is_closed(self) -> bool:
        """Whether it has been closed here."""
        return self._closed

    def _open_path(self) -> str:
        if self._closed:
            raise NotebookClosedError(self.path)
        return self.path

    def _live(self) -> Room:
        if self._closed:
            raise NotebookClosedError(self.path)
        self._room.check_live()
        return self._room

    async def read(self) -> tuple[CellSnapshot, ...]:
        """Return all cells as they are now.

        Raises:
            ConnectionLostError: What is known here may be out of date.
            NotebookClosedError
        """
        return tuple((await self._live().current()).cells())

    def cell(self, ref: int | str) -> Cell:
        """Return the cell at a 0-based index, or with an id or a unique prefix of one.

        Raises:
            CellNotFoundError: There is none, or more than one.
            ConnectionLostError, NotebookClosedError
        """
        room = self._live()
        return self._cell(room.document.cell(ref).id)

    def _cell(self, cell_id: str) -> Cell:
        return Cell(cell_id, self._room, self._kernel)

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
            NotebookClosedError
        """
        room = self._live()
        return await self.insert_cell(len(room.document.cells()), source, cell_type)

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
            NotebookClosedError
        """
        room = self._live()
        cell_id = room.document.insert_cell(index, source, cell_type)
        await room.acknowledge()
        return self._cell(cell_id)

    async def delete_cells(self, refs: Sequence[int | str]) -> tuple[CellSnapshot, ...]:
        """Delete cells, all of them or none.

        Args:
            refs: Indices or ids, each cell once.

        Returns:
            The cells as they were, in the order of `refs`.

        Raises:
            CellNotFoundError: One of them does not exist, or is named twice.
            ConnectionLostError: `applied` says what became of the edit.
            NotebookClosedError
        """
        room = self._live()
        cells = tuple(room.document.cell(ref) for ref in refs)
        seen: set[str] = set()
        for ref, cell in zip(refs, cells, strict=True):
            if cell.id in seen:
                raise CellNotFoundError(ref, "is named twice")
            seen.add(cell.id)
        room.document.delete_cells([cell.id for cell in cells])
        await room.acknowledge()
        return cells

    async def run_all(
        self, *, restart: bool = False, stop_on_error: bool = True, timeout: float | None = None
    ) -> tuple[ExecutionResult, ...]:
        """Run all code cells in order.

        Args:
            restart: Restart the kernel first.
            stop_on_error: Do not run the cells after one that did not end as `ok`.
            timeout: Seconds for all of them; the cell at work then runs on.

        Returns:
            The outcomes of the cells that were run.

        Raises:
            KernelSpecNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
            NotebookClosedError
        """
        cells = [cell for cell in self._live().document.cells() if cell.cell_type == "code"]
        if restart:
            await self._kernel.restart()
        deadline = None if timeout is None else anyio.current_time() + timeout
        results: list[ExecutionResult] = []
        for cell in cells:
            left = None if deadline is None else deadline - anyio.current_time()
            if left is not None and left <= 0:
                break
            result = await self._cell(cell.id).execute(timeout=left)
            results.append(result)
            if result.status != "ok" and (stop_on_error or result.status != "error"):
                break
        return tuple(results)

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
            NotebookClosedError
        """
        await self._live().acknowledge()

    async def save(self) -> None:
        """Return when the file on disk holds the notebook as it is now.

        Raises:
            SaveError: The server did not confirm it.
            ConnectionLostError, NotebookClosedError
        """
        await self._live().save()

    async def close(self) -> KernelRelease:
        """Deliver what is left, leave the room and let go of the kernel.

        Returns:
            What became of the kernel.

        Raises:
            ConnectionLostError: The last changes may not have arrived.
            ConnectError
        """
        if self._closed:
            return KernelRelease(None, shut_down=False)
        self._closed = True
        # first, so that what runs that end with it have printed is in the room
        kernel = await leave(self._kernel)
        try:
            if self._connections.rooms.release(self._room):
                await self._room.close()
        finally:
            released = await end_if_ours(self._connections, kernel)
        return released


def _kernelspec(metadata: object) -> str | None:
    """The name of the kernelspec that the notebook was written for, if it tells."""
    spec = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    name = spec.get("name") if isinstance(spec, dict) else None
    return str(name) if name else None
