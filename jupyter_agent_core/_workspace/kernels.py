# SPDX-License-Identifier: BSD-3-Clause
"""Tools that look at kernels and restart them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .._answers import KernelListing, KernelRestarted
from .registry import ToolHints, tool
from .state import Toolset


class KernelTools(Toolset):
    """Kernels of the server and of the notebooks in use."""

    @tool(ToolHints("List kernels", "kernel", read_only=True, idempotent=True))
    async def list_kernels(self) -> KernelListing:
        """List running kernels, with the notebook that each serves, and those to start."""
        server = self._state.server
        return KernelListing(await server.list_kernels(), await server.list_kernelspecs())

    @tool(ToolHints("Restart notebook", "kernel", destructive=True))
    async def restart_notebook(
        self, notebook_name: Annotated[str, Meta(description="Name given in use_notebook.")]
    ) -> KernelRestarted:
        """Restart a notebook's kernel: its variables and imports are lost."""
        named = await self._state.named(notebook_name)
        await named.notebook.restart()
        return KernelRestarted(named.name, named.notebook.kernel.id or "")
