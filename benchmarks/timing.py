# SPDX-License-Identifier: BSD-3-Clause
"""Times that are taken in turns, and the table of them."""

import statistics
import time
from collections.abc import Awaitable, Callable

Action = Callable[[], Awaitable[object]]


async def timed(action: Action) -> float:
    """Milliseconds that the action takes."""
    began = time.perf_counter()
    await action()
    return (time.perf_counter() - began) * 1000


async def interleaved(actions: dict[str, Action], rounds: int) -> dict[str, list[float]]:
    """Take turns: A B C A B C …, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(rounds + 1):
        for name, action in actions.items():
            took = await timed(action)
            if number:
                times[name].append(took)
    return times


def table(title: str, times: dict[str, list[float]], floor: str | None = None) -> None:
    """Print medians, p95 and the ratio to the floor."""
    print(f"\n{title:58}{'median':>10}{'p95':>10}{'ratio':>8}")
    base = statistics.median(times[floor]) if floor else None
    for name, taken in times.items():
        median = statistics.median(taken)
        p95 = statistics.quantiles(taken, n=20)[-1] if len(taken) > 1 else median
        ratio = f"{median / base:8.2f}" if base else ""
        print(f"{name:58}{median:8.2f}ms{p95:8.2f}ms{ratio}")
