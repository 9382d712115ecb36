# SPDX-License-Identifier: BSD-3-Clause
"""A run of code that somebody waits for, or not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, final

import anyio

from .._errors import JupyterAgentError, KernelUnavailableError, RunNotFoundError
from .._values import ExecutionResult, OnTimeout, Output, RunningCode, RunStatus
from .arguments import check_timeout

if TYPE_CHECKING:
    from .._execution.execution import Execution, RunQueue
    from .._http.rest import JupyterRest
    from .kernel import Kernel

INTERRUPT_TIMEOUT = 5.0
# ipykernel loses an interrupt that comes while it prepares to run the code, in the first moments
# of a run; one that is still on so much later is interrupted once more
PREPARATION = 0.5
# most code is over so soon; an interrupt that comes at its end hits ipykernel's own code, which can
# end the kernel or break one of its channels
SHORTNESS = 0.05
# seconds for which finished runs are kept, how many, and how many characters of output they have
KEPT_FOR = 3600.0
KEPT_RUNS = 200
KEPT_TEXT = 20_000_000
_NEAREST = 5
UNFINISHED: tuple[RunStatus, ...] = ("queued", "running", "input_required")
# the kernel whose own code blocks until the present call returns (set by `sync`)
blocked_kernel: ContextVar[str | None] = ContextVar("blocked_kernel", default=None)
# is told of each run that the present call starts (set by tools)
run_listener: ContextVar[Callable[[Run], None] | None] = ContextVar("run_listener", default=None)


@final
class Run:
    """Code that was given to a kernel; made by `Cell.start` and `Kernel.start`.

    Waiting and running are two things: a wait that ends leaves the run alone. Iterating over it
    gives the outputs as they come, from the first to the end of the run: text in the pieces in
    which the kernel sent it, or more at once.
    """

    def __init__(self, execution: Execution, queue: RunQueue, rest: JupyterRest) -> None:
        self._execution = execution
        self._queue = queue
        self._rest = rest

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.status}>"

    async def __aiter__(self) -> AsyncIterator[Output]:
        with self._execution.followed() as follower:
            while True:
                is_over = self._execution.done.is_set()
                for output in follower.take():
                    yield output
                if is_over:
                    return
                if not self._execution.done.is_set():
                    await follower.more()

    @property
    def id(self) -> str:
        """The run's id."""
        return self._execution.id

    @property
    def cell_id(self) -> str | None:
        """The cell that holds the code, None for code without a cell."""
        return self._execution.cell_id

    @property
    def status(self) -> RunStatus:
        """What became of the run by now (see `ExecutionResult`)."""
        return self._execution.status

    @property
    def behind(self) -> RunningCode | None:
        """The code that the kernel runs first, None if the run is not queued or that is unknown."""
        return self._queue.running if self.status == "queued" else None

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs until now, in the kernel's order."""
        return self._execution.result().outputs

    async def wait(self, timeout: float | None = None) -> ExecutionResult:
        """Wait for the end of the run; it goes on if the time is over first.

        Args:
            timeout: Seconds, None to wait for the end.

        Returns:
            The outcome, or what is known by now with the status `queued`, `running` or
            `input_required`.

        Raises:
            KernelUnavailableError: The code that wants to wait runs in that kernel.
            Exception: What `on_input` has raised, when the run has ended.
        """
        if timeout is None and not self._execution.done.is_set():
            check_not_blocked(self._queue.kernel_id)
        check_timeout(timeout)
        result = await self._ended_within(timeout)
        if self._execution.done.is_set() and self._execution.input_failure is not None:
            raise self._execution.input_failure
        return result

    async def _ended_within(self, timeout: float | None) -> ExecutionResult:
        with anyio.move_on_after(timeout):
            await self._execution.done.wait()
        return self._execution.result()

    async def interrupt(self, *, timeout: float = INTERRUPT_TIMEOUT) -> ExecutionResult:
        """Withdraw the run if it has not been sent, interrupt it if the kernel is at it.

        A run that waits in the kernel behind another client's code cannot be taken back
        (the protocol has no message for it) and is left alone: an interrupt would hit them.

        Args:
            timeout: Seconds to wait for the end.

        Returns:
            What is known then; the status is still `running` if the code did not stop (only
            restarting the kernel helps then), and `queued` if it was left alone.

        Raises:
            KernelNotFoundError, ConnectError
        """
        check_timeout(timeout, endless=False)
        run = self._execution
        if not self._queue.withdraw(run):
            # one that was sent just now is about to begin, unless others' code runs; a kernel
            # that is heard to be busy may be so with this one
            busy = self._queue.state == "busy"
            with anyio.move_on_after(min(PREPARATION, timeout) if busy else timeout):
                await run.begun.wait()
            if run.begun.is_set() and not run.done.is_set():
                return await self._stopped_within(timeout)
        return run.result()

    async def _stopped_within(self, timeout: float) -> ExecutionResult:
        """Interrupt the kernel, which is at this run."""
        if (left := SHORTNESS - self._execution.age) > 0:
            await self._ended_within(min(left, timeout))
        is_young = self._execution.age < PREPARATION < timeout
        await self._interrupt_kernel()
        if is_young:
            await self._ended_within(PREPARATION)
            timeout -= PREPARATION
            await self._interrupt_kernel()
        return await self._ended_within(timeout)

    async def _interrupt_kernel(self) -> None:
        async with self._queue.holding():
            if not self._execution.over:
                self._execution.stop_asking()
                await self._rest.interrupt_kernel(self._queue.kernel_id)


class RunLog:
    """The runs of one server connection, by id: the last of those that have finished."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    def keep(self, run: Run) -> Run:
        """Keep a run, and let go of old ones; the one that has ended last stays."""
        ended = [
            (kept._execution.ended_at, kept)
            for kept in self._runs.values()
            if kept._execution.ended_at is not None
        ]
        ended.sort(key=lambda pair: pair[0], reverse=True)
        since, text = time.monotonic() - KEPT_FOR, 0
        for number, (ended_at, kept) in enumerate(ended):
            text += kept._execution.size
            too_many = number > 0 and (number >= KEPT_RUNS or text > KEPT_TEXT)
            if too_many or ended_at < since:
                del self._runs[kept.id]
        self._runs[run.id] = run
        if (listener := run_listener.get()) is not None:
            listener(run)
        return run

    def are_on(self, kernel_id: str) -> bool:
        """Say whether a run of ours is at a kernel, or waits for it."""
        return any(
            run._queue.kernel_id == kernel_id and run._execution.ended_at is None
            for run in self._runs.values()
        )

    @property
    def has_unfinished(self) -> bool:
        """Whether a run of ours is at some kernel, or waits for it."""
        return any(run._execution.ended_at is None for run in self._runs.values())

    def run(self, run_id: str) -> Run:
        """Return a run that is kept.

        Raises:
            RunNotFoundError
        """
        if run_id not in self._runs:
            raise RunNotFoundError(run_id, list(self._runs)[-_NEAREST:])
        return self._runs[run_id]


async def finish(run: Run, timeout: float | None, on_timeout: OnTimeout) -> ExecutionResult:
    """Wait for a run on behalf of the call that started it.

    If the call is cancelled, so is its code.
    """
    try:
        result = await run.wait(timeout)
    except anyio.get_cancelled_exc_class():
        with anyio.move_on_after(INTERRUPT_TIMEOUT, shield=True):
            with suppress(JupyterAgentError):
                await run.interrupt()
        raise
    if result.status in UNFINISHED and on_timeout == "interrupt":
        result = await run.interrupt()
    return result


def check_not_blocked(kernel_id: str | None) -> None:
    """Refuse to wait for a kernel that waits for us.

    Raises:
        KernelUnavailableError
    """
    if kernel_id is not None and kernel_id == blocked_kernel.get():
        raise KernelUnavailableError(
            kernel_id,
            "the code that wants to wait for it runs in it, and would wait for itself: "
            "use start() and let this cell end, or use another kernel",
        )


async def check_can_wait(kernel: Kernel) -> None:
    """Refuse to wait for the kernel that our caller's code runs in.

    Raises:
        KernelUnavailableError
    """
    if blocked_kernel.get() is not None:
        check_not_blocked((await kernel.connect()).id)
