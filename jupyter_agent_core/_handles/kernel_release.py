# SPDX-License-Identifier: BSD-3-Clause
"""Letting go of a kernel, and ending it if that is ours to do."""

from __future__ import annotations

import anyio
import attrs

from .._errors import KernelNotFoundError
from .._values import KernelInfo, KernelRelease
from .connections import Connections
from .kernel import Kernel

# seconds for a connection that was just being made, and that nobody wants any more
ENDED_WITHIN = 2.0


@attrs.frozen
class LeftKernel:
    """A kernel that a handle has let go of.

    Attributes:
        id: The kernel, None if none was ever used.
        unused: Nobody here uses it any more.
    """

    id: str | None
    unused: bool


async def leave(kernel: Kernel) -> LeftKernel:
    """Let go of a kernel; if nobody else here uses it, the runs on it end as `disconnected`."""
    kernel_id, unused = kernel.id, await kernel._let_go()
    if kernel_id is not None and kernel._provider is not None and kernel._provider.peers():
        kernel._connections.shared_kernels.add(kernel_id)
    return LeftKernel(kernel_id, unused)


async def end_if_ours(
    connections: Connections, left: LeftKernel, *, at_end: bool = False
) -> KernelRelease:
    """End a kernel if we started it and nobody else uses it.

    Args:
        connections: The server.
        left: The kernel.
        at_end: Whoever here uses it now ends, too.

    Raises:
        ConnectError
    """
    kernel_id = left.id
    if kernel_id is None:
        return KernelRelease(None, shut_down=False)
    if not left.unused:
        return KernelRelease(kernel_id, shut_down=False, reason="it is in use here")
    if kernel_id not in connections.started_kernels:
        return KernelRelease(kernel_id, shut_down=False, reason="it was not started here")
    try:
        kernel = await _counted(connections, kernel_id)
    except KernelNotFoundError:
        return KernelRelease(kernel_id, shut_down=True)
    others = kernel.connections
    if kernel_id in connections.detached_kernels and kernel.state == "busy":
        return KernelRelease(kernel_id, shut_down=False, reason="a detached run is at work on it")
    # that server does not count connections
    if connections.kernel_mode == "server-documents" and kernel_id in connections.shared_kernels:
        reason = "others have its notebook open"
        return KernelRelease(kernel_id, shut_down=False, reason=reason)
    if others > 0:
        reason = f"{others} other client(s) are connected to it"
        return KernelRelease(kernel_id, shut_down=False, reason=reason)
    if not at_end and connections.is_used(kernel_id):
        return KernelRelease(kernel_id, shut_down=False, reason="it is in use here again")
    await connections.end_kernel(kernel_id)
    return KernelRelease(kernel_id, shut_down=True)


async def _counted(connections: Connections, kernel_id: str) -> KernelInfo:
    """Look who is connected to a kernel, beside a call of ours that was cancelled meanwhile.

    The server counts connections from the moment when the kernel answers.
    """
    kernel = await connections.kernels.kernel(kernel_id)
    abandoned = connections.abandoned_at(kernel_id)
    if abandoned and kernel.state != "starting":
        with anyio.move_on_after(ENDED_WITHIN):
            for channels in abandoned:
                await channels.ended.wait()
        kernel = await connections.kernels.kernel(kernel_id)
    return kernel


async def release(kernel: Kernel) -> KernelRelease:
    """Let go of a kernel, and end it if we started it and nobody else uses it.

    Raises:
        ConnectError
    """
    await kernel._stop_connecting()
    return await end_if_ours(kernel._connections, await leave(kernel))
