# SPDX-License-Identifier: BSD-3-Clause
"""The clients of one server, each with a workspace of his own."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import attrs

from jupyter_agent_core import JupyterAgentError, Server, Workspace
from jupyter_agent_core._workspace.resources import names_in_use

from . import memory
from .settings import Settings

_log = logging.getLogger(__name__)

DEFAULT_NOTEBOOK = "default"
IDLE_TIMEOUT = 3600.0
"""Seconds after which a client over HTTP who asks for nothing is taken to be gone."""


@attrs.frozen
class Client:
    """Who calls; what is remembered between two calls is remembered for him.

    Attributes:
        id: Tells him from others.
        keeps_current: His calls belong together, so that he need not name his notebook each time.
        idle_timeout: Seconds after which a notebook that he has not used is let go; None if his
            end can be seen.
    """

    id: str
    keeps_current: bool = True
    idle_timeout: float | None = None


ONLY = Client("")
"""The one at the other end of stdin and stdout."""


@attrs.define(eq=False)
class Seat:
    """What is kept for one client.

    Attributes:
        client: The client.
        wants_default: The notebook that is in use from the start is not in use yet.
        default_failure: Why not.
        stack: Is closed when the client leaves.
        seating: Held while the seat is made ready.
        workspace: His workspace, None until the seat has been made ready.
        calls: His calls at work.
        used_at: When the last one ended.
    """

    client: Client
    wants_default: bool
    default_failure: str = ""
    stack: AsyncExitStack = attrs.field(factory=AsyncExitStack)
    seating: anyio.Lock = attrs.field(factory=anyio.Lock)
    workspace: Workspace | None = None
    calls: int = 0
    used_at: float = attrs.field(factory=anyio.current_time)

    def is_left(self) -> bool:
        """Whether the client is taken to be gone."""
        timeout = self.client.idle_timeout
        if timeout is None or self.calls:
            return False
        return anyio.current_time() - self.used_at > timeout


class Seats:
    """What is kept for the clients.

    Args:
        server: The server that their notebooks are on.
        settings: What the tools may do, and which notebook is in use from the start.
    """

    def __init__(self, server: Server, settings: Settings) -> None:
        self._server = server
        self._settings = settings
        self._seats: dict[str, Seat] = {}
        self._given_back_at = anyio.current_time()

    def __contains__(self, workspace: Workspace) -> bool:
        return any(seat.workspace is workspace for seat in self._seats.values())

    def of(self, client_id: str) -> Seat | None:
        """Return what is kept for a client, None if nothing is."""
        return self._seats.get(client_id)

    @asynccontextmanager
    async def workspace(self, client: Client) -> AsyncIterator[Workspace]:
        """Hold the workspace of a client, who is not taken to be gone meanwhile."""
        seat = self._seats.get(client.id)
        if seat is None:
            seat = self._seats[client.id] = Seat(client, self._settings.notebook is not None)
        seat.calls += 1
        try:
            if seat.workspace is None or seat.wants_default:
                async with seat.seating:  # who is cancelled here leaves the rest to the next call
                    await self._make_ready(seat)
            assert seat.workspace is not None
            yield seat.workspace
        finally:
            seat.calls -= 1
            seat.used_at = anyio.current_time()
            if seat.used_at - self._given_back_at > memory.INTERVAL:
                self._given_back_at = seat.used_at
                memory.give_back()

    async def _make_ready(self, seat: Seat) -> None:
        if seat.workspace is None:
            options = attrs.evolve(
                self._settings.workspace,
                keeps_current=seat.client.keeps_current,
                idle_timeout=seat.client.idle_timeout,
            )
            workspace = Workspace(self._server, options)
            seat.workspace = await seat.stack.enter_async_context(workspace)
            for other in tuple(self._seats.values()):
                if other.is_left() and self._seats.get(other.client.id) is other:
                    await self.leave(other.client.id)
        if seat.wants_default and not names_in_use(seat.workspace):
            await self._use_default(seat, seat.workspace)
        else:
            seat.wants_default = False

    async def _use_default(self, seat: Seat, workspace: Workspace) -> None:
        """Use the notebook that is in use from the start; where that fails, the next call tries."""
        path = self._settings.notebook
        try:
            await workspace.use_notebook(DEFAULT_NOTEBOOK, path)
            seat.wants_default, seat.default_failure = False, ""
        except JupyterAgentError as error:
            failure = f"DOCUMENT_ID: {error}"
            if failure != seat.default_failure:
                _log.warning("%s", failure)
            seat.default_failure = failure

    async def leave(self, client_id: str) -> None:
        """Let go of what a client has in use."""
        seat = self._seats.pop(client_id, None)
        if seat is None:
            return
        with anyio.CancelScope(shield=True):  # a workspace bounds its end
            try:
                await seat.stack.aclose()
            except JupyterAgentError as error:
                _log.warning("%s", error)

    async def close(self) -> None:
        """Let go of what all of them have in use."""
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as group:
                for client_id in tuple(self._seats):
                    group.start_soon(self.leave, client_id)
