# SPDX-License-Identifier: BSD-3-Clause
"""Everything this library raises, in one tree.

JupyterAgentError
├── ConfigurationError              an argument or a setting that cannot work
│   └── ExtraNotInstalledError      an optional dependency is missing
├── ConnectError                    the server could not be reached or used at all
│   ├── ServerUnreachableError
│   ├── NotAJupyterServerError
│   ├── AuthenticationError
│   ├── NoRunningServerError        discovery found nothing
│   ├── ServerAlreadyRunningError   a private server would be a second writer
│   └── ServerStartError            the private server did not start
├── RequestError                    the server refused one request
├── CollaborationUnavailableError   the server has no live documents
├── NotebookNotFoundError
├── NotebookExistsError
├── NotANotebookError
├── NotebookNotInUseError           a name that no notebook is known by
├── NotebookClosedError
├── CellNotFoundError
├── CellTypeError                   the operation does not fit the type of the cell
├── VersionConflictError            the cell is not what the caller has read
├── NotSyncedError                  the live document never arrived
├── ConnectionLostError             the connection ended; `applied` says what became of the edit
├── SaveError                       the server did not confirm that the file is on disk
├── KernelNotFoundError
├── KernelSpecNotFoundError
├── KernelUnavailableError          a kernel that cannot be started, joined or replaced
└── CellExecutionError              `ExecutionResult.raise_for_status`: the code failed

What the user's code did (an exception, an interrupt, a dead kernel) is not an
error of ours: it is the status of an `ExecutionResult`.

Annotations are not postponed here: they are to be resolved from the public module, too.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

Applied = Literal["no", "yes", "unknown"]


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


class ConnectError(JupyterAgentError):
    """A Jupyter server could not be reached or used at all."""


class ServerUnreachableError(ConnectError):
    """Nothing answers at the URL."""

    retryable = True

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"No Jupyter server answers at {url} ({reason}): check that it runs and that the URL "
            "is right"
        )
        self.url = url
        self.reason = reason


class NotAJupyterServerError(ConnectError):
    """Something answers at the URL, but not a Jupyter server."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"{url} is not the base URL of a Jupyter server ({reason}): "
            "it is the part before /lab or /tree in the browser"
        )
        self.url = url
        self.reason = reason


class AuthenticationError(ConnectError):
    """The server does not accept the credentials."""

    def __init__(self, url: str, status: int, *, with_token: bool) -> None:
        what = "does not accept the token" if with_token else "wants a token, and none was given"
        super().__init__(
            f"{url} {what} (HTTP {status}): `jupyter server list` shows the token of a running "
            "server; pass it as token=… or in JUPYTER_TOKEN"
        )
        self.url = url
        self.status = status


class NoRunningServerError(ConnectError):
    """No running server holds the folder."""

    retryable = True

    def __init__(self, folder: str, considered: Sequence[str] = ()) -> None:
        seen = "; ".join(considered) if considered else "no running server was found"
        super().__init__(
            f"No running Jupyter server holds {folder} ({seen}): start one there, "
            "pass its URL, or use jupyter_agent_core.launch()"
        )
        self.folder = folder
        self.considered: tuple[str, ...] = tuple(considered)


class ServerAlreadyRunningError(ConnectError):
    """A running server already holds the folder; a second one would write to the same files."""

    def __init__(self, folder: str, url: str) -> None:
        super().__init__(
            f"A Jupyter server at {url} already holds {folder}, and two servers would overwrite "
            'each other\'s edits: join it with connect("auto")'
        )
        self.folder = folder
        self.url = url


class ServerStartError(ConnectError):
    """The private server did not start."""

    def __init__(self, reason: str, log: str = "") -> None:
        tail = f"\n{log}" if log else ""
        super().__init__(f"The private Jupyter server did not start: {reason}{tail}")
        self.reason = reason
        self.log = log


class RequestError(JupyterAgentError):
    """The server refused one request."""

    def __init__(self, method: str, path: str, status: int, reason: str) -> None:
        super().__init__(f"{method} {path} was refused with HTTP {status}: {reason}")
        self.method = method
        self.path = path
        self.status = status
        self.reason = reason


class CollaborationUnavailableError(JupyterAgentError):
    """The server offers no live documents."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"The server at {url} has no live documents: install jupyter-collaboration "
            "in its environment and restart it"
        )
        self.url = url


class NotebookNotFoundError(JupyterAgentError):
    """There is no notebook at the path."""

    def __init__(self, path: str, existing: Sequence[str] = ()) -> None:
        near = f" (in its folder: {', '.join(existing)})" if existing else ""
        super().__init__(f"There is no notebook at {path!r}{near}: check the path, or create it")
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
            "no": "the change was not applied",
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

    def __init__(self, kernel_id: str, running: Sequence[str] = ()) -> None:
        known = ", ".join(running) if running else "none"
        super().__init__(f"There is no running kernel {kernel_id!r} (running: {known})")
        self.kernel_id = kernel_id
        self.running: tuple[str, ...] = tuple(running)


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
