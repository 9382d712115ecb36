# SPDX-License-Identifier: BSD-3-Clause
"""Which process of a kernel is heard: the one that was, or the one after a restart."""

from __future__ import annotations

import anyio

from .wire import Message


class KernelProcess:
    """The process of a kernel, as far as messages tell.

    Attributes:
        speaker: Id of the session of who speaks on iopub.
        unproven: Set while it is not known that the present process is heard.
        proof: Set when it is, or never will be.
        probes: Ids of requests that are to make it speak.

    Args:
        session: Our session with the kernel.
    """

    def __init__(self, session: str) -> None:
        self.speaker = ""
        self.unproven: anyio.Event = anyio.Event()
        self.proof: anyio.Event = anyio.Event()
        self.probes: set[str] = set()
        self._session = session
        self._former = ""

    def doubt(self) -> None:
        """The process of the kernel ends: send nothing until the next one is heard."""
        self._former = self.speaker
        self.probes.clear()
        if self.proof.is_set():  # else those who wait for it wait for the process after that
            self.proof = anyio.Event()
        self.unproven.set()

    def is_former(self, session: str) -> bool:
        """Say whether that is the process whose end is known."""
        return self.unproven.is_set() and session == self._former

    def hear(self, message: Message) -> None:
        """Note who speaks on iopub, and whether it is the new process."""
        own = message.session == self._session  # some kernels answer in the asker's name
        if message.parent in self.probes:
            proven = own or message.session != self._former
        else:
            proven = not own and message.session != self._former
        if proven:
            self.proof.set()
        if not own:
            self.speaker = message.session
