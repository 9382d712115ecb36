# SPDX-License-Identifier: BSD-3-Clause
"""What output widgets take of a run's outputs, without I/O.

An `ipywidgets.Output` sets its `msg_id` to that of the request whose outputs are to be shown in it
instead of in the cell, and takes it back afterwards. JupyterLab shows them in the widget alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._values import Output
from .outputs import Displays, OutputFold

_TAKEN = ("stream", "display_data", "execute_result", "error", "clear_output")


class Captures:
    """The outputs of one run that are shown in widgets.

    Args:
        displays: The displays of the kernel.
    """

    def __init__(self, displays: Displays) -> None:
        self._displays = displays
        self._by_widget: dict[str, tuple[int, OutputFold]] = {}
        self._open: list[str] = []

    def receive(self, type_: str, content: Mapping[str, Any], request: str, shown: int) -> bool:
        """Take a message of the run if a widget shows it.

        Args:
            type_: Its type.
            content: Its content.
            request: Id of the run's request.
            shown: How many outputs the cell shows by now.
        """
        if type_ == "comm_msg":
            # what comms of others carry is any JSON
            match content:
                case {"comm_id": str(widget), "data": {"state": {"msg_id": taken}}}:
                    self._turn(widget, shown, taking=taken == request)
            return False
        if not self._open or type_ not in _TAKEN:
            return False
        _, fold = self._by_widget[self._open[-1]]
        fold.feed(type_, content)
        return True

    def _turn(self, widget: str, shown: int, *, taking: bool) -> None:
        if widget in self._open:
            self._open.remove(widget)
        if taking:
            self._open.append(widget)
            self._by_widget.setdefault(widget, (shown, OutputFold(self._displays)))

    def finish(self) -> None:
        """The run is over: add what is known of what was too much."""
        for _, fold in self._by_widget.values():
            fold.finish()

    @property
    def overflowed(self) -> bool:
        """A widget shows more than is kept."""
        return any(fold.overflowed for _, fold in self._by_widget.values())

    @property
    def size(self) -> int:
        """About how many characters the widgets show."""
        return sum(fold.size for _, fold in self._by_widget.values())

    def among(self, outputs: tuple[Output, ...]) -> tuple[Output, ...]:
        """Return the outputs of a run with those in widgets, each where its widget took over."""
        if not self._by_widget:
            return outputs
        placed: list[Output] = list(outputs)
        for shown, fold in reversed(self._by_widget.values()):
            placed[shown:shown] = fold.outputs()
        return tuple(placed)
