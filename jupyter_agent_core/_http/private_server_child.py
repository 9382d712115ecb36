# SPDX-License-Identifier: BSD-3-Clause
"""The process of a private Jupyter server: `python -P private_server_child.py ROOT STATE RUNTIME`.

It runs in the environment that has the server, which need not be the one that has this library:
the file imports nothing of ours, and of others only what it starts.

- The token comes in `TOKEN_VARIABLE`, which is gone before any kernel can inherit it.
- stdout carries one line, `MARK` and JSON: `{"url", "pid"}` when the server listens and is
  registered, `{"missing"}` when a package is not there. What others print goes to stderr.
- stdin is the life line: a byte on it, or its end because the owner died, ends this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, cast

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp
    from jupyter_server.services.kernels.kernelmanager import MappingKernelManager
    from traitlets.config import Config

MARK = b"jupyter-agent-core-private-server "
TOKEN_VARIABLE = "JUPYTER_AGENT_CORE_PRIVATE_TOKEN"  # noqa: S105
PACKAGES = ("jupyter_server", "jupyter_server_fileid", "jupyter_server_ydoc", "ipykernel")
EXTENSIONS = ("jupyter_server_fileid", "jupyter_server_ydoc")

QUIET = 0.03
"""Seconds without a new edit, twice in a row, after which what clients sent has arrived."""
KERNEL_GRACE = 0.6
"""Seconds that kernels have to end by themselves: half after the request, half after SIGTERM."""
WIND_UP = 1.0
"""Seconds for saving and for the kernels' end, both at once."""
DEADLINE = 1.3
"""Seconds after which the process ends, whatever still runs."""


class Child:
    """A private server from its configuration to its end.

    Attributes:
        root_dir: The folder that it serves.
        state_dir: A private folder for all that it writes; removed at the end.
        registration: The runtime file by which others find the server.
    """

    def __init__(self, root_dir: str, state_dir: str, runtime_dir: str, report: int) -> None:
        self.root_dir = root_dir
        self.state_dir = state_dir
        self.registration = os.path.join(runtime_dir, f"jpserver-{os.getpid()}.json")
        self._report = report
        self._app: ServerApp | None = None
        self._serving = False
        self._winding_up: asyncio.Task[None] | None = None

    def serve(self, token: str) -> NoReturn:
        """Run the server until it is stopped; does not return."""
        self._app = app = create_app(self.root_dir, self.state_dir, self.registration, token)
        # All ways to stop a server meet there: life line, SIGTERM, `jupyter server stop`.
        app._cleanup = partial(self.wind_up, app)  # type: ignore[method-assign]
        app.initialize(argv=[], find_extensions=False)
        app.config_manager.read_config_path = [os.path.join(self.state_dir, "config")]
        app.config_manager.write_config_dir = os.path.join(self.state_dir, "config")
        app.io_loop.add_callback(self._ready, app)
        code = 1
        try:
            app.start()
            code = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            # Not `sys.exit`: an open room leaves a thread behind that is never joined.
            self.end(code)

    def _ready(self, app: ServerApp) -> None:
        if not os.path.exists(self.registration):  # the log says why
            self.end(1)
        self._serving = True
        self.tell({"url": app.connection_url, "pid": os.getpid()})

    def tell(self, message: dict[str, Any]) -> None:
        """Send the owner the one message that it waits for."""
        with contextlib.suppress(OSError), open(self._report, "wb") as pipe:
            # The line break: somebody may have printed half a line before we took stdout over.
            pipe.write(b"\n" + MARK + json.dumps(message).encode() + b"\n")

    def watch(self, lifeline: int) -> None:
        """Wait for the owner's word, or its death, and end this process (runs in a thread)."""
        with contextlib.suppress(OSError):
            os.read(lifeline, 1)
        if self._app is not None and self._serving:
            self._app.io_loop.add_callback(self._app._stop)
            time.sleep(DEADLINE)
        self.end(0)

    async def wind_up(self, app: ServerApp) -> None:
        """Leave the registry, save what is pending, end the kernels; bounded, and done once."""
        if self._winding_up is None:
            self._winding_up = asyncio.create_task(self._wind_up(app))
        await asyncio.shield(self._winding_up)

    async def _wind_up(self, app: ServerApp) -> None:
        app.remove_server_info_file()
        app.http_server.stop()
        work = [asyncio.create_task(save_rooms(app)), asyncio.create_task(stop_kernels(app))]
        await asyncio.wait(work, timeout=WIND_UP)

    def end(self, code: int) -> NoReturn:
        """Leave no kernel and no registration, and exit at once (from any thread).

        The state goes too, but after a failure: the owner reads the log there.
        """
        if self._app is not None:
            kill_kernels(self._app)
        with contextlib.suppress(OSError):
            os.unlink(self.registration)
        if code == 0:
            shutil.rmtree(self.state_dir, ignore_errors=True)
        os._exit(code)


