# SPDX-License-Identifier: BSD-3-Clause
"""The MCP server on stdin and stdout."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterable
from importlib import metadata
from typing import Any

import anyio
import mcp.types as types
from anyio.streams.memory import MemoryObjectSendStream
from mcp.server import NotificationOptions, Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from jupyter_agent_core.rendering.content import Settings as RenderSettings

from .adapter import Adapter
from .connection import Connection
from .settings import Settings

CLOSE_TIMEOUT = 1.5
"""Seconds for letting go of what is open; by then all is sent, though not all answered."""

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
    send, receive = anyio.create_memory_object_stream[SessionMessage | Exception]()
    async with (
        connection.running(),
        stdio_server() as (read, write),
        anyio.create_task_group() as group,
    ):
        group.start_soon(_pass_on, read, send, connection)
        group.start_soon(_stop_on_signal, connection, group.cancel_scope)
        await server.run(
            receive, write, server.create_initialization_options(NotificationOptions())
        )
        await connection.close()
        group.cancel_scope.cancel()


async def _pass_on(
    messages: AsyncIterable[SessionMessage | Exception],
    send: MemoryObjectSendStream[SessionMessage | Exception],
    connection: Connection,
) -> None:
    """Hand over what comes on stdin, and see to it that the process ends after its end."""
    async with send:
        async for message in messages:
            await send.send(message)
    with anyio.move_on_after(CLOSE_TIMEOUT):
        await connection.close()
        # the end of the calls at work cancels this
        await anyio.sleep_forever()
    os._exit(0)


async def _stop_on_signal(connection: Connection, calls: anyio.CancelScope) -> None:
    """End the process when it is told to, after cleaning up."""
    told = anyio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # works on Windows, too, where asyncio has no signal handlers
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(told.set))
    await told.wait()
    calls.cancel()
    with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
        await connection.close()
    # not by leaving: the thread that reads stdin would be waited for
    os._exit(0)
