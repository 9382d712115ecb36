# SPDX-License-Identifier: BSD-3-Clause
"""What a workspace remembers: the notebooks in use by name, and which one is current."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
import attrs

from .._answers import NotebookInUse
from .._errors import (
    ConfigurationError,
    JupyterAgentError,
    NotebookNotInUseError,
    WorkspaceClosedError,
)
from .._handles.server import connections_of
from .._values import FileInfo
from .options import WorkspaceOptions
from .walking import find_files

if TYPE_CHECKING:
    from .._handles.connections import Connections
    from .._handles.notebook import Notebook
    from .._handles.server import Server

_log = logging.getLogger(__name__)

_LISTED_NOTEBOOKS = 10


@attrs.define
class Named:
    """A notebook under the name that the agent gave it.

    Attributes:
        name: The name.
        notebook: The notebook.
        used_at: When a tool was last called for it, on the clock of the event loop.
        kernel_id: The kernel that it ran on when a tool last told of it.
    """

    name: str
    notebook: Notebook
    used_at: float = attrs.field(factory=anyio.current_time)
    kernel_id: str | None = None

    def changed_kernel(self) -> bool:
        """Whether it runs on another kernel than was told."""
        before, self.kernel_id = self.kernel_id, self.notebook.kernel.id
        return before not in (None, self.kernel_id)


class State:
    """The notebooks in use of one agent.

    Args:
        server: The server that they are on.
        options: What the agent may do.
    """

    def __init__(self, server: Server, options: WorkspaceOptions) -> None:
        self.home: Server = server
        #: the server of `connect_to_jupyter`, if that has been called
        self.visited: Server | None = None
        self.closed: bool = False
        self.options = options
        #: by name, the one used last at the end
        self.notebooks: dict[str, Named] = {}
        self.current: str | None = None
        #: held while a name is given to a notebook
        self.naming: anyio.Lock = anyio.Lock()

    @property
    def connections(self) -> Connections:
        """What the handles of the server share."""
        return connections_of(self.server)

    @property
    def server(self) -> Server:
        """The server that the tools act on.

        Raises:
            WorkspaceClosedError
        """
        self.check_open()
        return self.visited or self.home

    def check_open(self) -> None:
        """Refuse what comes too late.

        Raises:
            WorkspaceClosedError: The workspace has been left.
        """
        if self.closed:
            raise WorkspaceClosedError

    async def named(self, name: str | None) -> Named:
        """Return the notebook of that name, or the current one.

        Raises:
            NotebookNotInUseError: With the names in use, and the notebooks that exist.
            CapabilityUnavailableError: There can be none.
            WorkspaceClosedError
        """
        wanted = name or self.current
        if wanted is not None and wanted in self.notebooks:
            named = self.notebooks[wanted]
            named.used_at = anyio.current_time()
            return named
        if name is None and self.notebooks and not self.options.keeps_current:
            raise ConfigurationError(
                "Name the notebook: this connection has no session that could remember the one "
                f"used last, so pass notebook_name. In use: {', '.join(self.notebooks)}",
                name="notebook_name",
            )
        rest = self.connections.rest
        rest.require("documents")
        files: list[FileInfo] = []
        if "files" not in rest.lacks:
            files, _, _ = await find_files(
                self.server, self.options.root, max_depth=3, enough=_LISTED_NOTEBOOKS
            )
        existing = [file.path for file in files if file.type == "notebook"]
        raise NotebookNotInUseError(name, list(self.notebooks), existing[:_LISTED_NOTEBOOKS])

    def use(self, named: Named) -> None:
        """Make a notebook the current one."""
        self.notebooks.pop(named.name, None)
        self.notebooks[named.name] = named
        named.used_at = anyio.current_time()
        if self.options.keeps_current:
            self.current = named.name

    async def release_all(self) -> tuple[JupyterAgentError, ...]:
        """Let go of all notebooks, and return what went wrong."""
        errors: list[JupyterAgentError] = []
        self.current = None

        async def close(named: Named) -> None:
            try:
                await named.notebook.close()
            except JupyterAgentError as error:
                errors.append(error)

        async with anyio.create_task_group() as group:
            for name in tuple(self.notebooks):
                group.start_soon(close, self.notebooks.pop(name))
        return tuple(errors)

    def idle_for(self, seconds: float) -> list[str]:
        """Return the names of notebooks that nobody has asked for since, and where nothing runs."""
        since = anyio.current_time() - seconds
        return [
            name
            for name, named in self.notebooks.items()
            if named.used_at < since and not self._is_at_work(named)
        ]

    def _is_at_work(self, named: Named) -> bool:
        kernel = named.notebook.kernel
        runs = self.connections.runs
        return kernel.state == "busy" or (kernel.id is not None and runs.are_on(kernel.id))

    async def has_file(self, notebook: Notebook) -> bool:
        """Say whether there is a file for a notebook; what nobody can tell is not doubted."""
        rest = self.connections.rest
        if "files" in rest.lacks:
            return True
        try:
            return await rest.notebook_exists(notebook.path)
        except JupyterAgentError as error:
            _log.info("%s: its file could not be looked for: %s", notebook.path, error)
            return True

    def in_use(self, named: Named, *, has_file: bool = True) -> NotebookInUse:
        """Describe a notebook in use."""
        kernel = named.notebook.kernel
        return NotebookInUse(
            name=named.name,
            path=named.notebook.path,
            mode=named.notebook.mode,
            kernel_id=kernel.id,
            kernel_state=kernel.state,
            current=named.name == self.current,
            has_file=has_file,
        )

    async def check_kernel(self, kernel_id: str) -> None:
        """Refuse a kernel that serves a notebook outside of the folder that is served.

        Raises:
            ConfigurationError
        """
        if not self.options.root:
            return
        paths = {kernel.id: kernel.path for kernel in await self.server.list_kernels()}
        if (path := paths.get(kernel_id)) is not None and not self.options.has(path):
            raise ConfigurationError(
                f"Kernel {kernel_id} serves a notebook outside of {self.options.root!r}, the "
                "folder that is served: use another one, list_kernels shows them",
                name="kernel_id",
                value=kernel_id,
            )


class Toolset:
    """A group of tools over one state."""

    def __init__(self, state: State) -> None:
        self._state = state
