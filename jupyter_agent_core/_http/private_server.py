# SPDX-License-Identifier: BSD-3-Clause
"""A Jupyter server of our own: a child process that ends with its owner, however that ends.

This side starts it, waits for its one message and stops it; what the server does is in
`private_server_child`.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import IO, Any

import anyio
import anyio.to_thread
import attrs
from jupyter_core.paths import jupyter_runtime_dir

from .._connect_errors import ServerAlreadyRunningError, ServerStartError
from .._errors import ConfigurationError, ExtraNotInstalledError
from .discovery import Folder, folder_identity, holders
from .private_server_child import MARK, TOKEN_VARIABLE
from .runtime_files import RunningServer

CHILD = Path(__file__).with_name("private_server_child.py")
PURPOSE = "A private Jupyter server"
SECRETS = ("TOKEN", "SECRET", "API_KEY", "PASSWORD")
START_TIMEOUT = 30.0
STOP_TIMEOUT = 3.0
LOG_TAIL = 3000
LOCK_INTERVAL = 0.05


@attrs.frozen
class _Launch:
    """What is to be started."""

    root_dir: str
    python: str
    pass_env: frozenset[str]


@asynccontextmanager
async def private_server(
    root_dir: Folder = ".",
    *,
    join: bool = False,
    pass_env: Collection[str] = (),
    python: str = sys.executable,
) -> AsyncIterator[RunningServer]:
    """Run a private Jupyter server with live documents for as long as the context is open.

    It listens on a free port of 127.0.0.1, behind a random token. It neither reads nor writes the
    user's Jupyter configuration, keeps its state in a private folder, and is registered, so that
    others who look for a server in this folder find it. It ends within two seconds after its
    owner has ended, even by `kill -9`: what waits to be saved is saved, its kernels end with it.

    Args:
        root_dir: The folder that it serves.
        join: If a running server holds the folder, join that one instead, which may end before the
            context does. Processes that do this at the same moment end with one server.
        pass_env: Names of environment variables that kernels get although they look like secrets
            (`*TOKEN*`, `*SECRET*`, `*API_KEY*`, `*PASSWORD*`).
        python: The interpreter of an environment with the extra `local`.

    Yields:
        Where it is.

    Raises:
        ConfigurationError: An argument has a value that cannot work.
        ExtraNotInstalledError: The environment of `python` lacks a package of the extra `local`.
        ServerAlreadyRunningError: A running server holds the folder, and is not to be joined or
            cannot be.
        ServerStartError: The server did not start; the end of its log is in the error.
    """
    launch = _launch(root_dir, pass_env, python)
    async with AsyncExitStack() as stack:
        async with _lock(launch):
            found = await holders(launch.root_dir)
            usable = [finding.server for finding in found if join and finding.state == "usable"]
            if found and not usable:
                url, reason = found[0].server.url, found[0].reason
                raise ServerAlreadyRunningError(launch.root_dir, url, reason)
            server = usable[0] if usable else await stack.enter_async_context(_running(launch))
        yield server


def _launch(root_dir: Folder, pass_env: Collection[str], python: str) -> _Launch:
    if not os.path.isdir(root_dir):
        raise ConfigurationError(
            f"root_dir {os.fspath(root_dir)!r} is not a folder: create it first",
            name="root_dir",
            value=root_dir,
        )
    if isinstance(pass_env, str):
        raise ConfigurationError(
            f"pass_env is a collection of names: pass [{pass_env!r}]",
            name="pass_env",
            value=pass_env,
        )
    return _Launch(os.path.abspath(root_dir), python, frozenset(pass_env))


@asynccontextmanager
async def _lock(launch: _Launch) -> AsyncIterator[None]:
    """Let one process at a time look for a server in this folder and start one."""
    try:
        from filelock import FileLock, Timeout  # late: only with the extra `local`
    except ModuleNotFoundError as error:
        raise ExtraNotInstalledError("local", "filelock", PURPOSE) from error
    identity = hashlib.sha256(repr(folder_identity(launch.root_dir)).encode()).hexdigest()
    try:
        os.makedirs(jupyter_runtime_dir(), mode=0o700, exist_ok=True)
        lock = FileLock(
            os.path.join(jupyter_runtime_dir(), f"jupyter-agent-core-{identity[:16]}.lock"),
            thread_local=False,
        )
        with anyio.move_on_after(START_TIMEOUT):
            while not lock.is_locked:
                with suppress(Timeout):
                    lock.acquire(blocking=False)
                    break
                await anyio.sleep(LOCK_INTERVAL)  # somebody else is at it: the OS tells nobody
    except OSError as error:
        raise ServerStartError(f"it cannot be registered ({error})") from error
    if not lock.is_locked:
        raise ServerStartError(
            f"another process has been starting one in {launch.root_dir} for {START_TIMEOUT:g} s"
        )
    try:
        yield
    finally:
        lock.release()


@asynccontextmanager
async def _running(launch: _Launch) -> AsyncIterator[RunningServer]:
    """The child process, from its start to its end."""
    token = secrets.token_urlsafe(32)
    runtime_dir = jupyter_runtime_dir()
    state_dir = tempfile.mkdtemp(prefix="jupyter-agent-core-")  # 0700
    registration: Path | None = None
    try:
        log = Path(state_dir, "server.log")
        process = _spawn(launch, token, state_dir, runtime_dir, log)
        try:
            report = await _report(process, launch, log, token)
            registration = Path(runtime_dir, f"jpserver-{report['pid']}.json")
            yield RunningServer(report["url"], token, launch.root_dir, report["pid"])
        finally:
            with anyio.CancelScope(shield=True):
                await _stop(process)
    finally:
        _remove(state_dir, registration)


def _remove(state_dir: str, registration: Path | None) -> None:
    """What the child removes at its end, in case that it was killed."""
    shutil.rmtree(state_dir, ignore_errors=True)
    if registration is not None:
        registration.unlink(missing_ok=True)


def _spawn(
    launch: _Launch, token: str, state_dir: str, runtime_dir: str, log: Path
) -> subprocess.Popen[bytes]:
    environment = _without_secrets(dict(os.environ), launch.pass_env)
    options: dict[str, Any] = {}
    # Ctrl-C in our terminal is ours: the server ends when we end it.
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    else:
        options["start_new_session"] = True
    try:
        with log.open("wb") as stderr:
            process = subprocess.Popen(  # noqa: S603
                [launch.python, "-P", str(CHILD), launch.root_dir, state_dir, runtime_dir],
                env=environment | {TOKEN_VARIABLE: token},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                **options,
            )
    except OSError as error:
        raise ConfigurationError(
            f"{launch.python!r} cannot be run ({error.strerror}): "
            "python is the path of a Python interpreter",
            name="python",
            value=launch.python,
        ) from error
    _lifelines.add(_pipe(process.stdin))
    return process


def _without_secrets(environment: dict[str, str], pass_env: frozenset[str]) -> dict[str, str]:
    """What kernels may inherit."""
    wanted = {name.upper() for name in pass_env} if os.name == "nt" else pass_env
    return {
        name: value
        for name, value in environment.items()
        if name in wanted or not any(secret in name.upper() for secret in SECRETS)
    }


async def _report(
    process: subprocess.Popen[bytes], launch: _Launch, log: Path, token: str
) -> dict[str, Any]:
    """Wait for the child's message: where it listens, or why it does not."""
    report: dict[str, Any] | None = None
    with anyio.move_on_after(START_TIMEOUT) as scope:
        report = await anyio.to_thread.run_sync(
            _read_report, process, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
        )
    if report is not None and "missing" in report:
        where = "" if launch.python == sys.executable else f" run by {launch.python}"
        raise ExtraNotInstalledError("local", report["missing"], PURPOSE + where)
    if report is not None:
        return report
    if scope.cancelled_caught:
        reason = f"it was not ready within {START_TIMEOUT:g} s"
    else:
        await _ended(process, STOP_TIMEOUT)
        reason = f"its process ended with exit code {process.poll()}"
    raise ServerStartError(reason, _tail(log, token))


