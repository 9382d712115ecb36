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
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
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
        headers = {"Authorization": f"token {self.token}", "Accept": "application/json"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def kill(self) -> None:
        """End the process without any farewell."""
        self.process.kill()
        self.process.wait()


@contextmanager
def jupyter_server(
    folder: Path, *, module: str = "jupyter_server", extensions: dict[str, bool]
) -> Iterator[RunningServer]:
    """Start a server on a port that the system chooses, with all of its state in `folder`.

    Args:
        folder: An empty folder, or that of a server that has ended: then it is the same again,
            on another port.
        module: What is run: `jupyter_server` or `jupyterlab`.
        extensions: Extensions to switch on or off, by name.
    """
    root = folder / "root"
    token_file = folder / "token"
    if not root.exists():
        root.mkdir()
        token_file.write_text(secrets.token_hex(16))
        _configure(folder, extensions)
    token = token_file.read_text()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            module,
            "--ip=127.0.0.1",
            "--port=0",
            "--no-browser",
            "--allow-root",
            f"--ServerApp.root_dir={root}",
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
        _wait_until_it_listens(url)
        server = RunningServer(url, token, root, log, process)
        yield server
        _end_kernels(server)
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:  # a room that is open leaves a thread behind
            process.kill()
            process.wait()
        reader.join()
        assert process.stderr is not None
        process.stderr.close()


def _wait_until_it_listens(url: str) -> None:
    """It says that it runs, and binds its port a moment later."""
    address = urlsplit(url)
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            socket.create_connection((address.hostname, address.port)).close()
            return
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _configure(folder: Path, extensions: dict[str, bool]) -> None:
    config = {"ServerApp": {"jpserver_extensions": extensions}}
    (folder / "config").mkdir()
    (folder / "config" / "jupyter_server_config.json").write_text(json.dumps(config))
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Second",
        "language": "python",
    }
    kernel = folder / "data" / "kernels" / SECOND_KERNEL
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps(spec))


def _environment(folder: Path, token: str) -> dict[str, str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment | {
        "JUPYTER_TOKEN": token,
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_PLATFORM_DIRS": "1",
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
        for kernel in http.get("/api/kernels").json():
            http.delete(f"/api/kernels/{kernel['id']}")


class Proxy:
    """A TCP proxy before a server, which can be cut, stalled and listened to.

    Attributes:
        port: Where it listens.
        heard: What clients have sent through it.

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
        self.port = 0
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

    def stall(self) -> None:
        """Let nothing through any more, without a word."""
        self._open.clear()

    def stall_open(self) -> None:
        """Let nothing through any more on the connections that are open now."""
        for connection in self._connections:
            connection.stalled = True

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
        connection = _Connection(writer, to_server)
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
        return self._rewrite(data) if self._rewrite is not None else data

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        passes: Callable[[bytes], bytes],
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                await self._open.wait()
                writer.write(passes(data))
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


class _Connection:
    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.muted = False
        self.stalled = False
        self._headers_passed = False

    def from_server(self, data: bytes) -> bytes:
        if self.stalled:
            return b""
        if not self.muted:
            return data
        if self._headers_passed:
            return b""
        headers, end, _ = data.partition(b"\r\n\r\n")
        self._headers_passed = bool(end)
        return headers + end
