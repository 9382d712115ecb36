# SPDX-License-Identifier: BSD-3-Clause
"""The MCP server on stdin and stdout."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable

import anyio
from anyio.streams.memory import MemoryObjectSendStream
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from .connection import Connection
from .ending import CLOSE_TIMEOUT, end_on_signal
from .pages import Pages
from .server import build
from .settings import Settings


async def serve_stdio(settings: Settings) -> None:
    """Serve until stdin ends, nobody reads stdout or the process is told to stop; then clean up."""
    connection = Connection(settings)
    server = build(connection, settings, Pages())
    send, receive = anyio.create_memory_object_stream[SessionMessage | Exception]()
    async with (
        connection.running(),
        stdio_server() as (read, write),
        anyio.create_task_group() as group,
    ):
        group.start_soon(_pass_on, read, send, connection)
        group.start_soon(end_on_signal, connection, group.cancel_scope.cancel)
        try:
            await server.run(receive, write, server.create_initialization_options())
            await connection.close()
        except anyio.get_cancelled_exc_class():
            # told to end, or nobody reads the answers; what reads stdin cannot be waited for
            with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                await connection.close()
            os._exit(0)
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
