# SPDX-License-Identifier: BSD-3-Clause
"""The websocket to a kernel, which a server opens when the kernel answers."""

from __future__ import annotations

import logging

import anyio
from websockets.asyncio.client import ClientConnection

from .._backoff import reconnect_delays
from .._errors import JupyterAgentError, KernelNotFoundError, RequestError
from .._http.rest import KERNEL_START_TIMEOUT, JupyterRest
from .._http.websocket import open_websocket
from .wire import SUBPROTOCOL

log = logging.getLogger(__name__)

# how often a kernel is looked for that has not answered yet
LOOK_INTERVAL = 2.0


async def open_kernel(rest: JupyterRest, kernel_id: str, session: str) -> ClientConnection:
    """Open the websocket to a kernel.

    A kernel that ends as it starts is started again some times, and then given up; the server
    waits for its answer all the same (`kernel_info_timeout`, a minute).

    Args:
        rest: The server.
        kernel_id: The kernel.
        session: The session of our messages.

    Raises:
        KernelNotFoundError: There is no such kernel, or no more.
        ConnectError
    """
    failure: JupyterAgentError | None = None
    async with anyio.create_task_group() as group:

        async def look() -> None:
            nonlocal failure
            failure = await _until_gone(rest, kernel_id)
            group.cancel_scope.cancel()

        group.start_soon(look)
        try:
            return await _open(rest, kernel_id, session)
        except JupyterAgentError as error:
            failure = error
        finally:
            group.cancel_scope.cancel()
    assert failure is not None
    if isinstance(failure, RequestError):  # its status may be 404 or 500 if the kernel is gone
        await rest.kernel(kernel_id)
    raise failure


async def _open(rest: JupyterRest, kernel_id: str, session: str) -> ClientConnection:
    """Open the websocket, again where a proxy has less patience than a kernel needs to start."""
    address = rest.websocket(f"api/kernels/{kernel_id}/channels", session_id=session)
    deadline = anyio.current_time() + KERNEL_START_TIMEOUT
    delays, left = reconnect_delays(), KERNEL_START_TIMEOUT
    while True:
        try:
            return await open_websocket(address, subprotocols=[SUBPROTOCOL], timeout=left)
        except RequestError as error:
            left = deadline - anyio.current_time()
            if error.status != 504 or left <= 0:
                raise
        log.info("kernel %s: not answered in the time of a proxy", kernel_id)
        await rest.kernel(kernel_id)  # before it answers, its count tells of what was cut
        await anyio.sleep(next(delays))


async def _until_gone(rest: JupyterRest, kernel_id: str) -> KernelNotFoundError:
    while True:
        await anyio.sleep(LOOK_INTERVAL)
        try:
            await rest.kernel(kernel_id)
        except KernelNotFoundError as error:
            return error
        except JupyterAgentError as error:
            log.info("kernel %s: not known whether it is there: %s", kernel_id, error)
