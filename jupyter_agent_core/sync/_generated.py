# SPDX-License-Identifier: BSD-3-Clause
"""The blocking classes, and the functions that give them.

Written by `python tools/generate_sync.py` from the async API: do not edit.
"""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Literal, final

from msgspec import Meta

from .._answers import (
    AllCellsRun,
    CellInserted,
    CellOverwritten,
    CellRun,
    CellsDeleted,
    CellView,
    CodeRun,
    FileListing,
    KernelListing,
    KernelRestarted,
    NotebookListing,
    NotebookOpened,
    NotebookReleased,
    NotebookView,
    ResponseFormat,
)
from .._handles.cell import Cell as AsyncCell
from .._handles.kernel import Kernel as AsyncKernel
from .._handles.notebook import Notebook as AsyncNotebook
from .._handles.run import Run as AsyncRun
from .._handles.server import DEFAULT_USERNAME
from .._handles.server import Server as AsyncServer
from .._handles.server import connect as async_connect
from .._handles.server import launch as async_launch
from .._values import (
    CellSnapshot,
    CellType,
    ExecutionResult,
    FileInfo,
    KernelInfo,
    KernelRelease,
    KernelSpec,
    Mode,
    OnTimeout,
    Output,
    RunStatus,
    ServerInfo,
    SessionInfo,
)
from .._workspace.cells import ExpectedVersion
from .._workspace.runs import CODE_TIMEOUT, AfterTimeout, Seconds, Timeout
from .._workspace.state import CellId, CellIndex, DirectoryPath, NotebookName
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
    def token(self) -> str | None:
        """The API token."""
        return self._core.token

    @property
    def info(self) -> ServerInfo:
        """What the server said of itself when it was connected."""
        return self._core.info

    def open_notebook(
        self,
        path: str,
        *,
        create: bool = False,
        kernel_name: str | None = None,
        kernel_id: str | None = None,
    ) -> Notebook:
        """Open a notebook live, beside whoever else has it open.

        Args:
            path: Path below the server's root.
            create: Create it; it must not exist.
            kernel_name: Kernelspec to run it on; default: that of its session, else of its
                metadata, else the server's default one.
            kernel_id: A running kernel to run it on, or `"NEW"` for a new one.

        Returns:
            The notebook, with its content here.

        Raises:
            NotebookNotFoundError, NotebookExistsError, NotANotebookError
            KernelSpecNotFoundError, KernelNotFoundError
            CollaborationUnavailableError: The server has no live documents.
            NotSyncedError, ConnectError
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

        Raises:
            ConfigurationError: There is no such directory.
            ConnectError
        """
        return self._portal.call(self._core.list_files, path)

    def list_kernels(self) -> tuple[KernelInfo, ...]:
        """Return the running kernels, each with the notebook that it serves.

        Raises:
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

        Raises:
            ConnectError
        """
        return self._portal.call(self._core.list_sessions)

    def start_kernel(self, kernel_name: str | None = None, *, directory: str = "") -> Kernel:
        """Start a kernel that belongs to no notebook; it ends with the connection.

        Args:
            kernel_name: Kernelspec; default: the server's default one.
            directory: Its working directory, below the server's root.

        Raises:
            KernelSpecNotFoundError, KernelUnavailableError, ConnectError
        """
        return Kernel(
            self._portal.call(self._core.start_kernel, kernel_name, directory=directory),
            self._portal,
        )

    def kernel(self, kernel_id: str) -> Kernel:
        """Return a running kernel; it is looked up when it is first used."""
        return Kernel(self._portal.call(on_loop(self._core.kernel), kernel_id), self._portal)

    def close(self) -> None:
        """Deliver what is left, close everything that is open, end what was started here.

        Raises:
            ConnectionLostError: The last changes of a notebook may not have arrived.
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
        """How it is kept in step: `"collaboration"`, a live room."""
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
            NotebookClosedError
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
            NotebookClosedError
        """
        return Cell(
            self._portal.call(self._core.insert_cell, index, source, cell_type), self._portal
        )

    def delete_cells(self, refs: Sequence[int | str]) -> tuple[CellSnapshot, ...]:
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
        return self._portal.call(self._core.delete_cells, refs)

    def run_all(
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
        return self._portal.call(
            self._core.run_all, restart=restart, stop_on_error=stop_on_error, timeout=timeout
        )

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
            NotebookClosedError
        """
        self._portal.call(self._core.flush)

    def save(self) -> None:
        """Return when the file on disk holds the notebook as it is now.

        Raises:
            SaveError: The server did not confirm it.
            ConnectionLostError, NotebookClosedError
        """
        self._portal.call(self._core.save)

    def close(self) -> KernelRelease:
        """Deliver what is left, leave the room and let go of the kernel.

        Returns:
            What became of the kernel.

        Raises:
            ConnectionLostError: The last changes may not have arrived.
            ConnectError
        """
        return self._portal.call(self._core.close)


@final
class Cell(Handle[AsyncCell]):
    """A cell, by its id: it stays the same cell wherever it moves. Made by `Notebook.cell`."""

    @property
    def id(self) -> str:
        """The nbformat id of the cell."""
        return self._core.id

    def read(self) -> CellSnapshot:
        """Return the cell as it is now.

        Raises:
            CellNotFoundError: It has been deleted.
            ConnectionLostError: What is known here may be out of date.
        """
        return self._portal.call(self._core.read)

    def set_source(self, source: str, *, expected_version: str | None = None) -> CellSnapshot:
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
        return self._portal.call(self._core.set_source, source, expected_version=expected_version)

    def delete(self, *, expected_version: str | None = None) -> CellSnapshot:
        """Delete the cell.

        Args:
            expected_version: Refuse if the cell is not at this version any more.

        Returns:
            The cell as it was.

        Raises:
            CellNotFoundError, VersionConflictError, ConnectionLostError
        """
        return self._portal.call(self._core.delete, expected_version=expected_version)

    def start(self) -> Run:
        """Give the cell to the kernel and return without waiting; outputs go into the cell.

        Returns:
            The run.

        Raises:
            CellNotFoundError: It has been deleted.
            CellTypeError: It is no code cell.
            KernelSpecNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
        """
        return Run(self._portal.call(self._core.start), self._portal)

    def execute(
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
        return self._portal.call(self._core.execute, timeout=timeout, on_timeout=on_timeout)


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

    def start(self, code: str, *, store_history: bool = True) -> Run:
        """Give code to the kernel and return without waiting for it.

        Args:
            code: What to run; magics and `!shell` work where the kernel has them.
            store_history: Let it count as an input of the kernel's history.

        Returns:
            The run.

        Raises:
            KernelNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
        """
        return Run(
            self._portal.call(self._core.start, code, store_history=store_history), self._portal
        )

    def execute(
        self,
        code: str,
        *,
        timeout: float | None = None,
        on_timeout: OnTimeout = "keep_running",
        store_history: bool = True,
    ) -> ExecutionResult:
        """Run code and wait for its end.

        Args:
            code: What to run; magics and `!shell` work where the kernel has them.
            timeout: Seconds to wait, None to wait for the end.
            on_timeout: What happens to the code then: `"keep_running"` or `"interrupt"`.
            store_history: Let it count as an input of the kernel's history.

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
        )

    def interrupt(self) -> None:
        """Interrupt whatever the kernel runs, whoever started it.

        Raises:
            KernelNotFoundError, ConnectError
        """
        self._portal.call(self._core.interrupt)

    def restart(self) -> None:
        """Restart the kernel: its memory is lost, runs end as `kernel_restarted`.

        Raises:
            KernelNotFoundError, KernelUnavailableError, ConnectError
        """
        self._portal.call(self._core.restart)

    def shutdown(self) -> None:
        """End the kernel, whoever else uses it; the next use starts another one.

        Raises:
            ConnectError
        """
        self._portal.call(self._core.shutdown)

    def info(self) -> KernelInfo:
        """Ask the server for the kernel's state.

        Raises:
            KernelNotFoundError, ConnectError
        """
        return self._portal.call(self._core.info)


