# SPDX-License-Identifier: BSD-3-Clause
"""Who is compared: what is installed, how it is started, and what its tools are called."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from .stdio import Answer

Call = tuple[str, Mapping[str, Any]]
"""Name of a tool and its arguments."""

CHECKOUT = Path(__file__).parents[2]
OURS = "ours"
FLOOR = "floor"


@attrs.frozen(kw_only=True)
class Tools:
    """The calls that do the tasks, in one server's own terms.

    Attributes:
        use: Open the notebook at this path, and make it the current one.
        insert: Append this markdown cell to the current notebook.
        run: Run the cell at this index, whose source is this.
        insert_run: Append a code cell with this source and run it.
        execute: Run this code without a cell.
        read_cell: Read the cell at this index of the current notebook.
        read_notebook: List the cells of the notebook at this path.
        output: The text that a run has printed or returned.
    """

    use: Callable[[str], Call]
    insert: Callable[[str], Call]
    run: Callable[[int, str], Call]
    insert_run: Callable[[str], Call]
    execute: Callable[[str], Call]
    read_cell: Callable[[int], Call]
    read_notebook: Callable[[str], Call]
    output: Callable[[Answer], str]


@attrs.frozen(kw_only=True)
class Contender:
    """An MCP server.

    Attributes:
        name: What the tables call it.
        packages: What pip is given.
        script: The program that serves over stdio.
        variables: Its settings, by the URL and the token of the Jupyter server.
        imports: What its import time is taken of.
        tools: Its tools.
    """

    name: str
    packages: tuple[str, ...]
    script: str
    variables: Callable[[str, str], dict[str, str]]
    imports: str
    tools: Tools


def _notebook_name(path: str) -> str:
    return path.removesuffix(".ipynb")


def _without_status(answer: Answer) -> str:
    """The first block of an execution is its output; lines in brackets follow."""
    return answer.text.partition("\n[")[0]


COMMON = Tools(
    use=lambda path: (
        "use_notebook",
        {"notebook_name": _notebook_name(path), "notebook_path": path},
    ),
    insert=lambda text: (
        "insert_cell",
        {"cell_index": -1, "cell_type": "markdown", "cell_source": text},
    ),
    run=lambda index, _: ("execute_cell", {"cell_index": index}),
    insert_run=lambda code: ("insert_execute_code_cell", {"cell_index": -1, "cell_source": code}),
    execute=lambda code: ("execute_code", {"code": code}),
    read_cell=lambda index: ("read_cell", {"cell_index": index}),
    read_notebook=lambda path: ("read_notebook", {"notebook_name": _notebook_name(path)}),
    output=_without_status,
)
"""Ours and datalayer's, which agree in these."""


def _formatted_output(answer: Answer) -> str:
    try:
        return str(json.loads(answer.text)["stdout"] or json.loads(answer.text)["formatted_output"])
    except (ValueError, KeyError):
        return answer.text


TOOLKIT = Tools(
    use=lambda path: ("notebook_open", {"notebook_path": path, "set_default": True}),
    insert=lambda text: ("notebook_markdown_add", {"content": text}),
    run=lambda index, code: ("notebook_code_run_existing", {"cell_index": index, "code": code}),
    insert_run=lambda code: ("notebook_code_run", {"code": code}),
    execute=lambda code: ("notebook_code_execute", {"code": code}),
    read_cell=lambda index: ("notebook_cell_read", {"cell_index": index}),
    read_notebook=lambda path: ("notebook_read", {"notebook_path": path}),
    output=_formatted_output,
)
"""Those of mcp-jupyter-notebook."""

CONTENDERS = (
    Contender(
        name=OURS,
        packages=(f"{CHECKOUT}[mcp]",),
        script="jupyter-mcp-server",
        variables=lambda url, token: {"JUPYTER_URL": url, "JUPYTER_TOKEN": token},
        imports="from jupyter_agent_core import connect, launch",
        tools=COMMON,
    ),
    Contender(
        name="datalayer",
        packages=("jupyter-mcp-server==2.2.4",),
        script="jupyter-mcp-server",
        variables=lambda url, token: {"JUPYTER_URL": url, "JUPYTER_TOKEN": token},
        imports="import jupyter_mcp_server.server",
        tools=COMMON,
    ),
    Contender(
        name="AJT",
        packages=("agent-jupyter-toolkit==0.10.0", "mcp-jupyter-notebook==0.10.0"),
        script="mcp-jupyter-notebook",
        variables=lambda url, token: {
            "MCP_JUPYTER_SESSION_MODE": "server",
            "MCP_JUPYTER_BASE_URL": url,
            "MCP_JUPYTER_TOKEN": token,
        },
        imports="import agent_jupyter_toolkit.notebook",
        tools=TOOLKIT,
    ),
)
