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
    from ._connect_errors import (
        AuthenticationError,
        ConnectError,
        CredentialsUnavailableError,
        HostRefusedError,
        NoRunningServerError,
        NotAJupyterServerError,
        ProxyError,
        ServerAlreadyRunningError,
        ServerMovedError,
        ServerStartError,
        ServerStoppedError,
        ServerUnreachableError,
        TLSError,
    )
    from ._errors import (
        BatchOpenError,
        CapabilityUnavailableError,
        CellExecutionError,
        CellNotFoundError,
        CellTypeError,
        CollaborationUnavailableError,
        CollaboratorTypingError,
        ConfigurationError,
        ConnectionLostError,
        ExtraNotInstalledError,
        JupyterAgentError,
        KernelNotFoundError,
        KernelSpecNotFoundError,
        KernelUnavailableError,
        NotANotebookError,
        NotebookClosedError,
        NotebookConflictError,
        NotebookExistsError,
        NotebookNotFoundError,
        NotebookNotInUseError,
        NotSyncedError,
        RequestError,
        RunNotFoundError,
        SaveError,
        SourceMatchError,
        UndoConflictError,
        VersionConflictError,
        WorkspaceClosedError,
    )
    from ._handles.batch import Batch
    from ._handles.cell import Cell
    from ._handles.connecting import connect, launch
    from ._handles.kernel import Kernel
    from ._handles.notebook import Notebook
    from ._handles.run import Run
    from ._handles.server import Server
    from ._http.auth import Auth, TokenFile
    from ._http.discovery import find_servers
    from ._http.login import Password
    from ._hub_errors import (
        HubLimitError,
        HubPermissionError,
        HubSpawnError,
        HubSpawnTimeoutError,
        HubUserNotFoundError,
        NotAJupyterHubError,
    )
    from ._hub_values import HubServer, StartProgress
    from ._introspection import (
        Completions,
        Inspection,
        KernelFacts,
        Variable,
        VariableListing,
        VariableValue,
    )
    from ._kernel_errors import (
        KernelBusyError,
        KernelTimeoutError,
        LanguageNotSupportedError,
        VariableNotFoundError,
    )
    from ._values import (
        CellSnapshot,
        Change,
        Changes,
        ConnectionChange,
        DisplayOutput,
        ErrorOutput,
        ExecuteResult,
        ExecutionResult,
        FileInfo,
        FoundServer,
        InputRequest,
        KernelActivity,
        KernelInfo,
        KernelInterrupt,
        KernelRelease,
        KernelSpec,
        RunningCode,
        ServerInfo,
        SessionInfo,
        StreamOutput,
    )
    from ._workspace.options import WorkspaceOptions
    from ._workspace.workspace import Workspace

__all__ = [
    "Auth",
    "AuthenticationError",
    "Batch",
    "BatchOpenError",
    "CapabilityUnavailableError",
    "Cell",
    "CellExecutionError",
    "CellNotFoundError",
    "CellSnapshot",
    "CellTypeError",
    "Change",
    "Changes",
    "CollaborationUnavailableError",
    "CollaboratorTypingError",
    "Completions",
    "ConfigurationError",
    "ConnectError",
    "ConnectionChange",
    "ConnectionLostError",
    "CredentialsUnavailableError",
    "DisplayOutput",
    "ErrorOutput",
    "ExecuteResult",
    "ExecutionResult",
    "ExtraNotInstalledError",
    "FileInfo",
    "FoundServer",
    "HostRefusedError",
    "HubLimitError",
    "HubPermissionError",
    "HubServer",
    "HubSpawnError",
    "HubSpawnTimeoutError",
    "HubUserNotFoundError",
    "InputRequest",
    "Inspection",
    "JupyterAgentError",
    "Kernel",
    "KernelActivity",
    "KernelBusyError",
    "KernelFacts",
    "KernelInfo",
    "KernelInterrupt",
    "KernelNotFoundError",
    "KernelRelease",
    "KernelSpec",
    "KernelSpecNotFoundError",
    "KernelTimeoutError",
    "KernelUnavailableError",
    "LanguageNotSupportedError",
    "NoRunningServerError",
    "NotAJupyterHubError",
    "NotAJupyterServerError",
    "NotANotebookError",
    "NotSyncedError",
    "Notebook",
    "NotebookClosedError",
    "NotebookConflictError",
    "NotebookExistsError",
    "NotebookNotFoundError",
    "NotebookNotInUseError",
    "Password",
    "ProxyError",
    "RequestError",
    "Run",
    "RunNotFoundError",
    "RunningCode",
    "SaveError",
    "Server",
    "ServerAlreadyRunningError",
    "ServerInfo",
    "ServerMovedError",
    "ServerStartError",
    "ServerStoppedError",
    "ServerUnreachableError",
    "SessionInfo",
    "SourceMatchError",
    "StartProgress",
    "StreamOutput",
    "TLSError",
    "TokenFile",
    "UndoConflictError",
    "Variable",
    "VariableListing",
    "VariableNotFoundError",
    "VariableValue",
    "VersionConflictError",
    "Workspace",
    "WorkspaceClosedError",
    "WorkspaceOptions",
    "connect",
    "find_servers",
    "launch",
]

# all others are in `_errors` and `_values`
_PLACES = {
    "Auth": "._http.auth",
    "Batch": "._handles.batch",
    "Cell": "._handles.cell",
    "Kernel": "._handles.kernel",
    "Notebook": "._handles.notebook",
    "Password": "._http.login",
    "Run": "._handles.run",
    "Server": "._handles.server",
    "TokenFile": "._http.auth",
    "Workspace": "._workspace.workspace",
    "WorkspaceOptions": "._workspace.options",
    **dict.fromkeys(
        (
            "Completions",
            "Inspection",
            "KernelFacts",
            "Variable",
            "VariableListing",
            "VariableValue",
        ),
        "._introspection",
    ),
    **dict.fromkeys(
        (
            "AuthenticationError",
            "ConnectError",
            "CredentialsUnavailableError",
            "HostRefusedError",
            "NoRunningServerError",
            "NotAJupyterServerError",
            "ProxyError",
            "ServerAlreadyRunningError",
            "ServerMovedError",
            "ServerStartError",
            "ServerStoppedError",
            "ServerUnreachableError",
            "TLSError",
        ),
        "._connect_errors",
    ),
    **dict.fromkeys(
        (
            "KernelBusyError",
            "KernelTimeoutError",
            "LanguageNotSupportedError",
            "VariableNotFoundError",
        ),
        "._kernel_errors",
    ),
    **dict.fromkeys(
        (
            "HubLimitError",
            "HubPermissionError",
            "HubSpawnError",
            "HubSpawnTimeoutError",
            "HubUserNotFoundError",
            "NotAJupyterHubError",
        ),
        "._hub_errors",
    ),
    "HubServer": "._hub_values",
    "StartProgress": "._hub_values",
    "connect": "._handles.connecting",
    "find_servers": "._http.discovery",
    "launch": "._handles.connecting",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _PLACES.get(name)
    if module is None:
        module = "._errors" if name.endswith("Error") else "._values"
    value = globals()[name] = getattr(import_module(module, __name__), name)
    value.__module__ = __name__
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
