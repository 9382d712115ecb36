# SPDX-License-Identifier: BSD-3-Clause
"""From methods to tools: names, descriptions, schemas and the check of arguments."""

import inspect
import json
from typing import Any

import pytest

from jupyter_agent_core import ConfigurationError, Workspace
from jupyter_agent_core._workspace.refusals import refusal
from jupyter_agent_core._workspace.registry import Tool, tools_of
from jupyter_agent_core._workspace.toolsets import TOOLSETS

TOOLS = tools_of(Workspace)
NAMES = {
    "list_files",
    "list_kernels",
    "list_notebooks",
    "use_notebook",
    "unuse_notebook",
    "restart_notebook",
    "interrupt_kernel",
    "connect_to_jupyter",
    "notebook_get-selected-cell",
    "list_variables",
    "read_notebook",
    "read_cell",
    "insert_cell",
    "delete_cell",
    "move_cell",
    "overwrite_cell_source",
    "edit_cell_source",
    "clear_cell_output",
    "apply_edits",
    "undo_edits",
    "save_notebook",
    "search_notebook",
    "execute_cell",
    "insert_execute_code_cell",
    "execute_code",
    "notebook_run-all-cells",
    "wait_run",
}
READ_ONLY = {
    "list_files",
    "list_kernels",
    "list_notebooks",
    "use_notebook",
    "unuse_notebook",
    "read_notebook",
    "read_cell",
    "search_notebook",
    "notebook_get-selected-cell",
    "wait_run",
}
RUNS_CODE = {"execute_cell", "insert_execute_code_cell", "execute_code", "notebook_run-all-cells"}
OVERWRITES = {
    "apply_edits",
    "connect_to_jupyter",
    "interrupt_kernel",
    "clear_cell_output",
    "delete_cell",
    "edit_cell_source",
    "overwrite_cell_source",
    "restart_notebook",
    "undo_edits",
}
EVERY_TOOL = pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)


class Calls:
    """Takes what would go to a workspace."""

    def __init__(self) -> None:
        self.method = ""
        self.arguments: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        async def method(**arguments: Any) -> str:
            self.method, self.arguments = name, arguments
            return "answer"

        return method


async def called(tool: str, /, **arguments: Any) -> dict[str, Any]:
    """What the method is called with."""
    calls = Calls()
    assert await TOOLS[tool].call(calls, arguments) == "answer"
    assert calls.method == TOOLS[tool].method
    return calls.arguments


async def refused(tool: str, /, **arguments: Any) -> str:
    """How the call is refused; the method is not called."""
    calls = Calls()
    with pytest.raises(ConfigurationError) as caught:
        await TOOLS[tool].call(calls, arguments)
    assert calls.method == ""
    return str(caught.value)


def needed(tool: Tool) -> dict[str, Any]:
    """Arguments that a call cannot do without, with some values."""
    special: dict[str, Any] = {
        "cell_type": "code",
        "edits": [{"edit": "delete", "cell_index": 0}],
    }
    return {
        name: special.get(name, 0 if "index" in name else "1")
        for name in tool.schema.get("required", ())
    }


# --- which tools there are


def test_the_tools_are_those_of_the_reference() -> None:
    assert set(TOOLS) == NAMES


def test_every_public_method_of_the_workspace_is_a_tool_and_vice_versa() -> None:
    public = {
        name for name, _ in inspect.getmembers(Workspace, callable) if not name.startswith("_")
    }
    assert {tool.method for tool in TOOLS.values()} == public
    assert len(TOOLS) == len(public)


def test_a_method_that_is_not_marked_is_no_tool() -> None:
    class Other(Workspace.__bases__[0]):  # type: ignore[misc]
        async def not_a_tool(self) -> None:
            """Do nothing."""

    assert "not_a_tool" not in tools_of(Other)


def test_only_tools_whose_name_is_no_python_name_differ_from_their_methods() -> None:
    other = {name: tool.method for name, tool in TOOLS.items() if name != tool.method}
    assert other == {
        "notebook_get-selected-cell": "get_selected_cell",
        "notebook_run-all-cells": "run_all_cells",
    }


def test_tools_come_in_the_order_of_the_toolsets() -> None:
    order = [TOOLSETS.index(tool.hints.toolset) for tool in TOOLS.values()]
    assert order == sorted(order)


# --- what is said of them


