# SPDX-License-Identifier: BSD-3-Clause
"""What is done to a kernel, as the server's event bus (`jupyter_events`) tells it.

For servers that do not tell it on the kernel's own websocket.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable

import anyio
from websockets.exceptions import ConnectionClosed

from .._backoff import is_transient, reconnect_delays
from .._errors import JupyterAgentError, KernelNotFoundError
from .._http.rest import JupyterRest
from .._http.websocket import closing_reason, open_websocket
from .._values import RunStatus

log = logging.getLogger(__name__)

SCHEMA = "https://events.jupyter.org/jupyter_server/kernel_actions/v1"


async def follow_kernel(
    rest: JupyterRest, kernel_id: str, on_end: Callable[[RunStatus], Awaitable[None]]
) -> None:
    """Report each end of the kernel's process as what it means for a run, until cancelled."""
    for delay in reconnect_delays():
        try:
            async with await open_websocket(rest.websocket("api/events/subscribe")) as socket:
                while True:
                    event = json.loads(await socket.recv())
                    if event.get("schema_id") != SCHEMA or event.get("kernel_id") != kernel_id:
                        continue
                    if event["action"] == "shutdown":
                        await on_end("kernel_gone")
                    elif event["action"] == "restart":
                        await on_end(await _who_restarted(rest, kernel_id))
        except ConnectionClosed as error:
            log.info("kernel %s: events ended: %s", kernel_id, closing_reason(error))
        except JupyterAgentError as error:
            log.info("kernel %s: no events: %s", kernel_id, error)
            if not is_transient(error):
                return
        await anyio.sleep(delay)


async def _who_restarted(rest: JupyterRest, kernel_id: str) -> RunStatus:
    """Tell a restart that was asked for, which waits for the kernel, from that of a dead one."""
    try:
        kernel = await rest.kernel(kernel_id)
    except KernelNotFoundError:
        return "kernel_gone"
    return "kernel_restarted" if kernel.state == "idle" else "kernel_died"
