# SPDX-License-Identifier: BSD-3-Clause
"""What an execution and an edit cost at least: the bare protocol."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pycrdt import (
    Array,
    Doc,
    Map,
    Text,
    YMessageType,
    YSyncMessageType,
    create_sync_message,
    create_update_message,
    handle_sync_message,
    read_message,
)
from websockets.asyncio.client import ClientConnection

from jupyter_agent_core._execution.wire import SUBPROTOCOL, Wire, new_session
from jupyter_agent_core._http.auth import Token
from jupyter_agent_core._http.rest import JupyterRest
from jupyter_agent_core._http.websocket import nudge, open_websocket

STEP_2 = bytes((YMessageType.SYNC, YSyncMessageType.SYNC_STEP2))


class BareChannel:
    """A kernel's websocket without any of ours but the framing: the floor.

    Args:
        url: The server.
        token: Its token.
        kernel_id: The kernel.
        code: What `execute` runs; may be set anew.
    """

    def __init__(self, url: str, token: str | None, kernel_id: str, code: str) -> None:
        self.code = code
        self._rest = JupyterRest(url, Token(token))
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
                "code": self.code,
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


class BareReplica:
    """A Yjs document on a websocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.doc: Doc[Any] = Doc()
        self.cells: Array[Map[Any]] = self.doc.get("cells", type=Array)

    async def open(self) -> None:
        """Get the server's document."""
        await self._socket.send(create_sync_message(self.doc))
        while await self.receive() != STEP_2:
            pass

    async def receive(self) -> bytes:
        """Take one message, and apply it."""
        frame = await self._socket.recv()
        await nudge(self._socket)
        assert isinstance(frame, bytes)
        if frame[0] == YMessageType.SYNC:
            if frame[1] == YSyncMessageType.SYNC_STEP1:
                if reply := handle_sync_message(frame[1:], self.doc):
                    await self._socket.send(reply)
            else:
                self.doc.apply_update(read_message(frame[2:]))
        return frame[:2]

    async def insert(self, cell_id: str) -> None:
        """Insert a cell, as small as one can be."""
        before = self.doc.get_state()
        self.cells.insert(0, Map({"id": cell_id, "cell_type": "raw", "source": Text("x")}))
        await self._socket.send(create_update_message(self.doc.get_update(before)))

    async def until(self, count: int) -> None:
        """Wait until there are so many cells."""
        while len(self.cells) < count:
            await self.receive()

    async def acknowledged(self) -> None:
        """Wait until the server has applied all that was sent."""
        await self.open()

    async def close(self) -> None:
        await self._socket.close()


@asynccontextmanager
async def bare_replica(rest: JupyterRest, path: str) -> AsyncIterator[BareReplica]:
    replica = BareReplica(await open_websocket((await rest.room(path, "collaboration")).socket))
    await replica.open()
    yield replica
    await replica.close()
