# SPDX-License-Identifier: BSD-3-Clause
"""What a notebook tells of its connection, as a user hears it, and a loop that goes on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from jupyter_agent_core import ConnectionChange, Notebook

# how late an event loop that is not blocked may be, on a machine with other work
LATE = 1.0


class Watcher:
    """Listens to a notebook.

    Attributes:
        told: What happened to its connection.
    """

    def __init__(self) -> None:
        self.told: list[ConnectionChange] = []
        self._happened = anyio.Event()

    async def listen(self, notebook: Notebook) -> None:
        async for change in notebook.watch():
            if isinstance(change, ConnectionChange):
                self.told.append(change)
                self._happened.set()

    async def until(self, *states: str) -> None:
        """Wait until these states were told, in this order, and no others."""
        with anyio.fail_after(20):
            while len(self.told) < len(states):
                await self._happened.wait()
                self._happened = anyio.Event()
        assert [change.state for change in self.told] == list(states)


@asynccontextmanager
async def watching(notebook: Notebook) -> AsyncIterator[Watcher]:
    """Listen to a notebook, and hold that the event loop goes on all the time."""
    watcher = Watcher()
    async with ticking(), anyio.create_task_group() as group:
        group.start_soon(watcher.listen, notebook)
        await anyio.wait_all_tasks_blocked()
        yield watcher
        group.cancel_scope.cancel()


@asynccontextmanager
async def ticking() -> AsyncIterator[None]:
    """Hold that the event loop goes on all the time."""
    latest = 0.0

    async def tick() -> None:
        nonlocal latest
        while True:
            due = anyio.current_time() + 0.01
            await anyio.sleep_until(due)
            latest = max(latest, anyio.current_time() - due)

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        yield
        group.cancel_scope.cancel()
    assert latest < LATE
