# SPDX-License-Identifier: BSD-3-Clause
"""Notebooks to try things in, which leave nothing behind."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio

from .._handles.notebook import Notebook
from .._handles.server import Server, connections_of


@asynccontextmanager
async def scratch_notebook(server: Server) -> AsyncIterator[Notebook]:
    """Create a notebook; at the end its kernel is ended and its file deleted.

    Raises:
        JupyterAgentError: It cannot be created, or deleted.
    """
    path = f"scratch-{secrets.token_hex(4)}.ipynb"
    notebook = await server.open_notebook(path, create=True)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(delete_notebook, server, path)
        try:
            yield notebook
        finally:
            with anyio.CancelScope(shield=True):
                await notebook.close()


async def delete_notebook(server: Server, path: str) -> None:
    """Delete a notebook's file, though the caller is cancelled.

    Raises:
        JupyterAgentError
    """
    with anyio.CancelScope(shield=True):
        await connections_of(server).rest.delete_file(path)
