# SPDX-License-Identifier: BSD-3-Clause
"""An agent over MCP and a human in JupyterLab, at one notebook and at two."""

from typing import Any

import anyio
import pytest
from mcp_process import McpProcess
from servers import RunningServer

from jupyter_agent_core import Notebook, Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

Lab = Any  # `conftest.Lab`, which pytest does not let us import
TABS = "[...document.querySelectorAll('#jp-main-dock-panel .lm-TabBar-tab')]"
LOOKED_AT = f"{TABS}.filter(t => t.matches('.jp-mod-current')).map(t => t.textContent.trim())"


async def test_without_a_page_the_agent_gets_the_link(
    agent: McpProcess, folder: str, lab: RunningServer
) -> None:
    path = f"{folder}/nb.ipynb"
    said = await agent.answer(
        "use_notebook", notebook_name="nb", notebook_path=path, mode="create", open_in_ui=True
    )
    assert f"In a browser: {lab.url}/lab/tree/{path}" in said
    assert "Not opened there: no page of JupyterLab is open. Give your user the link." in said


async def test_a_human_sees_an_agent_by_name_at_the_cell_that_it_edits(
    human: Lab, notebook: Notebook, agent: McpProcess
) -> None:
    await agent.answer("use_notebook", notebook_name="nb", notebook_path=notebook.path)
    await agent.answer("overwrite_cell_source", cell_index=0, cell_source="first = 'of the agent'")
    await human.see("source(0) === \"first = 'of the agent'\"")
    # its caret, with its name on a flag
    await human.see("cell(0).querySelector('.jp-remote-cursor') !== null")
    await human.see(
        "[...document.querySelectorAll('.jp-remote-userFlag-name')]"
        ".some(e => e.textContent === 'Ada the agent')"
    )
    assert human.errors == []


async def test_a_human_sees_cells_of_an_agent_appear_and_run(
    human: Lab, notebook: Notebook, agent: McpProcess
) -> None:
    await agent.answer("use_notebook", notebook_name="nb", notebook_path=notebook.path)
    source = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
    async with anyio.create_task_group() as group:
        arguments = {"cell_index": -1, "cell_source": source}
        group.start_soon(lambda: agent.answer("insert_execute_code_cell", **arguments))
        await human.see("prompt_(1) === '[*]:' && output(1) === 'begun\\n'")
        await agent.answer("interrupt_kernel")
    await human.see("prompt_(1) !== '[*]:' && output(1).includes('KeyboardInterrupt')")
    assert human.errors == []


async def test_the_agent_is_shown_the_cell_that_the_human_selects(
    human: Lab, notebook: Notebook, agent: McpProcess
) -> None:
    second = await notebook.append_cell("second = 'é 😀'")
    await notebook.append_cell("", "markdown")
    await human.see("cells.length === 3 && source(1) === \"second = 'é 😀'\"")
    await agent.answer("use_notebook", notebook_name="nb", notebook_path=notebook.path)
    (name,) = (n for n in notebook.collaborators() if n.startswith("Anonymous"))

    async def selected(said: str) -> str:
        with anyio.fail_after(10):
            while said not in (answer := await agent.answer("notebook_get-selected-cell")):
                pass  # each look is a round trip
        return answer

    await selected("Nobody has the cursor in a cell of 'nb'.")
    lines = human.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .cm-line")
    await lines.nth(1).click()
    answer = await selected(f"'{name}' is in cell 1, id {second.id}, version ")
    assert "second = 'é 😀'" in answer
    # with the keyboard into the cell above, where an agent writes meanwhile
    await human.page.keyboard.press("Home")
    await human.page.keyboard.press("ArrowUp")
    await selected(f"'{name}' is in cell 0, ")
    await agent.answer("insert_cell", cell_index=0, cell_type="code", cell_source="above")
    assert "first = 1" in await selected(f"'{name}' is in cell 1, ")
    assert human.errors == []


async def test_a_notebook_opens_behind_the_one_that_the_human_looks_at(
    human: Lab, notebook: Notebook, agent: McpProcess, folder: str, server: Server
) -> None:
    mine = await human.look(LOOKED_AT)
    path = f"{folder}/of the agent.ipynb"
    said = await agent.answer(
        "use_notebook", notebook_name="b", notebook_path=path, mode="create", open_in_ui=True
    )
    assert "Opened in the JupyterLab of your user" in said
    await human.see(f"{TABS}.some(t => t.textContent.includes('of the agent.ipynb'))")
    assert await human.look(LOOKED_AT) == mine
    assert await human.look("source(0)") == "first = 1"

    # it is the live document: nobody else writes the file
    await agent.answer("insert_cell", cell_index=0, cell_type="code", cell_source="x = 'é 😀'")
    await human.page.locator(".lm-TabBar-tab", has_text="of the agent.ipynb").click()
    await human.see("source(0) === \"x = 'é 😀'\"")
    await human.type_at_end_of_line(0, 0, "  # of the human")
    theirs = await server.open_notebook(path)
    with anyio.fail_after(10):
        while (await theirs.read())[0].source != "x = 'é 😀'  # of the human":
            await theirs.flush()
    assert human.errors == []


async def test_a_notebook_that_is_open_stays_where_it_is(
    human: Lab, notebook: Notebook, agent: McpProcess
) -> None:
    before = await human.look(f"{TABS}.map(t => t.textContent.trim())")
    said = await agent.answer(
        "use_notebook", notebook_name="nb", notebook_path=notebook.path, open_in_ui=True
    )
    assert "Opened in the JupyterLab of your user" in said
    assert await human.look(f"{TABS}.map(t => t.textContent.trim())") == before
    assert human.errors == []
