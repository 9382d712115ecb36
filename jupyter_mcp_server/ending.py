# SPDX-License-Identifier: BSD-3-Clause
"""How the process ends when it is told to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import FrameType
from typing import TypeVar

import anyio

from .connection import Connection

CLOSE_TIMEOUT = 1.5
"""Seconds for letting go of what is open; by then all is sent, though not all answered."""
_TOLD_TO_END = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
T = TypeVar("T")


def run_command(work: Callable[[], Awaitable[T]]) -> T:
    """Run a command that cleans up after itself, even when the process is told to end meanwhile.

    Who tells it twice does not want to wait for that.

    Returns:
        What comes of it.

    Raises:
        SystemExit: It was told to end, and has cleaned up.
    """
    told: list[int] = []
    results: list[T] = []

    async def until_told() -> None:
        loop = asyncio.get_running_loop()
        with anyio.CancelScope() as scope:

            def end(number: int, _: FrameType | None) -> None:
                signal.signal(number, signal.SIG_DFL)
                told.append(number)
                loop.call_soon_threadsafe(scope.cancel)

            for number in _TOLD_TO_END:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                    _handle(number, end)
            results.append(await work())

    anyio.run(until_told)
    if told:
        sys.exit(128 + told[0])
    return results[0]


async def end_on_signal(
    connection: Connection, stop: Callable[[], object], stopped: anyio.Event | None = None
) -> None:
    """End the process when it is told to, after cleaning up.

    Args:
        connection: What is let go of.
        stop: Lets no more calls in.
        stopped: What is waited for then, so that the calls at work are answered.
    """
    told = anyio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        _handle(number, lambda *_: loop.call_soon_threadsafe(told.set))
    await told.wait()
    with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
        stop()
        await connection.close()
        if stopped is not None:
            await stopped.wait()
    # not by leaving: the thread that reads stdin would be waited for
    os._exit(0)


def _handle(number: int, handler: Callable[[int, FrameType | None], object]) -> None:
    """Handle a signal, also when it comes in the moment in which the loop begins to wait.

    A signal that asyncio knows of wakes the loop; on Windows, where it knows of none, each does.
    """
    with suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(number, lambda: None)
    signal.signal(number, handler)
