# SPDX-License-Identifier: BSD-3-Clause
"""One websocket to a room, from its handshake to its end.

Protocol: the Yjs sync and awareness messages (y-protocols), and the RAW messages of
`jupyter-server-ydoc` (saving). Messages of one connection are handled in order, so the
reply to a sync step 1 proves that the server has applied every update sent before it.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import attrs
from pycrdt import (
    Decoder,
    Doc,
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

from .._errors import JupyterAgentError, NotANotebookError, NotebookNotFoundError, NotSyncedError
from .._http.websocket import closing_reason, nudge
from .model import REMOTE, NotebookDocument

log = logging.getLogger(__name__)

RAW_MESSAGE = 2
SYNC_TIMEOUT = 30.0
CLOSE_TIMEOUT = 5.0
# edits that nobody waits for travel together
LINGER = 0.01
# peers forget a collaborator that is silent for 30 s (y-protocols awareness)
PRESENCE_INTERVAL = 12.0
# what pycrdt and json raise at messages that break the protocol
MALFORMED = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
# how long nothing of the document may be heard before it is asked for; twice that is silence
PULL_INTERVAL = 10.0
# the same where nothing is heard without being asked for
DEAF_PULL_INTERVAL = 0.5
# answers in a row with news that were not broadcast: one may be ahead of its broadcast
DEAF_AFTER = 2
UNANSWERED = "unanswered"
"""The server does not answer requests to save, as that of jupyter-collaboration 3."""


@attrs.define(eq=False)
class _Acknowledgement:
    """A sync step 1 that is to be sent, or waits for its answer.

    Attributes:
        done: It has been answered, or never will be.
        answered: It has been answered.
        edits: The last edit that was made here before it was sent.
    """

    done: anyio.Event = attrs.field(factory=anyio.Event)
    answered: bool = False
    edits: int = 0


class RoomConnection:
    """A document in step with its room, as long as one websocket lives.

    Args:
        socket: The websocket, just opened.
        document: The replica.
        path: Path of the notebook, for errors.
        user: How collaborators see us.
        on_deaf: Called once if the room turns out to broadcast nothing any more.
    """

    def __init__(
        self,
        socket: ClientConnection,
        document: NotebookDocument,
        path: str,
        user: Mapping[str, Any],
        on_deaf: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._document = document
        self._path = path
        self._user = dict(user)
        self._on_deaf = on_deaf
        self._outbox: list[bytes] = []
        self._outbox_filled = anyio.Event()
        self._hurry = anyio.Event()
        self._wanted: _Acknowledgement | None = None
        self._sent: deque[_Acknowledgement] = deque()
        self._saves: dict[int, str] = {}
        self._last_save = 0
        self._announced: dict[str, Any] = {}
        self._last_heard = anyio.current_time()
        self._unheard_news = 0
        self._deaf = anyio.Event()
        #: why we ended it ourselves
        self._left: str | None = None
        self._ended = anyio.Event()

    # --- from the handshake to the end

    async def synchronise(self, *, restarted: bool) -> None:
        """Get the server's document and merge ours with it.

        Args:
            restarted: It is not the same server process as at the last handshake.

        Raises:
            NotebookNotFoundError, NotANotebookError, NotSyncedError
        """
        known = self._document.ydoc if self._document.is_new else Doc()
        held: list[bytes] = []
        try:
            with anyio.fail_after(SYNC_TIMEOUT):
                await self._socket.send(create_sync_message(known))
                while True:
                    message = _binary(await self._socket.recv())
                    await nudge(self._socket)
                    if message[:2] == bytes((YMessageType.SYNC, YSyncMessageType.SYNC_STEP2)):
                        break
                    held.append(message)
                self._merge(read_message(message[2:]), restarted=restarted)
                for message in held:
                    await self._take(message)
        except TimeoutError as error:
            reason = f"no answer within {SYNC_TIMEOUT:g} s"
            raise NotSyncedError(self._path, reason) from error
        except MALFORMED as error:
            reason = f"the server's document cannot be read: {error}"
            raise NotSyncedError(self._path, reason) from error
        except ConnectionClosed as error:
            raise self._refusal(error) from error

    def _merge(self, server: bytes, *, restarted: bool) -> None:
        generation, waiting = self._document.generation, len(self._outbox)
        self._document.merge(server, restarted=restarted)
        if self._document.generation != generation:
            # edits of the old document mean nothing to the new one, on which they were made again
            del self._outbox[:waiting]

    def _refusal(self, error: ConnectionClosed) -> JupyterAgentError:
        """Say why a room was closed before it was open (close codes of jupyter-server-ydoc)."""
        code = error.rcvd.code if error.rcvd else None
        if code == 4404:
            return NotebookNotFoundError(self._path)
        if code in (4400, 4500):
            return NotANotebookError(self._path, closing_reason(error))
        return NotSyncedError(self._path, closing_reason(error))

    async def serve(self) -> str:
        """Keep the document in step until the connection ends.

        Returns:
            How it ended.
        """
        self._document.awareness.set_local_state({"user": self._user})
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._write)
                group.start_soon(self._stay_present)
                group.start_soon(self._stay_in_step)
                reason = await self._read()
                group.cancel_scope.cancel()
        finally:
            self._end()
            await self.abandon()
        return reason

    @property
    def is_open(self) -> bool:
        """Whether answers may still come."""
        return not self._ended.is_set()

    @property
    def is_saving(self) -> bool:
        """Whether the server is at a save, and answers nothing else here until it is done."""
        return bool(self._saves)

    async def abandon(self) -> None:
        """Close the websocket, as it is of no use (any more)."""
        with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
            await self._socket.close()

    def _end(self) -> None:
        """Wake everybody who waits for an answer that will not come."""
        self._ended.set()
        if self._wanted is not None:
            self._wanted.done.set()
        for acknowledgement in self._sent:
            acknowledgement.done.set()

    async def _read(self) -> str:
        try:
            while True:
                frame = await self._socket.recv()
                if self._is_waiting():
                    await nudge(self._socket)
                await self._take(_binary(frame))
        except ConnectionClosed as error:
            return self._left or closing_reason(error)

    def _is_waiting(self) -> bool:
        """Whether somebody waits for what the server sends."""
        return bool(self._sent)

    async def _take(self, message: bytes) -> None:
        """Handle a message; one that breaks the protocol is skipped.

        If it held news, the answer to the next sync step 1 brings them.
        """
        try:
            await self._receive(message)
        except MALFORMED as error:
            reason = f"{type(error).__name__}: {error}"
            log.warning("%s: a message was skipped (%s)", self._path, reason)

    async def _receive(self, message: bytes) -> None:
        kind = message[0]
        if kind == YMessageType.AWARENESS:
            await self._receive_awareness(read_message(message[1:]))
        elif kind == RAW_MESSAGE:
            await self._receive_raw(message)
        elif kind == YMessageType.SYNC:
            await self._receive_sync(message)

    async def _receive_awareness(self, update: bytes) -> None:
        awareness = self._document.awareness
        known = set(awareness.states)
        awareness.apply_awareness_update(update, REMOTE)
        # the server does not tell newcomers who is here
        if not known.issuperset(awareness.states) and awareness.get_local_state() is not None:
            await self._announce()

    async def _receive_sync(self, message: bytes) -> None:
        if message[1] == YSyncMessageType.SYNC_STEP1:
            reply = handle_sync_message(message[1:], self._document.ydoc)
            if reply is not None:
                await self._socket.send(reply)
            return
        self._last_heard = anyio.current_time()
        if message[1] == YSyncMessageType.SYNC_UPDATE:
            self._unheard_news = 0
            self._document.apply_remote(read_message(message[2:]))
            return
        self._apply_answer(read_message(message[2:]))
        if self._sent:
            self._answered()

    def _apply_answer(self, update: bytes) -> None:
        """Apply what the server has that is not here, and notice if it was not broadcast."""
        news: list[bytes] = []
        ydoc = self._document.ydoc
        subscription = ydoc.observe(lambda event: news.append(event.update))
        try:
            self._document.apply_remote(update)
        finally:
            ydoc.unobserve(subscription)
        self._unheard_news += bool(news)
        if self._unheard_news >= DEAF_AFTER and not self._deaf.is_set():
            self._deaf.set()
            self._on_deaf()

    async def _stay_in_step(self) -> None:
        """Ask for the document when nothing of it has been heard for long.

        A room of jupyter-server-ydoc 3.0 whose broadcasts have died still answers: then
        asking is all that keeps the document here in step.
        """
        while True:
            deaf = self._deaf.is_set()
            interval = DEAF_PULL_INTERVAL if deaf else PULL_INTERVAL
            due = self._last_heard + interval - anyio.current_time()
            if due > 0:
                with anyio.move_on_after(due):
                    await (self._ended if deaf else self._deaf).wait()
                continue
            await self.acknowledge_within(PULL_INTERVAL)

    async def _receive_raw(self, message: bytes) -> None:
        decoder = Decoder(message)
        decoder.read_var_uint()
        match json.loads(decoder.read_var_string()):
            case {"type": "save", "responseTo": int(number), "status": str(status)}:
                if number in self._saves:
                    self._saves[number] = status
            case {"type": "conflict"}:
                # the room was rebuilt from the file: a new handshake finds out what that means
                self._left = "the server reported a conflict"
                await self._socket.close()

    # --- sending

    def queue_update(self, update: bytes) -> None:
        """Send an edit, together with what else is edited in the next moment."""
        self._outbox.append(update)
        self._outbox_filled.set()

    async def _write(self) -> None:
        """Send what is edited and asked for: the only task that sends edits and sync steps."""
        while True:
            await self._outbox_filled.wait()
            with anyio.move_on_after(LINGER):
                await self._hurry.wait()
            updates, self._outbox = self._outbox, []
            wanted, self._wanted = self._wanted, None
            self._outbox_filled = anyio.Event()
            self._hurry = anyio.Event()
            if wanted is None and self._document.journal.pending and not self._sent:
                wanted = _Acknowledgement()
            if wanted is not None:
                wanted.edits = self._document.journal.last
                self._sent.append(wanted)
            try:
                if updates:
                    merged = updates[0] if len(updates) == 1 else merge_updates(*updates)
                    await self._socket.send(create_update_message(merged))
                if wanted is not None:
                    await self._ask()
                if (self._document.awareness.get_local_state() or {}) != self._announced:
                    await self._announce()
            except ConnectionClosed:
                return  # the reader says why

    async def _ask(self) -> None:
        """Send what the server answers when it has applied what came before."""
        await self._socket.send(create_sync_message(self._document.ydoc))

    def _answered(self) -> None:
        """The oldest of our questions has been answered."""
        self._last_heard = anyio.current_time()
        answer = self._sent.popleft()
        answer.answered = True
        self._document.journal.acknowledged(answer.edits)
        answer.done.set()
        if self._document.journal.pending and not self._sent:
            self._outbox_filled.set()  # to ask about what was edited since

    async def acknowledge(self) -> bool:
        """Wait until the server has applied everything that was edited here until now.

        One round trip, shared by all who ask before it begins.

        Returns:
            False if the connection ended first.
        """
        if self._ended.is_set():
            return False
        if self._wanted is None:
            self._wanted = _Acknowledgement()
        waiting = self._wanted
        self._hurry.set()
        self._outbox_filled.set()
        await waiting.done.wait()
        return waiting.answered

    async def acknowledge_within(self, patience: float) -> bool:
        """`acknowledge`, and end the connection if the server does not answer in time.

        A server that was at a save in that time is given more.

        Returns:
            False if the connection ended or the time is over.
        """
        was_saving, last_save = self.is_saving, self._last_save
        with anyio.move_on_after(patience):
            return await self.acknowledge()
        if not was_saving and self._last_save == last_save:
            self._left = "the server did not answer"
            self._socket.transport.abort()
        return False

    async def request_save(self) -> str | None:
        """Ask the server to save.

        The server takes the next message when it has answered this one, so what it answers to a
        later question says whether it answers requests to save at all.

        Returns:
            What it answered, `UNANSWERED` if nothing, None if the connection ended first.
        """
        self._last_save += 1
        number = self._last_save
        encoder = Encoder()
        encoder.write_var_uint(RAW_MESSAGE)
        encoder.write_var_string("save")
        encoder.write_var_uint(number)
        self._saves[number] = UNANSWERED
        try:
            await self._socket.send(encoder.to_bytes())
            return self._saves[number] if await self.acknowledge() else None
        except ConnectionClosed:
            return None
        finally:
            del self._saves[number]

    # --- presence

    async def _stay_present(self) -> None:
        awareness = self._document.awareness
        while True:
            try:
                await self._announce()
            except ConnectionClosed:
                return  # the reader says why
            with anyio.move_on_after(PRESENCE_INTERVAL):
                await self._ended.wait()
            awareness.set_local_state(awareness.get_local_state())

    async def _announce(self) -> None:
        awareness = self._document.awareness
        self._announced = dict(awareness.get_local_state() or {})
        update = awareness.encode_awareness_update([awareness.client_id])
        await self._socket.send(create_awareness_message(update))

    async def leave(self) -> None:
        """Say goodbye to the collaborators and close."""
        self._document.awareness.set_local_state(None)
        try:
            await self._announce()
        except ConnectionClosed:
            log.debug("%s: closed before the goodbye", self._path)
        await self.abandon()


def _binary(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame
