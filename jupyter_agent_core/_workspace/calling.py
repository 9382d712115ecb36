# SPDX-License-Identifier: BSD-3-Clause
"""Who calls a tool, as far as the tool has to do with him while it works."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial

import attrs

from .._handles.run import Run
from .._values import InputHandler, InputRequest


@attrs.frozen
class Caller:
    """What the one who calls a tool wants to hear while it works, and what he can be asked.

    Attributes:
        on_run: Is told of each run that the call starts.
        on_input: Answers what the code asks its user, being told where it runs; None if nobody
            can.
    """

    on_run: Callable[[Run], None] | None = None
    on_input: Callable[[str, InputRequest], Awaitable[str | None]] | None = None

    def answering(self, where: str) -> InputHandler | None:
        """Return what answers the code that runs somewhere.

        Args:
            where: The notebook or kernel, as the user is told of it.
        """
        return partial(self.on_input, where) if self.on_input is not None else None


NOBODY = Caller()
caller: ContextVar[Caller] = ContextVar("caller", default=NOBODY)
