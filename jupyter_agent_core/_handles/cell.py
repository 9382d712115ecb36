# SPDX-License-Identifier: BSD-3-Clause
"""One cell of a live notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

from .._document.operations import (
    ClearOutputs,
    DeleteCell,
    EditSource,
    MoveCell,
    Operation,
    SetAttachments,
    SetMetadata,
    SetSource,
    SetType,
)
from .._errors import CellTypeError
from .._values import CellSnapshot, CellType, ExecutionResult, InputHandler, OnTimeout
from .arguments import check_waiting
from .cell_run import start_cell
from .kernel import Kernel
from .run import Run, check_can_wait, finish

if TYPE_CHECKING:
    from .editing import Editing


@final
class Cell:
    """A cell, by its id: it stays the same cell wherever it moves. Made by `Notebook.cell`.

    Every change returns when the server has it, and refuses with nothing changed:
    `CellNotFoundError` if the cell has been deleted, `VersionConflictError` if it has changed
    since `expected_version`, `CollaboratorTypingError` if somebody else has just changed lines
    that would be overwritten (`force=True` overrules that), `BatchOpenError` while a batch is
    open. After a `ConnectionLostError`, its `applied` says what became of the change.
    """

    def __init__(self, cell_id: str, editing: Editing, kernel: Kernel) -> None:
        self._id = cell_id
        self._editing = editing
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
            NotebookClosedError
        """
        self._editing.check_open()
        return (await self._editing.provider.current()).cell(self._id)

    async def _apply(self, operation: Operation) -> CellSnapshot:
        done = await self._editing.apply(operation)
        document = self._editing.provider.document
        if self._id in done.after and not document.has(self._id):
            return done.after[self._id]  # somebody has deleted it since
        return document.cell(self._id)

    async def set_source(
        self, source: str, *, expected_version: str | None = None, force: bool = False
    ) -> CellSnapshot:
        """Turn the source into another by the smallest edits; what others type is kept.

        Args:
            source: The new text.
            expected_version: Refuse if the cell is not at this version any more.
            force: Overwrite also lines that somebody else has just changed.

        Returns:
            The cell, once the server has applied the edit.

        Raises:
            CellNotFoundError, VersionConflictError, CollaboratorTypingError, ConnectionLostError
        """
        return await self._apply(SetSource(self._id, source, expected_version, force))

    async def edit_source(
        self,
        old: str,
        new: str,
        *,
        replace_all: bool = False,
        expected_version: str | None = None,
        force: bool = False,
    ) -> CellSnapshot:
        """Replace a piece of the source by another.

        Args:
            old: The text to replace, exactly as it is; it must be there once.
            new: What takes its place.
            replace_all: Replace it wherever it is.
            expected_version: Refuse if the cell is not at this version any more.
            force: Overwrite also lines that somebody else has just changed.

        Returns:
            The cell, once the server has applied the edit.

        Raises:
            SourceMatchError: It is not there, or more than once.
            CellNotFoundError, VersionConflictError, CollaboratorTypingError, ConnectionLostError
        """
        return await self._apply(
            EditSource(self._id, old, new, replace_all, expected_version, force)
        )

    async def set_type(
        self, cell_type: CellType, *, expected_version: str | None = None, force: bool = False
    ) -> CellSnapshot:
        """Make it a cell of another type, with the same id, source and metadata.

        Outputs go where the new type has none, and so do attachments.

        Args:
            cell_type: `"code"`, `"markdown"` or `"raw"`.
            expected_version: Refuse if the cell is not at this version any more.
            force: Do it although somebody else types in it.

        Returns:
            The cell, once the server has applied the change.

        Raises:
            ConfigurationError: There is no such cell type.
            CellNotFoundError, VersionConflictError, CollaboratorTypingError, ConnectionLostError
        """
        return await self._apply(SetType(self._id, cell_type, expected_version, force))

    async def set_metadata(
        self,
        values: Mapping[str, Any],
        *,
        remove: Sequence[str] = (),
        expected_version: str | None = None,
    ) -> CellSnapshot:
        """Set entries of the metadata, such as `{"tags": ["slow"]}`; other entries stay.

        Args:
            values: The entries to set, as JSON values.
            remove: Names of entries to remove.
            expected_version: Refuse if the cell is not at this version any more.

        Returns:
            The cell, once the server has applied the change.

        Raises:
            ConfigurationError: A value that nbformat does not allow, or no such entry to remove.
            CellNotFoundError, VersionConflictError, ConnectionLostError
        """
        return await self._apply(SetMetadata(self._id, values, remove, expected_version))

    async def set_attachments(
        self,
        attachments: Mapping[str, Mapping[str, Any]],
        *,
        expected_version: str | None = None,
    ) -> CellSnapshot:
        """Replace the attachments of a markdown or raw cell.

        Args:
            attachments: Name to MIME bundle, such as `{"a.png": {"image/png": "<base64>"}}`;
                the source refers to one as `attachment:a.png`.
            expected_version: Refuse if the cell is not at this version any more.

        Returns:
            The cell, once the server has applied the change.

        Raises:
            CellTypeError: It is a code cell.
            ConfigurationError: What is given are no attachments.
            CellNotFoundError, VersionConflictError, ConnectionLostError
        """
        return await self._apply(SetAttachments(self._id, attachments, expected_version))

    async def clear_outputs(self) -> CellSnapshot:
        """Remove the outputs and the execution count.

        Returns:
            The cell, once the server has applied the change.

        Raises:
            CellTypeError: It is no code cell.
            CellNotFoundError, ConnectionLostError
        """
        return await self._apply(ClearOutputs(self._id))

    async def move(self, index: int, *, force: bool = False) -> CellSnapshot:
        """Move the cell; it keeps its id, its outputs and what runs in it.

        Args:
            index: Its 0-based position afterwards.
            force: Move it although somebody else types in it, who may lose a keystroke.

        Returns:
            The cell, once the server has applied the change.

        Raises:
            CellNotFoundError: It has been deleted, or the index is out of range.
            CollaboratorTypingError, ConnectionLostError
        """
        before = self._editing.editor.place(index, without=self._id)
        return await self._apply(MoveCell(self._id, before, force))

    async def delete(
        self, *, expected_version: str | None = None, force: bool = False
    ) -> CellSnapshot:
        """Delete the cell.

        Args:
            expected_version: Refuse if the cell is not at this version any more.
            force: Delete it although somebody else types in it.

        Returns:
            The cell as it was.

        Raises:
            CellNotFoundError, VersionConflictError, CollaboratorTypingError, ConnectionLostError
        """
        cell = self._editing.provider.document.cell(self._id)
        await self._editing.apply(DeleteCell(self._id, expected_version, force))
        return cell

    async def start(self, *, on_input: InputHandler | None = None, detached: bool = False) -> Run:
        """Give the cell to the kernel and return without waiting; outputs go into the cell.

        Args:
            on_input: Called with what the code asks its user, to answer; None ends the input
                (`EOFError` in Python). Without it, asking is an error in the code at once.
            detached: Let the server run the cell (`jupyter-server-nbmodel`, or where it always
                does): the run goes on, and its outputs land in the notebook, when this process is
                gone. Its kernel is then left running.

        Returns:
            The run.

        Raises:
            ConfigurationError: `on_input` or `detached` is not to be had on this server.
            CellNotFoundError: It has been deleted.
            CellTypeError: It is no code cell.
            BatchOpenError
            KernelSpecNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
        """
        self._editing.check_live()
        document = self._editing.provider.document
        cell = document.cell(self._id)
        if cell.cell_type != "code":
            raise CellTypeError(cell.index, cell.cell_type, "a code cell")
        author = self._editing.editor.author
        return await start_cell(self._kernel, document, cell, author, on_input, detached=detached)

    async def execute(
        self,
        *,
        timeout: float | None = None,
        on_timeout: OnTimeout = "keep_running",
        on_input: InputHandler | None = None,
    ) -> ExecutionResult:
        """Run the cell and wait for its end; outputs go into the cell as they come.

        Args:
            timeout: Seconds to wait, None to wait for the end.
            on_timeout: What happens to the code then: `"keep_running"` or `"interrupt"`.
            on_input: Called with what the code asks its user, to answer; None ends the input
                (`EOFError` in Python). Without it, asking is an error in the code at once. What
                it raises is raised here when the code has ended.

        Returns:
            The outcome; an exception in the code is one, and is not raised.

        Raises:
            ConfigurationError: `on_input`, where the server runs the cells.
            CellNotFoundError: It has been deleted.
            CellTypeError: It is no code cell.
            BatchOpenError
            KernelSpecNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
        """
        check_waiting(timeout, on_timeout)
        await check_can_wait(self._kernel)
        return await finish(await self.start(on_input=on_input), timeout, on_timeout)
