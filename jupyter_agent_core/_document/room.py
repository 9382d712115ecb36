# SPDX-License-Identifier: BSD-3-Clause
"""The live room of a document: one websocket that keeps the replica in step.

Protocol: the Yjs sync and awareness messages (y-protocols), and the RAW messages of
`jupyter-server-ydoc` (saving). Messages of one connection are handled in order, so the
reply to a sync step 1 proves that the server has applied every update sent before it.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from typing import Any

import anyio
from anyio.abc import TaskStatus
from pycrdt import (
    Decoder,
    Encoder,
    YMessageType,
    YSyncMessageType,
    create_awareness_message,
    create_sync_message,
    create_update_message,
    handle_sync_message,
    merge_updates,
    read_message,
)
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .._errors import (
    ConnectionLostError,
    JupyterAgentError,
    NotANotebookError,
    NotebookNotFoundError,
    NotSyncedError,
    SaveError,
)
from .._http.rest import JupyterRest
from .._http.websocket import closing_reason, nudge, open_websocket
from .model import REMOTE, NotebookDocument

log = logging.getLogger(__name__)

RAW_MESSAGE = 2
SYNC_TIMEOUT = 30.0
ACKNOWLEDGE_TIMEOUT = 10.0
SAVE_TIMEOUT = 30.0
CLOSE_TIMEOUT = 5.0
# edits that nobody waits for travel together
LINGER = 0.01
# peers forget a collaborator that is silent for 30 s (y-protocols awareness)
PRESENCE_INTERVAL = 12.0
PRESENCE_TIMEOUT = 30.0


class Room:
    """One document in step with its server, from `run` until `close` or until the connection ends.

    Args:
        path: Path of the notebook.
        rest: The server.
        username: The name under which collaborators see us.
    """

    def __init__(self, path: str, rest: JupyterRest, username: str) -> None:
        self.document: NotebookDocument = NotebookDocument()
        self.path = path
        self._rest = rest
        self._user = _collaborator(username)
        self._socket: ClientConnection | None = None
        self._lost: str | None = None
        self._outbox: list[bytes] = []
        self._outbox_filled = anyio.Event()
        self._hurry = anyio.Event()
        self._wanted: anyio.Event | None = None
        self._acknowledgements: deque[anyio.Event] = deque()
        self._saves: dict[int, _Save] = {}
        self._last_save = 0
        self._ended = anyio.Event()

    # --- the connection

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Connect, report `started` when the document is here, and serve until the end.

        Raises:
            NotebookNotFoundError, NotANotebookError, NotSyncedError, ConnectError: Before
                `started`. What happens later is told to those who wait, and logged.
        """
        address = await self._rest.room(self.path)
        socket = await open_websocket(address.socket)
        try:
            with self.document.observed(self._queue_update):
                await self._synchronise(socket)
                self._socket = socket
                task_status.started()
                async with anyio.create_task_group() as group:
                    group.start_soon(self._write, socket)
                    group.start_soon(self._stay_present, socket)
                    await self._read(socket)
                    group.cancel_scope.cancel()
        finally:
            self._lose("the room was left")
            with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                await socket.close()
            self._ended.set()

    async def _synchronise(self, socket: ClientConnection) -> None:
        """Exchange sync steps until the server's document is here."""
        try:
            with anyio.fail_after(SYNC_TIMEOUT):
                await socket.send(create_sync_message(self.document.ydoc))
                async for message in socket:
                    await nudge(socket)
                    if await self._receive(socket, _binary(message)):
                        return
        except TimeoutError as error:
            reason = f"no answer within {SYNC_TIMEOUT:g} s"
            raise NotSyncedError(self.path, reason) from error
        except ConnectionClosed as error:
            raise self._refusal(error) from error
        raise NotSyncedError(self.path, "the room was closed before its content arrived")

    def _refusal(self, error: ConnectionClosed) -> JupyterAgentError:
        """Say why a room was closed before it was open (close codes of jupyter-server-ydoc)."""
        code = error.rcvd.code if error.rcvd else None
        if code == 4404:
            return NotebookNotFoundError(self.path)
        if code in (4400, 4500):
            return NotANotebookError(self.path, closing_reason(error))
        return NotSyncedError(self.path, closing_reason(error))

    async def _read(self, socket: ClientConnection) -> None:
        reason = "the server closed the room"
        try:
            async for message in socket:
                if self._acknowledgements or self._saves:
                    await nudge(socket)
                await self._receive(socket, _binary(message))
        except ConnectionClosed as error:
            reason = closing_reason(error)
        self._lose(reason)

    async def _receive(self, socket: ClientConnection, message: bytes) -> bool:
        """Handle one message; True for the answer to a sync step 1 of ours."""
        kind = message[0]
        if kind == YMessageType.AWARENESS:
            self.document.awareness.apply_awareness_update(read_message(message[1:]), REMOTE)
        elif kind == RAW_MESSAGE:
            self._receive_raw(message)
        elif kind == YMessageType.SYNC:
            if message[1] == YSyncMessageType.SYNC_STEP1:
                reply = handle_sync_message(message[1:], self.document.ydoc)
                if reply is not None:
                    await socket.send(reply)
                return False
            self.document.apply_remote(read_message(message[2:]))
            if message[1] == YSyncMessageType.SYNC_STEP2:
                if self._acknowledgements:
                    self._acknowledgements.popleft().set()
                return True
        return False

    def _receive_raw(self, message: bytes) -> None:
        decoder = Decoder(message)
        decoder.read_var_uint()
        content = json.loads(decoder.read_var_string())
        if content.get("type") == "save":
            save = self._saves.pop(content["responseTo"], None)
            if save is not None:
                save.status = content["status"]
                save.done.set()
        else:
            log.info("%s: the server says %s", self.path, content)

    def _lose(self, reason: str) -> None:
        """Wake everybody who waits for the connection."""
        if self._lost is not None:
            return
        self._lost = reason
        if self._socket is not None:
            log.info("%s: connection ended: %s", self.path, reason)
        if self._wanted is not None:
            self._wanted.set()
        for waiter in (*self._acknowledgements, *(save.done for save in self._saves.values())):
            waiter.set()

    @property
    def lost(self) -> str | None:
        """Why the connection ended, None while it lives."""
        return self._lost

    def check_live(self) -> None:
        """Refuse an edit that could not reach the server.

        Raises:
            ConnectionLostError: With `applied="no"`.
        """
        if self._lost is not None:
            raise ConnectionLostError(self.path, self._lost, applied="no")

    # --- sending

    def _queue_update(self, update: bytes) -> None:
        self._outbox.append(update)
        self._outbox_filled.set()

    async def _write(self, socket: ClientConnection) -> None:
        """Send what is edited and asked for: the only task that sends edits and sync steps."""
        while True:
            await self._outbox_filled.wait()
            with anyio.move_on_after(LINGER):
                await self._hurry.wait()
            updates, self._outbox = self._outbox, []
            acknowledgement, self._wanted = self._wanted, None
            self._outbox_filled = anyio.Event()
            self._hurry = anyio.Event()
            try:
                if updates:
                    merged = updates[0] if len(updates) == 1 else merge_updates(*updates)
                    await socket.send(create_update_message(merged))
                if acknowledgement is not None:
                    self._acknowledgements.append(acknowledgement)
                    await socket.send(create_sync_message(self.document.ydoc))
            except ConnectionClosed:
                return  # the reader says why

    async def acknowledge(self) -> None:
        """Return when the server has applied everything that was edited here until now.

        One round trip, shared by all who ask before it begins.

        Raises:
            ConnectionLostError: With what is known of the edit in `applied`.
        """
        self.check_live()
        if self._wanted is None:
            self._wanted = anyio.Event()
        answered = self._wanted
        self._hurry.set()
        self._outbox_filled.set()
        try:
            with anyio.fail_after(ACKNOWLEDGE_TIMEOUT):
                await answered.wait()
        except TimeoutError as error:
            reason = f"no answer within {ACKNOWLEDGE_TIMEOUT:g} s"
            raise ConnectionLostError(self.path, reason, applied="unknown") from error
        if self._lost is not None:
            raise ConnectionLostError(self.path, self._lost, applied="unknown")

    def _connection(self) -> ClientConnection:
        if self._socket is None:
            raise NotSyncedError(self.path, "it is not connected yet")
        return self._socket

    # --- presence

    async def _stay_present(self, socket: ClientConnection) -> None:
        awareness = self.document.awareness
        awareness.set_local_state({"user": self._user})
        while True:
            try:
                await self._announce(socket)
            except ConnectionClosed:
                return  # the reader says why
            with anyio.move_on_after(PRESENCE_INTERVAL):
                await self._ended.wait()
            awareness.set_local_state(awareness.get_local_state())

    async def _announce(self, socket: ClientConnection) -> None:
        awareness = self.document.awareness
        update = awareness.encode_awareness_update([awareness.client_id])
        await socket.send(create_awareness_message(update))

    def peers(self) -> list[str]:
        """Return the display names of the other collaborators in the room."""
        awareness = self.document.awareness
        silent_since = (time.time() - PRESENCE_TIMEOUT) * 1000
        users = (
            (state or {}).get("user") or {}
            for client, state in awareness.states.items()
            if client != awareness.client_id
            and awareness.meta[client]["lastUpdated"] > silent_since
        )
        return sorted(str(user.get("display_name") or user.get("name") or "") for user in users)

    # --- saving and leaving

    async def save(self) -> None:
        """Return when the file on disk holds the document.

        The server answers "success" even when it wrote nothing (the file is gone, or
        somebody's next keystroke cancelled the save), so the file itself is asked: it must
        have been written since, and be what the server says it wrote.

        Raises:
            SaveError, ConnectionLostError
        """
        await self.acknowledge()
        socket = self._connection()
        before = await self._on_disk()
        try:
            with anyio.fail_after(SAVE_TIMEOUT):
                while True:
                    await self._request_save(socket)
                    await self.acknowledge()
                    now = await self._on_disk()
                    written = now["last_modified"] != before["last_modified"]
                    if written and now["hash"] == self.document.state.get("hash"):
                        return
        except TimeoutError as error:
            reason = f"the server did not write the file within {SAVE_TIMEOUT:g} s"
            raise SaveError(self.path, reason) from error

    async def _request_save(self, socket: ClientConnection) -> None:
        self._last_save += 1
        save = self._saves[self._last_save] = _Save()
        encoder = Encoder()
        encoder.write_var_uint(RAW_MESSAGE)
        encoder.write_var_string("save")
        encoder.write_var_uint(self._last_save)
        await socket.send(encoder.to_bytes())
        await save.done.wait()
        self.check_live()
        if save.status == "failed":
            raise SaveError(self.path, "the server could not write the file")

    async def _on_disk(self) -> dict[str, Any]:
        model = await self._rest.contents(self.path, content=False, type="notebook", hash="1")
        if model is None:
            raise SaveError(self.path, "there is no file at its path any more")
        if not model.get("hash"):
            raise SaveError(self.path, "the server tells no hash of the file")
        return model

    async def close(self) -> None:
        """Deliver what is left, say goodbye and close.

        Raises:
            ConnectionLostError: The last edits may not have arrived.
        """
        if self._lost is not None:
            if self._outbox:
                raise ConnectionLostError(self.path, self._lost, applied="unknown")
            return
        socket = self._connection()
        try:
            await self.acknowledge()
            self._lost = "it was closed here"
            self.document.awareness.set_local_state(None)
            await self._announce(socket)
        except ConnectionClosed:
            log.debug("%s: closed before the goodbye", self.path)
        finally:
            with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                await socket.close()
                await self._ended.wait()


class _Save:
    """A save that was asked for."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.status = "unknown"


def _collaborator(name: str) -> dict[str, Any]:
    """Describe us as JupyterLab describes its users (`@jupyterlab/services` IUser)."""
    return {
        "username": name,
        "name": name,
        "display_name": name,
        "initials": name[:2].upper(),
        "color": "#8e44ad",
        "avatar_url": None,
    }


def _binary(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message
