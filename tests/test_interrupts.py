# SPDX-License-Identifier: BSD-3-Clause
"""What a kernel is busy with, and how it is made to stop."""

import anyio
import anyio.lowlevel
import pytest
from questions import begun

from jupyter_agent_core import Kernel, KernelActivity, Notebook, Run, RunningCode, Server
from jupyter_agent_core._handles import run as run_module

# as an interrupt that hits ipykernel while it hands on a message
SILENCED = """
publisher = type(get_ipython().kernel.iopub_socket)
publisher.send_multipart = lambda *arguments, **options: None
"""
# as an interrupt that hits it after the code
UNANSWERED = """
session = get_ipython().kernel.session
send = session.send

def send_others(stream, kind, *arguments, **options):
    if kind == "execute_reply":
        session.send = send
        raise KeyboardInterrupt
    return send(stream, kind, *arguments, **options)

session.send = send_others
"""
FOREVER = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
STUBBORN = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print('begun', flush=True)
time.sleep(600)
"""


@pytest.fixture
async def kernel(notebook: Notebook) -> Kernel:
    await notebook.kernel.execute("1", timeout=30, store_history=False)
    return notebook.kernel


@pytest.fixture
async def theirs(other: Server, kernel: Kernel) -> Kernel:
    """The same kernel, held by another client."""
    assert kernel.id is not None
    theirs = other.kernel(kernel.id)
    await theirs.execute("1", timeout=30, store_history=False)
    return theirs


async def until_busy(kernel: Kernel) -> KernelActivity:
    """Wait until the kernel is known to run something, and return what."""
    with anyio.fail_after(10):
        while True:
            running = kernel.activity.running
            if running is not None and running.first_line is not None:
                return kernel.activity
            await anyio.lowlevel.checkpoint()


async def test_an_interrupt_says_what_it_has_stopped(notebook: Notebook, kernel: Kernel) -> None:
    cell = await notebook.append_cell(FOREVER)
    run = await cell.start()
    await until_busy(kernel)
    with anyio.fail_after(5):
        done = await kernel.interrupt()
    assert done.kernel_id == kernel.id
    assert done.interrupted == RunningCode(run.id, cell.id, "import time")
    assert done.stopped
    assert run.status == "interrupted"


async def test_a_run_is_interrupted_though_the_kernel_is_heard_to_be_busy_before_it_begins(
    kernel: Kernel,
) -> None:
    run = await kernel.start(FOREVER)
    # as a question of ours leaves it for a moment
    run._queue._talk.said = "busy"  # type: ignore[attr-defined]
    with anyio.fail_after(10):
        assert (await run.interrupt()).status == "interrupted"


async def test_code_that_does_not_stop_is_said(kernel: Kernel) -> None:
    run = await kernel.start(STUBBORN)
    with anyio.fail_after(10):
        async for _ in run:
            break
        done = await kernel.interrupt(timeout=1)
        assert not done.stopped
        assert run.status == "running"
    with anyio.fail_after(40):  # the server gives the code 2.5 s to end
        await kernel.restart()
        assert (await run.wait()).status == "kernel_restarted"


async def test_the_code_of_another_client_is_interrupted(kernel: Kernel, theirs: Kernel) -> None:
    run = await theirs.start(FOREVER)
    await until_busy(kernel)
    with anyio.fail_after(5):
        done = await kernel.interrupt()
        assert (done.interrupted, done.stopped) == (RunningCode(None, None, "import time"), True)
        assert (await run.wait()).status == "interrupted"


async def test_an_idle_kernel_is_left_as_it_is(kernel: Kernel, notebook: Notebook) -> None:
    with anyio.fail_after(5):
        done = await kernel.interrupt()
    assert (done.interrupted, done.stopped) == (None, True)
    assert (await kernel.execute("6 * 7", timeout=20)).text == "42"


async def test_a_kernel_that_we_have_not_heard_of_is_interrupted(
    kernel: Kernel, other: Server
) -> None:
    run = await kernel.start(FOREVER)
    await until_busy(kernel)
    assert kernel.id is not None
    with anyio.fail_after(5):
        done = await other.kernel(kernel.id).interrupt()
        assert done.stopped
        assert (await run.wait()).status == "interrupted"


async def test_a_notebook_without_a_kernel_has_nothing_to_interrupt(notebook: Notebook) -> None:
    done = await notebook.kernel.interrupt()
    assert (done.kernel_id, done.interrupted, done.stopped) == (None, None, True)


async def test_what_the_kernel_is_busy_with_is_told(kernel: Kernel, notebook: Notebook) -> None:
    assert kernel.activity == KernelActivity("idle")
    cell = await notebook.append_cell(FOREVER)
    run = await cell.start()
    second = await kernel.start("2")
    await until_busy(kernel)
    code = RunningCode(run.id, cell.id, "import time")
    assert kernel.activity == KernelActivity("busy", code, (second.id,))
    await run.interrupt()
    with anyio.fail_after(5):
        assert (await second.wait()).status == "ok"
    assert kernel.activity.running is None


async def test_a_run_behind_the_code_of_another_client_says_that_it_waits(
    kernel: Kernel, theirs: Kernel
) -> None:
    foreign = await theirs.start(FOREVER)
    busy = await until_busy(kernel)
    assert busy.running == RunningCode(None, None, "import time")
    ours = await kernel.start("6 * 7")
    result = await ours.wait(0.2)
    assert result.status == "queued"
    with anyio.fail_after(5):
        # it has been sent, and an interrupt would hit the others
        assert (await ours.interrupt()).status == "queued"
        assert foreign.status == "running"
        assert kernel.activity.running == RunningCode(None, None, "import time")
        await foreign.interrupt()
        assert (await ours.wait()).text == "42"


async def test_what_code_does_when_it_is_interrupted_is_not_interrupted(kernel: Kernel) -> None:
    run = await kernel.start(
        "import time\ntime.sleep(0.6)\nprint('begun', flush=True)\n"
        "try: time.sleep(100)\nfinally: time.sleep(1); print('cleaned up')"
    )
    await begun(run)
    result = await run.interrupt()
    assert (result.status, "cleaned up" in result.text) == ("interrupted", True)


async def test_an_interrupt_does_not_hit_the_run_behind(kernel: Kernel) -> None:
    for _ in range(30):
        first, second = await kernel.start("1"), await kernel.start("import time; time.sleep(0.05)")
        await first.interrupt()
        with anyio.fail_after(5):
            assert (await second.wait()).status == "ok"


def refuse_interrupts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test fail if the kernel of the run is interrupted."""

    async def interrupt(*_: object) -> None:
        raise AssertionError("the kernel was interrupted")

    monkeypatch.setattr(run._rest, "interrupt_kernel", interrupt)


