# SPDX-License-Identifier: BSD-3-Clause
"""The live connections of one server, shared and counted.

However many handles look at a notebook or a kernel, there is one replica and one
websocket for each; the last handle to let go closes it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakSet, WeakValueDictionary

import anyio
import attrs
from anyio.abc import TaskGroup, TaskStatus

from .._errors import ConnectionLostError, KernelNotFoundError, KernelUnavailableError
from .._http.hub_server import UserServer
from .._http.own_sessions import OwnSessions
from .._http.rest import JupyterRest
from .._values import KernelInfo, Mode
from .run import RunLog

if TYPE_CHECKING:
    from .._document.provider import DocumentProvider
    from .._execution.channels import KernelChannels
    from .kernel import Kernel

T = TypeVar("T")
log = logging.getLogger(__name__)

# seconds after which a kernel of ours that has not answered is left for a new one, once
SILENCE = 20.0


@attrs.define(eq=False)
class _Shared(Generic[T]):
    """A thing and how many use it; no key if there is another one for it by now."""

    key: str | None
    thing: T
    users: int = 0


class Counted(Generic[T]):
    """Things by key, made when first asked for and dropped by the last who lets go.

    Args:
        make: Makes the thing for a key.
        is_dead: Says that a thing is of no use any more, so that a new one has to be made.
        close: Closes a thing that the others let go of while `is_for` looked at it.
        is_for: Says whether a thing is still the one for its key; default: until it is dead.
    """

    def __init__(
        self,
        make: Callable[[str], Awaitable[T]],
        is_dead: Callable[[T], bool],
        close: Callable[[T], Awaitable[None]],
        is_for: Callable[[T, str], Awaitable[bool]] | None = None,
    ) -> None:
        self._make = make
        self._is_dead = is_dead
        self._close = close
        self._is_for = is_for
        self._shared: list[_Shared[T]] = []
        #: held while the thing of a key is looked for or made; gone when nobody wants it
        self._locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()

    async def acquire(self, key: str) -> T:
        """Return the thing of the key and count one user more."""
        lock = self._locks.setdefault(key, anyio.Lock())
        async with lock:
            shared = next((shared for shared in self._shared if shared.key == key), None)
            if shared is None or not await self._joined(shared):
                shared = _Shared(key, await self._make(key), users=1)
                self._shared.append(shared)
            return shared.thing

    def is_awaited(self, key: str) -> bool:
        """Whether somebody waits for the thing of the key."""
        lock = self._locks.get(key)
        return lock is not None and lock.locked()

    def is_there(self, key: str) -> bool:
        """Whether somebody uses the thing of the key, and can."""
        return any(shared.key == key and not self._is_dead(shared.thing) for shared in self._shared)

    async def _joined(self, shared: _Shared[T]) -> bool:
        """Count one user more, unless the thing is not the one for its key any more."""
        shared.users += 1  # at once: it is not to go while it is looked at
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._leave, shared.thing)
            if not self._is_dead(shared.thing) and not await self._is_still_for(shared):
                shared.key = None
            if self._is_dead(shared.thing):
                self._shared = [other for other in self._shared if other is not shared]
            elif shared.key is not None:
                stack.pop_all()
                return True
        return False

    async def _is_still_for(self, shared: _Shared[T]) -> bool:
        return self._is_for is None or await self._is_for(shared.thing, str(shared.key))

    async def _leave(self, thing: T) -> None:
        if self.release(thing):
            await self._close(thing)

    def release(self, thing: T) -> bool:
        """Count one user less; True if it was the last one of this thing."""
        shared = next((shared for shared in self._shared if shared.thing is thing), None)
        if shared is None:
            return False
        shared.users -= 1
        if not shared.users:
            self._shared.remove(shared)
        return not shared.users

    @property
    def things(self) -> list[T]:
        """Everything that is there."""
        return [shared.thing for shared in self._shared]

    def users(self, thing: T) -> int:
        """Return how many users a thing has."""
        return next((shared.users for shared in self._shared if shared.thing is thing), 0)

    def take_all(self) -> list[T]:
        """Return everything that is still there, and forget it."""
        things = self.things
        self._shared.clear()
        return things


class Background:
    """Tasks that, once started, go on when the caller is cancelled; they end when told to.

    A caller who is cancelled still has to deliver over them what he has done.

    Args:
        group: Where the tasks live.
    """

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self._scopes: set[anyio.CancelScope] = set()
        self._is_over = False

    async def start(self, run: Callable[..., Awaitable[None]]) -> None:
        """Start a task and wait until it reports `started`."""
        await self._group.start(self._run_reporting, run)

    async def start_uncut(self, run: Callable[..., Awaitable[None]]) -> None:
        """Start a task and wait until it reports `started`, to which it comes without us, too.

        Raises:
            JupyterAgentError: It has failed before.
        """
        status = _Uncut()
        self.start_soon(partial(status.run, run))
        await status.wait()

    def start_soon(self, run: Callable[[], Awaitable[None]]) -> None:
        """Start a task."""
        self._group.start_soon(self._run, run)

    def cancel(self) -> None:
        """End all tasks."""
        self._is_over = True
        for scope in self._scopes:
            scope.cancel()

    async def _run_reporting(
        self, run: Callable[..., Awaitable[None]], *, task_status: TaskStatus[None]
    ) -> None:
        with anyio.CancelScope() as scope, self._known(scope):
            await run(task_status=_Shielding(scope, task_status))

    async def _run(self, run: Callable[[], Awaitable[None]]) -> None:
        with anyio.CancelScope(shield=True) as scope, self._known(scope):
            await run()

    @contextmanager
    def _known(self, scope: anyio.CancelScope) -> Iterator[None]:
        self._scopes.add(scope)
        if self._is_over:
            scope.cancel()
        try:
            yield
        finally:
            self._scopes.discard(scope)


class _Shielding(TaskStatus[None]):
    """Shields a task from the moment when it has started."""

    def __init__(self, scope: anyio.CancelScope, status: TaskStatus[None]) -> None:
        self._scope = scope
        self._status = status

    def started(self, value: None = None) -> None:
        self._scope.shield = True
        self._status.started(value)


class _Uncut(TaskStatus[None]):
    """Tells whether a task has started, to those who still want to know."""

    def __init__(self) -> None:
        self._settled = anyio.Event()
        self._failure: Exception | None = ConnectionLostError(
            "the server", "everything is being closed", applied="no"
        )

    def started(self, value: None = None) -> None:
        self._failure = None
        self._settled.set()

    async def run(self, run: Callable[..., Awaitable[None]]) -> None:
        try:
            await run(task_status=self)
        except Exception as error:
            if self._settled.is_set():
                raise
            log.info("failed for who waits for it: %r", error)
            self._failure = error
        finally:
            self._settled.set()

    async def wait(self) -> None:
        await self._settled.wait()
        if self._failure is not None:
            raise self._failure


class Connections:
    """What the handles of one server share.

    Args:
        rest: The server of the documents.
        mode: How its notebooks are kept in step.
        kernels: The server of the kernels, perhaps the same.
        kernel_mode: How that one would keep notebooks in step.
        hub: Where JupyterHub starts one of them, if it does.
        background: Where the connections' tasks live.
        username: The name under which collaborators see us.
    """

    def __init__(
        self,
        rest: JupyterRest,
        mode: Mode,
        kernels: JupyterRest,
        kernel_mode: Mode,
        hub: UserServer | None,
        background: Background,
        username: str,
    ) -> None:
        self.rest = rest
        self.mode: Mode = mode
        self.kernels = kernels
        self.kernel_mode: Mode = kernel_mode
        self.hub = hub
        #: which kernel serves which notebook
        self.sessions: JupyterRest | OwnSessions = (
            OwnSessions(kernels) if "sessions" in kernels.lacks else kernels
        )
        #: held while the session of a path is looked for or started
        self.session_locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()
        self.background = background
        self.username = username
        self.documents: Counted[DocumentProvider] = Counted(
            self._open_document,
            lambda provider: provider.lost is not None,
            lambda provider: provider.close(),
            lambda provider, path: provider.is_at(path),
        )
        self.channels: Counted[KernelChannels] = Counted(
            self._open_channels,
            lambda channels: channels.lost is not None,
            lambda channels: channels.close(),
        )
        #: all handles of kernels, also those whose connection has ended
        self.kernel_handles: WeakSet[Kernel] = WeakSet()
        self.runs: RunLog = RunLog()
        #: kernels that we started, each with its session if it has one
        self.started_kernels: dict[str, str | None] = {}
        #: kernels that the server runs code on for us, and may when we are gone
        self.detached_kernels: set[str] = set()
        #: connections whose callers were cancelled while they were made, by kernel
        self.abandoned: dict[str, list[KernelChannels]] = {}
        self._ending = anyio.Lock()
        #: kernels whose notebook others had open when we let go of it
        self.shared_kernels: set[str] = set()

    @property
    def runs_on_server(self) -> bool:
        """Whether the server runs the cells of its live documents itself."""
        return self.kernels is self.rest and self.mode == "server-documents"

    async def _open_document(self, path: str) -> DocumentProvider:
        self.rest.require("documents")
        provider = (await anyio.to_thread.run_sync(_provider_class, self.mode))(
            path, self.rest, self.username
        )
        await self.background.start(provider.run)
        return provider

    async def _open_channels(self, kernel_id: str) -> KernelChannels:
        channels_class = await anyio.to_thread.run_sync(_channels_class)
        contested = self.kernel_mode == "server-documents"
        channels = channels_class(self.kernels, kernel_id, contested=contested)
        if contested:  # that server counts none, and a late one would cut off the others
            await self.background.start(channels.run)
            return channels
        try:
            await self.background.start_uncut(channels.run)
        except anyio.get_cancelled_exc_class():
            self.abandoned[kernel_id] = [*self.abandoned_at(kernel_id), channels]
            await channels.abandon()
            raise
        return channels

    async def reach_kernel(
        self, find: Callable[[], Awaitable[KernelInfo]], *, may_start: bool
    ) -> KernelChannels:
        """Connect to the kernel that is to be used.

        One that we started, and that ends as it starts or says nothing, is left for a new one:
        another program may have taken one of its ports. The server tries again with the same ones,
        and does not see that ipykernel hangs if it is that of iopub.

        Args:
            find: Finds the kernel, or starts it.
            may_start: It starts one if there is none.

        Raises:
            KernelNotFoundError: It is gone.
            KernelUnavailableError: The new one ends, too.
            ConnectError
        """
        for patience in (SILENCE if may_start else None, None):
            kernel = await find()
            is_ours = kernel.id in self.started_kernels
            try:
                with anyio.move_on_after(patience if is_ours else None):
                    return await self.channels.acquire(kernel.id)
                await self._end_if_silent(kernel.id)
                if kernel.id in self.started_kernels:
                    return await self.channels.acquire(kernel.id)
            except KernelNotFoundError:
                if not is_ours:
                    raise
                self.started_kernels.pop(kernel.id, None)
        raise KernelUnavailableError(
            kernel.name,
            "its process ends as soon as it has started; the log of the Jupyter server says why, "
            "often that its environment lacks a package",
        )

    def abandoned_at(self, kernel_id: str) -> list[KernelChannels]:
        """Connections to a kernel that are still being made, though nobody waits for them."""
        abandoned = self.abandoned.get(kernel_id, ())
        return [channels for channels in abandoned if not channels.ended.is_set()]

    async def forget_kernels(self) -> None:
        """Close the connections to kernels whose server was stopped: none comes back."""
        for channels in self.channels.things:
            if channels.state == "reconnecting":
                await channels.close()

    async def _end_if_silent(self, kernel_id: str) -> None:
        """End a kernel that we started, unless it has answered somebody meanwhile."""
        async with self._ending:
            if kernel_id in self.started_kernels and not self.channels.is_there(kernel_id):
                kernel = await self.kernels.kernel(kernel_id)
                if kernel.state == "starting" and kernel.connections <= 0:
                    await self.end_kernel(kernel_id)

    def is_used(self, kernel_id: str) -> bool:
        """Whether a handle uses a kernel, even if its connection has ended, or waits for it."""
        is_open = self.channels.is_there(kernel_id) or self.channels.is_awaited(kernel_id)
        return is_open or any(kernel.id == kernel_id for kernel in self.kernel_handles)

    async def end_kernel(self, kernel_id: str) -> None:
        """End a kernel that we started, with its session. One that is gone is no error."""
        session_id = self.started_kernels.get(kernel_id)
        with suppress(KernelNotFoundError):
            if session_id is not None and await self._is_of_session(kernel_id, session_id):
                await self.sessions.end_session(session_id)
            else:
                await self.kernels.shut_down_kernel(kernel_id)
        self.started_kernels.pop(kernel_id, None)
        self.abandoned.pop(kernel_id, None)

    async def _is_of_session(self, kernel_id: str, session_id: str) -> bool:
        """Whether a session still has the kernel; others may have given it another one."""
        sessions = await self.sessions.sessions()
        return any(s.id == session_id and s.kernel.id == kernel_id for s in sessions)


def _provider_class(mode: Mode) -> Callable[[str, JupyterRest, str], DocumentProvider]:
    """Import what documents need; in a thread, as it takes a while."""
    from .._document.contents import ContentsFile
    from .._document.datalayer import DatalayerRoom
    from .._document.room import Room
    from .._document.server_documents import ServerDocumentsRoom

    providers = (ContentsFile, DatalayerRoom, ServerDocumentsRoom, Room)
    return next(provider for provider in providers if provider.mode == mode)


def _channels_class() -> type[KernelChannels]:
    """Import what kernels need; in a thread, as it takes a while."""
    from .._execution.channels import KernelChannels

    return KernelChannels
