# SPDX-License-Identifier: BSD-3-Clause
"""What a live document costs: to open, to read, to edit, to find again, and in memory.

The floor is a bare websocket with the pong nudge and a bare Yjs document, without anything of
ours but the address of the room. What is compared is interleaved.

    python benchmarks/documents.py [--cells 10 1000 10000] [--rounds N]
"""

import argparse
import gc
import json
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import anyio
import psutil
from floor import bare_replica
from timing import interleaved, table

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from servers import Proxy, RunningServer, jupyter_server

from jupyter_agent_core import ConnectionChange, Notebook, Server, connect
from jupyter_agent_core._http.auth import Token
from jupyter_agent_core._http.rest import JupyterRest


def write_notebook(path: Path, cells: int) -> None:
    content = {
        "cells": [
            {
                "id": f"cell{number:05}",
                "cell_type": "code",
                "source": f"x = {number}\nprint(x)",
                "metadata": {},
                "execution_count": None,
                "outputs": [{"output_type": "stream", "name": "stdout", "text": "some text\n" * 5}],
            }
            for number in range(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(content))


async def opening(running: RunningServer, server: Server, cells: int, rounds: int) -> None:
    """Open, read and close; the room stays in the server's memory."""
    path = f"{cells}.ipynb"
    write_notebook(running.root / path, cells)
    rest = JupyterRest(running.url, Token(running.token))
    began = time.perf_counter()
    kept = await server.open_notebook(path)
    first = (time.perf_counter() - began) * 1000

    async with connect(running.url, token=running.token) as other:

        async def bare() -> None:
            async with bare_replica(rest, path) as replica:
                assert len(replica.cells) == cells

        async def ours() -> None:
            notebook = await other.open_notebook(path)
            assert len(await notebook.read()) == cells
            await notebook.close()

        times = await interleaved({"bare handshake": bare, "open, read, close": ours}, rounds)
    table(
        f"{cells} cells: open (the first time, from disk: {first:.0f} ms)", times, "bare handshake"
    )

    async def bare_read() -> None:
        list(await kept.read())

    async def edit_and_read() -> None:
        await kept.cell(0).set_source(secrets.token_hex(4))
        await kept.read()

    reading = {"read": bare_read, "edit a cell, acknowledged, and read": edit_and_read}
    table(f"{cells} cells: read", await interleaved(reading, rounds * 3))
    await inserting(running, rest, kept, cells, rounds * 3)
    await rest.close()


async def inserting(
    running: RunningServer, rest: JupyterRest, ours: Notebook, cells: int, rounds: int
) -> None:
    """From the insertion of a cell until a bare replica has it."""
    inserted = cells

    async with (
        bare_replica(rest, ours.path) as seeing,
        bare_replica(rest, ours.path) as writing,
    ):

        async def seen(insertion: Any) -> None:
            nonlocal inserted
            inserted += 1
            async with anyio.create_task_group() as group:
                group.start_soon(insertion)
                group.start_soon(seeing.until, inserted)

        async def bare_insertion() -> None:
            await writing.insert(secrets.token_hex(4))

        async def our_insertion() -> None:
            await ours.insert_cell(0, "x", "raw")

        actions = {
            "bare update, until another replica has it": lambda: seen(bare_insertion),
            "insert_cell(), acknowledged, until another has it": lambda: seen(our_insertion),
        }
        times = await interleaved(actions, rounds)
    table(f"{cells} cells: insert a cell", times, "bare update, until another replica has it")


async def memory(running: RunningServer, cells: int, notebooks: int = 5) -> None:
    """How much an open notebook takes."""
    process = psutil.Process()
    paths = [f"memory-{cells}-{number}.ipynb" for number in range(notebooks)]
    for path in paths:
        write_notebook(running.root / path, cells)
    async with connect(running.url, token=running.token) as server:
        warm = await server.open_notebook(paths[0])
        await warm.close()
        gc.collect()
        before = process.memory_info().rss
        opened = [await server.open_notebook(path) for path in paths]
        for notebook in opened:
            await notebook.read()
        gc.collect()
        each = (process.memory_info().rss - before) / notebooks / 1024 / 1024
    size = (running.root / paths[0]).stat().st_size / 1024 / 1024
    print(f"{cells} cells ({size:.2f} MB on disk): {each:.1f} MB a notebook")


async def recovery(folder: Path, cells: int, rounds: int) -> None:
    """From a broken connection, and from a server that is back, until an edit has arrived."""
    dropped: list[float] = []
    restarted: list[float] = []
    with ExitStack() as servers:
        running = servers.enter_context(jupyter_server(folder, extensions={}))
        write_notebook(running.root / "recovery.ipynb", cells)
        async with (
            Proxy.before(running.port) as proxy,
            connect(proxy.url, token=running.token) as server,
        ):
            notebook = await server.open_notebook("recovery.ipynb")
            for _ in range(rounds):
                proxy.cut()
                dropped.append(await _until_edited(notebook))
            for _ in range(3):
                watching = notebook.watch()
                async with anyio.create_task_group() as group:
                    group.start_soon(_until_disconnected, watching)
                    await anyio.wait_all_tasks_blocked()
                    running.kill()
                running = servers.enter_context(jupyter_server(folder, extensions={}))
                proxy.point_to(running.port)
                restarted.append(await _until_edited(notebook))
    print(f"\n{cells} cells: until an edit is acknowledged again")
    for what, times in (("after a drop", dropped), ("after the server is back", restarted)):
        print(f"  {what}: median {statistics.median(times):.0f} ms, most {max(times):.0f} ms")


async def _until_disconnected(watching: AsyncIterator[object]) -> None:
    async for change in watching:
        if isinstance(change, ConnectionChange):
            return


async def _until_edited(notebook: Notebook) -> float:
    began = time.perf_counter()
    await notebook.cell(0).set_source(secrets.token_hex(4))
    return (time.perf_counter() - began) * 1000


def _folder(parent: str) -> Path:
    return Path(tempfile.mkdtemp(dir=parent))


async def main(sizes: list[int], rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        async with AsyncExitStack() as stack:
            running = stack.enter_context(jupyter_server(_folder(name), extensions={}))
            server = await stack.enter_async_context(connect(running.url, token=running.token))
            for cells in sizes:
                await opening(running, server, cells, rounds)
            print()
            for cells in sizes:
                await memory(running, cells)
        for cells in sizes[:2]:
            await recovery(_folder(name), cells, rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[10, 1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=15)
    chosen = parser.parse_args()
    anyio.run(main, chosen.cells, chosen.rounds)
