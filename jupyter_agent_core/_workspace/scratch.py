# SPDX-License-Identifier: BSD-3-Clause
"""A notebook to try things in, which leaves nothing behind."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from .._handles.notebook import Notebook
from .._handles.server import Server


@asynccontextmanager
async def scratch_notebook(server: Server, folder: str = "") -> AsyncIterator[Notebook]:
    """Create a notebook; at the end its kernel is ended and its file deleted.

    Args:
        server: Where.
        folder: In which folder.

    Raises:
        JupyterAgentError: It cannot be created, or deleted.
    """
    path = f"{folder}/scratch-{secrets.token_hex(4)}.ipynb".lstrip("/")
    notebook = await server.open_notebook(path, create=True)
    try:
        yield notebook
    finally:
        with anyio.CancelScope(shield=True):
            await notebook.close()
            await server._connections.rest.delete_file(path)
