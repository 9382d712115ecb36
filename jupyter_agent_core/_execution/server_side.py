# SPDX-License-Identifier: BSD-3-Clause
"""Runs of cells that the server executes and records (`jupyter-server-documents`).

All websockets to a kernel share one ZMQ identity there: the newest gets the replies, and what
the others send vanishes, a human's browser included. So cells are given to the server by HTTP.
It runs what its document holds and writes the outputs; nothing of a run is written here, and
what became of it is read from the document.
"""

from __future__ import annotations

import logging
import struct
from collections import deque
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import anyio
from pycrdt import Map

from .._document.model import NotebookDocument
from .._document.server_documents import ServerDocumentsRoom
from .._errors import (
    JupyterAgentError,
    KernelNotFoundError,
    KernelUnavailableError,
    RequestError,
    VersionConflictError,
)
from .._http.rest import JupyterRest
from .._values import CellSnapshot, ExecutionResult, RunningCode, RunStatus
from .execution import Execution
from .kernel_events import follow_kernel
from .outputs import Displays, folded

log = logging.getLogger(__name__)

# the count of a run comes right after `idle`, unless the kernel ends at that moment, of which the
# server tells when the next process is there
COUNT_TIMEOUT = 4.0
# for the server to begin to tell of the kernel's end
LISTEN_TIMEOUT = 2.0
# how often the kernel is looked at while nothing of a run is heard
WATCH_INTERVAL = 1.0
# so often in a row not seen busy, it is not at what the document says is running, nor is it a
# dead one of which the server will tell: that looks every 3 s (`KernelRestarter.time_to_dead`)
LOOKS = 5
_ATTEMPTS = 2
CLOSE_TIMEOUT = 3.0


class CellExecution(Execution):
    """One run, with the outputs that the document has of it.

    Attributes:
        cell: The cell as it was when its run was asked for.
        given: The server has it, or has refused it, or will not be given it.
        refused: Why it has refused it.

    Args:
        document: The document.
        cell: The cell.
    """

    def __init__(self, document: NotebookDocument, cell: CellSnapshot) -> None:
        super().__init__(cell.source, Displays(), cell_id=cell.id)
        self.cell = cell
        self.given: anyio.Event = anyio.Event()
        self.refused: JupyterAgentError | None = None
        self._document = document

    def result(self) -> ExecutionResult:
        """Return what is known of the run by now."""
        if not self.done.is_set():
            self.look()
        return super().result()

    def look(self) -> None:
        """See what the document has of the outputs by now."""
        if self._started is not None and self._document.has(self.cell.id):
            self._refold(folded(self._document.cell(self.cell.id).outputs))

    def end(self, status: RunStatus) -> None:
        """The run is over."""
        self.look()
        super().end(status)
        self.given.set()

    def complete(self) -> None:
        """The run has come to its end; its outputs tell what became of it."""
        self.look()
        if self._document.has(self.cell.id):
            self._execution_count = self._document.cell(self.cell.id).execution_count
        if self.failure is None:
            super().end("ok")
        else:
            super().end("interrupted" if self.interrupted else "error")


