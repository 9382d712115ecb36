# SPDX-License-Identifier: BSD-3-Clause
"""Run a cell on the servers of several users of a JupyterHub, with one token.

Run it with `JUPYTERHUB_API_TOKEN=… python examples/jupyterhub.py HUB_URL USER…`. The token is one
of a service, whose scopes are `servers` and `access:servers` of these users; without a user, it is
yours, and so is the server. Servers that do not run are started, and go on running.
"""

import os
import sys

import anyio

from jupyter_agent_core import ConnectError, StartProgress, connect

CODE = "import os, sys; print(os.path.basename(os.getcwd()), 'has Python', sys.version.split()[0])"


async def work(hub_url: str, token: str, user: str | None) -> None:
    def show(progress: StartProgress) -> None:
        print(f"{user or 'you'}: {progress.message}")

    try:
        async with connect(hub_url=hub_url, token=token, user=user, on_progress=show) as server:
            notebook = await server.open_notebook("checks.ipynb", create=True)
            cell = await notebook.append_cell(CODE)
            result = await cell.execute(timeout=60)
            await notebook.save()
            print(f"{user or 'you'}: {result.status}, {result.text.strip()}")
    except ConnectError as error:  # no such user, a scope that the token lacks, a failed start
        print(f"{user or 'you'}: {error}")


async def main(hub_url: str, users: list[str]) -> None:
    token = os.environ["JUPYTERHUB_API_TOKEN"]
    async with anyio.create_task_group() as group:
        for user in users or [None]:
            group.start_soon(work, hub_url, token, user)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2:])
