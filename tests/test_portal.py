# SPDX-License-Identifier: BSD-3-Clause
"""The loop behind the blocking API: calls, contexts, interrupts, and how it ends."""

import _thread
import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import traceback
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from jupyter_agent_core.sync import _portal
from jupyter_agent_core.sync._portal import HeldHandle, Portal, current_portal, on_loop

WAIT = 10.0  # for what comes at once


@pytest.fixture
def portal() -> Portal:
    return current_portal()


def interrupt_main() -> None:
    """What Ctrl-C does."""
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def interrupt_after(event: threading.Event) -> threading.Thread:
    def run() -> None:
        if event.wait(WAIT):
            interrupt_main()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


class Sleeper:
    """Something that sleeps on the loop until it is cancelled, and then cleans up."""

    def __init__(self, clean_up: float = 0) -> None:
        self.begun = threading.Event()
        self.cleaned_up = threading.Event()
        self._clean_up = clean_up

    async def sleep(self) -> None:
        self.begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(self._clean_up)
            self.cleaned_up.set()


class Room:
    """A context with tasks of its own, which notes what becomes of it."""

    def __init__(self) -> None:
        self.entered_by: asyncio.Task[object] | None = None
        self.left_by: asyncio.Task[object] | None = None
        self.error: BaseException | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Room"]:
        self.entered_by = asyncio.current_task()
        try:
            async with anyio.create_task_group() as self.group:
                self.group.start_soon(anyio.sleep_forever)
                yield self
                self.group.cancel_scope.cancel()
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.left_by = asyncio.current_task()


async def answer() -> int:
    await anyio.lowlevel.checkpoint()
    return 42


async def fail() -> None:
    await anyio.lowlevel.checkpoint()
    raise KeyError("on the loop")


def test_a_call_returns_what_the_async_function_returns(portal: Portal):
    assert portal.call(answer) == 42


def test_an_error_points_at_the_line_of_the_caller_with_one_frame_between(portal: Portal):
    with pytest.raises(KeyError) as caught:
        portal.call(fail)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [frame.name for frame in frames] == [
        test_an_error_points_at_the_line_of_the_caller_with_one_frame_between.__name__,
        "call",
        "fail",
    ]
    assert frames[0].line == "portal.call(fail)"


def test_everything_runs_in_one_thread_that_is_not_the_callers(portal: Portal):
    async def where() -> int:
        return threading.get_ident()

    with ThreadPoolExecutor(4) as pool:
        from_threads = set(pool.map(lambda _: portal.call(where), range(20)))
    assert from_threads == {portal.call(on_loop(threading.get_ident))}
    assert threading.get_ident() not in from_threads


def test_there_is_one_portal_in_a_process():
    with ThreadPoolExecutor(4) as pool:
        portals = {id(portal) for portal in pool.map(lambda _: current_portal(), range(20))}
    assert len(portals) == 1


def test_calls_of_several_threads_run_at_the_same_time(portal: Portal):
    arrived: list[anyio.Event] = []

    async def meet() -> int:
        arrived.append(anyio.Event())
        if len(arrived) == 5:
            for event in arrived:
                event.set()
        with anyio.fail_after(WAIT):
            await arrived[-1].wait()
        return len(arrived)

    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(lambda _: portal.call(meet), range(5))) == [5] * 5


def test_a_call_works_inside_a_running_loop(portal: Portal):
    async def main() -> int:
        return portal.call(answer)

    assert asyncio.run(main()) == 42


def test_the_loop_goes_on_between_calls(portal: Portal):
    ticked = threading.Event()

    async def begin() -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(0.01, ticked.set)

    portal.call(begin)
    assert ticked.wait(WAIT)


def test_a_call_on_the_loop_itself_is_refused(portal: Portal):
    with pytest.raises(RuntimeError, match="await the async API here"):
        portal.call(on_loop(portal.call), answer)
    assert portal.call(answer) == 42


# --- contexts


def test_a_context_is_entered_and_left_by_one_task(portal: Portal):
    room = Room()
    held = portal.hold(room.open)
    assert held.value is room
    assert not held.closed
    portal.call(held.leave)
    assert held.closed
    assert room.entered_by is room.left_by
    assert room.error is None


def test_leaving_twice_is_leaving_once(portal: Portal):
    held = portal.hold(Room().open)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: portal.call(held.leave), range(4)))
    assert held.closed