async def test_an_idle_kernel_whose_reply_is_swallowed_is_not_interrupted(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ipykernel may have left its handler of messages in a way in which that would end it."""
    run = await kernel.start(UNANSWERED)
    with anyio.fail_after(10):
        while not run._execution.idle:
            await anyio.lowlevel.checkpoint()
    refuse_interrupts(run, monkeypatch)
    assert (await run.interrupt()).status == "interrupted"


async def test_a_run_at_a_kernel_that_replies_no_more_is_not_said_to_be_interrupted(
    kernel: Kernel,
) -> None:
    await kernel.execute(UNANSWERED.replace("session.send = send\n", "return\n"), timeout=20)
    result = await kernel.execute("6 * 7", timeout=20)
    assert (result.status, result.text) == ("lost", "42")
    await kernel.restart()
    assert (await kernel.execute("6 * 7", timeout=20)).text == "42"


async def test_short_code_is_let_end(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt at its end can be the end of ipykernel."""
    run = await kernel.start("1")
    refuse_interrupts(run, monkeypatch)
    monkeypatch.setattr(run_module, "SHORTNESS", 5.0)
    assert (await run.interrupt()).status == "ok"


async def test_a_run_ends_at_a_kernel_that_publishes_nothing_any_more(kernel: Kernel) -> None:
    result = await kernel.execute(SILENCED, timeout=20)
    assert (result.status, result.outputs_lost) == ("ok", True)
    await kernel.restart()
    assert (await kernel.execute("6 * 7", timeout=20)).text == "42"
