# SPDX-License-Identifier: BSD-3-Clause
"""Runs that the server executes for us (jupyter-server-nbmodel), and that outlive us."""

from pathlib import Path

import anyio
import nbformat
import pytest
from servers import RunningServer

from jupyter_agent_core import InputRequest, Notebook, Run, Server, connect


async def until_output(run: Run) -> None:
    with anyio.fail_after(20):
        while not run.outputs:
            await run.wait(0.01)


async def ended(run: Run) -> str:
    with anyio.fail_after(20):
        return (await run.wait()).status


async def test_the_values_are_those_of_any_run(notebook: Notebook) -> None:
    cell = await notebook.append_cell("print('é😀')\n1 + 1")
    here = await cell.execute(timeout=30)
    with anyio.fail_after(30):
        there = await (await cell.start(detached=True)).wait()
    assert (there.status, there.outputs[0], there.text) == ("ok", here.outputs[0], here.text)
    assert (there.cell_id, there.execution_count) == (cell.id, 2)
    await notebook.flush()
    seen = await cell.read()
    assert (seen.text, seen.execution_count, seen.execution_state) == ("é😀\n2", 2, "idle")


async def test_what_fails_is_told(notebook: Notebook) -> None:
    for code, name in (("print('a')\n1/0", "ZeroDivisionError"), ("input('?')", "EOFError")):
        cell = await notebook.append_cell(code)
        with anyio.fail_after(30):
            result = await (await cell.start(detached=True)).wait()
        assert result.status == "error"
        assert result.error is not None
        assert result.error.ename == name


async def test_a_question_is_answered(notebook: Notebook) -> None:
    asked: list[InputRequest] = []

    def answer(request: InputRequest) -> str:
        asked.append(request)
        return "Ada"

    cell = await notebook.append_cell("print('Hello', input('Name?'))")
    with anyio.fail_after(30):
        result = await (await cell.start(detached=True, on_input=answer)).wait()
    assert asked == [InputRequest("Name?", password=False)]
    assert (result.status, result.text) == ("ok", "Hello Ada")


async def test_a_run_goes_on_when_we_are_gone(
    running: RunningServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path, go = f"{request.node.name}.ipynb", tmp_path / "go"
    async with connect(running.url, token=running.token) as server:
        notebook = await server.open_notebook(path, create=True)
        cell = await notebook.append_cell(
            f"import os, time\nprint('begun', flush=True)\n"
            f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('end')\n6 * 7"
        )
        run = await cell.start(detached=True)
        await until_output(run)
        released = await notebook.close()
        assert (released.shut_down, released.reason) == (False, "a detached run is at work on it")
    async with connect(running.url, token=running.token) as server:
        notebook = await server.open_notebook(path)
        with anyio.fail_after(20):
            go.touch()
            while (await notebook.read())[0].execution_state != "idle":
                async for _ in notebook.watch():
                    break
        (cell_now,) = await notebook.read()
        assert (cell_now.text, cell_now.execution_count) == ("begun\nend\n42", 1)
        # it is the kernel of the notebook's session, and the next one finds it
        assert (await notebook.kernel.execute("_", timeout=30)).text == "42"
        await notebook.save()
        nbformat.validate(nbformat.read(running.root / path, as_version=4))
        await notebook.kernel.shutdown()


async def test_a_run_is_interrupted(notebook: Notebook) -> None:
    cell = await notebook.append_cell("import time\nprint('a', flush=True)\ntime.sleep(600)")
    run = await cell.start(detached=True)
    await until_output(run)
    with anyio.fail_after(10):
        result = await run.interrupt()
    assert result.status == "interrupted"
    assert result.text.startswith("a\n")
    assert (await notebook.kernel.execute("6 * 7", timeout=30)).text == "42"


async def test_a_kernel_that_ends_ends_the_run(notebook: Notebook, server: Server) -> None:
    cell = await notebook.append_cell("import time\nprint('a', flush=True)\ntime.sleep(600)")
    run = await cell.start(detached=True)
    await until_output(run)
    await notebook.kernel.shutdown()
    assert await ended(run) == "kernel_gone"


async def test_a_kernel_that_is_restarted_ends_the_run(notebook: Notebook) -> None:
    cell = await notebook.append_cell("import time\nprint('a', flush=True)\ntime.sleep(600)")
    run = await cell.start(detached=True)
    await until_output(run)
    await notebook.restart()
    assert await ended(run) in ("lost", "aborted")
    assert (await notebook.kernel.execute("6 * 7", timeout=30)).text == "42"
