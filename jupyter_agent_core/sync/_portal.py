# SPDX-License-Identifier: BSD-3-Clause
"""The event loop behind the blocking API: one for each process, in a daemon thread.

It runs from the first use to the end of the process, also between calls: pings are answered
and remote edits arrive. `anyio.from_thread.BlockingPortal` is the same idea; this one needs one
thread switch a call instead of two, and does what that one leaves to its users: a call that is
interrupted (Ctrl-C) is cancelled and its clean-up waited for, and the loop ends cleanly with the
process and is forgotten in a fork.

Closing takes threads of its own, and in an `atexit` callback some Pythons start none any more
(children of multiprocessing do not even run it). So a second thread, which is no daemon, waits
for the main thread's end and closes the loop then. Thread pools refuse new work by that time,
hence `_Workers`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import Context
from functools import partial
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar

import anyio
import anyio.to_thread

from .._handles.run import blocked_kernel

T = TypeVar("T")
P = ParamSpec("P")

log = logging.getLogger(__name__)

# what a cancelled call has for its clean-up: an interrupted run takes 5 s at most
CLEANUP_TIMEOUT = 6.0
EXIT_TIMEOUT = 15.0
# Ctrl-C does not always wake a thread that waits for a lock: never on Windows, and elsewhere not
# if it comes between Python's last look for signals and the wait. Look up from time to time
WAIT = 0.1 if sys.platform == "win32" else 1.0

ENDED = "jupyter_agent_core.sync cannot be used any more: the process is ending"
FORKED = "This was opened before os.fork() and belongs to the parent: connect anew in the child"
ON_THE_LOOP = (
    "A blocking call on the event loop's own thread would wait for itself: await the async API here"
)


class _Call(Generic[T]):
    """One call, from the thread that waits for it to a task of the loop and back.

    Args:
        work: What is to be done on the loop.
        blocked_kernel: The kernel that can run nothing until then.
        on_end: Told of the end, on the loop.
    """

    def __init__(
        self,
        work: Callable[[], Awaitable[T]],
        blocked_kernel: str | None = None,
        on_end: Callable[[], object] | None = None,
    ) -> None:
        self.ended = False
        self._work = work
        self._blocked_kernel = blocked_kernel
        self._on_end = on_end
        self._wake = threading.Lock()
        self._wake.acquire()
        self._task: asyncio.Task[T] | None = None
        self._scope: anyio.CancelScope | None = None
        self._cancelled = False

    # --- on the loop

    def begin(self) -> None:
        """Start the task."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self.end)

    async def _run(self) -> T:
        blocked_kernel.set(self._blocked_kernel)
        with anyio.CancelScope() as self._scope:
            if not self._cancelled:
                return await self._work()
        raise asyncio.CancelledError

    def cancel(self) -> None:
        """Cancel the task; it cleans up before it ends."""
        self._cancelled = True
        if self._task is None:  # it was interrupted before it began
            self.end()
        elif self._scope is not None:
            self._scope.cancel()

    def end(self, task: asyncio.Task[T] | None = None) -> None:
        """Let who waits go on."""
        if task is not None:
            _retrieve(task)
        self.ended = True
        with suppress(RuntimeError):  # it has ended before
            self._wake.release()
        if self._on_end is not None:
            with suppress(RuntimeError):  # the loop of who waited is closed
                self._on_end()

    # --- in the thread

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the end; Ctrl-C interrupts it on every platform."""
        if timeout is not None:
            self._wake.acquire(timeout=timeout)
            return
        while not self._wake.acquire(timeout=WAIT):
            pass

    def outcome(self) -> asyncio.Task[T]:
        """Return the task, which has ended."""
        if self._task is None or not self._task.done() or self._task.cancelled():
            raise RuntimeError(ENDED)
        return self._task


def _kernel_of_this_thread() -> str | None:
    """The id of the kernel that this thread runs code for, and that runs nothing meanwhile.

    Jupyter Server names a kernel's connection file by its id; ipykernel runs code in the main
    thread.
    """
    module = sys.modules.get("ipykernel.kernelapp")
    if module is None or threading.current_thread() is not threading.main_thread():
        return None
    if not module.IPKernelApp.initialized():
        return None
    name: str = os.path.basename(module.IPKernelApp.instance().connection_file)
    return name.removeprefix("kernel-").removesuffix(".json")


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Take note of a task's error, so that asyncio does not report it when nobody else does."""
    if not task.cancelled():
        task.exception()


