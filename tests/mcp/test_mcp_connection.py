# SPDX-License-Identifier: BSD-3-Clause
"""The connection behind the tools: what goes wrong with it ends neither sessions nor hopes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp.types as types
import pytest
from mcp import Client
from servers import RunningServer

from jupyter_agent_core import Server
from jupyter_agent_core._http.auth import Token
from jupyter_mcp_server import connection as subject
from jupyter_mcp_server.connection import Connection
from jupyter_mcp_server.pages import Pages
from jupyter_mcp_server.server import build
from jupyter_mcp_server.settings import Settings, Target


@asynccontextmanager
async def client_of(settings: Settings) -> AsyncIterator[Client]:
    connection = Connection(settings)
    server = build(connection, settings, Pages())
    async with connection.running(), Client(server, read_timeout_seconds=30) as client:
        yield client


async def said(client: Client, tool: str, /, **arguments: Any) -> tuple[bool, str]:
    """Whether a call was refused, and the first block of its answer."""
    result = await client.call_tool(tool, arguments)
    block = result.content[0]
    assert isinstance(block, types.TextContent)
    return bool(result.is_error), block.text


async def test_a_defect_in_connecting_is_told_and_the_next_call_connects(
    lab: RunningServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    @asynccontextmanager
    async def broken(*_: object) -> AsyncIterator[Server]:
        raise KeyError("detail")
        yield

    async with client_of(Settings(Target(lab.url, Token(lab.token)))) as client:
        with monkeypatch.context() as patch:
            patch.setattr(subject, "open_target", broken)
            refused, text = await said(client, "list_kernels")
        assert refused
        assert "failed (KeyError), which is a defect" in text
        assert "detail" not in text
        assert "detail" in caplog.text
        assert not (await said(client, "list_kernels"))[0]


async def test_a_notebook_from_the_start_is_used_though_the_first_call_was_cancelled(
    lab: RunningServer, server: Server, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{folder}/nb.ipynb"
    await server.open_notebook(path, create=True)
    begun, goes_on = anyio.Event(), anyio.Event()
    open_notebook = Server.open_notebook

    async def held(self: Server, *arguments: Any, **options: Any) -> Any:
        begun.set()
        await goes_on.wait()
        return await open_notebook(self, *arguments, **options)

    async with client_of(Settings(Target(lab.url, Token(lab.token)), notebook=path)) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Server, "open_notebook", held)
            async with anyio.create_task_group() as group:
                group.start_soon(said, client, "read_notebook")
                with anyio.fail_after(20):
                    await begun.wait()
                group.cancel_scope.cancel()
        goes_on.set()
        refused, text = await said(client, "read_notebook")
        assert not refused
        assert text.startswith("Notebook default has 0 cells")


async def test_why_a_notebook_from_the_start_is_not_used_is_told_until_it_is(
    lab: RunningServer, server: Server, folder: str
) -> None:
    path = f"{folder}/late.ipynb"
    async with client_of(Settings(Target(lab.url, Token(lab.token)), notebook=path)) as client:
        for arguments in ({}, {"notebook_name": "default"}):
            refused, text = await said(client, "read_notebook", **arguments)
            assert refused
            assert f"DOCUMENT_ID: There is no notebook at {path!r}" in text
        await server.open_notebook(path, create=True)
        refused, text = await said(client, "read_notebook")
        assert not refused
        assert text.startswith("Notebook default has 0 cells")


async def test_a_client_who_chose_a_notebook_is_not_given_the_one_from_the_start(
    lab: RunningServer, server: Server, folder: str
) -> None:
    path = f"{folder}/late.ipynb"
    async with client_of(Settings(Target(lab.url, Token(lab.token)), notebook=path)) as client:
        other = {"notebook_name": "b", "notebook_path": f"{folder}/b.ipynb", "mode": "create"}
        assert not (await said(client, "use_notebook", **other))[0]
        await server.open_notebook(path, create=True)
        assert (await said(client, "read_notebook"))[1].startswith("Notebook b has")
        assert (await said(client, "read_notebook", notebook_name="default"))[0]
