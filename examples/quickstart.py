# SPDX-License-Identifier: BSD-3-Clause
"""A private Jupyter server, a notebook, some cells: text, an exception and a plot.

Run it with `python examples/quickstart.py`. No other server is needed; the notebook stays.
"""

import tempfile
from pathlib import Path

import anyio
import nbformat

from jupyter_agent_core import CellSnapshot, ErrorOutput, launch


async def main() -> None:
    folder = tempfile.mkdtemp(prefix="quickstart-")
    async with launch(folder) as server:
        print(f"A private server is up at {server.url}")
        notebook = await server.open_notebook("quickstart.ipynb", create=True)

        await notebook.append_cell("# A first look", "markdown")
        greeting = await notebook.append_cell("name = 'world'\nprint(f'hello {name}')")
        show(await greeting.read(), (await greeting.execute(timeout=60)).text)

        await greeting.set_source("name = 'Jupyter'\nprint(f'hello {name}')")
        show(await greeting.read(), (await greeting.execute(timeout=60)).text)

        failing = await notebook.append_cell("1 / 0")
        result = await failing.execute(timeout=60)
        assert isinstance(result.error, ErrorOutput)
        show(await failing.read(), f"{result.status}: {result.error.evalue}")

        plot = await notebook.append_cell(
            "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9, 16]);"
        )
        result = await plot.execute(timeout=120)
        kinds = [mime for output in result.outputs for mime in getattr(output, "data", {})]
        show(await plot.read(), f"{result.status}: {', '.join(kinds)}")

        await notebook.save()
    path = Path(folder, "quickstart.ipynb")
    nbformat.validate(nbformat.read(path, as_version=4))
    print(f"\nSaved and valid: {path}")


def show(cell: CellSnapshot, answer: str) -> None:
    print(f"\n--- cell {cell.index}, id {cell.id[:8]}, version {cell.version}")
    print(cell.source)
    print("→", answer)


if __name__ == "__main__":
    anyio.run(main)
