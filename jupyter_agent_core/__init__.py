# SPDX-License-Identifier: BSD-3-Clause
"""A typed client for live Jupyter notebooks.

`connect` and `launch` give a `Server`; it opens a `Notebook`, whose `Cell`s are edited in
real time beside whoever else has it open, and run on its `Kernel`. The same names, blocking,
are in `jupyter_agent_core.sync`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._errors import (
        AuthenticationError,
        CellExecutionError,
        CellNotFoundError,
        CellTypeError,
        CollaborationUnavailableError,
        ConfigurationError,
        ConnectError,
        ConnectionLostError,
        ExtraNotInstalledError,
        JupyterAgentError,
        KernelNotFoundError,
        KernelSpecNotFoundError,
        KernelUnavailableError,
        NoRunningServerError,
        NotAJupyterServerError,
        NotANotebookError,
        NotebookClosedError,
        NotebookExistsError,
        NotebookNotFoundError,
        NotebookNotInUseError,
        NotSyncedError,
        RequestError,
        SaveError,
        ServerAlreadyRunningError,
        ServerStartError,
        ServerUnreachableError,
        VersionConflictError,
    )
    from ._handles.cell import Cell
    from ._handles.kernel import Kernel
    from ._handles.notebook import Notebook
    from ._handles.run import Run
    from ._handles.server import Server, connect, launch
    from ._values import (
        CellSnapshot,
        DisplayOutput,
        ErrorOutput,
        ExecuteResult,
        ExecutionResult,
        FileInfo,
        KernelInfo,
        KernelRelease,
        KernelSpec,
        ServerInfo,
        SessionInfo,
        StreamOutput,
    )
    from ._workspace.workspace import Workspace

__all__ = [
    "AuthenticationError",
    "Cell",
    "CellExecutionError",
    "CellNotFoundError",
    "CellSnapshot",
    "CellTypeError",
    "CollaborationUnavailableError",
    "ConfigurationError",
    "ConnectError",
    "ConnectionLostError",
    "DisplayOutput",
    "ErrorOutput",
    "ExecuteResult",
    "ExecutionResult",
    "ExtraNotInstalledError",
    "FileInfo",
    "JupyterAgentError",
    "Kernel",
    "KernelInfo",
    "KernelNotFoundError",
    "KernelRelease",
    "KernelSpec",
    "KernelSpecNotFoundError",
    "KernelUnavailableError",
    "NoRunningServerError",
    "NotAJupyterServerError",
    "NotANotebookError",
    "NotSyncedError",
    "Notebook",
    "NotebookClosedError",
    "NotebookExistsError",
    "NotebookNotFoundError",
    "NotebookNotInUseError",
    "RequestError",
    "Run",
    "SaveError",
    "Server",
    "ServerAlreadyRunningError",
    "ServerInfo",
    "ServerStartError",
    "ServerUnreachableError",
    "SessionInfo",
    "StreamOutput",
    "VersionConflictError",
    "Workspace",
    "connect",
    "launch",
]

_HANDLES = {
    "Cell": "._handles.cell",
    "Kernel": "._handles.kernel",
    "Notebook": "._handles.notebook",
    "Run": "._handles.run",
    "Server": "._handles.server",
    "Workspace": "._workspace.workspace",
    "connect": "._handles.server",
    "launch": "._handles.server",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _HANDLES.get(name)
    if module is None:
        module = "._errors" if name.endswith("Error") else "._values"
    value = globals()[name] = getattr(import_module(module, __name__), name)
    value.__module__ = __name__
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
