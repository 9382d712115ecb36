# SPDX-License-Identifier: BSD-3-Clause
"""A live room before a stand-in for its server: saves of all kinds, and files that are gone."""

import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import attrs
import pytest
from httpx import Response
from jupyter_ydoc import YNotebook
from pycrdt import Decoder, Encoder, YMessageType, YSyncMessageType, handle_sync_message
from servers import Proxy
from stand_in import StandIn, stand_in
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from jupyter_agent_core import ConnectionLostError, SaveError
from jupyter_agent_core._document import room as room_module
from jupyter_agent_core._document.connection import RAW_MESSAGE, RoomConnection
from jupyter_agent_core._document.room import Room
from jupyter_agent_core._http.auth import Token
from jupyter_agent_core._http.rest import JupyterRest
from jupyter_agent_core._http.websocket import WebSocketAddress

READ = "GET /api/contents/a.ipynb"
SESSION = "PUT /api/collaboration/session/a.ipynb"
PATH = "GET /api/fileid/path"
CELL: dict[str, Any] = {"id": "one", "cell_type": "raw", "source": "one", "metadata": {}}


def file_with(source: str, **told: str) -> Response:
    content = {"cells": [{**CELL, "source": source}], "metadata": {}}
    return Response(200, json={"content": content, "last_modified": "now", **told})


def session(file_id: str) -> Response:
    return Response(200, json={"fileId": file_id, "sessionId": "s"})


THERE = file_with("one", hash="h")


