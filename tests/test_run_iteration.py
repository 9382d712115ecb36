# SPDX-License-Identifier: BSD-3-Clause
"""Outputs of a run, as they come."""

import anyio
from servers import RunningServer

from jupyter_agent_core import (
    DisplayOutput,
    ErrorOutput,
    ExecuteResult,
    Notebook,
    StreamOutput,
    sync,
)
from jupyter_agent_core._values import Output

WAITING = """\
import pathlib, sys, time
# `print` writes the text and the end of the line, which may be sent in two
sys.stdout.write('one\\n')
sys.stdout.flush()
while not pathlib.Path('go').exists():
    time.sleep(0.01)
sys.stderr.write('two\\n')
sys.stderr.flush()
display('three')
'four'
"""


def kinds(outputs: list[Output]) -> list[tuple[type, str]]:
    return [
        (
            type(output),
            output.text
            if isinstance(output, StreamOutput)
            else output.ename
            if isinstance(output, ErrorOutput)
            else output.data["text/plain"],
        )
        for output in outputs
    ]


ALL = [
    (StreamOutput, "one\n"),
    (StreamOutput, "two\n"),
    (DisplayOutput, "'three'"),
    (ExecuteResult, "'four'"),
]


async def test_outputs_are_given_as_they_come_and_from_the_first(
    notebook: Notebook, lab: RunningServer, folder: str
) -> None:
    run = await (await notebook.append_cell(WAITING)).start()
    seen: list[Output] = []
    with anyio.fail_after(20):
        async for output in run:
            seen.append(output)
            if len(seen) == 1:
                assert run.status == "running"
                (lab.root / folder / "go").touch()
    assert kinds(seen) == ALL
    assert run.status == "ok"
    # who comes late gets all of them
    assert kinds([output async for output in run]) == ALL


async def test_an_iteration_that_is_left_leaves_the_run_alone(
    notebook: Notebook, lab: RunningServer, folder: str
) -> None:
    run = await (await notebook.append_cell(WAITING)).start()
    with anyio.fail_after(20):
        async for _ in run:
            break
        assert run.status == "running"
        (lab.root / folder / "go").touch()
        assert (await run.wait()).status == "ok"


async def test_an_iteration_ends_with_the_exception(notebook: Notebook) -> None:
    run = await notebook.kernel.start("1/0")
    with anyio.fail_after(20):
        seen = [output async for output in run]
    assert isinstance(seen[-1], ErrorOutput)
    assert run.status == "error"


async def test_text_that_comes_faster_than_it_is_taken_is_given_at_once(
    notebook: Notebook,
) -> None:
    lines = 2_000
    run = await notebook.kernel.start(f"for n in range({lines}): print(n, flush=True)")
    with anyio.fail_after(40):
        pieces = []
        async for output in run:
            assert isinstance(output, StreamOutput)
            pieces.append(output.text)
            if len(pieces) == 1:
                await run.wait()
    assert "".join(pieces).split() == [str(n) for n in range(lines)]
    assert len(pieces) < 10


def test_the_blocking_api_iterates_too(lab: RunningServer, folder: str) -> None:
    with sync.connect(lab.url, token=lab.token) as server:
        notebook = server.open_notebook(f"{folder}/sync.ipynb", create=True)
        run = notebook.append_cell(WAITING).start()
        seen = []
        for output in run:
            seen.append(output)
            (lab.root / folder / "go").touch()
        assert kinds(seen) == ALL
