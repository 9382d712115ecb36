# SPDX-License-Identifier: BSD-3-Clause
"""A collaborator with nothing of ours: jupyter_ydoc, pycrdt and a websocket.

It shows what is on the wire, and stands for the human beside the agent.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import anyio
from jupyter_ydoc import YNotebook
from pycrdt import (
    Assoc,
    Awareness,
    Map,
    Text,
    YMessageType,
    YSyncMessageType,
    create_awareness_message,
    create_sync_message,
    create_update_message,
    handle_sync_message,
    read_message,
)
from servers import RunningServer
from websockets.asyncio.client import ClientConnection, connect

REMOTE = "remote"


class Collaborator:
    """One replica of a notebook's document.

    Attributes:
        notebook: The document.
        broadcasts: How many updates have come without being asked for, its own among them.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self.notebook = YNotebook()
        self._awareness = Awareness(self.notebook.ydoc)
        self.broadcasts = 0
        self._socket = socket
        self._changed = anyio.Event()
        self._answered = anyio.Event()

    async def read(self) -> None:
        """Apply what comes, until the connection is closed."""
        async for message in self._socket:
            assert isinstance(message, bytes)
            if message[0] != YMessageType.SYNC:
                continue
            if message[1] == YSyncMessageType.SYNC_STEP1:
                reply = handle_sync_message(message[1:], self.notebook.ydoc)
                if reply is not None:
                    await self._socket.send(reply)
                continue
            with self.notebook.ydoc.transaction(origin=REMOTE):
                self.notebook.ydoc.apply_update(read_message(message[2:]))
            if message[1] == YSyncMessageType.SYNC_STEP2:
                self._answered.set()
            else:
                self.broadcasts += 1
            changed, self._changed = self._changed, anyio.Event()
            changed.set()

    async def pull(self) -> None:
        """Do one sync: what the server has at its answer is here then."""
        self._answered = anyio.Event()
        await self._socket.send(create_sync_message(self.notebook.ydoc))
        await self._answered.wait()

    async def until(self, holds: Any) -> None:
        """Wait until `holds()`, asked after each change that comes."""
        while not holds():
            await self._changed.wait()

    async def send(self, edit: Any) -> None:
        """Make an edit and send it, as an editor does for each keystroke."""
        before = self.notebook.ydoc.get_state()
        edit()
        await self._socket.send(create_update_message(self.notebook.ydoc.get_update(before)))

    async def greet(self, name: str, cursor_in: Text | None = None) -> None:
        """Say who is here, as it would have to be repeated every few seconds.

        Args:
            name: Under which others see the collaborator.
            cursor_in: The source that the cursor is in; it is said as Yjs in a browser does.
        """
        awareness = self._awareness
        state: dict[str, Any] = {"user": {"display_name": name}}
        if cursor_in is not None:
            place = cursor_in.sticky_index(0, Assoc.BEFORE).to_json() | {"tname": None}
            state["cursors"] = [{"anchor": place, "head": place, "primary": True, "empty": True}]
        awareness.set_local_state(state)
        update = awareness.encode_awareness_update([awareness.client_id])
        await self._socket.send(create_awareness_message(update))

    def cells(self) -> list[dict[str, Any]]:
        """All cells as plain values."""
        cells: list[dict[str, Any]] = self.notebook.ycells.to_py() or []
        return cells

    def ycell(self, cell_id: str) -> Map[Any]:
        """The Yjs map of a cell."""
        return next(cell for cell in self.notebook.ycells if cell["id"] == cell_id)

    def cell(self, cell_id: str) -> dict[str, Any]:
        """One cell as plain values."""
        return next(cell for cell in self.cells() if cell["id"] == cell_id)


def room_address(server: RunningServer, path: str) -> tuple[str, dict[str, str]]:
    """The websocket of a notebook's room, and the headers that it wants."""
    with server.http() as http:
        answer = http.put(
            f"/api/collaboration/session/{quote(path)}", json={"format": "json", "type": "notebook"}
        )
        session = answer.raise_for_status().json()
    room = f"json:notebook:{session['fileId']}?sessionId={session['sessionId']}"
    url = f"ws{server.url.removeprefix('http')}/api/collaboration/room/{room}"
    return url, {"Authorization": f"token {server.token}"}


@asynccontextmanager
async def collaborator(server: RunningServer, path: str) -> AsyncIterator[Collaborator]:
    """Join the room of a notebook."""
    # what somebody else does must not hold up the loop of those who are watched
    url, headers = await anyio.to_thread.run_sync(room_address, server, path)
    async with connect(url, additional_headers=headers, max_size=None) as socket:
        one = Collaborator(socket)
        async with anyio.create_task_group() as group:
            group.start_soon(one.read)
            with anyio.fail_after(10):
                await one.pull()
            yield one
            group.cancel_scope.cancel()
