# SPDX-License-Identifier: BSD-3-Clause
"""Real Jupyter servers for tests, and a TCP proxy that can break the way to them."""

import asyncio
import contextlib
import json
import os
import queue
import re
import secrets
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import attrs
import httpx

SECOND_KERNEL = "second"
"""Name of a kernelspec beside `python3`."""

START_TIMEOUT = 45.0
STOP_TIMEOUT = 3.0
_ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/")
# as `python -m`; jsonschema, which validates events, would build a grammar of IRIs for a second
_START = """
import runpy, sys
sys.modules["rfc3987_syntax"] = None
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
# as `python -m ipykernel_launcher`; no test debugs, and the debugger is a third of a kernel's start
KERNEL = """
import sys
sys.modules["debugpy"] = None
from ipykernel.kernelapp import launch_new_instance
launch_new_instance()
"""


@attrs.define
class RunningServer:
    """A Jupyter server of our own in a process of its own.

    Attributes:
        url: Base URL without a slash at its end.
        token: Its API token.
        root: The folder that it serves.
        log: What it has logged, line by line.
    """

    url: str
    token: str = attrs.field(repr=False)
    root: Path
    log: list[str] = attrs.field(repr=False)
    process: subprocess.Popen[str] = attrs.field(repr=False)

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def http(self) -> httpx.Client:
        """A client for the REST API, with nothing of ours."""
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"token {self.token}"
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def kill(self) -> None:
        """End the process without any farewell."""
        self.process.kill()
        self.process.wait()


RUNNING: list[RunningServer] = []
"""Those that run now."""


@contextmanager
def jupyter_server(
    folder: Path,
    *,
    module: str = "jupyter_server",
    extensions: dict[str, bool],
    settings: Sequence[str] = (),
    python: str = sys.executable,
    prefix: str = "",
    port: int = 0,
) -> Iterator[RunningServer]:
    """Start a server on a port that the system chooses, with all of its state in `folder`.

    Args:
        folder: An empty folder, or that of a server that has ended: then it is the same again,
            on another port.
        module: What is run: `jupyter_server` or `jupyterlab`.
        extensions: Extensions to switch on or off, by name.
        settings: Further arguments of its command line.
        python: The interpreter that runs it and its kernels.
        prefix: What its base URL has after the port, without a slash at its end.
        port: Its port, for servers that do not tell which one the system has chosen.
    """
    root = folder / "root"
    token_file = folder / "token"
    if not root.exists():
        root.mkdir()
        token_file.write_text(secrets.token_hex(16))
        _configure(folder, extensions, python)
    token = token_file.read_text()
    process = subprocess.Popen(
        [
            python,
            "-c",
            _START,
            module,
            "--ip=127.0.0.1",
            f"--port={port}",
            "--no-browser",
            "--allow-root",
            f"--ServerApp.root_dir={root}",
            f"--ServerApp.base_url={prefix}/",
            *settings,
        ],
        env=_environment(folder, token),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    log: list[str] = []
    address: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=_read_log, args=(process, log, address), daemon=True)
    reader.start()
    try:
        try:
            url = address.get(timeout=START_TIMEOUT)
        except queue.Empty:
            raise RuntimeError("the Jupyter server did not start:\n" + "".join(log)) from None
        _wait_until_it_answers(url)
        server = RunningServer(url + prefix, token, root, log, process)
        RUNNING.append(server)
        try:
            yield server
            _end_kernels(server)
        finally:
            RUNNING.remove(server)
    finally:
        end_process(process, reader)


def end_process(process: "subprocess.Popen[str]", reader: threading.Thread) -> None:
    """End a server, and the thread that reads its log."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:  # a room that is open leaves a thread behind
        process.kill()
        process.wait()
    reader.join()
    assert process.stderr is not None
    process.stderr.close()


