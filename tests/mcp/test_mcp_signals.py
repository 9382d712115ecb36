# SPDX-License-Identifier: BSD-3-Clause
"""Signals that come in the moment in which the event loop begins to wait: none is overlooked."""

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no signals for threads there")

# The thread gets on only when the main thread waits, and the signal wakes the thread alone
PRELUDE = """
    import signal, sys, threading
    import anyio, anyio.lowlevel
    from jupyter_mcp_server.ending import end_on_signal, run_command

    def tell():
        waiting.wait()
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    waiting = threading.Event()
    thread = threading.Thread(target=tell)
    thread.start()
    sys.setswitchinterval(60)
"""


def end(code: str) -> tuple[int, str]:
    program = textwrap.dedent(PRELUDE) + textwrap.dedent(code)
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout + done.stderr


def test_a_command_cleans_up() -> None:
    ended = end("""
        async def work():
            waiting.set()
            try:
                await anyio.sleep_forever()
            finally:
                print("cleaned up")

        run_command(work)
    """)
    assert ended == (128 + 15, "cleaned up\n")


def test_a_server_lets_go_of_what_is_open() -> None:
    ended = end("""
        class Connection:
            async def close(self):
                print("closed", flush=True)

        async def serve():
            await anyio.lowlevel.checkpoint()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(end_on_signal, Connection(), lambda: None)
                await anyio.lowlevel.checkpoint()
                waiting.set()

        anyio.run(serve)
    """)
    assert ended == (0, "closed\n")
