# SPDX-License-Identifier: BSD-3-Clause
"""Requests to a kernel that are no runs: each is answered by one reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import attrs

from .._values import RunStatus
from .wire import Message


@attrs.define(eq=False)
class Request:
    """One request, until it is answered.

    Attributes:
        id: Id of its message.
        may_wait: It may wait behind code that others run.
        begun: The kernel is or was at it; before, it may wait behind somebody's code.
        done: Set when it has been answered, or never will be.
        reply: The content of the reply.
        fate: Why there will be no reply; `queued` if it waits behind somebody's code.
        late: It was interrupted, as it took too long.
    """

    id: str
    may_wait: bool
    begun: bool = False
    done: anyio.Event = attrs.field(factory=anyio.Event)
    reply: Mapping[str, Any] | None = None
    fate: RunStatus | None = None
    late: bool = False


class Requests:
    """The requests of one connection that are not answered yet, and what they may wait for.

    Attributes:
        asking: Questions at work, each of one request or more: the connection is needed.
        others_at_work: Code of others runs in the main shell; None if that is not known yet.
        others_code: What it is, once the kernel has told.
        vacated: Set while it is known that none does.

    Args:
        session: Our session with the kernel.
    """

    def __init__(self, session: str) -> None:
        self.asking: int = 0
        self.others_at_work: bool | None = None
        self.others_code: str | None = None
        self.vacated: anyio.Event = anyio.Event()
        self._session = session
        self._pending: dict[str, Request] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._pending

    def add(self, request_id: str, *, may_wait: bool) -> Request:
        """Wait for the reply to a request that is being sent."""
        request = self._pending[request_id] = Request(request_id, may_wait)
        return request

    def remove(self, request: Request) -> None:
        """Wait for it no more."""
        self._pending.pop(request.id, None)

    def take(self, message: Message) -> None:
        """Take a message, if it belongs to one of them; what they print is not kept."""
        request = self._pending.get(message.parent)
        if request is None:
            return
        request.begun = True
        if message.type.endswith("_reply"):
            request.reply = message.content
            request.done.set()

    def note_state(self, message: Message) -> None:
        """Note from a status message who is at work in the main shell."""
        self.take(message)
        state = message.content["execution_state"]
        if message.parent_type == "execute_request" and not message.subshell:
            own = message.parent.startswith(self._session)
            self.others_at_work = state == "busy" and not own
            self.others_code = None
        elif state in ("starting", "restarting", "dead"):
            self.others_at_work, self.others_code = False, None
        if self.others_at_work is False:
            self.vacated.set()
        if not self.others_at_work:
            return
        if self.vacated.is_set():
            self.vacated = anyio.Event()
        for request in self._pending.values():
            if not (request.may_wait or request.begun or request.done.is_set()):
                request.fate = "queued"
                request.done.set()

    def disconnect(self) -> None:
        """The connection has ended; what happens meanwhile is not known."""
        self.end_all("disconnected")
        self.others_at_work, self.others_code = None, None
        self.vacated = anyio.Event()

    def end_all(self, fate: RunStatus) -> None:
        """None of them will be answered."""
        for request in self._pending.values():
            if not request.done.is_set():
                request.fate = fate
                request.done.set()
        self._pending.clear()
