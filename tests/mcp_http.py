# SPDX-License-Identifier: BSD-3-Clause
"""The MCP server over HTTP in a process of its own, and clients of it in both eras."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_process import COMMAND, McpProcess

SECRET = "swordfish-0123456789"
START_TIMEOUT = 30.0
_SERVED = re.compile(rb"MCP is served at (http://\S+):(\d+)/mcp")
Era = Literal["auto", "legacy"]
VERSIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}


class HttpServer(McpProcess):
    """A running server.

    Attributes:
        port: The port that it listens on.
    """

    port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    async def read_log_until_served(self) -> None:
        assert self.process.stderr is not None
        with anyio.fail_after(START_TIMEOUT):
            while (found := _SERVED.search(self.written)) is None:
                self.written += await self.process.stderr.receive()
        self.port = int(found[2])

    async def tell_to_end(self) -> None:
        """Say that nobody needs it any more."""
        self.process.terminate()

    def http(self, secret: str | None = SECRET) -> httpx.AsyncClient:
        """A plain HTTP client that shows a secret."""
        headers = {"Authorization": f"Bearer {secret}"} if secret is not None else {}
        base = f"http://127.0.0.1:{self.port}"
        return httpx.AsyncClient(base_url=base, headers=headers, timeout=30, trust_env=False)

    @asynccontextmanager
    async def client(self, era: Era, secret: str = SECRET, **options: Any) -> AsyncIterator[Client]:
        """A session of the SDK's client."""
        timeout = httpx2.Timeout(30, read=120)
        headers = {"Authorization": f"Bearer {secret}"}
        async with httpx2.AsyncClient(headers=headers, timeout=timeout, trust_env=False) as http:
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(transport, mode=era, read_timeout_seconds=60, **options) as client:
                assert client.protocol_version == VERSIONS[era]
                yield client


@asynccontextmanager
async def mcp_http(
    folder: Path, variables: dict[str, str], *arguments: str
) -> AsyncIterator[HttpServer]:
    """Start the server on a free port; at the end it is told to end.

    Args:
        folder: The working directory.
        variables: The environment; it knows the secret.
        *arguments: Command line arguments.
    """
    command = [*COMMAND, "--transport", "streamable-http", "--port", "0", *arguments]
    if "--insecure-mcp-noauth" not in arguments:
        variables = variables | {"MCP_TOKEN": SECRET}
    process = await anyio.open_process(command, cwd=folder, env=variables)
    server = HttpServer(process)
    try:
        await server.read_log_until_served()
        async with anyio.create_task_group() as group:
            group.start_soon(server.read_log)
            try:
                yield server
            finally:
                await server.end()
    finally:
        with anyio.CancelScope(shield=True):
            await process.aclose()
        print(server.written.decode(errors="replace"))  # shown if the test fails
