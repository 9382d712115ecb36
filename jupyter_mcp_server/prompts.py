# SPDX-License-Identifier: BSD-3-Clause
"""The prompt that cites cells."""

from __future__ import annotations

import re
from collections.abc import Mapping

import mcp.types as types
from mcp.shared.exceptions import MCPError

from jupyter_agent_core import JupyterAgentError, Workspace
from jupyter_agent_core._workspace.resources import notebook_in_use
from jupyter_agent_core.rendering.cells import header

CITE = types.Prompt(
    name="jupyter-cite",
    title="Cite cells",
    description="An instruction with cells of a notebook as they are now.",
    arguments=[
        types.PromptArgument(
            name="prompt", description="What is to be done with the cells.", required=True
        ),
        types.PromptArgument(
            name="cell_indices", description="Which: 0,1 or 0-2 or 3- or 0-2,4.", required=True
        ),
        types.PromptArgument(
            name="notebook_name", description="Name given in use_notebook; default: used last."
        ),
    ],
)
_NAMES = (CITE.name, "jupyter_cite")
_PART = re.compile(r"(\d{1,9})(?:(-)(\d{1,9})?)?")


async def get_prompt(
    workspace: Workspace, name: str, arguments: Mapping[str, str]
) -> types.GetPromptResult:
    """Cite cells from the live document.

    Raises:
        MCPError: There is no such prompt, or what it is to cite.
    """
    if name not in _NAMES:
        raise MCPError(types.INVALID_PARAMS, f"There is no prompt {name!r}; there is: {CITE.name}")
    known = [argument.name for argument in CITE.arguments or ()]
    for given in arguments:
        if given not in known:
            said = f"{name} has no argument {given!r}; it takes: {', '.join(known)}"
            raise MCPError(types.INVALID_PARAMS, said)
    for needed in known[:2]:
        if needed not in arguments:
            raise MCPError(types.INVALID_PARAMS, f"{name} needs the argument {needed!r}")
    try:
        called, notebook = await notebook_in_use(workspace, arguments.get("notebook_name") or None)
        cells = await notebook.read()
    except JupyterAgentError as error:
        raise MCPError(types.INVALID_PARAMS, str(error)) from error
    indices = _indices(arguments["cell_indices"], len(cells))
    cited = "".join(f"{header(cells[i])}\n{cells[i].source}\n\n" for i in indices)
    text = (
        f"USER Cite cells {indices} from notebook {called}, here are the cells:\n{cited}"
        f"=====End of Cited Cells=====\nUSER's Instruction are follow: {arguments['prompt']}"
    )
    message = types.PromptMessage(role="user", content=types.TextContent(text=text))
    return types.GetPromptResult(description=CITE.description, messages=[message])


def _indices(text: str, total: int) -> list[int]:
    """Read `0,1`, `0-2` and `3-`.

    Raises:
        MCPError: It cannot be read, or means cells that there are not.
    """
    indices: list[int] = []
    for part in text.replace(" ", "").split(","):
        found = _PART.fullmatch(part)
        if found is None:
            said = f"cell_indices={text!r} cannot be read: write 0,1 or 0-2 or 3- or 0-2,4"
            raise MCPError(types.INVALID_PARAMS, said)
        first = int(found[1])
        last = int(found[3]) if found[3] else total - 1 if found[2] else first
        if first >= total or last >= total or last < first:
            said = f"cell_indices={text!r}: {part} is out of range, the notebook has {total} cells"
            raise MCPError(types.INVALID_PARAMS, said)
        indices += range(first, last + 1)
    return list(dict.fromkeys(indices))
