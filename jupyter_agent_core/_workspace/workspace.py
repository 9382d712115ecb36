# SPDX-License-Identifier: BSD-3-Clause
"""The workspace of one agent."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import TYPE_CHECKING, final

import anyio

from .._errors import JupyterAgentError
from .._handles.server import connections_of
from .cells import CellTools
from .connecting import ConnectTools
from .edits import EditTools
from .files import FileTools
from .kernels import KernelTools
from .notebooks import NotebookTools
from .options import WorkspaceOptions
from .runs import RunTools
from .state import State

if TYPE_CHECKING:
    from .._handles.server import Server

_log = logging.getLogger(__name__)

CLOSE_TIMEOUT = 10.0
# seconds between two looks at which notebooks are not used any more
IDLE_LOOK = 60.0


@final
class Workspace(
    FileTools, NotebookTools, CellTools, EditTools, RunTools, KernelTools, ConnectTools
):
    """The notebooks that one agent has in use, by name; its public methods are the tools.

    Leaving it lets go of all of them, whatever the reason; after that its tools raise
    `WorkspaceClosedError`. What cannot be reached any more is
    let go without an error, unless changes may be lost with it.

    Args:
        server: The server that they are on.
        options: What the tools may do; default: everything but to go to other servers.
    """

    def __init__(self, server: Server, options: WorkspaceOptions | None = None) -> None:
        super().__init__(State(server, options or WorkspaceOptions()))
        self._left = anyio.Event()

    @property
    def options(self) -> WorkspaceOptions:
        """What its tools may do."""
        return self._state.options

    async def __aenter__(self) -> Workspace:
        if self._state.options.idle_timeout is not None:
            connections_of(self._state.home).background.start_soon(self._release_idle)
        return self

    async def _release_idle(self) -> None:
        """Let go of notebooks that have not been used for long, until the workspace is left."""
        timeout = self._state.options.idle_timeout
        assert timeout is not None
        while not self._left.is_set():
            for name in self._state.idle_for(timeout):
                if name not in self._state.idle_for(timeout):
                    continue  # it was asked for while another one was let go
                try:
                    await self.unuse_notebook(name)
                except JupyterAgentError as error:
                    _log.warning("%r was not used for %g s: %s", name, timeout, error)
            with anyio.move_on_after(min(timeout, IDLE_LOOK)):
                await self._left.wait()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._left.set()
        self._state.closed = True
        errors: tuple[JupyterAgentError, ...] = ()
        with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
            errors = await self._state.release_all()
            await self._end_visit()
        for error in errors:
            if error.applied == "unknown":
                raise error
