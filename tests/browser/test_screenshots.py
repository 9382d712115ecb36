# SPDX-License-Identifier: BSD-3-Clause
"""The pictures of the documentation: an agent over MCP and a human at one notebook.

`SCREENSHOTS=docs/images nox -s browser -- tests/browser/test_screenshots.py` takes them anew.
Without that variable, the tests see that there is what they show, and write nothing.
"""

import io
import os
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp_process import McpProcess
from PIL import Image

from jupyter_agent_core import Notebook, Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

Lab = Any  # `conftest.Lab`, which pytest does not let us import
CHECKOUT = Path(__file__).parents[2]
COLOURS = 64
WIDTH = 1000
FLAG = "[...document.querySelectorAll('.jp-remote-userFlag-name')].map(e => e.textContent)"

TITLE = "# The first squares\nHow fast do they grow?"
TABLE = "squares = [n * n for n in range(10)]\nsquares"
PLOT = """\
%matplotlib inline
import matplotlib.pyplot as plt
plt.figure(figsize=(5, 1.7))
plt.plot(squares, "o-");"""


@pytest.fixture
async def notebook(server: Server, folder: str) -> Notebook:
    """The notebook in the pictures, under a name that says what it is."""
    return await server.open_notebook(f"{folder}/squares.ipynb", create=True)


async def picture(human: Lab, name: str) -> None:
    """Take the picture, and keep it if that was asked for, in few colours."""
    taken = await human.page.screenshot(animations="disabled", caret="initial")
    if folder := os.environ.get("SCREENSHOTS"):
        with Image.open(io.BytesIO(taken)) as image:
            few = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
            few.save(CHECKOUT / folder / name, optimize=True)


async def prepare(human: Lab, height: int) -> None:
    """Show nothing beside the notebook, and no question whether news are welcome."""
    await human.page.set_viewport_size({"width": WIDTH, "height": height})
    await human.page.add_style_tag(content=".Toastify { display: none }")
    await human.page.locator(".jp-Notebook").first.click(position={"x": 5, "y": 200})
    await human.page.keyboard.press("Control+b")
    await human.see("document.querySelector('#jp-left-stack').clientWidth === 0")


async def test_cells_of_the_agent_appear_run_and_show_a_plot(
    human: Lab, notebook: Notebook, agent: McpProcess
) -> None:
    await prepare(human, 640)
    await agent.answer("use_notebook", notebook_name="nb", notebook_path=notebook.path)
    await agent.answer("insert_cell", cell_index=0, cell_type="markdown", cell_source=TITLE)
    await agent.answer("overwrite_cell_source", cell_index=1, cell_source=TABLE)
    await agent.answer("execute_cell", cell_index=1)
    await agent.answer("insert_execute_code_cell", cell_index=2, cell_source=PLOT)
    await human.see("output(1).startsWith('[0, 1, 4, 9')")
    await human.see("cell(2).querySelector('img')?.naturalWidth > 100")
    await agent.answer("insert_cell", cell_index=3, cell_type="code", cell_source="[n ** 3")
    await agent.answer("overwrite_cell_source", cell_index=3, cell_source="[n ** 3 for n in range(")
    await human.see(f"{FLAG}.includes('Ada the agent')")
    await picture(human, "agent-at-work.png")
    assert human.errors == []


async def test_an_agent_and_a_human_edit_one_cell(
    human: Lab, notebook: Notebook, agent: McpProcess
) -> None:
    await prepare(human, 330)
    source = "# the mean of the sample\nsample = [170, 182, 165]\n\nprint(mean)"
    await agent.answer("use_notebook", notebook_name="nb", notebook_path=notebook.path)
    await agent.answer("overwrite_cell_source", cell_index=0, cell_source=source)
    await human.see(f"source(0) === {source!r}")
    await human.type_at_end_of_line(0, 1, "  # cm")
    await agent.answer(
        "edit_cell_source",
        cell_index=0,
        old_string="\n\nprint(mean)",
        new_string="\nmean = sum(sample) / len(sample)\nprint(mean)",
    )
    await human.see("source(0).includes('# cm\\nmean = sum(sample)')")
    await human.see(f"{FLAG}.includes('Ada the agent')")
    await picture(human, "two-at-one-cell.png")
    assert human.errors == []


async def test_the_star_and_the_first_outputs_of_a_long_run_are_seen(
    human: Lab, notebook: Notebook, agent: McpProcess
) -> None:
    await prepare(human, 420)
    await agent.answer("use_notebook", notebook_name="nb", notebook_path=notebook.path)
    await agent.answer(
        "overwrite_cell_source",
        cell_index=0,
        cell_source="import time\nfor epoch in range(1, 1001):\n"
        "    print(f'epoch {epoch}: loss {1 / epoch:.3f}', flush=True)\n    time.sleep(0.2)",
    )
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: agent.answer("execute_cell", cell_index=0))
        await human.see("prompt_(0) === '[*]:' && output(0).includes('epoch 7')")
        await picture(human, "long-run.png")
        await agent.answer("interrupt_kernel")
    await human.see("prompt_(0) !== '[*]:'")
    assert human.errors == []