def create_app(root_dir: str, state_dir: str, registration: str, token: str) -> ServerApp:
    """The server application, which neither reads nor writes anybody's configuration.

    Where data is found (kernelspecs, trusted notebooks) is left as the user has it.
    """
    # Building its grammars takes seconds, and jsonschema does without it.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    from jupyter_core.application import JupyterApp
    from jupyter_server.serverapp import ServerApp

    def leave_alone(*_: Any, **__: Any) -> None:
        """Load nothing, write nothing."""

    # On the class, because extensions are JupyterApps too, with files of their own.
    JupyterApp.load_config_file = leave_alone  # type: ignore[method-assign]
    JupyterApp.migrate_config = leave_alone  # type: ignore[method-assign]
    send_without_delay()
    app: ServerApp = ServerApp.instance(
        config=configuration(root_dir, state_dir, token),
        config_dir=os.path.join(state_dir, "config"),
        runtime_dir=os.path.join(state_dir, "runtime"),
        info_file=registration,
        jpserver_extensions=dict.fromkeys(EXTENSIONS, True),
        log_level=logging.WARNING,
    )
    listen_on_a_free_port(app)
    return app


def configuration(root_dir: str, state_dir: str, token: str) -> Config:
    """All settings that differ from Jupyter's defaults."""
    from traitlets.config import Config

    def state(name: str) -> str:
        return os.path.join(state_dir, name)

    return Config(
        {
            "ServerApp": {
                "ip": "127.0.0.1",
                "port": 0,
                "base_url": "/",
                "root_dir": root_dir,
                "allow_root": True,
                "open_browser": False,
                "no_browser_open_file": True,
                "reraise_server_extension_failures": True,
            },
            "IdentityProvider": {"token": token},
            # A new password would be stored in the user's configuration.
            "PasswordIdentityProvider": {"allow_password_change": False},
            # It drops output: a client that wants less can say so.
            "ZMQChannelsWebsocketConnection": {"limit_rate": False},
            "BaseFileIdManager": {"db_path": state("fileid.db")},
            "SQLiteYStore": {"db_path": state("ystore.db")},
            "YDocExtension": {"session_store_path": state("sessions.json")},
        }
    )


def listen_on_a_free_port(app: ServerApp) -> None:
    """Keep the port that was found: the server closes it and opens it again, open to a race."""
    from tornado.netutil import bind_sockets

    sockets = bind_sockets(0, "127.0.0.1")

    def find() -> None:
        app.port = sockets[0].getsockname()[1]

    def bind() -> bool:
        app.http_server.add_sockets(sockets)
        return True

    app._find_http_port = find  # type: ignore[method-assign]
    app._bind_http_server_tcp = bind  # type: ignore[method-assign]


def send_without_delay() -> None:
    """Tornado leaves Nagle's algorithm on for websockets: every second small frame waits 40 ms."""
    from tornado.iostream import IOStream
    from tornado.websocket import WebSocketHandler

    detach = WebSocketHandler._detach_stream

    def detach_without_delay(self: WebSocketHandler) -> IOStream:
        stream = detach(self)
        stream.set_nodelay(True)
        return stream

    WebSocketHandler._detach_stream = detach_without_delay  # type: ignore[method-assign]


async def save_rooms(app: ServerApp) -> None:
    """Save each document that waits for its delayed save, also for edits still on their way in."""
    quiet = 0
    while quiet < 2:
        await asyncio.sleep(QUIET)
        saving = [task for room in document_rooms(app) if (task := save_if_pending(room))]
        quiet = 0 if saving else quiet + 1
        if saving:
            await asyncio.wait(saving)


def document_rooms(app: ServerApp) -> Iterator[Any]:
    """The rooms that have a file."""
    from jupyter_server_ydoc.rooms import DocumentRoom  # type: ignore[import-untyped]

    for extension in app.extension_manager.extension_apps["jupyter_server_ydoc"]:
        rooms = extension.ywebsocket_server.rooms
        yield from [room for room in rooms.values() if isinstance(room, DocumentRoom)]


def save_if_pending(room: Any) -> asyncio.Task[None] | None:
    """Start saving at once what the room would save later; None if there is nothing."""
    pending = room._saving_document
    if pending is None or pending.done():
        return None
    saving: asyncio.Task[None] | None = room._save_to_disc()
    return saving


async def stop_kernels(app: ServerApp) -> None:
    """Interrupt the kernels and ask them to end, terminate and then kill those that do not."""
    manager = app.kernel_manager
    for kernel_id in manager.list_kernel_ids():
        manager.get_kernel(kernel_id).shutdown_wait_time = KERNEL_GRACE
    await cast(Awaitable[None], manager.shutdown_all())


def kill_kernels(app: ServerApp) -> None:
    """Kill the kernels that still run, with their own children where the platform can."""
    manager: MappingKernelManager | None = getattr(app, "kernel_manager", None)
    if manager is None:
        return
    for kernel_id in manager.list_kernel_ids():
        with contextlib.suppress(KeyError, OSError):
            provisioner = manager.get_kernel(kernel_id).provisioner
            process = getattr(provisioner, "process", None)
            if process is None or process.poll() is not None:
                continue
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(getattr(provisioner, "pgid", None) or process.pid, signal.SIGKILL)


def take_pipes() -> tuple[int, int]:
    """Keep the owner's pipes to ourselves: what is started or printed here uses others.

    Returns:
        The life line to read from and the pipe to report on; neither is inherited.
    """
    lifeline, report = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return lifeline, report


def main() -> None:
    """Serve until the owner wants no more."""
    token = os.environ.pop(TOKEN_VARIABLE)
    root_dir, state_dir, runtime_dir = sys.argv[1:]
    lifeline, report = take_pipes()
    child = Child(root_dir, state_dir, runtime_dir, report)
    threading.Thread(target=child.watch, args=(lifeline,), daemon=True).start()
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        child.tell({"missing": missing[0].replace("_", "-")})
        child.end(1)
    child.serve(token)


if __name__ == "__main__":
    main()
