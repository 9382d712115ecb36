# SPDX-License-Identifier: BSD-3-Clause
"""Everything this library raises, in one tree.

JupyterAgentError
├── ConfigurationError              an argument or a setting that cannot work
│   └── ExtraNotInstalledError      an optional dependency is missing
├── ConnectError                    the server could not be reached or used: `_connect_errors`
├── RequestError                    the server refused one request
├── CapabilityUnavailableError      the server is of a kind that cannot do that
├── CollaborationUnavailableError   the server has no live documents
├── NotebookNotFoundError
├── NotebookExistsError
├── NotANotebookError
├── NotebookNotInUseError           a name that no notebook is known by
├── NotebookClosedError
├── WorkspaceClosedError
├── CellNotFoundError
├── CellTypeError                   the operation does not fit the type of the cell
├── VersionConflictError            the cell is not what the caller has read
├── CollaboratorTypingError         somebody else is changing the same lines
├── SourceMatchError                a text to replace is not there, or not only once
├── UndoConflictError               others have built on the edit that was to be undone
├── NotebookConflictError           somebody else has written the file meanwhile
├── BatchOpenError                  a batch is open, and what was asked for cannot be part of it
├── NotSyncedError                  the live document never arrived
├── ConnectionLostError             the connection ended; `applied` says what became of the edit
├── SaveError                       the server did not confirm that the file is on disk
├── KernelNotFoundError
├── KernelSpecNotFoundError
├── KernelUnavailableError          a kernel that cannot be started, joined or replaced
├── RunNotFoundError                no run of that id is kept
├── …                               what may go wrong when a kernel is asked: `_kernel_errors`
└── CellExecutionError              `ExecutionResult.raise_for_status`: the code failed

What the user's code did (an exception, an interrupt, a dead kernel) is not an
error of ours: it is the status of an `ExecutionResult`.

Annotations are not postponed here: they are to be resolved from the public module, too.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Literal

Applied = Literal["no", "yes", "unknown"]


@contextmanager
def one_of_many(number: int, total: int) -> Iterator[None]:
    """Let an error tell which of several edits was refused, of which then none is made."""
    try:
        yield
    except JupyterAgentError as error:
        if total > 1:
            error.args = (f"{error} (edit {number + 1} of {total}; none of them was made)",)
        raise


class JupyterAgentError(Exception):
    """Base of all errors that this library raises.

    Attributes:
        retryable: The same call may succeed later without any change.
        applied: Whether the effect that was asked for has happened on the server.
    """

    retryable: ClassVar[bool] = False
    applied: Applied = "no"

    def __init_subclass__(cls) -> None:
        # tracebacks show the public name
        cls.__module__ = "jupyter_agent_core"


class ConfigurationError(JupyterAgentError):
    """An argument or a setting has a value that cannot work."""

    def __init__(self, message: str, *, name: str | None = None, value: object = None) -> None:
        super().__init__(message)
        self.name = name
        self.value = value


class ExtraNotInstalledError(ConfigurationError):
    """An optional part of the distribution is not installed."""

    def __init__(self, extra: str, missing: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {missing!r}, which is not installed: "
            f"pip install 'jupyter-agent-core[{extra}]'",
            name="extra",
            value=extra,
        )
        self.extra = extra
        self.missing = missing


class RequestError(JupyterAgentError):
    """The server refused one request."""

    def __init__(self, method: str, path: str, status: int, reason: str) -> None:
        super().__init__(f"{method} {path} was refused with HTTP {status}: {reason}")
        self.method = method
        self.path = path
        self.status = status
        self.reason = reason


class CapabilityUnavailableError(JupyterAgentError):
    """The server is of a kind that cannot do what was asked for (see `ServerInfo.offers`)."""

    def __init__(self, url: str, capability: str, reason: str, advice: str) -> None:
        super().__init__(f"{url} has no {capability} ({reason}): {advice}")
        self.url = url
        self.capability = capability
        self.reason = reason


class CollaborationUnavailableError(JupyterAgentError):
    """The server offers no live documents."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"The server at {url} has no live documents: install jupyter-collaboration "
            "or jupyter-server-documents in its environment and restart it"
        )
        self.url = url


