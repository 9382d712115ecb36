# SPDX-License-Identifier: BSD-3-Clause
"""The live room of a document: connected, and connected again when the connection is lost.

The document outlives its connections. What is edited meanwhile stays in it and goes to the
server with the next handshake; if the server has gone back to the file by then, the late
edits that are not in it are made again on what it has (see `NotebookDocument.merge`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, ClassVar

import anyio
import attrs
from anyio.abc import TaskStatus

from .._backoff import attempt_timeouts, is_transient, reconnect_delays
from .._errors import (
    Applied,
    ConnectionLostError,
    JupyterAgentError,
    RequestError,
    SaveError,
)
from .._http.rest import JupyterRest
from .._http.websocket import open_websocket
from .._values import CellSnapshot, ConnectionState, Mode
from .connection import UNANSWERED, RoomConnection
from .mirror import snapshot
from .model import NotebookDocument
from .presence import presence_of

log = logging.getLogger(__name__)

# for an answer on one connection; a peer that is silent for longer is left for a new connection
ANSWER_TIMEOUT = 4.0
# for a new connection, after which who waits is told that there is none yet
RECONNECT_TIMEOUT = 4.0
# for the answer, over as many connections as it takes
ACKNOWLEDGE_TIMEOUT = 10.0
SAVE_TIMEOUT = 30.0
# for a server that saves by itself, which takes it a second, to have done so
AUTOSAVE_TIME = 2.0
# before it is asked again to save what it has not written
SAVE_INTERVAL = 0.2
# what the server says of a file that it is writing at this moment
HALF_WRITTEN = "Unreadable Notebook"
# for the server to save an edit, which takes it a second; then its file is looked for
UNSAVED_TIMEOUT = 5.0
CLOSE_TIMEOUT = 4.0
# peers forget a collaborator that is silent for 30 s (y-protocols awareness)
PRESENCE_TIMEOUT = 30.0

REOPEN = "open the notebook again"
NO_FILE = "there is no file at its path any more"
REBUILT = (
    "the server had built the document anew from its file; "
    "the latest edits made here were made again on it"
)
DEAF = (
    "the server does not broadcast edits any more, so other people may not see each other's: "
    "restart it. Here the document is asked for twice a second"
)


class Room:
    """One document in step with its server, from `run` until `close`.

    Args:
        path: Path of the notebook.
        rest: The server.
        username: The name under which collaborators see us.
    """

    mode: ClassVar[Mode] = "collaboration"
    connection_class: ClassVar[type[RoomConnection]] = RoomConnection

    def __init__(self, path: str, rest: JupyterRest, username: str) -> None:
        self.document: NotebookDocument = NotebookDocument()
        self._path = path
        #: what the server told before it was renamed to `_path`
        self._former_path: str | None = None
        self._file_id: str | None = None
        self._rest = rest
        self._user = _collaborator(username)
        self._session_id = ""
        #: the session of a restarted server that has read the file
        self._restarted = ""
        self._connection: RoomConnection | None = None
        self._attempt = anyio.CancelScope()
        self._changed = anyio.Event()
        #: hash of the saved file before the last edit that it told apart, and when that was made
        self._unsaved: tuple[str | None, float] | None = None
        #: somebody waits for a connection: the next attempt need not wait for its turn
        self._asked = anyio.Event()
        self._closing = False
        #: why the last attempt to connect failed
        self._obstacle = "no attempt has ended"
        self._lost: str | None = None
        self._ended = anyio.Event()

    @property
    def path(self) -> str:
        """Path of the notebook; it follows a notebook that is renamed on the server."""
        told = self.document.state.get("path")
        return str(told) if told and told != self._former_path else self._path

    async def _follow_file(self) -> None:
        """Know of a new path before the server tells it in the document, if it does."""
        path = await self._rest.path_of(self._file_id) if self._file_id else None
        if path is not None and path != self.path:
            self._path, self._former_path = path, self.document.state.get("path")

    # --- the connections

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Connect, report `started` when the document is here, and stay connected until the end.

        Raises:
            NotebookNotFoundError, NotANotebookError, NotSyncedError, ConnectError: Before
                `started`. What happens later is told to those who wait, and logged.
        """
        try:
            connection: RoomConnection | None = await self._connect()
            task_status.started()
            while connection is not None:
                self._tell(connection)
                reason = await self._serve(connection)
                self._tell(None)
                if self._closing or self._lost is not None:
                    return
                self._report("disconnected", f"the connection ended ({reason}); connecting again")
                connection = await self._reconnect()
        finally:
            self._lost = self._lost or "it was closed here"
            self.document.close()
            self._tell(None)
            self._ended.set()

    async def _connect(self) -> RoomConnection:
        await self._follow_file()
        address = await self._rest.room(self.path, self.mode)
        if self._session_id and address.session_id not in (self._session_id, self._restarted):
            # a file that the server was killed writing is put back when it is first read: by its
            # room, that would be taken for somebody else's write, for which it gives up all that
            # is edited in it until its first save
            await self._rest.have_notebook_read(self.path)
            self._restarted = address.session_id
        socket = await open_websocket(address.socket)
        on_deaf = partial(self._report, "deaf", DEAF)
        connection = self.connection_class(socket, self.document, self.path, self._user, on_deaf)
        # edits that are made during the handshake wait in the connection
        self.document.on_edit = connection.queue_update
        async with AsyncExitStack() as stack:
            stack.push_async_callback(connection.abandon)
            stack.callback(setattr, self.document, "on_edit", None)
            restarted = address.session_id != self._session_id
            await connection.synchronise(restarted=restarted)
            self._session_id, self._file_id = address.session_id, address.file_id
            stack.pop_all()
        return connection

    async def _serve(self, connection: RoomConnection) -> str:
        try:
            return await connection.serve()
        finally:
            self.document.on_edit = None

    def _is_unwanted(self) -> bool:
        """Whether nobody needs a connection any more."""
        return self._closing or self._lost is not None

    async def _reconnect(self) -> RoomConnection | None:
        """Try until it succeeds, cannot succeed any more, or is not wanted any more."""
        generation = self.document.generation
        for delay, patience in zip(reconnect_delays(), attempt_timeouts(), strict=False):
            if self._is_unwanted():
                return None
            with anyio.move_on_after(delay + patience) as self._attempt:
                with anyio.move_on_after(delay):
                    await self._asked.wait()
                self._asked = anyio.Event()
                try:
                    connection = await self._connect()
                except JupyterAgentError as error:
                    if not is_transient(error):
                        self._give_up(str(error))
                        return None
                    self._obstacle = str(error)
                    log.info("%s: not connected yet: %s", self.path, error)
                    continue
                if self._is_unwanted():  # the cancelling came too late
                    await connection.abandon()
                    return None
                self._report("reconnected", "connected again")
                if self.document.generation != generation:
                    self._report("rebuilt", REBUILT)
                return connection
        return None

    def _report(self, state: ConnectionState, reason: str) -> None:
        level = logging.INFO if state == "reconnected" else logging.WARNING
        log.log(level, "%s: %s", self.path, reason)
        self.document.changes.note_connection(state, reason)

    def _give_up(self, reason: str) -> None:
        self._lost = reason
        self._report("lost", f"given up: {reason}")

    def _tell(self, connection: RoomConnection | None) -> None:
        """Tell those who wait that there is a connection, or none."""
        self._connection = connection
        self._changed.set()
        self._changed = anyio.Event()

    async def _connected(self, applied: Applied = "unknown") -> RoomConnection:
        """Wait for a connection.

        Raises:
            ConnectionLostError: There will be none, or not in time.
        """
        self._asked.set()
        with anyio.move_on_after(RECONNECT_TIMEOUT):
            while self._lost is None:
                if self._connection is not None and self._connection.is_open:
                    return self._connection
                await self._changed.wait()
        waited = f"not connected again within {RECONNECT_TIMEOUT:g} s: {self._obstacle}"
        reason = self._lost or waited
        raise ConnectionLostError(self.path, reason, applied)

    @property
    def file_id(self) -> str:
        """The id by which the server knows the file."""
        assert self._file_id is not None
        return self._file_id

    @property
    def lost(self) -> str | None:
        """Why there will be no connection any more, None as long as there may be one."""
        return self._lost

    async def is_at(self, path: str) -> bool:
        """Say whether this is the room of the notebook that is at a path now.

        A file may have been renamed since it was opened, or deleted and another one made in
        its place. The room of a file that is gone is given up then.

        Raises:
            NotebookNotFoundError, NotANotebookError, ConnectError
        """
        if self._lost is not None:
            return False
        address = await self._rest.room(path, self.mode)
        if address.file_id == self._file_id:
            return True
        if self._file_id and await self._rest.path_of(self._file_id) is None:
            self._give_up(f"the file was deleted, and there is another one now: {REOPEN}")
            self._attempt.cancel()
            if self._connection is not None:
                await self._connection.abandon()
        return False

    async def check_file(self) -> None:
        """Refuse an edit if the file is gone.

        The room does not say so; it only does not save. The file is looked for when an earlier
        edit has not been saved in time.

        Raises:
            SaveError: Nothing was changed.
        """
        now, saved = anyio.current_time(), self.document.state.get("hash")
        if self._unsaved is None or self._unsaved[0] != saved:
            self._unsaved = saved, now
            return
        if now - self._unsaved[1] < UNSAVED_TIMEOUT or self._connection is None:
            return
        is_there = True  # of a server that does not answer, `acknowledge` tells
        with anyio.move_on_after(ANSWER_TIMEOUT):
            try:
                await self._follow_file()
                is_there = await self._rest.notebook_exists(self.path)
            except JupyterAgentError as error:
                log.warning("%s: its file could not be looked for: %s", self.path, error)
        if not is_there:
            raise SaveError(
                self.path,
                f"{NO_FILE}, so this edit was not made: put it back, or put the cells into "
                "another notebook",
            )
        self._unsaved = saved, now

    async def current(self) -> NotebookDocument:
        """Return the document, in step with the server.

        Raises:
            ConnectionLostError: The server cannot be reached: what is known may be out of date.
        """
        await self._connected(applied="no")
        return self.document

    # --- what others wait for

    async def acknowledge(self) -> None:
        """Return when the server has applied everything that was edited here until now.

        Raises:
            ConnectionLostError: It is not known in time. The edit stays in the document and
                goes to the server with the next connection, if there is one.
        """
        try:
            with anyio.fail_after(ACKNOWLEDGE_TIMEOUT) as scope:
                while True:
                    connection = await self._connected()
                    if await connection.acknowledge_within(ANSWER_TIMEOUT):
                        return
                    if connection.is_saving:
                        scope.deadline += ANSWER_TIMEOUT
        except TimeoutError as error:
            reason = f"no answer within {ACKNOWLEDGE_TIMEOUT:g} s"
            raise ConnectionLostError(self.path, reason, applied="unknown") from error

    def peers(self) -> list[str]:
        """Return the display names of the other collaborators in the room."""
        awareness = self.document.awareness
        silent_since = (time.time() - PRESENCE_TIMEOUT) * 1000
        names = (
            presence_of(awareness, client).name
            for client in awareness.states
            if client != awareness.client_id
            and awareness.meta[client]["lastUpdated"] > silent_since
        )
        return sorted(name for name in names if name)

    async def save(self) -> None:
        """Return when the file on disk holds the document.

        The server answers "success" even when it wrote nothing (the file is gone, or
        somebody's next keystroke cancelled the save), so the file itself is asked: it must
        have been written since, and be what the server says it wrote. Servers that give no
        answer save by themselves (jupyter-collaboration 3): there, it must hold the document.

        Raises:
            SaveError, ConnectionLostError
        """
        await self.acknowledge()
        before = await self._on_disk()
        try:
            with anyio.fail_after(SAVE_TIMEOUT):
                while True:
                    status = await (await self._connected()).request_save()
                    if status is None:
                        await self.acknowledge()  # on the next connection
                        continue
                    if status == "failed":
                        raise SaveError(self.path, "the server could not write the file")
                    if status == UNANSWERED:
                        await anyio.sleep(AUTOSAVE_TIME)
                        if await self._is_on_disk():
                            return
                        continue
                    now = await self._on_disk()
                    written = now["last_modified"] != before["last_modified"]
                    if written and now["hash"] == self.document.state.get("hash"):
                        return
                    await anyio.sleep(SAVE_INTERVAL)  # it says "success", and will not say more
        except TimeoutError as error:
            reason = f"the server did not write the file within {SAVE_TIMEOUT:g} s"
            raise SaveError(self.path, reason) from error

    async def _is_on_disk(self) -> bool:
        """Say whether the file holds what the document does."""
        await self._follow_file()
        try:
            model = await self._rest.contents(self.path, content=True, type="notebook")
        except RequestError as error:
            if HALF_WRITTEN in error.reason:
                return False
            raise SaveError(self.path, error.reason) from error
        if model is None:
            raise SaveError(self.path, NO_FILE)
        on_disk = [snapshot(index, cell) for index, cell in enumerate(model["content"]["cells"])]
        return _lasting(on_disk) == _lasting(self.document.cells())

    async def _on_disk(self) -> dict[str, Any]:
        await self._follow_file()
        model = await self._rest.contents(self.path, content=False, type="notebook", hash="1")
        if model is None:
            raise SaveError(self.path, f"{NO_FILE}: put it back")
        if not model.get("hash"):
            raise SaveError(self.path, "the server tells no hash of the file")
        return model

    async def close(self) -> None:
        """Deliver what is left, say goodbye and close.

        Raises:
            ConnectionLostError: The last edits may not have arrived.
        """
        try:
            if self._connection is not None or self.document.journal.pending:
                await self.acknowledge()
        finally:
            self._closing = True
            self._attempt.cancel()
            with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                if self._connection is not None:
                    await self._connection.leave()
                await self._ended.wait()


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


def _lasting(cells: Sequence[CellSnapshot]) -> list[CellSnapshot]:
    """The cells without what is not saved; the metadata that is saved is in the version."""
    return [attrs.evolve(cell, metadata={}, execution_state="idle") for cell in cells]
