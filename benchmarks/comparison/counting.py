# SPDX-License-Identifier: BSD-3-Clause
"""A proxy before a Jupyter server that counts what clients ask of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import attrs

_CONTROL = 0x8  # the opcodes of close, ping and pong begin here (RFC 6455 5.2)


@attrs.define
class Traffic:
    """What was asked.

    Attributes:
        requests: HTTP requests, without those that open a websocket.
        websockets: Websockets that were opened.
        messages: Messages that clients have sent over websockets.
        size: Bytes in both directions.
    """

    requests: int = 0
    websockets: int = 0
    messages: int = 0
    size: int = 0


class Asked:
    """Counts the requests and messages in what a client sends on one connection."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._body = 0
        self._chunked = False
        self._websocket = False

    def feed(self, data: bytes, traffic: Traffic) -> None:
        """Count what has come."""
        self._data += data
        while self._frame(traffic) if self._websocket else self._request(traffic):
            pass

    def _request(self, traffic: Traffic) -> bool:
        """Take the rest of a body, or a head; whether there may be more."""
        if self._chunked:
            _, end, rest = self._data.partition(b"0\r\n\r\n")
            self._data = rest if end else self._data
            self._chunked = not end
            return bool(end)
        taken = min(self._body, len(self._data))
        del self._data[:taken]
        self._body -= taken
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if self._body or not end:
            return False
        self._data = rest
        lines = head.decode("latin-1").lower().split("\r\n")[1:]
        headers = {
            name: value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        self._body = int(headers.get("content-length", 0))
        self._chunked = headers.get("transfer-encoding") == "chunked"
        self._websocket = headers.get("upgrade") == "websocket"
        if self._websocket:
            traffic.websockets += 1
        else:
            traffic.requests += 1
        return True

    def _frame(self, traffic: Traffic) -> bool:
        """Take a frame, which is masked as it comes from a client (RFC 6455 5.2)."""
        if len(self._data) < 2:
            return False
        extended = {126: 2, 127: 8}.get(self._data[1] & 0x7F, 0)
        header = 2 + extended + 4
        if len(self._data) < header:
            return False
        payload = self._data[1] & 0x7F
        if extended:
            payload = int.from_bytes(self._data[2 : 2 + extended])
        if len(self._data) < header + payload:
            return False
        is_last, opcode = self._data[0] & 0x80, self._data[0] & 0x0F
        traffic.messages += bool(is_last and opcode < _CONTROL)
        del self._data[: header + payload]
        return True


class CountingProxy:
    """A TCP proxy that counts.

    Attributes:
        url: Where it listens.
    """

    def __init__(self, target: int) -> None:
        self.url = ""
        self._target = target
        self._traffic = Traffic()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @classmethod
    @asynccontextmanager
    async def before(cls, target: int) -> AsyncIterator[Self]:
        """Serve before the server at this port until the end of the block."""
        proxy = cls(target)
        listener = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        proxy.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        try:
            yield proxy
        finally:
            listener.close()
            for writer in proxy._writers:
                writer.transport.abort()
            await asyncio.gather(*proxy._tasks)

    def take(self) -> Traffic:
        """What was counted since the last time."""
        traffic, self._traffic = self._traffic, Traffic()
        return traffic

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, to_server}
        await asyncio.gather(
            self._pump(reader, to_server, Asked()), self._pump(from_server, writer, None)
        )
        self._writers -= {writer, to_server}

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Asked | None
    ) -> None:
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(1 << 16):
                    self._traffic.size += len(data)
                    if asked is not None:
                        asked.feed(data, self._traffic)
                    writer.write(data)
                    await writer.drain()
        finally:
            writer.close()
