# SPDX-License-Identifier: BSD-3-Clause
"""Rename a variable in all cells as one edit, and take it back if the notebook then fails.

Run it with `python examples/refactoring.py`. No other server is needed.
"""

import re
import tempfile

import anyio

from jupyter_agent_core import Notebook, launch


async def main() -> None:
    async with launch(tempfile.mkdtemp()) as server:
        notebook = await server.open_notebook("analysis.ipynb", create=True)
        async with notebook.batch() as batch:  # one message, one step to undo
            batch.append_cell("# The mean of `data`", "markdown")
            batch.append_cell("data = [3, 4, 8]")
            batch.append_cell("print(sum(data) / len(data))")

        await rename(notebook, "data", "heights")  # works
        await rename(notebook, "heights", "lambda")  # a keyword: is taken back
        for cell in await notebook.read():
            print(cell.source)


async def rename(notebook: Notebook, old: str, new: str) -> None:
    """Rename a variable wherever it stands, unless the notebook fails with it."""
    async with notebook.batch() as batch:
        for cell in await notebook.read():
            source = re.sub(rf"\b{old}\b", new, cell.source)
            if source != cell.source:
                # refused, with all of the batch, if somebody has changed the cell meanwhile
                batch.set_source(cell.id, source, expected_version=cell.version)
    results = await notebook.run_all(timeout=60)
    failed = [result for result in results if result.status != "ok"]
    if failed:
        await notebook.undo()
        print(f"{old} → {new}: taken back ({failed[0].text.strip().splitlines()[-1]})")
    else:
        print(f"{old} → {new}: done")


if __name__ == "__main__":
    anyio.run(main)
