# SPDX-License-Identifier: BSD-3-Clause
"""Write the pages of the reference that say what the code says: errors, tools and settings.

    python tools/generate_reference.py            write them
    python tools/generate_reference.py --check    exit with 1 if they are not up to date

It imports the package, with the extra `mcp`. Which tool does what a method of a handle does is in
the tables below; a method or a tool without a row is refused, and so is a row that nothing needs.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jupyter_agent_core
from jupyter_agent_core import JupyterAgentError, Workspace
from jupyter_agent_core._workspace.registry import Tool, tools_of
from jupyter_mcp_server.cli import AS_JSON, STAY, VERSION
from jupyter_mcp_server.options import AGENT, SERVER, TRANSPORT, Option

PAGES = Path(__file__).resolve().parent.parent / "docs" / "reference"
HANDLES = ("Server", "Notebook", "Cell", "Batch", "Kernel", "Run")
WRITTEN = "<!-- Written by `python tools/generate_reference.py`: do not edit. -->"

# {method or property of a handle: the tools that do the same}
TOOLS_OF: Mapping[str, tuple[str, ...]] = {
    "Batch.append_cell": ("apply_edits",),
    "Batch.delete_cell": ("apply_edits",),
    "Batch.edit_source": ("apply_edits",),
    "Batch.insert_cell": ("apply_edits",),
    "Batch.move_cell": ("apply_edits",),
    "Batch.set_source": ("apply_edits",),
    "Cell.clear_outputs": ("clear_cell_output",),
    "Cell.delete": ("delete_cell",),
    "Cell.edit_source": ("edit_cell_source",),
    "Cell.execute": ("execute_cell", "insert_execute_code_cell"),
    "Cell.move": ("move_cell",),
    "Cell.read": ("read_cell",),
    "Cell.set_source": ("overwrite_cell_source",),
    "Kernel.execute": ("execute_code",),
    "Kernel.get_variable": ("list_variables",),
    "Kernel.interrupt": ("interrupt_kernel",),
    "Kernel.list_variables": ("list_variables",),
    "Notebook.append_cell": ("insert_cell",),
    "Notebook.batch": ("apply_edits",),
    "Notebook.changes": ("read_notebook",),
    "Notebook.close": ("unuse_notebook",),
    "Notebook.delete_cells": ("delete_cell",),
    "Notebook.insert_cell": ("insert_cell",),
    "Notebook.move_cell": ("move_cell",),
    "Notebook.read": ("read_notebook", "search_notebook"),
    "Notebook.restart": ("restart_notebook",),
    "Notebook.run_all": ("notebook_run-all-cells",),
    "Notebook.save": ("save_notebook",),
    "Notebook.selections": ("notebook_get-selected-cell",),
    "Notebook.undo": ("undo_edits",),
    "Notebook.use_kernel": ("use_notebook",),
    "Run.interrupt": ("interrupt_kernel",),
    "Run.behind": ("wait_run",),
    "Run.outputs": ("wait_run",),
    "Run.status": ("wait_run",),
    "Run.wait": ("wait_run",),
    "Server.list_files": ("list_files",),
    "Server.list_kernels": ("list_kernels",),
    "Server.list_kernelspecs": ("list_kernels",),
    "Server.list_sessions": ("list_notebooks",),
    "Server.open_in_lab": ("use_notebook",),
    "Server.open_notebook": ("use_notebook",),
    "Server.start_again": ("use_notebook",),
    "Server.run": ("wait_run",),
}
_NAMED = "a tool names the notebook or cell in each call"
_SAID = "`use_notebook` and `list_notebooks` say it"
_RARE = "rare in agents' work; the schema of one more tool costs tokens in every conversation"
# {method or property of a handle: why there is no tool for it}
NO_TOOL: Mapping[str, str] = {
    "Batch.clear_outputs": "one call of `clear_cell_output` clears all cells",
    "Batch.set_attachments": "attachments are files, which models do not write",
    "Batch.set_metadata": _RARE,
    "Batch.set_type": "delete and insert do it, in one `apply_edits`",
    "Cell.id": "every answer names it",
    "Cell.set_attachments": "attachments are files, which models do not write",
    "Cell.set_metadata": _RARE,
    "Cell.set_type": "delete and insert do it, in one `apply_edits`",
    "Cell.start": "`execute_cell` with a short `timeout` leaves the run to `wait_run`",
    "Kernel.activity": "answers about a busy kernel say it",
    "Kernel.complete": "models write whole lines",
    "Kernel.connect": "the first run connects",
    "Kernel.facts": "`list_kernels` says the language; code in the kernel can say the rest",
    "Kernel.id": "`list_kernels` says it",
    "Kernel.info": "`list_kernels` says it",
    "Kernel.inspect": "`execute_code` with `name?` does it",
    "Kernel.name": "`list_kernels` says it",
    "Kernel.restart": "`restart_notebook` does it for the kernel of a notebook",
    "Kernel.set_variable": "`execute_code` does it",
    "Kernel.shutdown": "`unuse_notebook` ends a kernel that nobody else uses; others stay",
    "Kernel.start": "`execute_code` with a short `timeout` leaves the run to `wait_run`",
    "Kernel.started_here": "`unuse_notebook` decides by it",
    "Kernel.state": "`list_kernels` says it",
    "Notebook.cell": _NAMED,
    "Notebook.collaborators": "answers name whoever changed something",
    "Notebook.flush": "every edit of a tool is acknowledged before its answer",
    "Notebook.is_closed": "a closed notebook has no name",
    "Notebook.kernel": _NAMED,
    "Notebook.merge": "the refusal says what others changed; the model edits again",
    "Notebook.mode": _SAID,
    "Notebook.path": _SAID,
    "Notebook.watch": "a call has one answer; `changed_since` and resources tell changes",
    "Run.cell_id": "answers of a run name its cell",
    "Run.id": "answers of a run that goes on name it",
    "Server.close": "the end of the session closes it",
    "Server.hub": "the operator has named it",
    "Server.info": "`jupyter-mcp-server doctor` says it to the operator",
    "Server.kernel": "`kernel_id` of `use_notebook` and `execute_code`",
    "Server.runtime_url": "where code runs is the operator's business",
    "Server.start_kernel": "`kernel_id='NEW'` of `use_notebook`",
    "Server.token": "a secret is no answer",
    "Server.url": "`use_notebook` gives the link to the notebook",
}
# {tool: what it is, where no method of a handle does it}
NO_METHOD: Mapping[str, str] = {
    "connect_to_jupyter": "the function `connect`",
}


class NoRowError(Exception):
    """A table has no row for something, or a row for nothing."""


# --- errors


def errors_page() -> str:
    """Return the page of errors: the tree, and each with its facts."""
    lines = [
        "# Errors",
        "",
        WRITTEN,
        "",
        "Everything that this library raises is a `JupyterAgentError`. Errors are for what could",
        "not be done. What the code did that was run (an exception, an interrupt, a dead kernel)",
        "is no error: it is the `status` of an",
        "[`ExecutionResult`][jupyter_agent_core.ExecutionResult].",
        "",
        "- `retryable`: the same call may succeed later without any change.",
        "- `applied`: whether what was asked for has happened on the server: `no`, `yes` or",
        "  `unknown`.",
        "",
        "## The tree",
        "",
    ]
    for name in jupyter_agent_core.__all__:
        getattr(jupyter_agent_core, name)  # a class has the subclasses that are imported
    classes = list(_errors(JupyterAgentError))
    lines += [
        f"{'    ' * depth}- [`{cls.__name__}`][jupyter_agent_core.{cls.__name__}]: {_summary(cls)}"
        for cls, depth in classes
    ]
    lines += ["", "## Each of them", ""]
    for cls, _ in classes:
        lines += [f"::: jupyter_agent_core.{cls.__name__}", "    options:", *_ERROR_OPTIONS]
        lines += ["", _facts(cls), ""]
    return "\n".join(lines)


_ERROR_OPTIONS = (
    "      heading_level: 3",
    "      members: false",
    "      show_bases: true",
)


def _errors(base: type, depth: int = 0) -> Iterator[tuple[type[JupyterAgentError], int]]:
    yield base, depth
    public = [cls for cls in base.__subclasses__() if cls.__name__ in jupyter_agent_core.__all__]
    for cls in sorted(public, key=lambda cls: cls.__name__):
        yield from _errors(cls, depth + 1)


def _facts(cls: type[JupyterAgentError]) -> str:
    """One line: what it carries, and whether to try again."""
    names = sorted({name for base in cls.__mro__[:-1] for name in _assigned(base)} - {"applied"})
    carried = f"Carries {_listed(f'`{name}`' for name in names)}." if names else ""
    retry = "May succeed later without any change." if cls.retryable else ""
    return " ".join(filter(None, (carried, retry))) or "Carries its message alone."


def _assigned(cls: type) -> set[str]:
    """The public attributes that the initialiser of an error sets."""
    if "__init__" not in vars(cls) or not issubclass(cls, JupyterAgentError):
        return set()
    tree = ast.parse(textwrap.dedent(inspect.getsource(vars(cls)["__init__"])))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and not node.attr.startswith("_")
    }


# --- tools


def tools_page() -> str:
    """Return the page of tools: each with its arguments, and the table of twins."""
    tools = tools_of(Workspace)
    lines = [
        "# Tools",
        "",
        WRITTEN,
        "",
        "One public method of [`Workspace`][jupyter_agent_core.Workspace] is one tool, over MCP,",
        "in LangChain and in LlamaIndex. Names, arguments and descriptions are the methods' own.",
        "Models read the descriptions as they stand here.",
        "",
        "- A cell is named by `cell_index` or by `cell_id`, of which 4 characters are enough. If",
        "  both are given they must agree.",
        "- `expected_version` is the version that was read: if the cell has changed since, the",
        "  edit is refused, with the current source. `force` overrules the guard against somebody",
        "  who has changed the same lines within the last two seconds.",
        "- A refused call changes nothing, and says what would be right.",
        "",
    ]
    for toolset in dict.fromkeys(tool.hints.toolset for tool in tools.values()):
        lines += [f"## Toolset `{toolset}`", ""]
        for tool in tools.values():
            if tool.hints.toolset == toolset:
                lines += _tool_section(tool)
    return "\n".join([*lines, *_twins(tools)])


def _tool_section(tool: Tool) -> list[str]:
    hints = tool.hints
    marks = [
        "reads only" if hints.read_only else "changes something",
        *(["may remove, overwrite or run code"] if hints.destructive else ()),
        *(
            ["repeating it changes nothing more"]
            if hints.idempotent and not hints.read_only
            else ()
        ),
        *(["may reach beyond Jupyter"] if hints.open_world else ()),
    ]
    lines = [f"### {tool.name} {{ #{tool.name} }}", "", tool.description, "", f"*{hints.title}*: "]
    lines[-1] += f"{', '.join(marks)}."
    if tool.method != tool.name:
        lines[-1] += f" The method is `{tool.method}`."
    if hints.aliases:
        aliases = (f"`{alias}` for `{name}`" for alias, name in hints.aliases.items())
        lines[-1] += f" Also taken: {_listed(aliases)}."
    if hints.ignored:
        lines[-1] += f" Taken without effect: {_listed(f'`{name}`' for name in hints.ignored)}."
    properties: Mapping[str, Any] = tool.schema["properties"]
    if properties:
        lines += ["", "| Argument | Type | Default | |", "| --- | --- | --- | --- |"]
        required = tool.schema.get("required", ())
        lines += [_argument(name, schema, name in required) for name, schema in properties.items()]
    for name, schema in properties.items():
        if variants := schema.get("items", {}).get("anyOf"):
            lines += ["", f"Each of `{name}` is one of:", "", *map(_variant, variants)]
    return [*lines, ""]


def _variant(schema: Mapping[str, Any]) -> str:
    """One form that an item of a list may have: what it is by its first field, and the others."""
    (kind, choice), *others = schema["properties"].items()
    required = schema["required"]
    needed = [f"`{name}`" for name, _ in others if name in required]
    free = [f"`{name}`" for name, _ in others if name not in required]
    fields = [
        *([f"with {_listed(needed)}"] if needed else ()),
        *([f"optional {_listed(free)}"] if free else ()),
    ]
    return f'- `{kind}="{choice["enum"][0]}"` {"; ".join(fields)}. {schema["description"]}'


def _argument(name: str, schema: Mapping[str, Any], required: bool) -> str:
    default = "required" if required else f"`{schema['default']!r}`" if "default" in schema else ""
    return f"| `{name}` | {_type(schema)} | {default} | {_cell(schema.get('description', ''))} |"


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_type, schema["anyOf"])))
    kind = str(schema.get("type", "any"))
    if kind == "array":
        items = schema.get("items", {})
        return "list, see below" if "anyOf" in items else f"list of {_type(items)}"
    return kind


def _twins(tools: Mapping[str, Tool]) -> list[str]:
    """The table of handle methods, `Workspace` methods and tools."""
    check_rows(tools)
    lines = [
        "## Methods and tools",
        "",
        "What a program does with a handle, what an agent does with a tool, and why some methods",
        "have none.",
        "",
        "| Handle | `Workspace` | Tool |",
        "| --- | --- | --- |",
    ]
    for member in members():
        handle = f"[`{member}`][jupyter_agent_core.{member}]"
        if member in NO_TOOL:
            lines.append(f"| {handle} | – | none: {NO_TOOL[member]} |")
        else:
            names = TOOLS_OF[member]
            methods = ", ".join(f"`{tools[name].method}`" for name in names)
            links = ", ".join(f"[`{name}`](#{name})" for name in names)
            lines.append(f"| {handle} | {methods} | {links} |")
    for name, what in NO_METHOD.items():
        lines.append(f"| {what} | `{tools[name].method}` | [`{name}`](#{name}) |")
    return [*lines, ""]


def members() -> list[str]:
    """The public methods and properties of all handles."""
    return [
        f"{handle}.{name}"
        for handle in HANDLES
        for name, member in vars(getattr(jupyter_agent_core, handle)).items()
        if not name.startswith("_") and (inspect.isroutine(member) or isinstance(member, property))
    ]


def check_rows(tools: Iterable[str]) -> None:
    """Refuse tables that miss a method or a tool, or that have a row too many.

    Raises:
        NoRowError: With the names.
    """
    rows, there = [*TOOLS_OF, *NO_TOOL], members()
    reached = {name for names in TOOLS_OF.values() for name in names}
    wrong = {
        "neither in TOOLS_OF nor in NO_TOOL": set(there).difference(rows),
        "in both TOOLS_OF and NO_TOOL": TOOLS_OF.keys() & NO_TOOL.keys(),
        "no method of a handle": set(rows).difference(there),
        "tools that do not exist": reached.union(NO_METHOD).difference(tools),
        "tools without a method, and not in NO_METHOD": set(tools).difference(reached, NO_METHOD),
        "in NO_METHOD, and not needed there": reached & NO_METHOD.keys(),
    }
    for what, names in wrong.items():
        if names:
            raise NoRowError(f"{what}: {', '.join(sorted(names))}")


# --- settings


def settings_page() -> str:
    """Return the page of settings: flags and environment variables of the command."""
    lines = [
        "# Settings of `jupyter-mcp-server`",
        "",
        WRITTEN,
        "",
        "Flags win over environment variables. A variable that begins with `JUPYTER_MCP_` and is",
        "none of these, or a value that cannot be used, stops the start. `doctor` takes those of",
        "the Jupyter server, after its name.",
        "",
    ]
    sections: dict[str, list[Option]] = {}
    for option in (*SERVER, *AGENT, *TRANSPORT, VERSION, AS_JSON, STAY):
        sections.setdefault(option.heading, []).append(option)
    for heading, options in sections.items():
        lines += [f"## {heading}", "", "| Flag | Variable | |", "| --- | --- | --- |"]
        lines += [_setting(option) for option in options]
        lines.append("")
    return "\n".join(lines)


_COMMANDS = {AS_JSON: "doctor", STAY: "demo"}


def _setting(option: Option) -> str:
    flags = "`" + "`, `".join((*option.opts, *option.secondary_opts)) + "`"
    if option.metavar and not option.is_flag:
        flags = f"{flags[:-1]} {option.metavar}`"
    names = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or ())
    variables = ", ".join(f"`{name}`" for name in names) or "–"
    text = _cell(option.help or "")
    if option.show_default and option.default is not None:
        text += f" Default: `{option.default}`."
    choices = getattr(option.type, "choices", ())
    if choices:
        text += f" One of {_listed(f'`{choice}`' for choice in choices)}."
    if option in _COMMANDS:
        text = f"Of `{_COMMANDS[option]}`: {text}"
    return f"| {flags} | {variables} | {text} |"


# ---


def _summary(cls: type) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def pages() -> dict[Path, str]:
    """Return what stands in each page."""
    return {
        PAGES / "errors.md": errors_page(),
        PAGES / "settings.md": settings_page(),
        PAGES / "tools.md": tools_page(),
    }


def main() -> None:
    """Write the pages, or say which are not up to date."""
    parser = argparse.ArgumentParser(description="Write the generated pages of the reference.")
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    try:
        written = pages()
    except NoRowError as error:
        sys.exit(f"tools/generate_reference.py: {error}")
    stale = [
        path
        for path, text in written.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if not check:
        for path in stale:
            path.write_text(written[path], encoding="utf-8")
    elif stale:
        names = ", ".join(path.name for path in stale)
        sys.exit(f"{names}: run `python tools/generate_reference.py`")


if __name__ == "__main__":
    main()
