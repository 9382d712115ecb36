# SPDX-License-Identifier: BSD-3-Clause
"""A process that ends right after an edit, however it ends: the edit is there, and it is quick."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import anyio
import pytest
from collaborator import collaborator
from servers import RunningServer

pytestmark = pytest.mark.alone

QUICK = 2.0
TIMEOUT = 30

ASYNC = """
    import asyncio, sys
    from jupyter_agent_core import connect

    async def main():
        async with connect({url!r}, token={token!r}) as server:
            notebook = await server.open_notebook({path!r}, create=True)
            cell = await notebook.append_cell("import time; time.sleep(60)")
            run = await cell.start()
            await run.wait(0.5)
            await notebook.append_cell("the last edit")
            print("edited", flush=True)
            {end}

    asyncio.run(main())
"""
SYNC = """
    import sys
    from jupyter_agent_core.sync import connect

    notebook = connect({url!r}, token={token!r}).open_notebook({path!r}, create=True)
    cell = notebook.append_cell("import time; time.sleep(60)")
    run = cell.start()
    run.wait(0.5)
    notebook.append_cell("the last edit")
    print("edited", flush=True)
    {end}
"""
WAITING = {ASYNC: "await run.wait()", SYNC: "run.wait()"}
ENDS = [
    pytest.param(ASYNC, "the block ends", id="async-block"),
    pytest.param(ASYNC, "SIGINT", id="async-SIGINT"),
    pytest.param(SYNC, "sys.exit", id="sync-exit"),
    pytest.param(SYNC, "SIGINT", id="sync-SIGINT"),
    *([pytest.param(SYNC, "SIGTERM", id="sync-SIGTERM")] if os.name == "posix" else []),
]


@pytest.mark.parametrize(("script", "end"), ENDS)
def test_an_edit_that_has_returned_is_there_when_the_process_has_ended(
    lab: RunningServer, folder: str, tmp_path: Path, script: str, end: str
) -> None:
    path = f"{folder}/n.ipynb"
    last = {"the block ends": "pass", "sys.exit": "sys.exit()"}.get(end, WAITING[script])
    code = textwrap.dedent(script).format(url=lab.url, token=lab.token, path=path, end=last)
    (tmp_path / "script.py").write_text(code)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "edited\n"
        begun = time.monotonic()
        if end.startswith("SIG"):
            process.send_signal(signal.Signals[end])
        process.wait(TIMEOUT)
    took = time.monotonic() - begun
    assert anyio.run(sources, lab, path) == ["import time; time.sleep(60)", "the last edit"]
    assert took < QUICK


async def sources(lab: RunningServer, path: str) -> list[str]:
    async with collaborator(lab, path) as raw:
        return [cell["source"] for cell in raw.cells()]