@attrs.define
class Server:
    """What answers in a room.

    Attributes:
        status: What it says of each save, None if nothing.
        asked: It was asked to save.
        may_answer: From when on it answers.
        left: A connection to it has ended.
    """

    status: str | None = None
    asked: anyio.Event = attrs.field(factory=anyio.Event)
    may_answer: anyio.Event = attrs.field(factory=anyio.Event)
    left: anyio.Event = attrs.field(factory=anyio.Event)
    notebook: YNotebook = attrs.field(factory=YNotebook)

    async def serve(self, socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for message in socket:
                assert isinstance(message, bytes)
                await self._take(socket, message)
        self.left.set()

    async def _take(self, socket: ServerConnection, message: bytes) -> None:
        if message[0] == RAW_MESSAGE:
            self.asked.set()
            await self.may_answer.wait()
            await self._answer_save(socket, message)
        elif message[:2] == bytes((YMessageType.SYNC, YSyncMessageType.SYNC_STEP1)):
            reply = handle_sync_message(message[1:], self.notebook.ydoc)
            assert reply is not None
            await socket.send(reply)

    async def _answer_save(self, socket: ServerConnection, message: bytes) -> None:
        decoder, encoder = Decoder(message), Encoder()
        decoder.read_var_uint()
        assert decoder.read_var_string() == "save"
        answer = {"type": "save", "responseTo": decoder.read_var_uint(), "status": self.status}
        encoder.write_var_uint(RAW_MESSAGE)
        encoder.write_var_string(json.dumps(answer))
        if self.status is not None:
            await socket.send(encoder.to_bytes())


class Elsewhere(JupyterRest):
    """The stand-in's REST API, whose websockets are at another port."""

    rooms = ""

    def websocket(self, path: str, **params: str) -> WebSocketAddress:
        return attrs.evolve(super().websocket(path, **params), url=self.rooms)


@attrs.frozen
class Opened:
    """A room, what answers for its server, and the way to its websockets."""

    room: Room
    rest: StandIn
    way: Proxy


@asynccontextmanager
async def opened(
    server: Server, reads: Sequence[Response] = (THERE,), kind: type[Room] = Room
) -> AsyncIterator[Opened]:
    """Open a notebook with one cell.

    Args:
        server: What is in the room.
        reads: What the server tells of the file once the room is open.
        kind: The client's side of the room.
    """
    server.notebook.set({"cells": [CELL], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    answers = {READ: [THERE, *reads], SESSION: session("f")}
    async with (
        stand_in(answers) as standing,
        serve(server.serve, "127.0.0.1", 0) as rooms,
        Proxy.before(rooms.sockets[0].getsockname()[1]) as proxy,
        Elsewhere(standing.url, Token("t")) as rest,
    ):
        rest.rooms = f"ws://127.0.0.1:{proxy.port}"
        room = kind("a.ipynb", rest, "Agent")
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                await group.start(room.run)
                yield Opened(room, standing, proxy)
                group.cancel_scope.cancel()


def answering(status: str | None) -> Server:
    server = Server(status)
    server.may_answer.set()
    return server


async def test_a_save_that_the_server_says_has_failed_is_an_error() -> None:
    async with opened(answering("failed"), [THERE]) as at:
        with pytest.raises(SaveError, match="could not write the file"):
            await at.room.save()


OLD = file_with("old", hash="h")
HALF = Response(400, json={"message": "Unreadable Notebook: a.ipynb"})


@pytest.mark.parametrize("late", [[], [OLD], [HALF], [OLD, HALF, OLD]])
async def test_a_server_that_saves_by_itself_is_waited_for_until_the_file_holds_the_notebook(
    late: list[Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_module, "AUTOSAVE_TIME", 0.0)
    async with opened(answering(None), [THERE, *late, THERE]) as at:
        await at.room.save()
        assert at.rest.asked.count(READ) == len([THERE, THERE, *late, THERE])


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        ([THERE, Response(404)], "no file at its path"),
        ([THERE, Response(400, json={"message": "is a directory"})], "is a directory"),
        ([file_with("one")], "tells no hash"),
        ([Response(404)], "no file at its path.*put it back"),
    ],
)
async def test_a_file_that_cannot_be_looked_at_is_not_said_to_be_saved(
    reads: list[Response], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_module, "AUTOSAVE_TIME", 0.0)
    async with opened(answering(None), reads) as at:
        with pytest.raises(SaveError, match=said):
            await at.room.save()


async def test_who_edits_during_a_save_waits_for_longer_than_usual(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server("failed")
    async with opened(server) as at, anyio.create_task_group() as group:

        async def save() -> None:
            with pytest.raises(SaveError):
                await at.room.save()

        group.start_soon(save)
        await server.asked.wait()
        monkeypatch.setattr(room_module, "ANSWER_TIMEOUT", 0.3)
        monkeypatch.setattr(room_module, "ACKNOWLEDGE_TIMEOUT", 1.0)
        with anyio.move_on_after(2.0) as waiting:
            await at.room.acknowledge()
        assert waiting.cancelled_caught
        monkeypatch.setattr(room_module, "ACKNOWLEDGE_TIMEOUT", 10.0)
        server.may_answer.set()
        await at.room.acknowledge()


# --- the end


async def test_a_room_that_is_closed_leaves_its_server_and_connects_no_more() -> None:
    server = answering(None)
    async with opened(server) as at:
        await at.room.close()
        await server.left.wait()
        assert at.room.lost == "it was closed here"
        assert at.rest.asked.count(SESSION) == 1
        with pytest.raises(ConnectionLostError, match="it was closed here"):
            await at.room.acknowledge()


async def test_a_file_in_the_place_of_a_deleted_one_is_noticed_while_there_is_no_connection() -> (
    None
):
    async with opened(answering(None)) as at:
        at.way.point_to(9)
        at.way.cut()
        while at.room._connection is not None:
            await anyio.wait_all_tasks_blocked()
        at.rest.answers[SESSION] = deque([session("another")])
        assert not await at.room.is_at("a.ipynb")
        assert "was deleted, and there is another one now" in str(at.room.lost)
        with pytest.raises(ConnectionLostError, match="open the notebook again"):
            await at.room.acknowledge()


class TooLate(RoomConnection):
    """A connection to a room that is given up in the moment in which it is there again."""

    given_up: Room | None = None

    async def synchronise(self, *, restarted: bool) -> None:
        await super().synchronise(restarted=restarted)
        if self.given_up is not None:
            self.given_up._give_up("given up by the test")
            self.given_up._attempt.cancel()


class GivenUpTooLate(Room):
    connection_class = TooLate


async def test_a_connection_that_is_made_too_late_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = answering(None)
    async with opened(server, kind=GivenUpTooLate) as at:
        monkeypatch.setattr(TooLate, "given_up", at.room)
        at.way.cut()
        await server.left.wait()
        server.left = anyio.Event()
        await server.left.wait()
        assert at.rest.asked.count(SESSION) == 2
        assert at.room.lost == "given up by the test"
        assert at.room._connection is None
