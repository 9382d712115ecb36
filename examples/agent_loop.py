# SPDX-License-Identifier: BSD-3-Clause
"""An agent loop without any framework; a script plays the model.

A real model would be sent what is printed after each arrow, and would choose the next call.
Run it with `python examples/agent_loop.py`. No other server is needed.
"""

import tempfile
from collections.abc import Iterator
from typing import Any

import anyio

from jupyter_agent_core import JupyterAgentError, Workspace, launch
from jupyter_agent_core.rendering import Image, render

Call = tuple[str, dict[str, Any]]


def model() -> Iterator[Call]:
    """Play a model that makes a mistake, sees it and mends it."""
    yield "use_notebook", {"notebook_name": "a", "notebook_path": "a.ipynb", "mode": "create"}
    yield "insert_execute_code_cell", {"cell_index": 0, "cell_source": "sum(range(n))"}
    yield (
        "edit_cell_source",
        {"cell_index": 0, "old_string": "range(n)", "new_string": "range(10)"},
    )
    yield "execute_cell", {"cell_index": 0}
    yield "read_cell", {"cell_index": 5}  # there is none: the error says so
    yield "read_notebook", {}


async def main() -> None:
    async with launch(tempfile.mkdtemp()) as server, Workspace(server) as workspace:
        for name, arguments in model():
            print(f"\n{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})")
            print("→", await answer(workspace, name, arguments))


async def answer(workspace: Workspace, name: str, arguments: dict[str, Any]) -> str:
    """Call a method of the workspace, and return what a model is told."""
    try:
        value = await getattr(workspace, name)(**arguments)
    except JupyterAgentError as error:
        return f"refused: {error}"
    contents = render(value)
    return "\n".join("(an image)" if isinstance(c, Image) else c.text for c in contents)


if __name__ == "__main__":
    anyio.run(main)