def _without_plumbing(traceback: TracebackType | None) -> TracebackType | None:
    """Drop what stands between the call and the async function that was called."""
    rest = traceback
    while rest is not None and rest.tb_frame.f_code.co_filename in _PLUMBING:
        rest = rest.tb_next
    return rest or traceback


_PLUMBING = (__file__, contextlib.__file__)


def on_loop(function: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Make a function one for `Portal.call`: what lives on the loop is touched only there."""

    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return function(*args, **kwargs)

    return run


class Held(Generic[T]):
    """An async context manager that one task enters, keeps open and leaves.

    Args:
        manager: The context manager.
        opened: The list to stand in until it has been left.
    """

    value: T

    def __init__(self, manager: AbstractAsyncContextManager[T], opened: list[Held[Any]]) -> None:
        self._manager = manager
        self._settled = asyncio.Event()
        self._leave = asyncio.Event()
        self._leaving = False
        self._scope = anyio.CancelScope()
        self._task = asyncio.get_running_loop().create_task(self._run())
        opened.append(self)
        self._task.add_done_callback(_retrieve)
        self._task.add_done_callback(lambda _: self._settled.set())
        self._task.add_done_callback(lambda _: opened.remove(self))

    @property
    def closed(self) -> bool:
        """True when the context has been left."""
        return self._task.done()

    async def _run(self) -> None:
        with self._scope:
            async with self._manager as self.value:
                self._settled.set()
                await self._leave.wait()
            return
        raise asyncio.CancelledError

    async def entered(self) -> None:
        """Wait until the context has been entered."""
        await self._or_cancelled(self._settled.wait())
        if self._task.done():
            self._task.result()

    async def leave(self) -> None:
        """Leave the context; who comes second waits for the first."""
        first, self._leaving = not self._leaving, True
        self._leave.set()
        await self._or_cancelled(asyncio.wait([self._task]))
        if first:
            self._task.result()

    async def _or_cancelled(self, waiting: Awaitable[object]) -> None:
        """Wait; if that is cancelled, leave at once."""
        try:
            await waiting
        except asyncio.CancelledError:
            self._scope.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([self._task])
            raise


class Portal:
    """An event loop in a thread, and how other threads call what runs on it."""

    def __init__(self) -> None:
        self._refusal: str | None = None
        self._lock = threading.Lock()
        self._users: frozenset[threading.Thread] = frozenset()
        self._calls: set[_Call[Any]] = set()
        self._opened: list[Held[Any]] = []
        self._context = Context()
        self._register()
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="jupyter_agent_core.sync", daemon=True
        )
        self._thread.start()
        ready.result()
        threading.Thread(
            target=self._close_at_exit, name="jupyter_agent_core.sync end", daemon=False
        ).start()

    # --- calls, from any other thread

    def call(self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an async function on the loop and wait for its outcome.

        Raises:
            RuntimeError: It is called on the loop, after a fork or at the end of the process.
        """
        __tracebackhide__ = True  # IPython and pytest do not show this frame
        self._check_usable()
        call = _Call(partial(function, *args, **kwargs), _kernel_of_this_thread())
        self._calls.add(call)
        try:
            self._post(call, call.begin)
            call.wait()
        finally:
            if not call.ended:  # Ctrl-C, or whatever else a signal handler raises
                self._post(call, call.cancel)
                call.wait(CLEANUP_TIMEOUT)
            self._calls.discard(call)
        task = call.outcome()
        error = task.exception()
        if error is None:
            return task.result()
        try:
            raise error.with_traceback(_without_plumbing(error.__traceback__))
        finally:
            del error, task, call  # the traceback would keep them, and they it

    async def call_async(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do the same for async code on another event loop, which goes on meanwhile.

        If it is cancelled, so is the function, and its clean-up is waited for.

        Raises:
            RuntimeError: As of `call`.
        """
        self._check_usable()
        ended = asyncio.Event()
        tell = partial(asyncio.get_running_loop().call_soon_threadsafe, ended.set)
        call = _Call(partial(function, *args, **kwargs), on_end=tell)
        self._calls.add(call)
        try:
            self._post(call, call.begin)
            await ended.wait()
        finally:
            if not call.ended:
                self._post(call, call.cancel)
                with anyio.move_on_after(CLEANUP_TIMEOUT, shield=True):
                    await ended.wait()
            self._calls.discard(call)
        return call.outcome().result()

    def iterate(
        self, function: Callable[P, AsyncIterator[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Iterator[T]:
        """Iterate over what an async generator yields; it is closed with the iterator."""
        items = self.call(on_loop(function), *args, **kwargs)

        async def next_item() -> tuple[T, ...]:
            # StopAsyncIteration does not come through a task
            async for item in items:
                return (item,)
            return ()

        try:
            while item := self.call(next_item):
                yield item[0]
        finally:
            if isinstance(items, AsyncGenerator) and self.usable:
                self.call(items.aclose)

    def hold(
        self,
        make: Callable[P, AbstractAsyncContextManager[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Held[T]:
        """Enter an async context manager; it is left at the end of the process at the latest."""

        async def enter() -> Held[T]:
            held = Held(make(*args, **kwargs), self._opened)
            await held.entered()
            return held

        return self.call(enter)

    def _check_usable(self) -> None:
        if self._refusal is not None:
            raise RuntimeError(self._refusal)
        thread = threading.current_thread()
        if thread is self._thread:
            raise RuntimeError(ON_THE_LOOP)
        if thread not in self._users:
            self._register()

    def _register(self) -> None:
        """Note who uses the loop, so that it does not end before them."""
        with self._lock:
            alive = {thread for thread in self._users if thread.is_alive()}
            self._users = frozenset(alive | {threading.current_thread()})

    def _post(self, call: _Call[Any], callback: Callable[[], object]) -> None:
        # not in the caller's context: connections outlive it, and it may be that of another loop
        try:
            self._loop.call_soon_threadsafe(callback, context=self._context)
        except RuntimeError:  # the loop is closed
            call.end()

    # --- the loop

    @property
    def usable(self) -> bool:
        """False after a fork, and when the loop has ended."""
        return self._refusal is None

    def _run(self, ready: Future[None]) -> None:
        try:
            asyncio.run(self._serve(ready))
        finally:
            self._refusal = self._refusal or ENDED
            for call in list(self._calls):
                call.end()
            if not ready.done():
                ready.set_exception(RuntimeError("The event loop cannot be started"))

    async def _serve(self, ready: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(_Workers())
        self._stop = asyncio.Event()
        ready.set_result(None)
        await self._stop.wait()
        self._refusal = ENDED
        with anyio.move_on_after(EXIT_TIMEOUT):
            while self._opened:
                await _leave_at_exit(self._opened[-1])

    def _close_at_exit(self) -> None:
        """Close the loop when everybody who uses it has ended (runs in a thread of its own)."""
        threading.main_thread().join()
        while users := [user for user in self._users if user.is_alive() and not user.daemon]:
            users[0].join()
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(EXIT_TIMEOUT + CLEANUP_TIMEOUT)

    def abandon(self) -> None:
        """Refuse every further call: in a forked process the loop's thread does not exist."""
        self._refusal = FORKED


async def _leave_at_exit(held: Held[Any]) -> None:
    leaving = asyncio.create_task(held.leave())
    await asyncio.wait([leaving])
    if not leaving.cancelled() and (error := leaving.exception()):
        log.warning("closing at exit: %s", error)


class _Workers(ThreadPoolExecutor):
    """AnyIO's worker threads as the loop's executor: a pool refuses work at the end."""

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run the function in a thread (called on the loop, to look up a host)."""
        work = anyio.to_thread.run_sync(partial(function, *args, **kwargs), abandon_on_cancel=True)
        return asyncio.run_coroutine_threadsafe(work, asyncio.get_running_loop())


_portal: Portal | None = None
_lock = threading.Lock()


def current_portal() -> Portal:
    """Return the portal of this process, started when it is first asked for."""
    global _portal
    with _lock:
        if _portal is None or not _portal.usable:
            _portal = Portal()
        return _portal


def _forget() -> None:
    """Begin anew in a forked process."""
    global _portal, _lock
    if _portal is not None:
        _portal.abandon()
    _portal, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


Core = TypeVar("Core")


class Handle(Generic[Core]):
    """What the blocking classes are: an async object, and the way to its loop."""

    def __init__(self, core: Core, portal: Portal) -> None:
        self._core = core
        self._portal = portal

    def __repr__(self) -> str:
        return repr(self._core)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._core is self._core

    def __hash__(self) -> int:
        return hash((type(self), id(self._core)))


class HeldHandle(Handle[Core]):
    """A blocking class around an async context manager that has been entered."""

    def __init__(self, held: Held[Core], portal: Portal) -> None:
        super().__init__(held.value, portal)
        self._held = held

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        if not self._held.closed and self._portal.usable:
            self._portal.call(self._held.leave)
