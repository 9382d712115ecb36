# SPDX-License-Identifier: BSD-3-Clause
"""What a newcomer runs to see it work."""

from __future__ import annotations

import contextlib
import secrets
import shlex
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio

from jupyter_agent_core import NoRunningServerError, Server, Workspace, connect, launch
from jupyter_agent_core._workspace.registry import tools_of
from jupyter_agent_core._workspace.scratch import delete_notebook
from jupyter_agent_core.rendering import Image, render

Say = Callable[[str], object]

TEXT = "# A demo\nThis notebook was written and run by an agent."
TABLE = "squares = [n * n for n in range(10)]\nprint(squares)\nsum(squares)"
PLOT = "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot(squares);"
# where there is no matplotlib: a PNG file by hand
DRAWING = """\
import struct, zlib
from IPython.display import Image

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

rows = [[255 - 3 * squares[x // 8] if 80 - y <= squares[x // 8] else 255 for x in range(80)]
        for y in range(80)]
pixels = zlib.compress(b"".join(b"\\0" + bytes(max(0, grey) for grey in row) for row in rows))
header = struct.pack(">IIBBBBB", 80, 80, 8, 0, 0, 0, 0)
chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
Image(b"\\x89PNG\\r\\n\\x1a\\n" + chunks)
"""


async def show(say: Say, stay: bool) -> None:
    """Run a notebook, and say what a model would receive, and where a human sees it.

    It is run in the JupyterLab that holds the working directory, where one is running, else on a
    private server.

    Args:
        say: Prints a line.
        stay: Let the private server run until Ctrl-C.

    Raises:
        ExtraNotInstalledError: The extra `local` is missing.
        ServerStartError
    """
    with contextlib.suppress(NoRunningServerError):
        async with connect("auto") as server:
            if server.info.lab:
                say(f"JupyterLab runs here: {server.url}")
                await _show_in_lab(server, say)
                return
    say("Starting a private Jupyter server …")
    with tempfile.TemporaryDirectory(prefix="jupyter-mcp-demo-") as folder:
        async with launch(folder) as server:
            await _run_notebook(server, "demo.ipynb", say)
            if not stay:
                say("\nNothing is left of it; --stay keeps it until Ctrl-C, to look at it.")
                return
            file = str(Path(folder, "demo.ipynb"))
            lab = "jupyter lab" if find_spec("jupyterlab") else "uvx --from jupyterlab jupyter-lab"
            say(f"\nThe notebook is {file}")
            say(f"Look at it with: {lab} {shlex.quote(file)}")
            say("Ctrl-C ends the demo.")
            await anyio.sleep_forever()


async def _show_in_lab(server: Server, say: Say) -> None:
    """Run the notebook in a JupyterLab of the user's, and leave it there if all of it was run."""
    path = f"jupyter-mcp-demo-{secrets.token_hex(3)}.ipynb"
    async with AsyncExitStack() as stack:
        stack.push_async_callback(delete_notebook, server, path)
        await _run_notebook(server, path, say)
        stack.pop_all()
    say(f"\nLook at it: {server.url}lab/tree/{path}")
    say("(`jupyter server list` shows the token if it asks for one.)")
    say(f"{path} stays at the root of that server: delete it when you have seen it.")


async def _run_notebook(server: Server, path: str, say: Say) -> None:
    plot = PLOT if find_spec("matplotlib") is not None else DRAWING
    async with Workspace(server) as workspace:
        call = partial(_call, workspace, say)
        await call("use_notebook", notebook_name="demo", notebook_path=path, mode="create")
        await call("insert_cell", cell_index=-1, cell_type="markdown", cell_source=TEXT)
        for source in (TABLE, plot):
            await call("insert_execute_code_cell", cell_index=-1, cell_source=source, timeout=120)
        await call("read_notebook")
        await workspace.save_notebook()


async def _call(workspace: Workspace, say: Say, name: str, **arguments: Any) -> None:
    """Call a tool as a model does, and say what it would see."""
    given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    say(f"\n── the model calls {name}({given}) and receives:")
    answer = await tools_of(Workspace)[name].call(workspace, arguments)
    for content in render(answer):
        if isinstance(content, Image):
            say(f"[an image, {content.mime_type}, {len(content.data) * 3 // 4} bytes]")
        else:
            say(content.text)
