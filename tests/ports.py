# SPDX-License-Identifier: BSD-3-Clause
"""Ports that are known before somebody listens at them."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port at which nothing listens, and that no other program is given meanwhile.

    A server that is told to can listen at it, as servers bind with SO_REUSEADDR; elsewhere than
    on Linux that does not suffice, and the port is only most likely to stay free.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        if sys.platform != "linux":
            held.close()
        yield port
