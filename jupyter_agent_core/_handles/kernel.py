# SPDX-License-Identifier: BSD-3-Clause
"""A kernel: adopted or started when it is first needed, let go when nobody uses it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, final

import anyio
import attrs

from .._errors import KernelNotFoundError, KernelUnavailableError
from .._values import (
    CellSnapshot,
    ExecutionResult,
    KernelInfo,
    KernelRelease,
    OnTimeout,
    SessionInfo,
)
from .connections import Connections
from .run import Run, blocked_kernel, check_not_blocked, check_on_timeout, finish

if TYPE_CHECKING:
    from .._document.model import NotebookDocument
    from .._execution.channels import KernelChannels

NEW = "NEW"


@attrs.frozen
class NotebookKernel:
    """Which kernel a notebook is to run on.

    The kernel of a notebook is that of its session, so that its human sees what runs.

    Args:
        connections: The server.
        path: Tells where the notebook is now; refuses if it has been closed.
        own_name: Reads the name of the kernelspec from the notebook's metadata.
        kernel_name: Name of the kernelspec that the caller wants.
        kernel_id: A running kernel that the caller wants, or `NEW`.
    """

    connections: Connections
    path: Callable[[], str]
    own_name: Callable[[], str | None]
    kernel_name: str | None = None
    kernel_id: str | None = None

    async def locate(self) -> KernelInfo:
        """Find the kernel, or start it.

        Raises:
            KernelNotFoundError, KernelSpecNotFoundError, KernelUnavailableError, ConnectError
        """
        rest = self.connections.rest
        wants_new = self.kernel_id is not None and self.kernel_id.upper() == NEW
        path = self.path()
        session = await rest.session(path)
        if self.kernel_id is not None and not wants_new:
            kernel = await rest.kernel(self.kernel_id)
            if session is None:
                session = await rest.start_session(path, kernel_id=kernel.id)
            elif session.kernel.id != kernel.id:
                _check_unused(session.kernel)
                session = await rest.change_session_kernel(session.id, kernel_id=kernel.id)
            return session.kernel
        name = self.kernel_name or (session.kernel.name if session else self.own_name())
        if session is not None and not wants_new and session.kernel.name == name:
            return session.kernel
        spec = await rest.kernelspec(name)
        started: KernelInfo | None = None
        # a caller who is cancelled meanwhile must not leave a kernel that nobody ends
        with anyio.CancelScope(shield=True):
            started = await self._start(session, spec.name)
        assert started is not None
        return started

    async def _start(self, session: SessionInfo | None, name: str) -> KernelInfo:
        rest = self.connections.rest
        if session is None:
            session = await rest.start_session(self.path(), kernel_name=name)
        else:
            _check_unused(session.kernel)
            session = await rest.change_session_kernel(session.id, kernel_name=name)
        self.connections.started_kernels[session.kernel.id] = session.id
        return session.kernel


def _check_unused(kernel: KernelInfo) -> None:
    if kernel.connections:
        raise KernelUnavailableError(
            kernel.id,
            f"the notebook's session runs on it for {kernel.connections} connected client(s), "
            "and giving the session another kernel would end it; use it, or let them go first",
        )


@final
class Kernel:
    """A kernel; made by `Server.kernel`, `Server.start_kernel` and `Notebook.kernel`.

    Nothing is asked of the server before the first use.
    """

    def __init__(
        self, connections: Connections, locate: Callable[[], Awaitable[KernelInfo]]
    ) -> None:
        self._connections = connections
        self._locate = locate
        self._channels: KernelChannels | None = None
        self._info: KernelInfo | None = None
        self._lock = anyio.Lock()

    def __repr__(self) -> str:
        return f"<Kernel {self.id or 'not started'} {self.state}>"

    @property
    def id(self) -> str | None:
        """The kernel's id, None as long as it has not been used."""
        return self._info.id if self._info else None

    @property
    def name(self) -> str | None:
        """Name of its kernelspec, None as long as it has not been used."""
        return self._info.name if self._info else None

    @property
    def state(self) -> str:
        """What the kernel said last: `idle`, `busy`, `starting`, …, or `not connected`."""
        if self._channels is None or self._channels.lost is not None:
            return "not connected"
        return self._channels.state

    @property
    def started_here(self) -> bool:
        """True if this client started the kernel, so that it ends with us."""
        return self.id in self._connections.started_kernels

    async def connect(self) -> KernelInfo:
        """Adopt or start the kernel, if that has not been done.

        Returns:
            The kernel.

        Raises:
            KernelNotFoundError: There is no such kernel any more.
            KernelSpecNotFoundError: The server has no such kernelspec.
            KernelUnavailableError: It did not start.
        """
        await self._connected()
        assert self._info is not None
        return self._info

    async def _connected(self) -> KernelChannels:
        if self._channels is not None and self._channels.lost is None:
            return self._channels
        async with self._lock:
            if self._channels is None or self._channels.lost is not None:
                self._info = await self._found()
                self._channels = await self._connections.channels.acquire(self._info.id)
            return self._channels

    async def _found(self) -> KernelInfo:
        """The same kernel as before while it lives, else the one that is to be used."""
        if self._info is not None:
            try:
                return await self._connections.rest.kernel(self._info.id)
            except KernelNotFoundError:
                self._info = None
        return await self._locate()

    async def start(self, code: str, *, store_history: bool = True) -> Run:
        """Give code to the kernel and return without waiting for it.

        Args:
            code: What to run; magics and `!shell` work where the kernel has them.
            store_history: Let it count as an input of the kernel's history.

        Returns:
            The run.

        Raises:
            KernelNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
        """
        from .._execution.execution import Execution

        channels = await self._connected()
        execution = Execution(code, channels.displays, store_history=store_history)
        await channels.submit(execution)
        return Run(execution, channels, self._connections.rest)

    async def execute(
        self,
        code: str,
        *,
        timeout: float | None = None,
        on_timeout: OnTimeout = "keep_running",
        store_history: bool = True,
    ) -> ExecutionResult:
        """Run code and wait for its end.

        Args:
            code: What to run; magics and `!shell` work where the kernel has them.
            timeout: Seconds to wait, None to wait for the end.
            on_timeout: What happens to the code then: `"keep_running"` or `"interrupt"`.
            store_history: Let it count as an input of the kernel's history.

        Returns:
            The outcome; an exception in the code is one, and is not raised.

        Raises:
            KernelNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
        """
        check_on_timeout(on_timeout)
        await check_can_wait(self)
        run = await self.start(code, store_history=store_history)
        return await finish(run, timeout, on_timeout)

    async def interrupt(self) -> None:
        """Interrupt whatever the kernel runs, whoever started it.

        Raises:
            KernelNotFoundError, ConnectError
        """
        if self.id is not None:
            await self._connections.rest.interrupt_kernel(self.id)

    async def restart(self) -> None:
        """Restart the kernel: its memory is lost, runs end as `kernel_restarted`.

        Raises:
            KernelNotFoundError, KernelUnavailableError, ConnectError
        """
        info = await self.connect()
        await self._connections.rest.restart_kernel(info.id)

    async def shutdown(self) -> None:
        """End the kernel, whoever else uses it; the next use starts another one.

        Raises:
            ConnectError
        """
        if self.id is None:
            return
        kernel_id = self.id
        await self._let_go()
        if kernel_id in self._connections.started_kernels:
            await self._connections.end_kernel(kernel_id)
        else:
            await self._connections.rest.shut_down_kernel(kernel_id)

    async def info(self) -> KernelInfo:
        """Ask the server for the kernel's state.

        Raises:
            KernelNotFoundError, ConnectError
        """
        return await self._connections.rest.kernel((await self.connect()).id)

    async def _let_go(self) -> bool:
        """Forget the connection; True if nobody here uses it any more."""
        channels, self._channels = self._channels, None
        info, self._info = self._info, None
        if channels is None or info is None:
            return False
        last = self._connections.channels.release(channels)
        if last:
            await channels.close()
        return last


