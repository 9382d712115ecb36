# SPDX-License-Identifier: BSD-3-Clause
"""Kernels that do not answer, or late, or that nobody sees: what runs and questions make of it."""

from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest
from websockets.exceptions import ConnectionClosedError

from jupyter_agent_core import (
    ConnectionLostError,
    InputRequest,
    KernelBusyError,
    KernelInfo,
    KernelTimeoutError,
    KernelUnavailableError,
    ServerUnreachableError,
)
from jupyter_agent_core._execution import channels as channels_module
from jupyter_agent_core._execution import introspection
from jupyter_agent_core._execution.channels import LOOKS, KernelChannels
from jupyter_agent_core._execution.execution import Execution
from jupyter_agent_core._execution.fence import MOST_BEFORE, Fence
from jupyter_agent_core._execution.introspection import Introspection
from jupyter_agent_core._execution.wire import SUBPROTOCOL, Message, Wire


class Socket:
    """A websocket that keeps what it is given, or is closed."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.closed = False

    async def send(self, frame: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        if self.closed:
            raise ConnectionClosedError(None, None)
        self.sent.append(Wire(SUBPROTOCOL, "").message(frame))

    async def close(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed = True


class Rest:
    """A server that knows of one kernel; None is that it does not answer."""

    def __init__(self, *kernels: KernelInfo | None) -> None:
        self._kernels = iter(kernels)

    async def kernel(self, kernel_id: str) -> KernelInfo:
        await anyio.lowlevel.checkpoint()
        kernel = next(self._kernels)
        if kernel is None:
            raise ServerUnreachableError("http://test", "it is silent")
        return kernel


def kernel(state: str = "idle", connections: int = 1) -> KernelInfo:
    return KernelInfo("k", "python3", state, connections, None)


@pytest.fixture
async def socket() -> Socket:
    return Socket()


@pytest.fixture
async def channels(socket: Socket) -> KernelChannels:
    channels = live(Rest(), socket)
    channels._talk.receive(status("starting"))
    return channels


def live(rest: Any, socket: Any) -> KernelChannels:
    channels = KernelChannels(rest, "k")
    channels._wire.subprotocol = SUBPROTOCOL
    channels._socket = socket
    return channels


def status(state: str, parent: str = "") -> Message:
    kind = "execute_request" if parent else ""
    content = {"execution_state": state}
    return Message("iopub", "status", "m", parent, kind, "", "first", content)


def reply(to: Message, **content: Any) -> Message:
    kind = to.type.replace("_request", "_reply")
    return Message(to.channel, kind, "m", to.id, to.type, "", "first", content)


async def answer(channels: KernelChannels, socket: Socket, content: dict[str, object]) -> None:
    """Answer the first question, when it has been sent."""
    await anyio.wait_all_tasks_blocked()
    channels._talk.receive(reply(socket.sent[0], status="ok", **content))


def given(channels: KernelChannels, **options: Any) -> Execution:
    """A run that has been sent."""
    run = Execution("1", channels.displays, **options)
    run.message_id = "ours"
    run.start()
    channels._talk.current = run
    return run


# --- questions


async def test_a_question_that_others_code_has_come_before_is_asked_again_after_that(
    channels: KernelChannels, socket: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introspection, "GRACE", 5.0)
    talk, questions = channels._talk, Introspection(channels, channels._rest)
    matches: list[str] = []

    async def ask() -> None:
        matches.extend((await questions.complete("na", 2, 5)).matches)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            talk.receive(status("busy", "theirs"))
            await anyio.wait_all_tasks_blocked()
            talk.receive(reply(socket.sent[1], status="ok", language_info={"name": "python"}))
            await anyio.wait_all_tasks_blocked()
            assert [asked.channel for asked in socket.sent] == ["shell", "control"]
            talk.receive(status("idle", "theirs"))
            await anyio.wait_all_tasks_blocked()
            place = {"cursor_start": 0, "cursor_end": 2}
            talk.receive(reply(socket.sent[2], status="ok", matches=["name"], **place))
    assert matches == ["name"]
    kinds = ["complete_request", "kernel_info_request", "complete_request"]
    assert [asked.type for asked in socket.sent] == kinds


async def test_a_busy_kernel_that_is_silent_on_its_control_channel_is_said_to_be_busy(
    channels: KernelChannels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introspection, "CONTROL_TIMEOUT", 0.01)
    channels._talk.receive(status("busy", "theirs"))
    with anyio.fail_after(5), pytest.raises(KernelBusyError, match="another client's code"):
        await Introspection(channels, channels._rest).facts(5)
    assert len(channels.requests) == 0


async def test_a_kernel_that_begins_with_no_question_on_any_channel_is_said_to_be_busy(
    channels: KernelChannels, socket: Socket
) -> None:
    with anyio.fail_after(5), pytest.raises(KernelBusyError):
        await Introspection(channels, channels._rest).complete("na", 2, 0.2)
    assert [asked.channel for asked in socket.sent] == ["shell", "shell", "control"]
    assert len(channels.requests) == 0


async def test_a_question_that_could_not_be_sent_in_time_says_so(
    channels: KernelChannels, socket: Socket
) -> None:
    channels._talk.process.doubt()
    with anyio.fail_after(5), pytest.raises(KernelTimeoutError, match="complete_request"):
        await Introspection(channels, channels._rest).complete("na", 2, 0.01)
    assert socket.sent == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"ename": "E", "evalue": "it broke"}, "(it broke)"),
        ({"ename": "E", "evalue": ""}, "(E)"),
        ({}, "(no reason given)"),
    ],
)
async def test_why_a_kernel_fails_to_answer_is_said(
    channels: KernelChannels, socket: Socket, content: dict[str, str], reason: str
) -> None:
    async def fail() -> None:
        await anyio.wait_all_tasks_blocked()
        channels._talk.receive(reply(socket.sent[0], status="error", **content))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(fail)
            with pytest.raises(KernelUnavailableError) as caught:
                await Introspection(channels, channels._rest).inspect("na", 2, 0, 5)
    assert caught.value.reason == f"it has failed to answer inspect_request {reason}"


@pytest.mark.parametrize(
    ("content", "lacking"),
    [
        ({}, "missing required field `matches`"),
        ({"matches": [1], "cursor_start": 0, "cursor_end": 2}, r"Expected `str`, got `int`"),
    ],
)
async def test_an_answer_that_is_none_is_said(
    channels: KernelChannels, socket: Socket, content: dict[str, object], lacking: str
) -> None:
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(answer, channels, socket, content)
            with pytest.raises(KernelUnavailableError, match=lacking):
                await Introspection(channels, channels._rest).complete("na", 2, 5)


async def test_what_a_kernel_says_of_itself_in_another_way_is_said(
    channels: KernelChannels, socket: Socket
) -> None:
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(answer, channels, socket, {"language_info": None})
            with pytest.raises(KernelUnavailableError, match="Expected `object`, got `null`"):
                await Introspection(channels, channels._rest).facts(5)


async def test_nothing_found_may_have_no_data(channels: KernelChannels, socket: Socket) -> None:
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(answer, channels, socket, {"found": False, "data": None})
            found = await Introspection(channels, channels._rest).inspect("na", 2, 0, 5)
    assert (found.found, found.data) == (False, {})


# --- runs


async def test_code_is_not_taken_when_the_connection_has_ended(
    channels: KernelChannels, socket: Socket
) -> None:
    channels._lose("the kernel was shut down")
    with pytest.raises(ConnectionLostError, match="the kernel was shut down") as caught:
        await channels.submit(Execution("1", channels.displays))
    assert caught.value.applied == "no"
    assert (channels.pending, socket.sent) == (0, [])


async def test_code_that_could_not_be_sent_is_sent_on_the_next_connection(
    channels: KernelChannels, socket: Socket
) -> None:
    socket.closed = True
    first, second = (Execution(code, channels.displays) for code in "12")
    for run in (first, second):
        await channels.submit(run)
        assert run.status == "queued"
    assert channels.activity.waiting == (first.id, second.id)
    socket.closed = False
    async with channels.holding():
        assert socket.sent == []
    assert [message.content["code"] for message in socket.sent] == ["1"]
    assert channels.current is first


async def test_a_message_that_cannot_be_read_may_have_been_an_output_of_the_run(
    channels: KernelChannels,
) -> None:
    channels._take(b"nonsense")
    run = given(channels)
    assert not run.result().outputs_lost
    channels._take(b"nonsense")
    assert (run.status, run.result().outputs_lost) == ("queued", True)


async def test_a_run_that_the_kernel_has_replied_to_ends_though_it_publishes_nothing_any_more(
    channels: KernelChannels, socket: Any
) -> None:
    run = given(channels)
    run.reply = {"status": "ok"}
    channels._talk.fence = Fence("asked", "first", replied=True, before=MOST_BEFORE)
    await channels._end_or_look(socket, run)
    assert (run.status, run.outputs_lost, channels.current) == ("ok", True, None)


async def test_a_silent_kernel_is_left_when_it_is_not_seen_busy_for_some_looks_in_a_row(
    socket: Any,
) -> None:
    looks = [kernel()] * (LOOKS - 1) + [kernel("busy")] + [kernel()] * (LOOKS - 1) + [None]
    channels = live(Rest(*looks, kernel()), socket)
    run = given(channels)
    for _ in looks:
        await channels._end_or_look(socket, run)
        assert (run.status, channels.lost, socket.closed) == ("queued", None, False)
    await channels._end_or_look(socket, run)
    assert (run.status, socket.closed) == ("disconnected", True)
    assert channels.lost == "nothing is heard of the kernel over it"


async def test_a_connection_that_is_there_when_it_is_given_up_is_closed(
    channels: KernelChannels, socket: Socket
) -> None:
    channels.ended.set()
    await channels.abandon()
    assert (socket.closed, channels.lost) == (True, "it was closed here")


# --- answers to what code asks


QUESTION = Message("stdin", "input_request", "q", "ours", "execute_request", "", "first", {})


@pytest.mark.parametrize(
    ("seen", "sent", "warnings"),
    [
        (kernel(connections=1), ["Ada"], 0),
        (kernel(connections=2), [], 1),  # the server has kept nothing for us
        (None, [], 1),
    ],
)
async def test_an_answer_that_was_lost_is_sent_again_if_it_is_sure_what_it_is_for(
    socket: Socket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    seen: KernelInfo | None,
    sent: list[str],
    warnings: int,
) -> None:
    monkeypatch.setattr(channels_module, "REPLAY_TIMEOUT", 0)
    channels = live(Rest(seen), None)
    talk = channels._talk

    async def answer(request: InputRequest) -> str:
        return "Ada"

    run = given(channels, on_input=answer)
    talk.receive(QUESTION)
    await channels._answer(run, QUESTION)
    assert socket.sent == []
    live_again: Any = socket
    channels._socket = live_again
    await channels._answer_again()
    assert [message.content["value"] for message in socket.sent] == sent
    assert caplog.text.count("an answer may not have arrived") == warnings


async def test_an_answer_is_not_sent_again_when_the_next_question_is_answered_meanwhile(
    channels: KernelChannels, socket: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels_module, "REPLAY_TIMEOUT", 0)

    async def answer(request: InputRequest) -> str:
        return "Grace"

    run = given(channels, on_input=answer)
    channels._talk.answered = attrs.evolve(QUESTION, id="before"), "Ada"

    class Late(Rest):
        async def kernel(self, kernel_id: str) -> KernelInfo:
            channels._talk.receive(QUESTION)
            await channels._answer(run, QUESTION)
            return await super().kernel(kernel_id)

    rest: Any = Late(kernel())
    channels._rest = rest
    await channels._answer_again()
    assert [message.content["value"] for message in socket.sent] == ["Grace"]
