# SPDX-License-Identifier: BSD-3-Clause
"""A stand-in for Datalayer: its two endpoints as `jupyter_nbmodel_client` asks them, real rooms.

The service itself is not to be had in tests. What is known of it is what that client does: a
session for a document over HTTP, with a bearer token, and a websocket of the Yjs protocol one
segment deeper, with the session and the token in its URL.
"""

import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import attrs
import uvicorn
from jupyter_ydoc import YNotebook
from pycrdt.websocket import WebsocketServer, YRoom
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

DOCUMENTS = "/api/spacer/v1/documents"
CELL = {"id": "c0ffee00", "cell_type": "code", "source": "6 * 7", "metadata": {}, "outputs": []}
CONTENT = {"cells": [CELL], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


class _Channel:
    """A websocket as pycrdt's rooms take it."""

    def __init__(self, websocket: WebSocket, path: str) -> None:
        self._websocket = websocket
        self.path = path

    def __aiter__(self) -> "_Channel":
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.recv()
        except WebSocketDisconnect:
            raise StopAsyncIteration from None

    async def send(self, message: bytes) -> None:
        await self._websocket.send_bytes(message)

    async def recv(self) -> bytes:
        return await self._websocket.receive_bytes()


@attrs.define(eq=False)
class Datalayer:
    """The service.

    Attributes:
        url: Its base URL.
        token: What it accepts.
        notebooks: The documents that it has, by id.
        seen: How each request was made: what for, and where the token was.
    """

    url: str
    token: str = attrs.field(repr=False)
    rooms: WebsocketServer
    notebooks: dict[str, YNotebook] = attrs.field(factory=dict)
    sessions: dict[str, str] = attrs.field(factory=dict)
    seen: list[tuple[str, str]] = attrs.field(factory=list)
    sockets: set[WebSocket] = attrs.field(factory=set)

    async def create(self, content: dict[str, Any] | None = None) -> str:
        """Make a document; its id."""
        document_id = secrets.token_hex(13).upper()
        notebook = YNotebook()
        notebook.set(content or CONTENT)
        room = YRoom(ydoc=notebook.ydoc)
        self.notebooks[document_id] = notebook
        self.rooms.rooms[document_id] = room
        await self.rooms.start_room(room)
        return document_id

    async def cut(self) -> None:
        """Close every websocket."""
        for websocket in tuple(self.sockets):
            await websocket.close(1012)

    def sources(self, document_id: str) -> list[str]:
        """The sources of the cells that it has."""
        cells = self.notebooks[document_id].ycells.to_py() or []
        return [cell["source"] for cell in cells]

    def _is_shown(self, connection: HTTPConnection, *, in_url: bool) -> bool:
        header = connection.headers.get("authorization") == f"Bearer {self.token}"
        query = connection.query_params.get("token") == self.token
        place = "header" if header else "nowhere"
        self.seen.append((connection.scope["type"], "URL" if query else place))
        return header or (query and in_url)

    async def session(self, request: Request) -> Response:
        """Give a session for a document."""
        document_id = request.path_params["document_id"]
        if not self._is_shown(request, in_url=False):
            return JSONResponse({"success": False, "message": "Unauthorized"}, 401)
        if document_id not in self.notebooks:
            return JSONResponse({"success": False, "message": "Document not found"}, 404)
        if document_id == self.sessions.get("closed"):
            return JSONResponse({"success": False, "message": "The room is closed"})
        session_id = secrets.token_hex(8)
        self.sessions[session_id] = document_id
        return JSONResponse({"success": True, "sessionId": session_id})

    async def room(self, websocket: WebSocket) -> None:
        """Let a client into the room of a document."""
        document_id = websocket.path_params["document_id"]
        shown = self._is_shown(websocket, in_url=True)
        if not shown or self.sessions.get(websocket.query_params["sessionId"]) != document_id:
            await websocket.close()  # before it was accepted, that is HTTP 403
            return
        await websocket.accept()
        self.sockets.add(websocket)
        try:
            await self.rooms.rooms[document_id].serve(_Channel(websocket, document_id))
        finally:
            self.sockets.discard(websocket)


@asynccontextmanager
async def datalayer() -> AsyncIterator[Datalayer]:
    """Serve until the end of the block."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with WebsocketServer(auto_clean_rooms=False) as rooms:
            service = Datalayer(url, secrets.token_hex(16), rooms)
            routes = [
                Route(f"{DOCUMENTS}/{{document_id}}", service.session),
                WebSocketRoute(f"{DOCUMENTS}/ws/{{document_id}}", service.room),
            ]
            config = uvicorn.Config(
                Starlette(routes=routes), log_config=None, lifespan="off", ws="websockets-sansio"
            )
            server = uvicorn.Server(config)
            async with anyio.create_task_group() as group:
                group.start_soon(server.serve, [listener])
                try:
                    yield service
                finally:
                    server.should_exit = True
