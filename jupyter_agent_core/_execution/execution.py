# SPDX-License-Identifier: BSD-3-Clause
"""One run of code, as it happens."""

from __future__ import annotations

import inspect
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from typing import Any, Protocol

import anyio

from .._values import (
    ErrorOutput,
    ExecutionResult,
    InputHandler,
    InputRequest,
    Output,
    RunningCode,
    RunStatus,
    StreamOutput,
)
from .captures import Captures
from .outputs import Displays, OutputFold, output_of

# what stands for the end of input in an answer, and for a secret in the outputs
END_OF_INPUT = "\x04"
_HIDDEN = "········"
_FIRST_LINE = 100


def first_line_of(code: str) -> str:
    """Return the first line of code, to name it by."""
    lines = code.strip().splitlines() or [""]
    return lines[0][:_FIRST_LINE]


class RunListener(Protocol):
    """Who follows a run, message by message."""

    def on_start(self) -> None:
        """The code has been sent."""

    def on_message(self, type_: str, content: Mapping[str, Any]) -> None:
        """An iopub message of the run has come."""

    def on_end(self) -> None:
        """The run is over, one way or the other."""


class RunQueue(Protocol):
    """Where runs wait for their kernel.

    Attributes:
        kernel_id: The kernel.
    """

    kernel_id: str

    @property
    def running(self) -> RunningCode | None:
        """The code that the kernel runs, None if it is not known to run any."""

    @property
    def state(self) -> str:
        """What the kernel does."""

    def withdraw(self, execution: Execution) -> bool:
        """Take back a run that has not been sent; False if it has."""

    def holding(self) -> AbstractAsyncContextManager[None]:
        """Begin with no other run of ours within the block: an interrupt is on its way."""


class Follower:
    """What has come of a run's outputs and has not been taken yet.

    Args:
        outputs: The outputs until now.
    """

    def __init__(self, outputs: Iterable[Output]) -> None:
        self._waiting: list[Output] = list(outputs)
        #: the end of a stream, in pieces
        self._name = ""
        self._pieces: list[str] = []
        self._came = anyio.Event()

    def add(self, output: Output) -> None:
        """Take one more; a stream that nobody has taken yet grows."""
        if not (isinstance(output, StreamOutput) and output.name == self._name):
            self._settle()
        if isinstance(output, StreamOutput):
            self._name = output.name
            self._pieces.append(output.text)
        else:
            self._waiting.append(output)
        self._came.set()

    def _settle(self) -> None:
        if self._pieces:
            self._waiting.append(StreamOutput(self._name, "".join(self._pieces)))
        self._name, self._pieces = "", []

    def take(self) -> list[Output]:
        """Return what has come."""
        self._settle()
        taken, self._waiting = self._waiting, []
        self._came = anyio.Event()
        return taken

    async def more(self) -> None:
        """Wait until something has come, or the run has ended."""
        await self._came.wait()

    def wake(self) -> None:
        """Let who waits look again."""
        self._came.set()