@final
class Run(Handle[AsyncRun]):
    """Code that was given to a kernel; made by `Cell.start` and `Kernel.start`.

    Waiting and running are two things: a wait that ends leaves the run alone.
    """

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
    def outputs(self) -> tuple[Output, ...]:
        """The outputs until now, in the kernel's order."""
        return self._portal.call(on_loop(lambda: self._core.outputs))

    def wait(self, timeout: float | None = None) -> ExecutionResult:
        """Wait for the end of the run; it goes on if the time is over first.

        Args:
            timeout: Seconds, None to wait for the end.

        Returns:
            The outcome, or what is known by now with the status `queued` or `running`.
        """
        return self._portal.call(self._core.wait, timeout)

    def interrupt(self) -> ExecutionResult:
        """Withdraw the run if it has not been sent, interrupt it if the kernel is at it.

        A run that waits in the kernel behind another client's code cannot be taken back
        (the protocol has no message for it) and is left alone: an interrupt would hit them.

        Returns:
            What is known 5 s later at most; the status is still `running` if the code did
            not stop, or was left alone.

        Raises:
            KernelNotFoundError, ConnectError
        """
        return self._portal.call(self._core.interrupt)


@final
class Workspace(HeldHandle[AsyncWorkspace]):
    """The notebooks that one agent has in use, by name; its public methods are the tools.

    Leaving it lets go of all of them, whatever the reason. What cannot be reached any more is
    let go without an error, unless changes may be lost with it.

    Args:
        server: The server that they are on.
    """

    def __init__(self, server: Server) -> None:
        super().__init__(server._portal.hold(AsyncWorkspace, server._core), server._portal)

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
            str | None,
            Meta(description="Path from the server's root; not needed to switch to one in use."),
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
    ) -> NotebookOpened:
        """Open or create a notebook live and make it the current one, or switch to one in use.

        Runs on the kernel that its human uses, if there is one.
        """
        return self._portal.call(
            self._core.use_notebook, notebook_name, notebook_path, mode, kernel_id, kernel_name
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
    ) -> NotebookView:
        """Show the cells of a notebook: index, id, version, type, count and first line of each."""
        return self._portal.call(
            self._core.read_notebook,
            notebook_name,
            response_format,
            start_index,
            limit,
            include_outputs,
        )

    def read_cell(
        self,
        cell_index: CellIndex = None,
        cell_id: CellId = None,
        include_outputs: Annotated[bool, Meta(description="Show outputs, too.")] = True,
        notebook_name: NotebookName = None,
    ) -> CellView:
        """Show the source and outputs of a cell; images as images."""
        return self._portal.call(
            self._core.read_cell, cell_index, cell_id, include_outputs, notebook_name
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
        notebook_name: NotebookName = None,
    ) -> CellsDeleted:
        """Delete cells, all of them or none."""
        return self._portal.call(
            self._core.delete_cell, cell_indices, cell_ids, include_source, notebook_name
        )

    def overwrite_cell_source(
        self,
        cell_source: str,
        cell_index: CellIndex = None,
        cell_id: CellId = None,
        expected_version: ExpectedVersion = None,
        notebook_name: NotebookName = None,
    ) -> CellOverwritten:
        """Replace the source of a cell; only what differs is changed. Answers with the diff."""
        return self._portal.call(
            self._core.overwrite_cell_source,
            cell_source,
            cell_index,
            cell_id,
            expected_version,
            notebook_name,
        )

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
            Seconds | None, Meta(description="Seconds for all of them; default 45.")
        ] = None,
    ) -> AllCellsRun:
        """Run all code cells in order. Answers with a line a cell."""
        return self._portal.call(
            self._core.run_all_cells, notebook_name, restart, stop_on_error, timeout
        )

    def list_kernels(self) -> KernelListing:
        """List running kernels, with the notebook that each serves, and those to start."""
        return self._portal.call(self._core.list_kernels)

    def restart_notebook(
        self, notebook_name: Annotated[str, Meta(description="Name given in use_notebook.")]
    ) -> KernelRestarted:
        """Restart a notebook's kernel: its variables and imports are lost."""
        return self._portal.call(self._core.restart_notebook, notebook_name)

    def close(self) -> None:
        """Let go of all notebooks in use."""
        self._leave()


