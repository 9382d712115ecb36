# SPDX-License-Identifier: BSD-3-Clause
"""The workspace of one agent."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, final

import anyio

from .._errors import JupyterAgentError
from .cells import CellTools
from .files import FileTools
from .kernels import KernelTools
from .notebooks import NotebookTools
from .runs import RunTools
from .state import State

if TYPE_CHECKING:
    from .._handles.server import Server

CLOSE_TIMEOUT = 10.0


@final
class Workspace(FileTools, NotebookTools, CellTools, RunTools, KernelTools):
    """The notebooks that one agent has in use, by name; its public methods are the tools.

    Leaving it lets go of all of them, whatever the reason. What cannot be reached any more is
    let go without an error, unless changes may be lost with it.

    Args:
        server: The server that they are on.
    """

    def __init__(self, server: Server) -> None:
        super().__init__(State(server))

    async def __aenter__(self) -> Workspace:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        errors: list[JupyterAgentError] = []

        async def let_go(name: str) -> None:
            try:
                await self.unuse_notebook(name)
            except JupyterAgentError as error:
                errors.append(error)

        with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
            async with anyio.create_task_group() as group:
                for name in self._state.notebooks:
                    group.start_soon(let_go, name)
        for error in errors:
            if error.applied == "unknown":
                raise error
