# SPDX-License-Identifier: BSD-3-Clause
"""Sessions over real stdio with the client of the MCP SDK, in both eras of the protocol."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import mcp.types as types
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from mcp_process import COMMAND, Signal
from servers import RunningServer

from jupyter_agent_core import JupyterAgentError, Notebook, Server, Workspace
from jupyter_agent_core._workspace.registry import tools_of
from jupyter_mcp_server.adapter import Adapter
from jupyter_mcp_server.settings import Settings

Era = Literal["auto", "legacy"]
VERSIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
both_eras = pytest.mark.parametrize("era", list(VERSIONS))
PLOT = "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 4, 9]);"


@asynccontextmanager
async def session(
    era: Era, folder: Path, variables: dict[str, str], *arguments: str
) -> AsyncIterator[Client]:
    """A client of a server of its own; what the server logs goes to a file beside the folder."""
    with (folder.parent / "log").open("a") as log:
        server = StdioServerParameters(
            command=COMMAND[0], args=[*COMMAND[1:], *arguments], env=variables, cwd=folder
        )
        transport = stdio_client(server, errlog=log)
        async with Client(transport, mode=era, read_timeout_seconds=45) as client:
            assert client.protocol_version == VERSIONS[era]
            yield client


async def call(client: Client, tool: str, /, **arguments: Any) -> types.CallToolResult:
    result = await client.call_tool(tool, arguments)
    # some hosts show the model nothing else where there is structured content
    assert result.structured_content is None
    return result


async def answer(client: Client, tool: str, /, **arguments: Any) -> str:
    """The text of a call that has to succeed."""
    result = await call(client, tool, **arguments)
    assert not result.is_error, result.content
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))


async def refusal(client: Client, tool: str, /, **arguments: Any) -> str:
    """The text of a call that has to be refused."""
    result = await call(client, tool, **arguments)
    assert result.is_error, result.content
    (block,) = result.content
    assert isinstance(block, types.TextContent)
    return block.text


async def seen(notebook: Notebook) -> list[tuple[str, str]]:
    """Sources and outputs as the server has them at this moment."""
    await notebook.flush()
    return [(cell.source, cell.text) for cell in await notebook.read()]


async def until_seen(notebook: Notebook, cell: tuple[str, str]) -> None:
    """Wait for an output: it follows the answer within a moment."""
    with anyio.fail_after(10):
        while cell not in await seen(notebook):
            pass  # each look is a round trip


@both_eras
async def test_the_tools_are_listed_with_true_annotations_and_without_output_schemas(
    era: Era, work: Path, on_lab: dict[str, str]
) -> None:
    async with session(era, work, on_lab) as client:
        assert client.server_info is not None
        assert client.server_info.name == "jupyter"
        assert "use_notebook" in (client.instructions or "")
        listed = await client.list_tools()
    wire = listed.model_dump_json(by_alias=True, exclude_none=True)
    assert len(wire.encode()) <= 19_400
    tools = tools_of(Workspace)
    # going to other servers is off unless the operator turns it on
    assert tools.pop("connect_to_jupyter").hints.toolset == "connect"
    assert [tool.name for tool in listed.tools] == list(tools)
    assert len(tools) == 26
    for tool in listed.tools:
        mine = tools[tool.name]
        assert tool.output_schema is None
        assert tool.input_schema == mine.schema
        assert tool.description == mine.description
        assert tool.annotations is not None
        assert tool.title == tool.annotations.title == mine.hints.title
        assert tool.annotations.read_only_hint is mine.hints.read_only
        assert tool.annotations.destructive_hint is mine.hints.destructive
        assert tool.annotations.open_world_hint is mine.hints.open_world
        assert tool.annotations.idempotent_hint is (mine.hints.idempotent or mine.hints.read_only)


@both_eras
async def test_a_collaborator_sees_a_whole_session_as_it_happens(
    era: Era, work: Path, on_lab: dict[str, str], other: Server, folder: str, lab: RunningServer
) -> None:
    path = f"{folder}/nb.ipynb"
    async with session(era, work, on_lab) as client:
        said = await answer(
            client, "use_notebook", notebook_name="nb", notebook_path=path, mode="create"
        )
        assert said.startswith(f"Created {path!r}; it is now the current notebook, 'nb'.\n")
        assert f"{lab.url}/lab/tree/{path}" in said
        theirs = await other.open_notebook(path)
        assert await seen(theirs) == []

        said = await answer(
            client, "insert_cell", cell_index=0, cell_type="markdown", cell_source="# Title"
        )
        assert said.startswith("Cell inserted successfully at index 0 (markdown)!\n")
        assert await seen(theirs) == [("# Title", "")]

        result = await call(
            client, "insert_execute_code_cell", cell_index=-1, cell_source="x = 20\nx + 1"
        )
        first, last = result.content
        assert isinstance(first, types.TextContent)
        assert first.text == "21"
        assert isinstance(last, types.TextContent)
        assert "inserted, ok, In [1]" in last.text
        assert [source for source, _ in await seen(theirs)] == ["# Title", "x = 20\nx + 1"]
        await until_seen(theirs, ("x = 20\nx + 1", "21"))

        said = await answer(
            client, "overwrite_cell_source", cell_index=1, cell_source="x = 20\nx + 2"
        )
        assert said.startswith("Cell 1 overwritten successfully!\n\n```diff\n--- \n+++ \n@@")
        assert (await seen(theirs))[1][0] == "x = 20\nx + 2"
        assert (await answer(client, "execute_cell", cell_index=1)).startswith("22\n")
        await until_seen(theirs, ("x = 20\nx + 2", "22"))

        # what they do is seen here
        await theirs.append_cell("x * 2")
        with anyio.fail_after(10):
            while "\tx * 2\t" not in await answer(client, "read_notebook"):
                pass  # each look is a round trip
        said = await answer(client, "notebook_run-all-cells", restart=True)
        assert "2 of 2 code cells were run" in said
        await until_seen(theirs, ("x * 2", "40"))
        said = await answer(client, "read_cell", cell_index=2)
        assert said.startswith("=====Cell 2 | type: code | execution count: 2=====\n")
        assert said.endswith("```source\nx * 2\n```\n```result\n40\n```")

        assert (await answer(client, "execute_code", code="x")).startswith("20\n")
        said = await answer(client, "delete_cell", cell_indices=[0])
        assert said.startswith("Cell 0 (markdown) deleted successfully.")
        assert len(await seen(theirs)) == 2

        assert (await answer(client, "list_kernels")).startswith(
            "ID\tName\tDisplay_Name\tLanguage\tState\tConnections\tLast_Activity\tEnvironment"
        )
        assert "\t✓" in await answer(client, "list_notebooks")
        assert f"\n{path}\tnotebook\t" in await answer(client, "list_files", path=folder)
        await answer(client, "restart_notebook", notebook_name="nb")
        said = await answer(client, "execute_code", code="x")
        assert "NameError" in said
        said = await answer(client, "unuse_notebook", notebook_name="nb")
        assert said.startswith("Notebook 'nb' unused successfully. No notebooks remaining.")
        # they have not used the kernel: it ends with the one who started it
        assert "was shut down" in said
        assert len(await seen(theirs)) == 2
    log = (work.parent / "log").read_text()
    assert lab.token not in log


@both_eras
async def test_a_plot_is_an_image_and_an_exception_is_an_answer(
    era: Era, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    async with session(era, work, on_lab) as client:
        path = f"{folder}/nb.ipynb"
        await answer(client, "use_notebook", notebook_name="nb", notebook_path=path, mode="create")
        plot = {"cell_index": -1, "cell_source": PLOT, "timeout": 60}
        result = await call(client, "insert_execute_code_cell", **plot)
        assert not result.is_error
        image, status = result.content
        assert isinstance(image, types.ImageContent)
        assert image.mime_type == "image/png"
        assert base64.b64decode(image.data).startswith(b"\x89PNG")
        assert isinstance(status, types.TextContent)
        assert len(status.text) < 200
        result = await call(client, "read_cell", cell_index=0)
        assert [block.type for block in result.content] == ["text", "text", "image"]

        failed = {"cell_index": -1, "cell_source": "print('first')\n1 / 0"}
        said = await answer(client, "insert_execute_code_cell", **failed)
        assert said.startswith("first\n")
        assert "ZeroDivisionError: division by zero" in said
        assert "the code raised an exception" in said.splitlines()[-1]
        assert "\x1b" not in said


@both_eras
async def test_a_refusal_is_an_error_result_with_the_text_that_says_what_to_do(
    era: Era, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    async with session(era, work, on_lab) as client:
        assert "call use_notebook first" in await refusal(client, "read_cell", cell_index=0)
        path = f"{folder}/nb.ipynb"
        new = {"notebook_name": "nb", "notebook_path": path, "mode": "create"}
        missing = new | {"mode": "connect"}
        assert "There is no notebook" in await refusal(client, "use_notebook", **missing)
        await answer(client, "use_notebook", **new)
        assert "exists already" in await refusal(
            client, "use_notebook", **new | {"notebook_name": "again"}
        )
        assert "Cell 9 is out of range: the notebook has 0 cells" in await refusal(
            client, "execute_cell", cell_index=9
        )
        said = await refusal(client, "execute_cell", cell_index=0, wait=5)
        assert said == (
            "execute_cell has no argument 'wait'; "
            "it takes: cell_index, cell_id, timeout, on_timeout, notebook_name"
        )
        assert "cell_index" in await refusal(client, "execute_cell", cell_index="last")
        with pytest.raises(MCPError, match="There is no tool 'exec'; there are: ") as caught:
            await client.call_tool("exec", {})
        assert caught.value.error.code == types.INVALID_PARAMS
        tools = tools_of(Workspace)
        named = {name for name in tools if f" {name}" in str(caught.value)}
        # by default not: a URL that the model chose
        assert set(tools) - named == {"connect_to_jupyter"}


async def test_half_a_character_in_a_name_does_not_end_the_connection() -> None:
    class Connected:
        @asynccontextmanager
        async def workspace(self, client: Any) -> AsyncIterator[Any]:
            raise JupyterAgentError("collaborator \ud800")
            yield

    adapter = Adapter(Connected(), Settings())  # type: ignore[arg-type]
    result = await adapter.call_tool("list_kernels", None)
    assert json.loads(result.model_dump_json())["content"][0]["text"] == "collaborator ?"


async def test_a_defect_of_ours_is_an_error_result_and_its_details_go_to_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken:
        async def list_kernels(self) -> None:
            raise KeyError("detail")

    class Connected:
        @asynccontextmanager
        async def workspace(self, client: Any) -> AsyncIterator[Any]:
            yield Broken()

    adapter = Adapter(Connected(), Settings())  # type: ignore[arg-type]
    result = await adapter.call_tool("list_kernels", None)
    assert result.is_error
    (block,) = result.content
    assert isinstance(block, types.TextContent)
    assert block.text.startswith("list_kernels failed (KeyError), which is a defect of it")
    assert "detail" not in block.text
    assert "detail" in caplog.text


@pytest.mark.parametrize("how", ["variable", "flag"])
async def test_images_can_be_switched_off(
    how: str, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    variables, flags = on_lab, ["--allow-img-output=false"]
    if how == "variable":
        variables, flags = on_lab | {"ALLOW_IMG_OUTPUT": "false"}, []
    async with session("auto", work, variables, *flags) as client:
        path = f"{folder}/nb.ipynb"
        await answer(client, "use_notebook", notebook_name="nb", notebook_path=path, mode="create")
        plot = {"cell_index": -1, "cell_source": PLOT, "timeout": 60}
        result = await call(client, "insert_execute_code_cell", **plot)
        assert [block.type for block in result.content] == ["text", "text"]
        assert isinstance(result.content[0], types.TextContent)
        assert "images are switched off" in result.content[0].text
        assert len(result.content[0].text) < 100


async def test_parallel_calls_of_one_client_each_get_their_own_output(
    work: Path, on_lab: dict[str, str], folder: str
) -> None:
    said: dict[int, str] = {}
    async with session("auto", work, on_lab) as client:
        path = f"{folder}/nb.ipynb"
        await answer(client, "use_notebook", notebook_name="nb", notebook_path=path, mode="create")

        async def run(number: int) -> None:
            said[number] = await answer(
                client, "insert_execute_code_cell", cell_index=0, cell_source=f"print({number})"
            )

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(run, number)
    assert {number: text.splitlines()[0] for number, text in said.items()} == {
        number: str(number) for number in range(8)
    }


@both_eras
async def test_a_cancelled_call_interrupts_its_code_and_the_next_one_works(
    era: Era, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    async with session(era, work, on_lab) as client, Signal.listening() as begun:
        path = f"{folder}/nb.ipynb"
        await answer(client, "use_notebook", notebook_name="nb", notebook_path=path, mode="create")
        code = f"import time\n{begun.code}\ntime.sleep(60)"
        async with anyio.create_task_group() as group:
            group.start_soon(
                lambda: client.call_tool(
                    "insert_execute_code_cell", {"cell_index": -1, "cell_source": code}
                )
            )
            await begun.given()
            group.cancel_scope.cancel()
        with anyio.fail_after(10):
            assert (await answer(client, "execute_code", code="6 * 7")).startswith("42\n")
            said = await answer(client, "read_cell", cell_index=0)
        assert "KeyboardInterrupt" in said
