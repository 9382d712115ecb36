# SPDX-License-Identifier: BSD-3-Clause
"""Half an hour of edits and runs: what an MCP server holds stays the same, and nothing is left.

`SOAK_SECONDS` (1,800) sets for how long; what is measured is printed.
"""

import asyncio
import itertools
import os
import statistics
import threading
from pathlib import Path

import anyio
import psutil
import pytest
from mcp_clients import said, session
from mcp_process import environment
from servers import RunningServer

from jupyter_agent_core import connect

SECONDS = float(os.environ.get("SOAK_SECONDS", "1800"))
# rounds in one notebook: its document keeps something of everybody who has ever edited it, here
# of two more in each round, and with 1,200 of them takes 50 MB more to open and to follow
ROUNDS = 20
# what the interpreter, its allocator and the caches of libraries may still take in all that time
MEMORY = 1.1
# idle threads of a pool and sockets that close come and go
OTHERS = 1
# seconds from one round to the next: it is about how long, not about how much
PACE = 5.0
CODES = (
    "print('x' * 1000)",
    "for i in range(2000): print(i)",
    "1 / 0",
    "from IPython.display import display, HTML; display(HTML('<b>' * 1000))",
    "import matplotlib.pyplot as plt; plt.plot([1, 2, 3]); plt.show()",
)


def mcp_server() -> psutil.Process:
    """The process that the client of this test has started."""
    (process,) = (
        child
        for child in psutil.Process().children()
        if "jupyter_mcp_server" in " ".join(child.cmdline())
    )
    return process


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 300)
async def test_memory_descriptors_threads_and_tasks_stay_the_same(
    tmp_path: Path, lab: RunningServer
) -> None:
    work, samples = tmp_path / "work", list[dict[str, float]]()
    work.mkdir()
    variables = environment(
        tmp_path / "state",
        JUPYTER_URL=lab.url,
        JUPYTER_TOKEN=lab.token,
        MPLCONFIGDIR=str(tmp_path / "matplotlib"),
    )
    tasks, threads = len(asyncio.all_tasks()), threading.active_count()
    end = anyio.current_time() + SECONDS
    async with session("stdio", "auto", work, variables) as client:
        process = mcp_server()
        for number in itertools.count():
            await anyio.sleep_until(end - SECONDS + PACE * number)
            if anyio.current_time() > end:
                break
            path = f"soak-{number // ROUNDS}.ipynb"
            mode = "connect" if number % ROUNDS else "create"
            await said(client, "use_notebook", notebook_path=path, mode=mode)
            for code in CODES:
                await said(client, "insert_execute_code_cell", cell_index=-1, cell_source=code)
            await said(client, "read_notebook", response_format="detailed")
            await a_collaborator_comes_and_goes(lab, path, f"# round {number}")
            await said(client, "delete_cell", cell_indices=list(range(len(CODES))))
            await said(client, "unuse_notebook")
            samples.append(
                {
                    "memory": process.memory_info().rss / 2**20,
                    "descriptors": process.num_fds(),
                    "threads": process.num_threads(),
                    "tasks here": len(asyncio.all_tasks()),
                }
            )
    assert not process.is_running()
    before, after = compared(samples)
    assert after["memory"] < MEMORY * before["memory"]
    for what in ("descriptors", "threads", "tasks here"):
        assert after[what] <= before[what] + OTHERS, what
    assert (len(asyncio.all_tasks()), threading.active_count()) <= (tasks, threads + 1)
    with lab.http() as http:
        assert http.get("/api/kernels").json() == []


async def a_collaborator_comes_and_goes(lab: RunningServer, path: str, source: str) -> None:
    """Edit in the notebook through a connection of their own."""
    async with connect(lab.url, token=lab.token, username="Ada") as server:
        notebook = await server.open_notebook(path)
        cell = await notebook.append_cell(source, "markdown")
        await cell.set_source(f"{source}, edited")
        await cell.delete()


def compared(samples: list[dict[str, float]]) -> tuple[dict[str, float], dict[str, float]]:
    """The medians of the second quarter and of the last one."""
    print(f"{len(samples)} rounds")
    quarter = len(samples) // 4
    parts = samples[quarter : 2 * quarter], samples[-quarter:]
    medians = [
        {what: statistics.median(sample[what] for sample in part) for what in samples[0]}
        for part in parts
    ]
    for what, first in samples[0].items():
        print(f"{what}: {first:.1f} at first, then {medians[0][what]:.1f}, {medians[1][what]:.1f}")
    return medians[0], medians[1]
