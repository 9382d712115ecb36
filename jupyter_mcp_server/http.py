# SPDX-License-Identifier: BSD-3-Clause
"""The MCP server over HTTP."""

from __future__ import annotations

import contextlib
import hmac
import logging
import socket
from importlib import metadata
from ipaddress import ip_address
from typing import Any

import anyio
from mcp.server import Server
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jupyter_agent_core import ConfigurationError

from .connection import Connection
from .ending import end_on_signal
from .listening import THIS_MACHINE, HttpServer, listen
from .pages import Pages
from .seats import IDLE_TIMEOUT
from .server import build
from .sessions import session_client
from .settings import Endpoint, Settings

_log = logging.getLogger(__name__)

MCP_PATH = "/mcp"
MAX_REQUEST = 8 * 2**20
"""Bytes of one request: a cell with a picture in it, but no flood."""


class _BearerOnly:
    """Lets in who shows the secret.

    Args:
        app: What is behind the door.
        token: The secret.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scheme, _, shown = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")
            # in a time that does not tell how much of it is right
            if not hmac.compare_digest(shown, self._token) or scheme.lower() != b"bearer":
                await _UNAUTHORIZED(scope, receive, send)
                return
        await self._app(scope, receive, send)


_UNAUTHORIZED = JSONResponse(
    {"error": "Show the secret of this server: Authorization: Bearer …"},
    status_code=401,
    headers={"WWW-Authenticate": "Bearer"},
)


class _SessionEnds:
    """Lets go of what a session has in use when its client ends it.

    Args:
        app: What serves the sessions.
        connection: What they have in use.
    """

    def __init__(self, app: ASGIApp, connection: Connection) -> None:
        self._app = app
        self._connection = connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ended = False

        async def watch(message: Message) -> None:
            nonlocal ended
            ended = ended or message.get("status") == 200
            await send(message)

        if scope["type"] != "http" or scope["method"] != "DELETE":
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, watch)
        session = Headers(scope=scope).get(MCP_SESSION_ID_HEADER)
        if ended and session is not None:
            await self._connection.forget(session_client(session).id)


async def _health(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok", "version": metadata.version("jupyter-agent-core")})


def make_app(
    server: Server[Any], connection: Connection, endpoint: Endpoint, pages: Pages
) -> Starlette:
    """Make the application: MCP behind the secret, and before it `/health` and pages for users."""
    served = server.streamable_http_app(
        streamable_http_path=MCP_PATH,
        max_request_body_size=MAX_REQUEST,
        session_idle_timeout=IDLE_TIMEOUT,
        transport_security=_allowed(endpoint),
    )
    behind: ASGIApp = _SessionEnds(served, connection)
    if endpoint.token is not None:
        behind = _BearerOnly(behind, endpoint.token)
    routes = [
        Route("/health", _health, methods=["GET"]),
        Route(MCP_PATH, behind),
        pages.route,
    ]
    return Starlette(routes=routes, lifespan=served.router.lifespan_context)


def _allowed(endpoint: Endpoint) -> TransportSecuritySettings:
    """Under which names it may be asked, and by pages of which origins.

    A page of somebody else could otherwise reach it through a name of its own that leads here.
    """
    names = [*THIS_MACHINE, *map(_bracketed, endpoint.allowed_hosts)]
    if not _is_any(endpoint.host):
        names.append(_bracketed(endpoint.host))
    hosts = [f"{name}{port}" for name in dict.fromkeys(names) for port in ("", ":*")]
    origins = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)


def _is_any(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ip_address(host).is_unspecified
    return False


def _bracketed(host: str) -> str:
    """An address as it stands in a URL."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


async def serve_http(settings: Settings) -> None:
    """Serve until the process is told to stop; then answer what is at work, and clean up.

    Raises:
        ConfigurationError: The address cannot be listened on.
    """
    endpoint = settings.endpoint
    assert endpoint is not None
    connection = Connection(settings)
    pages = Pages()
    app = make_app(build(connection, settings, pages), connection, endpoint, pages)
    listener = _listener(endpoint)
    http, stopped = HttpServer(app), anyio.Event()

    def stop() -> None:
        http.should_exit = True

    address, port = listener.getsockname()[:2]
    if endpoint.token is None:
        _log.warning("There is no secret: whoever reaches port %s runs code as you", port)
    _log.info("MCP is served at http://%s:%s%s", _bracketed(address), port, MCP_PATH)
    async with connection.running(), anyio.create_task_group() as group:
        group.start_soon(end_on_signal, connection, stop, stopped)
        await http.serve(sockets=[listener])
        stopped.set()
        await anyio.sleep_forever()  # the end of the process is near


def _listener(endpoint: Endpoint) -> socket.socket:
    try:
        return listen(endpoint.host, endpoint.port)
    except OSError as error:
        reason = str(error.strerror or error).partition(" (while")[0]
        raise ConfigurationError(
            f"{endpoint.host} port {endpoint.port} cannot be listened on ({reason}): "
            "choose others with --host and --port",
            name="port",
            value=endpoint.port,
        ) from error
