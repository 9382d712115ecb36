# SPDX-License-Identifier: BSD-3-Clause
"""What the main job costs, against the floor, in one run.

The floor of an execution is a bare websocket round trip on the same kernel, with the pong
nudge; that of the imports is what they cannot do without. What is compared is interleaved,
so that each meets the same machine; a table gives medians, p95 and ratios.

    python benchmarks/run.py [--rounds N] [--stock]

`--stock` measures on an unmodified `jupyter server` with `jupyter-server-ydoc`, the default is
a private server.
"""

import argparse
import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from jupyter_agent_core import Notebook, Server, connect, launch
from jupyter_agent_core._execution.wire import SUBPROTOCOL, Wire, new_session
from jupyter_agent_core._http.rest import JupyterRest
from jupyter_agent_core._http.websocket import nudge, open_websocket

CODE = "1+1"
CELLS = 1000
STACK = "import anyio, attrs, httpx, websockets.asyncio.client, pycrdt"

Action = Callable[[], Awaitable[object]]


async def timed(action: Action) -> float:
    """Milliseconds that the action takes."""
    began = time.perf_counter()
    await action()
    return (time.perf_counter() - began) * 1000


async def interleaved(actions: dict[str, Action], rounds: int) -> dict[str, list[float]]:
    """Take turns: A B C A B C …, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(rounds + 1):
        for name, action in actions.items():
            took = await timed(action)
            if number:
                times[name].append(took)
    return times


def table(title: str, times: dict[str, list[float]], floor: str | None = None) -> None:
    """Print medians, p95 and the ratio to the floor."""
    print(f"\n{title:58}{'median':>10}{'p95':>10}{'ratio':>8}")
    base = statistics.median(times[floor]) if floor else None
    for name, taken in times.items():
        median = statistics.median(taken)
        p95 = statistics.quantiles(taken, n=20)[-1] if len(taken) > 1 else median
        ratio = f"{median / base:8.2f}" if base else ""
        print(f"{name:58}{median:8.2f}ms{p95:8.2f}ms{ratio}")


class BareChannel:
    """A kernel's websocket without any of ours but the framing: the floor."""

    def __init__(self, server: Server, kernel_id: str) -> None:
        self._rest = JupyterRest(server.url, server.token)
        self._session = new_session()
        path = f"api/kernels/{kernel_id}/channels"
        self._address = self._rest.websocket(path, session_id=self._session)

    async def open(self) -> None:
        self._socket = await open_websocket(self._address, subprotocols=[SUBPROTOCOL])
        self._wire = Wire(self._socket.subprotocol, self._session)

    async def execute(self) -> None:
        message_id, frame = self._wire.request(
            "execute_request",
            {
                "code": CODE,
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": False,
                "stop_on_error": False,
            },
        )
        await self._socket.send(frame)
        replied = idle = False
        while not (replied and idle):
            message = self._wire.message(await self._socket.recv())
            if message.parent == message_id:
                replied |= message.type == "execute_reply"
                idle |= message.content.get("execution_state") == "idle"
            await nudge(self._socket)

    async def close(self) -> None:
        await self._socket.close()
        await self._rest.close()


async def executions(server: Server, rounds: int) -> None:
    """Execute `1+1`: the bare round trip, the library, acknowledged, and over MCP."""
    notebook = await server.open_notebook("library.ipynb", create=True)
    cell = await notebook.append_cell(CODE)
    await cell.execute()
    kernel_id = notebook.kernel.id
    assert kernel_id is not None
    bare = BareChannel(server, kernel_id)
    await bare.open()

    async def acknowledged() -> None:
        await cell.execute()
        await notebook.flush()

    async with mcp_client(server) as client:
        arguments = {"notebook_name": "mcp", "notebook_path": "mcp.ipynb", "mode": "create"}
        await client.call_tool("use_notebook", {**arguments, "kernel_id": kernel_id})
        await client.call_tool("insert_cell", {**MCP_CELL, "cell_index": -1})
        actions: dict[str, Action] = {
            "bare websocket round trip": bare.execute,
            "cell.execute(), result in Python": cell.execute,
            "cell.execute() and flush(), acknowledged": acknowledged,
            "kernel.execute(), no cell": lambda: notebook.kernel.execute(CODE),
            "MCP execute_cell over stdio": lambda: client.call_tool(
                "execute_cell", {"cell_index": 0}
            ),
        }
        times = await interleaved(actions, rounds)
    table(f"execute {CODE!r} on one kernel, {rounds} rounds", times, "bare websocket round trip")
    over_mcp = statistics.median(times["MCP execute_cell over stdio"])
    library = statistics.median(times["cell.execute(), result in Python"])
    print(f"MCP over the library call: {over_mcp - library:+.2f} ms")
    await bare.close()


MCP_CELL = {"cell_type": "code", "cell_source": CODE}