def connect(
    url: str | None = None,
    *,
    token: str | None = None,
    verify: bool | ssl.SSLContext = True,
    headers: Mapping[str, str] | None = None,
    username: str = DEFAULT_USERNAME,
) -> Server:
    """Connect to a running Jupyter server.

    Args:
        url: Base URL, the part before `/lab` or `/tree`; `"auto"` for the running server
            whose root holds the working directory; default: `JUPYTER_URL`, with the token
            in `JUPYTER_TOKEN`.
        token: Its API token.
        verify: Check TLS certificates: True, False, or a context of your own.
        headers: Further headers for every request and websocket.
        username: The name under which collaborators see this client.

    Returns:
        The server, to use in a `with` statement or to `close()`; the end of the process closes
        it, too. At the end what was opened is closed, and kernels that were started here
        and that nobody else uses are ended.

    Raises:
        ConfigurationError: There is no URL, or one that cannot be right.
        ServerUnreachableError, NotAJupyterServerError, AuthenticationError
        NoRunningServerError: `"auto"` found none.
    """
    portal = current_portal()
    held = portal.hold(
        async_connect, url, token=token, verify=verify, headers=headers, username=username
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


for _class in (Server, Notebook, Cell, Kernel, Run, Workspace):
    _class.__module__ = "jupyter_agent_core.sync"
