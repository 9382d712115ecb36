# SPDX-License-Identifier: BSD-3-Clause
"""The main job, on whatever server: notebooks are opened, edited, run, saved and found again."""

import os

import anyio
import nbformat
import pytest
from files import on_disk
from servers import Proxy, RunningServer

from jupyter_agent_core import (
    DisplayOutput,
    ExecuteResult,
    Notebook,
    NotebookConflictError,
    Server,
    StreamOutput,
)

MODES = {"collaboration": "collaboration", "documents": "server-documents", "plain": "contents"}
# kernels and rooms of machines that are busy with other things
PATIENCE = 30


async def sources(notebook: Notebook) -> list[str]:
    return [cell.source for cell in await notebook.read()]


async def until(notebook: Notebook, wanted: list[str]) -> None:
    """Wait until a client sees something."""
    with anyio.fail_after(PATIENCE):
        while await sources(notebook) != wanted:
            await notebook.flush()


async def test_mode(server: Server, notebook: Notebook) -> None:
    """How notebooks are kept in step is told"""
    kind = os.environ["MATRIX_SERVER"].partition("-")[0]
    assert server.info.mode == notebook.mode == MODES[kind]


async def test_edit(notebook: Notebook, theirs: Notebook) -> None:
    """An edit that has returned is seen by another client"""
    cell = await notebook.append_cell("é😀 = 1")
    await cell.edit_source("1", "2")
    await notebook.insert_cell(0, "# title", "markdown")
    await until(theirs, ["# title", "é😀 = 2"])
    await theirs.append_cell("theirs = 3")
    await until(notebook, ["# title", "é😀 = 2", "theirs = 3"])


async def test_together(notebook: Notebook, theirs: Notebook) -> None:
    """Two who edit one cell at once both keep their text"""
    if notebook.mode == "contents":
        pytest.skip("there is no room; see the conflict")
    mine = await notebook.append_cell("a\nb\nc")
    await until(theirs, ["a\nb\nc"])
    async with anyio.create_task_group() as group:
        group.start_soon(mine.set_source, "mine\nb\nc")
        group.start_soon(theirs.cell(0).set_source, "a\nb\ntheirs")
    await until(notebook, ["mine\nb\ntheirs"])
    await until(theirs, ["mine\nb\ntheirs"])


async def test_run(notebook: Notebook, theirs: Notebook) -> None:
    """A cell runs; its streams, displays and result come, for others, too"""
    cell = await notebook.append_cell(
        "from IPython.display import HTML\nprint('é😀')\ndisplay(HTML('<b>x</b>'))\n6 * 7"
    )
    for count in (1, 2):
        result = await cell.execute(timeout=PATIENCE)
        assert (result.status, result.execution_count) == ("ok", count)
        stream, display, value = result.outputs
        assert stream == StreamOutput("stdout", "é😀\n")
        assert isinstance(display, DisplayOutput)
        assert display.data["text/html"] == "<b>x</b>"
        assert isinstance(value, ExecuteResult)
        assert value.data["text/plain"] == "42"
    with anyio.fail_after(PATIENCE):
        while (await theirs.read())[0].outputs != result.outputs:
            await theirs.flush()


async def test_error(notebook: Notebook) -> None:
    """An exception is told, and the next cell runs"""
    result = await (await notebook.append_cell("print('a')\n1/0")).execute(timeout=PATIENCE)
    assert result.status == "error"
    assert result.error is not None
    assert result.error.ename == "ZeroDivisionError"
    assert result.text.startswith("a\n")
    assert (await (await notebook.append_cell("1")).execute(timeout=PATIENCE)).text == "1"


async def test_interrupt(notebook: Notebook) -> None:
    """A run that goes on is interrupted"""
    cell = await notebook.append_cell("import time\nprint('a', flush=True)\ntime.sleep(600)")
    run = await cell.start()
    with anyio.fail_after(PATIENCE):
        while not run.outputs:
            await run.wait(0.01)
        assert (await run.wait(0.1)).status == "running"
        assert (await run.interrupt()).status == "interrupted"


async def test_save(notebook: Notebook, running: RunningServer) -> None:
    """`save()` returns when the file holds the notebook, with its outputs"""
    for number in range(2):
        await notebook.append_cell(f"print({number})")
        await notebook.save()
        assert on_disk(running, notebook.path) == [f"print({n})" for n in range(number + 1)]
    await notebook.cell(0).execute(timeout=PATIENCE)
    await notebook.save()
    saved = nbformat.read(running.root / notebook.path, as_version=4)
    assert saved.cells[0].outputs[0]["text"] == "0\n"


async def test_dropped(notebook: Notebook, theirs: Notebook, proxy: Proxy) -> None:
    """Edits over a connection that breaks arrive once"""
    for number in range(3):
        await notebook.append_cell(f"mine {number}")
        proxy.cut()
    wanted = [f"mine {number}" for number in range(3)]
    await notebook.flush()
    await until(theirs, wanted)
    assert await sources(notebook) == wanted


async def test_dropped_run(notebook: Notebook, proxy: Proxy) -> None:
    """A run over a connection that breaks comes to its end"""
    cell = await notebook.append_cell(
        "import time\nprint('a', flush=True)\ntime.sleep(2)\nprint('b')"
    )
    run = await cell.start()
    with anyio.fail_after(PATIENCE):
        while not run.outputs:
            await run.wait(0.01)
        proxy.cut()
        result = await run.wait()
    assert result.status == "ok"
    assert result.text == "a\nb"


async def test_conflict(notebook: Notebook, theirs: Notebook, running: RunningServer) -> None:
    """An edit over a file that somebody else has written is refused"""
    if notebook.mode != "contents":
        pytest.skip("there is a room: both texts are kept")
    cell = await notebook.append_cell("a")
    await until(theirs, ["a"])
    await theirs.cell(0).set_source("theirs")
    with pytest.raises(NotebookConflictError, match="theirs"):
        await cell.set_source("mine")
    assert on_disk(running, notebook.path) == ["theirs"]