def _wait_until_it_answers(url: str) -> None:
    """It says that it runs, and takes requests a moment later: to connect is not enough."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            httpx.get(url, timeout=START_TIMEOUT, trust_env=False)
            return
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _configure(folder: Path, extensions: dict[str, bool], python: str) -> None:
    config = {"ServerApp": {"jpserver_extensions": extensions}}
    (folder / "config").mkdir()
    (folder / "config" / "jupyter_server_config.json").write_text(json.dumps(config))
    kernel = [python, "-c", KERNEL]
    install_kernelspec(folder, "python3", kernel, title="Python 3 (ipykernel)")
    install_kernelspec(folder, SECOND_KERNEL, kernel)


def install_kernelspec(
    folder: Path, name: str, program: Sequence[str], language: str = "python", title: str = ""
) -> Path:
    """Offer a kernel at the server with its state in `folder`; return where that is written."""
    spec = {
        "argv": [*program, "-f", "{connection_file}"],
        "display_name": title or name.capitalize(),
        "language": language,
    }
    kernel = folder / "data" / "kernels" / name
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps(spec))
    return kernel


def _environment(folder: Path, token: str) -> dict[str, str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment | {
        "JUPYTER_TOKEN": token,
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "JUPYTER_PREFER_ENV_PATH": "0",  # of two kernelspecs of one name that of the data directory
        "IPYTHONDIR": str(folder / "ipython"),
        "MPLCONFIGDIR": str(folder / "matplotlib"),
    }


def _read_log(process: subprocess.Popen[str], log: list[str], address: "queue.Queue[str]") -> None:
    assert process.stderr is not None
    announced = False
    for line in process.stderr:
        log.append(line)
        if announced and (match := _ADDRESS.search(line)):
            address.put(match[1])
            announced = False
        announced = announced or "is running at" in line


def _end_kernels(server: RunningServer) -> None:
    if server.process.poll() is not None:
        return
    with server.http() as http:
        for kernel in http.get("api/kernels").json():
            http.delete(f"api/kernels/{kernel['id']}")


class Proxy:
    """A TCP proxy before a server, which can be cut, stalled and listened to.

    Attributes:
        port: Where it listens.
        heard: What clients have sent through it.
        swallowed: What servers have sent on connections that let nothing through.
        delay: Seconds for which each piece of data is held back, in both directions.

    Args:
        target: The port of the server.
        rewrite: Changes what clients send.
        mute: No answer beyond the HTTP headers comes to a request that contains this.
    """

    def __init__(
        self,
        target: int,
        rewrite: Callable[[bytes], bytes] | None = None,
        mute: bytes | None = None,
    ) -> None:
        self.heard = bytearray()
        self.swallowed = bytearray()
        self.port = 0
        self.delay = 0.0
        self._truncating = False
        self._target = target
        self._rewrite = rewrite
        self._mute = mute
        self._open = asyncio.Event()
        self._open.set()
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def point_to(self, target: int) -> None:
        """Pass on what comes next to another port."""
        self._target = target

    @classmethod
    @asynccontextmanager
    async def before(
        cls,
        target: int,
        *,
        rewrite: Callable[[bytes], bytes] | None = None,
        mute: bytes | None = None,
    ) -> AsyncIterator[Self]:
        """Serve until the end of the block."""
        proxy = cls(target, rewrite, mute)
        listener = await asyncio.start_server(proxy._serve, "127.0.0.1", 0, limit=2**22)
        proxy.port = listener.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            listener.close()
            proxy.cut()
            proxy.resume()
            await asyncio.gather(*proxy._tasks)

    def cut(self) -> None:
        """Break every connection."""
        for connection in self._connections:
            connection.client.transport.abort()
            connection.server.transport.abort()

    def reset(self) -> None:
        """Break every connection so that the client gets a TCP reset."""
        for connection in self._connections:
            # closing a socket that is not to linger sends RST (SO_LINGER in socket(7))
            linger = struct.pack("ii", 1, 0)
            client = connection.client.get_extra_info("socket")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.cut()

    def say(self, opcode: int, payload: bytes) -> None:
        """Send a websocket frame of our own to every client that has a websocket."""
        for connection in self._connections:
            if connection.is_websocket:
                connection.client.write(bytes((0x80 | opcode, len(payload))) + payload)

    def close_websockets(self, code: int) -> None:
        """Say to every client that its websocket is closed (RFC 6455 5.5.1)."""
        self.say(0x8, code.to_bytes(2, "big"))

    def truncate(self) -> None:
        """Let half of what clients send next on a websocket through, and break the connection."""
        self._truncating = True

    def stall(self) -> None:
        """Let nothing through any more, without a word."""
        self._open.clear()

    def stall_open(self) -> None:
        """Let nothing through any more on the connections that are open now."""
        for connection in self._connections:
            connection.stalled = True

    def unmute(self) -> None:
        """Let answers through to all requests that come from now on."""
        self._mute = None

    def resume(self) -> None:
        """Let through what was held back, and all that follows."""
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(writer, to_server, self.swallowed)
        self._connections.add(connection)
        await asyncio.gather(
            self._pump(reader, to_server, partial(self._from_client, connection)),
            self._pump(from_server, writer, connection.from_server),
        )
        self._connections.discard(connection)
        self._tasks.discard(task)

    def _from_client(self, connection: "_Connection", data: bytes) -> bytes:
        self.heard += data
        if self._mute is not None and self._mute in data:
            connection.muted = True
        if b"\r\nUpgrade: websocket\r\n" in data:
            connection.is_websocket = True
        elif self._truncating and connection.is_websocket:
            self._truncating = False
            data = data[: len(data) // 2]
            loop = asyncio.get_running_loop()
            loop.call_soon(connection.client.transport.abort)
            loop.call_soon(connection.server.close)
        return self._rewrite(data) if self._rewrite is not None else data

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        passes: Callable[[bytes], bytes],
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._open.wait()
                writer.write(passes(data))
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


class _Connection:
    def __init__(
        self, client: asyncio.StreamWriter, server: asyncio.StreamWriter, swallowed: bytearray
    ) -> None:
        self.client = client
        self.server = server
        self._swallowed = swallowed
        self.muted = False
        self.is_websocket = False
        self.stalled = False
        self._headers_passed = False

    def from_server(self, data: bytes) -> bytes:
        if self.stalled:
            self._swallowed += data
            return b""
        if not self.muted:
            return data
        if self._headers_passed:
            return b""
        headers, end, _ = data.partition(b"\r\n\r\n")
        self._headers_passed = bool(end)
        return headers + end


@attrs.define
class Restartable:
    """A server that can be killed and started again, behind an address that stays.

    Attributes:
        folder: Where its state is.
        proxy: The address.
        proxies: Others before it.
        server: The one that runs, or was killed last.
    """

    folder: Path
    proxy: Proxy
    server: RunningServer
    _stack: ExitStack
    proxies: list[Proxy] = attrs.field(factory=list)

    def kill(self, *, with_store: bool = True) -> None:
        """End it without any farewell, and delete what is to be gone then."""
        for proxy in (self.proxy, *self.proxies):  # its port may soon be somebody else's
            proxy.point_to(9)
        self.server.kill()
        self._stack.close()
        if not with_store:
            for store in self.folder.rglob(".jupyter_ystore.db*"):
                store.unlink()

    def start(self) -> None:
        """Start it again, on another port."""
        self.server = self._stack.enter_context(jupyter_server(self.folder, extensions={}))
        for proxy in (self.proxy, *self.proxies):
            proxy.point_to(self.server.port)


@asynccontextmanager
async def restartable_server(folder: Path) -> AsyncIterator[Restartable]:
    """Start a server with live documents that can be killed."""
    with ExitStack() as stack:
        running = stack.enter_context(jupyter_server(folder, extensions={}))
        async with Proxy.before(running.port) as proxy:
            yield Restartable(folder, proxy, running, stack)
