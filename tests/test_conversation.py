# SPDX-License-Identifier: BSD-3-Clause
"""What a new process of a kernel means for a run: that of a restart, or the one that has it."""

import anyio
import attrs
import pytest

from jupyter_agent_core import Notebook
from jupyter_agent_core._execution.conversation import Conversation
from jupyter_agent_core._execution.execution import Execution
from jupyter_agent_core._execution.fence import Fence
from jupyter_agent_core._execution.outputs import Displays
from jupyter_agent_core._execution.wire import Message
from jupyter_agent_core._handles.kernel import Kernel


def status(state: str, session: str, parent: str = "") -> Message:
    kind = "execute_request" if parent else ""
    return Message("iopub", "status", "m", parent, kind, "", session, {"execution_state": state})


def given(talk: Conversation) -> Execution:
    """A run that has been sent."""
    run = Execution("1", Displays())
    run.message_id = "ours_1"
    run.start()
    talk.current = run
    return run


def test_the_start_of_the_process_that_is_heard_first_ends_no_run() -> None:
    talk = Conversation("ours")
    run = given(talk)
    talk.receive(status("starting", "first"))
    assert run.status == "queued"
    assert talk.before == ""
    talk.receive(status("busy", "first", "ours_1"))
    assert run.status == "running"


def test_the_start_of_the_process_that_has_the_run_is_told_late() -> None:
    talk = Conversation("ours")
    talk.receive(status("idle", "first", "theirs_1"))
    run = given(talk)
    talk.receive(status("starting", "first"))
    assert run.status == "queued"


def test_a_process_after_another_one_ends_the_run_that_had_begun() -> None:
    talk = Conversation("ours")
    run = given(talk)
    talk.receive(status("busy", "first", "ours_1"))
    talk.receive(status("starting", "second"))
    assert run.status == "kernel_restarted"
    assert talk.before is None


def test_a_run_that_has_not_begun_may_be_that_of_the_next_process() -> None:
    talk = Conversation("ours")
    talk.receive(status("idle", "first", "theirs_1"))
    run = given(talk)
    talk.receive(status("starting", "second"))
    assert run.status == "queued"
    assert talk.before == "first"


def test_what_the_server_has_kept_of_a_restart_before_we_connected_ends_no_run() -> None:
    talk = Conversation("ours")
    run = given(talk)
    behind = Execution("2", Displays())
    talk.queue.append(behind)
    told = {"status": "ok", "restart": True}
    talk.receive(Message("iopub", "shutdown_reply", "m", "", "", "", "first", told))
    talk.receive(status("starting", "second"))
    assert (run.status, behind.status) == ("queued", "queued")
    assert talk.before == "first"
    talk.receive(status("busy", "second", "ours_1"))
    assert run.status == "running"


def test_a_restart_ends_what_has_not_been_sent() -> None:
    talk = Conversation("ours")
    talk.receive(status("idle", "first", "theirs_1"))
    run = given(talk)
    behind = Execution("2", Displays())
    talk.queue.append(behind)
    talk.note_restart("first")
    assert (run.status, behind.status) == ("queued", "aborted")


def test_a_restart_that_is_told_again_ends_no_run_that_was_given_since() -> None:
    talk = Conversation("ours")
    talk.receive(status("idle", "first", "theirs_1"))
    talk.note_restart("first")
    run = Execution("1", Displays())
    talk.queue.append(run)
    told = {"status": "ok", "restart": True}
    talk.receive(Message("iopub", "shutdown_reply", "m", "", "", "", "first", told))
    assert run.status == "queued"


def said(number: int, kind: str = "stream", **content: object) -> Message:
    """Message of our run, of a kernel that numbers what it sends."""
    channel = "shell" if kind == "execute_reply" else "iopub"
    return Message(
        channel, kind, f"first_1_{number}", "ours_1", "execute_request", "", "first", content
    )


OUTPUT = {"name": "stdout", "text": "1"}
BUSY, IDLE = {"execution_state": "busy"}, {"execution_state": "idle"}


