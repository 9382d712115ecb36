# SPDX-License-Identifier: BSD-3-Clause
"""What the tools answer with: frozen values, rendered for a model by `rendering`."""

from __future__ import annotations

from typing import Literal

import attrs

from ._introspection import VariableListing, VariableValue
from ._output_cursor import OutputPosition
from ._values import (
    CellSnapshot,
    Change,
    ExecutionResult,
    FileInfo,
    KernelInfo,
    KernelInterrupt,
    KernelRelease,
    KernelSpec,
    Mode,
    Output,
    RunningCode,
    SessionInfo,
    UiOpening,
)

ResponseFormat = Literal["brief", "outline", "detailed"]


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
    """Running kernels, and those that can be started.

    Attributes:
        kernels: Those that run.
        specs: Those that can be started.
        unlisted: Why it is not known which ones run, empty if it is.
    """

    kernels: tuple[KernelInfo, ...]
    specs: tuple[KernelSpec, ...]
    unlisted: str = ""


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
        has_file: There is a file at its path; if not, nothing holds its cells but the document.
    """

    name: str
    path: str
    mode: Mode
    kernel_id: str | None
    kernel_state: str
    current: bool
    has_file: bool = True


@attrs.frozen
class NotebookListing:
    """The notebooks that an agent can work on.

    Attributes:
        in_use: Those in use here.
        sessions: Others that have a running session.
        files: Other notebook files of the server.
        total_files: How many of those there are.
        incomplete: Directories that were not searched, because there are too many.
        unlisted: Why the server has no files to list, empty if it has.
    """

    in_use: tuple[NotebookInUse, ...]
    sessions: tuple[SessionInfo, ...]
    files: tuple[FileInfo, ...]
    total_files: int
    incomplete: int = 0
    unlisted: str = ""


@attrs.frozen
class NotebookView:
    """A part of a notebook's cells.

    Attributes:
        name: The name of the notebook.
        cells: The cells of this part.
        start: Index of the first of them.
        total: How many cells the notebook has.
        response_format: `"brief"` (a line a cell), `"outline"` (headings, definitions, how it
            ended) or `"detailed"` (full sources).
        include_outputs: Show outputs, too.
        cursor: To ask later what has changed since.
        max_tokens: Estimated tokens to answer with, None for the usual number.
    """

    name: str
    cells: tuple[CellSnapshot, ...]
    start: int
    total: int
    response_format: ResponseFormat = "brief"
    include_outputs: bool = False
    cursor: str | None = None
    max_tokens: int | None = None


@attrs.frozen
class LineMatch:
    """A line of a cell that matches a query.

    Attributes:
        index: 0-based position of the cell.
        cell_id: Its id.
        place: `"source"`, or the kind of the output.
        line: The line, counted from 1 over the source and then the outputs, as `read_cell` does.
        text: The line.
    """

    index: int
    cell_id: str
    place: str
    line: int
    text: str


@attrs.frozen
class NotebookMatches:
    """The lines of a notebook that match a query.

    Attributes:
        name: The name of the notebook.
        query: What was looked for.
        matches: The first of them.
        total: How many there are.
    """

    name: str
    query: str
    matches: tuple[LineMatch, ...]
    total: int


@attrs.frozen
class NotebookChanges:
    """What others have changed in a notebook since a cursor.

    Attributes:
        name: The name of the notebook.
        changes: The changes, each with its cell as it is now, None if it is gone.
        cursor: To go on from here.
        response_format: `"detailed"` (full sources), else a line a change.
        include_outputs: Show outputs, too.
        max_tokens: Estimated tokens to answer with, None for the usual number.
    """

    name: str
    changes: tuple[tuple[Change, CellSnapshot | None], ...]
    cursor: str
    response_format: ResponseFormat = "brief"
    include_outputs: bool = False
    max_tokens: int | None = None


@attrs.frozen
class NotebookSaved:
    """A notebook is on disk as it is."""

    name: str
    path: str


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
        in_ui: What became of opening it there, None if that was not asked for.
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
    in_ui: UiOpening | None = None


@attrs.frozen
class NotebookReleased:
    """A notebook that is not in use any more, and what became of its kernel.

    Attributes:
        name: The name that it had.
        kernel: What became of its kernel.
        current: The notebook that is meant now when no name is given.
        remaining: All that are still in use.
        lost_path: Where its file was, if there is none any more, so that nothing holds its cells.
    """

    name: str
    kernel: KernelRelease
    current: str | None
    remaining: tuple[str, ...] = ()
    lost_path: str | None = None


@attrs.frozen
class ServerConnected:
    """Another server is worked on from now on.

    Attributes:
        url: Its URL.
        version: Its version.
        mode: How its notebooks are kept in step.
        with_token: A token was given for it.
    """

    url: str
    version: str
    mode: Mode
    with_token: bool


@attrs.frozen
class KernelInterrupted:
    """A notebook's kernel was interrupted, if it was at work."""

    name: str
    interrupt: KernelInterrupt


