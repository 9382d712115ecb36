# SPDX-License-Identifier: BSD-3-Clause
"""Which kernel a notebook runs on: that of its session, or one that is started for it."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import attrs

from .._errors import ConfigurationError, JupyterAgentError, KernelUnavailableError
from .._values import KernelInfo, SessionInfo
from .connections import Connections
from .kernel import Kernel
from .kernel_release import leave

NEW = "NEW"


def is_new(kernel_id: str | None) -> bool:
    """Say whether it stands for a kernel that is to be started."""
    return kernel_id is not None and kernel_id.upper() == NEW


@attrs.define
class NotebookKernel:
    """Which kernel a notebook is to run on.

    The kernel of a notebook is that of its session, so that its human sees what runs.

    Args:
        connections: The server.
        path: Tells where the notebook is now; refuses if it has been closed.
        own_name: Reads the name of the kernelspec from the notebook's metadata.
        kernel_name: Name of the kernelspec that the caller wants.
        kernel_id: A running kernel that the caller wants, or `NEW` until there is a new one.
    """

    connections: Connections
    path: Callable[[], str]
    own_name: Callable[[], str | None]
    kernel_name: str | None = None
    kernel_id: str | None = None

    async def find(self) -> KernelInfo | None:
        """Find the kernel that the notebook runs on by now, if it has one.

        Raises:
            ConnectError
        """
        session = await self.connections.sessions.session(self.path())
        return session.kernel if session else None

    async def locate(self) -> KernelInfo:
        """Find the kernel, or start it.

        Raises:
            KernelNotFoundError, KernelSpecNotFoundError, KernelUnavailableError, ConnectError
        """
        async with self._lock():
            path = self.path()
            session = await self.connections.sessions.session(path)
            if session is not None:
                if self._is_wanted(session.kernel):
                    return session.kernel
                self._check_unused(session.kernel)
            return await self._change(path, session)

    def _lock(self) -> anyio.Lock:
        """Held while the notebook's session is looked for or changed."""
        return self.connections.session_locks.setdefault(self.path(), anyio.Lock())

    def _is_wanted(self, kernel: KernelInfo) -> bool:
        if self.kernel_id is not None:
            return kernel.id == self.kernel_id
        return self.kernel_name in (None, kernel.name)

    async def _change(self, path: str, session: SessionInfo | None) -> KernelInfo:
        """Give the session the kernel that is wanted; the server ends the one that it had."""
        rest = self.connections.kernels
        if self.kernel_id is not None and not is_new(self.kernel_id):
            wanted = await rest.kernel(self.kernel_id)
            return (await self._give(path, session, kernel_id=wanted.id)).kernel
        spec = await rest.kernelspec(
            self.kernel_name or (session.kernel.name if session else self.own_name())
        )
        # a caller who is cancelled meanwhile must not leave a kernel that nobody ends
        with anyio.CancelScope(shield=True):
            given = await self._give(path, session, kernel_name=spec.name)
            if given.kernel.connections <= 0:  # else another client was faster, and it is his
                self.connections.started_kernels[given.kernel.id] = given.id
            kernel = given.kernel if session else await self._first(path, given.kernel)
            self.kernel_id = None  # a new one is wanted once
        return kernel

    async def _first(self, path: str, given: KernelInfo) -> KernelInfo:
        """Leave a kernel that was just started if another client was there before it.

        The server looks for a session before it starts the kernel, and files it after that; so
        each sees those that came before its own.
        """
        first = await self.connections.sessions.session(path)
        if first is None or first.kernel.id == given.id or not self._is_wanted(first.kernel):
            return given
        await self.connections.end_kernel(given.id)
        return first.kernel

    async def _give(self, path: str, session: SessionInfo | None, **kernel: str) -> SessionInfo:
        sessions = self.connections.sessions
        if session is None:
            return await sessions.start_session(path, **kernel)
        return await sessions.change_session_kernel(session.id, **kernel)

    async def switch(self, kernel: Kernel, kernel_id: str | None, kernel_name: str | None) -> None:
        """Let the notebook run on another kernel; nothing has changed if that is refused.

        Raises:
            ConfigurationError: Neither is named.
            KernelNotFoundError, KernelSpecNotFoundError, ConnectError
            KernelUnavailableError: The present one is in use, or the other one did not start.
        """
        if kernel_id is None and kernel_name is None:
            raise ConfigurationError(
                "Name the kernel: pass kernel_id (NEW for a new one) or kernel_name",
                name="kernel_id",
            )
        rest = self.connections.kernels
        if kernel_id is not None and not is_new(kernel_id):
            await rest.kernel(kernel_id)
        if kernel_name is not None:
            await rest.kernelspec(kernel_name)
        async with self._lock():
            path = self.path()
            session = await self.connections.sessions.session(path)
            if session is not None and kernel_id == session.kernel.id:
                return
            if session is not None:
                ours = kernel._own_connections()
                is_idle = ours == 1 and kernel.state == "idle"
                self._check_unused(session.kernel, ours=ours, is_idle=is_idle)
            before = self.kernel_id, self.kernel_name
            self.kernel_id, self.kernel_name = kernel_id, kernel_name
            with anyio.CancelScope(shield=True):
                try:
                    info = await self._change(path, session)
                except JupyterAgentError:
                    self.kernel_id, self.kernel_name = before
                    raise
                left = await leave(kernel)
                kernel._info = info  # which is connected when it is next used
                if left.id is not None:
                    self.connections.started_kernels.pop(left.id, None)

    def _check_unused(self, kernel: KernelInfo, *, ours: int = 0, is_idle: bool = False) -> None:
        """Refuse to take a kernel away from others.

        Args:
            kernel: The kernel.
            ours: How many of its connections are ours.
            is_idle: It is known to run nothing, whatever the server has heard of it by now.

        Raises:
            KernelUnavailableError
        """
        if kernel.state == "busy" and not is_idle:
            raise KernelUnavailableError(
                kernel.id,
                "the notebook's session runs on it, and it runs somebody's code, which another "
                "kernel for the session would end: wait for its end, interrupt it, or shut it down",
            )
        others = kernel.connections - ours
        if others > 0 or self.connections.channels.is_awaited(kernel.id):
            whom = f"{others} connected client(s)" if others > 0 else "a call that waits for it"
            raise KernelUnavailableError(
                kernel.id,
                f"the notebook's session runs on it for {whom}, and giving the session another "
                "kernel would end it; use it, or let them go first",
            )
