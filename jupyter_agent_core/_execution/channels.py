# SPDX-License-Identifier: BSD-3-Clause
"""The live connection to a kernel: one websocket at a time, and our own queue before it.

Protocol: Jupyter messaging 5.4 over the server's `channels` websocket; what the messages mean is
in `conversation.py`.

A connection that breaks is made again with the same session: the server keeps what the kernel
says meanwhile for the session whose websocket was the last one on the kernel. What is missing
afterwards is found with a fence, a request that the kernel answers after the run.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Self

import anyio
from anyio.abc import TaskGroup, TaskStatus
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .._backoff import is_transient, reconnect_delays
from .._errors import ConnectionLostError, JupyterAgentError, KernelNotFoundError
from .._http.rest import JupyterRest
from .._http.websocket import closing_reason, nudge
from .._values import InputRequest, KernelActivity, RunningCode, RunStatus
from .conversation import Conversation
from .execution import Execution
from .fence import REPLAY_TIMEOUT, Fence
from .kernel_events import follow_kernel
from .opening import open_kernel
from .requests import Request
from .wire import Message, ProtocolError, Wire, new_session

log = logging.getLogger(__name__)

CLOSE_TIMEOUT = 3.0
# for a new connection, after which the runs are given up
RECONNECT_TIMEOUT = 4.0
# `execute_reply` and `idle` come within milliseconds of each other
REPLY_TIMEOUT = 1.0
# the same where somebody else may get the reply
CONTESTED_REPLY_TIMEOUT = 0.1
PROBE_INTERVAL = 0.5
# how often a kernel is looked at whose end nobody tells, while nothing of a run is heard
WATCH_INTERVAL = 1.0
# so often in a row not seen busy, it is not at our run, nor is it a dead one of which the server
# will tell: that looks every 3 s (`KernelRestarter.time_to_dead`)
LOOKS = 5


class KernelChannels:
    """One kernel, from `run` until `close` or until the connection ends.

    Args:
        rest: The server.
        kernel_id: The kernel.
        contested: All websockets to the kernel share one identity at the server
            (`jupyter-server-documents`): the newest gets the replies, what the others send
            vanishes, and nobody tells of the kernel's end.
    """

    def __init__(self, rest: JupyterRest, kernel_id: str, *, contested: bool = False) -> None:
        self.kernel_id = kernel_id
        self.contested = contested
        self._rest = rest
        self._session = new_session()
        self._talk = Conversation(self._session, contested=contested)
        self.displays = self._talk.displays
        self.requests = self._talk.requests
        self._socket: ClientConnection | None = None
        self._lost: str | None = None
        self._looks = 0
        self._attempt = anyio.CancelScope()
        self._wire = Wire(None, self._session)
        self._held = 0
        self.ended: anyio.Event = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Connect, report `started`, and serve until the connection ends.

        Raises:
            KernelNotFoundError, ConnectError: Before `started`. What happens later is the
                outcome of the runs.
        """
        reason = "the server closed the connection"
        try:
            socket = await self._open()
            task_status.started()
            async with anyio.create_task_group() as asking:
                while socket is not None:
                    reason = await self._serve(socket, asking)
                    socket = None if self._lost is not None else await self._reconnect(reason)
                self._lose(reason)
                asking.cancel_scope.cancel()
        finally:
            self._lose(reason)
            self._talk.displays.clear()
            self.ended.set()

    async def _open(self) -> ClientConnection | None:
        """Connect; None if the connection is not wanted any more."""
        socket = await open_kernel(self._rest, self.kernel_id, self._session)
        if self._lost is not None:
            await socket.close()
            return None
        self._wire.subprotocol = socket.subprotocol
        self._socket = socket
        if self.contested:
            self._talk.process.doubt()
        return socket

    async def _serve(self, socket: ClientConnection, asking: TaskGroup) -> str:
        """Talk on one websocket until it ends; return why it did."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._prove, socket)
                group.start_soon(self._answer_again)
                if self.contested:
                    leave = partial(self._leave, socket)
                    group.start_soon(follow_kernel, self._rest, self.kernel_id, leave)
                reason = await self._read(socket, asking)
                group.cancel_scope.cancel()
        finally:
            self._socket = None
            self.requests.disconnect()
            with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                await socket.close()
        return reason

    async def _reconnect(self, reason: str) -> ClientConnection | None:
        """Connect again within a bound; None if that is not possible, or not wanted any more."""
        log.info("kernel %s: connection ended: %s; connecting again", self.kernel_id, reason)
        with anyio.move_on_after(RECONNECT_TIMEOUT) as self._attempt:
            for delay in reconnect_delays():
                await anyio.sleep(delay)
                try:
                    socket = await self._open()
                except KernelNotFoundError as error:
                    self._lose(str(error), "kernel_gone")
                    return None
                except JupyterAgentError as error:
                    log.info("kernel %s: not connected yet: %s", self.kernel_id, error)
                    if not is_transient(error):
                        self._lose(str(error))
                        return None
                else:
                    if socket is not None and self._talk.current is not None:
                        await self._put_fence(socket, self._talk.process.speaker)
                    return socket
        return None

    async def _put_fence(self, socket: ClientConnection, speaker: str, before: int = 0) -> None:
        """Ask something behind the run at the kernel, of whose end it is not sure that it comes."""
        request, frame = self._wire.request("kernel_info_request", {})
        self._talk.fence = Fence(request, speaker, before=before)
        await self._send(socket, frame)

    async def _read(self, socket: ClientConnection, asking: TaskGroup) -> str:
        """Handle what comes until the connection ends; return why it did."""
        talk = self._talk
        asked = talk.asked
        try:
            while True:
                frame = await self._frame(socket)
                if frame is not None:
                    self._looks = 0
                    self._take(frame)
                elif talk.current is not None:
                    await self._end_or_look(socket, talk.current)
                if talk.gone:
                    self._lose("the kernel was shut down")
                    return "the kernel was shut down"
                if talk.asked is not None and talk.asked is not asked and talk.current is not None:
                    asked = talk.asked
                    asking.start_soon(self._answer, talk.current, asked)
                if self.pending:
                    await nudge(socket)
                await self._send_if_free(socket)
        except ConnectionClosed as error:
            return closing_reason(error)

    async def _frame(self, socket: ClientConnection) -> str | bytes | None:
        """Return the next frame, None if the end of a run that is over does not come whole."""
        with anyio.move_on_after(self._patience()):
            return await socket.recv()
        return None

    def _patience(self) -> float | None:
        execution, fence = self._talk.current, self._talk.fence
        if execution is None:
            return None
        if fence is not None and fence.deadline is not None:
            return max(0.0, fence.deadline - anyio.current_time())
        if self.contested:
            return CONTESTED_REPLY_TIMEOUT if execution.idle else WATCH_INTERVAL
        return REPLY_TIMEOUT if execution.idle or execution.reply else None

    async def _end_or_look(self, socket: ClientConnection, run: Execution) -> None:
        """Do what is to be done as nothing is heard of a run for as long as one is patient."""
        talk, fence = self._talk, self._talk.fence
        if fence is not None and fence.deadline is not None:
            talk.end_at_fence(run, fence)
        elif run.idle:
            talk.end_without_reply(run)
        elif fence is not None and fence.is_last:
            talk.end_at_fence(run, fence)
        elif run.reply and not self.contested:
            # of floods, the kernel drops what the server is too slow to take
            before = 0 if fence is None else fence.before + 1
            await self._put_fence(socket, talk.process.speaker, before)
        else:
            await self._look(socket)

    async def _look(self, socket: ClientConnection) -> None:
        """Look whether a kernel that is silent is still at our run."""
        try:
            state = (await self._rest.kernel(self.kernel_id)).state
        except JupyterAgentError as error:
            log.info("kernel %s: not seen: %s", self.kernel_id, error)
            return
        self._looks = self._looks + 1 if state != "busy" else 0
        if self._looks == LOOKS:
            await self._leave(socket, "disconnected")

    async def _leave(self, socket: ClientConnection, status: RunStatus) -> None:
        """End a connection that is of no use any more."""
        self._lose("nothing is heard of the kernel over it", status)
        await socket.close()

    def _lose(self, reason: str, status: RunStatus = "disconnected") -> None:
        """Take no more runs, and end those that there are.

        At once: who learns of the end of a run may be about to give the kernel the next one.
        """
        if self._lost is None:
            self._lost = reason
            log.info("kernel %s: connection ended: %s", self.kernel_id, reason)
        self._talk.end_all(status)
        self._talk.process.proof.set()

    @property
    def lost(self) -> str | None:
        """Why the connection ended, None while it lives."""
        return self._lost

    @property
    def gone(self) -> bool:
        """Whether the kernel said that it was shut down."""
        return self._talk.gone

    @property
    def state(self) -> str:
        """What the kernel does, by its own account."""
        if self._socket is None and self._lost is None:
            return "reconnecting"
        return self._talk.state

    @property
    def pending(self) -> int:
        """How many runs and requests of ours are at the kernel or wait for it."""
        return self._talk.pending

    @property
    def current(self) -> Execution | None:
        """The run of ours that is at the kernel."""
        return self._talk.current

    @property
    def running(self) -> RunningCode | None:
        """The code that the main shell runs, None if it is not known to run any."""
        return self._talk.running

    @property
    def activity(self) -> KernelActivity:
        """What the kernel is busy with, and which of our runs have not been sent."""
        waiting = tuple(run.id for run in self._talk.queue)
        return KernelActivity(self.state, self.running, waiting)

    @property
    def occupied(self) -> bool | None:
        """Whether somebody's code runs in the main shell; None if that is not known yet.

        Our own requests do not count: they are short, and the next one waits for them.
        """
        return True if self._talk.current is not None else self.requests.others_at_work

    def following(self, before: KernelChannels | None) -> Self:
        """Take the place of a connection of the same handle that has ended."""
        if before is not None and not self._talk.relied_on:
            self._talk.relied_on = before._talk.relied_on
        return self

    async def abandon(self) -> None:
        """End the connection that is being made when it is there.

        One that is cut off while the server waits for the kernel is subtracted from those that it
        counts, and the kernel of somebody who is connected would seem to be nobody's.
        """
        if self._socket is not None:
            await self.close()
        else:
            self._lost = "nobody waits for it any more"

    async def close(self) -> None:
        """Close the connection; what runs goes on in the kernel, unheard."""
        if self._lost is None:
            self._lost = "it was closed here"
        self._attempt.cancel()
        with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
            if self._socket is not None:
                await self._socket.close()
            await self.ended.wait()

    # --- requests

    async def submit(self, execution: Execution) -> None:
        """Queue a run and send it as soon as no other run of ours is at the kernel.

        Raises:
            ConnectionLostError: The connection has ended; the code has not been sent.
        """
        if self._lost is not None:
            raise ConnectionLostError(f"kernel {self.kernel_id}", self._lost, applied="no")
        self._talk.queue.append(execution)
        if self._socket is not None:
            await self._send_if_free(self._socket)

    async def request(
        self,
        type_: str,
        content: Mapping[str, Any],
        *,
        channel: str = "shell",
        subshell: str | None = None,
        may_wait: bool = True,
    ) -> Request:
        """Send a request that is no run, past the queue; `remove` it from `requests` in the end.

        It is ended as `queued` if others' code comes first, unless it may wait for that.

        Raises:
            ConnectionLostError: The connection has ended; the request has not been sent.
        """
        process = self._talk.process
        if process.unproven.is_set():
            await process.proof.wait()
        if self._socket is None or self._lost is not None:
            reason = self._lost or "it is being made again"
            raise ConnectionLostError(f"kernel {self.kernel_id}", reason, applied="no")
        request_id, frame = self._wire.request(type_, content, channel, subshell)
        elsewhere = channel != "shell" or subshell is not None
        request = self.requests.add(request_id, may_wait=may_wait or elsewhere)
        await self._send(self._socket, frame)
        return request

    @asynccontextmanager
    async def restarting(self) -> AsyncIterator[None]:
        """Restart the kernel within the block; afterwards its next process has to be heard."""
        process = self._talk.process
        before = process.speaker
        yield
        self._talk.relied_on = ""
        if process.speaker == before and not process.unproven.is_set():
            self._talk.note_restart(before)

    def withdraw(self, execution: Execution) -> bool:
        """Take back a run that has not been sent; False if it has."""
        return self._talk.withdraw(execution)

    async def _send_if_free(self, socket: ClientConnection) -> None:
        talk = self._talk
        if talk.process.unproven.is_set():
            return
        before, talk.before = talk.before, None
        if before is not None and talk.current is not None and not talk.current.begun.is_set():
            await self._put_fence(socket, before)
        if talk.queue and talk.current is None and not self._held:
            await self._send_next(socket)

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[None]:
        """Send no run within the block: an interrupt is on its way, and is not meant for it."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if self._socket is not None:
                with anyio.CancelScope(shield=True):
                    await self._send_if_free(self._socket)

    async def _send_next(self, socket: ClientConnection) -> None:
        execution = self._talk.queue[0]
        execution.message_id, frame = self._wire.request(
            "execute_request",
            {
                "code": execution.code,
                "silent": False,
                "store_history": execution.store_history,
                "user_expressions": {},
                "allow_stdin": execution.on_input is not None,
                # the requests behind ours are other people's
                "stop_on_error": False,
            },
        )
        self._talk.current = self._talk.queue.popleft()
        if await self._send(socket, frame):
            execution.start()
        elif self._talk.current is execution:  # it has not ended meanwhile
            self._talk.current = None
            self._talk.queue.appendleft(execution)

    async def _send(self, socket: ClientConnection, frame: bytes | str) -> bool:
        """Send a frame; False if the connection has ended, of which the reader says why."""
        try:
            # a waiter that is cancelled here must not leave half a frame
            with anyio.CancelScope(shield=True):
                await socket.send(frame)
        except ConnectionClosed:
            return False
        return True

    # --- what code asks its user

    async def _answer(self, execution: Execution, asked: Message) -> None:
        """Ask who gave the code, and tell the kernel; a connection that breaks meanwhile waits."""
        content = asked.content
        request = InputRequest(str(content.get("prompt", "")), bool(content.get("password")))
        answer = await execution.answer(request)
        # the kernel does not look which question an answer is for
        is_asked = self._talk.current is execution and self._talk.asked is asked
        if answer is not None and is_asked:
            self._talk.answered = asked, answer
            await self._send_answer()

    async def _answer_again(self) -> None:
        """Send an answer anew that may not have arrived, if nothing shows that it has."""
        answered = self._talk.answered
        if answered is None or self.contested:
            return
        # what the server has kept, the next question perhaps, comes within that time
        await anyio.sleep(REPLAY_TIMEOUT)
        try:
            others = (await self._rest.kernel(self.kernel_id)).connections - 1
        except JupyterAgentError as error:
            log.warning("kernel %s: an answer may not have arrived: %s", self.kernel_id, error)
            return
        if self._talk.answered is not answered:
            return
        if others > 0:
            # it has kept nothing then: the kernel may have asked something else since
            log.warning("kernel %s: an answer may not have arrived", self.kernel_id)
        else:
            await self._send_answer()

    async def _send_answer(self) -> None:
        if self._talk.answered is None or self._socket is None:
            return
        asked, answer = self._talk.answered
        content = {"status": "ok", "value": answer}
        _, frame = self._wire.request("input_reply", content, "stdin", answers=asked)
        await self._send(self._socket, frame)

    # --- after a restart

    async def _prove(self, socket: ClientConnection) -> None:
        """After each restart, find out when outputs come through again.

        The server follows the new process' outputs a moment later than it passes requests on,
        and what the kernel has published before is lost, be it output or the end of a run.
        """
        process = self._talk.process
        while True:
            await process.unproven.wait()
            try:
                while not process.proof.is_set():
                    probe, frame = self._wire.request("kernel_info_request", {})
                    process.probes.add(probe)
                    await socket.send(frame)
                    with anyio.move_on_after(PROBE_INTERVAL):
                        await process.proof.wait()
                process.unproven = anyio.Event()
                await self._send_if_free(socket)
            except ConnectionClosed:
                return  # the reader says why

    def _take(self, frame: str | bytes) -> None:
        """Handle one frame; one that breaks the protocol is the kernel's fault, and skipped."""
        try:
            message = self._wire.message(frame)
        except ProtocolError as error:
            log.warning("kernel %s: a message was skipped (%s)", self.kernel_id, error)
            if self._talk.current is not None:
                self._talk.current.outputs_lost = True
        else:
            self._talk.receive(message)