class NotebookNotFoundError(JupyterAgentError):
    """There is no notebook at the path."""

    def __init__(
        self, path: str, existing: Sequence[str] = (), *, missing_folder: str | None = None
    ) -> None:
        near = f" (in its folder: {', '.join(existing)})" if existing else ""
        advice = f"{near}: check the path, or create it"
        if missing_folder is not None:
            advice = f", nor a directory {missing_folder!r} to create it in: make that first"
        super().__init__(f"There is no notebook at {path!r}{advice}")
        self.path = path
        self.existing: tuple[str, ...] = tuple(existing)


class NotebookExistsError(JupyterAgentError):
    """A notebook that was to be created exists already."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path!r} exists already: open it without creating, or use another path")
        self.path = path


class NotANotebookError(JupyterAgentError):
    """The file at the path is not a notebook, or not one that the server can open."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path!r} cannot be opened as a notebook: {reason}")
        self.path = path
        self.reason = reason


class NotebookNotInUseError(JupyterAgentError):
    """No notebook is in use under that name, or none at all."""

    def __init__(self, name: str | None, known: Sequence[str], existing: Sequence[str]) -> None:
        what = f"No notebook is in use as {name!r}" if name else "No notebook is in use"
        in_use = f" In use: {', '.join(known)}." if known else ""
        files = f" Notebooks on the server: {', '.join(existing)}." if existing else ""
        super().__init__(f"{what}: call use_notebook first.{in_use}{files}")
        self.name = name
        self.known: tuple[str, ...] = tuple(known)
        self.existing: tuple[str, ...] = tuple(existing)


class NotebookClosedError(JupyterAgentError):
    """The notebook has been closed by its owner."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path!r} has been closed: open it again with open_notebook")
        self.path = path


class WorkspaceClosedError(JupyterAgentError):
    """The workspace has been left, so nothing would let go of what its tools open."""

    def __init__(self) -> None:
        super().__init__("The workspace has been closed; nothing was done: make another Workspace")


class CellNotFoundError(JupyterAgentError):
    """No cell, or more than one, answers to the reference."""

    def __init__(self, ref: int | str, reason: str, candidates: Sequence[str] = ()) -> None:
        near = f" (nearest: {', '.join(candidates)})" if candidates else ""
        super().__init__(f"Cell {ref!r} {reason}{near}")
        self.ref = ref
        self.reason = reason
        self.candidates: tuple[str, ...] = tuple(candidates)


class CellTypeError(JupyterAgentError):
    """The operation does not fit the type of the cell."""

    def __init__(self, ref: int | str, cell_type: str, wanted: str) -> None:
        super().__init__(f"Cell {ref!r} is a {cell_type} cell; this needs {wanted}")
        self.ref = ref
        self.cell_type = cell_type


class VersionConflictError(JupyterAgentError):
    """The cell has changed since the caller read it."""

    def __init__(self, cell_id: str, expected: str, current: str, source: str) -> None:
        super().__init__(
            f"Cell {cell_id} is at version {current}, not {expected}: somebody changed it since. "
            f"Its source is now:\n{source}"
        )
        self.cell_id = cell_id
        self.expected = expected
        self.current = current
        self.source = source


class CollaboratorTypingError(JupyterAgentError):
    """Somebody else changed lines of the cell, that were to be overwritten, within the last 2 s."""

    retryable = True

    def __init__(self, cell_id: str, by: str | None, line: int, current: str, source: str) -> None:
        super().__init__(
            f"{by or 'Somebody'} has just changed line {line + 1} of cell {cell_id}: wait, "
            "read the cell and edit that, or pass force=True. "
            f"It is at version {current}, and its source is now:\n{source}"
        )
        self.cell_id = cell_id
        self.by = by
        self.line = line
        self.current = current
        self.source = source


class SourceMatchError(JupyterAgentError):
    """The text to be replaced is not in the cell, or in several places."""

    def __init__(self, cell_id: str, old: str, source: str) -> None:
        places = [at for at in range(len(source)) if source.startswith(old, at)]
        lines = [source.count("\n", 0, at) + 1 for at in places]
        if lines:
            what = (
                f"is in {len(lines)} places (lines {', '.join(map(str, lines))}): "
                "add what is around it, or replace all"
            )
        else:
            what = f"is not there; the source is now:\n{source}"
        super().__init__(f"Cell {cell_id}: {old!r} {what}")
        self.cell_id = cell_id
        self.old = old
        self.lines: tuple[int, ...] = tuple(lines)
        self.source = source


class UndoConflictError(JupyterAgentError):
    """Others have changed what the edit had made, and undoing it would take that away, too."""

    def __init__(self, cell_id: str, by: str | None) -> None:
        super().__init__(
            f"{by or 'Somebody'} has changed cell {cell_id} since, so the edit cannot be undone "
            "without losing that: read the cell and edit it instead"
        )
        self.cell_id = cell_id
        self.by = by


class NotebookConflictError(JupyterAgentError):
    """On a server without live documents: somebody else has written the file meanwhile.

    Attributes:
        changes: What he has done: a kind of `Change`, and the id of a cell.
    """

    retryable = True

    def __init__(
        self, path: str, changes: Sequence[tuple[str, str]], shown: Sequence[str] = ()
    ) -> None:
        what = "\n".join(shown) or "nothing in its cells"
        super().__init__(
            f"Somebody else has written {path!r} since it was read, so nothing was changed: "
            "read it again and repeat the edit (in Python, merge() makes it beside theirs). "
            f"What they changed:\n{what}"
        )
        self.path = path
        self.changes: tuple[tuple[str, str], ...] = tuple(changes)


class BatchOpenError(JupyterAgentError):
    """While a batch is open on a notebook, it is edited by the batch alone, and nothing runs."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"A batch is open on {path!r}: edit with the methods of the batch, "
            "and run cells after it"
        )
        self.path = path


