# SPDX-License-Identifier: BSD-3-Clause
"""Documents in the hands of somebody with bad luck."""

from __future__ import annotations

import anyio
import pytest

from jupyter_agent_core import Change, Notebook, NotebookClosedError, Server


async def test_a_slow_watcher_is_told_everything_that_was_done_before_the_notebook_is_closed(
    notebook: Notebook,
) -> None:
    told: list[str] = []

    async def watch() -> None:
        async for change in notebook.watch():
            assert isinstance(change, Change)
            told.append(change.cell_id)
            await closed.wait()

    closed = anyio.Event()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            await anyio.wait_all_tasks_blocked()
            made = [(await notebook.append_cell(str(number))).id for number in range(5)]
            await notebook.close()
            closed.set()
    assert told == made


async def test_a_cell_of_a_closed_notebook_is_not_read_though_others_have_it_open(
    server: Server, notebook: Notebook
) -> None:
    cell = await notebook.append_cell("1")
    again = await server.open_notebook(notebook.path)
    await notebook.close()
    with pytest.raises(NotebookClosedError):
        await cell.read()
    assert (await again.cell(cell.id).read()).source == "1"