@pytest.mark.parametrize(
    ("numbers", "fenced", "lost"),
    [
        ((7, 8, 9, 10), True, False),
        ((7, 8, 10, 9), True, False),  # iopub and shell overtake each other
        ((7, 9, 10, 11), True, True),
        (
            (7, 9, 10, 11),
            False,
            False,
        ),  # a reply to somebody else
    ],
)
def test_what_is_missing_after_a_broken_connection_shows_in_the_numbers(
    numbers: tuple[int, int, int, int], fenced: bool, lost: bool
) -> None:
    talk = Conversation("ours")
    run = given(talk)
    busy, output, reply, idle = numbers
    talk.receive(said(busy, "status", **BUSY))
    talk.fence = Fence("ours_2", "first") if fenced else None
    talk.receive(said(output, **OUTPUT))
    talk.receive(said(reply, "execute_reply", status="ok"))
    talk.receive(said(idle, "status", **IDLE))
    assert (run.status, run.outputs_lost) == ("ok", lost)


def test_a_run_whose_beginning_was_not_heard_may_miss_outputs() -> None:
    talk = Conversation("ours")
    run = given(talk)
    talk.fence = Fence("ours_2", "first")
    talk.receive(said(8, **OUTPUT))
    talk.receive(said(9, "execute_reply", status="ok"))
    talk.receive(said(10, "status", **IDLE))
    assert (run.status, run.outputs_lost) == ("ok", True)


def test_a_kernel_that_numbers_nothing_may_miss_outputs_after_a_broken_connection() -> None:
    talk = Conversation("ours")
    run = given(talk)
    talk.receive(status("busy", "first", "ours_1"))
    talk.fence = Fence("ours_2", "first")
    talk.receive(said(9, "execute_reply", status="ok"))
    talk.receive(status("idle", "first", "ours_1"))
    assert (run.status, run.outputs_lost) == ("ok", True)


def test_what_forked_processes_print_is_in_no_numbers() -> None:
    talk = Conversation("ours")
    run = given(talk)
    talk.receive(said(7, "status", **BUSY))
    talk.fence = Fence("ours_2", "first")
    talk.receive(attrs.evolve(said(8, **OUTPUT), id="first_2_8"))
    talk.receive(said(8, "execute_reply", status="ok"))
    talk.receive(said(9, "status", **IDLE))
    assert (run.status, run.outputs_lost) == ("ok", True)


def test_answers_behind_a_run_do_not_tell_that_it_is_not_whole() -> None:
    talk = Conversation("ours")
    run = given(talk)
    talk.receive(said(7, "status", **BUSY))
    talk.fence = Fence("ours_2", "first")
    talk.receive(said(9, "status", **IDLE))
    talk.receive(attrs.evolve(said(12, "status", **IDLE), parent="ours_2"))
    talk.receive(said(8, "execute_reply", status="ok"))
    assert (run.status, run.outputs_lost) == ("ok", False)


def test_a_message_with_an_endless_number_has_none() -> None:
    talk = Conversation("ours")
    run = given(talk)
    talk.receive(attrs.evolve(said(7, "status", **BUSY), id=f"first_1_{'7' * 5_000}"))
    talk.fence = Fence("ours_2", "first")
    talk.receive(said(8, "execute_reply", status="ok"))
    talk.receive(said(9, "status", **IDLE))
    assert (run.status, run.outputs_lost) == ("ok", True)


@pytest.mark.parametrize(("contested", "outcome"), [(False, "lost"), (True, "ok")])
def test_a_run_whose_reply_was_swallowed_misses_something_and_leaves_no_fence(
    contested: bool, outcome: str
) -> None:
    talk = Conversation("ours", contested=contested)
    run = given(talk)
    talk.receive(said(7, "status", **BUSY))
    talk.fence = Fence("ours_2", "first")
    talk.answered = said(8, "input_request"), "yes"
    talk.receive(said(10, "status", **IDLE))
    talk.end_without_reply(run)
    assert (run.status, run.outputs_lost) == (outcome, True)
    assert (talk.current, talk.fence, talk.answered) == (None, None, None)


def begin_anew(talk: Conversation) -> None:
    """Let the process that speaks be heard for the first time."""
    process = talk.process.speaker
    talk.process.speaker = ""
    talk.receive(status("starting", process))


@pytest.fixture
async def kernel(notebook: Notebook) -> Kernel:
    await notebook.kernel.execute("import time", timeout=40)
    return notebook.kernel


