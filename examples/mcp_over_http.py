# SPDX-License-Identifier: BSD-3-Clause
"""The MCP server over HTTP, and a client that runs a cell and hears of its progress.

Needs the extras `mcp` and `local`. Run it with `python examples/mcp_over_http.py`.
"""

import os
import re
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from subprocess import PIPE

import anyio
import httpx2
from anyio.streams.text import TextReceiveStream
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

SLOW = "import time\nfor n in range(6):\n    time.sleep(0.5)\n    print('step', n, flush=True)"


@asynccontextmanager
async def mcp_server(secret: str) -> AsyncIterator[str]:
    """Start the MCP server, and yield its URL when it says that it listens."""
    command = [sys.executable, "-m", "jupyter_mcp_server", "--transport", "streamable-http"]
    where = {"env": {**os.environ, "MCP_TOKEN": secret}, "cwd": tempfile.mkdtemp()}
    async with await anyio.open_process([*command, "--port", "0"], stderr=PIPE, **where) as process:
        assert process.stderr is not None
        said = ""
        while not (url := re.search(r"http://\S+/mcp", said)):
            said += await TextReceiveStream(process.stderr).receive()
        yield url[0]
        process.terminate()


async def say(progress: float, total: float | None, message: str | None) -> None:
    print("   …", message)


async def main() -> None:
    secret = secrets.token_urlsafe()
    headers = {"Authorization": f"Bearer {secret}"}
    async with (
        mcp_server(secret) as url,
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        use = {"notebook_name": "demo", "notebook_path": "demo.ipynb", "mode": "create"}
        await client.call_tool("use_notebook", use)
        cell = {"notebook_name": "demo", "cell_index": 0, "cell_source": SLOW}
        done = await client.call_tool("insert_execute_code_cell", cell, progress_callback=say)
        print(*(content.text for content in done.content if content.type == "text"), sep="\n")


if __name__ == "__main__":
    anyio.run(main)
