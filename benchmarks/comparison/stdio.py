# SPDX-License-Identifier: BSD-3-Clause
"""An MCP client over stdio that is nothing but JSON-RPC: it favours no server."""

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import attrs
import psutil

PROTOCOL = "2025-06-18"
"""A version that every server here speaks."""

START_TIMEOUT = 60.0
_LONGEST_LINE = 2**27
_LOG, _SHOWN = 2_000, 100


class ServerEndedError(Exception):
    """The server has closed its stdout; the message is the end of its log."""


@attrs.frozen
class Answer:
    """What a tool has answered.

    Attributes:
        refused: Whether it is marked as an error.
        text: Its text blocks, as a host shows them to the model.
        images: MIME types of its image blocks.
        structured: Its structured content as JSON, or nothing.
    """

    refused: bool
    text: str
    images: tuple[str, ...] = ()
    structured: str = ""

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Self:
        """From a response to `tools/call`; an error of the protocol is a refusal."""
        if "error" in message:
            return cls(True, message["error"]["message"])
        result = message["result"]
        blocks = result["content"]
        structured = result.get("structuredContent")
        return cls(
            refused=result.get("isError", False),
            text="\n".join(block["text"] for block in blocks if block["type"] == "text"),
            images=tuple(block["mimeType"] for block in blocks if block["type"] == "image"),
            structured="" if structured is None else json.dumps(structured, ensure_ascii=False),
        )


class McpServer:
    """A server in a process of its own.

    Attributes:
        started: Milliseconds from its spawn to its answer to `initialize`.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.started = 0.0
        self._process = process
        self._log = ""
        self._waiting: dict[int, asyncio.Future[dict[str, Any] | None]] = {}
        self._sent = 0
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._read_log())]

    @classmethod
    async def start(
        cls, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> Self:
        """Start a server and initialize it.

        Args:
            command: What to run.
            environment: Its environment.
            folder: Its working directory.

        Raises:
            TimeoutError: It has not answered in time.
            ServerEndedError: It has ended.
        """
        began = time.perf_counter()
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            cwd=folder,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            limit=_LONGEST_LINE,
        )
        server = cls(process)
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await server._initialize()
        except BaseException:
            await server.stop()
            raise
        server.started = (time.perf_counter() - began) * 1000
        return server

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = json.loads(line)
            if "method" not in message and (waiting := self._waiting.pop(message["id"], None)):
                waiting.set_result(message)
        for waiting in self._waiting.values():
            waiting.set_result(None)

    async def _read_log(self) -> None:
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(1 << 16):
            self._log = (self._log + data.decode(errors="replace"))[-_LOG:]

    async def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        try:
            await self._process.stdin.drain()
        except ConnectionError:
            raise ServerEndedError(f"ended: {self._log[-_SHOWN:]}") from None

    async def _request(self, method: str, **params: Any) -> dict[str, Any]:
        self._sent += 1
        number = self._sent
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send({"id": number, "method": method, "params": params})
            message = await waiting
        finally:
            self._waiting.pop(number, None)
        if message is None:
            raise ServerEndedError(f"ended: {self._log[-_SHOWN:]}")
        return message

    async def _initialize(self) -> None:
        client = {"name": "benchmark", "version": "0"}
        await self._request(
            "initialize", protocolVersion=PROTOCOL, capabilities={}, clientInfo=client
        )
        await self._send({"method": "notifications/initialized"})

    async def tools(self) -> list[dict[str, Any]]:
        """All that `tools/list` has, page by page."""
        tools: list[dict[str, Any]] = []
        page: dict[str, Any] = {}
        while True:
            result = (await self._request("tools/list", **page))["result"]
            tools += result["tools"]
            if not result.get("nextCursor"):
                return tools
            page = {"cursor": result["nextCursor"]}

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """Call a tool."""
        return Answer.of(await self._request("tools/call", name=tool, arguments=dict(arguments)))

    def processes(self) -> list[psutil.Process]:
        """The server, and what it has started."""
        server = psutil.Process(self._process.pid)
        return [server, *server.children(recursive=True)]

    async def stop(self) -> None:
        """Kill it, with what it has started."""
        if self._process.returncode is None:
            for one in self.processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        await self._process.wait()
        await asyncio.gather(*self._tasks)
