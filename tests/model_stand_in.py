# SPDX-License-Identifier: BSD-3-Clause
"""A stand-in for the model of an AI agent: it calls tools by a script, and keeps what it is told.

It speaks a provider's API on a loopback port, so that a real agent takes it for its model.
"""

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import anyio
import attrs
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

FAREWELL = "That was all."
"""What it says when its script has come to its end."""


@attrs.frozen
class Call:
    """A tool that the model wants to be called.

    Attributes:
        tool: Its name, as the MCP server gives it.
        arguments: Its arguments.
    """

    tool: str
    arguments: Mapping[str, Any]


@attrs.frozen
class Received:
    """What the model got for a call.

    Attributes:
        texts: Each block of text, without what the agent wraps it in.
        images: Each picture, as bytes.
        is_error: Whether it was marked as an error; None where the API cannot say it.
    """

    texts: tuple[str, ...]
    images: tuple[bytes, ...]
    is_error: bool | None

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


@attrs.frozen
class Conversation:
    """One request to the model.

    Attributes:
        tools: The tools of our server that it may call.
        received: What it got for its calls until now.
        told: All else that is said in it.
    """

    tools: frozenset[str]
    received: tuple[Received, ...]
    told: str


class Api(Protocol):
    """How a provider's API is spoken."""

    def conversation(self, path: str, body: Mapping[str, Any]) -> Conversation | None:
        """Read a request; None if it is not one to the model."""

    def answer(self, body: Mapping[str, Any], call: Call | None, number: int) -> Response:
        """Call a tool, or say farewell."""


class StandIn:
    """The model.

    Attributes:
        conversation: The last request to it.
        port: Where it listens.

    Args:
        api: The API that it speaks.
        script: The calls that it makes, one after the other.
    """

    def __init__(self, api: Api, script: Sequence[Call]) -> None:
        self.conversation = Conversation(frozenset(), (), "")
        self.port = 0
        self._api = api
        self._script = script

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    @asynccontextmanager
    async def listening(cls, api: Api, script: Sequence[Call]) -> AsyncIterator["StandIn"]:
        """Serve until the end of the block."""
        model = cls(api, script)
        app = Starlette(routes=[Route("/{path:path}", model._serve, methods=["GET", "POST"])])
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            model.port = listener.getsockname()[1]
            async with anyio.create_task_group() as group:
                group.start_soon(server._serve, [listener])  # `serve` would take over signals
                yield model
                server.should_exit = True

    async def _serve(self, request: Request) -> Response:
        body = await request.json() if request.method == "POST" else {}
        conversation = self._api.conversation(request.url.path, body)
        if conversation is None:
            return JSONResponse({"error": {"code": 404, "message": "not here"}}, 404)
        if not conversation.tools:  # an errand of the agent's own, such as a title
            return self._api.answer(body, None, 0)
        self.conversation = conversation
        number = len(conversation.received)
        call = self._script[number] if number < len(self._script) else None
        return self._api.answer(body, call, number)
