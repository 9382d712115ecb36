# SPDX-License-Identifier: BSD-3-Clause
"""How the process ends when it is told to."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import anyio

from .connection import Connection

CLOSE_TIMEOUT = 1.5
"""Seconds for letting go of what is open; by then all is sent, though not all answered."""


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
        # works on Windows, too, where asyncio has no signal handlers
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(told.set))
    await told.wait()
    with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
        stop()
        await connection.close()
        if stopped is not None:
            await stopped.wait()
    # not by leaving: the thread that reads stdin would be waited for
    os._exit(0)
