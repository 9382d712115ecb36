# SPDX-License-Identifier: BSD-3-Clause
"""Serving HTTP: as long as the process lives, or for a moment on this machine only."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import anyio
import uvicorn
from starlette.types import ASGIApp

from .ending import CLOSE_TIMEOUT

LOOPBACK = "127.0.0.1"
THIS_MACHINE = (LOOPBACK, "localhost", "[::1]")
"""Names under which a machine asks itself."""


class HttpServer(uvicorn.Server):
    """Writes no log of requests, and leaves signals to us.

    Args:
        app: What it serves.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                ws="none",
                log_config=None,
                access_log=False,
                log_level=logging.ERROR,
                server_header=False,
                timeout_graceful_shutdown=int(CLOSE_TIMEOUT),
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Change nothing of how they are handled."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Raises:
        OSError: It cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    # accepted sockets inherit it; asyncio sets it only where the protocol is named, and without it
    # each answer in pieces waits 40 ms for an acknowledgement
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


@asynccontextmanager
async def on_loopback(app: ASGIApp) -> AsyncIterator[str]:
    """Serve on a free port of this machine within the block, and say where."""
    with listen(LOOPBACK, 0) as listener:
        http = HttpServer(app)

        async def serve() -> None:
            with anyio.CancelScope(shield=True):  # it ends by itself, with what it has accepted
                await http.serve(sockets=[listener])

        async with anyio.create_task_group() as group:
            group.start_soon(serve)
            try:
                yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
            finally:
                http.should_exit = True
