# SPDX-License-Identifier: BSD-3-Clause
"""A run that outlives the call that started it: look at it, wait for it, interrupt it.

Run it with `python examples/long_run.py`. No other server is needed.
"""

import tempfile

import anyio

from jupyter_agent_core import Server, launch

TRAINING = """\
import time
for epoch in range(1, 1001):
    time.sleep(0.1)
    print(f"epoch {epoch}", flush=True)
    if epoch == 10:
        print("half of what we need")
"""


async def start(server: Server) -> str:
    """Start a run and wait for a moment only, as the tool of an agent does."""
    notebook = await server.open_notebook("training.ipynb", create=True)
    cell = await notebook.append_cell(TRAINING)
    result = await cell.execute(timeout=0.5)
    print(f"after {result.elapsed:.1f} s it is {result.status}")
    return result.run_id


async def main() -> None:
    async with launch(tempfile.mkdtemp()) as server:
        run = server.run(await start(server))  # by its id, from anywhere

        async for output in run:  # from the first one on, as they come
            print(repr(output)[:70])
            if "half of what we need" in repr(output):
                break

        result = await run.interrupt()
        print(f"{result.status}: {result.text.splitlines()[0]} … {len(result.outputs)} outputs")


if __name__ == "__main__":
    anyio.run(main)
