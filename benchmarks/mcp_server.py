# SPDX-License-Identifier: BSD-3-Clause
"""What the MCP server costs, against the library call that each tool stands for.

    python benchmarks/mcp_server.py [--rounds N]

The calls go to one private Jupyter server and one kernel: by the library in this process, and
through MCP servers in processes of their own, over stdio and over HTTP. What is compared is
interleaved, so that each meets the same machine; a table gives medians, p95 and ratios.
"""

import argparse
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import httpx2
from anyio.streams.text import TextReceiveStream
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from timing import Action, interleaved, table

from jupyter_agent_core import Server, launch

COMMAND = [sys.executable, "-P", "-m", "jupyter_mcp_server"]
CODE = "1+1"
CELLS = 20
START_TIMEOUT = 30.0
LIBRARY, STDIO, HTTP = "library", "MCP over stdio", "MCP over HTTP"


def environment(server: Server | None, **variables: str) -> dict[str, str]:
    """The environment of an MCP server; without a server, nothing answers at its URL."""
    url = server.url if server is not None else "http://127.0.0.1:9"
    token = server.token or "" if server is not None else ""
    return {**os.environ, "JUPYTER_URL": url, "JUPYTER_TOKEN": token, **variables}


@asynccontextmanager
async def over_stdio(server: Server) -> AsyncIterator[Client]:
    parameters = StdioServerParameters(
        command=COMMAND[0], args=COMMAND[1:], env=environment(server)
    )
    async with Client(parameters, read_timeout_seconds=60) as client:
        yield client


@asynccontextmanager
async def over_http(server: Server) -> AsyncIterator[Client]:
    secret = secrets.token_urlsafe()
    command = [*COMMAND, "--transport", "streamable-http", "--port", "0"]
    async with await anyio.open_process(
        command, env=environment(server, MCP_TOKEN=secret), stdout=subprocess.DEVNULL
    ) as process:
        try:
            assert process.stderr is not None
            url = await served_at(TextReceiveStream(process.stderr))
            headers = {"Authorization": f"Bearer {secret}"}
            async with (
                httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http,
                Client(streamable_http_client(url, http_client=http)) as client,
            ):
                yield client
        finally:
            process.terminate()


async def served_at(log: TextReceiveStream) -> str:
    """Read the log of an MCP server until it says where it is."""
    written = ""
    with anyio.fail_after(START_TIMEOUT):
        async for text in log:
            written += text
            if found := re.search(r"MCP is served at (\S+)\n", written):
                return found[1]
    raise RuntimeError(f"the MCP server has ended: {written}")


async def called(client: Client, tool: str, **arguments: object) -> None:
    """Call a tool that has to succeed."""
    result = await client.call_tool(tool, {"notebook_name": "nb", **arguments})
    assert not result.is_error, result.content


async def library_actions(server: Server) -> tuple[str, dict[str, Action]]:
    """The library calls, and the kernel that they run on."""
    notebook = await server.open_notebook("library.ipynb", create=True)
    for _ in range(CELLS):
        await notebook.append_cell(CODE)
    cell = notebook.cell(0)
    await cell.execute()
    assert notebook.kernel.id is not None
    insert = partial(notebook.insert_cell, CELLS, CODE)
    actions = {"execute_cell": cell.execute, "read_cell": cell.read, "insert_cell": insert}
    return notebook.kernel.id, actions


async def mcp_actions(client: Client, path: str, kernel_id: str) -> dict[str, Action]:
    """The same work by an MCP client, in a notebook of its own on the same kernel."""
    call = partial(called, client)
    await call("use_notebook", notebook_path=path, mode="create", kernel_id=kernel_id)
    insert = partial(call, "insert_cell", cell_type="code", cell_source=CODE)
    for _ in range(CELLS):
        await insert(cell_index=-1)
    return {
        "execute_cell": partial(call, "execute_cell", cell_index=0),
        "read_cell": partial(call, "read_cell", cell_index=0),
        "insert_cell": partial(insert, cell_index=CELLS),
    }


async def calls(server: Server, rounds: int) -> None:
    """The library calls and the tools, and what MCP adds."""
    async with AsyncExitStack() as stack:
        stdio = await stack.enter_async_context(over_stdio(server))
        http = await stack.enter_async_context(over_http(server))
        await sizes(stdio)
        kernel_id, library = await library_actions(server)
        by = {
            LIBRARY: library,
            STDIO: await mcp_actions(stdio, "stdio.ipynb", kernel_id),
            HTTP: await mcp_actions(http, "http.ipynb", kernel_id),
        }
        for tool in library:
            times = await interleaved({name: by[name][tool] for name in by}, rounds)
            table(f"{tool}, {rounds} rounds", times, LIBRARY)
            base = statistics.median(times[LIBRARY])
            for name in (STDIO, HTTP):
                print(f"{name} adds {statistics.median(times[name]) - base:.2f} ms")


async def sizes(client: Client) -> None:
    """Bytes of what each session of a model begins with."""
    listed = (await client.list_tools()).model_dump(by_alias=True, mode="json", exclude_none=True)
    size = len(json.dumps(listed, ensure_ascii=False, separators=(",", ":")).encode())
    print(f"tools/list: {size} bytes, {len(listed['tools'])} tools")
    print(f"instructions: {len((client.instructions or '').encode())} bytes")


async def python(code: str) -> None:
    """Run Python until it ends."""
    await anyio.run_process([sys.executable, "-P", "-c", code])


async def initialized() -> None:
    """Start the MCP server on stdio and get its answer to `initialize`."""
    request = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "benchmark", "version": "0"},
        },
    }
    async with await anyio.open_process(
        COMMAND, env=environment(None), stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdin.send(json.dumps(request).encode() + b"\n")
        with anyio.fail_after(START_TIMEOUT):
            answer = await process.stdout.receive()
        assert b'"result"' in answer, answer
        process.kill()


async def start(rounds: int) -> None:
    """From the spawn of the process to the answer to `initialize`."""
    actions: dict[str, Action] = {
        "import mcp.server": lambda: python("import mcp.server"),
        "python, nothing": lambda: python(""),
        "spawn to the answer to initialize": initialized,
    }
    times = await interleaved(actions, rounds)
    table(f"start, {rounds} rounds", times, "import mcp.server")


async def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["JUPYTER_RUNTIME_DIR"] = str(Path(folder, "runtime"))
        root = Path(folder, "root")
        root.mkdir()
        print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, private server")
        async with launch(root) as server:
            await calls(server, rounds)
    await start(max(5, rounds // 10))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    anyio.run(main, parser.parse_args().rounds)
