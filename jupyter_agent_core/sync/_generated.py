# SPDX-License-Identifier: BSD-3-Clause
"""The blocking classes, and the functions that give them.

Written by `python tools/generate_sync.py` from the async API: do not edit.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Annotated, Any, Literal, Self, final

from msgspec import Meta

from .._answers import (
    AllCellsRun,
    CellInserted,
    CellMoved,
    CellOverwritten,
    CellRun,
    CellsDeleted,
    CellsSelected,
    CellView,
    CodeRun,
    EditsApplied,
    EditsUndone,
    FileListing,
    KernelInterrupted,
    KernelListing,
    KernelRestarted,
    NotebookChanges,
    NotebookListing,
    NotebookMatches,
    NotebookOpened,
    NotebookReleased,
    NotebookSaved,
    NotebookView,
    OutputsCleared,
    ResponseFormat,
    RunWaited,
    ServerConnected,
    VariableShown,
    VariablesListed,
)
from .._handles.batch import Batch as AsyncBatch
from .._handles.cell import Cell as AsyncCell
from .._handles.connecting import DEFAULT_USERNAME
from .._handles.connecting import connect as async_connect
from .._handles.connecting import launch as async_launch
from .._handles.kernel import ANSWER_TIMEOUT
from .._handles.kernel import Kernel as AsyncKernel
from .._handles.notebook import Notebook as AsyncNotebook
from .._handles.places import AnyAuth
from .._handles.run import INTERRUPT_TIMEOUT
from .._handles.run import Run as AsyncRun
from .._handles.server import Server as AsyncServer
from .._http.discovery import PROBE_TIMEOUT, Folder
from .._http.discovery import find_servers as async_find_servers
from .._http.hub_server import START_TIMEOUT, OnProgress
from .._http.tls import Verify
from .._hub_values import HubServer
from .._introspection import (
    Completions,
    Inspection,
    KernelFacts,
    Variable,
    VariableListing,
    VariableValue,
)
from .._values import (
    CellSnapshot,
    CellType,
    Change,
    Changes,
    ConnectionChange,
    ExecutionResult,
    FileInfo,
    FoundServer,
    InputHandler,
    KernelActivity,
    KernelInfo,
    KernelInterrupt,
    KernelRelease,
    KernelSpec,
    Mode,
    OnTimeout,
    Output,
    Provider,
    RunningCode,
    RunStatus,
    ServerInfo,
    SessionInfo,
    UiOpening,
)
from .._workspace.arguments import CellId, CellIndex, MaxTokens, NotebookName
from .._workspace.cells import ExpectedVersion, Force
from .._workspace.edits import DeleteEdit, InsertEdit, MoveEdit, OverwriteEdit, ReplaceEdit
from .._workspace.files import DirectoryPath
from .._workspace.options import WorkspaceOptions
from .._workspace.runs import CODE_TIMEOUT, AfterTimeout, Seconds, Timeout
from .._workspace.workspace import Workspace as AsyncWorkspace
from ._portal import Handle, HeldHandle, current_portal, on_loop


@final
class Server(HeldHandle[AsyncServer]):
    """A Jupyter server; made by `connect` and `launch`."""

    @property
    def url(self) -> str:
        """Base URL, with a slash at its end."""
        return self._core.url

    @property
    def runtime_url(self) -> str:
        """Base URL of the server of the kernels; the same unless another one was named."""
        return self._core.runtime_url

    @property
    def token(self) -> str | None:
        """The API token."""
        return self._core.token

    @property
    def info(self) -> ServerInfo:
        """What the server said of itself when it was connected."""
        return self._core.info

    @property
    def hub(self) -> HubServer | None:
        """The server on a JupyterHub that `hub_url` meant, None if there was none."""
        return self._core.hub

    def start_again(self, *, timeout: float | None = None) -> None:
        """Start a server again that JupyterHub has stopped; one that runs is left alone.

        Notebooks connect again by themselves, with what was edited meanwhile. Kernels are gone.

        Args:
            timeout: Seconds within which it has to be ready; default: `start_timeout` of `connect`.

        Raises:
            ConfigurationError: It was not connected with `hub_url`.
            HubPermissionError, HubSpawnError, ConnectError
        """
        self._portal.call(self._core.start_again, timeout=timeout)

    def open_notebook(
        self,
        path: str,
        *,
        create: bool = False,
        kernel_name: str | None = None,
        kernel_id: str | None = None,
    ) -> Notebook:
        """Open a notebook, live beside whoever else has it open where the server can do that.

        `Notebook.mode` tells; a server with files only is written to at once, and where somebody
        else has written in between, with nothing changed but a `NotebookConflictError`.

        Args:
            path: Path below the server's root.
            create: Create it; it must not exist. Where that fails or is cancelled, it does not.
            kernel_name: Kernelspec to run it on; default: that of its session, else of its
                metadata, else the server's default one.
            kernel_id: A running kernel to run it on, or `"NEW"` for a new one.

        Returns:
            The notebook, with its content here.

        Raises:
            NotebookNotFoundError, NotebookExistsError, NotANotebookError
            KernelSpecNotFoundError, KernelNotFoundError
            NotSyncedError, ConnectError
            CapabilityUnavailableError: The server has no documents, or none that can be created.
        """
        return Notebook(
            self._portal.call(
                self._core.open_notebook,
                path,
                create=create,
                kernel_name=kernel_name,
                kernel_id=kernel_id,
            ),
            self._portal,
        )

    def list_files(self, path: str = "") -> tuple[FileInfo, ...]:
        """Return what a directory of the server holds, sorted by path.

        Args:
            path: Below the server's root; default: the root.

        Raises:
            ConfigurationError: There is no such directory.
            CapabilityUnavailableError: The server has no files.
            ConnectError
        """
        return self._portal.call(self._core.list_files, path)

    def list_kernels(self) -> tuple[KernelInfo, ...]:
        """Return the running kernels, each with the notebook that it serves.

        Raises:
            CapabilityUnavailableError: A kernel gateway does not tell, unless it is told to.
            ConnectError
        """
        return self._portal.call(self._core.list_kernels)

    def list_kernelspecs(self) -> tuple[KernelSpec, ...]:
        """Return the kernels that can be started, the default one first.

        Raises:
            ConnectError
        """
        return self._portal.call(self._core.list_kernelspecs)

    def list_sessions(self) -> tuple[SessionInfo, ...]:
        """Return the server's sessions: which kernel serves which file.

        A kernel gateway has none: those of this client are returned then.

        Raises:
            ConnectError
        """
        return self._portal.call(self._core.list_sessions)

    def open_in_lab(self, path: str) -> UiOpening:
        """Have the JupyterLab of the human open a document, without taking them to it.

        Args:
            path: The document, below the server's root.

        Returns:
            `opened`; `unavailable` where the server has no `jupyter-mcp-tools`; `nobody` where no
            page of JupyterLab is open; `failed` where a page has not done it.

        Raises:
            ConnectError
        """
        return self._portal.call(self._core.open_in_lab, path)

    def start_kernel(self, kernel_name: str | None = None, *, directory: str = "") -> Kernel:
        """Start a kernel that belongs to no notebook; it ends with the connection.

        Args:
            kernel_name: Kernelspec; default: the server's default one.
            directory: Its working directory, below the server's root; a kernel gateway decides for
                itself.

        Returns:
            The kernel, connected.

        Raises:
            KernelSpecNotFoundError, KernelUnavailableError, ConnectError
        """
        return Kernel(
            self._portal.call(self._core.start_kernel, kernel_name, directory=directory),
            self._portal,
        )

    def kernel(self, kernel_id: str) -> Kernel:
        """Return a running kernel; it is looked up when it is first used.

        Args:
            kernel_id: Its id, as in `list_kernels`.
        """
        return Kernel(self._portal.call(on_loop(self._core.kernel), kernel_id), self._portal)

    def run(self, run_id: str) -> Run:
        """Return a run that was started over this connection, by its id.

        Finished runs are kept for an hour, 200 at most.

        Args:
            run_id: Its id, as in `Run.id` and `ExecutionResult.run_id`.

        Raises:
            RunNotFoundError
        """
        return Run(self._portal.call(on_loop(self._core.run), run_id), self._portal)

    def close(self) -> None:
        """Deliver what is left, close everything that is open, end what was started here.

        Raises:
            ConnectionLostError: The last changes of a notebook may not have arrived.
            NotebookConflictError: They were not made, as others had written the file before.
        """
        self._leave()


@final
class Notebook(Handle[AsyncNotebook]):
    """One notebook, edited beside whoever else has it open; made by `Server.open_notebook`.

    Reading costs nothing: the document is here. A change returns when the server has it.
    """

    @property
    def path(self) -> str:
        """Path below the server's root."""
        return self._core.path

    @property
    def mode(self) -> Mode:
        """How it is kept in step with the server (see `ServerInfo`)."""
        return self._core.mode

    @property
    def kernel(self) -> Kernel:
        """The notebook's kernel; adopted or started when it is first used."""
        return Kernel(self._core.kernel, self._portal)

    @property
    def is_closed(self) -> bool:
        """Whether it has been closed here."""
        return self._portal.call(on_loop(lambda: self._core.is_closed))

    def read(self) -> tuple[CellSnapshot, ...]:
        """Return all cells as they are now.

        Raises:
            ConnectionLostError: What is known here may be out of date.
            NotebookClosedError
        """
        return self._portal.call(self._core.read)

    def cell(self, ref: int | str) -> Cell:
        """Return the cell at a 0-based index, or with an id or a unique prefix of one.

        Args:
            ref: The index, or the id or its first 4 characters or more.

        Raises:
            CellNotFoundError: There is none, or more than one.
            ConnectionLostError, NotebookClosedError
        """
        return Cell(self._portal.call(on_loop(self._core.cell), ref), self._portal)

    def append_cell(self, source: str, cell_type: CellType = "code") -> Cell:
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
        return Cell(self._portal.call(self._core.append_cell, source, cell_type), self._portal)

    def insert_cell(self, index: int, source: str, cell_type: CellType = "code") -> Cell:
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
        return Cell(
            self._portal.call(self._core.insert_cell, index, source, cell_type), self._portal
        )

    def delete_cells(
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
        return self._portal.call(self._core.delete_cells, refs, force=force)

    def move_cell(self, ref: int | str, index: int, *, force: bool = False) -> CellSnapshot:
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
        return self._portal.call(self._core.move_cell, ref, index, force=force)

    def batch(self) -> Batch:
        """Collect edits in a `with` block, to be made at its end as one, all or none.

        While it is open, reads show the notebook as it was before, and edits and runs that are
        not the batch's are refused.

        Returns:
            The batch, with a method for each kind of edit.
        """
        return Batch(self._portal.call(on_loop(self._core.batch)), self._portal)

    def undo(self, count: int = 1) -> tuple[CellSnapshot, ...]:
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
        return self._portal.call(self._core.undo, count)

    def merge(self) -> tuple[CellSnapshot, ...]:
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
        return self._portal.call(self._core.merge)

    def changes(self, since: str | None = None) -> Changes:
        """Return what happened to the cells since a cursor: which, how and by whom.

        Args:
            since: The cursor of an earlier answer; None only gives a cursor, for what follows.

        Returns:
            The changes and the cursor to go on with.

        Raises:
            ConfigurationError: It is no cursor of this notebook since it was opened.
            ConnectionLostError, NotebookClosedError
        """
        return self._portal.call(self._core.changes, since)

    def selections(self) -> tuple[tuple[str, CellSnapshot], ...]:
        """Return the cells in which collaborators have their cursors, who moved last first.

        Returns:
            The name of each, and the cell; a cursor between cells is in none.

        Raises:
            ConnectionLostError, NotebookClosedError
        """
        return self._portal.call(self._core.selections)

    def watch(self) -> Iterator[Change | ConnectionChange]:
        """Follow what happens to the notebook and its connection, until that ends for good.

        Yields:
            Each change as it comes; what comes faster than it is taken is told once a cell
            and kind.

        Raises:
            NotebookClosedError
        """
        return self._portal.iterate(self._core.watch)

    def run_all(
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
        return self._portal.call(
            self._core.run_all,
            restart=restart,
            stop_on_error=stop_on_error,
            timeout=timeout,
            on_input=on_input,
        )

    def use_kernel(
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
        return self._portal.call(self._core.use_kernel, kernel_id, kernel_name=kernel_name)

    def restart(self) -> None:
        """Restart the notebook's kernel; its memory is lost.

        Raises:
            KernelNotFoundError, KernelUnavailableError, ConnectError, NotebookClosedError
        """
        self._portal.call(self._core.restart)

    def collaborators(self) -> tuple[str, ...]:
        """Return the display names of the others who have the notebook open.

        Raises:
            ConnectionLostError, NotebookClosedError
        """
        return self._portal.call(on_loop(self._core.collaborators))

    def flush(self) -> None:
        """Return when the server has applied everything done here, outputs included.

        Raises:
            ConnectionLostError: `applied` says what became of it.
            NotebookConflictError: Others had written the file before; edits were not made.
            NotebookClosedError
        """
        self._portal.call(self._core.flush)

    def save(self) -> None:
        """Return when the file on disk holds the notebook as it is now.

        Raises:
            SaveError: The server did not confirm it.
            ConnectionLostError, NotebookConflictError, NotebookClosedError
        """
        self._portal.call(self._core.save)

    def close(self) -> KernelRelease:
        """Deliver what is left, leave the room and let go of the kernel.

        Returns:
            What became of the kernel.

        Raises:
            ConnectionLostError: The last changes may not have arrived.
            NotebookConflictError: Others had written the file before; they were not made.
            ConnectError
        """
        return self._portal.call(self._core.close)


@final
class Batch(Handle[AsyncBatch]):
    """Edits that are made together at the end of a `with` block, all of them or none.

    Made by `Notebook.batch`. Cells and places are named by index or id as the notebook is before
    the batch, or by the ids of cells that the batch inserts. The server and everybody who looks on
    see one edit, and `undo` takes it back as one. If the block raises, nothing is done. What is
    refused (see `Cell`) is raised at the end of the block.
    """

    def __enter__(self) -> Self:
        self._portal.call(self._core.__aenter__)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._portal.call(self._core.__aexit__, exc_type, exc, traceback)

    def append_cell(self, source: str, cell_type: CellType = "code") -> str:
        """Add a cell at the end.

        Args:
            source: Its text.
            cell_type: `"code"`, `"markdown"` or `"raw"`.

        Returns:
            The id that it will have.
        """
        return self._portal.call(on_loop(self._core.append_cell), source, cell_type)

    def insert_cell(self, index: int, source: str, cell_type: CellType = "code") -> str:
        """Add a cell before the one that is at `index` now; several go there in order.

        Args:
            index: 0-based; the number of cells means at the end.
            source: Its text.
            cell_type: `"code"`, `"markdown"` or `"raw"`.

        Returns:
            The id that it will have.

        Raises:
            CellNotFoundError: The index is out of range.
        """
        return self._portal.call(on_loop(self._core.insert_cell), index, source, cell_type)

    def delete_cell(
        self, ref: int | str, *, expected_version: str | None = None, force: bool = False
    ) -> None:
        """Delete a cell, as `Cell.delete` does.

        Args:
            ref: The cell, by index or id.
            expected_version: Refuse if the cell is not at this version any more.
            force: Delete it although somebody else types in it.

        Raises:
            CellNotFoundError: There is no such cell, or more than one.
        """
        self._portal.call(
            on_loop(self._core.delete_cell), ref, expected_version=expected_version, force=force
        )

    def move_cell(self, ref: int | str, index: int, *, force: bool = False) -> None:
        """Move a cell to where it would be at `index` if nothing else was done.

        Args:
            ref: The cell, by index or id.
            index: Its 0-based position, as in `Cell.move`.
            force: Move it although somebody else types in it, who may lose a keystroke.

        Raises:
            CellNotFoundError: There is no such cell, or the index is out of range.
        """
        self._portal.call(on_loop(self._core.move_cell), ref, index, force=force)

    def set_source(
        self,
        ref: int | str,
        source: str,
        *,
        expected_version: str | None = None,
        force: bool = False,
    ) -> None:
        """Turn the source of a cell into another, as `Cell.set_source` does.

        Args:
            ref: The cell, by index or id.
            source: The new text.
            expected_version: Refuse if the cell is not at this version any more.
            force: Overwrite also lines that somebody else has just changed.

        Raises:
            CellNotFoundError: There is no such cell, or more than one.
        """
        self._portal.call(
            on_loop(self._core.set_source),
            ref,
            source,
            expected_version=expected_version,
            force=force,
        )

    def edit_source(
        self,
        ref: int | str,
        old: str,
        new: str,
        *,
        replace_all: bool = False,
        expected_version: str | None = None,
        force: bool = False,
    ) -> None:
        """Replace a piece of a cell's source by another, as `Cell.edit_source` does.

        Args:
            ref: The cell, by index or id.
            old: The text to replace, exactly as it is; it must be there once.
            new: What takes its place.
            replace_all: Replace it wherever it is.
            expected_version: Refuse if the cell is not at this version any more.
            force: Overwrite also lines that somebody else has just changed.

        Raises:
            CellNotFoundError: There is no such cell, or more than one.
        """
        self._portal.call(
            on_loop(self._core.edit_source),
            ref,
            old,
            new,
            replace_all=replace_all,
            expected_version=expected_version,
            force=force,
        )

    def set_type(
        self,
        ref: int | str,
        cell_type: CellType,
        *,
        expected_version: str | None = None,
        force: bool = False,
    ) -> None:
        """Make a cell one of another type, as `Cell.set_type` does.

        Args:
            ref: The cell, by index or id.
            cell_type: `"code"`, `"markdown"` or `"raw"`.
            expected_version: Refuse if the cell is not at this version any more.
            force: Do it although somebody else types in it.

        Raises:
            CellNotFoundError: There is no such cell, or more than one.
        """
        self._portal.call(
            on_loop(self._core.set_type),
            ref,
            cell_type,
            expected_version=expected_version,
            force=force,
        )

    def set_metadata(
        self,
        ref: int | str,
        values: Mapping[str, Any],
        *,
        remove: Sequence[str] = (),
        expected_version: str | None = None,
    ) -> None:
        """Set entries of a cell's metadata, as `Cell.set_metadata` does.

        Args:
            ref: The cell, by index or id.
            values: The entries to set, as JSON values.
            remove: Names of entries to remove.
            expected_version: Refuse if the cell is not at this version any more.

        Raises:
            CellNotFoundError: There is no such cell, or more than one.
        """
        self._portal.call(
            on_loop(self._core.set_metadata),
            ref,
            values,
            remove=remove,
            expected_version=expected_version,
        )

    def set_attachments(
        self,
        ref: int | str,
        attachments: Mapping[str, Mapping[str, Any]],
        *,
        expected_version: str | None = None,
    ) -> None:
        """Replace the attachments of a cell, as `Cell.set_attachments` does.

        Args:
            ref: The cell, by index or id.
            attachments: Name to MIME bundle.
            expected_version: Refuse if the cell is not at this version any more.

        Raises:
            CellNotFoundError: There is no such cell, or more than one.
        """
        self._portal.call(
            on_loop(self._core.set_attachments), ref, attachments, expected_version=expected_version
        )

    def clear_outputs(self, ref: int | str) -> None:
        """Remove the outputs of a code cell, as `Cell.clear_outputs` does.

        Args:
            ref: The cell, by index or id.

        Raises:
            CellNotFoundError: There is no such cell, or more than one.
        """
        self._portal.call(on_loop(self._core.clear_outputs), ref)


@final
class Cell(Handle[AsyncCell]):
    """A cell, by its id: it stays the same cell wherever it moves. Made by `Notebook.cell`.

    Every change returns when the server has it, and refuses with nothing changed:
    `CellNotFoundError` if the cell has been deleted, `VersionConflictError` if it has changed
    since `expected_version`, `CollaboratorTypingError` if somebody else has just changed lines
    that would be overwritten (`force=True` overrules that), `BatchOpenError` while a batch is
    open. After a `ConnectionLostError`, its `applied` says what became of the change.
    """

    @property
    def id(self) -> str:
        """The nbformat id of the cell."""
        return self._core.id

    def read(self) -> CellSnapshot:
        """Return the cell as it is now.

        Raises:
            CellNotFoundError: It has been deleted.
            ConnectionLostError: What is known here may be out of date.
            NotebookClosedError
        """
        return self._portal.call(self._core.read)

    def set_source(
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
        return self._portal.call(
            self._core.set_source, source, expected_version=expected_version, force=force
        )

    def edit_source(
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
        return self._portal.call(
            self._core.edit_source,
            old,
            new,
            replace_all=replace_all,
            expected_version=expected_version,
            force=force,
        )

    def set_type(
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
        return self._portal.call(
            self._core.set_type, cell_type, expected_version=expected_version, force=force
        )

    def set_metadata(
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
        return self._portal.call(
            self._core.set_metadata, values, remove=remove, expected_version=expected_version
        )

    def set_attachments(
        self, attachments: Mapping[str, Mapping[str, Any]], *, expected_version: str | None = None
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
        return self._portal.call(
            self._core.set_attachments, attachments, expected_version=expected_version
        )

    def clear_outputs(self) -> CellSnapshot:
        """Remove the outputs and the execution count.

        Returns:
            The cell, once the server has applied the change.

        Raises:
            CellTypeError: It is no code cell.
            CellNotFoundError, ConnectionLostError
        """
        return self._portal.call(self._core.clear_outputs)

    def move(self, index: int, *, force: bool = False) -> CellSnapshot:
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
        return self._portal.call(self._core.move, index, force=force)

    def delete(self, *, expected_version: str | None = None, force: bool = False) -> CellSnapshot:
        """Delete the cell.

        Args:
            expected_version: Refuse if the cell is not at this version any more.
            force: Delete it although somebody else types in it.

        Returns:
            The cell as it was.

        Raises:
            CellNotFoundError, VersionConflictError, CollaboratorTypingError, ConnectionLostError
        """
        return self._portal.call(self._core.delete, expected_version=expected_version, force=force)

    def start(self, *, on_input: InputHandler | None = None, detached: bool = False) -> Run:
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
        return Run(
            self._portal.call(self._core.start, on_input=on_input, detached=detached), self._portal
        )

    def execute(
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
        return self._portal.call(
            self._core.execute, timeout=timeout, on_timeout=on_timeout, on_input=on_input
        )


@final
class Kernel(Handle[AsyncKernel]):
    """A kernel; made by `Server.kernel`, `Server.start_kernel` and `Notebook.kernel`.

    Nothing is asked of the server before the first use.
    """

    @property
    def id(self) -> str | None:
        """The kernel's id, None as long as it has not been used."""
        return self._portal.call(on_loop(lambda: self._core.id))

    @property
    def name(self) -> str | None:
        """Name of its kernelspec, None as long as it has not been used."""
        return self._portal.call(on_loop(lambda: self._core.name))

    @property
    def state(self) -> str:
        """What the kernel said last: `idle`, `busy`, `starting`, …, or `not connected`."""
        return self._portal.call(on_loop(lambda: self._core.state))

    @property
    def started_here(self) -> bool:
        """True if this client started the kernel, so that it ends with us."""
        return self._portal.call(on_loop(lambda: self._core.started_here))

    def connect(self) -> KernelInfo:
        """Adopt or start the kernel, if that has not been done.

        Returns:
            The kernel.

        Raises:
            KernelNotFoundError: There is no such kernel any more.
            KernelSpecNotFoundError: The server has no such kernelspec.
            KernelUnavailableError: It did not start.
        """
        return self._portal.call(self._core.connect)

    def start(
        self, code: str, *, store_history: bool = True, on_input: InputHandler | None = None
    ) -> Run:
        """Give code to the kernel and return without waiting for it.

        Args:
            code: What to run; magics and `!shell` work where the kernel has them.
            store_history: Let it count as an input of the kernel's history.
            on_input: Called with what the code asks its user, to answer; None ends the input
                (`EOFError` in Python). Without it, asking is an error in the code at once.

        Returns:
            The run.

        Raises:
            KernelNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
        """
        return Run(
            self._portal.call(
                self._core.start, code, store_history=store_history, on_input=on_input
            ),
            self._portal,
        )

    def execute(
        self,
        code: str,
        *,
        timeout: float | None = None,
        on_timeout: OnTimeout = "keep_running",
        store_history: bool = True,
        on_input: InputHandler | None = None,
    ) -> ExecutionResult:
        """Run code and wait for its end.

        Args:
            code: What to run; magics and `!shell` work where the kernel has them.
            timeout: Seconds to wait, None to wait for the end.
            on_timeout: What happens to the code then: `"keep_running"` or `"interrupt"`.
            store_history: Let it count as an input of the kernel's history.
            on_input: Called with what the code asks its user, to answer; None ends the input
                (`EOFError` in Python). Without it, asking is an error in the code at once. What
                it raises is raised here when the code has ended.

        Returns:
            The outcome; an exception in the code is one, and is not raised.

        Raises:
            KernelNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
        """
        return self._portal.call(
            self._core.execute,
            code,
            timeout=timeout,
            on_timeout=on_timeout,
            store_history=store_history,
            on_input=on_input,
        )

    @property
    def activity(self) -> KernelActivity:
        """What the kernel is busy with, our runs and other clients', as far as is known here."""
        return self._portal.call(on_loop(lambda: self._core.activity))

    def interrupt(self, *, timeout: float = INTERRUPT_TIMEOUT) -> KernelInterrupt:
        """Interrupt whatever the kernel runs, whoever started it, and wait for its end.

        Runs of ours that wait behind it go on. Code that catches the interrupt, or that is not
        in Python's hands, may not stop: then only `restart` helps.

        Args:
            timeout: Seconds to wait for the end.

        Returns:
            What ran, and whether it has stopped; without a kernel nothing runs.

        Raises:
            KernelNotFoundError, ConnectError
        """
        return self._portal.call(self._core.interrupt, timeout=timeout)

    def restart(self) -> None:
        """Restart the kernel: its memory is lost, runs end as `kernel_restarted`.

        Raises:
            KernelNotFoundError, KernelUnavailableError, ConnectError
        """
        self._portal.call(self._core.restart)

    def shutdown(self) -> None:
        """End the kernel, whoever else uses it; the next use of a notebook's starts another one.

        Raises:
            KernelNotFoundError, ConnectError
        """
        self._portal.call(self._core.shutdown)

    def info(self) -> KernelInfo:
        """Return the kernel's state, as the server tells it.

        Raises:
            KernelNotFoundError, ConnectError
        """
        return self._portal.call(self._core.info)

    def facts(self, *, timeout: float = ANSWER_TIMEOUT) -> KernelFacts:
        """Ask the kernel what it is: language, versions, interpreter, working directory.

        Args:
            timeout: Seconds to wait.

        Returns:
            What it says of itself; less while it runs code and has no subshells.

        Raises:
            KernelNotFoundError, ConnectError, ConnectionLostError
            KernelBusyError, KernelTimeoutError: It does not answer now.
        """
        return self._portal.call(self._core.facts, timeout=timeout)

    def complete(
        self, code: str, cursor: int | None = None, *, timeout: float = ANSWER_TIMEOUT
    ) -> Completions:
        """Ask the kernel how code can go on.

        Args:
            code: The code.
            cursor: Where, as an offset in characters; default: at its end.
            timeout: Seconds to wait.

        Returns:
            What could stand there.

        Raises:
            KernelNotFoundError, ConnectError, ConnectionLostError
            KernelBusyError, KernelTimeoutError: It does not answer now.
        """
        return self._portal.call(self._core.complete, code, cursor, timeout=timeout)

    def inspect(
        self,
        code: str,
        cursor: int | None = None,
        *,
        detail: bool = False,
        timeout: float = ANSWER_TIMEOUT,
    ) -> Inspection:
        """Ask the kernel what it knows of the name at a place in code.

        Args:
            code: The code.
            cursor: Where, as an offset in characters; default: at its end.
            detail: Ask for the source, too.
            timeout: Seconds to wait.

        Returns:
            The documentation, if there is any.

        Raises:
            KernelNotFoundError, ConnectError, ConnectionLostError
            KernelBusyError, KernelTimeoutError: It does not answer now.
        """
        return self._portal.call(self._core.inspect, code, cursor, detail=detail, timeout=timeout)

    def list_variables(
        self, *, limit: int = 1000, timeout: float = ANSWER_TIMEOUT
    ) -> VariableListing:
        """List the kernel's variables, running no code of the objects in them.

        Args:
            limit: How many to list at most.
            timeout: Seconds to wait.

        Returns:
            The first of them by name, and how many there are.

        Raises:
            KernelNotFoundError, ConnectError, ConnectionLostError
            LanguageNotSupportedError: It cannot be done in the kernel's language.
            KernelBusyError, KernelTimeoutError: It does not answer now.
        """
        return self._portal.call(self._core.list_variables, limit=limit, timeout=timeout)

    def get_variable(
        self, name: str, *, rows: int = 100, timeout: float = ANSWER_TIMEOUT
    ) -> VariableValue:
        """Return the value of a variable, or as much of it as is reasonable to send.

        Args:
            name: Its name.
            rows: Rows of a table to return at most.
            timeout: Seconds to wait; a `repr` that takes longer is interrupted.

        Returns:
            The value; `to_arrow` makes a table of what was a table.

        Raises:
            VariableNotFoundError: There is no such variable.
            KernelNotFoundError, ConnectError, ConnectionLostError
            LanguageNotSupportedError: It cannot be done in the kernel's language.
            KernelBusyError, KernelTimeoutError: It does not answer now.
        """
        return self._portal.call(self._core.get_variable, name, rows=rows, timeout=timeout)

    def set_variable(
        self, name: str, value: object, *, timeout: float = ANSWER_TIMEOUT
    ) -> Variable:
        """Set a variable in the kernel; never while code runs there.

        Args:
            name: Its name.
            value: A value of JSON, a DataFrame of pandas or polars, or a `pyarrow.Table`.
            timeout: Seconds to wait.

        Returns:
            The variable as it is now.

        Raises:
            ConfigurationError: The value cannot be sent as it is.
            KernelNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
            LanguageNotSupportedError: It cannot be done in the kernel's language.
            KernelBusyError, KernelTimeoutError: It does not answer now.
        """
        return self._portal.call(self._core.set_variable, name, value, timeout=timeout)


@final
class Run(Handle[AsyncRun]):
    """Code that was given to a kernel; made by `Cell.start` and `Kernel.start`.

    Waiting and running are two things: a wait that ends leaves the run alone. Iterating over it
    gives the outputs as they come, from the first to the end of the run: text in the pieces in
    which the kernel sent it, or more at once.
    """

    def __iter__(self) -> Iterator[Output]:
        return self._portal.iterate(self._core.__aiter__)

    @property
    def id(self) -> str:
        """The run's id."""
        return self._core.id

    @property
    def cell_id(self) -> str | None:
        """The cell that holds the code, None for code without a cell."""
        return self._core.cell_id

    @property
    def status(self) -> RunStatus:
        """What became of the run by now (see `ExecutionResult`)."""
        return self._core.status

    @property
    def behind(self) -> RunningCode | None:
        """The code that the kernel runs first, None if the run is not queued or that is unknown."""
        return self._portal.call(on_loop(lambda: self._core.behind))

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs until now, in the kernel's order."""
        return self._portal.call(on_loop(lambda: self._core.outputs))

    def wait(self, timeout: float | None = None) -> ExecutionResult:
        """Wait for the end of the run; it goes on if the time is over first.

        Args:
            timeout: Seconds, None to wait for the end.

        Returns:
            The outcome, or what is known by now with the status `queued`, `running` or
            `input_required`.

        Raises:
            KernelUnavailableError: The code that wants to wait runs in that kernel.
            Exception: What `on_input` has raised, when the run has ended.
        """
        return self._portal.call(self._core.wait, timeout)

    def interrupt(self, *, timeout: float = INTERRUPT_TIMEOUT) -> ExecutionResult:
        """Withdraw the run if it has not been sent, interrupt it if the kernel is at it.

        A run that waits in the kernel behind another client's code cannot be taken back
        (the protocol has no message for it) and is left alone: an interrupt would hit them.

        Args:
            timeout: Seconds to wait for the end.

        Returns:
            What is known then; the status is still `running` if the code did not stop (only
            restarting the kernel helps then), and `queued` if it was left alone.

        Raises:
            KernelNotFoundError, ConnectError
        """
        return self._portal.call(self._core.interrupt, timeout=timeout)


@final
class Workspace(HeldHandle[AsyncWorkspace]):
    """The notebooks that one agent has in use, by name; its public methods are the tools.

    Leaving it lets go of all of them, whatever the reason; after that its tools raise
    `WorkspaceClosedError`. What cannot be reached any more is
    let go without an error, unless changes may be lost with it.

    Args:
        server: The server that they are on.
        options: What the tools may do; default: everything but to go to other servers.
    """

    def __init__(self, server: Server, options: WorkspaceOptions | None = None) -> None:
        super().__init__(server._portal.hold(AsyncWorkspace, server._core, options), server._portal)

    def list_files(
        self,
        path: DirectoryPath = "",
        max_depth: Annotated[int, Meta(ge=0, le=3, description="Levels of subfolders.")] = 1,
        start_index: Annotated[int, Meta(ge=0, description="First entry to show.")] = 0,
        limit: Annotated[int, Meta(ge=0, description="Entries to show, 0 for all.")] = 25,
        pattern: Annotated[str, Meta(description="Glob on the path, such as *.csv.")] = "",
    ) -> FileListing:
        """List files and directories of the Jupyter server: path, type, size, modified."""
        return self._portal.call(
            self._core.list_files, path, max_depth, start_index, limit, pattern
        )

    def list_notebooks(
        self, limit: Annotated[int, Meta(ge=1, description="Notebook files to show.")] = 50
    ) -> NotebookListing:
        """List the notebooks in use here, others with a running session, and notebook files."""
        return self._portal.call(self._core.list_notebooks, limit)

    def use_notebook(
        self,
        notebook_name: Annotated[str, Meta(min_length=1, description="Your name for it.")],
        notebook_path: Annotated[
            str | None, Meta(description="From the server's root; not needed for one in use.")
        ] = None,
        mode: Annotated[
            Literal["connect", "create"], Meta(description="create: it must not exist yet.")
        ] = "connect",
        kernel_id: Annotated[
            str | None, Meta(description="A running kernel, or NEW for a new one.")
        ] = None,
        kernel_name: Annotated[
            str | None, Meta(description="Kernelspec; default: the notebook's own.")
        ] = None,
        open_in_ui: Annotated[
            bool, Meta(description="A tab in the user's JupyterLab, too.")
        ] = False,
    ) -> NotebookOpened:
        """Open or create a notebook live and make it the current one, or switch to one in use.

        Runs on the kernel that its human uses, if there is one.
        """
        return self._portal.call(
            self._core.use_notebook,
            notebook_name,
            notebook_path,
            mode,
            kernel_id,
            kernel_name,
            open_in_ui,
        )

    def unuse_notebook(
        self, notebook_name: Annotated[str, Meta(description="Name given in use_notebook.")]
    ) -> NotebookReleased:
        """Let go of a notebook; its kernel ends if it was started here and nobody else uses it."""
        return self._portal.call(self._core.unuse_notebook, notebook_name)

    def read_notebook(
        self,
        notebook_name: NotebookName = None,
        response_format: Annotated[
            ResponseFormat, Meta(description="brief: a line a cell; detailed: full sources.")
        ] = "brief",
        start_index: Annotated[int, Meta(ge=0, description="First cell to show.")] = 0,
        limit: Annotated[int, Meta(ge=0, description="Cells to show, 0 for all.")] = 20,
        include_outputs: Annotated[bool, Meta(description="With detailed: outputs, too.")] = False,
        changed_since: Annotated[
            str | None, Meta(description="Cursor of an earlier answer: only what others changed.")
        ] = None,
        max_tokens: MaxTokens = None,
    ) -> NotebookView | NotebookChanges:
        """Show the cells of a notebook: index, id, version, type, count and first line of each."""
        return self._portal.call(
            self._core.read_notebook,
            notebook_name,
            response_format,
            start_index,
            limit,
            include_outputs,
            changed_since,
            max_tokens,
        )

    def search_notebook(
        self,
        query: Annotated[str, Meta(min_length=1, description="Text in a line, in any case.")],
        regex: Annotated[bool, Meta(description="It is a regular expression.")] = False,
        in_outputs: Annotated[bool, Meta(description="Look in outputs, too.")] = False,
        notebook_name: NotebookName = None,
    ) -> NotebookMatches:
        """Find cells and lines; the lines are those of read_cell."""
        return self._portal.call(
            self._core.search_notebook, query, regex, in_outputs, notebook_name
        )

    def get_selected_cell(self, notebook_name: NotebookName = None) -> CellsSelected:
        """Show the cell in which your user last moved the cursor or typed."""
        return self._portal.call(self._core.get_selected_cell, notebook_name)

    def save_notebook(self, notebook_name: NotebookName = None) -> NotebookSaved:
        """Save a notebook now; answers when the server confirms that it is on disk."""
        return self._portal.call(self._core.save_notebook, notebook_name)

    def read_cell(
        self,
        cell_index: CellIndex = None,
        cell_id: CellId = None,
        include_outputs: Annotated[bool, Meta(description="Show outputs, too.")] = True,
        start_line: Annotated[
            Annotated[int, Meta(ge=1)] | None,
            Meta(description="Page on from this line of source and outputs."),
        ] = None,
        max_tokens: MaxTokens = None,
        notebook_name: NotebookName = None,
    ) -> CellView:
        """Show the source and outputs of a cell; images as images."""
        return self._portal.call(
            self._core.read_cell,
            cell_index,
            cell_id,
            include_outputs,
            start_line,
            max_tokens,
            notebook_name,
        )

    def insert_cell(
        self,
        cell_index: Annotated[int, Meta(ge=-1, description="Before this cell; -1: at the end.")],
        cell_type: CellType,
        cell_source: str,
        notebook_name: NotebookName = None,
    ) -> CellInserted:
        """Insert a cell."""
        return self._portal.call(
            self._core.insert_cell, cell_index, cell_type, cell_source, notebook_name
        )

    def delete_cell(
        self,
        cell_indices: Annotated[list[int] | None, Meta(description="0-based indices.")] = None,
        cell_ids: Annotated[list[str] | None, Meta(description="Ids, instead of indices.")] = None,
        include_source: Annotated[bool, Meta(description="Show what was deleted.")] = True,
        force: Force = False,
        notebook_name: NotebookName = None,
    ) -> CellsDeleted:
        """Delete cells, all of them or none."""
        return self._portal.call(
            self._core.delete_cell, cell_indices, cell_ids, include_source, force, notebook_name
        )

    def move_cell(
        self,
        source_index: CellIndex = None,
        target_index: CellIndex = None,
        source_cell_id: CellId = None,
        target_cell_id: CellId = None,
        force: Force = False,
        notebook_name: NotebookName = None,
    ) -> CellMoved:
        """Move a cell to the place of another; it keeps its id, its outputs and what runs in it."""
        return self._portal.call(
            self._core.move_cell,
            source_index,
            target_index,
            source_cell_id,
            target_cell_id,
            force,
            notebook_name,
        )

    def overwrite_cell_source(
        self,
        cell_source: str,
        cell_index: CellIndex = None,
        cell_id: CellId = None,
        expected_version: ExpectedVersion = None,
        force: Force = False,
        notebook_name: NotebookName = None,
    ) -> CellOverwritten:
        """Replace the source of a cell; only what differs is changed. Answers with the diff."""
        return self._portal.call(
            self._core.overwrite_cell_source,
            cell_source,
            cell_index,
            cell_id,
            expected_version,
            force,
            notebook_name,
        )

    def edit_cell_source(
        self,
        old_string: Annotated[str, Meta(min_length=1, description="Exactly; there once.")],
        new_string: Annotated[str, Meta(description="What takes its place.")],
        cell_index: CellIndex = None,
        cell_id: CellId = None,
        replace_all: Annotated[bool, Meta(description="Wherever it is in the cell.")] = False,
        expected_version: ExpectedVersion = None,
        force: Force = False,
        notebook_name: NotebookName = None,
    ) -> CellOverwritten:
        """Replace a piece of a cell's source by another. Answers with the diff."""
        return self._portal.call(
            self._core.edit_cell_source,
            old_string,
            new_string,
            cell_index,
            cell_id,
            replace_all,
            expected_version,
            force,
            notebook_name,
        )

    def clear_cell_output(
        self,
        cell_index: CellIndex = None,
        cell_id: CellId = None,
        notebook_name: NotebookName = None,
    ) -> OutputsCleared:
        """Remove the outputs of a code cell, or of all if none is named."""
        return self._portal.call(self._core.clear_cell_output, cell_index, cell_id, notebook_name)

    def apply_edits(
        self,
        edits: Annotated[
            list[InsertEdit | OverwriteEdit | ReplaceEdit | DeleteEdit | MoveEdit],
            Meta(min_length=1, description="Cells by index or id as they are before all edits."),
        ],
        notebook_name: NotebookName = None,
    ) -> EditsApplied:
        """Make several edits as one: all of them, or none if one is refused."""
        return self._portal.call(self._core.apply_edits, edits, notebook_name)

    def undo_edits(
        self,
        count: Annotated[int, Meta(ge=1, description="How many; apply_edits counts as one.")] = 1,
        notebook_name: NotebookName = None,
    ) -> EditsUndone:
        """Take back your own last edits of a notebook; nobody else's, and no outputs."""
        return self._portal.call(self._core.undo_edits, count, notebook_name)

    def execute_cell(
        self,
        cell_index: CellIndex = None,
        cell_id: CellId = None,
        timeout: Timeout = None,
        on_timeout: AfterTimeout = "keep_running",
        notebook_name: NotebookName = None,
    ) -> CellRun:
        """Run a cell; outputs stream into the notebook. Answers with outputs and status."""
        return self._portal.call(
            self._core.execute_cell, cell_index, cell_id, timeout, on_timeout, notebook_name
        )

    def insert_execute_code_cell(
        self,
        cell_index: Annotated[int, Meta(ge=-1, description="Before this cell; -1: at the end.")],
        cell_source: str,
        timeout: Timeout = None,
        on_timeout: AfterTimeout = "keep_running",
        notebook_name: NotebookName = None,
    ) -> CellRun:
        """Insert a code cell and run it."""
        return self._portal.call(
            self._core.insert_execute_code_cell,
            cell_index,
            cell_source,
            timeout,
            on_timeout,
            notebook_name,
        )

    def execute_code(
        self,
        code: Annotated[str, Meta(description="Magics and !shell work.")],
        timeout: Annotated[float, Meta(ge=0, description="Seconds to wait.")] = CODE_TIMEOUT,
        on_timeout: AfterTimeout = "keep_running",
        kernel_id: Annotated[
            str | None, Meta(description="A running kernel instead of the notebook's.")
        ] = None,
        notebook_name: NotebookName = None,
    ) -> CodeRun:
        """Run code in the notebook's kernel without a cell; nothing is saved."""
        return self._portal.call(
            self._core.execute_code, code, timeout, on_timeout, kernel_id, notebook_name
        )

    def run_all_cells(
        self,
        notebook_name: NotebookName = None,
        restart: Annotated[bool, Meta(description="Restart the kernel first.")] = False,
        stop_on_error: Annotated[bool, Meta(description="Stop at the first failure.")] = True,
        timeout: Annotated[
            Seconds | None, Meta(description="Seconds for all of them; default 45, or as set.")
        ] = None,
    ) -> AllCellsRun:
        """Run all code cells in order. Answers with a line a cell."""
        return self._portal.call(
            self._core.run_all_cells, notebook_name, restart, stop_on_error, timeout
        )

    def wait_run(
        self,
        run_id: Annotated[str, Meta(description="Of an answer that said that it still runs.")],
        timeout: Annotated[float, Meta(ge=0, description="Seconds to wait.")] = CODE_TIMEOUT,
        since: Annotated[
            str | None, Meta(description="Cursor of an earlier answer: only outputs after it.")
        ] = None,
    ) -> RunWaited:
        """Wait for a run that was left running, or look at it: its state and outputs."""
        return self._portal.call(self._core.wait_run, run_id, timeout, since)

    def list_kernels(self) -> KernelListing:
        """List running kernels, with the notebook that each serves, and those to start."""
        return self._portal.call(self._core.list_kernels)

    def restart_notebook(
        self, notebook_name: Annotated[str, Meta(description="Name given in use_notebook.")]
    ) -> KernelRestarted:
        """Restart a notebook's kernel: its variables and imports are lost."""
        return self._portal.call(self._core.restart_notebook, notebook_name)

    def interrupt_kernel(self, notebook_name: NotebookName = None) -> KernelInterrupted:
        """Interrupt what runs in the notebook's kernel; says whether it stopped."""
        return self._portal.call(self._core.interrupt_kernel, notebook_name)

    def list_variables(
        self,
        notebook_name: NotebookName = None,
        name: Annotated[
            str | None, Meta(description="Show this one instead, a table with its first rows.")
        ] = None,
    ) -> VariablesListed | VariableShown:
        """List the variables of the notebook's kernel, or look at one; no cell, no output."""
        return self._portal.call(self._core.list_variables, notebook_name, name)

    def connect_to_jupyter(
        self,
        jupyter_url: Annotated[str, Meta(description="As the browser shows it.")],
        jupyter_token: Annotated[str | None, Meta(description="Its API token.")] = None,
    ) -> ServerConnected:
        """Work on another Jupyter server from now on; lets go of the notebooks in use."""
        return self._portal.call(self._core.connect_to_jupyter, jupyter_url, jupyter_token)

    @property
    def options(self) -> WorkspaceOptions:
        """What its tools may do."""
        return self._core.options

    def close(self) -> None:
        """Let go of all notebooks in use."""
        self._leave()


def connect(
    url: str | None = None,
    *,
    token: str | None = None,
    runtime_url: str | None = None,
    runtime_token: str | None = None,
    hub_url: str | None = None,
    user: str | None = None,
    server_name: str = "",
    user_options: Mapping[str, Any] | None = None,
    start_timeout: float = START_TIMEOUT,
    on_progress: OnProgress | None = None,
    auth: AnyAuth | None = None,
    runtime_auth: AnyAuth | None = None,
    document_provider: Provider = "jupyter",
    verify: Verify = True,
    headers: Mapping[str, str] | None = None,
    username: str = DEFAULT_USERNAME,
) -> Server:
    """Connect to a running Jupyter server, or to one for documents and another one for kernels.

    Args:
        url: Base URL or that of a page, with its token or without; `"auto"`: the running server
            that holds the working directory; default: `JUPYTER_URL` and `JUPYTER_TOKEN`.
        token: Its API token.
        runtime_url: The server that runs the kernels, if it is another one.
        runtime_token: The API token of that one.
        hub_url: A JupyterHub, or a page of it: a user's server there, started if need be, is
            meant where there is no `url`, and where there is one, in place of `runtime_url`.
        user: Whose server on the Hub; default: of the owner of the token.
        server_name: Which of them, if it is not the default one.
        user_options: How the Hub starts it; default: as the last time.
        start_timeout: Seconds within which it has to be ready.
        on_progress: Is told how far the Hub is with starting it.
        auth: In place of a token: a `Password`, `TokenFile`, function that returns a token
            (it may be async), or `Auth` of your own.
        runtime_auth: The same for the server that runs the kernels.
        document_provider: What kind of service `url` is: `"jupyter"`, or `"datalayer"`, whose
            notebooks are opened by the ids of their documents and run on `runtime_url`.
        verify: How TLS certificates are checked: True, False, a file of authorities, or a context.
        headers: Further headers for every request and websocket, to all servers.
        username: The name under which collaborators see this client.

    Returns:
        The server, to use in a `with` statement or to `close()`; the end of the process closes
        it, too. At the end all is closed, and kernels of ours that nobody else uses end.

    Raises:
        ConfigurationError, ConnectError: Why the server cannot be reached, used or started.
    """
    portal = current_portal()
    held = portal.hold(
        async_connect,
        url,
        token=token,
        runtime_url=runtime_url,
        runtime_token=runtime_token,
        hub_url=hub_url,
        user=user,
        server_name=server_name,
        user_options=user_options,
        start_timeout=start_timeout,
        on_progress=on_progress,
        auth=auth,
        runtime_auth=runtime_auth,
        document_provider=document_provider,
        verify=verify,
        headers=headers,
        username=username,
    )
    return Server(held, portal)


def launch(
    root_dir: str | os.PathLike[str] = ".",
    *,
    join: bool = False,
    pass_env: Collection[str] = (),
    python: str = sys.executable,
    username: str = DEFAULT_USERNAME,
) -> Server:
    """Start a private Jupyter server and connect to it. Needs the extra `local`.

    It listens on a free loopback port with a random token, touches nothing of the user's
    Jupyter configuration, and is gone when this process is gone, however that ends.

    Args:
        root_dir: The folder that it serves.
        join: If a running server already holds the folder, join that one instead.
        pass_env: Names of environment variables that its kernels may have although they
            look like secrets (`*TOKEN*`, `*SECRET*`, `*API_KEY*`, `*PASSWORD*`).
        python: The interpreter that runs it.
        username: The name under which collaborators see this client.

    Returns:
        The server, to use in a `with` statement or to `close()`; the end of the process closes
        it, too.

    Raises:
        ServerAlreadyRunningError: A running server holds the folder, and `join` is False.
        ServerStartError, ExtraNotInstalledError
    """
    portal = current_portal()
    held = portal.hold(
        async_launch, root_dir, join=join, pass_env=pass_env, python=python, username=username
    )
    return Server(held, portal)


def find_servers(
    root_dir: Folder | None = None, *, timeout: float = PROBE_TIMEOUT
) -> tuple[FoundServer, ...]:
    """List the Jupyter servers that runtime files of this user name, and which one is chosen.

    Args:
        root_dir: The folder that the chosen one has to hold; default: the working directory.
        timeout: Seconds that it may take to ask them, all at once.

    Returns:
        Those that hold the folder first, nearest root first, newest first where equally near.
        The first of them that can be joined is chosen, as `connect("auto")` does.
    """
    return current_portal().call(async_find_servers, root_dir, timeout=timeout)


for _class in (Server, Notebook, Batch, Cell, Kernel, Run, Workspace):
    _class.__module__ = "jupyter_agent_core.sync"
