# SPDX-License-Identifier: BSD-3-Clause
"""Run many notebooks at once, each on a kernel of its own, and report on all of them.

Run it with `python examples/report.py [FOLDER]`. Without a folder, it makes some notebooks.
"""

import sys
import tempfile
from pathlib import Path

import anyio
import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from jupyter_agent_core import Server, launch

AT_ONCE = 4


async def main(folder: str) -> None:
    lines: dict[str, str] = {}
    limit = anyio.CapacityLimiter(AT_ONCE)
    async with launch(folder) as server:
        files = await server.list_files()
        async with anyio.create_task_group() as group:
            for file in files:
                if file.type == "notebook":
                    group.start_soon(run, server, file.path, lines, limit)
    for path in sorted(lines):
        print(f"{path}: {lines[path]}")


async def run(
    server: Server, path: str, lines: dict[str, str], limit: anyio.CapacityLimiter
) -> None:
    """Run a notebook, and write a line about it."""
    async with limit:
        notebook = await server.open_notebook(path)
        results = await notebook.run_all(timeout=120)
        failed = [result for result in results if result.status != "ok"]
        await notebook.save()
        await notebook.close()  # its kernel ends, as nobody else uses it
    last = failed[0].text.splitlines()[-1] if failed else results[-1].text.strip()
    lines[path] = f"{'failed' if failed else 'ok'} after {len(results)} cells: {last}"


def make_notebooks() -> str:
    folder = tempfile.mkdtemp(prefix="report-")
    for number in range(6):
        cells = [new_code_cell(f"n = {number}"), new_code_cell("print(f'{60 / n:.1f} a minute')")]
        nbformat.write(new_notebook(cells=cells), Path(folder, f"sensor-{number}.ipynb"))
    return folder


if __name__ == "__main__":
    anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else make_notebooks())
