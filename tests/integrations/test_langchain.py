# SPDX-License-Identifier: BSD-3-Clause
"""LangChain's own agent loop on the tools of a workspace, its model played by a script."""

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from agent_script import FINAL, Step, steps
from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from servers import RunningServer

from jupyter_agent_core import (
    CellSnapshot,
    ConfigurationError,
    ExtraNotInstalledError,
    Server,
    Workspace,
    WorkspaceOptions,
    sync,
)
from jupyter_agent_core._answers import CellRun
from jupyter_agent_core._workspace.registry import tools_of
from jupyter_agent_core.integrations.langchain import notebook_tools


class ScriptedModel(GenericFakeChatModel):
    """The framework's fake, which takes tools as real ones do."""

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> "ScriptedModel":
        for tool in tools:
            assert convert_to_openai_tool(tool)["function"]["parameters"]["type"] == "object"
        return self


def scripted(script: list[Step]) -> ScriptedModel:
    calls = [
        AIMessage("", tool_calls=[{"id": str(n), "name": step.tool, "args": step.arguments}])
        for n, step in enumerate(script)
    ]
    return ScriptedModel(messages=iter([*calls, AIMessage(FINAL)]))


def check(messages: list[AnyMessage], script: list[Step]) -> None:
    """See that the model was shown what the script says."""
    answers = [message for message in messages if isinstance(message, ToolMessage)]
    assert len(answers) == len(script)
    for answer, step in zip(answers, script, strict=True):
        assert step.seen in answer.text
        assert answer.status == ("error" if step.error else "success")
        images = [block for block in answer.content_blocks if block["type"] == "image"]
        assert len(images) == step.images
        assert all(image["mime_type"] == "image/png" and image["base64"] for image in images)
    assert messages[-1].text == FINAL


async def test_an_async_agent_writes_a_cell_mends_it_and_sees_the_plot(
    server: Server, folder: str
) -> None:
    script = steps(f"{folder}/agent.ipynb")
    async with Workspace(server) as workspace:
        agent = create_agent(scripted(script), notebook_tools(workspace))
        state = await agent.ainvoke({"messages": [("user", "Plot some squares.")]})
    check(state["messages"], script)
    notebook = await server.open_notebook(f"{folder}/agent.ipynb")
    [cell] = await notebook.read()
    assert isinstance(cell, CellSnapshot)
    assert "plt.title('squares')" in cell.source


def test_a_blocking_agent_does_the_same(lab: RunningServer, folder: str) -> None:
    script = steps(f"{folder}/agent.ipynb")
    with (
        sync.connect(lab.url, token=lab.token) as server,
        sync.Workspace(server) as workspace,
    ):
        agent = create_agent(scripted(script), notebook_tools(workspace))
        state = agent.invoke({"messages": [("user", "Plot some squares.")]})
    check(state["messages"], script)


async def test_a_blocking_workspace_serves_async_code_too(lab: RunningServer, folder: str) -> None:
    script = steps(f"{folder}/agent.ipynb")
    with (
        sync.connect(lab.url, token=lab.token) as server,
        sync.Workspace(server) as workspace,
    ):
        agent = create_agent(scripted(script), notebook_tools(workspace))
        state = await agent.ainvoke({"messages": [("user", "Plot some squares.")]})
    check(state["messages"], script)


async def use(tools: dict[str, BaseTool], path: str) -> None:
    await tools["use_notebook"].ainvoke(
        {"notebook_name": "n", "notebook_path": path, "mode": "create"}
    )


async def test_the_artifact_is_the_value_of_the_method(server: Server, folder: str) -> None:
    async with Workspace(server) as workspace:
        tools = {tool.name: tool for tool in notebook_tools(workspace)}
        await use(tools, f"{folder}/a.ipynb")
        call = {"cell_index": 0, "cell_source": "6 * 7"}
        message = await tools["insert_execute_code_cell"].ainvoke(
            {"type": "tool_call", "id": "1", "name": "insert_execute_code_cell", "args": call}
        )
    assert isinstance(message.artifact, CellRun)
    assert message.artifact.result.text == "42"
    assert message.content.startswith("42")


async def test_a_tool_of_an_async_workspace_says_how_to_call_it(server: Server) -> None:
    async with Workspace(server) as workspace:
        tools = {tool.name: tool for tool in notebook_tools(workspace)}
        said = tools["list_kernels"].invoke({})
    assert "jupyter_agent_core.sync.Workspace" in said


async def test_images_are_a_line_of_text_where_they_are_not_wanted(
    server: Server, folder: str
) -> None:
    script = steps(f"{folder}/agent.ipynb")
    async with Workspace(server) as workspace:
        tools = notebook_tools(workspace, images=False)
        agent = create_agent(scripted(script), tools)
        state = await agent.ainvoke({"messages": [("user", "Plot some squares.")]})
    shown = state["messages"][-2]
    assert isinstance(shown.content, str)
    assert "image/png" in shown.content


async def test_the_tools_are_those_of_the_workspace(server: Server) -> None:
    async with Workspace(server) as workspace:
        tools = notebook_tools(workspace)
        assert [tool.name for tool in tools] == list(tools_of(Workspace))
        for tool in tools:
            assert tool.description == tools_of(Workspace)[tool.name].description
            assert tool.args_schema == tools_of(Workspace)[tool.name].schema


async def test_a_read_only_workspace_offers_nothing_that_changes_something(server: Server) -> None:
    async with Workspace(server, WorkspaceOptions(read_only=True)) as workspace:
        names = {tool.name for tool in notebook_tools(workspace, toolsets=["cell", "run"])}
    assert names == {"read_cell", "wait_run"}


async def test_an_unknown_toolset_is_refused_with_the_known_ones(server: Server) -> None:
    async with Workspace(server) as workspace:
        with pytest.raises(ConfigurationError, match=r"'cells'; there are: files, notebook, cell"):
            notebook_tools(workspace, toolsets=["cells"])


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "jupyter_agent_core.integrations.langchain"
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "langchain_core.messages", None)
    with pytest.raises(ExtraNotInstalledError, match=r"jupyter-agent-core\[langchain\]"):
        importlib.import_module(name)
