# SPDX-License-Identifier: BSD-3-Clause
"""The workspace of one agent."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, final

from .cells import CellTools
from .files import FileTools
from .kernels import KernelTools
from .notebooks import NotebookTools
from .runs import RunTools
from .state import State

if TYPE_CHECKING:
    from .._handles.server import Server


@final
class Workspace(FileTools, NotebookTools, CellTools, RunTools, KernelTools):
    """The notebooks that one agent has in use, by name; its public methods are the tools.

    Leaving it lets go of all of them.

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
        for name in list(self._state.notebooks):
            await self.unuse_notebook(name)