@asynccontextmanager
async def mcp_client(server: Server) -> AsyncIterator[Client]:
    environment = {
        **os.environ,
        "JUPYTER_URL": server.url,
        "JUPYTER_TOKEN": server.token or "",
    }
    parameters = StdioServerParameters(
        command=sys.executable, args=["-P", "-m", "jupyter_mcp_server"], env=environment
    )
    async with Client(parameters, read_timeout_seconds=60) as client:
        yield client


async def documents(server: Server, root: Path, rounds: int) -> None:
    """Open and read 1,000 cells, and see an insertion in a second client."""
    write_notebook(root / "large.ipynb", CELLS)
    first = await server.open_notebook("large.ipynb")
    async with connect(server.url, token=server.token) as other:

        async def open_and_read() -> None:
            notebook = await other.open_notebook("large.ipynb")
            assert len(await notebook.read()) == CELLS
            await notebook.close()

        async def edit_and_read() -> None:
            await first.cell(0).set_source(secrets.token_hex(4))
            await first.read()

        table(
            f"a notebook of {CELLS} cells, {rounds} rounds",
            await interleaved(
                {
                    "open, read and close (room in memory)": open_and_read,
                    "read": first.read,
                    "edit one cell, acknowledged, and read": edit_and_read,
                },
                rounds,
            ),
        )
        second = await other.open_notebook("large.ipynb")
        seen = [await until_seen(first, second) for _ in range(rounds)]
        table("insert a cell", {"until a second client sees it": seen})


async def until_seen(first: Notebook, second: Notebook) -> float:
    """Milliseconds from the insertion until the second client has the cell."""
    arrived = anyio.Event()
    document = second._room.document
    subscription = document.ydoc.observe(lambda _: arrived.set())
    began = time.perf_counter()
    await asyncio.gather(first.insert_cell(500, "x"), arrived.wait())
    took = (time.perf_counter() - began) * 1000
    document.ydoc.unobserve(subscription)
    assert len(await second.read()) > CELLS
    return took


def write_notebook(path: Path, cells: int) -> None:
    content = {
        "cells": [
            {
                "id": f"cell{number:04}",
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


async def process(*arguments: str) -> None:
    """Run Python until it ends."""
    await anyio.run_process([sys.executable, "-P", *arguments])


async def initialized() -> None:
    """Start the MCP server and get its answer to `initialize`; nothing answers at its URL."""
    environment = {**os.environ, "JUPYTER_URL": "http://127.0.0.1:9"}
    parameters = StdioServerParameters(
        command=sys.executable, args=["-P", "-m", "jupyter_mcp_server"], env=environment
    )
    async with await anyio.open_process(
        [parameters.command, *parameters.args], env=environment, stderr=subprocess.DEVNULL
    ) as running:
        request = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "benchmark", "version": "0"},
            },
        }
        assert running.stdin is not None
        assert running.stdout is not None
        await running.stdin.send(json.dumps(request).encode() + b"\n")
        answer = await running.stdout.receive()
        assert b'"result"' in answer, answer
        running.kill()


async def imports(rounds: int) -> None:
    """Import times, each in a process of its own."""
    table(
        f"a new process, {rounds} rounds",
        await interleaved(
            {
                "python, nothing": lambda: process("-c", ""),
                STACK: lambda: process("-c", STACK),
                "import jupyter_agent_core": lambda: process("-c", "import jupyter_agent_core"),
                "  … and connect, launch": lambda: process(
                    "-c", "from jupyter_agent_core import connect, launch"
                ),
            },
            rounds,
        ),
        STACK,
    )
    table(
        f"the MCP server, {rounds} rounds",
        await interleaved(
            {
                "import mcp": lambda: process("-c", "import mcp"),
                "start to the answer to initialize": initialized,
            },
            rounds,
        ),
        "import mcp",
    )


@contextmanager
def stock_server(root: Path) -> Iterator[tuple[str, str]]:
    """An unmodified `jupyter server`, ended by its process id."""
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyter_server", "--ServerApp.open_browser=False"]
    command += [f"--ServerApp.root_dir={root}", "--ServerApp.port=0", "--ServerApp.allow_root=True"]
    server = subprocess.Popen(
        command, env={**os.environ, "JUPYTER_TOKEN": token}, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stderr is not None
        url = next(line.split()[-1] for line in server.stderr if "http://127.0.0.1:" in line)
        yield url.partition("?")[0], token
    finally:
        server.kill()
        server.wait()


async def main(rounds: int, stock: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["JUPYTER_RUNTIME_DIR"] = str(Path(folder, "runtime"))
        root = Path(folder, "root")
        root.mkdir()
        print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, ", end="")
        print("stock jupyter server" if stock else "private server")
        async with AsyncExitStack() as stack:
            if stock:
                url, token = stack.enter_context(stock_server(root))
                server = await stack.enter_async_context(connect(url, token=token))
            else:
                server = await stack.enter_async_context(launch(root))
            await executions(server, rounds)
            await documents(server, root, max(5, rounds // 5))
    await imports(max(5, rounds // 10))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--stock", action="store_true")
    chosen = parser.parse_args()
    anyio.run(main, chosen.rounds, chosen.stock)
