# SPDX-License-Identifier: BSD-3-Clause
"""LlamaIndex's own agent loop on the tools of a workspace, its model played by a script."""

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from agent_script import FINAL, Step, steps
from llama_index.core.agent.workflow import FunctionAgent, ToolCallResult
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.tools import FunctionTool, ToolOutput
from servers import RunningServer

from jupyter_agent_core import ExtraNotInstalledError, Server, Workspace, WorkspaceOptions, sync
from jupyter_agent_core._answers import CellRun
from jupyter_agent_core._workspace.registry import tools_of
from jupyter_agent_core.integrations.llama_index import notebook_tools

# of the framework, on the way through pydantic's own attributes
pytestmark = pytest.mark.filterwarnings(
    "ignore::pydantic.warnings.PydanticDeprecatedSince20",
    "ignore::pydantic.warnings.PydanticDeprecatedSince211",
)


def scripted(script: list[Step]) -> MockFunctionCallingLLM:
    """The framework's fake, which calls the tools of a script one after the other."""
    calls = iter(enumerate(script))

    def respond(messages: Sequence[ChatMessage], **kwargs: Any) -> ChatMessage:
        number, step = next(calls, (len(script), None))
        if step is None:
            return ChatMessage(FINAL, role="assistant")
        call = ToolCallBlock(
            tool_call_id=str(number), tool_name=step.tool, tool_kwargs=step.arguments
        )
        return ChatMessage(role="assistant", blocks=[call])

    return MockFunctionCallingLLM(response_generator=respond)


async def run(tools: list[FunctionTool], script: list[Step]) -> list[ToolOutput]:
    agent = FunctionAgent(tools=tools, llm=scripted(script), streaming=False)
    handler = agent.run("Plot some squares.")
    outputs = [
        event.tool_output
        async for event in handler.stream_events()
        if isinstance(event, ToolCallResult)
    ]
    assert str(await handler) == FINAL
    return outputs


def check(outputs: list[ToolOutput], script: list[Step]) -> None:
    """See that the model was shown what the script says."""
    assert len(outputs) == len(script)
    for output, step in zip(outputs, script, strict=True):
        assert step.seen in output.content
        assert output.is_error == step.error
        images = [block for block in output.blocks if isinstance(block, ImageBlock)]
        assert len(images) == step.images
        assert all(image.image_mimetype == "image/png" for image in images)


async def test_an_agent_writes_a_cell_mends_it_and_sees_the_plot(
    server: Server, folder: str
) -> None:
    script = steps(f"{folder}/agent.ipynb")
    async with Workspace(server) as workspace:
        outputs = await run(notebook_tools(workspace), script)
    check(outputs, script)
    assert isinstance(outputs[-1].raw_output, CellRun)
    assert outputs[-1].raw_output.result.status == "ok"


async def test_the_tools_of_a_blocking_workspace_serve_async_code_too(
    lab: RunningServer, folder: str
) -> None:
    script = steps(f"{folder}/agent.ipynb")
    with (
        sync.connect(lab.url, token=lab.token) as server,
        sync.Workspace(server) as workspace,
    ):
        check(await run(notebook_tools(workspace), script), script)


def test_a_tool_is_called_in_blocking_code(lab: RunningServer, folder: str) -> None:
    with (
        sync.connect(lab.url, token=lab.token) as server,
        sync.Workspace(server) as workspace,
    ):
        tools = {tool.metadata.name: tool for tool in notebook_tools(workspace)}
        path = f"{folder}/b.ipynb"
        tools["use_notebook"](notebook_name="b", notebook_path=path, mode="create")
        output = tools["insert_execute_code_cell"](cell_index=0, cell_source="6 * 7")
        assert {type(block) for block in output.blocks} == {TextBlock}
        assert output.content.startswith("42")
        assert output.raw_input == {"cell_index": 0, "cell_source": "6 * 7"}

        refused = tools["read_cell"](0)
        assert refused.is_error
        assert refused.content == "read_cell takes its arguments by name"


async def test_a_tool_of_an_async_workspace_says_how_to_call_it(server: Server) -> None:
    async with Workspace(server) as workspace:
        tools = {tool.metadata.name: tool for tool in notebook_tools(workspace)}
        output = tools["list_kernels"].call()
    assert output.is_error
    assert "jupyter_agent_core.sync.Workspace" in output.content


async def test_the_tools_are_those_of_the_workspace(server: Server) -> None:
    async with Workspace(server) as workspace:
        listed = [tool.metadata for tool in notebook_tools(workspace)]
    known = tools_of(Workspace)
    assert [metadata.name for metadata in listed] == list(known)
    for metadata in listed:
        tool = known[metadata.get_name()]
        function = metadata.to_openai_tool()["function"]
        assert function["description"] == tool.description
        assert function["parameters"]["properties"] == tool.schema["properties"]


async def test_a_read_only_workspace_offers_nothing_that_changes_something(server: Server) -> None:
    async with Workspace(server, WorkspaceOptions(read_only=True)) as workspace:
        names = {tool.metadata.name for tool in notebook_tools(workspace, toolsets=["cell"])}
    assert names == {"read_cell"}


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "jupyter_agent_core.integrations.llama_index"
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "llama_index.core.tools", None)
    with pytest.raises(ExtraNotInstalledError, match=r"jupyter-agent-core\[llamaindex\]"):
        importlib.import_module(name)
