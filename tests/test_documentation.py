# SPDX-License-Identifier: BSD-3-Clause
"""The site has every page, its code is code, and its tutorial runs as it is written."""

import ast
import doctest
import importlib
import json
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from jupyter_agent_core import Notebook, Server, WorkspaceOptions
from jupyter_agent_core._workspace.arguments import NotebookName
from jupyter_agent_core._workspace.registry import ToolHints, tool, tools_of
from jupyter_agent_core._workspace.state import Named, State, Toolset
from jupyter_mcp_server.cli import AS_JSON, STAY, VERSION
from jupyter_mcp_server.options import AGENT, SERVER, TRANSPORT

CHECKOUT = Path(__file__).parent.parent
DOCS = CHECKOUT / "docs"
PAGES = {str(path.relative_to(DOCS)): path.read_text("utf-8") for path in DOCS.rglob("*.md")}
README = (CHECKOUT / "README.md").read_text("utf-8")
CONTRIBUTING = (CHECKOUT / "CONTRIBUTING.md").read_text("utf-8")
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
MAX_IMAGE = 150_000
TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST
SNIPPET = re.compile(r'^ *--8<--(?: "|\n *)([^":\n]+\.\w+)', re.MULTILINE)


def navigation(entries: list[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        for target in entry.values():
            if isinstance(target, str):
                yield target
            else:
                yield from navigation(target)


def blocks(text: str, *languages: str) -> Iterator[tuple[str, str]]:
    """The language and the text of each fenced block that is no included file."""
    fence = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    for _, language, block in fence.findall(text):
        if language in languages and not SNIPPET.match(block):
            yield language, block


def test_every_page_is_in_the_navigation_once() -> None:
    site = tomllib.loads((CHECKOUT / "zensical.toml").read_text("utf-8"))["project"]
    assert sorted(navigation(site["nav"])) == sorted(PAGES)


def test_the_tests_that_are_named_exist() -> None:
    named = {
        (file, name)
        for text in PAGES.values()
        for file, name in re.findall(r"`([\w/]+\.py)::(test_\w+)`", text)
    }
    assert named
    texts = {file: (CHECKOUT / "tests" / file).read_text("utf-8") for file, _ in named}
    assert [pair for pair in sorted(named) if f"def {pair[1]}(" not in texts[pair[0]]] == []


def test_included_files_exist() -> None:
    included = {name for text in PAGES.values() for name in SNIPPET.findall(text)}
    assert included
    assert [name for name in included if not (CHECKOUT / name).is_file()] == []


def test_every_example_is_shown() -> None:
    included = {name for text in PAGES.values() for name in SNIPPET.findall(text)}
    examples = {f"examples/{path.name}" for path in (CHECKOUT / "examples").glob("*.py")}
    assert examples - included == set()


def test_every_image_is_shown_and_small() -> None:
    everything = "".join([*PAGES.values(), README])
    images = [path for path in (DOCS / "images").iterdir() if path.is_file()]
    assert images
    assert [path.name for path in images if f"images/{path.name}" not in everything] == []
    assert [path.name for path in images if path.stat().st_size > MAX_IMAGE] == []


@pytest.mark.parametrize("page", PAGES)
def test_code_is_python_and_imports_public_names(page: str) -> None:
    for _, block in blocks(PAGES[page], "python"):
        # a page of a reference may show a part of a class
        tree = compile(block, page, "exec", flags=TOP_LEVEL_AWAIT)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("jupyter_agent_core"):
                public = importlib.import_module(node.module).__all__
                assert {alias.name for alias in node.names} <= set(public)


@pytest.mark.parametrize("page", [*PAGES, "README.md"])
def test_commands_name_flags_and_variables_that_exist(page: str) -> None:
    options = (*SERVER, *AGENT, *TRANSPORT, VERSION, AS_JSON, STAY)
    flags = {flag for option in options for flag in (*option.opts, *option.secondary_opts)}
    variables = {name for option in options for name in _variables(option.envvar)}
    text = PAGES.get(page, README)
    for _, block in blocks(text, "sh"):
        for command in block.splitlines():
            _, ours, arguments = command.partition("jupyter-mcp-server ")
            given = re.findall(r"(?<!\S)--[\w-]+", arguments.partition("#")[0])
            assert not ours or set(given) <= {*flags, "--help"}, command
            named = re.findall(r"\b(\w+(?:_URL|_TOKEN|_FILE))=", command)
            assert set(named) <= variables, command


def test_commands_name_extras_that_exist() -> None:
    extras = set(PROJECT["optional-dependencies"])
    for text in (*PAGES.values(), README, CONTRIBUTING):
        for named in re.findall(r"(?:jupyter-agent-core|'\.)\[([\w,]+)\]", text):
            assert set(named.split(",")) <= extras


def test_configurations_start_our_server() -> None:
    commands = []
    for page, text in PAGES.items():
        for _, block in blocks(text, "json"):
            servers = json.loads(block).get("mcpServers", {}).values()
            commands += [
                (page, [s["command"], *s.get("args", ())]) for s in servers if "url" not in s
            ]
    assert "tutorials/mcp.md" in dict(commands)
    assert [page for page, words in commands if "jupyter-mcp-server" not in words] == []


async def test_the_tool_that_contributors_are_shown_is_one(
    server: Server, notebook: Notebook
) -> None:
    (method,) = (block for _, block in blocks(CONTRIBUTING, "python"))

    @attrs.frozen
    class CellCount:
        name: str
        cells: int

    names = {"CellCount": CellCount, "NotebookName": NotebookName}
    names |= {"Toolset": Toolset, "ToolHints": ToolHints, "tool": tool}
    exec(f"class Counting(Toolset):\n{textwrap.indent(method, '    ')}", names)  # noqa: S102
    count_cells = tools_of(names["Counting"])["count_cells"]
    assert count_cells.description == "Count the cells of a notebook."
    assert list(count_cells.schema["properties"]) == ["notebook_name"]

    state = State(server, WorkspaceOptions())
    state.use(Named("nb", notebook))
    await notebook.append_cell("1")
    assert await count_cells.call(names["Counting"](state), {}) == CellCount("nb", 1)


def _variables(names: object) -> list[str]:
    return [names] if isinstance(names, str) else [str(name) for name in names or ()]


def test_the_tutorial_says_what_happens(tmp_path: Path) -> None:
    """Each block runs after those before it, and prints what stands below it."""
    program, expected = [], ""
    for language, block in blocks(PAGES["tutorials/library.md"], "python", "text"):
        if language == "python":
            program.append(block)
        else:
            expected += block
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(program)],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=55,
    )
    assert done.stderr == ""
    checker = doctest.OutputChecker()
    assert checker.check_output(expected, done.stdout, doctest.ELLIPSIS), done.stdout