async def check_can_wait(kernel: Kernel) -> None:
    """Refuse to wait for the kernel that our caller's code runs in.

    Raises:
        KernelUnavailableError
    """
    if blocked_kernel.get() is not None:
        check_not_blocked((await kernel.connect()).id)


async def start_cell(kernel: Kernel, document: NotebookDocument, cell: CellSnapshot) -> Run:
    """Run a cell of the document; its outputs go into the document as they come."""
    from .._execution.execution import Execution
    from .._execution.recorder import Recorder

    channels = await kernel._connected()
    recorder = Recorder(document, cell.id, channels.displays)
    execution = Execution(cell.source, channels.displays, cell_id=cell.id, listener=recorder)
    await channels.submit(execution)
    kernel._connections.background.start_soon(recorder.run)
    return Run(execution, channels, kernel._connections.rest)


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
    return LeftKernel(kernel.id, await kernel._let_go())


async def end_if_ours(connections: Connections, left: LeftKernel) -> KernelRelease:
    """End a kernel if we started it and nobody else uses it.

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
        others = (await connections.rest.kernel(kernel_id)).connections
    except KernelNotFoundError:
        return KernelRelease(kernel_id, shut_down=True)
    if others > 0:
        reason = f"{others} other client(s) are connected to it"
        return KernelRelease(kernel_id, shut_down=False, reason=reason)
    await connections.end_kernel(kernel_id)
    return KernelRelease(kernel_id, shut_down=True)


async def release(kernel: Kernel) -> KernelRelease:
    """Let go of a kernel, and end it if we started it and nobody else uses it.

    Raises:
        ConnectError
    """
    return await end_if_ours(kernel._connections, await leave(kernel))
