# SPDX-License-Identifier: BSD-3-Clause
"""The floor: the same work by the bare protocol, without any tool."""

from contextlib import AsyncExitStack

from floor import BareChannel, BareReplica, bare_replica

from jupyter_agent_core._http.auth import Token
from jupyter_agent_core._http.rest import JupyterRest


class Bare:
    """A kernel's websocket and a Yjs document, both held open."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        self._stack = AsyncExitStack()
        self._rest = JupyterRest(url, Token(token))
        self._stack.push_async_callback(self._rest.close)

    async def close(self) -> None:
        """Disconnect."""
        await self._stack.aclose()

    async def use(self, path: str) -> None:
        """Start a kernel for a notebook, get its document, and connect to the kernel."""
        session = await self._rest.start_session(path, kernel_name="python3")
        self._replica: BareReplica = await self._stack.enter_async_context(
            bare_replica(self._rest, path)
        )
        self._channel = BareChannel(self._url, self._token, session.kernel.id, "")
        await self._channel.open()
        self._stack.push_async_callback(self._channel.close)

    async def insert(self, cell_id: str) -> None:
        """Insert a cell, until the server has it."""
        await self._replica.insert(cell_id)
        await self._replica.acknowledged()

    async def run(self, code: str) -> None:
        """Run code, and look at nothing that it answers."""
        self._channel.code = code
        await self._channel.execute()

    async def read(self, path: str) -> None:
        """Get the server's document anew."""
        async with bare_replica(self._rest, path) as replica:
            assert len(replica.cells)
