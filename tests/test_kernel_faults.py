# SPDX-License-Identifier: BSD-3-Clause
"""Kernels that end in the middle of a run: each end is told in time, and one call recovers."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from servers import jupyter_server

from jupyter_agent_core import Notebook, Server, connect
from jupyter_agent_core._answers import CodeRun
from jupyter_agent_core.rendering import render

BEGUN = "import os, signal\nprint('begun', flush=True)\nwhile not os.path.exists('go'): pass\n"
ENDS = {
    "it exits": "os._exit(1)",
    "it is killed, as for want of memory": "os.kill(os.getpid(), signal.SIGKILL)",
    "it crashes": "import ctypes; ctypes.string_at(0)",
}


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Notebook]:
    """A notebook of a server that looks for the ends of kernels at once, not every 3 s."""
    looks = ["--AsyncIOLoopKernelRestarter.time_to_dead=0.3"]
    with jupyter_server(tmp_path, extensions={"jupyterlab": False}, settings=looks) as running:
        async with connect(running.url, token=running.token) as server:
            yield await server.open_notebook("n.ipynb", create=True)


async def test_code_that_takes_too_much_memory_is_an_exception(notebook: Notebook) -> None:
    code = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))\n'x' * 2**40"
    result = await notebook.kernel.execute(code, timeout=40)
    assert result.status == "error"
    assert result.error is not None
    assert result.error.ename == "MemoryError"


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
async def test_a_process_that_ends_is_told_within_seconds_and_the_next_call_works(
    watched: Notebook, tmp_path: Path, end: str
) -> None:
    go = tmp_path / "go"
    cell = await watched.append_cell(BEGUN.replace("'go'", repr(str(go))) + end)
    with anyio.fail_after(40):
        run = await cell.start()
        async for _ in run:
            break
    go.touch()
    with anyio.fail_after(5):
        result = await run.wait()
    assert (result.status, result.text) == ("kernel_died", "begun")
    with anyio.fail_after(20):
        assert (await watched.kernel.execute("6 * 7")).text == "42"


async def test_a_restart_between_two_runs_is_told_by_the_next_one(
    notebook: Notebook, other: Server
) -> None:
    kernel = notebook.kernel
    assert not (await kernel.execute("x = 6", timeout=40)).after_restart
    await kernel.restart()
    assert not (await kernel.execute("x = 7", timeout=40)).after_restart  # who did it knows
    await other.kernel(str(kernel.id)).restart()
    result = await kernel.execute("x", timeout=40)
    assert (result.status, result.after_restart) == ("error", True)
    assert "what was defined is gone" in str(render(CodeRun(result)))
    assert not (await kernel.execute("x = 8", timeout=40)).after_restart


async def test_a_kernel_that_ended_between_two_runs_is_told_by_the_next_one(
    notebook: Notebook, other: Server
) -> None:
    await notebook.kernel.execute("x = 6", timeout=40)
    before = notebook.kernel.id
    await other.kernel(str(before)).shutdown()
    result = await notebook.kernel.execute("x", timeout=40)
    assert notebook.kernel.id != before
    assert (result.status, result.after_restart) == ("error", True)


async def test_a_process_that_dies_between_two_runs_is_told_by_the_next_one(
    notebook: Notebook,
) -> None:
    await notebook.kernel.execute("import os; os.kill(os.getpid(), 0)", timeout=40)
    pid = int((await notebook.kernel.execute("os.getpid()", timeout=40)).text)
    os.kill(pid, signal.SIGKILL)
    with anyio.fail_after(20):
        while notebook.kernel.state != "restarting":
            await anyio.lowlevel.checkpoint()
        result = await notebook.kernel.execute("os")
    assert (result.status, result.after_restart) == ("error", True)


async def test_who_was_told_of_the_end_by_a_run_is_not_told_again(notebook: Notebook) -> None:
    died = await notebook.kernel.execute("import os; os._exit(1)", timeout=40)
    assert died.status == "kernel_died"
    assert not (await notebook.kernel.execute("1", timeout=40)).after_restart


@pytest.mark.timeout(120)
async def test_a_kernel_that_is_culled_in_a_run_is_told_and_the_next_call_starts_another(
    tmp_path: Path,
) -> None:
    culling = [
        f"--MappingKernelManager.cull_{name}"
        for name in ("idle_timeout=10", "interval=1", "busy=True", "connected=True")
    ]
    with jupyter_server(tmp_path, extensions={"jupyterlab": False}, settings=culling) as running:
        async with connect(running.url, token=running.token) as server:
            notebook = await server.open_notebook("n.ipynb", create=True)
            cell = await notebook.append_cell(
                "import time\nprint('begun', flush=True)\ntime.sleep(600)"
            )
            with anyio.fail_after(40):
                run = await cell.start()
                first = notebook.kernel.id
                result = await run.wait()
            # the server interrupts the code first, which may be heard
            assert (result.status, result.text[:5]) == ("kernel_gone", "begun")
            assert (await cell.read()).text == result.text
            with anyio.fail_after(20):
                assert (await notebook.kernel.execute("6 * 7")).text == "42"
            assert notebook.kernel.id != first
