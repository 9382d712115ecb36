# SPDX-License-Identifier: BSD-3-Clause
"""What holds by itself against a notebook from elsewhere."""

import anyio
import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output
from servers import RunningServer

from jupyter_agent_core import Server, Workspace
from jupyter_agent_core.rendering import Settings, render


async def test_nothing_in_a_notebook_runs_because_it_is_opened_and_read(
    server: Server, lab: RunningServer, folder: str
) -> None:
    mark = lab.root / folder / "it-ran"
    code = f"open({str(mark)!r}, 'w')"
    page = f"<img src=x onerror=alert(1)><script>{code}</script>"
    cell = new_code_cell(code, outputs=[new_output("display_data", {"text/html": page})])
    cell.metadata["trusted"] = True
    path = f"{folder}/from-elsewhere.ipynb"
    nbformat.write(new_notebook(cells=[cell], metadata={"execute": True}), lab.root / path)
    async with Workspace(server) as workspace:
        for answer in (
            await workspace.use_notebook(notebook_name="nb", notebook_path=path),
            await workspace.read_notebook(response_format="detailed"),
            await workspace.search_notebook("onerror", in_outputs=True),
        ):
            assert render(answer, Settings())
        with anyio.fail_after(20):
            assert (await workspace.execute_code("1 + 1")).result.text == "2"
    assert not mark.exists()
