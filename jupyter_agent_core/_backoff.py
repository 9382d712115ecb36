# SPDX-License-Identifier: BSD-3-Clause
"""When to try again, as data: how long to wait, and whether it makes sense at all."""

from __future__ import annotations

import random
from collections.abc import Iterator

from ._errors import JupyterAgentError, RequestError

FIRST_DELAY = 0.05
LAST_DELAY = 3.0
FIRST_TIMEOUT = 2.0
LAST_TIMEOUT = 30.0
FACTOR = 2.0
# of each delay; clients that lost one server should not come back at the same moment
JITTER = 0.5


def reconnect_delays(spread: random.Random | None = None) -> Iterator[float]:
    """Yield the seconds to wait before each attempt: growing, bounded, with jitter, for ever."""
    chance = spread or random.Random()  # noqa: S311 (not for secrets)
    delay = FIRST_DELAY
    while True:
        yield delay * (1 - JITTER * chance.random())
        delay = min(delay * FACTOR, LAST_DELAY)


def attempt_timeouts() -> Iterator[float]:
    """Yield the seconds that each attempt may take: few at first, as old sockets may be dead."""
    timeout = FIRST_TIMEOUT
    while True:
        yield timeout
        timeout = min(timeout * FACTOR, LAST_TIMEOUT)


def is_transient(error: JupyterAgentError) -> bool:
    """Say whether the same attempt may succeed later.

    A proxy answers 5xx while the server behind it restarts; JupyterHub answers 424 for a
    server that is stopped.
    """
    if isinstance(error, RequestError):
        return error.status >= 500 or error.status == 424
    return error.retryable
