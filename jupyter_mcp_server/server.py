# SPDX-License-Identifier: BSD-3-Clause
"""The MCP server on stdin and stdout."""

from __future__ import annotations

import signal
from importlib import metadata
from typing import Any

import anyio
import mcp.types as types
from mcp.server import NotificationOptions, Server, ServerRequestContext
from mcp.server.stdio import stdio_server

from jupyter_agent_core.rendering.content import Settings as RenderSettings

from .adapter import Adapter
from .connection import Connection
from .settings import Settings

INSTRUCTIONS = """\
Live Jupyter notebooks: what you change appears at once for everybody who has them open.
Begin with use_notebook; list_notebooks shows what there is. The notebook used last is meant
where you give no notebook_name. Cells are named by cell_index or, safer while others edit, by
cell_id. An exception in the code is a normal answer. A run that outlives its timeout goes on,
and its outputs land in the notebook."""


def build(connection: Connection, settings: Settings) -> Server[Any]:
    """Make the MCP server for a connection."""
    adapter = Adapter(connection, RenderSettings(images=settings.images))

    async def list_tools(
        _: ServerRequestContext[Any], __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        # the client has got its first answer: Jupyter can be connected meanwhile
        connection.want()
        return types.ListToolsResult(tools=adapter.list_tools())

    async def call_tool(
        _: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        return await adapter.call_tool(params.name, params.arguments)

    return Server(
        "jupyter",
        title="Jupyter",
        version=metadata.version("jupyter-agent-core"),
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def serve_stdio(settings: Settings) -> None:
    """Serve until stdin ends or the process is told to stop; then clean up."""
    connection = Connection(settings)
    server = build(connection, settings)
    async with anyio.create_task_group() as group:
        group.start_soon(connection.run)
        group.start_soon(_stop_on_signal, group.cancel_scope)
        async with stdio_server() as (read, write):
            await server.run(
                read, write, server.create_initialization_options(NotificationOptions())
            )
        group.cancel_scope.cancel()


async def _stop_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()
