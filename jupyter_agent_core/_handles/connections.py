# SPDX-License-Identifier: BSD-3-Clause
"""The live connections of one server, shared and counted.

However many handles look at a notebook or a kernel, there is one replica and one
websocket for each; the last handle to let go closes it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio
from anyio.abc import TaskGroup, TaskStatus

from .._http.rest import JupyterRest

if TYPE_CHECKING:
    from .._document.room import Room
    from .._execution.channels import KernelChannels

T = TypeVar("T")


class Counted(Generic[T]):
    """Things by key, made when first asked for and dropped by the last who lets go.

    Args:
        make: Makes the thing for a key.
        is_dead: Says that a thing is of no use any more, so that a new one has to be made.
    """

    def __init__(self, make: Callable[[str], Awaitable[T]], is_dead: Callable[[T], bool]) -> None:
        self._make = make
        self._is_dead = is_dead
        self._things: dict[str, tuple[T, int]] = {}
        self._locks: dict[str, anyio.Lock] = {}

    async def acquire(self, key: str) -> T:
        """Return the thing of the key and count one user more."""
        async with self._locks.setdefault(key, anyio.Lock()):
            thing, users = self._things.get(key, (None, 0))
            if thing is None or self._is_dead(thing):
                thing, users = await self._make(key), 0
            self._things[key] = thing, users + 1
            return thing

    def release(self, thing: T) -> bool:
        """Count one user less; True if it was the last one of this thing."""
        key = next((key for key, (other, _) in self._things.items() if other is thing), None)
        if key is None:
            return False
        users = self._things[key][1]
        if users > 1:
            self._things[key] = thing, users - 1
            return False
        del self._things[key]
        return True

    def take_all(self) -> list[T]:
        """Return everything that is still there, and forget it."""
        things = [thing for thing, _ in self._things.values()]
        self._things.clear()
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
        rest: The server.
        background: Where the connections' tasks live.
        username: The name under which collaborators see us.
    """

    def __init__(self, rest: JupyterRest, background: Background, username: str) -> None:
        self.rest = rest
        self.background = background
        self.username = username
        self.rooms: Counted[Room] = Counted(self._open_room, lambda room: room.lost is not None)
        self.channels: Counted[KernelChannels] = Counted(
            self._open_channels, lambda channels: channels.lost is not None
        )
        #: kernels that we started, each with its session if it has one
        self.started_kernels: dict[str, str | None] = {}

    async def _open_room(self, path: str) -> Room:
        room_class = await anyio.to_thread.run_sync(_room_class)
        room = room_class(path, self.rest, self.username)
        await self.background.start(room.run)
        return room

    async def _open_channels(self, kernel_id: str) -> KernelChannels:
        channels_class = await anyio.to_thread.run_sync(_channels_class)
        channels = channels_class(self.rest, kernel_id)
        await self.background.start(channels.run)
        return channels

    async def end_kernel(self, kernel_id: str) -> None:
        """End a kernel that we started, with its session."""
        session_id = self.started_kernels.pop(kernel_id)
        if session_id is not None:
            await self.rest.end_session(session_id)
        else:
            await self.rest.shut_down_kernel(kernel_id)


def _room_class() -> type[Room]:
    """Import what documents need; in a thread, as it takes a second."""
    from .._document.room import Room

    return Room


def _channels_class() -> type[KernelChannels]:
    """Import what kernels need; in a thread, as it takes a while."""
    from .._execution.channels import KernelChannels

    return KernelChannels