@attrs.frozen
class CellsSelected:
    """Where the human collaborators of a notebook are.

    Attributes:
        name: The notebook.
        selections: Who, and the cell with his cursor; who moved last comes first.
    """

    name: str
    selections: tuple[tuple[str, CellSnapshot], ...]


@attrs.frozen
class KernelRestarted:
    """A notebook's kernel has been restarted."""

    name: str
    kernel_id: str


@attrs.frozen
class VariablesListed:
    """The variables of a notebook's kernel."""

    name: str
    listing: VariableListing


@attrs.frozen
class VariableShown:
    """One variable of a notebook's kernel."""

    value: VariableValue


@attrs.frozen
class CellView:
    """One cell, to be read.

    Attributes:
        cell: The cell.
        include_outputs: Show outputs, too.
        start_line: Show a page that begins here, counted from 1 over the source and then the
            outputs, where each 1,000 characters of a long line count as a line, and an image is
            one; None for all in short.
        max_tokens: Estimated tokens to answer with, None for the usual number.
    """

    cell: CellSnapshot
    include_outputs: bool = True
    start_line: int | None = None
    max_tokens: int | None = None


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
class CellMoved:
    """A cell in its new place, where it was, and the cells around it."""

    cell: CellSnapshot
    start: int
    neighbours: NotebookView


@attrs.frozen
class OutputsCleared:
    """Cells without outputs now."""

    cells: tuple[CellSnapshot, ...]


@attrs.frozen
class EditsApplied:
    """Edits that were made together: the kind of each, and its cell afterwards (or deleted)."""

    edits: tuple[tuple[str, CellSnapshot], ...]


@attrs.frozen
class EditsUndone:
    """Edits that were taken back, and the cells that are different by it."""

    count: int
    cells: tuple[CellSnapshot, ...]


@attrs.frozen
class CodeRun:
    """Code that ran without a cell.

    Attributes:
        result: What became of the run.
        behind: What the kernel runs first, if the run is queued and that is known.
        other_kernel: It ran on another kernel than the notebook was told to run on before.
    """

    result: ExecutionResult
    behind: RunningCode | None = None
    other_kernel: bool = False


@attrs.frozen
class CellRun:
    """A cell that ran.

    Attributes:
        result: What became of the run.
        cell: The cell afterwards, None if it was deleted meanwhile.
        inserted: It was inserted for this run.
        behind: What the kernel runs first, if the run is queued and that is known.
        other_kernel: It ran on another kernel than the notebook was told to run on before.
    """

    result: ExecutionResult
    cell: CellSnapshot | None
    inserted: bool = False
    behind: RunningCode | None = None
    other_kernel: bool = False


@attrs.frozen
class RunWaited:
    """What is known of a run that was left running.

    Attributes:
        result: What became of it, with the outputs that were asked for.
        cursor: To ask later for the outputs after these.
        outputs: All outputs of the run.
        start: Where those begin that were asked for, None if all were.
        changed: Outputs that had been seen have changed since, so that all are here again.
        behind: What the kernel runs first, if the run is queued and that is known.
    """

    result: ExecutionResult
    cursor: str
    outputs: tuple[Output, ...] = attrs.field(repr=False)
    start: OutputPosition | None = None
    changed: bool = False
    behind: RunningCode | None = None


@attrs.frozen
class AllCellsRun:
    """A run of all code cells.

    Attributes:
        name: The name of the notebook.
        runs: The cells that ran, in order.
        total: How many code cells there are.
        restarted: The kernel was restarted before.
        other_kernel: They ran on another kernel than the notebook was told to run on before.
    """

    name: str
    runs: tuple[CellRun, ...]
    total: int
    restarted: bool
    other_kernel: bool = False