def test_an_error_on_entering_is_raised_and_leaves_nothing(portal: Portal):
    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        raise KeyError("no way in")
        yield

    with pytest.raises(KeyError, match="no way in") as caught:
        portal.hold(broken)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[1:] == ["hold", "call", "broken"]
    assert portal.call(answer) == 42


def test_a_context_that_fails_while_it_is_open_leaves_the_loop_alive(portal: Portal):
    room = Room()
    held = portal.hold(room.open)
    portal.call(on_loop(room.group.start_soon), fail)
    with pytest.raises(ExceptionGroup) as caught:
        portal.call(held.leave)
    assert caught.group_contains(KeyError)
    assert portal.call(answer) == 42


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit, KeyError, SystemExit])
def test_what_ends_a_with_statement_stays_out_of_the_loop(
    portal: Portal, error: type[BaseException]
):
    room = Room()
    with pytest.raises(error), HeldHandle(portal.hold(room.open), portal):
        raise error
    assert room.left_by is not None
    assert room.error is None
    assert portal.call(answer) == 42


# --- interrupts


def test_an_interrupt_cancels_the_call_and_waits_for_its_clean_up(portal: Portal):
    sleeper = Sleeper(clean_up=0.2)
    thread = interrupt_after(sleeper.begun)
    with pytest.raises(KeyboardInterrupt):
        portal.call(sleeper.sleep)
    assert sleeper.cleaned_up.is_set()
    thread.join()
    assert portal.call(answer) == 42


def test_a_clean_up_that_does_not_end_is_not_waited_for(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_portal, "CLEANUP_TIMEOUT", 0.1)
    sleeper = Sleeper(clean_up=5)
    thread = interrupt_after(sleeper.begun)
    with pytest.raises(KeyboardInterrupt):
        portal.call(sleeper.sleep)
    assert not sleeper.cleaned_up.is_set()
    assert portal.call(answer) == 42
    thread.join()
    assert sleeper.cleaned_up.wait(WAIT)


def test_an_interrupt_while_a_context_is_entered_leaves_it(portal: Portal):
    sleeper = Sleeper()

    @asynccontextmanager
    async def slow() -> AsyncIterator[None]:
        await sleeper.sleep()
        yield

    thread = interrupt_after(sleeper.begun)
    with pytest.raises(KeyboardInterrupt):
        portal.hold(slow)
    assert sleeper.cleaned_up.is_set()
    thread.join()


def test_an_interrupt_while_a_context_is_left_leaves_it_at_once(portal: Portal):
    sleeper = Sleeper()

    @asynccontextmanager
    async def slow() -> AsyncIterator[None]:
        yield
        await sleeper.sleep()

    held = portal.hold(slow)
    thread = interrupt_after(sleeper.begun)
    with pytest.raises(KeyboardInterrupt):
        portal.call(held.leave)
    assert sleeper.cleaned_up.is_set()
    assert held.closed
    thread.join()


def test_an_interrupt_of_one_thread_leaves_the_calls_of_others_alone(portal: Portal):
    sleeper, other = Sleeper(), Sleeper()
    released = threading.Event()

    async def wait_for_release() -> bool:
        other.begun.set()
        return await anyio.to_thread.run_sync(released.wait, WAIT)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(portal.call, wait_for_release)
        assert other.begun.wait(WAIT)
        thread = interrupt_after(sleeper.begun)
        with pytest.raises(KeyboardInterrupt):
            portal.call(sleeper.sleep)
        released.set()
        assert waiting.result(WAIT) is True
    thread.join()


# --- the end of the process

PRELUDE = """
    import anyio, logging, os, sys, threading, time
    from contextlib import asynccontextmanager, suppress
    from jupyter_agent_core.sync import _portal
    from jupyter_agent_core.sync._portal import current_portal, on_loop

    def say(*words):
        print(*words, flush=True)

    @asynccontextmanager
    async def room(name="the room"):
        try:
            yield name
        finally:
            say("left", name)
"""


