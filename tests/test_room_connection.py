# SPDX-License-Identifier: BSD-3-Clause
"""One connection to a room, before a stand-in for the room: what it says, and how it ends."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from jupyter_ydoc import YNotebook
from pycrdt import (
    Array,
    Doc,
    Map,
    YMessageType,
    YSyncMessageType,
    handle_sync_message,
    write_message,
)
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from jupyter_agent_core import (
    JupyterAgentError,
    NotANotebookError,
    NotebookNotFoundError,
    NotSyncedError,
)
from jupyter_agent_core._document.connection import RoomConnection
from jupyter_agent_core._document.model import NotebookDocument

STEP2 = bytes((YMessageType.SYNC, YSyncMessageType.SYNC_STEP2))
CELL: dict[str, Any] = {"id": "one", "cell_type": "raw", "source": "one", "metadata": {}}
Room = Callable[[ServerConnection], Awaitable[None]]


def with_cells(*cells: dict[str, Any]) -> YNotebook:
    notebook = YNotebook()
    notebook.set({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    return notebook


async def answer(socket: ServerConnection, notebook: YNotebook, times: int) -> None:
    """Answer that many sync steps, and skip all else that comes meanwhile."""
    async for message in socket:
        assert isinstance(message, bytes)
        if message[:2] == bytes((YMessageType.SYNC, YSyncMessageType.SYNC_STEP1)):
            reply = handle_sync_message(message[1:], notebook.ydoc)
            assert reply is not None
            await socket.send(reply)
            times -= 1
        if not times:
            return


@asynccontextmanager
async def joined(room: Room) -> AsyncIterator[tuple[RoomConnection, NotebookDocument]]:
    """A connection to a room, before its handshake, and its document."""
    async with serve(room, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as socket:
            document = NotebookDocument()
            user = {"name": "Agent"}
            with anyio.fail_after(5):
                yield RoomConnection(socket, document, "a.ipynb", user, lambda: None), document


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (4404, NotebookNotFoundError),
        (4400, NotANotebookError),
        (4500, NotANotebookError),
        (1003, NotSyncedError),
    ],
)
async def test_a_room_that_closes_before_it_was_open_says_why(
    code: int, kind: type[JupyterAgentError]
) -> None:
    async def refuse(socket: ServerConnection) -> None:
        await socket.close(code, "because")

    async with joined(refuse) as (connection, _):
        with pytest.raises(kind, match=r"a\.ipynb") as caught:
            await connection.synchronise(restarted=False)
    if code != 4404:
        assert f"closed with code {code} because" in str(caught.value)


@pytest.mark.parametrize(
    "update",
    [b"\x03\xff\xff\xff", write_message(Doc({"cells": Array([Map({"id": "a"})])}).get_update())],
    ids=["garbage", "a cell without a type"],
)
async def test_a_document_that_cannot_be_read_is_an_error(update: bytes) -> None:
    async def babble(socket: ServerConnection) -> None:
        await socket.send(STEP2 + update)
        await socket.wait_closed()

    async with joined(babble) as (connection, document):
        with pytest.raises(NotSyncedError, match="document cannot be read"):
            await connection.synchronise(restarted=False)
        document.close()


async def test_what_a_room_sends_of_its_document_without_being_asked_is_taken() -> None:
    notebook = with_cells(CELL)
    taken = anyio.Event()

    async def push(socket: ServerConnection) -> None:
        await answer(socket, notebook, 1)
        notebook.ycells[0]["source"].insert(3, " more")
        await socket.send(STEP2 + write_message(notebook.ydoc.get_update()))
        await answer(socket, notebook, 1)
        await socket.wait_closed()

    async with joined(push) as (connection, document):
        await connection.synchronise(restarted=False)
        document.ydoc.observe(lambda _: taken.set())
        async with anyio.create_task_group() as group:
            group.start_soon(connection.serve)
            await taken.wait()
            assert [cell.source for cell in document.cells()] == ["one more"]
            assert await connection.acknowledge()
            group.cancel_scope.cancel()


async def test_a_connection_that_has_ended_promises_nothing_and_lets_go() -> None:
    synchronised = anyio.Event()

    async def leave(socket: ServerConnection) -> None:
        await answer(socket, with_cells(CELL), 1)
        await synchronised.wait()
        await socket.close(1001, "maintenance")

    async with joined(leave) as (connection, _):
        await connection.synchronise(restarted=False)
        synchronised.set()
        await connection._socket.wait_closed()
        assert await connection.request_save() is None
        assert not connection.is_saving
        assert await connection.serve() == "closed with code 1001 maintenance"
        assert not connection.is_open
        assert not await connection.acknowledge()
        await connection.leave()