@EVERY_TOOL
def test_a_schema_is_a_closed_object_whose_arguments_are_those_of_the_method(tool: Tool) -> None:
    schema = tool.schema
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    parameters = list(inspect.signature(getattr(Workspace, tool.method)).parameters.values())[1:]
    assert list(schema["properties"]) == [parameter.name for parameter in parameters]
    required = [p.name for p in parameters if p.default is p.empty]
    assert sorted(schema.get("required", [])) == sorted(required)
    for parameter in parameters:
        if parameter.default is not parameter.empty:
            assert schema["properties"][parameter.name].get("default") == parameter.default
    assert "$ref" not in json.dumps(schema)


@EVERY_TOOL
def test_a_tool_is_described_in_one_or_two_sentences_without_sections(tool: Tool) -> None:
    assert 10 < len(tool.description) < 300
    assert tool.description.rstrip().endswith(".")
    assert not any(word in tool.description for word in ("Args:", "Returns:", "Raises:"))


@EVERY_TOOL
def test_arguments_whose_name_says_too_little_are_described(tool: Tool) -> None:
    clear = {"cell_type", "cell_source"}
    for name, argument in tool.schema["properties"].items():
        assert name in clear or argument["description"].endswith((".", ")")), name


@EVERY_TOOL
def test_the_notebook_may_be_left_out_but_where_it_is_the_object(tool: Tool) -> None:
    named = {"use_notebook", "unuse_notebook", "restart_notebook"}
    if "notebook_name" in tool.schema["properties"]:
        assert ("notebook_name" in tool.schema.get("required", ())) == (tool.name in named)


@EVERY_TOOL
def test_hints_are_true(tool: Tool) -> None:
    hints = tool.hints
    assert hints.read_only == (tool.name in READ_ONLY)
    assert not (hints.read_only and hints.destructive)
    assert hints.open_world == (tool.name in RUNS_CODE | {"connect_to_jupyter"})
    assert hints.destructive == (tool.name in RUNS_CODE | OVERWRITES)
    assert hints.title


# --- the check of arguments


async def test_defaults_are_those_of_the_method() -> None:
    assert await called("read_notebook") == {
        "notebook_name": None,
        "response_format": "brief",
        "start_index": 0,
        "limit": 20,
        "include_outputs": False,
        "changed_since": None,
        "max_tokens": None,
    }


async def test_no_arguments_at_all_are_none() -> None:
    calls = Calls()
    assert await TOOLS["list_kernels"].call(calls, None) == "answer"
    assert (calls.method, calls.arguments) == ("list_kernels", {})


@EVERY_TOOL
async def test_an_unknown_argument_is_refused_with_the_valid_names(tool: Tool) -> None:
    said = await refused(tool.name, cel_index=0)
    assert f"{tool.name} has no argument 'cel_index'" in said
    for name in tool.schema["properties"] or ["none"]:
        assert name in said


