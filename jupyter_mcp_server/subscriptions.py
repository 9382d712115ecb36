# SPDX-License-Identifier: BSD-3-Clause
"""Who is told when a notebook, a cell or an output changes, in both eras of the protocol."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

import anyio
import mcp.types as types
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    ResourcesListChanged,
    ResourceUpdated,
)
from mcp.shared.exceptions import MCPError

from jupyter_agent_core import Change, ConnectionChange, JupyterAgentError
from jupyter_agent_core._workspace.resources import names_in_use, notebook_in_use

from .connection import Connection
from .resources import Address
from .seats import Client
from .sessions import Context, client_of

Tell = Callable[[], Awaitable[object]]

QUIET = 0.25
"""Seconds between two notifications of one resource."""


class Subscriptions:
    """What clients want to be told.

    Args:
        connection: Their workspaces.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._subscribed: dict[tuple[str, str], anyio.CancelScope] = {}
        self._streams: dict[str, list[InMemorySubscriptionBus]] = {}
        self._changed: dict[str, anyio.Event] = {}

    async def subscribe(
        self, ctx: Context, params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        """Tell a client of the handshake era of a resource until he does not want it any more.

        Raises:
            MCPError: The URI is none of ours, or Jupyter is not there.
        """
        client, uri = client_of(ctx), str(params.uri)
        Address.of(uri)
        try:
            async with self._connection.workspace(client):
                self._connection.while_there(client, lambda: self._drop(client.id, uri))
        except JupyterAgentError as error:
            raise MCPError(types.INTERNAL_ERROR, str(error)) from error
        self._drop(client.id, uri)
        scope = anyio.CancelScope()
        self._subscribed[client.id, uri] = scope

        async def serve() -> None:
            with scope:
                await self._watch(client, uri, lambda: ctx.session.send_resource_updated(uri))

        self._connection.group.start_soon(serve)
        return types.EmptyResult()

    async def unsubscribe(
        self, ctx: Context, params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        """Stop telling a client of a resource."""
        self._drop(client_of(ctx).id, str(params.uri))
        return types.EmptyResult()

    def _drop(self, client_id: str, uri: str) -> None:
        scope = self._subscribed.pop((client_id, uri), None)
        if scope is not None:
            scope.cancel()

    async def listen(
        self, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Tell a client of the era without sessions what he wants, as long as he listens.

        Raises:
            MCPError: A URI is none of ours.
        """
        client, bus = client_of(ctx), InMemorySubscriptionBus()
        uris = list(dict.fromkeys(params.notifications.resource_subscriptions or ()))
        for uri in uris:
            Address.of(uri)
        streams = self._streams.setdefault(client.id, [])
        streams.append(bus)
        try:
            async with anyio.create_task_group() as group:
                for uri in uris:
                    group.start_soon(self._watch, client, uri, _publisher(bus, uri))
                result = await ListenHandler(bus)(ctx, params)
                group.cancel_scope.cancel()
            return result
        finally:
            streams.remove(bus)

    async def names_changed(self, ctx: Context) -> None:
        """Tell that the client has taken a notebook into use, or let one go."""
        client = client_of(ctx)
        self._changed.pop(client.id, anyio.Event()).set()
        for bus in tuple(self._streams.get(client.id, ())):
            await bus.publish(ResourcesListChanged())
        await ctx.session.send_resource_list_changed()

    async def _watch(self, client: Client, uri: str, tell: Tell) -> None:
        """Tell each change of a resource; while its notebook is not in use, wait until it is."""
        address = Address.of(uri)
        while True:
            changed = self._changed.setdefault(client.id, anyio.Event())
            with contextlib.suppress(JupyterAgentError):  # closed, or Jupyter has gone away
                await self._tell_while_in_use(client, address, tell)
            await changed.wait()

    async def _tell_while_in_use(self, client: Client, address: Address, tell: Tell) -> None:
        async with self._connection.workspace(client) as workspace:
            # looking on is no use of it
            if address.name not in names_in_use(workspace):
                return
            _, notebook = await notebook_in_use(workspace, address.name)
        async for change in notebook.watch():
            if _concerns(change, address):
                await tell()
                await anyio.sleep(QUIET)  # what comes meanwhile is one more
        await tell()


def _publisher(bus: InMemorySubscriptionBus, uri: str) -> Tell:
    return lambda: bus.publish(ResourceUpdated(uri=uri))


def _concerns(change: Change | ConnectionChange, address: Address) -> bool:
    if isinstance(change, ConnectionChange):
        return False
    if address.cell_id is not None and not change.cell_id.startswith(address.cell_id):
        return False
    return address.output is None or change.kind in ("run", "deleted")