def _tail(log: Path, token: str) -> str:
    return log.read_text(encoding="utf-8", errors="replace").replace(token, "…")[-LOG_TAIL:].strip()


def _read_report(process: subprocess.Popen[bytes]) -> dict[str, Any] | None:
    for line in _pipe(process.stdout):
        if line.startswith(MARK):
            report: dict[str, Any] = json.loads(line.removeprefix(MARK))
            return report
    return None


async def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the child to end, terminate and then kill it if it does not, and reap it."""
    lifeline = _pipe(process.stdin)
    _lifelines.discard(lifeline)
    with suppress(OSError):  # it has ended already
        lifeline.write(b"q")
        lifeline.flush()
    with suppress(OSError):
        lifeline.close()
    if not await _ended(process, STOP_TIMEOUT):
        process.terminate()
        if not await _ended(process, STOP_TIMEOUT):
            process.kill()
            await _ended(process)
    _pipe(process.stdout).close()


async def _ended(process: subprocess.Popen[bytes], timeout: float | None = None) -> bool:
    """Whether the process ends within the time."""
    with anyio.move_on_after(timeout) as scope:
        await anyio.to_thread.run_sync(
            process.wait, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
        )
    return not scope.cancelled_caught


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # `_spawn` asked for it
    return stream


_lifelines: set[IO[bytes]] = set()


def _drop_lifelines() -> None:
    """A forked worker must not keep the servers of its parent alive."""
    for lifeline in _lifelines:
        lifeline.close()
    _lifelines.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_lifelines)
