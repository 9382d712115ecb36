# SPDX-License-Identifier: BSD-3-Clause
"""One websocket of a Jupyter server: how it is opened, and why it could not be.

Rooms and kernels both live on such a connection and share its two secrets: no
compression (loopback and LAN), and the pong nudge.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping, Sequence

import attrs
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Response
from websockets.typing import Subprotocol

from .._connect_errors import AuthenticationError
from .._errors import JupyterAgentError, RequestError
from .auth import Auth, combined, refused
from .failures import unreachable
from .proxies import Proxy

# at DEBUG, websockets logs the headers of its handshake, which hold the credentials
_log = logging.getLogger(f"{__name__}.frames")
_log.setLevel(logging.INFO)

OPEN_TIMEOUT = 10.0
CLOSE_TIMEOUT = 1.0
PING_INTERVAL = 20.0


class _Connect(connect):
    """Follows no redirects, which could lead the caller's headers to another server."""

    def process_redirect(self, exc: Exception) -> Exception:
        """Let it be an error."""
        return exc


@attrs.frozen
class WebSocketAddress:
    """Where a websocket is opened, and with what.

    Attributes:
        url: Its URL.
        auth: The credentials.
        headers: Further headers.
        tls: How certificates are checked.
        proxy: The one on the way.
    """

    url: str
    auth: Auth = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    tls: ssl.SSLContext | None = attrs.field(repr=False)
    proxy: Proxy | None


async def open_websocket(
    address: WebSocketAddress,
    *,
    subprotocols: Sequence[str] = (),
    timeout: float = OPEN_TIMEOUT,
) -> ClientConnection:
    """Open the websocket.

    Raises:
        ServerUnreachableError, TLSError, ProxyError: Nothing answers within the timeout.
        AuthenticationError: The credentials are refused, and there are no others.
        RequestError: The server answers with another HTTP status.
    """
    credentials = await address.auth.headers()
    try:
        return await _open(address, credentials, subprotocols, timeout)
    except AuthenticationError:
        if not await address.auth.renew(credentials):
            raise
    return await _open(address, await address.auth.headers(), subprotocols, timeout)


async def _open(
    address: WebSocketAddress,
    credentials: Mapping[str, str],
    subprotocols: Sequence[str],
    timeout: float,
) -> ClientConnection:
    headers = combined(address.headers, credentials)
    try:
        return await _Connect(
            address.url,
            additional_headers=headers,
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            max_size=None,
            compression=None,
            ssl=address.tls,
            proxy=None if address.proxy is None else address.proxy.url,
            logger=_log,
            open_timeout=timeout,
            close_timeout=CLOSE_TIMEOUT,
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_INTERVAL,
        )
    except InvalidStatus as error:
        raise _refusal(address, error.response) from error
    except (OSError, TimeoutError, InvalidHandshake) as error:
        raise unreachable(_shown(address.url), error, address.proxy) from error


def _refusal(address: WebSocketAddress, response: Response) -> JupyterAgentError:
    url, status = _shown(address.url), response.status_code
    if status in (401, 403):
        challenge = response.headers.get("WWW-Authenticate", "")
        return refused(url, address.auth, status, challenge)
    return RequestError("GET", url, status, "the websocket was not opened")


def _shown(url: str) -> str:
    """The URL without its query, which holds session ids."""
    return url.partition("?")[0]


def closing_reason(error: ConnectionClosed) -> str:
    """Say in words how a websocket ended (RFC 6455 7.4)."""
    if error.rcvd is None:
        return "it broke without a closing handshake"
    return f"closed with code {error.rcvd.code} {error.rcvd.reason}".rstrip()


async def nudge(connection: ClientConnection) -> None:
    """Send an unsolicited pong, so that the peer's next small frame need not wait.

    Tornado leaves Nagle's algorithm on for websockets: its second small frame waits
    for our delayed TCP acknowledgement, 40 ms. An unsolicited pong needs no answer
    (RFC 6455 5.5.3) and carries the acknowledgement through every hop at once. To be
    sent after each frame that arrives while a reply is pending.
    """
    await connection.pong()
