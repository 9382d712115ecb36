# SPDX-License-Identifier: BSD-3-Clause
"""How the end of a run is known whose connection broke."""

from __future__ import annotations

import anyio
import attrs

from .execution import Execution
from .wire import Message

# the server passes on what it has kept half a second later than it passes requests on, at most
REPLAY_TIMEOUT = 1.0


@attrs.define
class Fence:
    """A request behind a run whose connection broke; what comes after its end does not come.

    Attributes:
        request: Id of the request.
        run: The run.
        speaker: Who spoke for the kernel before.
        replied: The kernel has replied to it.
        idle: The kernel has published all that came before its end.
        deadline: Until when the server may pass on what it has kept, once both are true.
    """

    request: str
    run: Execution
    speaker: str
    replied: bool = False
    idle: bool = False
    deadline: float | None = None

    def receive(self, message: Message) -> None:
        """Take a message that belongs to the request."""
        self.replied |= message.type == "kernel_info_reply"
        self.idle |= message.content.get("execution_state") == "idle"
        if self.replied and self.idle:
            self.deadline = anyio.current_time() + REPLAY_TIMEOUT

    def end(self, speaker: str) -> None:
        """The end of the run has not come, and will not."""
        is_another = bool(self.speaker) and speaker != self.speaker
        self.run.outputs_lost = True
        self.run.end("kernel_restarted" if is_another else "lost")
