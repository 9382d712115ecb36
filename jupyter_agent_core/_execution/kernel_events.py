# SPDX-License-Identifier: BSD-3-Clause
"""What is done to a kernel, as the server's event bus (`jupyter_events`) tells it.

For servers that do not tell it on the kernel's own websocket.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .._backoff import is_transient, reconnect_delays
from .._errors import JupyterAgentError, KernelNotFoundError
from .._http.rest import JupyterRest
from .._http.websocket import closing_reason, open_websocket
from .._values import RunStatus

log = logging.getLogger(__name__)

CLOSE_TIMEOUT = 3.0
SCHEMA = "https://events.jupyter.org/jupyter_server/kernel_actions/v1"


async def follow_kernel(
    rest: JupyterRest,
    kernel_id: str,
    on_end: Callable[[RunStatus], Awaitable[None]],
    on_open: Callable[[], object] | None = None,
) -> None:
    """Report each end of the kernel's process as what it means for a run, until cancelled.

    Args:
        rest: The server.
        kernel_id: The kernel.
        on_end: Is told of each end.
        on_open: Is called whenever ends begin to be told; what was before is told by nobody.
    """
    delays = reconnect_delays()
    while True:
        try:
            async with _events(rest) as socket:
                delays = reconnect_delays()
                if on_open is not None:
                    on_open()
                while True:
                    event = json.loads(await socket.recv())
                    if _is_of(event, kernel_id):
                        await _tell(rest, kernel_id, event["action"], on_end)
        except ConnectionClosed as error:
            log.info("kernel %s: events ended: %s", kernel_id, closing_reason(error))
        except JupyterAgentError as error:
            log.info("kernel %s: no events: %s", kernel_id, error)
            if not is_transient(error):
                return
        await anyio.sleep(next(delays))


@asynccontextmanager
async def _events(rest: JupyterRest) -> AsyncIterator[ClientConnection]:
    """The websocket of events, which is closed even if who follows it is cancelled."""
    socket = await open_websocket(rest.websocket("api/events/subscribe"))
    try:
        yield socket
    finally:
        with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
            await socket.close()


def _is_of(event: Mapping[str, Any], kernel_id: str) -> bool:
    """Say whether something was done to the kernel, and not only tried."""
    done = (SCHEMA, kernel_id, "success")
    return (event.get("schema_id"), event.get("kernel_id"), event.get("status")) == done


async def _tell(
    rest: JupyterRest, kernel_id: str, action: str, on_end: Callable[[RunStatus], Awaitable[None]]
) -> None:
    if action == "shutdown":
        await on_end("kernel_gone")
    elif action == "restart":
        await on_end(await _who_restarted(rest, kernel_id))


async def _who_restarted(rest: JupyterRest, kernel_id: str) -> RunStatus:
    """Tell a restart that was asked for, which interrupts first, from that of a dead kernel.

    The state is that of the former process only for as long as the next one starts, so
    `kernel_died` is what is said in doubt: outputs of a run that was interrupted tell better.
    """
    try:
        kernel = await rest.kernel(kernel_id)
    except KernelNotFoundError:
        return "kernel_gone"
    return "kernel_restarted" if kernel.state == "idle" else "kernel_died"
