# SPDX-License-Identifier: BSD-3-Clause
"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys

INTERVAL = 60.0
"""Seconds between two times at which it is worth it."""
LARGE = 128 * 1024
"""Bytes of a piece that gets pages of its own."""
_M_MMAP_THRESHOLD = -3  # malloc.h of glibc


def keep_large_pieces_apart() -> None:
    """Have the C library give each large piece pages of its own for as long as the process runs.

    They are free for the system when the piece is. By itself, glibc stops doing so when the first
    one is freed (`mallopt(3)`), and what is large leaves holes between what stays: notebooks that
    came and went for half an hour took 120 MB of heap for 24 MB in use, and take 25 MB.
    """
    _of_glibc("mallopt", _M_MMAP_THRESHOLD, LARGE)


def give_back() -> None:
    """Let go of what nobody can reach, and of the pages that the C library keeps.

    The collector counts objects: a notebook that was closed is few of them, and many bytes.
    """
    gc.collect()
    _of_glibc("malloc_trim", 0)


def _of_glibc(name: str, *arguments: int) -> None:
    if sys.platform != "linux":
        return
    function = getattr(ctypes.CDLL(None), name, None)  # musl has neither
    if function is not None:
        function(*arguments)
