# SPDX-License-Identifier: BSD-3-Clause
"""A kernel: adopted or started when it is first needed, let go when nobody uses it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, final

import anyio

from .._backoff import reconnect_delays
from .._errors import KernelNotFoundError, KernelUnavailableError
from .._introspection import (
    Completions,
    Inspection,
    KernelFacts,
    Variable,
    VariableListing,
    VariableValue,
)
from .._values import (
    ExecutionResult,
    InputHandler,
    KernelActivity,
    KernelInfo,
    KernelInterrupt,
    OnTimeout,
)
from .arguments import check_code, check_on_input, check_timeout, check_waiting
from .connections import Connections
from .interrupts import interrupt_heard, interrupt_unheard
from .run import INTERRUPT_TIMEOUT, Run, check_can_wait, finish

if TYPE_CHECKING:
    from .._document.provider import DocumentProvider
    from .._execution.channels import KernelChannels
    from .._execution.introspection import Introspection
    from .._execution.server_side import ServerSideRuns

# seconds that a kernel has to answer a question
ANSWER_TIMEOUT = 10.0
# a server waits 5 s for a kernel that is to end (`KernelManager.shutdown_wait_time`)
END_TIMEOUT = 10.0


@final
class Kernel:
    """A kernel; made by `Server.kernel`, `Server.start_kernel` and `Notebook.kernel`.

    Nothing is asked of the server before the first use.
    """

    def __init__(
        self,
        connections: Connections,
        locate: Callable[[], Awaitable[KernelInfo]],
        find: Callable[[], Awaitable[KernelInfo | None]],
        provider: DocumentProvider | None = None,
    ) -> None:
        self._connections = connections
        self._locate = locate
        self._find = find
        self._provider = provider
        self._channels: KernelChannels | None = None
        self._runs: ServerSideRuns | None = None
        self._introspection: Introspection | None = None
        self._info: KernelInfo | None = None
        self._lock = anyio.Lock()
        self._attempt = anyio.CancelScope()
        self._closings = 0
        connections.kernel_handles.add(self)

    def __repr__(self) -> str:
        return f"<Kernel {self.id or 'not started'} {self.state}>"

    @property
    def id(self) -> str | None:
        """The kernel's id, None as long as it has not been used."""
        return self._info.id if self._info else None

    @property
    def name(self) -> str | None:
        """Name of its kernelspec, None as long as it has not been used."""
        return self._info.name if self._info else None

    @property
    def state(self) -> str:
        """What the kernel said last: `idle`, `busy`, `starting`, …, or `not connected`."""
        if self._runs is not None and self._runs.pending:
            return self._runs.state
        channels = self._open_channels
        return "not connected" if channels is None else channels.state

    @property
    def started_here(self) -> bool:
        """True if this client started the kernel, so that it ends with us."""
        return self.id in self._connections.started_kernels

    async def connect(self) -> KernelInfo:
        """Adopt or start the kernel, if that has not been done.

        Returns:
            The kernel.

        Raises:
            KernelNotFoundError: There is no such kernel any more.
            KernelSpecNotFoundError: The server has no such kernelspec.
            KernelUnavailableError: It did not start.
        """
        if self._connections.kernel_mode == "server-documents":
            return await self._located()
        await self._connected()
        assert self._info is not None
        return self._info

    async def _located(self) -> KernelInfo:
        """Adopt or start the kernel without a connection, which would cut off those of others."""
        async with self._lock:
            return await self._choose()

    async def _connected(self) -> KernelChannels:
        if not self._lock.locked() and (usable := self._usable_channels) is not None:
            return usable
        closings = self._closings
        async with self._lock:
            if (channels := self._usable_channels) is None and closings == self._closings:
                if (doubtful := self._open_channels) is not None:
                    from .._execution.introspection import still_answers

                    if await still_answers(doubtful):
                        return doubtful
                    await doubtful.close()
                may_start, reach = self._provider is not None, self._connections.reach_kernel
                with anyio.CancelScope() as self._attempt:
                    channels = await reach(self._choose, may_start=may_start)
                    self._channels = channels.following(self._channels)
            if channels is None:
                reason = "it was let go while it was being connected"
                raise KernelUnavailableError(self.name or "of the notebook", reason)
            return channels

    async def _stop_connecting(self) -> None:
        """Let calls fail that are just connecting to the kernel."""
        self._closings += 1
        self._attempt.cancel()
        async with self._lock:
            pass

    @property
    def _open_channels(self) -> KernelChannels | None:
        """The connection, None if there is none or it has ended for good."""
        channels = self._channels
        return None if channels is None or channels.lost is not None else channels

    @property
    def _usable_channels(self) -> KernelChannels | None:
        """The connection over which code can be sent; an idle contested one may be cut off."""
        channels = self._open_channels
        if channels is None or channels.pending or channels.requests.asking:
            return channels
        return None if channels.contested else channels

    async def _server_side(self) -> ServerSideRuns | None:
        """Return the runs that the server executes, None if it does not."""
        if self._provider is None or not self._connections.runs_on_server:
            return None
        from .._document.server_documents import ServerDocumentsRoom
        from .._execution.server_side import ServerSideRuns

        assert isinstance(self._provider, ServerDocumentsRoom)
        kernel_id = (await self._located()).id
        if self._runs is None or self._runs.kernel_id != kernel_id:
            if self._runs is not None:
                await self._runs.close()
            self._runs = ServerSideRuns(self._provider, self._connections.rest, kernel_id)
            self._connections.background.start_soon(self._runs.listen)
        return self._runs

    async def _choose(self) -> KernelInfo:
        self._info = await self._found()
        return self._info

    async def _found(self) -> KernelInfo:
        """The same kernel as before while it lives, else the one that is to be used."""
        if self._info is not None:
            try:
                if self._channels is not None and self._channels.gone:
                    await self._until_ended(self._info.id)
                return await self._connections.kernels.kernel(self._info.id)
            except KernelNotFoundError:
                self._info = None
        return await self._locate()

    async def _until_ended(self, kernel_id: str) -> None:
        """Give the server time to end a kernel that it was told to; it lists it until then.

        Raises:
            KernelNotFoundError: It has ended.
        """
        with anyio.move_on_after(END_TIMEOUT):
            for delay in reconnect_delays():
                await self._connections.kernels.kernel(kernel_id)
                await anyio.sleep(delay)

    async def start(
        self, code: str, *, store_history: bool = True, on_input: InputHandler | None = None
    ) -> Run:
        """Give code to the kernel and return without waiting for it.

        Args:
            code: What to run; magics and `!shell` work where the kernel has them.
            store_history: Let it count as an input of the kernel's history.
            on_input: Called with what the code asks its user, to answer; None ends the input
                (`EOFError` in Python). Without it, asking is an error in the code at once.

        Returns:
            The run.

        Raises:
            KernelNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
        """
        from .._execution.execution import Execution

        check_code(code)
        check_on_input(on_input)
        channels = await self._connected()
        execution = Execution(
            code, channels.displays, store_history=store_history, on_input=on_input
        )
        await channels.submit(execution)
        return self._connections.runs.keep(Run(execution, channels, self._connections.kernels))

    async def execute(
        self,
        code: str,
        *,
        timeout: float | None = None,
        on_timeout: OnTimeout = "keep_running",
        store_history: bool = True,
        on_input: InputHandler | None = None,
    ) -> ExecutionResult:
        """Run code and wait for its end.

        Args:
            code: What to run; magics and `!shell` work where the kernel has them.
            timeout: Seconds to wait, None to wait for the end.
            on_timeout: What happens to the code then: `"keep_running"` or `"interrupt"`.
            store_history: Let it count as an input of the kernel's history.
            on_input: Called with what the code asks its user, to answer; None ends the input
                (`EOFError` in Python). Without it, asking is an error in the code at once. What
                it raises is raised here when the code has ended.

        Returns:
            The outcome; an exception in the code is one, and is not raised.

        Raises:
            KernelNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
        """
        check_waiting(timeout, on_timeout)
        await check_can_wait(self)
        run = await self.start(code, store_history=store_history, on_input=on_input)
        return await finish(run, timeout, on_timeout)

    @property
    def activity(self) -> KernelActivity:
        """What the kernel is busy with, our runs and other clients', as far as is known here."""
        channels = self._open_channels
        return KernelActivity(self.state) if channels is None else channels.activity

    async def interrupt(self, *, timeout: float = INTERRUPT_TIMEOUT) -> KernelInterrupt:
        """Interrupt whatever the kernel runs, whoever started it, and wait for its end.

        Runs of ours that wait behind it go on. Code that catches the interrupt, or that is not
        in Python's hands, may not stop: then only `restart` helps.

        Args:
            timeout: Seconds to wait for the end.

        Returns:
            What ran, and whether it has stopped; without a kernel nothing runs.

        Raises:
            KernelNotFoundError, ConnectError
        """
        check_timeout(timeout, endless=False)
        kernel_id = await self._existing_id()
        if kernel_id is None:
            return KernelInterrupt(None, None, stopped=True)
        if self._connections.kernel_mode == "server-documents":
            return await interrupt_unheard(self._connections.kernels, kernel_id, timeout)
        channels = await self._connected()
        return await interrupt_heard(channels, self._connections, timeout)

    async def _existing_id(self) -> str | None:
        """The kernel's id, also before the first use; None if there is no kernel yet."""
        if self._info is not None:
            return self._info.id
        found = await self._find()
        return found.id if found else None

    async def restart(self) -> None:
        """Restart the kernel: its memory is lost, runs end as `kernel_restarted`.

        Raises:
            KernelNotFoundError, KernelUnavailableError, ConnectError
        """
        info = await self.connect()
        runs = await self._server_side()
        if runs is not None:
            await runs.restart()
        else:
            async with (await self._connected()).restarting():
                await self._connections.kernels.restart_kernel(info.id)

    async def shutdown(self) -> None:
        """End the kernel, whoever else uses it; the next use of a notebook's starts another one.

        Raises:
            KernelNotFoundError, ConnectError
        """
        kernel_id = await self._existing_id()
        if kernel_id is None:
            return
        await self._let_go()
        if kernel_id in self._connections.started_kernels:
            await self._connections.end_kernel(kernel_id)
        else:
            await self._connections.kernels.shut_down_kernel(kernel_id)

    async def info(self) -> KernelInfo:
        """Return the kernel's state, as the server tells it.

        Raises:
            KernelNotFoundError, ConnectError
        """
        return await self._connections.kernels.kernel((await self.connect()).id)

    async def facts(self, *, timeout: float = ANSWER_TIMEOUT) -> KernelFacts:
        """Ask the kernel what it is: language, versions, interpreter, working directory.

        Args:
            timeout: Seconds to wait.

        Returns:
            What it says of itself; less while it runs code and has no subshells.

        Raises:
            KernelNotFoundError, ConnectError, ConnectionLostError
            KernelBusyError, KernelTimeoutError: It does not answer now.
        """
        return await (await self._questions()).facts(timeout)

    async def complete(
        self, code: str, cursor: int | None = None, *, timeout: float = ANSWER_TIMEOUT
    ) -> Completions:
        """Ask the kernel how code can go on.

        Args:
            code: The code.
            cursor: Where, as an offset in characters; default: at its end.
            timeout: Seconds to wait.

        Returns:
            What could stand there.

        Raises:
            KernelNotFoundError, ConnectError, ConnectionLostError
            KernelBusyError, KernelTimeoutError: It does not answer now.
        """
        cursor = len(code) if cursor is None else cursor
        return await (await self._questions()).complete(code, cursor, timeout)

    async def inspect(
        self,
        code: str,
        cursor: int | None = None,
        *,
        detail: bool = False,
        timeout: float = ANSWER_TIMEOUT,
    ) -> Inspection:
        """Ask the kernel what it knows of the name at a place in code.

        Args:
            code: The code.
            cursor: Where, as an offset in characters; default: at its end.
            detail: Ask for the source, too.
            timeout: Seconds to wait.

        Returns:
            The documentation, if there is any.

        Raises:
            KernelNotFoundError, ConnectError, ConnectionLostError
            KernelBusyError, KernelTimeoutError: It does not answer now.
        """
        cursor = len(code) if cursor is None else cursor
        return await (await self._questions()).inspect(code, cursor, int(detail), timeout)

    async def list_variables(
        self, *, limit: int = 1000, timeout: float = ANSWER_TIMEOUT
    ) -> VariableListing:
        """List the kernel's variables, running no code of the objects in them.

        Args:
            limit: How many to list at most.
            timeout: Seconds to wait.

        Returns:
            The first of them by name, and how many there are.

        Raises:
            KernelNotFoundError, ConnectError, ConnectionLostError
            LanguageNotSupportedError: It cannot be done in the kernel's language.
            KernelBusyError, KernelTimeoutError: It does not answer now.
        """
        return await (await self._questions()).list_variables(limit, timeout)

    async def get_variable(
        self, name: str, *, rows: int = 100, timeout: float = ANSWER_TIMEOUT
    ) -> VariableValue:
        """Return the value of a variable, or as much of it as is reasonable to send.

        Args:
            name: Its name.
            rows: Rows of a table to return at most.
            timeout: Seconds to wait; a `repr` that takes longer is interrupted.

        Returns:
            The value; `to_arrow` makes a table of what was a table.

        Raises:
            VariableNotFoundError: There is no such variable.
            KernelNotFoundError, ConnectError, ConnectionLostError
            LanguageNotSupportedError: It cannot be done in the kernel's language.
            KernelBusyError, KernelTimeoutError: It does not answer now.
        """
        return await (await self._questions()).get_variable(name, rows, timeout)

    async def set_variable(
        self, name: str, value: object, *, timeout: float = ANSWER_TIMEOUT
    ) -> Variable:
        """Set a variable in the kernel; never while code runs there.

        Args:
            name: Its name.
            value: A value of JSON, a DataFrame of pandas or polars, or a `pyarrow.Table`.
            timeout: Seconds to wait.

        Returns:
            The variable as it is now.

        Raises:
            ConfigurationError: The value cannot be sent as it is.
            KernelNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
            LanguageNotSupportedError: It cannot be done in the kernel's language.
            KernelBusyError, KernelTimeoutError: It does not answer now.
        """
        return await (await self._questions()).set_variable(name, value, timeout)

    async def _questions(self) -> Introspection:
        from .._execution.introspection import Introspection

        await check_can_wait(self)
        channels = await self._connected()
        if self._introspection is None or self._introspection.channels is not channels:
            self._introspection = Introspection(channels, self._connections.kernels)
        return self._introspection

    def _own_connections(self) -> int:
        """How many connections to the kernel are this handle's alone, to be closed by letting go.

        Raises:
            KernelUnavailableError: It has runs at the kernel or waiting for it.
        """
        channels = self._open_channels
        if channels is None:
            return 0
        if channels.pending:
            reason = "code of ours runs on it or waits for it: wait for its end, or interrupt it"
            raise KernelUnavailableError(channels.kernel_id, reason)
        return 1 if self._connections.channels.users(channels) == 1 else 0

    async def _let_go(self) -> bool:
        """Forget the connection; True if nobody here uses it any more."""
        channels, self._channels = self._channels, None
        runs, self._runs = self._runs, None
        info, self._info = self._info, None
        if runs is not None:
            await runs.close()
        if info is None:
            return False
        if channels is not None and self._connections.channels.release(channels):
            await channels.close()
        return not self._connections.is_used(info.id) and self._is_last_of_notebook()

    def _is_last_of_notebook(self) -> bool:
        """Whether no other handle here may have runs of the notebook on the kernel."""
        if self._provider is None or not self._connections.runs_on_server:
            return True
        return self._connections.documents.users(self._provider) <= 1
