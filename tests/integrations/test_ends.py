# SPDX-License-Identifier: BSD-3-Clause
"""Tools of both frameworks whose workspace is gone, or whose caller does not wait any longer."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from servers import RunningServer

from jupyter_agent_core import Notebook, Server, Workspace, sync
from jupyter_agent_core.integrations import langchain, llama_index

Call = Callable[..., Awaitable[str]]
COUNT = "import time\nfor n in range(600):\n    print(n, flush=True); time.sleep(0.1)"


def langchain_call(workspace: Workspace | sync.Workspace) -> Call:
    tools = {tool.name: tool for tool in langchain.notebook_tools(workspace)}

    async def call(name: str, **arguments: Any) -> str:
        request = {"type": "tool_call", "id": "1", "name": name, "args": arguments}
        message = await tools[name].ainvoke(request)
        return f"{message.status}: {message.text}"

    return call


def llama_index_call(workspace: Workspace | sync.Workspace) -> Call:
    tools = {tool.metadata.name: tool for tool in llama_index.notebook_tools(workspace)}

    async def call(name: str, **arguments: Any) -> str:
        output = await tools[name].acall(**arguments)
        return f"{'error' if output.is_error else 'success'}: {output.content}"

    return call


both = pytest.mark.parametrize("calls", [langchain_call, llama_index_call])


@both
async def test_a_workspace_that_was_left_opens_nothing_more(
    server: Server, folder: str, calls: Callable[[Workspace], Call]
) -> None:
    async with Workspace(server) as workspace:
        call = calls(workspace)
    path = f"{folder}/late.ipynb"
    said = await call("use_notebook", notebook_name="late", notebook_path=path, mode="create")
    assert said.startswith("error: The workspace has been closed")
    assert path not in [file.path for file in await server.list_files(folder)]
    assert (await call("read_notebook")).startswith("error: The workspace has been closed")


@both
async def test_a_blocking_workspace_that_was_left_opens_nothing_more(
    lab: RunningServer, folder: str, calls: Callable[[sync.Workspace], Call]
) -> None:
    with sync.connect(lab.url, token=lab.token) as server:
        with sync.Workspace(server) as workspace:
            call = calls(workspace)
        said = await call(
            "use_notebook", notebook_name="n", notebook_path=f"{folder}/n.ipynb", mode="create"
        )
    assert said.startswith("error: The workspace has been closed")


async def first_output(notebook: Notebook) -> None:
    """Wait until a cell has one, as somebody else sees it."""
    with anyio.fail_after(20):
        async for _ in notebook.watch():
            if any(cell.outputs for cell in await notebook.read()):
                return


@both
async def test_a_call_of_a_blocking_workspace_that_is_cancelled_ends_its_run(
    lab: RunningServer, server: Server, notebook: Notebook, calls: Callable[[sync.Workspace], Call]
) -> None:
    with (
        sync.connect(lab.url, token=lab.token) as other,
        sync.Workspace(other) as workspace,
    ):
        call = calls(workspace)
        await call("use_notebook", notebook_name="n", notebook_path=notebook.path)
        await call("execute_code", code="1")  # so that its kernel is there
        async with anyio.create_task_group() as group:

            async def count() -> None:
                await call("insert_execute_code_cell", cell_index=0, cell_source=COUNT)

            group.start_soon(count)
            await first_output(notebook)
            group.cancel_scope.cancel()
        with anyio.fail_after(20):
            said = await call("execute_code", code="n < 599")
    assert said.startswith("success: True")