class NotSyncedError(JupyterAgentError):
    """The live document did not arrive, so nothing is known of its content."""

    retryable = True

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"The server did not deliver the document {path!r}: {reason}")
        self.path = path
        self.reason = reason


class ConnectionLostError(JupyterAgentError):
    """The connection ended or fell silent while the caller waited."""

    retryable = True

    def __init__(self, what: str, reason: str, applied: Applied) -> None:
        said = {
            "no": "nothing was changed",
            "yes": "the change was applied",
            "unknown": "it is not known whether the change was applied: read before you repeat it",
        }[applied]
        super().__init__(f"The connection to {what} was lost ({reason}); {said}")
        self.what = what
        self.reason = reason
        self.applied: Applied = applied


class SaveError(JupyterAgentError):
    """The server did not confirm that the document is on disk."""

    retryable = True

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path!r} is not known to be saved: {reason}; the live document still holds every edit"
        )
        self.path = path
        self.reason = reason


class KernelNotFoundError(JupyterAgentError):
    """No kernel with that id is running."""

    def __init__(self, kernel_id: str, running: Sequence[str] | None = None) -> None:
        known = "" if running is None else f" (running: {', '.join(running) or 'none'})"
        super().__init__(f"There is no running kernel {kernel_id!r}{known}")
        self.kernel_id = kernel_id
        self.running: tuple[str, ...] = tuple(running or ())


class KernelSpecNotFoundError(JupyterAgentError):
    """The server has no kernelspec of that name."""

    def __init__(self, name: str, available: Sequence[str]) -> None:
        super().__init__(
            f"The server has no kernel named {name!r}; it offers: {', '.join(available) or 'none'}"
        )
        self.name = name
        self.available: tuple[str, ...] = tuple(available)


class KernelUnavailableError(JupyterAgentError):
    """The kernel cannot be started, joined or replaced."""

    def __init__(self, kernel: str, reason: str) -> None:
        super().__init__(f"Kernel {kernel} cannot be used: {reason}")
        self.kernel = kernel
        self.reason = reason


class RunNotFoundError(JupyterAgentError):
    """No run of that id is kept: of finished ones the last are, unless they are very large."""

    def __init__(self, run_id: str, known: Sequence[str] = ()) -> None:
        near = f" (the latest: {', '.join(known)})" if known else ""
        super().__init__(f"There is no run {run_id!r}{near}; its outputs may be in its cell")
        self.run_id = run_id
        self.known: tuple[str, ...] = tuple(known)


class CellExecutionError(JupyterAgentError):
    """The code that was run did not end well (see `ExecutionResult.raise_for_status`)."""

    applied: Applied = "yes"

    def __init__(self, status: str, ename: str, evalue: str, traceback: str) -> None:
        detail = f"{ename}: {evalue}" if ename else f"the run ended as {status!r}"
        super().__init__(f"{detail}\n{traceback}" if traceback else detail)
        self.status = status
        self.ename = ename
        self.evalue = evalue
        self.traceback = traceback
