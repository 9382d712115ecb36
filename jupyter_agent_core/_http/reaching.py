# SPDX-License-Identifier: BSD-3-Clause
"""From a URL as people have it to the server: pages are taken apart, redirects are followed."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from .._connect_errors import NotAJupyterServerError, ServerMovedError
from .._values import ServerInfo
from .addresses import Address
from .auth import Auth
from .login import Password
from .rest import JupyterRest

MAX_REDIRECTS = 5

_log = logging.getLogger(__name__)


Opened = Callable[[str, Auth | Password], JupyterRest]


@asynccontextmanager
async def reached(
    address: Address, auth: Auth | Password, at: Opened
) -> AsyncIterator[tuple[JupyterRest, ServerInfo]]:
    """Find the server at an address.

    Args:
        address: Where it may be.
        auth: Its credentials.
        at: Makes a client for a base URL and credentials.

    Yields:
        A client for it, and what it says of itself.

    Raises:
        ConnectError: Of the likely base URL, if there is no server at any of them.
    """
    first: NotAJupyterServerError | None = None
    for url in address.bases:
        try:
            rest, info = await _followed(url, auth, at)
        except NotAJupyterServerError as error:
            first = first or error
            continue
        async with rest:
            yield rest, info
        return
    assert first is not None
    raise first


async def _followed(url: str, auth: Auth | Password, at: Opened) -> tuple[JupyterRest, ServerInfo]:
    """Go where redirects lead to, as far as what is secret may be sent there."""
    for _ in range(MAX_REDIRECTS):
        async with AsyncExitStack() as stack:
            rest = await stack.enter_async_context(at(url, auth))
            try:
                info = await rest.probe()
            except ServerMovedError as error:
                if not _may_follow(error.url, error.location):
                    raise
                _log.info("%s redirects to %s", error.url, error.location)
                url = error.location
                continue
            stack.pop_all()
            return rest, info
    reason = f"it redirects more than {MAX_REDIRECTS} times"
    raise NotAJupyterServerError(url, reason)


def _may_follow(url: str, location: str) -> bool:
    """Say whether a redirect stays on the host, and does not give up encryption."""
    here, there = httpx.URL(url), httpx.URL(location)
    same = (here.scheme, here.port) == (there.scheme, there.port)
    return here.host == there.host and (same or there.scheme == "https")
