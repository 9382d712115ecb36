# SPDX-License-Identifier: BSD-3-Clause
"""Whose call it is: what the protocol remembers between two calls, and what it does not."""

from __future__ import annotations

from typing import Any

from mcp.server import ServerRequestContext
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER

from .seats import IDLE_TIMEOUT, ONLY, Client

Context = ServerRequestContext[Any]
"""A request, with the session that it came over."""
WITHOUT_SESSION = Client("without a session", keeps_current=False, idle_timeout=IDLE_TIMEOUT)
"""All who know the secret, in the era without sessions: they share the names of notebooks."""


def client_of(ctx: Context) -> Client:
    """Say who calls.

    Over HTTP, clients up to 2025-11-25 have a session each. From 2026-07-28 on, the protocol has
    none: whoever has shown the secret is the same one.
    """
    if ctx.request is None:
        return ONLY
    session: str | None = ctx.request.headers.get(MCP_SESSION_ID_HEADER)
    return WITHOUT_SESSION if session is None else session_client(session)


def session_client(session: str) -> Client:
    """Return the client of a session."""
    return Client(f"session {session}", idle_timeout=IDLE_TIMEOUT)
