# SPDX-License-Identifier: BSD-3-Clause
"""A server that runs for days keeps no memory that it does not need."""

import platform
import subprocess
import sys

import pytest
from mcp_clients import in_memory, said
from servers import RunningServer

from jupyter_mcp_server import memory

BETWEEN_PIECES = """
import psutil
from jupyter_mcp_server.memory import give_back

pieces = [bytes(1_000) for _ in range(100_000)]
kept = pieces[::100]
del pieces
print(psutil.Process().memory_info().rss)
give_back()
print(psutil.Process().memory_info().rss)
"""
LARGE_PIECES = """
import psutil
from jupyter_mcp_server.memory import keep_large_pieces_apart

keep_large_pieces_apart()
text = bytearray(30_000_000)
del text  # from here on, glibc alone would keep what is smaller
pieces = [bytes(300_000) + b"x" for _ in range(400)]
kept = pieces[::4]
print(psutil.Process().memory_info().rss)
del pieces
print(psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a matter of glibc")
@pytest.mark.parametrize("script", [BETWEEN_PIECES, LARGE_PIECES])
def test_what_was_freed_between_pieces_in_use_goes_back_to_the_system(script: str) -> None:
    run = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True
    )
    before, after = map(int, run.stdout.split())
    assert after < before - 50 * 2**20


async def test_it_is_given_back_after_calls_now_and_then(
    lab: RunningServer, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: list[None] = []
    monkeypatch.setattr(memory, "give_back", lambda: times.append(None))
    async with in_memory(lab.url, lab.token) as client:
        await said(client, "use_notebook", notebook_path=f"{folder}/nb.ipynb", mode="create")
        assert times == []
        monkeypatch.setattr(memory, "INTERVAL", -1.0)
        await said(client, "read_notebook")
        assert times == [None]
        monkeypatch.setattr(memory, "INTERVAL", 60.0)
        await said(client, "read_notebook")
        assert times == [None]
