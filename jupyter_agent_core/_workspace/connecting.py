# SPDX-License-Identifier: BSD-3-Clause
"""The tool that goes to another Jupyter server."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Annotated

import anyio
import attrs
import httpx
from msgspec import Meta

from .._answers import ServerConnected
from .._errors import ConfigurationError, JupyterAgentError
from .._handles.connecting import connect
from .._handles.server import Server, connections_of
from .._http.addresses import address
from .registry import ToolHints, tool
from .state import Toolset


@attrs.define(eq=False)
class _Visit:
    """A connection to another server, in a task of its own."""

    url: str
    token: str | None = attrs.field(repr=False)
    username: str
    settled: anyio.Event = attrs.field(factory=anyio.Event)
    over: anyio.Event = attrs.field(factory=anyio.Event)
    ended: anyio.Event = attrs.field(factory=anyio.Event)
    server: Server | None = None
    failure: JupyterAgentError | None = None

    async def run(self) -> None:
        """Hold the connection until the visit is over."""
        try:
            async with connect(self.url, token=self.token, username=self.username) as self.server:
                self.settled.set()
                await self.over.wait()
        except JupyterAgentError as error:
            self.failure = error
        finally:
            self.settled.set()
            self.ended.set()

    async def end(self) -> None:
        """Close the connection."""
        self.over.set()
        await self.ended.wait()


class ConnectTools(Toolset):
    """Other Jupyter servers."""

    _visit: _Visit | None = None

    @tool(
        ToolHints(
            "Connect to Jupyter",
            "connect",
            destructive=True,
            idempotent=True,
            open_world=True,
            ignored=("document_provider",),
        )
    )
    async def connect_to_jupyter(
        self,
        jupyter_url: Annotated[str, Meta(description="As the browser shows it.")],
        jupyter_token: Annotated[str | None, Meta(description="Its API token.")] = None,
    ) -> ServerConnected:
        """Work on another Jupyter server from now on; lets go of the notebooks in use."""
        place = address(jupyter_url)
        host, allowed = httpx.URL(place.url).host, self._state.options.connect_hosts
        if "*" not in allowed and host not in allowed:
            raise ConfigurationError(
                f"The operator has not allowed to go to {host!r}; allowed: "
                f"{', '.join(allowed) or 'none'} (--connect-host)",
                name="jupyter_url",
                value=place.url,
            )
        connections = connections_of(self._state.home)
        # with the token that came with the URL: what is configured is for other servers
        token = jupyter_token or place.token
        visit = _Visit(place.bases[-1], token, connections.username)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(visit.end)
            connections.background.start_soon(visit.run)
            await visit.settled.wait()
            if visit.failure is not None:
                raise visit.failure
            assert visit.server is not None
            async with self._state.naming:  # what is being opened is one of those to let go
                await self._state.release_all()
                stack.pop_all()
                before, self._visit = self._visit, visit
                self._state.visited = visit.server
        if before is not None:
            await before.end()
        info = visit.server.info
        return ServerConnected(info.url, info.version, info.mode, with_token=bool(token))

    async def _end_visit(self) -> None:
        if self._visit is not None:
            await self._visit.end()