async def test_a_run_goes_on_whose_process_tells_late_that_it_starts(kernel: Kernel) -> None:
    channels = await kernel._connected()
    with anyio.fail_after(20):
        run = await kernel.start("for n in range(20):\n    time.sleep(0.05); print(n, flush=True)")
        async for _ in run:
            break
        begin_anew(channels._talk)
        result = await run.wait()
    assert (result.status, result.text.split()[-1]) == ("ok", "19")
    assert not result.outputs_lost


@pytest.mark.parametrize(("code", "outcome"), [("6 * 7", "ok"), ("1 / 0", "error")])
async def test_a_run_whose_last_word_the_kernel_has_dropped_ends(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, code: str, outcome: str
) -> None:
    channels = await kernel._connected()
    receive = channels._talk.receive

    def deaf(message: Message) -> None:
        is_end = message.content.get("execution_state") == "idle"
        if not (is_end and message.parent_type == "execute_request"):
            receive(message)

    monkeypatch.setattr(channels._talk, "receive", deaf)
    with anyio.fail_after(10):
        result = await kernel.execute(code)
    assert (result.status, result.outputs_lost) == (outcome, True)
    assert len(result.outputs) == 1


async def test_a_run_given_to_a_process_that_was_restarted_ends_as_that(kernel: Kernel) -> None:
    channels = await kernel._connected()
    run = given(channels._talk)
    channels._talk.before = "another"
    with anyio.fail_after(10):
        await channels.request("kernel_info_request", {})
        await run.done.wait()
    assert run.status == "kernel_restarted"
    assert (await kernel.execute("6 * 7", timeout=20)).text == "42"


async def test_after_a_restart_that_nobody_announced_its_next_process_is_waited_for(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels = await kernel._connected()
    receive = channels._talk.receive

    def deaf(message: Message) -> None:
        if message.type != "shutdown_reply":
            receive(message)

    monkeypatch.setattr(channels._talk, "receive", deaf)
    with anyio.fail_after(90):
        for number in range(3):
            await kernel.restart()
            result = await kernel.execute(f"print({number})")
            assert (result.status, result.text) == ("ok", str(number))


async def test_a_run_that_a_former_process_has_taken_along_ends(kernel: Kernel) -> None:
    channels = await kernel._connected()
    run = given(channels._talk)
    begin_anew(channels._talk)
    with anyio.fail_after(10):
        await channels.request("kernel_info_request", {})  # something has to be heard
        await run.done.wait()
    assert run.status == "lost"
    assert (await kernel.execute("6 * 7", timeout=20)).text == "42"


@pytest.mark.parametrize(
    ("date", "goes_on"),
    [("2026-11-29T04:28:31Z", False), ("2026-11-29T04:28:33Z", True), ("", True)],
)
def test_only_what_comes_after_a_question_says_that_it_has_been_answered(
    date: str, goes_on: bool
) -> None:
    """What the kernel has printed before it asks comes on another channel, perhaps later."""
    talk = Conversation("ours")
    given(talk)
    question = attrs.evolve(said(2, "input_request", prompt="?"), date="2026-11-29T04:28:32Z")
    talk.answered = question, "Ada"
    for message in (said(1, **OUTPUT), status("busy", "first", "ours_1")):
        talk.receive(attrs.evolve(message, date=date))
        assert (talk.answered is None) is goes_on


@pytest.mark.parametrize(
    ("ename", "outcome"), [("ZeroDivisionError", "error"), ("KeyboardInterrupt", "interrupted")]
)
def test_an_exception_tells_how_a_run_ended_whose_reply_does_not_come(
    ename: str, outcome: str
) -> None:
    talk = Conversation("ours")
    run = given(talk)
    talk.receive(said(7, "error", ename=ename, evalue="", traceback=[]))
    talk.receive(said(8, "status", **IDLE))
    talk.end_without_reply(run)
    assert (run.status, talk.current) == (outcome, None)


def test_a_kernel_that_speaks_in_the_askers_name_is_no_other_process() -> None:
    talk = Conversation("ours")
    run = given(talk)
    talk.receive(status("busy", "first", "ours_1"))
    talk.receive(status("busy", "ours", "ours_2"))
    talk.receive(status("starting", "first"))
    assert (run.status, talk.process.speaker) == ("running", "first")
