# SPDX-License-Identifier: BSD-3-Clause
"""Rooms of `jupyter-server-documents`, where they differ from those of `jupyter-collaboration`.

A sync step 1 is a handshake there: the room does nothing else until we have answered it in
turn, and a client that dies meanwhile may take the room with it. What it sends back to the
sender, too, are awareness messages, in order with the edits: they acknowledge.

There is no message for saving either. The server saves half a second after a change, and
then writes `dirty` into the document's state, changed or not.
"""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

import anyio
from pycrdt import Decoder, Map
from websockets.exceptions import ConnectionClosed

from .._errors import (
    JupyterAgentError,
    NotebookNotFoundError,
    NotSyncedError,
    SaveError,
)
from .._values import Mode
from .connection import RoomConnection
from .room import SAVE_TIMEOUT, Room

MOVED, DELETED, STOPPED = 4001, 4002, 1001


class ServerDocumentsConnection(RoomConnection):
    """One websocket to such a room."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: how often the server has saved
        self.saves = 0
        #: the clock of our awareness at each question that waits for its answer
        self._clocks: deque[int] = deque()
        self._saved = anyio.Event()

    def _refusal(self, error: ConnectionClosed) -> JupyterAgentError:
        code = error.rcvd.code if error.rcvd else None
        if code in (MOVED, DELETED):
            return NotebookNotFoundError(self._path)
        if code == STOPPED:
            return NotSyncedError(
                self._path,
                "the server has stopped its room and opens no other one; if the file was moved "
                "or deleted outside of Jupyter before, only restarting the server helps",
            )
        return super()._refusal(error)

    def _is_waiting(self) -> bool:
        # the outputs of runs come this way, too
        return True

    async def _ask(self) -> None:
        awareness = self._document.awareness
        awareness.set_local_state(awareness.get_local_state())
        self._clocks.append(awareness.meta[awareness.client_id]["clock"])
        await self._announce()

    async def _receive_awareness(self, update: bytes) -> None:
        clock = _clock_of(self._document.awareness.client_id, update)
        await super()._receive_awareness(update)
        while self._clocks and self._clocks[0] <= clock:
            self._clocks.popleft()
            self._answered()

    async def serve(self) -> str:
        """Keep the document in step until the connection ends, and notice when it is saved."""
        state: Map[Any] = self._document.ydoc.get("state", type=Map)
        subscription = state.observe(self._on_state)
        try:
            return await super().serve()
        finally:
            state.unobserve(subscription)
            self._saved.set()

    def _on_state(self, event: Any) -> None:
        if "dirty" in event.keys and not event.target["dirty"]:
            self.saves += 1
            self._document.journal.written()
            saved, self._saved = self._saved, anyio.Event()
            saved.set()

    async def next_save(self, seen: int) -> bool:
        """Wait until there are more saves than have been seen.

        Returns:
            False if the connection ended first.
        """
        while self.saves == seen and not self._ended.is_set():
            await self._saved.wait()
        return self.saves > seen


class ServerDocumentsRoom(Room):
    """One document in step with such a room."""

    mode: ClassVar[Mode] = "server-documents"
    connection_class: ClassVar[type[RoomConnection]] = ServerDocumentsConnection

    async def save(self) -> None:
        """Return when the file on disk holds the document.

        Either the file tells, or the server has saved twice since: where others go on editing,
        the first save may have begun before our edits came.

        Raises:
            SaveError, ConnectionLostError
        """
        try:
            with anyio.fail_after(SAVE_TIMEOUT):
                while not await self._saved_on(await self._acknowledged()):
                    pass
        except TimeoutError as error:
            reason = f"after {SAVE_TIMEOUT:g} s the file does not hold what the document holds"
            raise SaveError(self.path, reason) from error

    async def _acknowledged(self) -> ServerDocumentsConnection:
        await self.acknowledge()
        await self._follow_file()
        connection = await self._connected()
        assert isinstance(connection, ServerDocumentsConnection)
        return connection

    async def _saved_on(self, connection: ServerDocumentsConnection) -> bool:
        """Wait for the proof that the file is written; False if the connection ended first."""
        enough = connection.saves + 2
        while True:
            seen = connection.saves
            if seen >= enough or await self._is_on_disk():
                return True
            if not await connection.next_save(seen):
                return False


def _clock_of(client_id: int, update: bytes) -> int:
    """Return the clock of a client in an awareness message, -1 if it is not in it."""
    decoder = Decoder(update)
    for _ in range(decoder.read_var_uint()):
        client, clock = decoder.read_var_uint(), decoder.read_var_uint()
        decoder.read_var_string()
        if client == client_id:
            return clock
    return -1
