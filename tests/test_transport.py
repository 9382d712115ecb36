# SPDX-License-Identifier: BSD-3-Clause
"""Requests and websockets that come to nothing: tried again where that can help, and said."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import anyio.to_thread
import pytest
import trustme
from httpx import Response
from stand_in import stand_in
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request
from websockets.http11 import Response as WebSocketResponse

from jupyter_agent_core import (
    AuthenticationError,
    ConnectError,
    ProxyError,
    ServerUnreachableError,
    TLSError,
)
from jupyter_agent_core._http.auth import CalledForToken, Token
from jupyter_agent_core._http.proxies import Proxy
from jupyter_agent_core._http.transport import Transport
from jupyter_agent_core._http.websocket import WebSocketAddress, open_websocket

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def hanging_up(heard: list[bytes], *, answers: int = 1) -> AsyncIterator[Transport]:
    """A client of a server that answers the first request of its first connections only.

    Args:
        heard: Is given the method of each request that the server hears.
        answers: How many connections get an answer.
    """
    left = [answers]
    tasks = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError):  # the client leaves
            heard.append(_method(await reader.readuntil(b"\r\n\r\n")))
            if left[0]:
                left[0] -= 1
                writer.write(ANSWER)
                heard.append(_method(await reader.readuntil(b"\r\n\r\n")))
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        with anyio.fail_after(5):
            async with Transport(f"http://127.0.0.1:{port}", Token("swordfish")) as transport:
                yield transport
    finally:
        listener.close()
        await asyncio.gather(*tasks)


def _method(request: bytes) -> bytes:
    return request.split(b" ", 1)[0]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_only_asks_is_asked_again_on_a_new_connection(method: str) -> None:
    heard: list[bytes] = []
    async with hanging_up(heard, answers=2) as transport:
        await transport.request("GET", "api")
        assert (await transport.request(method, "api")).status_code == 200
    assert heard == [b"GET", *[method.encode()] * 2]


async def test_what_only_asks_is_asked_no_third_time() -> None:
    heard: list[bytes] = []
    async with hanging_up(heard) as transport:
        await transport.request("GET", "api")
        with pytest.raises(ServerUnreachableError, match="hangs up without an answer") as caught:
            await transport.request("GET", "api")
    assert caught.value.applied == "no"
    assert heard == [b"GET"] * 3


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
async def test_what_may_have_an_effect_is_sent_once(method: str) -> None:
    heard: list[bytes] = []
    async with hanging_up(heard, answers=2) as transport:
        await transport.request("GET", "api")
        with pytest.raises(ServerUnreachableError) as caught:
            await transport.request(method, "api", json={})
    assert caught.value.applied == "unknown"
    assert heard == [b"GET", method.encode()]


# --- websockets


@asynccontextmanager
async def websockets_for(token: str) -> AsyncIterator[tuple[str, list[str]]]:
    """What opens websockets for one token only: where it is, and what it was shown."""
    shown: list[str] = []

    def refuse(connection: ServerConnection, request: Request) -> WebSocketResponse | None:
        shown.append(request.headers.get("Authorization", ""))
        return None if shown[-1] == f"token {token}" else connection.respond(403, "")

    async def serve_one(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve(serve_one, "127.0.0.1", 0, process_request=refuse) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"ws://127.0.0.1:{port}/?session=secret", shown


async def test_a_websocket_is_opened_with_a_new_token_where_the_old_one_is_refused() -> None:
    tokens = ["old", "new"]
    auth = CalledForToken(lambda: tokens.pop(0))
    async with websockets_for("new") as (url, shown):
        address = WebSocketAddress(url, auth, {}, None, None)
        await (await open_websocket(address)).close()
        assert shown == ["token old", "token new"]


async def test_a_websocket_is_not_opened_where_there_is_no_other_token() -> None:
    async with websockets_for("new") as (url, shown):
        with pytest.raises(AuthenticationError, match="does not accept the token") as caught:
            await open_websocket(WebSocketAddress(url, Token("old"), {}, None, None))
        assert shown == ["token old"]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (407, ProxyError, "HTTP 407.*user name and a password"),
        (403, ProxyError, "HTTP 403.*NO_PROXY"),
        (502, ServerUnreachableError, "through the HTTP proxy http://shown"),
    ],
)
async def test_a_proxy_that_lets_no_websocket_through_is_named(
    status: int, kind: type[ConnectError], said: str
) -> None:
    async with stand_in({"CONNECT h.example:80": Response(status)}) as standing:
        way = Proxy(standing.url, "http://shown")
        address = WebSocketAddress("ws://h.example/", Token("t"), {}, None, way)
        with pytest.raises(kind, match=said):
            await open_websocket(address)
    assert standing.asked == ["CONNECT h.example:80"]


# --- certificates of clients


def shake_hands(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Begin TLS with the next one who comes, as far as it goes, and let him leave first."""
    listener.settimeout(5)
    accepted, _ = listener.accept()
    accepted.settimeout(5)
    with accepted.dup() as kept, suppress(OSError):
        with suppress(ssl.SSLError):
            context.wrap_socket(accepted, server_side=True).close()
        kept.shutdown(socket.SHUT_WR)
        while kept.recv(1 << 16):
            pass


# TLS 1.3 says so after the first request has been sent
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_does_not_know_the_client_certificate_says_so(
    version: ssl.TLSVersion,
) -> None:
    authority = trustme.CA()
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.minimum_version = theirs.maximum_version = version
    theirs.verify_mode = ssl.CERT_REQUIRED
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(theirs)
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    trustme.CA().issue_cert("agent.example").configure_cert(ours)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        async with Transport(url, Token("t"), verify=ours) as transport:
            with anyio.fail_after(5):
                async with anyio.create_task_group() as group:
                    group.start_soon(anyio.to_thread.run_sync, shake_hands, listener, theirs)
                    with pytest.raises(TLSError, match="wants a client certificate") as caught:
                        await transport.request("GET", "api")
    assert not caught.value.retryable
