# SPDX-License-Identifier: BSD-3-Clause
"""One run of code, as it happens."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any, Protocol

import anyio

from .._values import ExecutionResult, RunStatus
from .outputs import Displays, OutputFold


class RunListener(Protocol):
    """Who follows a run, message by message."""

    def on_start(self) -> None:
        """The code has been sent."""

    def on_message(self, type_: str, content: Mapping[str, Any]) -> None:
        """An iopub message of the run has come."""

    def on_end(self) -> None:
        """The run is over, one way or the other."""


class Execution:
    """The state of one run.

    Attributes:
        begun: Set when the kernel has begun with it, or never will; before, it may wait behind
            other clients' code.

    Args:
        code: What to run.
        displays: The displays of the kernel.
        cell_id: The cell that holds the code, if one does.
        listener: Who follows the run.
        store_history: Let the run count in the kernel's history.
    """

    def __init__(
        self,
        code: str,
        displays: Displays,
        *,
        cell_id: str | None = None,
        listener: RunListener | None = None,
        store_history: bool = True,
    ) -> None:
        self.id: str = uuid.uuid4().hex[:12]
        self.code = code
        self.cell_id = cell_id
        self.store_history = store_history
        self.status: RunStatus = "queued"
        self.message_id = ""
        self.reply: Mapping[str, Any] | None = None
        self.begun: anyio.Event = anyio.Event()
        self.idle = False
        self.done: anyio.Event = anyio.Event()
        self._listener = listener
        self._fold = OutputFold(displays)
        self._execution_count: int | None = None
        self._started: float | None = None
        self._ended: float | None = None

    def start(self) -> None:
        """The code has been sent, or is known to have been by what comes back."""
        if self._started is not None:
            return
        self.status = "running"
        self._started = time.monotonic()
        if self._listener is not None:
            self._listener.on_start()

    def feed(self, type_: str, content: Mapping[str, Any]) -> None:
        """Take one iopub message of the run."""
        self.start()
        if type_ == "execute_input":
            self._execution_count = content["execution_count"]
        else:
            self._fold.feed(type_, content)
        if self._listener is not None:
            self._listener.on_message(type_, content)

    def end(self, status: RunStatus) -> None:
        """The run is over."""
        self.status = status
        self._ended = time.monotonic()
        if self._listener is not None:
            self._listener.on_end()
        self.done.set()
        self.begun.set()

    def result(self) -> ExecutionResult:
        """Return what is known of the run by now."""
        now = self._ended or time.monotonic()
        return ExecutionResult(
            status=self.status,
            outputs=self._fold.outputs(),
            execution_count=self._execution_count,
            run_id=self.id,
            cell_id=self.cell_id,
            elapsed=now - self._started if self._started is not None else 0.0,
            error=self._fold.error if self.status in ("error", "interrupted") else None,
        )