class ServerSideRuns:
    """The runs of one notebook's cells, one at a time at the server.

    Args:
        room: The notebook.
        rest: The server.
        kernel_id: The kernel of its session.
    """

    def __init__(self, room: ServerDocumentsRoom, rest: JupyterRest, kernel_id: str) -> None:
        self.kernel_id = kernel_id
        self._room = room
        self._rest = rest
        self._queue: deque[CellExecution] = deque()
        self._current: CellExecution | None = None
        self._is_at_work = False
        self._traces: CellTraces | None = None
        self._verdict: RunStatus | None = None
        #: the document waits for a process that is no more, and so would all runs
        self._detached = False
        self._restarting = False
        self._listening = anyio.CancelScope()
        #: ends of the kernel are told from now on, or never
        self._told = anyio.Event()

    @property
    def state(self) -> str:
        """`busy` while a run of ours is at the server."""
        return "idle" if self._current is None else "busy"

    @property
    def running(self) -> RunningCode | None:
        """The run of ours that is at the server."""
        return None if self._current is None else self._current.as_running

    @property
    def pending(self) -> int:
        """How many of our runs are at the server or wait for it."""
        return len(self._queue) + (self._current is not None)

    def add(self, execution: CellExecution) -> bool:
        """Queue a run; True if nobody works on the queue, and `work` has to be started."""
        self._queue.append(execution)
        is_first, self._is_at_work = not self._is_at_work, True
        return is_first

    def withdraw(self, execution: Execution) -> bool:
        """Take back a run that the server has not been given; False if it has."""
        found = next((other for other in self._queue if other is execution), None)
        if found is None:
            return False
        self._queue.remove(found)
        found.end("aborted")
        return True

    def holding(self) -> AbstractAsyncContextManager[None]:
        """The server sends what comes next."""
        return nullcontext()

    def end_all(self, status: RunStatus) -> None:
        """End the run at the server with the status, and those behind it unsent."""
        self._verdict = status
        while self._queue:
            self._queue.popleft().end("aborted")
        if self._traces is not None:
            self._traces.wake()

    async def work(self) -> None:
        """Give the server one run after the other, until there is none."""
        try:
            await self._until_told()
            await self._work_off()
        finally:
            self._is_at_work = False

    async def _work_off(self) -> None:
        while self._queue:
            execution = self._current = self._queue.popleft()
            self._verdict = None
            try:
                traces = await self._give(execution)
            except JupyterAgentError as error:
                log.warning(
                    "%s: cell %s was not run: %s", self._room.path, execution.cell.id, error
                )
                execution.refused = error
                execution.end("aborted")
                continue
            self._traces = traces
            execution.given.set()
            try:
                status = await self._follow(execution, traces)
            finally:
                self._traces = None
                traces.close()
            if status is None:
                execution.complete()
            else:
                execution.end(status)
                self.end_all(status)
        self._current = None

    async def listen(self) -> None:
        """Notice what is done to the kernel, until `close`."""
        try:
            with self._listening:
                await follow_kernel(
                    self._rest, self.kernel_id, self._on_end_of_kernel, self._told.set
                )
        finally:
            self._told.set()

    async def _until_told(self) -> None:
        """Wait until the end of the kernel cannot be missed; without that, runs are looked at."""
        with anyio.move_on_after(LISTEN_TIMEOUT) as wait:
            await self._told.wait()
        if wait.cancelled_caught:
            log.warning("kernel %s: the server does not tell of its end by now", self.kernel_id)

    async def _on_end_of_kernel(self, status: RunStatus) -> None:
        self._detached = status != "kernel_gone"
        if self._restarting:
            return
        if status == "kernel_died" and await self._was_interrupted():
            status = "kernel_restarted"
        self.end_all(status)

    async def _was_interrupted(self) -> bool:
        """Say whether the run at the server was interrupted, which the kernel's death does not."""
        if (run := self._current) is None:
            return False
        try:
            await self._room.acknowledge()
        except JupyterAgentError as error:
            log.info("%s: not seen: %s", self._room.path, error)
        run.look()
        return run.interrupted

    async def restart(self) -> None:
        """Restart the kernel.

        Raises:
            KernelNotFoundError, KernelUnavailableError, ConnectError
        """
        self._restarting = True
        try:
            await self._rest.restart_kernel(self.kernel_id)
            self.end_all("kernel_restarted")
            await self._attach()
        finally:
            self._restarting = False

    async def close(self) -> None:
        """Follow what runs no more; it goes on at the server."""
        self._listening.cancel()
        self.end_all("disconnected")
        with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
            if self._current is not None:
                await self._current.done.wait()

    async def _give(self, execution: CellExecution) -> CellTraces:
        """Ask the server to run a cell that is the same there as here.

        Raises:
            CellNotFoundError, VersionConflictError, KernelUnavailableError
            ConnectError, ConnectionLostError
        """
        document, cell = self._room.document, execution.cell
        if self._detached:
            await self._attach()
        for attempt in range(_ATTEMPTS):
            await self._room.acknowledge()
            now = document.cell(cell.id)
            if now.source != cell.source:
                raise VersionConflictError(cell.id, cell.version, now.version, now.source)
            traces = CellTraces(document, cell.id)
            try:
                if await self._rest.run_cell(
                    self.kernel_id, self._room.file_id, cell.id, source_hash(cell.source)
                ):
                    return traces
            except RequestError as error:
                if attempt + 1 == _ATTEMPTS:
                    raise KernelUnavailableError(self.kernel_id, error.reason) from error
                await self._attach()
            traces.close()
        raise VersionConflictError(cell.id, cell.version, now.version, now.source)

    async def _attach(self) -> None:
        """Have the server connect the document to the kernel of its session (anew).

        Raises:
            KernelUnavailableError, ConnectError
        """
        session = await self._rest.session(self._room.path)
        if session is None:
            await self._rest.start_session(self._room.path, kernel_id=self.kernel_id)
        else:
            await self._rest.change_session_kernel(session.id, kernel_id=self.kernel_id)
        self._detached = False

    async def _follow(self, execution: CellExecution, traces: CellTraces) -> RunStatus | None:
        """Wait for the end of a run; None if the document tells what became of it."""
        looks = 0
        while True:
            if traces.seen:
                execution.start()
            if traces.has_begun():
                execution.begin()
            execution.look()
            if traces.is_complete():
                return None
            if self._verdict is not None or self._room.lost is not None:
                return self._verdict or "disconnected"
            with anyio.move_on_after(COUNT_TIMEOUT if traces.is_idle else WATCH_INTERVAL) as wait:
                await traces.next()
            if not wait.cancelled_caught:
                looks = 0
                continue
            try:
                kernel = await self._rest.kernel(self.kernel_id)
                await self._room.acknowledge()
            except KernelNotFoundError:
                return "kernel_gone"
            except JupyterAgentError as error:
                log.info("kernel %s: not seen: %s", self.kernel_id, error)
                continue
            if traces.is_complete() or self._verdict is not None:
                continue
            if traces.is_idle:
                self._detached = kernel.state != "busy"  # nobody has told of the process's end
                return "kernel_died"
            looks = looks + 1 if kernel.state != "busy" else 0
            if looks == LOOKS:
                self._detached = True
                return "disconnected"


