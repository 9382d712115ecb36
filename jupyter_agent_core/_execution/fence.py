# SPDX-License-Identifier: BSD-3-Clause
"""How the end of a run is known whose connection broke, and whether all of it was heard."""

from __future__ import annotations

import re

import anyio
import attrs

from .wire import Message

# the server passes on what it has kept half a second later than it passes requests on, at most
REPLAY_TIMEOUT = 1.0
# an interrupt that hits ipykernel's own code can silence what publishes for it for good
MOST_BEFORE = 2
_NUMBER = re.compile(r"[0-9]{1,18}").fullmatch


@attrs.define
class Fence:
    """A request behind a run whose connection broke; what comes after its end does not come.

    Attributes:
        request: Id of the request.
        speaker: Who spoke for the kernel before.
        replied: The kernel has replied to it.
        idle: The kernel has published all that came before its end.
        deadline: Until when the server may pass on what it has kept, once both are true.
        before: After how many others it was put in vain, for the same run.
    """

    request: str
    speaker: str
    replied: bool = False
    idle: bool = False
    deadline: float | None = None
    before: int = 0

    def receive(self, message: Message) -> None:
        """Take a message that belongs to the request."""
        self.replied |= message.type == "kernel_info_reply"
        self.idle |= message.content.get("execution_state") == "idle"
        if self.replied and self.idle:
            self.deadline = anyio.current_time() + REPLAY_TIMEOUT

    @property
    def is_last(self) -> bool:
        """Whether the kernel replies, but publishes nothing any more."""
        return self.replied and self.before >= MOST_BEFORE


class Heard:
    """What is heard of a kernel from the beginning of a run.

    ipykernel numbers what it sends (`jupyter_client.session.Session.msg_id`), so that a message
    shows whether one before it went to a connection that was no more. Replies to others have
    numbers, too: what is not whole may be all the same. Processes that the code has forked number
    what they print themselves, and nothing tells how much that was.

    Args:
        busy: The first message of the run.
    """

    def __init__(self, busy: Message) -> None:
        self.request: str = busy.parent
        self._session = busy.session
        self._sender, first = _numbered(busy)
        self._first = self._last = first
        self._count = 1
        self._forked = False

    def note(self, message: Message) -> None:
        """Take a message after the first one."""
        sender, number = _numbered(message)
        if sender == self._sender and number > self._first:
            self._last = max(self._last, number)
            self._count += 1
        self._forked |= message.session == self._session and sender != self._sender

    @property
    def whole(self) -> bool:
        """Whether it is sure that nothing is missing up to the last message."""
        is_numbered = bool(self._sender) and not self._forked
        return is_numbered and self._last - self._first < self._count


def _numbered(message: Message) -> tuple[str, int]:
    """Return who sent a message and its number there, an empty name if it has none."""
    sender, _, number = message.id.rpartition("_")
    is_numbered = sender.startswith(f"{message.session}_") and _NUMBER(number) is not None
    return (sender, int(number)) if is_numbered else ("", 0)
