# SPDX-License-Identifier: BSD-3-Clause
"""What a new process of a kernel means for a run: that of a restart, or the one that has it."""

import anyio
import pytest

from jupyter_agent_core import Notebook
from jupyter_agent_core._execution.conversation import Conversation
from jupyter_agent_core._execution.execution import Execution
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
    with anyio.fail_after(40):
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
