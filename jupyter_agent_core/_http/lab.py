# SPDX-License-Identifier: BSD-3-Clause
"""The JupyterLab that a human has open: commands for it, through `jupyter-mcp-tools`."""

from __future__ import annotations

import anyio

from .._values import UiOpening
from .rest import JupyterRest
from .transport import json_object

PAGE_TIMEOUT = 10.0
"""Seconds that the page has to open a document; one in the background is slow."""
_OPEN = "docmanager_open"
"""What the extension makes of the name of JupyterLab's command `docmanager:open`."""


async def open_document(rest: JupyterRest, path: str) -> UiOpening:
    """Have JupyterLab open a document in a tab of its own, beside the one that is looked at.

    Where several pages are open, the extension chooses one.

    Args:
        rest: The server.
        path: The document, below the server's root.

    Raises:
        ConnectError
    """
    parameters = {"path": path, "options": {"activate": False}}
    with anyio.move_on_after(PAGE_TIMEOUT):
        response = await rest._send(
            "POST", "jupyter-mcp-tools/execute", json={"tool_id": _OPEN, "parameters": parameters}
        )
        answer = json_object(response)
        if response.status_code == 200 and answer.get("success"):
            return "opened"
        if "success" not in answer:
            return "unavailable"
        # it knows no command until a page has told it, and 503 says that the page has gone
        return "nobody" if response.status_code in (404, 503) else "failed"
    return "failed"
