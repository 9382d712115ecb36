# SPDX-License-Identifier: BSD-3-Clause
"""How a kernel is made to stop, whoever has started what it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from .._values import KernelInterrupt
from .run import UNFINISHED, Run

if TYPE_CHECKING:
    from .._execution.channels import KernelChannels
    from .._http.rest import JupyterRest
    from .connections import Connections

# how often a kernel is looked at that does not tell us its state
LOOK_INTERVAL = 0.1


async def interrupt_heard(
    channels: KernelChannels, connections: Connections, timeout: float
) -> KernelInterrupt:
    """Interrupt a kernel that we listen to.

    Raises:
        KernelNotFoundError, ConnectError
    """
    kernel_id, requests, ours = channels.kernel_id, channels.requests, channels.current
    if ours is not None and not requests.others_at_work:
        code = ours.as_running
        result = await Run(ours, channels, connections.kernels).interrupt(timeout=timeout)
        return KernelInterrupt(kernel_id, code, stopped=result.status not in UNFINISHED)
    if not requests.others_at_work:  # as far as is known
        return await interrupt_unheard(connections.kernels, kernel_id, timeout)
    running, vacated = channels.running, requests.vacated
    await connections.kernels.interrupt_kernel(kernel_id)
    with anyio.move_on_after(timeout):
        await vacated.wait()
    return KernelInterrupt(kernel_id, running, stopped=vacated.is_set())


async def interrupt_unheard(rest: JupyterRest, kernel_id: str, timeout: float) -> KernelInterrupt:
    """Interrupt a kernel whose state only its server tells.

    Raises:
        KernelNotFoundError, ConnectError
    """
    await rest.interrupt_kernel(kernel_id)
    with anyio.move_on_after(timeout):
        while True:
            if (await rest.kernel(kernel_id)).state != "busy":
                return KernelInterrupt(kernel_id, None, stopped=True)
            await anyio.sleep(LOOK_INTERVAL)
    return KernelInterrupt(kernel_id, None, stopped=False)
