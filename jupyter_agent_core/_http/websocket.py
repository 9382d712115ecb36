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
from websockets.typing import Subprotocol

from .._errors import AuthenticationError, JupyterAgentError, RequestError, ServerUnreachableError

# at DEBUG, websockets logs the headers of its handshake, which hold the credentials
_log = logging.getLogger(f"{__name__}.frames")
_log.setLevel(logging.INFO)

OPEN_TIMEOUT = 10.0
CLOSE_TIMEOUT = 1.0
PING_INTERVAL = 20.0


@attrs.frozen
class WebSocketAddress:
    """Where a websocket is opened, and with which headers (they hold the credentials)."""

    url: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    tls: ssl.SSLContext | None = attrs.field(default=None, repr=False)
    use_proxy: bool = True


async def open_websocket(
    address: WebSocketAddress, *, subprotocols: Sequence[str] = ()
) -> ClientConnection:
    """Open the websocket.

    Raises:
        ServerUnreachableError: Nothing answers.
        AuthenticationError: The credentials are refused.
        RequestError: The server answers with another HTTP status.
    """
    try:
        return await connect(
            address.url,
            additional_headers=dict(address.headers),
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            max_size=None,
            compression=None,
            ssl=address.tls,
            proxy=True if address.use_proxy else None,
            logger=_log,
            open_timeout=OPEN_TIMEOUT,
            close_timeout=CLOSE_TIMEOUT,
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_INTERVAL,
        )
    except InvalidStatus as error:
        raise _refusal(address, error.response.status_code) from error
    except (OSError, TimeoutError, InvalidHandshake) as error:
        raise ServerUnreachableError(_shown(address.url), _why(error)) from error


def _refusal(address: WebSocketAddress, status: int) -> JupyterAgentError:
    if status in (401, 403):
        with_token = "Authorization" in address.headers
        return AuthenticationError(_shown(address.url), status, with_token=with_token)
    return RequestError("GET", _shown(address.url), status, "the websocket was not opened")


def _shown(url: str) -> str:
    """The URL without its query, which holds session ids."""
    return url.partition("?")[0]


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__


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