class CellTraces:
    """What a run leaves in its cell of the document.

    Attributes:
        seen: Something has come.
        is_idle: The cell is idle again, without a count until now.

    Args:
        document: The document.
        cell_id: The cell.
    """

    def __init__(self, document: NotebookDocument, cell_id: str) -> None:
        ycell = document.ycell(cell_id)
        assert ycell is not None
        self.seen: bool = False
        self._counted = False
        self.is_idle: bool = False
        self._document = document
        self._ycell: Map[Any] = ycell
        running = [c.id for c in document.cells() if c.execution_state == "running"]
        self._ahead = [id_ for id_ in running if id_ != cell_id]
        #: runs of this cell that are to end before ours
        self._others = cell_id in running
        self._printed = False
        self._news = anyio.Event()
        self._subscription = ycell.observe_deep(self._on_events)

    def close(self) -> None:
        """Stop following the cell."""
        self._ycell.unobserve(self._subscription)

    def wake(self) -> None:
        """Let go of who waits."""
        news, self._news = self._news, anyio.Event()
        news.set()

    async def next(self) -> None:
        """Wait for something new."""
        await self._news.wait()

    def is_complete(self) -> bool:
        """Say whether the count has been written, which is the last thing of a run."""
        return self._counted

    def has_begun(self) -> bool:
        """Say whether the kernel has come to this run."""
        return (self._printed and not self._others) or not any(map(self._is_running, self._ahead))

    def _is_running(self, cell_id: str) -> bool:
        ycell = self._document.ycell(cell_id)
        return ycell is not None and ycell.get("execution_state") == "running"

    def _on_events(self, events: list[Any]) -> None:
        self.seen = True
        for event in events:
            if event.path:
                if event.path[0] == "outputs":
                    self._printed |= any("insert" in change for change in event.delta)
                continue
            if "execution_count" in event.keys:
                self._counted = not self._others
                self._others = False
            if "execution_state" in event.keys:
                self.is_idle = self._ycell["execution_state"] == "idle" and not self._others
        self.wake()


def source_hash(source: str) -> str:
    """Return the hash by which the server knows a source: MurmurHash2 of its UTF-8, seed 0."""
    multiplier, mask = 0x5BD1E995, 0xFFFFFFFF
    data = source.encode()
    whole = len(data) & ~3
    state = len(data) & mask
    for (block,) in struct.iter_unpack("<I", data[:whole]):
        block = block * multiplier & mask
        block = (block ^ block >> 24) * multiplier & mask
        state = state * multiplier & mask ^ block
    if data[whole:]:
        state = (state ^ int.from_bytes(data[whole:], "little")) * multiplier & mask
    state = (state ^ state >> 13) * multiplier & mask
    return str(state ^ state >> 15)
