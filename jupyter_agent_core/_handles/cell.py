# SPDX-License-Identifier: BSD-3-Clause
"""One cell of a live notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from .._values import CellSnapshot, ExecutionResult, OnTimeout
from .kernel import Kernel, check_can_wait, start_cell
from .run import Run, check_on_timeout, finish

if TYPE_CHECKING:
    from .._document.room import Room


@final
class Cell:
    """A cell, by its id: it stays the same cell wherever it moves. Made by `Notebook.cell`."""

    def __init__(self, cell_id: str, room: Room, kernel: Kernel) -> None:
        self._id = cell_id
        self._room = room
        self._kernel = kernel

    def __repr__(self) -> str:
        return f"<Cell {self._id}>"

    @property
    def id(self) -> str:
        """The nbformat id of the cell."""
        return self._id

    async def read(self) -> CellSnapshot:
        """Return the cell as it is now.

        Raises:
            CellNotFoundError: It has been deleted.
            ConnectionLostError: What is known here may be out of date.
        """
        return (await self._room.current()).cell(self._id)

    async def set_source(self, source: str, *, expected_version: str | None = None) -> CellSnapshot:
        """Turn the source into another by the smallest edits; what others type is kept.

        Args:
            source: The new text.
            expected_version: Refuse if the cell is not at this version any more.

        Returns:
            The cell, once the server has applied the edit.

        Raises:
            CellNotFoundError: It has been deleted.
            VersionConflictError: It has changed since `expected_version`.
            ConnectionLostError: `applied` says what became of the edit.
        """
        from .._document.model import check_version

        self._room.check_live()
        check_version(self._room.document.cell(self._id), expected_version)
        self._room.document.set_source(self._id, source)
        await self._room.acknowledge()
        return self._room.document.cell(self._id)

    async def delete(self, *, expected_version: str | None = None) -> CellSnapshot:
        """Delete the cell.

        Args:
            expected_version: Refuse if the cell is not at this version any more.

        Returns:
            The cell as it was.

        Raises:
            CellNotFoundError, VersionConflictError, ConnectionLostError
        """
        from .._document.model import check_version

        self._room.check_live()
        cell = self._room.document.cell(self._id)
        check_version(cell, expected_version)
        self._room.document.delete_cells([self._id])
        await self._room.acknowledge()
        return cell

    async def start(self) -> Run:
        """Give the cell to the kernel and return without waiting; outputs go into the cell.

        Returns:
            The run.

        Raises:
            CellNotFoundError: It has been deleted.
            CellTypeError: It is no code cell.
            KernelSpecNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
        """
        from .._document.model import check_code_cell

        self._room.check_live()
        cell = self._room.document.cell(self._id)
        check_code_cell(cell)
        return await start_cell(self._kernel, self._room.document, cell)

    async def execute(
        self, *, timeout: float | None = None, on_timeout: OnTimeout = "keep_running"
    ) -> ExecutionResult:
        """Run the cell and wait for its end; outputs go into the cell as they come.

        Args:
            timeout: Seconds to wait, None to wait for the end.
            on_timeout: What happens to the code then: `"keep_running"` or `"interrupt"`.

        Returns:
            The outcome; an exception in the code is one, and is not raised.

        Raises:
            CellNotFoundError: It has been deleted.
            CellTypeError: It is no code cell.
            KernelSpecNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
        """
        check_on_timeout(on_timeout)
        await check_can_wait(self._kernel)
        return await finish(await self.start(), timeout, on_timeout)
