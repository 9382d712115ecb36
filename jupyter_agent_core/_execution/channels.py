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


class KernelChannels:
    """One kernel, from `run` until `close` or until the connection ends.

    Args:
        rest: The server.
        kernel_id: The kernel.
    """

    def __init__(self, rest: JupyterRest, kernel_id: str) -> None:
        self.kernel_id = kernel_id
        self.displays = Displays()
        self.state = "unknown"
        self._rest = rest
        self._session = new_session()
        self._socket: ClientConnection | None = None
        self._lost: str | None = None
        self._queue: deque[Execution] = deque()
        self._current: Execution | None = None
        self._restarting = False
        self._gone = False
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
            async for frame in socket:
                self._receive(self._wire.message(frame))
                if self._gone:
                    reason = "the kernel was shut down"
                    break
                if self._current is not None:
                    await nudge(socket)
                elif self._queue:
                    await self._send_next(socket)
        except ConnectionClosed as error:
            reason = closing_reason(error)
        finally:
            self._lose(reason)
            with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                await socket.close()
            self._ended.set()

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
        if self._current is None:
            await self._send_next(self._socket)

    def withdraw(self, execution: Execution) -> bool:
        """Take back a run that has not been sent; False if it has."""
        if execution not in self._queue:
            return False
        self._queue.remove(execution)
        execution.end("aborted")
        return True

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

    # --- messages

    def _receive(self, message: Message) -> None:
        if message.type == "status":
            self._receive_status(message.content["execution_state"], message.parent)
        elif message.type == "shutdown_reply" and message.channel == "iopub":
            # ipykernel broadcasts it when somebody ends or restarts it
            self._restarting = bool(message.content.get("restart"))
            self._gone = not self._restarting
            self._end_all("kernel_gone" if self._gone else "kernel_restarted")
        elif self._current is not None and message.parent == self._current.message_id:
            self._receive_own(self._current, message.type, message.content)
        elif message.type == "update_display_data":
            self._update_display(message.content)

    def _receive_status(self, state: str, parent: str) -> None:
        self.state = state
        if state in ("restarting", "dead"):
            # sent by the server, without a parent: the kernel's process has died
            self._end_all("kernel_died")
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
