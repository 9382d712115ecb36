# SPDX-License-Identifier: BSD-3-Clause
"""What the library's main job costs, against the floor, in one run.

The floor of an execution is a bare websocket round trip on the same kernel, with the pong
nudge; that of the imports is what they cannot do without. What is compared is interleaved,
so that each meets the same machine; a table gives medians, p95 and ratios.

    python benchmarks/run.py [--rounds N] [--stock]

`--stock` measures on an unmodified `jupyter server` with `jupyter-server-ydoc`, the default is
a private server.
"""

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import anyio
from floor import BareChannel
from timing import Action, interleaved, table

from jupyter_agent_core import Server, connect, launch

CODE = "1+1"
STACK = "import anyio, attrs, httpx, websockets.asyncio.client, pycrdt"


async def executions(server: Server, rounds: int) -> None:
    """Execute `1+1`: the bare round trip, the library, and acknowledged."""
    notebook = await server.open_notebook("library.ipynb", create=True)
    cell = await notebook.append_cell(CODE)
    await cell.execute()
    kernel_id = notebook.kernel.id
    assert kernel_id is not None
    bare = BareChannel(server.url, server.token, kernel_id, CODE)
    await bare.open()

    async def acknowledged() -> None:
        await cell.execute()
        await notebook.flush()

    actions: dict[str, Action] = {
        "bare websocket round trip": bare.execute,
        "cell.execute(), result in Python": cell.execute,
        "cell.execute() and flush(), acknowledged": acknowledged,
        "kernel.execute(), no cell": lambda: notebook.kernel.execute(CODE),
    }
    times = await interleaved(actions, rounds)
    table(f"execute {CODE!r} on one kernel, {rounds} rounds", times, "bare websocket round trip")
    await bare.close()


async def process(*arguments: str) -> None:
    """Run Python until it ends."""
    await anyio.run_process([sys.executable, "-P", *arguments])


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
    await imports(max(5, rounds // 10))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--stock", action="store_true")
    chosen = parser.parse_args()
    anyio.run(main, chosen.rounds, chosen.stock)