class Execution:
    """The state of one run.

    Attributes:
        begun: Set when the kernel has begun with it, or never will; before, it may wait behind
            other clients' code.
        outputs_lost: Outputs are missing, or may be.
        after_restart: The kernel's process is not the one of our run before, unknown to its owner.
        input_failure: What `on_input` has raised.
        heard: Something has come of what it does, beside that the kernel has taken it up.

    Args:
        code: What to run.
        displays: The displays of the kernel.
        cell_id: The cell that holds the code, if one does.
        listener: Who follows the run.
        store_history: Let the run count in the kernel's history.
        on_input: Answers what the code asks; without it, the kernel is told not to ask.
    """

    def __init__(
        self,
        code: str,
        displays: Displays,
        *,
        cell_id: str | None = None,
        listener: RunListener | None = None,
        store_history: bool = True,
        on_input: InputHandler | None = None,
    ) -> None:
        self.id: str = uuid.uuid4().hex[:12]
        self.code = code
        self.cell_id = cell_id
        self.store_history = store_history
        self.on_input = on_input
        self.input_failure: BaseException | None = None
        self.heard: bool = False
        self.status: RunStatus = "queued"
        self.message_id = ""
        self.reply: Mapping[str, Any] | None = None
        self.begun: anyio.Event = anyio.Event()
        self.idle = False
        self.outputs_lost: bool = False
        self.after_restart: bool = False
        self.done: anyio.Event = anyio.Event()
        self._listener = listener
        self._followers: list[Follower] = []
        self._fold = OutputFold(displays)
        self._captures = Captures(displays)
        self._execution_count: int | None = None
        self._started: float | None = None
        self._begun: float | None = None
        self._ended: float | None = None
        self._asking: anyio.CancelScope | None = None

    def start(self) -> None:
        """The code has been sent, or is known to have been by what comes back."""
        if self._started is not None:
            return
        self._started = time.monotonic()
        if self._listener is not None:
            self._listener.on_start()

    def begin(self) -> None:
        """The kernel is at it."""
        self.start()
        self.begun.set()
        if self.status == "queued":
            self.status = "running"
            self._begun = time.monotonic()

    def feed(self, type_: str, content: Mapping[str, Any]) -> None:
        """Take one iopub message of the run."""
        self.begin()
        in_widget = False
        if type_ == "execute_input":
            self._execution_count = content["execution_count"]
        else:
            self.heard = True
            in_widget = self._captures.receive(
                type_, content, self.message_id, len(self._fold.items)
            )
            if not in_widget:
                self._fold.feed(type_, content)
            if self._followers and (output := output_of(type_, content)) is not None:
                for follower in self._followers:
                    follower.add(output)
        if self._listener is not None and not in_widget:
            self._listener.on_message(type_, content)

    def end(self, status: RunStatus) -> None:
        """The run is over."""
        self.stop_asking()
        self.status = status
        self._fold.finish()
        self._captures.finish()
        self.outputs_lost |= self._fold.overflowed or self._captures.overflowed
        self._ended = time.monotonic()
        # a run is remembered longer than the document that it was recorded in
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.on_end()
        self.done.set()
        self.begun.set()
        for follower in self._followers:
            follower.wake()

    async def answer(self, request: InputRequest) -> str | None:
        """Return the answer to what the code asks; None if that is of no interest any more.

        What is asked, and what is answered if that is no secret, is an output of the run.
        """
        if self.done.is_set():
            return None
        self.stop_asking()
        answer: str | None = None
        if self.on_input is not None:
            self.status = "input_required"
            with anyio.CancelScope() as asking:
                self._asking = asking
                answer = await self._asked(self.on_input, request)
            if self._asking is not asking:
                return None
            self._asking = None
        self.status = "running"
        if answer is None:
            return END_OF_INPUT
        shown = _HIDDEN if request.password else answer
        self.feed("stream", {"name": "stdin", "text": f"{request.prompt} {shown}\n"})
        return answer

    async def _asked(self, on_input: InputHandler, request: InputRequest) -> str | None:
        try:
            answer: object
            # it may block, as `input()` does
            call = partial(on_input, request)
            if inspect.iscoroutinefunction(on_input):
                answer = call()
            else:
                answer = await anyio.to_thread.run_sync(call, abandon_on_cancel=True)
            if inspect.isawaitable(answer):
                answer = await answer
            if answer is None or isinstance(answer, str):
                return answer
            raise TypeError(f"on_input gives a str or None, not {type(answer).__name__}")
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 (raised to whoever waits for the run)
            self.input_failure = error
            return None

    def stop_asking(self) -> None:
        """What is asked is of no interest any more."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
            self.status = "running"

    @contextmanager
    def followed(self) -> Iterator[Follower]:
        """Follow the outputs within the block, from the first."""
        follower = Follower(self._fold.outputs())
        self._followers.append(follower)
        try:
            yield follower
        finally:
            self._followers.remove(follower)

    def _refold(self, fold: OutputFold) -> None:
        """Take the outputs as somebody else has them by now."""
        before, self._fold = self._fold.outputs(), fold
        if self._followers:
            for output in _beyond(before, fold.outputs()):
                for follower in self._followers:
                    follower.add(output)

    @property
    def ended_at(self) -> float | None:
        """When the run ended, on the monotonic clock; None as long as it goes on."""
        return self._ended

    @property
    def size(self) -> int:
        """About how many characters of output it has."""
        return self._fold.size + self._captures.size

    @property
    def taken_up(self) -> bool:
        """Whether the kernel has run some of it."""
        return self.heard or self._execution_count is not None

    @property
    def over(self) -> bool:
        """Whether the code is at its end, though the kernel may have more to say of it.

        An interrupt would hit the kernel's own code, which can be the kernel's end.
        """
        return self.done.is_set() or self.idle or self.reply is not None

    @property
    def age(self) -> float:
        """Seconds since the kernel has begun with it."""
        return 0.0 if self._begun is None else time.monotonic() - self._begun

    @property
    def failure(self) -> ErrorOutput | None:
        """The exception that ended the code, as far as outputs tell."""
        return self._fold.error

    @property
    def interrupted(self) -> bool:
        """Whether an interrupt ended the code, as far as outputs tell."""
        return self.failure is not None and self.failure.ename == "KeyboardInterrupt"

    @property
    def as_running(self) -> RunningCode:
        """What others are told of it while the kernel is at it."""
        waits_for_input = self.status == "input_required"
        return RunningCode(self.id, self.cell_id, first_line_of(self.code), waits_for_input)

    def result(self) -> ExecutionResult:
        """Return what is known of the run by now."""
        now = self._ended or time.monotonic()
        return ExecutionResult(
            status=self.status,
            outputs=self._captures.among(self._fold.outputs()),
            execution_count=self._execution_count,
            run_id=self.id,
            cell_id=self.cell_id,
            elapsed=now - self._started if self._started is not None else 0.0,
            error=self._fold.error if self.status in ("error", "interrupted") else None,
            outputs_lost=self.outputs_lost,
            after_restart=self.after_restart,
        )


def _beyond(before: tuple[Output, ...], after: tuple[Output, ...]) -> tuple[Output, ...]:
    """Return what has come behind earlier outputs, or in their place."""
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    was = before[same] if same < len(before) else None
    now = after[same] if same < len(after) else None
    if (
        isinstance(was, StreamOutput)
        and isinstance(now, StreamOutput)
        and was.name == now.name
        and now.text.startswith(was.text)
    ):
        return (StreamOutput(now.name, now.text[len(was.text) :]), *after[same + 1 :])
    return after[same:]
