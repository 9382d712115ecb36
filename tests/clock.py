# SPDX-License-Identifier: BSD-3-Clause
"""A clock that moves when a test says so."""

from types import ModuleType

import pytest


class Clock:
    """Stands in for the `time` of a module.

    Attributes:
        now: Seconds.
    """

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def stopped(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> Clock:
    """Give a module a clock that stands still."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock
