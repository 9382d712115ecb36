# SPDX-License-Identifier: BSD-3-Clause
"""Keep figures that are being drawn out of a request that is none of a cell.

IPython shows all open figures of matplotlib, and closes them, at the end of whatever it executes,
silent or not: beside a running cell, that would take the cell's figures from it.
"""

from __future__ import annotations

import sys
from typing import Any


def set_aside() -> None:
    """Let there be nothing to show."""
    show = _show()
    if show is not None:
        vars(show).setdefault("_set_aside", []).append((show._draw_called, show._to_draw))
        show._draw_called, show._to_draw = False, []


def bring_back() -> None:
    """Let there be to show what there was, and what has been drawn meanwhile."""
    show = _show()
    if show is not None and getattr(show, "_set_aside", None):
        draw_called, to_draw = show._set_aside.pop()
        show._draw_called = show._draw_called or draw_called
        show._to_draw = to_draw + show._to_draw


def _show() -> Any:
    return getattr(sys.modules.get("matplotlib_inline.backend_inline"), "show", None)
