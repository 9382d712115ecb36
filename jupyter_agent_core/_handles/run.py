# SPDX-License-Identifier: BSD-3-Clause
"""A run of code that somebody waits for, or not."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, final

import anyio

from .._errors import ConfigurationError, JupyterAgentError, KernelUnavailableError
from .._values import ExecutionResult, OnTimeout, Output, RunStatus

if TYPE_CHECKING:
    from .._execution.channels import KernelChannels
    from .._execution.execution import Execution
    from .._http.rest import JupyterRest

INTERRUPT_TIMEOUT = 5.0
# ipykernel loses an interrupt that comes while it prepares to run the code
PREPARATION = 0.5
# the kernel whose own code blocks until the present call returns (set by `sync`)
blocked_kernel: ContextVar[str | None] = ContextVar("blocked_kernel", default=None)


@final
class Run:
    """Code that was given to a kernel; made by `Cell.start` and `Kernel.start`.

    Waiting and running are two things: a wait that ends leaves the run alone.
    """

    def __init__(self, execution: Execution, channels: KernelChannels, rest: JupyterRest) -> None:
        self._execution = execution
        self._channels = channels
        self._rest = rest

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.status}>"

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
    def outputs(self) -> tuple[Output, ...]:
        """The outputs until now, in the kernel's order."""
        return self._execution.result().outputs

    async def wait(self, timeout: float | None = None) -> ExecutionResult:
        """Wait for the end of the run; it goes on if the time is over first.

        Args:
            timeout: Seconds, None to wait for the end.

        Returns:
            The outcome, or what is known by now with the status `queued` or `running`.
        """
        if timeout is None and not self._execution.done.is_set():
            check_not_blocked(self._channels.kernel_id)
        with anyio.move_on_after(timeout):
            await self._execution.done.wait()
        return self._execution.result()

    async def interrupt(self) -> ExecutionResult:
        """Withdraw the run if it has not been sent, interrupt it if the kernel is at it.

        A run that waits in the kernel behind another client's code cannot be taken back
        (the protocol has no message for it) and is left alone: an interrupt would hit them.

        Returns:
            What is known 5 s later at most; the status is still `running` if the code did
            not stop, or was left alone.

        Raises:
            KernelNotFoundError, ConnectError
        """
        run = self._execution
        if not self._channels.withdraw(run):
            # one that was sent just now is about to begin, unless others' code runs
            if self._channels.state != "busy":
                with anyio.move_on_after(INTERRUPT_TIMEOUT):
                    await run.begun.wait()
            if run.begun.is_set() and not run.done.is_set():
                is_young = run.result().elapsed < PREPARATION
                await self._rest.interrupt_kernel(self._channels.kernel_id)
                result = await self.wait(PREPARATION if is_young else INTERRUPT_TIMEOUT)
                if is_young and result.status == "running":
                    await self._rest.interrupt_kernel(self._channels.kernel_id)
                    return await self.wait(INTERRUPT_TIMEOUT - PREPARATION)
                return result
        return run.result()


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
    if result.status in ("queued", "running") and on_timeout == "interrupt":
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


def check_on_timeout(on_timeout: str) -> None:
    """Refuse what is no `OnTimeout`.

    Raises:
        ConfigurationError
    """
    if on_timeout not in ("keep_running", "interrupt"):
        raise ConfigurationError(
            f"on_timeout={on_timeout!r} is neither 'keep_running' nor 'interrupt'",
            name="on_timeout",
            value=on_timeout,
        )
