# SPDX-License-Identifier: BSD-3-Clause
"""The connection behind the tools: what goes wrong with it ends neither sessions nor hopes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp.types as types
import pytest
from mcp import Client as McpClient
from mcp_clients import in_memory
from servers import Proxy, RunningServer

from jupyter_agent_core import Server
from jupyter_mcp_server import connection as subject
from jupyter_mcp_server.connection import Connection
from jupyter_mcp_server.seats import Client, Seats
from jupyter_mcp_server.settings import Settings, Target


async def said(client: McpClient, tool: str, /, **arguments: Any) -> tuple[bool, str]:
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

    async with in_memory(lab.url, lab.token) as client:
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

    async with in_memory(lab.url, lab.token, path) as client:
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
    async with in_memory(lab.url, lab.token, path) as client:
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
    async with in_memory(lab.url, lab.token, path) as client:
        other = {"notebook_name": "b", "notebook_path": f"{folder}/b.ipynb", "mode": "create"}
        assert not (await said(client, "use_notebook", **other))[0]
        await server.open_notebook(path, create=True)
        assert (await said(client, "read_notebook"))[1].startswith("Notebook b has")
        assert (await said(client, "read_notebook", notebook_name="default"))[0]


async def test_a_named_server_that_is_away_is_waited_for_with_what_is_in_use(
    lab: RunningServer, folder: str
) -> None:
    async with Proxy.before(lab.port) as proxy, in_memory(proxy.url, lab.token) as client:
        new = {"notebook_name": "a", "notebook_path": f"{folder}/a.ipynb", "mode": "create"}
        assert not (await said(client, "use_notebook", **new))[0]
        proxy.point_to(9)
        proxy.cut()
        refused, text = await said(client, "list_kernels")
        assert refused
        assert "connects anew" not in text
        proxy.point_to(lab.port)
        assert (await said(client, "read_notebook"))[1].startswith("Notebook a has 0 cells")


async def test_who_leaves_before_there_is_a_connection_has_nothing_to_let_go_of() -> None:
    connection, nobody = Connection(Settings(Target("http://127.0.0.1:9"))), Client("nobody")
    at_end: list[None] = []
    async with connection.running():
        connection.while_there(nobody, lambda: at_end.append(None))
        await connection.forget(nobody.id)
        assert connection.present(nobody) is None
    assert at_end == []


async def test_who_has_asked_for_nothing_for_long_is_let_go_when_somebody_comes(
    server: Server,
) -> None:
    seats = Seats(server, Settings(Target(server.url)))
    for client_id in ("gone", "here"):
        async with seats.workspace(Client(client_id, idle_timeout=3_600)):
            pass
    seat = seats.of("gone")
    assert seat is not None
    seat.used_at -= 3_601
    async with seats.workspace(Client("new", idle_timeout=3_600)):
        assert seats.of("gone") is None
        assert seats.of("here") is not None
    await seats.leave("gone")  # its client says so now
    await seats.close()
    assert seats.of("here") is None
