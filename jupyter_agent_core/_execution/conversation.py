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
from .fence import Fence, Heard
from .outputs import Displays
from .process import KernelProcess
from .requests import Requests
from .wire import Message

_ENDS_OF_KERNEL = ("kernel_died", "kernel_restarted", "kernel_gone")
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
        relied_on: Who ran our run before, which the next one may rely on; empty if whoever gives
            it knows better.

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
        self.relied_on = ""
        self.said = "unknown"
        self._contested = contested
        self._restarting = False
        self._heard: Heard | None = None
        #: the process that has not replied to the last run
        self._unanswering: str | None = None

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
        # the server that shares our identity is in doubt; a restart interrupts first
        is_interrupted = self.current is not None and self.current.interrupted
        restarted = self._contested and status == "kernel_died" and is_interrupted
        self.end_current("kernel_restarted" if restarted else status)
        while self.queue:
            self.queue.popleft().end("aborted")
        self.requests.end_all(status)

    def end_current(self, status: RunStatus) -> None:
        """End the run at the kernel, if there is one."""
        run, fence = self.current, self.fence
        self.current = self.fence = self.asked = self.answered = None
        if run is not None:
            is_sure = fence is None or self._is_whole(run)
            run.outputs_lost = run.outputs_lost or not is_sure
            if status in _ENDS_OF_KERNEL:
                self.relied_on = ""
            run.end(status)

    def end_at_fence(self, run: Execution, fence: Fence) -> None:
        """End the run at the kernel, whose end has not come through, and will not."""
        run.outputs_lost = True
        is_another = bool(fence.speaker) and self.process.speaker != fence.speaker
        without_reply: RunStatus = "kernel_restarted" if is_another else "lost"
        self.end_current(without_reply if run.reply is None else _outcome(run.reply, run))

    def end_without_reply(self, run: Execution) -> None:
        """End the run at the kernel, which is over; somebody else may have got the reply to it.

        Else an interrupt has hit ipykernel's own code instead of the user's, which can break its
        channel of replies for good, or the connection that broke has swallowed the reply.
        """
        if run.failure is not None:
            self.end_current("interrupted" if run.interrupted else "error")
        elif self._contested:
            self.end_current("ok")
        else:
            is_sure = self.fence is None and self._unanswering != self.process.speaker
            self.end_current("interrupted" if is_sure else "lost")
        self._unanswering = self.process.speaker

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
            return
        if self._heard is not None:
            self._heard.note(message)
        if message.type == "status":
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
            self._note_answered(message)
            self._receive_own(self.current, message)
        elif message.parent in self.requests:
            self.requests.take(message)
        elif message.type == "update_display_data":
            self._update_display(message.content)
        elif message.type == "execute_input":
            self.requests.others_code = message.content["code"]

    def _note_answered(self, message: Message) -> None:
        """The kernel goes on after its question, unless it said this before and is heard late.

        A question overtakes outputs, which come on another channel.
        """
        if self.answered is not None and not "" < message.date <= self.answered[0].date:
            self.answered = None

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
            self._note_answered(message)
            if state == "busy":
                self._heard = Heard(message)
                self.current.after_restart = self.relied_on not in ("", message.session)
                self.relied_on = message.session
            self.current.begin()
            self.current.idle = state == "idle"
            self._finish_if_complete()

    def _receive_own(self, execution: Execution, message: Message) -> None:
        content = message.content
        if message.type == "execute_reply":
            execution.reply = content
            self._unanswering = None
            self._finish_if_complete()
        elif message.type == "update_display_data":
            self._update_display(content)
        elif message.channel == "stdin":
            self.asked = message
        else:
            execution.outputs_lost |= self._is_notice(message)
            execution.feed(message.type, content)

    def _update_display(self, content: Mapping[str, Any]) -> None:
        display_id = content["transient"].get("display_id")
        if display_id:
            self.displays.update(display_id, content)

    def _finish_if_complete(self) -> None:
        """The reply comes on one channel, outputs and `idle` on another: wait for both."""
        execution = self.current
        if execution is not None and execution.idle and execution.reply is not None:
            self.end_current(_outcome(execution.reply, execution))

    def _is_whole(self, execution: Execution) -> bool:
        """Whether it is sure that all was heard from the beginning of the run."""
        heard = self._heard
        return heard is not None and heard.request == execution.message_id and heard.whole


def _outcome(reply: Mapping[str, Any], execution: Execution) -> RunStatus:
    if reply["status"] == "error":
        return "interrupted" if reply.get("ename") == "KeyboardInterrupt" else "error"
    if reply["status"] == "ok":
        return "ok"
    # kernels of other languages tell of an interrupt so, too
    return "interrupted" if execution.taken_up else "aborted"