@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("read_cell", {"cell_index": "first"}, "cell_index"),
        ("read_cell", {"cell_index": [0]}, "cell_index"),
        ("read_cell", {"include_outputs": "perhaps"}, "include_outputs"),
        ("insert_cell", {"cell_index": 0, "cell_type": "sql", "cell_source": ""}, "cell_type"),
        ("insert_cell", {"cell_index": -2, "cell_type": "code", "cell_source": ""}, "cell_index"),
        ("insert_cell", {"cell_index": 0, "cell_type": "code"}, "cell_source"),
        ("delete_cell", {"cell_indices": ["x"]}, "cell_indices"),
        ("delete_cell", {"cell_ids_to_delete": [["x"]]}, "cell_ids"),
        ("execute_cell", {"cell_index": 0, "timeout": -1}, "timeout"),
        ("execute_cell", {"cell_index": 0, "on_timeout": "kill"}, "on_timeout"),
        ("execute_code", {"code": None}, "code"),
        ("list_files", {"max_depth": 4}, "max_depth"),
        ("list_files", {"max_depth": 1.5}, "max_depth"),
        ("read_notebook", {"limit": -1}, "limit"),
        ("use_notebook", {"notebook_name": ""}, "notebook_name"),
        ("use_notebook", {}, "notebook_name"),
        ("unuse_notebook", {}, "notebook_name"),
    ],
)
async def test_a_wrong_argument_is_refused_by_its_name(
    tool: str, arguments: dict[str, Any], named: str
) -> None:
    said = await refused(tool, **arguments)
    assert said.startswith(f"Bad argument for {tool}: ")
    assert named in said


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("use_notebook", {"notebook_name": "a", "mode": "x"}, "mode='x' is none of 'connect', 'c"),
        (
            "insert_cell",
            {"cell_index": 0, "cell_type": "sql", "cell_source": ""},
            "cell_type='sql' is none of 'code', 'markdown', 'raw'",
        ),
        ("list_files", {"max_depth": 4}, "Expected `int` <= 3, and max_depth=4 was given"),
        ("execute_cell", {"timeout": float("nan")}, "timeout=nan was given"),
        ("execute_code", {"code": 5}, "Expected `str`, got `int`, and code=5 was given"),
        (
            "apply_edits",
            {"edits": [{"edit": "delete", "cell_id": "abcd"}, {"edit": "remove"}]},
            "edits[1].edit='remove' is none of 'insert', 'overwrite', 'edit', 'delete', 'move'",
        ),
        (
            "apply_edits",
            {"edits": [{"edit": "insert", "cell_source": "", "cell_type": "sql"}]},
            "edits[0].cell_type='sql' is none of 'code', 'markdown', 'raw'",
        ),
        (
            "apply_edits",
            {"edits": [{"edit": "move", "cell_index": 0, "target": 1}]},
            "`target` - at `$.edits[0]`; it takes: edit, cell_index, cell_id, force, target_index",
        ),
        (
            "apply_edits",
            {"edits": [{"edit": "overwrite"}]},
            "field `cell_source` - at `$.edits[0]`",
        ),
        ("apply_edits", {"edits": [5]}, "edits[0]=5 was given"),
        ("apply_edits", {"edits": [{}]}, "missing required field `edit` - at `$.edits[0]`"),
    ],
)
async def test_a_refusal_names_the_value_and_the_valid_ones(
    tool: str, arguments: dict[str, Any], said: str
) -> None:
    assert said in await refused(tool, **arguments)


def test_a_refusal_of_what_may_be_of_several_kinds_names_the_values_of_the_right_one() -> None:
    kinds = [{"type": "null"}, {"type": "array", "items": {"enum": ["code", "raw"]}}]
    schema = {"properties": {"types": {"anyOf": kinds}}}
    said = refusal("Invalid enum value 'x' - at `$.types[0]`", {"types": ["x"]}, schema)
    assert said == "types[0]='x' is none of 'code', 'raw'"


async def test_a_refusal_repeats_neither_a_long_value_nor_a_token() -> None:
    assert len(await refused("delete_cell", cell_indices="x" * 10_000)) < 300
    said = await refused("connect_to_jupyter", jupyter_url="http://h", jupyter_token=[12345])
    assert "12345" not in said


async def test_numbers_and_booleans_may_come_as_text() -> None:
    arguments = await called("read_cell", cell_index="3", include_outputs="false")
    assert arguments["cell_index"] == 3
    assert arguments["include_outputs"] is False


async def test_older_names_of_arguments_work() -> None:
    deleted = await called("delete_cell", cell_ids_to_delete=["abcd"])
    assert deleted["cell_ids"] == ["abcd"]
    for tool in sorted(RUNS_CODE):
        ran = await called(tool, timeout_seconds=7, **needed(TOOLS[tool]))
        assert ran["timeout"] == 7


async def test_an_older_name_beside_the_new_one_must_agree() -> None:
    assert (await called("execute_cell", timeout=7, timeout_seconds=7))["timeout"] == 7
    said = await refused("execute_cell", timeout=7, timeout_seconds=8)
    assert "timeout_seconds and timeout are the same argument of execute_cell" in said
    assert "7" in said
    assert "8" in said


@pytest.mark.parametrize("tool", ["execute_cell", "insert_execute_code_cell", "execute_code"])
async def test_streaming_arguments_are_accepted_and_have_no_effect(tool: str) -> None:
    plain = await called(tool, **needed(TOOLS[tool]))
    streaming = {"stream": True, "progress_interval": 5}
    assert await called(tool, **needed(TOOLS[tool]), **streaming) == plain
    assert not {"stream", "progress_interval"} & set(TOOLS[tool].schema["properties"])


@EVERY_TOOL
async def test_the_arguments_of_the_caller_are_left_alone(tool: Tool) -> None:
    given = dict.fromkeys(tool.hints.ignored, True) | needed(tool)
    for alias in tool.hints.aliases:
        given[alias] = ["abcd"] if "ids" in alias else 5
    before = dict(given)
    await tool.call(Calls(), given)
    assert given == before
