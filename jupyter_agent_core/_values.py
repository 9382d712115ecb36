# SPDX-License-Identifier: BSD-3-Clause
"""What the library answers with: frozen values, without any connection behind them.

Annotations are not postponed here: they are to be resolved from the public module, too.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Literal, Self, get_args

import attrs

from ._errors import CellExecutionError

CellType = Literal["code", "markdown", "raw"]
CELL_TYPES: tuple[CellType, ...] = get_args(CellType)

RunStatus = Literal[
    "queued",
    "running",
    "input_required",
    "ok",
    "error",
    "interrupted",
    "aborted",
    "kernel_died",
    "kernel_restarted",
    "kernel_gone",
    "lost",
    "disconnected",
]
OnTimeout = Literal["keep_running", "interrupt"]
Mode = Literal["collaboration", "server-documents", "contents", "datalayer", "kernels"]
Capability = Literal["documents", "files", "kernels", "kernel list", "sessions"]
CAPABILITIES: tuple[Capability, ...] = get_args(Capability)
Provider = Literal["jupyter", "datalayer"]
UiOpening = Literal["opened", "unavailable", "nobody", "failed"]
ChangeKind = Literal["inserted", "deleted", "moved", "edited", "run"]
ConnectionState = Literal["disconnected", "reconnected", "rebuilt", "deaf", "lost"]

# CSI, OSC and two-character escape sequences (ECMA-48)
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


def strip_ansi(text: str) -> str:
    """Return the text without terminal escape sequences."""
    return _ANSI.sub("", text)


@attrs.frozen
class StreamOutput:
    """Text that the code wrote.

    Attributes:
        name: `"stdout"` or `"stderr"`; `"stdin"` for a question of the code's with its answer.
        text: The text as a terminal would show it (`\\r` and `\\b` applied).
    """

    name: str
    text: str


@attrs.frozen
class DisplayOutput:
    """Something that the code displayed, in one or more MIME types.

    Attributes:
        data: MIME type to representation; images are base64 text.
        metadata: Metadata of the display, keyed by MIME type.
    """

    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class ExecuteResult:
    """The value of the last expression, in one or more MIME types.

    Attributes:
        data: MIME type to representation; images are base64 text.
        metadata: Metadata of the display, keyed by MIME type.
        execution_count: The `n` of `Out[n]`.
    """

    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = attrs.field(factory=dict)
    execution_count: int | None = None


@attrs.frozen
class ErrorOutput:
    """An exception that the code raised.

    Attributes:
        ename: Name of the exception's class.
        evalue: Its message.
        traceback: Lines as the kernel sent them, with terminal colours.
    """

    ename: str
    evalue: str
    traceback: tuple[str, ...] = ()


Output = StreamOutput | DisplayOutput | ExecuteResult | ErrorOutput


def plain_text(outputs: Iterable[Output]) -> str:
    """Fold outputs into the text that a reader of the notebook would see.

    Images and other binary data leave no text beside their `text/plain` twin.
    """
    parts: list[str] = []
    for output in outputs:
        match output:
            case StreamOutput():
                parts.append(strip_ansi(output.text))
                continue
            case ErrorOutput():
                text = "\n".join(output.traceback) or f"{output.ename}: {output.evalue}"
            case _:
                text = str(output.data.get("text/plain", output.data.get("text/markdown", "")))
        if parts and parts[-1] and not parts[-1].endswith("\n"):
            parts.append("\n")
        parts.append(strip_ansi(text) + "\n" if text else "")
    return "".join(parts).rstrip("\n")


@attrs.frozen
class CellSnapshot:
    """One cell as it was at one moment.

    Attributes:
        id: The nbformat cell id; it never changes.
        index: 0-based position at the time of reading.
        cell_type: `"code"`, `"markdown"` or `"raw"`.
        source: The text of the cell.
        outputs: Outputs of a code cell, in order.
        execution_count: The `n` of `In [n]`.
        execution_state: `"running"` while somebody runs the cell, else `"idle"`.
        metadata: The cell's metadata.
        attachments: Files inside a markdown or raw cell: name to MIME bundle.
        version: Short hash of type, source and metadata: equal for every client that sees
            the same cell; pass it back as `expected_version` to guard an edit.
    """

    id: str
    index: int
    cell_type: CellType
    source: str
    outputs: tuple[Output, ...]
    execution_count: int | None
    execution_state: str
    metadata: Mapping[str, Any]
    version: str
    attachments: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def text(self) -> str:
        """The outputs as plain text."""
        return plain_text(self.outputs)


@attrs.frozen
class Change:
    """Something that happened to a cell of a notebook.

    Attributes:
        kind: `"inserted"`, `"deleted"`, `"moved"`, `"edited"` (source, type, metadata,
            attachments) or `"run"` (outputs, execution count and state).
        cell_id: The cell.
        index: Its 0-based position now, None if it is not there any more.
        by: Who did it, as collaborators call themselves; None where that is not known.
        own: It was done through the notebook object that tells it, and by nobody else.
    """

    kind: ChangeKind
    cell_id: str
    index: int | None
    by: str | None
    own: bool


@attrs.frozen
class Changes:
    """What happened to a notebook since a cursor.

    Attributes:
        cursor: To ask from here on the next time.
        changes: The changes in the order of the last of each kind; a cell that is new or gone
            appears once.
    """

    cursor: str
    changes: tuple[Change, ...]


@attrs.frozen
class ConnectionChange:
    """Something that happened to the connection of a notebook.

    Attributes:
        state: `"disconnected"`, `"reconnected"`, `"rebuilt"` (the server has built the document
            anew from its file; late edits were made again), `"deaf"` (the server does not
            send what others do by itself; it is asked) or `"lost"` (for good).
        reason: Why, in words.
    """

    state: ConnectionState
    reason: str


@attrs.frozen
class InputRequest:
    """What code that runs asks its user (`input()`, `getpass()`).

    Attributes:
        prompt: The question.
        password: The answer is a secret: it is not shown while it is typed.
    """

    prompt: str
    password: bool = False


# answers, or gives None for the end of input (`EOFError` in Python)
InputHandler = Callable[[InputRequest], str | Awaitable[str | None] | None]


@attrs.frozen
class ExecutionResult:
    """What became of a run, as far as it is known.

    Attributes:
        status: `ok`, `error` (an exception), `interrupted`, `aborted`, `queued`, `running` or
            `input_required` (waiting ended, the run goes on: see `run_id`; `queued` behind other
            code, ours or somebody else's; `input_required` if `on_input` has not answered yet),
            `kernel_died`, `kernel_restarted`, `kernel_gone` (shut down or culled), `lost` (how
            the run ended did not come through, as the connection was away or an interrupt has
            broken the kernel) or `disconnected` (the server cannot be reached). What the code did
            is unknown after the last two.
        outputs: All outputs until now, in the kernel's order.
        execution_count: The `n` of `In [n]`, None if the kernel has not started the run.
        run_id: Id of the `Run`.
        cell_id: The cell that ran, None for code without a cell.
        elapsed: Seconds from sending the code to its end, or until now.
        error: The exception, if the code raised one.
        outputs_lost: Outputs are missing, or may be: the connection was away while the code ran,
            the server has dropped what came faster than it is set to pass on, or the text was
            longer than the 8 million characters that are kept of a run beside its end.
        after_restart: Since our run before, somebody else has restarted the kernel, or it has
            ended and this is another one: what was defined is gone.
    """

    status: RunStatus
    outputs: tuple[Output, ...]
    execution_count: int | None
    run_id: str
    cell_id: str | None
    elapsed: float
    error: ErrorOutput | None = None
    outputs_lost: bool = False
    after_restart: bool = False

    @property
    def text(self) -> str:
        """The outputs as plain text: what a reader of the notebook would see."""
        return plain_text(self.outputs)

    def raise_for_status(self) -> Self:
        """Return the result if the code ended well.

        Raises:
            CellExecutionError: The status is anything but `ok`.
        """
        if self.status == "ok":
            return self
        error = self.error or ErrorOutput("", "")
        traceback = strip_ansi("\n".join(error.traceback))
        raise CellExecutionError(self.status, error.ename, error.evalue, traceback)


@attrs.frozen
class ServerInfo:
    """What a server said of itself when it was probed.

    Attributes:
        url: Base URL, with a slash at its end.
        version: Version of Jupyter Server.
        mode: How its notebooks are kept in step: `"collaboration"` or `"server-documents"`, live
            documents of `jupyter-collaboration` or `jupyter-server-documents`; `"contents"`,
            files only; `"datalayer"`, live documents of Datalayer; `"kernels"`, there are none, as
            at a kernel gateway.
        lab: The server shows JupyterLab to browsers, at `lab` below its URL.
        offers: What it can do; whatever needs something else is refused with a
            `CapabilityUnavailableError`.
    """

    url: str
    version: str
    mode: Mode
    lab: bool
    offers: frozenset[Capability] = frozenset(CAPABILITIES)


@attrs.frozen
class FileInfo:
    """One file or directory of the server.

    Attributes:
        path: Path below the server's root, without a leading slash.
        type: `"file"`, `"notebook"` or `"directory"`.
        size: Bytes, None for directories.
        last_modified: ISO 8601 time.
    """

    path: str
    type: str
    size: int | None
    last_modified: str | None


@attrs.frozen
class KernelSpec:
    """A kind of kernel that the server can start.

    Attributes:
        name: Name to pass as `kernel_name`.
        display_name: Name that people see.
        language: Programming language.
        default: The server starts it when no name is given.
    """

    name: str
    display_name: str
    language: str
    default: bool = False


@attrs.frozen
class KernelInfo:
    """A running kernel.

    Attributes:
        id: The kernel's id.
        name: Name of its kernelspec.
        state: `"idle"`, `"busy"`, `"starting"`, … as the server last heard.
        connections: Websockets connected to it.
        last_activity: ISO 8601 time.
        path: The notebook whose session it serves, if any.
    """

    id: str
    name: str
    state: str
    connections: int
    last_activity: str | None
    path: str | None = None


@attrs.frozen
class RunningCode:
    """Code that a kernel runs.

    Attributes:
        run_id: The `Run`, None if another client has started it.
        cell_id: The cell that holds it, if that is known.
        first_line: Its first line, None if another client started it before we listened.
        waits_for_input: It has asked its user something and waits for the answer; of other
            clients' code that is not known.
    """

    run_id: str | None
    cell_id: str | None
    first_line: str | None
    waits_for_input: bool = False


@attrs.frozen
class KernelActivity:
    """What a kernel is busy with.

    Attributes:
        state: What the kernel said last: `"idle"`, `"busy"`, …, or `"not connected"`.
        running: The code that it runs, if any is known to.
        waiting: Ids of our runs that wait for their turn here, and can be taken back.
    """

    state: str
    running: RunningCode | None = None
    waiting: tuple[str, ...] = ()


@attrs.frozen
class KernelInterrupt:
    """What came of an interrupt.

    Attributes:
        kernel_id: The kernel, None if there is none.
        interrupted: The code that ran, None if none did or nothing is known of it.
        stopped: The kernel is free, or at the next code; else only a restart ends what it runs.
    """

    kernel_id: str | None
    interrupted: RunningCode | None
    stopped: bool


@attrs.frozen
class SessionInfo:
    """A session: the server's record of which kernel serves which file.

    Attributes:
        id: The session's id.
        path: Path of the file.
        kernel: The kernel that serves it.
    """

    id: str
    path: str
    kernel: KernelInfo


@attrs.frozen
class KernelRelease:
    """What became of a notebook's kernel when the notebook was closed.

    Attributes:
        kernel_id: The kernel, None if none was ever used.
        shut_down: True if we had started it and nobody else used it, so that it was ended.
        reason: Why it was left running, if it was.
    """

    kernel_id: str | None
    shut_down: bool
    reason: str | None = None


@attrs.frozen
class FoundServer:
    """A Jupyter server of this machine, as a file that it has written says, true or not.

    Attributes:
        url: Its base URL, None if the file does not say it.
        root_dir: The folder that it serves, None if the file does not say it.
        pid: Its process, None if the file does not say it.
        chosen: It is the one that `connect("auto")` joins.
        reason: Why it is that one, or why not.
        runtime_file: The file.
        token: Its API token, None if the file has none.
    """

    url: str | None
    root_dir: str | None
    pid: int | None
    chosen: bool
    reason: str
    runtime_file: str
    token: str | None = attrs.field(default=None, repr=False)
