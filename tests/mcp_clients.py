# SPDX-License-Identifier: BSD-3-Clause
"""Clients of an MCP server of their own, over all transports and in both eras."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx2
import mcp.types as types
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_http import SECRET, VERSIONS, Era, mcp_http
from mcp_process import COMMAND

from jupyter_agent_core._http.auth import Token
from jupyter_mcp_server.connection import Connection
from jupyter_mcp_server.pages import Pages
from jupyter_mcp_server.server import build
from jupyter_mcp_server.settings import Settings, Target

PROCESS_ONLY = ("JUPYTER_MCP_", "DOCUMENT_", "RUNTIME_")
Transport = Literal["memory", "stdio", "http"]
everywhere = pytest.mark.parametrize("transport", ["stdio", "http"])
# a server in this process knows one client, as one on stdio does, and starts in no time
for_one_or_many = pytest.mark.parametrize("transport", ["memory", "http"])
both_eras = pytest.mark.parametrize("era", list(VERSIONS))
NAMED = {"notebook_name": "nb"}


@asynccontextmanager
async def session(
    transport: Transport, era: Era, folder: Path, variables: dict[str, str], **callbacks: Any
) -> AsyncIterator[Client]:
    """A client of a server of its own."""
    options = {"mode": era, "read_timeout_seconds": 45, **callbacks}
    if transport == "memory":
        settings = [name for name in variables if name.startswith(PROCESS_ONLY)]
        assert not settings, f"a server in this process does not read {settings}"
        url, token = variables["JUPYTER_URL"], variables["JUPYTER_TOKEN"]
        async with in_memory(url, token, **options) as client:
            yield client
        return
    if transport == "stdio":
        with (folder.parent / "log").open("a") as log:
            server = StdioServerParameters(
                command=COMMAND[0], args=COMMAND[1:], env=variables, cwd=folder
            )
            try:
                async with Client(stdio_client(server, errlog=log), **options) as client:
                    yield client
            finally:
                print(Path(log.name).read_text())  # shown if the test fails
        return
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with (
        mcp_http(folder, variables) as served,
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http,
        Client(streamable_http_client(served.url, http_client=http), **options) as client,
    ):
        yield client


@asynccontextmanager
async def in_memory(
    url: str, token: str, notebook: str | None = None, **options: Any
) -> AsyncIterator[Client]:
    """A client of a server in this process."""
    settings = Settings(Target(url, Token(token)), notebook=notebook)
    connection = Connection(settings)
    server = build(connection, settings, Pages())
    options = {"read_timeout_seconds": 30, **options}
    async with connection.running(), Client(server, **options) as client:
        yield client


async def call(client: Client, tool: str, /, **arguments: Any) -> tuple[bool, str]:
    result = await client.call_tool(tool, arguments | NAMED)
    texts = [block.text for block in result.content if isinstance(block, types.TextContent)]
    return bool(result.is_error), "\n".join(texts)


async def said(client: Client, tool: str, /, **arguments: Any) -> str:
    refused, text = await call(client, tool, **arguments)
    assert not refused, text
    return text


async def create(client: Client, folder: str) -> None:
    await said(client, "use_notebook", notebook_path=f"{folder}/nb.ipynb", mode="create")


def answering(answer: str | None, asked: list[types.ElicitRequestParams]) -> dict[str, Any]:
    """A client whose user answers forms."""

    async def on_elicit(_: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        asked.append(params)
        if answer is None:
            return types.ElicitResult(action="decline")
        return types.ElicitResult(action="accept", content={"answer": answer})

    return {"elicitation_callback": on_elicit}
