# SPDX-License-Identifier: BSD-3-Clause
"""The MCP server in a process of its own, and a client for it that is nothing but JSON-RPC."""

import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from anyio.abc import Process, SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from jupyter_agent_core import Workspace
from jupyter_agent_core._workspace.registry import tools_of
from jupyter_mcp_server.options import DEFAULT_TOOLSETS

COMMAND = [sys.executable, "-m", "jupyter_mcp_server"]
ANSWER_TIMEOUT = 45.0
END_TIMEOUT = 15.0
OURS = ("JUPYTER", "DOCUMENT_", "RUNTIME_", "CODE_SANDBOX_", "ALLOW_IMG_OUTPUT", "MCP_TOKEN")


def served_tools() -> list[str]:
    """The tools of a server that is told nothing of them."""
    tools = tools_of(Workspace).items()
    return [name for name, tool in tools if tool.hints.toolset in DEFAULT_TOOLSETS]


def environment(state: Path, **variables: str) -> dict[str, str]:
    """The environment of a process that sees no server, setting or file of anybody else.

    Args:
        state: A folder for all that Jupyter writes beside the notebooks.
        **variables: Further variables.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(OURS) and name != "PYTHONPATH"
    }
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    return inherited | {
        "JUPYTER_CONFIG_DIR": str(state / "config"),
        "JUPYTER_DATA_DIR": str(state / "data"),
        "JUPYTER_RUNTIME_DIR": str(state / "runtime"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "IPYTHONDIR": str(state / "ipython"),
        "MPLCONFIGDIR": str(state / "matplotlib"),
        **variables,
    }


def run_command(
    variables: dict[str, str], *arguments: str, folder: Path | None = None, timeout: float = 50
) -> "subprocess.CompletedProcess[str]":
    """Run a command that has to end by itself.

    Args:
        variables: The environment.
        *arguments: Command line arguments.
        folder: The working directory.
        timeout: Seconds that it has.
    """
    try:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as late:
        pytest.fail(f"{late}; until then it said:\n{late.stdout!r}\n{late.stderr!r}")


class McpProcess:
    """A running server.

    Attributes:
        written: All that it has written, to stdout and stderr.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        self.written = bytearray()
        self._answers: dict[int, dict[str, Any]] = {}
        self._answered: dict[int, anyio.Event] = {}

    @property
    def pid(self) -> int:
        return self.process.pid

    def children(self) -> list[psutil.Process]:
        """Its private server and the kernels."""
        return psutil.Process(self.pid).children(recursive=True)

    def kill(self) -> None:
        """End it, with what it has started."""
        if self.process.returncode is None:
            for one in (*self.children(), psutil.Process(self.pid)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()

    async def read_answers(self) -> None:
        assert self.process.stdout is not None
        lines = BufferedByteReceiveStream(self.process.stdout)
        with contextlib.suppress(anyio.IncompleteRead):
            while True:
                line = await lines.receive_until(b"\n", 2**24)
                self.written += line + b"\n"
                message = json.loads(line)
                if message.get("id") in self._answered:
                    self._answers[message["id"]] = message
                    self._answered[message["id"]].set()

    async def read_log(self) -> None:
        assert self.process.stderr is not None
        async for data in self.process.stderr:
            self.written += data

    async def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.send(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def request(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask, and return the result."""
        number = len(self._answered)
        self._answered[number] = anyio.Event()
        await self.send({"id": number, "method": method, "params": params})
        with anyio.fail_after(ANSWER_TIMEOUT):
            await self._answered[number].wait()
        assert "result" in self._answers[number], self._answers[number]
        result: dict[str, Any] = self._answers[number]["result"]
        return result

    async def initialize(self) -> dict[str, Any]:
        result = await self.request(
            "initialize",
            protocolVersion="2025-06-18",
            capabilities={},
            clientInfo={"name": "test", "version": "0"},
        )
        await self.send({"method": "notifications/initialized"})
        return result

    async def call(self, tool: str, /, **arguments: Any) -> tuple[bool, str]:
        """Call a tool; whether it was refused, and its text."""
        result = await self.request("tools/call", name=tool, arguments=arguments)
        text = "\n".join(block.get("text", "") for block in result["content"])
        return result.get("isError", False), text

    async def answer(self, tool: str, /, **arguments: Any) -> str:
        """Call a tool that has to succeed."""
        refused, text = await self.call(tool, **arguments)
        assert not refused, text
        return text

    async def refusal(self, tool: str, /, **arguments: Any) -> str:
        """Call a tool that has to fail."""
        refused, text = await self.call(tool, **arguments)
        assert refused, text
        return text

    async def close_stdin(self) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.aclose()

    async def tell_to_end(self) -> None:
        """Say that nobody needs it any more."""
        await self.close_stdin()

    async def end(self) -> None:
        """Let it end as it does for whoever has started it; who does not is killed, and told of."""
        try:
            with anyio.fail_after(END_TIMEOUT, shield=True):
                if self.process.returncode is None:
                    await self.tell_to_end()
                    await self.process.wait()
        finally:
            self.kill()

    async def ended(self, timeout: float = END_TIMEOUT) -> int:
        """Wait for its end and return the exit code."""
        with anyio.fail_after(timeout):
            return await self.process.wait()


@asynccontextmanager
async def mcp_process(
    folder: Path, variables: dict[str, str], *arguments: str
) -> AsyncIterator[McpProcess]:
    """Start the server; at the end its stdin is closed.

    Args:
        folder: The working directory.
        variables: The environment.
        *arguments: Command line arguments.
    """
    process = await anyio.open_process([*COMMAND, *arguments], cwd=folder, env=variables)
    server = McpProcess(process)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(server.read_answers)
            group.start_soon(server.read_log)
            try:
                yield server
            finally:
                await server.end()
    finally:
        with anyio.CancelScope(shield=True):
            await process.aclose()


class Signal:
    """Lets code in a kernel tell the test that it has come to a point.

    It says a word, as others may come: a client that looks for a server which had this port.

    Attributes:
        code: What the kernel has to run.
    """

    def __init__(self, port: int) -> None:
        self._word = secrets.token_hex(8).encode()
        connect = f"__import__('socket').create_connection(('127.0.0.1', {port}))"
        self.code = f"(lambda s: s.sendall({self._word!r}) or s.close())({connect})"
        self._given = anyio.Event()

    async def _accept(self, stream: SocketStream) -> None:
        said = b""
        async with stream:
            with contextlib.suppress(anyio.BrokenResourceError):
                async for part in stream:
                    said += part
        if said == self._word:
            self._given.set()

    @property
    def was_given(self) -> bool:
        """Whether the code has run by now."""
        return self._given.is_set()

    async def given(self) -> None:
        """Wait until the code has run."""
        with anyio.fail_after(ANSWER_TIMEOUT):
            await self._given.wait()

    @classmethod
    @asynccontextmanager
    async def listening(cls) -> AsyncIterator["Signal"]:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        signal = cls(listener.extra(SocketAttribute.local_port))  # noqa: S610 (not Django's)
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, signal._accept)
            yield signal
            group.cancel_scope.cancel()
