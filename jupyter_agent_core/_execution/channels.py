# SPDX-License-Identifier: BSD-3-Clause
"""The live connection to a kernel: one websocket, and our own queue before it.

One request of ours is at the kernel at a time, so that one which has not been sent can
be withdrawn. Protocol: Jupyter messaging 5.4 over the server's `channels` websocket.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from typing import Any

import anyio
from anyio.abc import TaskStatus
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .._errors import ConnectionLostError, KernelNotFoundError, RequestError
from .._http.rest import JupyterRest
from .._http.websocket import closing_reason, nudge, open_websocket
from .._values import RunStatus
from .execution import Execution
from .outputs import Displays
from .wire import SUBPROTOCOL, Message, Wire, new_session

log = logging.getLogger(__name__)

CLOSE_TIMEOUT = 3.0
# `execute_reply` and `idle` come within milliseconds of each other
REPLY_TIMEOUT = 1.0
PROBE_INTERVAL = 0.5


class KernelChannels:
    """One kernel, from `run` until `close` or until the connection ends.

    Args:
        rest: The server.
        kernel_id: The kernel.
    """

    def __init__(self, rest: JupyterRest, kernel_id: str) -> None:
        self.kernel_id = kernel_id
        self.displays: Displays = Displays()
        self._said = "unknown"
        self._rest = rest
        self._session = new_session()
        self._socket: ClientConnection | None = None
        self._lost: str | None = None
        self._queue: deque[Execution] = deque()
        self._current: Execution | None = None
        self._restarting = False
        self._gone = False
        self._unproven = anyio.Event()
        self._proof = anyio.Event()
        self._probes: set[str] = set()
        self._speaker = ""
        self._former = ""
        self._ended = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Connect, report `started`, and serve until the connection ends.

        Raises:
            KernelNotFoundError, ConnectError: Before `started`. What happens later is the
                outcome of the runs.
        """
        address = self._rest.websocket(
            f"api/kernels/{self.kernel_id}/channels", session_id=self._session
        )
        try:
            socket = await open_websocket(address, subprotocols=[SUBPROTOCOL])
        except RequestError as error:
            if error.status == 404:
                raise KernelNotFoundError(self.kernel_id) from error
            raise
        self._wire = Wire(socket.subprotocol, self._session)
        self._socket = socket
        reason = "the server closed the connection"
        task_status.started()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._prove, socket)
                reason = await self._read(socket)
                group.cancel_scope.cancel()
        finally:
            self._lose(reason)
            with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                await socket.close()
            self._ended.set()

    async def _read(self, socket: ClientConnection) -> str:
        """Handle what comes until the connection ends; return why it did."""
        try:
            while True:
                frame = await self._frame(socket)
                if frame is not None:
                    self._take(frame)
                elif self._current is not None:
                    current, self._current = self._current, None
                    current.end("interrupted")
                if self._gone:
                    return "the kernel was shut down"
                if self.pending:
                    await nudge(socket)
                await self._send_if_free(socket)
        except ConnectionClosed as error:
            return closing_reason(error)

    async def _frame(self, socket: ClientConnection) -> str | bytes | None:
        """Return the next frame, None if a run that is over gets no reply.

        An interrupt that hits ipykernel's own code instead of the user's leaves it at that.
        """
        overdue = self._current is not None and self._current.idle
        with anyio.move_on_after(REPLY_TIMEOUT if overdue else None):
            return await socket.recv()
        return None

    def _lose(self, reason: str) -> None:
        if self._lost is None:
            self._lost = reason
            log.info("kernel %s: connection ended: %s", self.kernel_id, reason)
        self._end_all("disconnected")

    @property
    def lost(self) -> str | None:
        """Why the connection ended, None while it lives."""
        return self._lost

    @property
    def state(self) -> str:
        """What the kernel does, by its own account.

        It also says `idle` after requests that it answers while it runs code (control channel).
        """
        run = self._current
        return "busy" if run is not None and run.begun.is_set() and not run.idle else self._said

    @property
    def pending(self) -> int:
        """How many of our runs are at the kernel or wait for it."""
        return len(self._queue) + (self._current is not None)

    async def close(self) -> None:
        """Close the connection; what runs goes on in the kernel, unheard."""
        if self._lost is None:
            self._lost = "it was closed here"
        if self._socket is not None:
            with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                await self._socket.close()
                await self._ended.wait()

    # --- requests

    async def submit(self, execution: Execution) -> None:
        """Queue a run and send it as soon as no other run of ours is at the kernel.

        Raises:
            ConnectionLostError: The connection has ended; the code has not been sent.
        """
        if self._lost is not None or self._socket is None:
            what = f"kernel {self.kernel_id}"
            raise ConnectionLostError(what, self._lost or "it never began", applied="no")
        self._queue.append(execution)
        await self._send_if_free(self._socket)

    def withdraw(self, execution: Execution) -> bool:
        """Take back a run that has not been sent; False if it has."""
        if execution not in self._queue:
            return False
        self._queue.remove(execution)
        execution.end("aborted")
        return True

    async def _send_if_free(self, socket: ClientConnection) -> None:
        if self._queue and self._current is None and not self._unproven.is_set():
            await self._send_next(socket)

    async def _send_next(self, socket: ClientConnection) -> None:
        execution = self._current = self._queue.popleft()
        execution.message_id, frame = self._wire.request(
            "execute_request",
            {
                "code": execution.code,
                "silent": False,
                "store_history": execution.store_history,
                "user_expressions": {},
                "allow_stdin": False,
                # the requests behind ours are other people's
                "stop_on_error": False,
            },
        )
        try:
            # a waiter that is cancelled here must not leave half a frame
            with anyio.CancelScope(shield=True):
                await socket.send(frame)
        except ConnectionClosed:
            return  # the reader says why
        execution.start()

    # --- after a restart

    def _doubt(self) -> None:
        """The process of the kernel ends: send nothing until the next one is heard."""
        self._former = self._speaker
        self._probes.clear()
        self._proof = anyio.Event()
        self._unproven.set()

    def _hear(self, message: Message) -> None:
        """Note who speaks on iopub, and whether it is the new process."""
        own = message.session == self._session  # some kernels answer in the asker's name
        if message.parent in self._probes:
            proven = own or message.session != self._former
        else:
            proven = not own and message.session != self._former
        if proven:
            self._proof.set()
        if not own:
            self._speaker = message.session

    async def _prove(self, socket: ClientConnection) -> None:
        """After each restart, find out when outputs come through again.

        The server follows the new process' outputs a moment later than it passes requests on,
        and what the kernel has published before is lost, be it output or the end of a run.
        """
        while True:
            await self._unproven.wait()
            try:
                while not self._proof.is_set():
                    probe, frame = self._wire.request("kernel_info_request", {})
                    self._probes.add(probe)
                    await socket.send(frame)
                    with anyio.move_on_after(PROBE_INTERVAL):
                        await self._proof.wait()
                self._unproven = anyio.Event()
                await self._send_if_free(socket)
            except ConnectionClosed:
                return  # the reader says why

    # --- messages

    def _take(self, frame: str | bytes) -> None:
        """Handle one frame; one that breaks the protocol is the kernel's fault, and skipped."""
        try:
            self._receive(self._wire.message(frame))
        except (LookupError, TypeError, AttributeError, ValueError):
            log.exception("kernel %s: a message was skipped", self.kernel_id)

    def _receive(self, message: Message) -> None:
        by_server = message.content.get("execution_state") in ("restarting", "dead")
        if message.channel == "iopub" and not by_server:
            self._hear(message)
        if message.type == "status":
            self._receive_status(message.content["execution_state"], message.parent)
        elif message.type == "shutdown_reply" and message.channel == "iopub":
            # ipykernel broadcasts it when somebody ends or restarts it
            self._restarting = bool(message.content.get("restart"))
            self._gone = not self._restarting
            self._end_all("kernel_gone" if self._gone else "kernel_restarted")
            self._doubt()
        elif self._current is not None and message.parent == self._current.message_id:
            self._receive_own(self._current, message.type, message.content)
        elif message.type == "update_display_data":
            self._update_display(message.content)

    def _receive_status(self, state: str, parent: str) -> None:
        self._said = state
        if state in ("restarting", "dead"):
            # sent by the server, without a parent: the kernel's process has died
            self._end_all("kernel_died")
            self._doubt()
            self._restarting = state == "restarting"
            self._gone = state == "dead"
        elif state == "starting":
            # sent by a new process: one that nobody announced is somebody's restart
            if not self._restarting:
                self._end_all("kernel_restarted")
            self._restarting = False
        elif self._current is not None and parent == self._current.message_id:
            self._current.begun.set()
            self._current.idle = state == "idle"
            self._finish_if_complete()

    def _receive_own(self, execution: Execution, type_: str, content: Mapping[str, Any]) -> None:
        if type_ == "execute_reply":
            execution.reply = content
            self._finish_if_complete()
        elif type_ == "update_display_data":
            self._update_display(content)
        else:
            execution.feed(type_, content)

    def _update_display(self, content: Mapping[str, Any]) -> None:
        display_id = content.get("transient", {}).get("display_id")
        if display_id:
            self.displays.update(display_id, content)

    def _finish_if_complete(self) -> None:
        """The reply comes on one channel, outputs and `idle` on another: wait for both."""
        execution = self._current
        if execution is not None and execution.idle and execution.reply is not None:
            self._current = None
            execution.end(_outcome(execution.reply))

    def _end_all(self, status: RunStatus) -> None:
        """End the run at the kernel with the status, and those behind it unsent."""
        current, self._current = self._current, None
        if current is not None:
            current.end(status)
        while self._queue:
            self._queue.popleft().end("aborted")


def _outcome(reply: Mapping[str, Any]) -> RunStatus:
    if reply["status"] == "error":
        return "interrupted" if reply.get("ename") == "KeyboardInterrupt" else "error"
    return "ok" if reply["status"] == "ok" else "aborted"
