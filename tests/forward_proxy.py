# SPDX-License-Identifier: BSD-3-Clause
"""A forward proxy for tests, as companies have them: CONNECT, plain requests, and a password."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import attrs


@attrs.define(eq=False)
class ForwardProxy:
    """A running forward proxy.

    Attributes:
        places: The port of this machine that each host and port stands for.
        user: `user:password`, if it asks for them.
        asked: The first lines of what it was asked for.
        heard: The heads of all requests, as far as they can be read.
        port: Where it listens.
    """

    places: Mapping[str, int]
    user: str = ""
    asked: list[str] = attrs.field(factory=list)
    heard: bytearray = attrs.field(factory=bytearray)
    port: int = 0
    _tasks: set["asyncio.Task[None]"] = attrs.field(factory=set)

    @property
    def url(self) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"http://{user}127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heard += head
        line = head.partition(b"\r\n")[0].decode()
        self.asked.append(line)
        method, target, _ = line.split(" ")
        parts = urlsplit(target)
        place = target if method == "CONNECT" else f"{parts.hostname}:{parts.port or 80}"
        secret = base64.b64encode(self.user.encode())
        if self.user and b"basic " + secret not in head.replace(b"Basic", b"basic"):
            return await _refuse(writer, b"407 Proxy Authentication Required")
        if place not in self.places:
            return await _refuse(writer, b"403 Forbidden")
        try:
            there = await asyncio.open_connection("127.0.0.1", self.places[place])
        except OSError:
            return await _refuse(writer, b"502 Bad Gateway")
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            # one request a connection
            path = parts._replace(scheme="", netloc="").geturl()
            rest = head.partition(b"\r\n")[2].replace(b"Connection: keep-alive\r\n", b"")
            there[1].write(f"{method} {path} HTTP/1.1\r\nConnection: close\r\n".encode() + rest)
        await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))
        return None

    def cut(self) -> None:
        """Break every connection."""
        for task in tuple(self._tasks):
            task.cancel()


@asynccontextmanager
async def forward_proxy(places: Mapping[str, int], user: str = "") -> AsyncIterator[ForwardProxy]:
    """Run a forward proxy until the end of the block."""
    proxy = ForwardProxy(places, user)
    listener = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listener.close()
        proxy.cut()
        await asyncio.gather(*proxy._tasks, return_exceptions=True)


async def _refuse(writer: asyncio.StreamWriter, status: bytes) -> None:
    writer.write(
        b"HTTP/1.1 " + status + b"\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
    )
    await writer.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
