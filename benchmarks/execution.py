# SPDX-License-Identifier: BSD-3-Clause
"""What runs cost: their first output, floods of output, and kernels that do nothing.

    python benchmarks/execution.py [--rounds N] [--idle SECONDS]

The floor is a bare websocket on the same kernel, with the pong nudge; what is compared is
interleaved. The server is a private one. (What a whole run costs is in `run.py`.)
"""

import argparse
import tempfile
import time
from pathlib import Path

import anyio
from floor import BareChannel
from timing import interleaved, table

from jupyter_agent_core import Notebook, Server, launch
from jupyter_agent_core._document.editor import Editor
from jupyter_agent_core._document.model import NotebookDocument
from jupyter_agent_core._document.operations import InsertCell
from jupyter_agent_core._execution.execution import Execution
from jupyter_agent_core._execution.outputs import Displays
from jupyter_agent_core._execution.recorder import Recorder

PRINT = "print('first', flush=True)\nfor _ in range(3): print('more', flush=True)"
LINES = "for n in range(100_000): print(n)"
CHUNKS = "for n in range(10_000): print(n, flush=True)"
KERNELS = 20


async def first_output(notebook: Notebook, bare: BareChannel, rounds: int) -> None:
    """The time until what the code prints first is there."""
    cell = await notebook.append_cell(PRINT)
    times: dict[str, list[float]] = {"bare websocket": [], "iterating over cell.start()": []}
    for number in range(rounds + 1):
        began = time.perf_counter()
        await bare.first_output()
        took = time.perf_counter() - began
        await bare.ended()
        began = time.perf_counter()
        run = await cell.start()
        async for _ in run:
            ours = time.perf_counter() - began
            break
        await run.wait()
        if number:
            times["bare websocket"].append(took * 1000)
            times["iterating over cell.start()"].append(ours * 1000)
    table(f"first output, {rounds} rounds", times, "bare websocket")


async def flood(notebook: Notebook, kernel_id: str, server: Server, root: Path, code: str) -> None:
    """A run that prints much: time, CPU and size of the document."""
    bare = BareChannel(server.url, server.token, kernel_id, code)
    await bare.open()
    cell = await notebook.append_cell(code)
    cpu: list[float] = []

    async def ours() -> None:
        began = time.process_time()
        await cell.execute()
        await notebook.flush()
        cpu.append(time.process_time() - began)

    name = "cell.execute() and flush(), acknowledged"
    table(
        code, await interleaved({"bare websocket": bare.execute, name: ours}, 5), "bare websocket"
    )
    await notebook.save()
    size = (root / notebook.path).stat().st_size
    outputs = len((await cell.read()).outputs)
    print(f"CPU {min(cpu[1:]):.2f} s; {outputs} output(s), {size / 1e6:.2f} MB on disk")
    await cell.delete()
    await bare.close()


def folding(count: int) -> None:
    """Messages folded and recorded in memory, as fast as can be."""
    document = NotebookDocument()
    transactions = 0

    def count_transaction(_: object) -> None:
        nonlocal transactions
        transactions += 1

    document.ydoc.observe(count_transaction)
    editor, displays = Editor(document), Displays()
    editor.apply([InsertCell("code", "code", before=None)])
    cell_id = document.ids[0]
    recorder = Recorder(document, cell_id, displays, editor.author)
    run = Execution("code", displays, cell_id=cell_id, listener=recorder)
    began = time.process_time()
    run.start()
    for number in range(count):
        run.feed("stream", {"name": "stdout", "text": f"{number}\n"})
    run.end("ok")
    took = time.process_time() - began
    print(f"\n{count} messages folded and recorded: CPU {took:.3f} s, {transactions} transactions")


async def idle(server: Server, seconds: float) -> None:
    """The CPU of this process while many kernels are open and nothing happens."""
    for _ in range(KERNELS):
        await (await server.start_kernel()).execute("1")
    began, clock = time.process_time(), time.perf_counter()
    await anyio.sleep(seconds)
    share = (time.process_time() - began) / (time.perf_counter() - clock)
    print(f"\n{KERNELS} kernels idle for {seconds:g} s: {share:.3%} of a core")


async def main(rounds: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with launch(folder) as server:
            notebook = await server.open_notebook("n.ipynb", create=True)
            kernel_id = (await notebook.kernel.connect()).id
            bare = BareChannel(server.url, server.token, kernel_id, PRINT)
            await bare.open()
            await first_output(notebook, bare, rounds)
            await bare.close()
            for code in (LINES, CHUNKS):
                await flood(notebook, kernel_id, server, Path(folder), code)
            folding(10_000)
            await idle(server, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure runs.")
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--idle", type=float, default=60.0)
    arguments = parser.parse_args()
    anyio.run(main, arguments.rounds, arguments.idle)
