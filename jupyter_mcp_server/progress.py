# SPDX-License-Identifier: BSD-3-Clause
"""What a client is told while code runs or a server starts: how long, the last line, how far."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import anyio
import attrs
from anyio.abc import TaskGroup

from jupyter_agent_core import DisplayOutput, ExecuteResult, Run, StreamOutput
from jupyter_agent_core._values import strip_ansi

INTERVAL = 1.0
"""Seconds between two notifications; what ends sooner is told by its answer."""
MAX_LINE = 200
_KEPT = 4_000
_PERCENT = re.compile(r"(?<![\d.])(100|\d{1,2})(?:\.\d+)? ?%")

Report = Callable[[float, str], Awaitable[None]]


@attrs.define(eq=False)
class Progress:
    """Follows the runs of one call, and tells what they have come to.

    Args:
        report: Is given the seconds, which always grow, and a line of text.
        starting: Says how far the server is that is being started, None if none is.
    """

    _report: Report
    _starting: Callable[[], str | None]
    _runs: int = 0
    _tails: dict[str, str] = attrs.field(factory=dict)
    _latest: str = ""
    _group: TaskGroup | None = None

    async def tell(self) -> None:
        """Tell it every second, until cancelled."""
        started = anyio.current_time()
        async with anyio.create_task_group() as self._group:
            while True:
                await anyio.sleep(INTERVAL)
                elapsed = anyio.current_time() - started
                text = self.text(elapsed) if self._runs else self._starting()
                if text is not None:
                    await self._report(round(elapsed, 1), text)

    def add(self, run: Run) -> None:
        """Follow a run that has begun."""
        self._runs += 1
        self._tails.clear()
        if self._group is not None:
            self._group.start_soon(self._follow, run)

    async def _follow(self, run: Run) -> None:
        async for output in run:
            match output:
                case StreamOutput():
                    self._latest = output.name
                    tail = self._tails.get(output.name, "") + output.text
                    self._tails[output.name] = tail[-_KEPT:]
                case DisplayOutput() | ExecuteResult():
                    self._latest = "display"
                    self._tails["display"] = str(output.data.get("text/plain", ""))[-_KEPT:]

    def text(self, elapsed: float) -> str:
        """Say how far it is, in a line."""
        tail = self._tails.get(self._latest, "")
        lines = [line.strip() for line in re.split(r"[\r\n]", strip_ansi(tail))]
        line = next((line for line in reversed(lines) if line), "")
        parts = [f"{elapsed:.0f} s"]
        if self._runs > 1:
            parts.append(f"cell {self._runs}")
        if percent := _PERCENT.search(line):
            parts.append(f"{percent[1]} %")
        if line:
            parts.append(line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}…")
        return " · ".join(parts)
