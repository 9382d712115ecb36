# SPDX-License-Identifier: BSD-3-Clause
"""What the messages of a kernel say of it, of our runs and of those of others, without I/O.

Protocol: Jupyter messaging 5.4.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from .._values import RunningCode, RunStatus
from .execution import Execution, first_line_of
from .fence import Fence
from .outputs import Displays
from .process import KernelProcess
from .requests import Requests
from .wire import Message

# what a server says in the kernel's stead when it drops output (`ZMQChannelsWebsocketConnection`)
_DROPPED = ("IOPub data rate exceeded", "IOPub message rate exceeded")


class Conversation:
    """One kernel as far as its messages tell, and our queue before it.

    One run of ours is at the kernel at a time, so that one which has not been sent can be
    withdrawn.

    Attributes:
        displays: The displays of the kernel.
        requests: What we have asked it beside runs, and who is at work.
        process: Which process of the kernel is heard.
        queue: Runs that have not been sent.
        current: The run that has.
        asked: What the code of that run has asked its user last.
        answered: The same with the answer, until the kernel is heard to go on.
        fence: What shows the end of a run whose connection broke.
        gone: The kernel was shut down.
        before: Who spoke for the kernel before, empty if nobody was heard, where it is not sure
            whether the run at the kernel was given to that process or to its next one.

    Args:
        session: Our session with the kernel.
        contested: The messages may be those for another client of the same identity.
    """

    def __init__(self, session: str, *, contested: bool = False) -> None:
        self.displays: Displays = Displays()
        self.requests: Requests = Requests(session)
        self.process: KernelProcess = KernelProcess(session)
        self.queue: deque[Execution] = deque()
        self.current: Execution | None = None
        self.asked: Message | None = None
        self.answered: tuple[Message, str] | None = None
        self.fence: Fence | None = None
        self.gone = False
        self.before: str | None = None
        self.said = "unknown"
        self._contested = contested
        self._restarting = False

    @property
    def state(self) -> str:
        """What the kernel does, by its own account.

        It also says `idle` after requests that it answers while it runs code (on the control
        channel and in subshells).
        """
        run = self.current
        runs = run is not None and run.begun.is_set() and not run.idle
        return "busy" if runs or self.requests.others_at_work else self.said

    @property
    def running(self) -> RunningCode | None:
        """The code that the main shell runs, None if it is not known to run any."""
        run, requests = self.current, self.requests
        if run is not None and run.begun.is_set():
            return run.as_running
        if requests.others_at_work:
            code = requests.others_code
            return RunningCode(None, None, None if code is None else first_line_of(code))
        return None

    @property
    def pending(self) -> int:
        """How many runs and requests of ours are at the kernel or wait for it."""
        return len(self.queue) + (self.current is not None) + len(self.requests)

    def withdraw(self, execution: Execution) -> bool:
        """Take back a run that has not been sent; False if it has."""
        if execution not in self.queue:
            return False
        self.queue.remove(execution)
        execution.end("aborted")
        return True

    def end_all(self, status: RunStatus) -> None:
        """End the run at the kernel with the status, and those behind it unsent."""
        current, self.current = self.current, None
        self.fence = self.asked = self.answered = None
        if current is not None:
            # the server that shares our identity is in doubt; a restart interrupts first
            restarted = self._contested and status == "kernel_died" and current.interrupted
            current.end("kernel_restarted" if restarted else status)
        while self.queue:
            self.queue.popleft().end("aborted")
        self.requests.end_all(status)

    def end_current(self, status: RunStatus) -> None:
        """End the run at the kernel, whose end has not come as it should."""
        current, self.current = self.current, None
        if current is not None:
            current.end(status)

    def end_at_fence(self) -> None:
        """End the run at the kernel, whose end did not come through."""
        fence, self.fence, self.current = self.fence, None, None
        if fence is None:
            return
        if fence.run.reply is not None:
            fence.run.outputs_lost = True
            fence.run.end(_outcome(fence.run))
        else:
            fence.end(self.process.speaker)

    def outcome_without_reply(self, execution: Execution) -> RunStatus:
        """The outcome of a run that is over; somebody else may have got the reply to it.

        Otherwise an interrupt has hit ipykernel's own code instead of the user's.
        """
        failure = execution.failure
        if failure is not None and failure.ename != "KeyboardInterrupt":
            return "error"
        return "ok" if failure is None and self._contested else "interrupted"

    def note_restart(self, before: str) -> None:
        """The kernel is being restarted: nothing is sent until its next process is heard.

        Args:
            before: Who was heard before that was known, empty if nobody.
        """
        self._restarting, self.gone = True, False
        self._end_process(self.process.speaker, is_known=bool(before))
        self.process.doubt()

    def _end_process(self, speaker: str, *, is_known: bool) -> None:
        """A process of the kernel is no more, of which we may hear late.

        A run that it had not begun may be with the next one. If nobody was heard before, that is
        most likely, as the server tells what it has kept from before we connected.
        """
        run = self.current
        is_open = run is not None and not run.begun.is_set()
        if is_open:
            self.current, self.before = None, speaker
        if is_known:
            self.end_all("kernel_restarted")
        if is_open:
            self.current = run

    # --- messages

    def receive(self, message: Message) -> None:
        """Take one message."""
        speaker = self.process.speaker
        by_server = message.content.get("execution_state") in ("restarting", "dead")
        if message.channel == "iopub" and not by_server and not self._is_notice(message):
            self.process.hear(message)
        if self.fence is not None and message.parent == self.fence.request:
            self.fence.receive(message)
        elif message.type == "status":
            self.requests.note_state(message)
            self._receive_status(message, speaker)
        elif message.type == "shutdown_reply" and message.channel == "iopub":
            # ipykernel broadcasts it when somebody ends or restarts it
            if not message.content.get("restart"):
                self.gone = True
                self.end_all("kernel_gone")
                self.process.doubt()
            elif not self.process.is_former(message.session):
                self.note_restart(speaker)
        elif self.current is not None and message.parent == self.current.message_id:
            self.answered = None
            self._receive_own(self.current, message)
        elif message.parent in self.requests:
            self.requests.take(message)
        elif message.type == "update_display_data":
            self._update_display(message.content)
        elif message.type == "execute_input":
            self.requests.others_code = message.content["code"]

    def _is_notice(self, message: Message) -> bool:
        """Whether the server says, in the kernel's stead, that it drops outputs."""
        text = message.content.get("text") if message.type == "stream" else None
        is_from_kernel = message.session == self.process.speaker
        return isinstance(text, str) and text.startswith(_DROPPED) and not is_from_kernel

    def _receive_status(self, message: Message, before: str) -> None:
        state, parent = message.content["execution_state"], message.parent
        self.said = state
        if state in ("restarting", "dead"):
            # sent by the server, without a parent: the kernel's process has died
            self.end_all("kernel_died")
            self.process.doubt()
            self._restarting = state == "restarting"
            self.gone = state == "dead"
        elif state == "starting" and not self._contested:
            if not self._restarting and message.session != before:
                self._end_process(before, is_known=bool(before))
            self._restarting = False
        elif self.current is not None and parent == self.current.message_id:
            self.answered = None
            self.current.begin()
            self.current.idle = state == "idle"
            self._finish_if_complete()

    def _receive_own(self, execution: Execution, message: Message) -> None:
        content = message.content
        if message.type == "execute_reply":
            execution.reply = content
            self._finish_if_complete()
        elif message.type == "update_display_data":
            self._update_display(content)
        elif message.channel == "stdin":
            self.asked = message
        else:
            execution.outputs_lost |= self._is_notice(message)
            execution.feed(message.type, content)

    def _update_display(self, content: Mapping[str, Any]) -> None:
        display_id = content.get("transient", {}).get("display_id")
        if display_id:
            self.displays.update(display_id, content)

    def _finish_if_complete(self) -> None:
        """The reply comes on one channel, outputs and `idle` on another: wait for both."""
        execution = self.current
        if execution is not None and execution.idle and execution.reply is not None:
            self.current = self.fence = self.asked = self.answered = None
            execution.end(_outcome(execution))


def _outcome(execution: Execution) -> RunStatus:
    reply = execution.reply or {}
    if reply["status"] == "error":
        return "interrupted" if reply.get("ename") == "KeyboardInterrupt" else "error"
    if reply["status"] == "ok":
        return "ok"
    # kernels of other languages tell of an interrupt so, too
    return "interrupted" if execution.taken_up else "aborted"
