# SPDX-License-Identifier: BSD-3-Clause
"""Calls of the blocking API at odd moments: before the loop has begun with them, or after it."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import pytest

from jupyter_agent_core.sync import _portal
from jupyter_agent_core.sync._portal import Portal, _Call, current_portal


def run_script(code: str) -> subprocess.CompletedProcess[str]:
    prelude = "from jupyter_agent_core.sync._portal import current_portal\n"
    command = [sys.executable, "-P", "-W", "ignore::DeprecationWarning", "-c"]
    return subprocess.run(
        [*command, prelude + textwrap.dedent(code)], capture_output=True, text=True, timeout=20
    )


class Work:
    """Something to be done on a loop, which notes whether it was begun."""

    def __init__(self) -> None:
        self.begun = False

    async def __call__(self) -> int:
        self.begun = True
        await anyio.lowlevel.checkpoint()
        return 42


async def test_a_call_that_is_interrupted_before_the_loop_has_it_ends_at_once() -> None:
    work = Work()
    call = _Call(work)
    call.cancel()
    assert call.ended
    with pytest.raises(RuntimeError, match="the process is ending"):
        call.outcome()
    assert not work.begun


async def test_a_call_that_is_interrupted_before_its_task_runs_does_no_work() -> None:
    work, ended = Work(), anyio.Event()
    call = _Call(work, on_end=ended.set)
    call.begin()
    call.cancel()
    with anyio.fail_after(5):
        await ended.wait()
    assert call.ended
    assert not work.begun


def test_a_call_is_waited_for_by_looking_up_from_time_to_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_portal, "WAIT", 0.001)

    async def work() -> int:
        await anyio.sleep(0.05)
        return 42

    assert current_portal().call(work) == 42


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals for threads there")
def test_an_interrupt_that_wakes_nobody_is_seen() -> None:
    """As if it came just before the wait: another thread takes it, and the waiting one sleeps."""
    cancelled = threading.Event()

    async def interrupt_and_sleep() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    with pytest.raises(KeyboardInterrupt):
        current_portal().call(interrupt_and_sleep)
    assert cancelled.is_set()


def test_an_iterator_that_is_no_generator_is_iterated_too() -> None:
    class Numbers:
        def __init__(self) -> None:
            self._next = iter((1, 2))

        def __aiter__(self) -> AsyncIterator[int]:
            return self

        async def __anext__(self) -> int:
            await anyio.lowlevel.checkpoint()
            for number in self._next:
                return number
            raise StopAsyncIteration

    assert list(current_portal().iterate(Numbers)) == [1, 2]


def test_calls_that_the_loop_has_not_begun_at_its_end_are_not_waited_for() -> None:
    portal = Portal()
    before, after = Work(), Work()
    waiting, late = _Call(before), _Call(after)
    portal._calls.add(waiting)
    portal._loop.call_soon_threadsafe(portal._stop.set)
    portal._thread.join(10)
    portal._post(late, late.begin)
    for call in (waiting, late):
        assert call.ended
        with pytest.raises(RuntimeError, match="the process is ending"):
            call.outcome()
    with pytest.raises(RuntimeError, match="the process is ending"):
        portal.call(after)
    assert (before.begun, after.begun) == (False, False)


def test_calls_after_the_end_are_refused() -> None:
    run = run_script("""
        import anyio, atexit

        def late():
            try:
                portal.call(anyio.sleep, 0)
            except RuntimeError as error:
                print(error, flush=True)

        atexit.register(late)
        portal = current_portal()
    """)
    assert (run.stdout, run.stderr) == (f"{_portal.ENDED}\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits there")
def test_a_loop_that_cannot_be_started_is_an_error_and_no_endless_wait() -> None:
    run = run_script("""
        import os, resource

        free = os.dup(0)
        os.close(free)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            current_portal()
        except RuntimeError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    """)
    assert (run.returncode, run.stdout) == (0, "The event loop cannot be started\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_child_of_a_process_that_has_used_nothing_begins_by_itself() -> None:
    run = run_script("""
        import os, sys
        from jupyter_agent_core.sync._portal import on_loop

        if os.fork() == 0:
            print(current_portal().call(on_loop(os.getpid)) == os.getpid(), flush=True)
            sys.exit()
        print("child ended with", os.wait()[1])
    """)
    assert (run.stdout, run.stderr) == ("True\nchild ended with 0\n", "")


def test_a_process_that_imports_ipykernel_is_no_kernel() -> None:
    run = run_script("""
        import ipykernel.kernelapp
        from jupyter_agent_core._handles.run import blocked_kernel
        from jupyter_agent_core.sync._portal import on_loop

        print(current_portal().call(on_loop(blocked_kernel.get)))
    """)
    assert (run.stdout, run.stderr) == ("None\n", "")
