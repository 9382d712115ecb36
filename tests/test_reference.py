# SPDX-License-Identifier: BSD-3-Clause
"""The reference says what the code says, and leaves nothing public out."""

import importlib.util
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Literal, get_origin

import attrs
import pytest

import jupyter_agent_core
from jupyter_agent_core import Workspace, _values
from jupyter_agent_core._workspace.registry import tools_of

CHECKOUT = Path(__file__).parent.parent
REFERENCE = CHECKOUT / "docs" / "reference"
PUBLIC = {name: getattr(jupyter_agent_core, name) for name in jupyter_agent_core.__all__}


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, CHECKOUT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return tool("generate_reference")


def test_the_generated_pages_are_up_to_date(generator: ModuleType) -> None:
    stale = [
        path.name
        for path, text in generator.pages().items()
        if path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run `python tools/generate_reference.py`"


def test_the_table_of_server_versions_is_that_of_the_measurements() -> None:
    versions = tool("generate_versions")
    assert versions.PAGE.read_text(encoding="utf-8") == versions.page()


@pytest.mark.parametrize(
    ("table", "row", "reason"),
    [
        ("TOOLS_OF", "Cell.paint", r"no method of a handle: Cell\.paint"),
        ("NO_TOOL", "Cell.read", r"in both TOOLS_OF and NO_TOOL: Cell\.read"),
        ("NO_METHOD", "read_cell", r"in NO_METHOD, and not needed there: read_cell"),
        ("NO_METHOD", "paint_cell", r"tools that do not exist: paint_cell"),
    ],
)
def test_a_row_that_nothing_needs_is_refused(
    generator: ModuleType, monkeypatch: pytest.MonkeyPatch, table: str, row: str, reason: str
) -> None:
    monkeypatch.setitem(getattr(generator, table), row, ("read_cell",))
    with pytest.raises(generator.NoRowError, match=reason):
        generator.pages()


@pytest.mark.parametrize(
    ("table", "row", "reason"),
    [
        ("TOOLS_OF", "Cell.read", r"neither in TOOLS_OF nor in NO_TOOL: Cell\.read"),
        ("NO_METHOD", "connect_to_jupyter", r"without a method, .*: connect_to_jupyter"),
    ],
)
def test_a_method_or_tool_without_a_row_is_refused(
    generator: ModuleType, monkeypatch: pytest.MonkeyPatch, table: str, row: str, reason: str
) -> None:
    monkeypatch.delitem(getattr(generator, table), row)
    with pytest.raises(generator.NoRowError, match=reason):
        generator.pages()


def test_the_reference_has_every_public_name_once() -> None:
    shown = [
        name
        for page in REFERENCE.glob("*.md")
        for name in re.findall(
            r"^::: jupyter_agent_core\.(\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert sorted(shown) == sorted(PUBLIC)


def test_the_reference_says_which_words_a_value_may_be() -> None:
    words = {name for name, value in vars(_values).items() if get_origin(value) is Literal}
    page = (REFERENCE / "values.md").read_text("utf-8")
    assert words - set(re.findall(r"^::: jupyter_agent_core\._values\.(\w+)$", page, re.M)) == set()


def test_the_page_of_tools_has_every_tool() -> None:
    headings = re.findall(r"^### (\S+) ", (REFERENCE / "tools.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(tools_of(Workspace))


# --- docstrings


def functions() -> Iterator[tuple[str, Callable[..., object]]]:
    """Public functions and methods; tools describe their parameters in the signature."""
    for name, value in PUBLIC.items():
        if not inspect.isclass(value):
            yield name, value
        elif not issubclass(value, Exception):
            for method, function in inspect.getmembers(value, inspect.isfunction):
                if not method.startswith("_") and not hasattr(function, "__tool_hints__"):
                    yield f"{name}.{method}", function


def section(docstring: str, name: str) -> str:
    found = re.search(rf"^{name}:\n((?:(?: {{4}}.*)?(?:\n|\Z))+)", docstring, re.MULTILINE)
    return found[1] if found else ""


@pytest.mark.parametrize(("name", "function"), list(functions()))
def test_a_docstring_says_what_goes_in_and_what_comes_out(
    name: str, function: Callable[..., object]
) -> None:
    docstring = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    described = re.findall(r"^ {4}(\w+): ", section(docstring, "Args"), re.MULTILINE)
    assert described == [parameter for parameter in signature.parameters if parameter != "self"]
    if signature.return_annotation not in (None, "None"):
        returned = section(docstring, "Returns") or section(docstring, "Yields")
        assert returned or re.match(r"(Return|Say|List|Yield|Iterate|Make) ", docstring)


def test_values_say_what_each_attribute_is() -> None:
    missing = {
        f"{name}.{field.name}"
        for name, value in PUBLIC.items()
        if attrs.has(value)
        for field in attrs.fields(value)
        if f"\n    {field.name}: " not in (inspect.getdoc(value) or "")
    }
    assert missing == set()
