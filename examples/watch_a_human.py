# SPDX-License-Identifier: BSD-3-Clause
"""Watch what somebody else does in a notebook, and answer in it beside them.

The human is played by a second connection; in JupyterLab it would look the same.
Run it with `python examples/watch_a_human.py`. No other server is needed.
"""

import tempfile

import anyio

from jupyter_agent_core import Change, Notebook, connect, launch

PATH = "shared.ipynb"


async def human(url: str, token: str | None) -> None:
    async with connect(url, token=token, username="Ada") as server:
        notebook = await server.open_notebook(PATH)
        cell = await notebook.append_cell("values = [2, 3, 7]\n# TODO: their mean")
        while "TODO" in (await cell.read()).source:  # noqa: ASYNC110 (as people look at a screen)
            await anyio.sleep(0.1)
        await cell.edit_source("7", "13")  # meanwhile, in a line of her own


async def agent(notebook: Notebook) -> None:
    async for change in notebook.watch():
        if not isinstance(change, Change) or change.own or change.kind == "deleted":
            continue
        print(f"{change.by or 'somebody'}: cell {change.index} was {change.kind}")
        cell = notebook.cell(change.cell_id)
        if "TODO" in (await cell.read()).source:
            # refused while somebody types in that very line
            await cell.edit_source("# TODO: their mean", "sum(values) / len(values)")
        elif change.kind == "edited":
            print(f"{(await cell.read()).source}\n→ {(await cell.execute(timeout=30)).text}")
            return


async def main() -> None:
    async with launch(tempfile.mkdtemp()) as server:
        notebook = await server.open_notebook(PATH, create=True)
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(agent, notebook)
                group.start_soon(human, server.url, server.token)


if __name__ == "__main__":
    anyio.run(main)
