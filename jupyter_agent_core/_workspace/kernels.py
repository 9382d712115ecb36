# SPDX-License-Identifier: BSD-3-Clause
"""Tools that look at kernels and restart them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .._answers import (
    KernelInterrupted,
    KernelListing,
    KernelRestarted,
    VariableShown,
    VariablesListed,
)
from .._errors import CapabilityUnavailableError
from .arguments import NotebookName
from .registry import ToolHints, tool
from .state import Toolset

_LISTED_VARIABLES = 200


class KernelTools(Toolset):
    """Kernels of the server and of the notebooks in use."""

    @tool(ToolHints("List kernels", "kernel", read_only=True, idempotent=True))
    async def list_kernels(self) -> KernelListing:
        """List running kernels, with the notebook that each serves, and those to start."""
        state = self._state
        specs = await state.server.list_kernelspecs()
        try:
            kernels = await state.server.list_kernels()
        except CapabilityUnavailableError as error:
            return KernelListing((), specs, str(error))
        shown = tuple(k for k in kernels if k.path is None or state.options.has(k.path))
        return KernelListing(shown, specs)

    @tool(ToolHints("Restart notebook", "kernel", destructive=True))
    async def restart_notebook(
        self, notebook_name: Annotated[str, Meta(description="Name given in use_notebook.")]
    ) -> KernelRestarted:
        """Restart a notebook's kernel: its variables and imports are lost."""
        named = await self._state.named(notebook_name)
        await named.notebook.restart()
        return KernelRestarted(named.name, named.notebook.kernel.id or "")

    @tool(ToolHints("Interrupt kernel", "kernel", destructive=True))
    async def interrupt_kernel(self, notebook_name: NotebookName = None) -> KernelInterrupted:
        """Interrupt what runs in the notebook's kernel; says whether it stopped."""
        named = await self._state.named(notebook_name)
        return KernelInterrupted(named.name, await named.notebook.kernel.interrupt())

    @tool(ToolHints("List variables", "kernel", idempotent=True))
    async def list_variables(
        self,
        notebook_name: NotebookName = None,
        name: Annotated[
            str | None, Meta(description="Show this one instead, a table with its first rows.")
        ] = None,
    ) -> VariablesListed | VariableShown:
        """List the variables of the notebook's kernel, or look at one; no cell, no output."""
        named = await self._state.named(notebook_name)
        kernel = named.notebook.kernel
        if name is not None:
            return VariableShown(await kernel.get_variable(name))
        return VariablesListed(named.name, await kernel.list_variables(limit=_LISTED_VARIABLES))
