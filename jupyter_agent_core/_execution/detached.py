# SPDX-License-Identifier: BSD-3-Clause
"""Runs of cells that the server executes for us, and that outlive us (`jupyter-server-nbmodel`).

The server writes the outputs into the live document. It tells what became of a run to who asks,
and only once: so it is asked, at first often.
"""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager, nullcontext

import anyio
from anyio.abc import TaskGroup

from .._document.room import Room
from .._errors import JupyterAgentError, KernelNotFoundError
from .._http.rest import JupyterRest
from .._http.server_runs import RunRequest, ServerRuns
from .._stored_outputs import output_from_nbformat
from .._values import CellSnapshot, InputHandler, InputRequest, RunningCode
from .channels import KernelChannels
from .execution import Execution
from .outputs import Displays, folded

log = logging.getLogger(__name__)

FIRST_INTERVAL = 0.02
LAST_INTERVAL = 0.5
# a kernel that is not busy for so long is not at a run of which nothing comes
SILENCE = 5.0


class DetachedExecution(Execution):
    """One run, as far as the server has told.

    Args:
        cell: The cell as it was when its run was asked for.
        on_input: Answers what the code asks.
    """

    def __init__(self, cell: CellSnapshot, on_input: InputHandler | None) -> None:
        super().__init__(cell.source, Displays(), cell_id=cell.id, on_input=on_input)

    def tell(self, request: RunRequest) -> None:
        """Take what the server tells."""
        if request.outputs or not request.pending:
            self.begin()
        self._refold(folded(output_from_nbformat(output) for output in request.outputs))
        self._execution_count = request.execution_count
        if request.pending:
            return
        if request.refusal is not None:
            self.end("aborted")
        elif self.failure is not None and not self.interrupted:
            self.end("error")
        else:
            self.end("ok" if request.status == "ok" else "interrupted")


class DetachedRun:
    """One run at the server, followed from here as long as we are there.

    Args:
        room: The notebook.
        rest: The server.
        channels: The kernel, where it is heard at which code it is.
    """

    def __init__(self, room: Room, rest: JupyterRest, channels: KernelChannels) -> None:
        self.kernel_id = channels.kernel_id
        self._channels = channels
        self._room = room
        self._rest = rest
        self._server = ServerRuns(rest)

    @property
    def state(self) -> str:
        """What the kernel does."""
        return self._channels.state

    @property
    def running(self) -> RunningCode | None:
        """The code that the kernel runs, None if it is not known to run any."""
        return self._channels.running

    def holding(self) -> AbstractAsyncContextManager[None]:
        """The server sends what comes next."""
        return nullcontext()

    def withdraw(self, execution: Execution) -> bool:
        """It cannot be taken back: the server has it."""
        return False

    async def give(self, execution: DetachedExecution) -> None:
        """Give a cell to the server.

        Raises:
            ConfigurationError: It runs no cells.
            KernelNotFoundError, ConnectError, ConnectionLostError
        """
        await self._server.check_offered(self.kernel_id)
        await self._room.acknowledge()
        execution.message_id = await self._server.start(
            self.kernel_id,
            execution.code,
            self._room.file_id,
            self._room.path,
            str(execution.cell_id),
        )
        execution.start()

    async def follow(self, execution: DetachedExecution) -> None:
        """Ask what became of a run until it has ended."""
        async with anyio.create_task_group() as group:
            await self._follow(execution, group)

    async def _follow(self, execution: DetachedExecution, group: TaskGroup) -> None:
        interval, heard = FIRST_INTERVAL, anyio.current_time()
        asked: InputRequest | None = None
        while not execution.done.is_set():
            await anyio.sleep(interval)
            interval = min(interval * 2, LAST_INTERVAL)
            try:
                request = await self._server.request(self.kernel_id, execution.message_id)
                is_busy = (await self._rest.kernel(self.kernel_id)).state == "busy"
                if request is not None and request.asked != asked:
                    asked = request.asked
                    execution.stop_asking()
                    if asked is not None:
                        group.start_soon(self._answer, execution, asked)
            except KernelNotFoundError:
                execution.end("kernel_gone")
            except JupyterAgentError as error:
                log.info("run %s: not seen: %s", execution.message_id, error)
                if not error.retryable or self._room.lost is not None:
                    execution.end("disconnected")
            else:
                now = anyio.current_time()
                heard = now if is_busy else heard
                if request is None or (request.pending and now - heard > SILENCE):
                    # somebody else has asked, or the server or the kernel was started anew
                    execution.end("lost")
                else:
                    execution.tell(request)
                    if self._channels.requests.others_code == execution.code:
                        execution.begin()

    async def _answer(self, execution: DetachedExecution, asked: InputRequest) -> None:
        answer = await execution.answer(asked)
        if answer is not None:
            try:
                await self._server.answer(self.kernel_id, answer)
            except JupyterAgentError as error:
                log.warning("run %s: its question is not answered: %s", execution.id, error)