@pytest.fixture
def run_script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(code: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
        script = tmp_path / "script.py"
        script.write_text(textwrap.dedent(PRELUDE) + textwrap.dedent(code))
        command = [sys.executable, "-P", "-W", "ignore::DeprecationWarning", str(script)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout)

    return run


def test_what_is_open_at_the_end_is_left_last_opened_first(run_script: Callable[..., object]):
    run = run_script("""
        portal = current_portal()
        held = [portal.hold(room, name) for name in ("server", "workspace")]
    """)
    assert (run.stdout.split("\n"), run.stderr) == (["left workspace", "left server", ""], "")
    assert run.returncode == 0


def test_leaving_at_the_end_may_look_up_hosts_and_use_threads(run_script: Callable[..., object]):
    """Thread pools refuse work then, and in `atexit` some Pythons start no thread any more."""
    run = run_script("""
        @asynccontextmanager
        async def connection():
            yield
            found = await anyio.getaddrinfo("localhost", 80)
            answer = await anyio.to_thread.run_sync(lambda: 42)
            say(bool(found), answer)

        held = current_portal().hold(connection)
    """)
    assert (run.stdout, run.stderr) == ("True 42\n", "")


def test_threads_that_use_the_loop_are_let_finish_first(run_script: Callable[..., object]):
    run = run_script("""
        main_ended = threading.Event()

        def work():
            held = current_portal().hold(room)
            threading.main_thread().join()
            for _ in range(100):
                current_portal().call(anyio.sleep, 0.001)
            say("done")

        thread = threading.Thread(target=work)
        thread.start()
    """)
    assert (run.stdout, run.stderr) == ("done\nleft the room\n", "")


def test_idle_threads_of_a_pool_do_not_keep_the_process_alive(run_script: Callable[..., object]):
    run = run_script("""
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(2)
        held = pool.submit(current_portal().hold, room).result()
    """)
    assert (run.stdout, run.stderr) == ("left the room\n", "")


def test_an_error_on_leaving_at_the_end_is_logged_and_the_rest_is_left(
    run_script: Callable[..., object],
):
    run = run_script("""
        @asynccontextmanager
        async def broken():
            yield
            raise OSError("edits may be lost")

        portal = current_portal()
        held = portal.hold(room), portal.hold(broken)
    """)
    assert run.stdout == "left the room\n"
    assert run.stderr == "closing at exit: edits may be lost\n"


def test_the_end_waits_for_a_context_only_so_long(run_script: Callable[..., object]):
    run = run_script("""
        _portal.EXIT_TIMEOUT = 0.2

        @asynccontextmanager
        async def endless():
            yield
            await anyio.sleep(600)

        held = current_portal().hold(endless)
    """)
    assert (run.returncode, run.stderr) == (0, "")


def test_calls_of_daemon_threads_end_with_the_process(run_script: Callable[..., object]):
    run = run_script("""
        begun = threading.Event()

        async def wait():
            begun.set()
            await anyio.sleep(600)

        def call():
            # a daemon that prints as the interpreter ends may take it along
            with suppress(RuntimeError):
                current_portal().call(wait)

        threading.Thread(target=call, daemon=True).start()
        assert begun.wait(10)
        held = current_portal().hold(room)
    """)
    assert (run.returncode, run.stdout, run.stderr) == (0, "left the room\n", "")


def test_an_exception_that_ends_the_script_leaves_what_is_open(run_script: Callable[..., object]):
    run = run_script("""
        held = current_portal().hold(room)
        sys.exit("the script's own error")
    """)
    assert (run.returncode, run.stdout) == (1, "left the room\n")
    assert run.stderr == "the script's own error\n"


def test_a_child_of_multiprocessing_leaves_what_it_has_opened(run_script: Callable[..., object]):
    run = run_script("""
        import multiprocessing

        def work():
            global held
            held = current_portal().hold(room, "the child's room")

        if __name__ == "__main__":
            child = multiprocessing.get_context("spawn").Process(target=work)
            child.start()
            child.join()
    """)
    assert (run.stdout, run.stderr) == ("left the child's room\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_forked_child_begins_anew_and_leaves_the_parents_things_alone(
    run_script: Callable[..., object],
):
    run = run_script("""
        parents = current_portal()
        held = parents.hold(room, "the parent's room")
        handle = _portal.HeldHandle(held, parents)
        if os.fork() == 0:
            with handle:
                pass
            try:
                parents.call(anyio.sleep, 0)
            except RuntimeError as error:
                say(error)
            mine = current_portal().hold(room, "the child's room")
            sys.exit()
        say("child ended with", os.wait()[1])
        current_portal().call(anyio.sleep, 0)
    """)
    assert run.stderr == ""
    assert run.stdout.split("\n") == [
        _portal.FORKED,
        "left the child's room",
        "child ended with 0",
        "left the parent's room",
        "",
    ]
