# SPDX-License-Identifier: BSD-3-Clause
"""Whatever a model passes to the tools: a result or a refusal, and a notebook that stays valid."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mcp.types as types
import nbformat
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client
from mcp_clients import session
from mcp_process import environment
from servers import RunningServer

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
NOTEBOOK = {"notebook_name": "nb", "notebook_path": "fuzz/nb.ipynb"}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.lists(st.integers(-2, 9), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=1),
)
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["nb", "fuzz/nb.ipynb", "1 + 1", "1 / 0", "print('é' * 99)", "text", "../x", "code", "markdown"]
)
# what names something that is not there, mostly
NAMES = {"cell_id", "source_cell_id", "target_cell_id", "cell_ids", "expected_version"}
NAMES |= {"kernel_id", "kernel_name", "changed_since", "since", "open_in_ui"}
# values that are right for the type that a schema names
RIGHT: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "integer": st.integers(-1, 5) | st.integers(-3, 500),
    "number": st.floats(0, 2),
    "boolean": st.booleans(),
    "array": st.lists(st.integers(-1, 4), max_size=3),
    "object": st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    "null": st.none(),
}


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that the schema allows, mostly."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of(*map(values, schema["anyOf"]))
    if "const" in schema:
        return st.just(schema["const"])
    if "properties" in schema:
        return objects(schema, {n: values(part) for n, part in schema["properties"].items()})
    if "items" in schema:
        return st.lists(values(schema["items"]), max_size=3)
    return RIGHT.get(schema.get("type", ""), ODD)


def objects(
    schema: dict[str, Any], fields: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the fields that the schema requires, and some of the others."""
    required = {name: fields[name] for name in schema.get("required", ())}
    rest = {name: field for name, field in fields.items() if name not in required}
    return st.fixed_dictionaries(required, optional=rest)


def arguments(tool: types.Tool) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments of a tool: right ones, some missing, some odd, some unknown."""
    schema = tool.input_schema
    fields = {name: values(field) for name, field in schema["properties"].items()}
    fields |= {name: st.just(NOTEBOOK[name]) for name in fields.keys() & NOTEBOOK.keys()}
    right = objects(schema, {name: field for name, field in fields.items() if name not in NAMES})
    odd = st.dictionaries(st.sampled_from([*fields, "what"]), TEXTS | ODD, max_size=2)
    return st.builds(
        lambda right, odd, is_odd: right | odd if is_odd else right,
        right,
        odd,
        st.sampled_from([True, False, False]),
    )


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="module")
def client(
    portal: BlockingPortal, lab: RunningServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("fuzz")
    variables = environment(
        folder / "state",
        JUPYTER_URL=lab.url,
        JUPYTER_TOKEN=lab.token,
        JUPYTER_MCP_EXECUTION_TIMEOUT="5",
        JUPYTER_MCP_ROOT="fuzz",
    )
    (lab.root / "fuzz").mkdir()
    (folder / "work").mkdir()
    with portal.wrap_async_context_manager(
        session("stdio", "auto", folder / "work", variables)
    ) as client:
        created = NOTEBOOK | {"mode": "create"}
        assert not portal.call(client.call_tool, "use_notebook", created).is_error
        yield client


@pytest.fixture(scope="module")
def calls(portal: BlockingPortal, client: Client) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """Calls of all tools."""
    tools = portal.call(client.list_tools).tools
    return st.one_of(*(st.tuples(st.just(tool.name), arguments(tool)) for tool in tools))


@pytest.mark.timeout(240)
@settings(suppress_health_check=list(HealthCheck), max_examples=EXAMPLES)
@given(data=st.data())
def test_any_call_is_a_result_or_a_refusal(
    portal: BlockingPortal,
    client: Client,
    calls: st.SearchStrategy[tuple[str, dict[str, Any]]],
    data: st.DataObject,
) -> None:
    name, given_arguments = data.draw(calls)
    assert not portal.call(client.call_tool, "use_notebook", NOTEBOOK).is_error
    result = portal.call(client.call_tool, name, given_arguments)
    texts = [block.text for block in result.content if isinstance(block, types.TextContent)]
    assert result.content
    assert not any("which is a defect" in text for text in texts), texts


def test_the_notebook_is_valid_after_all_calls(
    portal: BlockingPortal, client: Client, lab: RunningServer
) -> None:
    opened = portal.call(client.call_tool, "use_notebook", NOTEBOOK)
    assert not opened.is_error, opened
    saved = portal.call(client.call_tool, "save_notebook", {"notebook_name": "nb"})
    notebook = Path(lab.root, NOTEBOOK["notebook_path"])
    nbformat.validate(nbformat.read(notebook, as_version=nbformat.NO_CONVERT))
    assert saved is not None
