# SPDX-License-Identifier: BSD-3-Clause
"""What an execution costs at least: the bare protocol."""

import asyncio

from jupyter_agent_core import Server
from jupyter_agent_core._execution.wire import SUBPROTOCOL, Wire, new_session
from jupyter_agent_core._http.auth import Token
from jupyter_agent_core._http.rest import JupyterRest
from jupyter_agent_core._http.websocket import nudge, open_websocket


class BareChannel:
    """A kernel's websocket without any of ours but the framing: the floor.

    Args:
        server: The server.
        kernel_id: The kernel.
        code: What `execute` runs.
    """

    def __init__(self, server: Server, kernel_id: str, code: str) -> None:
        self._code = code
        self._rest = JupyterRest(server.url, Token(server.token))
        self._session = new_session()
        path = f"api/kernels/{kernel_id}/channels"
        self._address = self._rest.websocket(path, session_id=self._session)

    async def open(self) -> None:
        """Connect, and read what comes."""
        self._socket = await open_websocket(self._address, subprotocols=[SUBPROTOCOL])
        self._wire = Wire(self._socket.subprotocol, self._session)
        self._message_id = ""
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        """Other clients' messages come, too: they are not to wait for our next request."""
        while True:
            message = self._wire.message(await self._socket.recv())
            if message.parent != self._message_id:
                continue
            await nudge(self._socket)
            if message.type == "stream":
                self._printed.set()
            self._replied |= message.type == "execute_reply"
            self._idle |= message.content.get("execution_state") == "idle"
            if self._replied and self._idle:
                self._ended.set()

    async def execute(self) -> None:
        """Run the code to its end."""
        await self.start()
        await self._ended.wait()

    async def first_output(self) -> None:
        """Run the code until it has printed something."""
        await self.start()
        await self._printed.wait()

    async def ended(self) -> None:
        """Wait for the end of a run that was left."""
        await self._ended.wait()

    async def start(self) -> None:
        """Send the code."""
        self._message_id, frame = self._wire.request(
            "execute_request",
            {
                "code": self._code,
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": False,
                "stop_on_error": False,
            },
        )
        self._replied = self._idle = False
        self._printed, self._ended = asyncio.Event(), asyncio.Event()
        await self._socket.send(frame)

    async def close(self) -> None:
        """Disconnect."""
        self._reader.cancel()
        await self._socket.close()
        await self._rest.close()
