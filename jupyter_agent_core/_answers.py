# SPDX-License-Identifier: BSD-3-Clause
"""What the tools answer with: frozen values, rendered for a model by `rendering`."""

from __future__ import annotations

from typing import Literal

import attrs

from ._values import (
    CellSnapshot,
    ExecutionResult,
    FileInfo,
    KernelInfo,
    KernelRelease,
    KernelSpec,
    Mode,
    SessionInfo,
)

ResponseFormat = Literal["brief", "detailed"]


@attrs.frozen
class FileListing:
    """A part of the files below a directory.

    Attributes:
        path: The directory.
        files: The files of this part.
        start: Index of the first of them.
        total: How many files there are.
        pattern: The glob that they match, empty for all.
        incomplete: Directories that were not listed, because there are too many.
    """

    path: str
    files: tuple[FileInfo, ...]
    start: int
    total: int
    pattern: str = ""
    incomplete: int = 0


@attrs.frozen
class KernelListing:
    """Running kernels, and those that can be started."""

    kernels: tuple[KernelInfo, ...]
    specs: tuple[KernelSpec, ...]


@attrs.frozen
class NotebookInUse:
    """A notebook under the name that the agent gave it.

    Attributes:
        name: The name.
        path: Path below the server's root.
        mode: How it is kept in step.
        kernel_id: Its kernel, None if none has been needed yet.
        kernel_state: What the kernel said last.
        current: It is meant when no name is given.
    """

    name: str
    path: str
    mode: Mode
    kernel_id: str | None
    kernel_state: str
    current: bool


@attrs.frozen
class NotebookListing:
    """The notebooks that an agent can work on.

    Attributes:
        in_use: Those in use here.
        sessions: Others that have a running session.
        files: Other notebook files of the server.
        total_files: How many of those there are.
        incomplete: Directories that were not searched, because there are too many.
    """

    in_use: tuple[NotebookInUse, ...]
    sessions: tuple[SessionInfo, ...]
    files: tuple[FileInfo, ...]
    total_files: int
    incomplete: int = 0


@attrs.frozen
class NotebookView:
    """A part of a notebook's cells.

    Attributes:
        name: The name of the notebook.
        cells: The cells of this part.
        start: Index of the first of them.
        total: How many cells the notebook has.
        response_format: `"brief"` (a line a cell) or `"detailed"` (full sources).
        include_outputs: Show outputs, too.
    """

    name: str
    cells: tuple[CellSnapshot, ...]
    start: int
    total: int
    response_format: ResponseFormat = "brief"
    include_outputs: bool = False


@attrs.frozen
class NotebookOpened:
    """A notebook that is now the current one.

    Attributes:
        notebook: The notebook.
        created: It has just been created.
        switched: It was in use before.
        kernel_started: Its kernel was started for it.
        kernel_name: The kernelspec of its kernel.
        url: Where a browser shows it, None where the server has no JupyterLab.
        collaborators: Who else has it open.
        outline: Its first cells.
    """

    notebook: NotebookInUse
    created: bool
    switched: bool
    kernel_started: bool
    kernel_name: str | None
    url: str | None
    collaborators: tuple[str, ...]
    outline: NotebookView


@attrs.frozen
class NotebookReleased:
    """A notebook that is not in use any more, and what became of its kernel."""

    name: str
    kernel: KernelRelease
    current: str | None


@attrs.frozen
class KernelRestarted:
    """A notebook's kernel has been restarted."""

    name: str
    kernel_id: str


@attrs.frozen
class CellView:
    """One cell, to be read."""

    cell: CellSnapshot
    include_outputs: bool = True


@attrs.frozen
class CellInserted:
    """A new cell, and the cells around it."""

    cell: CellSnapshot
    neighbours: NotebookView


@attrs.frozen
class CellsDeleted:
    """Cells as they were before they were deleted."""

    cells: tuple[CellSnapshot, ...]
    include_source: bool


@attrs.frozen
class CellOverwritten:
    """A cell before and after an edit."""

    before: CellSnapshot
    after: CellSnapshot


@attrs.frozen
class CodeRun:
    """Code that ran without a cell."""

    result: ExecutionResult


@attrs.frozen
class CellRun:
    """A cell that ran.

    Attributes:
        result: What became of the run.
        cell: The cell afterwards, None if it was deleted meanwhile.
        inserted: It was inserted for this run.
    """

    result: ExecutionResult
    cell: CellSnapshot | None
    inserted: bool = False


@attrs.frozen
class AllCellsRun:
    """A run of all code cells.

    Attributes:
        name: The name of the notebook.
        runs: The cells that ran, in order.
        total: How many code cells there are.
        restarted: The kernel was restarted before.
    """

    name: str
    runs: tuple[CellRun, ...]
    total: int
    restarted: bool
