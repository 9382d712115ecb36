# SPDX-License-Identifier: BSD-3-Clause
"""Notebooks, cells and outputs as resources."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

import attrs
import mcp.types as types
from mcp.shared.exceptions import MCPError

from jupyter_agent_core import CellNotFoundError, JupyterAgentError, Notebook, Workspace
from jupyter_agent_core._handles.nbformat import nbformat_of, nbformat_of_cell
from jupyter_agent_core._stored_outputs import representation
from jupyter_agent_core._workspace.resources import names_in_use, notebook_in_use

NOTEBOOK_TYPE = "application/x-ipynb+json"
CELL_TYPE = "application/json"
TEMPLATES = (
    types.ResourceTemplate(
        uri_template="notebook://{name}",
        name="notebook",
        title="Notebook",
        description="A notebook in use, as its .ipynb file would be now.",
        mime_type=NOTEBOOK_TYPE,
    ),
    types.ResourceTemplate(
        uri_template="notebook://{name}/cells/{cell_id}",
        name="cell",
        title="Cell",
        description="One cell of it, as the file would have it, with its outputs.",
        mime_type=CELL_TYPE,
    ),
    types.ResourceTemplate(
        uri_template="notebook://{name}/cells/{cell_id}/outputs/{n}",
        name="output",
        title="Output",
        description="The n-th output of a cell, in each of its representations.",
    ),
)
MAX_COMPLETIONS = 100
_SCHEME = "notebook://"
_URI = re.compile(r"([^/]+)(?:/cells/([^/]+)(?:/outputs/(\d{1,9}))?)?")


@attrs.frozen
class Address:
    """What a URI means.

    Attributes:
        name: The notebook.
        cell_id: A cell of it, None for the whole notebook.
        output: An output of the cell, None for the whole cell.
    """

    name: str
    cell_id: str | None = None
    output: int | None = None

    @classmethod
    def of(cls, uri: str) -> Address:
        """Read a URI.

        Raises:
            MCPError: There is no such resource.
        """
        found = _URI.fullmatch(uri.removeprefix(_SCHEME)) if uri.startswith(_SCHEME) else None
        if found is None:
            raise _missing(uri, "a URI is like notebook://name/cells/id/outputs/0")
        name, cell_id, output = found.groups()
        return cls(
            unquote(name),
            unquote(cell_id) if cell_id is not None else None,
            int(output) if output is not None else None,
        )


def uri_of(name: str) -> str:
    """Return the URI of a notebook."""
    return _SCHEME + quote(name, safe="")


def list_resources(workspace: Workspace) -> list[types.Resource]:
    """List the notebooks in use."""
    return [
        types.Resource(
            uri=uri_of(name), name=name, title=f"Notebook {name}", mime_type=NOTEBOOK_TYPE
        )
        for name in names_in_use(workspace)
    ]


async def read_resource(workspace: Workspace, uri: str) -> types.ReadResourceResult:
    """Read a notebook, a cell or an output.

    Raises:
        MCPError: There is no such resource, or it cannot be read now.
    """
    address = Address.of(uri)
    try:
        _, notebook = await notebook_in_use(workspace, address.name)
        return types.ReadResourceResult(contents=await _contents(notebook, address, uri))
    except JupyterAgentError as error:
        raise _missing(uri, str(error)) from error


async def _contents(
    notebook: Notebook, address: Address, uri: str
) -> list[types.TextResourceContents | types.BlobResourceContents]:
    if address.cell_id is None:
        return [_text(uri, NOTEBOOK_TYPE, await nbformat_of(notebook))]
    cell = await nbformat_of_cell(notebook, address.cell_id)
    if address.output is None:
        return [_text(uri, CELL_TYPE, cell)]
    outputs = cell.get("outputs", ())
    if address.output >= len(outputs):
        raise CellNotFoundError(address.cell_id, f"has {len(outputs)} outputs, 0-based")
    return [
        types.BlobResourceContents(uri=uri, mime_type=kind, blob="".join(str(value).split()))
        if _is_binary(kind)
        else _text(uri, kind, value)
        for kind, value in _representations(outputs[address.output])
    ]


def _representations(output: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    match output["output_type"]:
        case "stream":
            yield "text/plain", output["text"]
        case "error":
            trace = "\n".join(output.get("traceback", ()))
            yield "text/plain", trace or f"{output['ename']}: {output['evalue']}"
        case _:
            yield from output["data"].items()


def _is_binary(kind: str) -> bool:
    return kind == "application/pdf" or (kind.startswith("image/") and "svg" not in kind)


def _text(uri: str, kind: str, value: Any) -> types.TextResourceContents:
    value = representation(kind, value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return types.TextResourceContents(uri=uri, mime_type=kind, text=text)


def _missing(uri: str, reason: str) -> MCPError:
    return MCPError(types.INVALID_PARAMS, f"There is no resource {uri!r}: {reason}", {"uri": uri})


async def complete(
    workspace: Workspace, argument: str, begun: str, known: Mapping[str, str]
) -> list[str]:
    """Complete an argument of a template or a prompt.

    Args:
        workspace: Whose notebooks.
        argument: Its name.
        begun: Its beginning.
        known: Other arguments.
    """
    if argument in ("name", "notebook_name"):
        values = list(names_in_use(workspace))
    elif argument in ("cell_id", "n") and known.get("name") in names_in_use(workspace):
        _, notebook = await notebook_in_use(workspace, known["name"])
        cells = await notebook.read()
        if argument == "cell_id":
            values = [cell.id for cell in cells]
        else:
            named = [cell for cell in cells if cell.id == known.get("cell_id")]
            values = [str(n) for cell in named for n in range(len(cell.outputs))]
    else:
        return []
    return [value for value in values if value.startswith(begun)]
