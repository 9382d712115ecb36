# SPDX-License-Identifier: BSD-3-Clause
"""The live connections of one server, shared and counted.

However many handles look at a notebook or a kernel, there is one replica and one
websocket for each; the last handle to let go closes it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio
import attrs
from anyio.abc import TaskGroup, TaskStatus

from .._http.hub_server import UserServer
from .._http.own_sessions import OwnSessions
from .._http.rest import JupyterRest
from .._values import Mode
from .run import RunLog

if TYPE_CHECKING:
    from .._document.provider import DocumentProvider
    from .._execution.channels import KernelChannels

T = TypeVar("T")


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
        is_for: Says whether a thing is still the one for its key; default: until it is dead.
    """

    def __init__(
        self,
        make: Callable[[str], Awaitable[T]],
        is_dead: Callable[[T], bool],
        is_for: Callable[[T, str], Awaitable[bool]] | None = None,
    ) -> None:
        self._make = make
        self._is_dead = is_dead
        self._is_for = is_for
        self._shared: list[_Shared[T]] = []
        self._locks: dict[str, anyio.Lock] = {}

    async def acquire(self, key: str) -> T:
        """Return the thing of the key and count one user more."""
        async with self._locks.setdefault(key, anyio.Lock()):
            shared = next((shared for shared in self._shared if shared.key == key), None)
            if shared is None or not await self._is_usable(shared):
                shared = _Shared(key, await self._make(key))
                self._shared.append(shared)
            shared.users += 1
            return shared.thing

    async def _is_usable(self, shared: _Shared[T]) -> bool:
        if self._is_for is not None and not self._is_dead(shared.thing):
            shared.users += 1  # it is not to go while it is looked at
            try:
                if not await self._is_for(shared.thing, str(shared.key)):
                    shared.key = None
            finally:
                shared.users -= 1
        if self._is_dead(shared.thing):
            self._shared = [other for other in self._shared if other is not shared]
            return False
        return shared.key is not None

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

    async def start(self, run: Callable[..., Awaitable[None]]) -> None:
        """Start a task and wait until it reports `started`."""
        await self._group.start(self._run_reporting, run)

    def start_soon(self, run: Callable[[], Awaitable[None]]) -> None:
        """Start a task."""
        self._group.start_soon(self._run, run)

    def cancel(self) -> None:
        """End all tasks."""
        for scope in self._scopes:
            scope.cancel()

    async def _run_reporting(
        self, run: Callable[..., Awaitable[None]], *, task_status: TaskStatus[None]
    ) -> None:
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            await run(task_status=_Shielding(scope, task_status))
        self._scopes.discard(scope)

    async def _run(self, run: Callable[[], Awaitable[None]]) -> None:
        with anyio.CancelScope(shield=True) as scope:
            self._scopes.add(scope)
            await run()
        self._scopes.discard(scope)


class _Shielding(TaskStatus[None]):
    """Shields a task from the moment when it has started."""

    def __init__(self, scope: anyio.CancelScope, status: TaskStatus[None]) -> None:
        self._scope = scope
        self._status = status

    def started(self, value: None = None) -> None:
        self._scope.shield = True
        self._status.started(value)


class Connections:
    """What the handles of one server share.

    Args:
        rest: The server of the documents.
        mode: How its notebooks are kept in step.
        background: Where the connections' tasks live.
        username: The name under which collaborators see us.
        kernels: The server of the kernels, if that is another one.
        kernel_mode: How that one would keep notebooks in step.
        hub: Where JupyterHub starts one of them, if it does.
    """

    def __init__(
        self,
        rest: JupyterRest,
        mode: Mode,
        background: Background,
        username: str,
        *,
        kernels: JupyterRest | None = None,
        kernel_mode: Mode | None = None,
        hub: UserServer | None = None,
    ) -> None:
        self.rest = rest
        self.kernels: JupyterRest = kernels or rest
        has_sessions = "sessions" not in self.kernels.lacks
        #: which kernel serves which notebook
        self.sessions: JupyterRest | OwnSessions = (
            self.kernels if has_sessions else OwnSessions(self.kernels)
        )
        self.hub = hub
        self.mode: Mode = mode
        self.kernel_mode: Mode = kernel_mode or mode
        self.background = background
        self.username = username
        self.documents: Counted[DocumentProvider] = Counted(
            self._open_document,
            lambda provider: provider.lost is not None,
            lambda provider, path: provider.is_at(path),
        )
        self.channels: Counted[KernelChannels] = Counted(
            self._open_channels, lambda channels: channels.lost is not None
        )
        self.runs: RunLog = RunLog()
        #: kernels that we started, each with its session if it has one
        self.started_kernels: dict[str, str | None] = {}
        #: kernels that the server runs code on for us, and may when we are gone
        self.detached_kernels: set[str] = set()
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
        await self.background.start(channels.run)
        return channels

    async def forget_kernels(self) -> None:
        """Close the connections to kernels whose server was stopped: none comes back."""
        for channels in self.channels.things:
            if channels.state == "reconnecting":
                await channels.close()

    async def end_kernel(self, kernel_id: str) -> None:
        """End a kernel that we started, with its session."""
        session_id = self.started_kernels.pop(kernel_id)
        if session_id is not None:
            await self.sessions.end_session(session_id)
        else:
            await self.kernels.shut_down_kernel(kernel_id)


def _provider_class(mode: Mode) -> Callable[[str, JupyterRest, str], DocumentProvider]:
    """Import what documents need; in a thread, as it takes a second."""
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
