# SPDX-License-Identifier: BSD-3-Clause
"""Outputs reach the document while the cell runs, whatever happens to the cell meanwhile."""

from itertools import pairwise
from typing import Any

import anyio
import pytest
from collaborator import Collaborator, collaborator
from hypothesis import given
from hypothesis import strategies as st
from servers import RunningServer

from jupyter_agent_core import Cell, Notebook, Run, StreamOutput
from jupyter_agent_core._document.editor import Editor
from jupyter_agent_core._document.model import NotebookDocument
from jupyter_agent_core._document.operations import DeleteCell, InsertCell
from jupyter_agent_core._execution import outputs as outputs_module
from jupyter_agent_core._execution import recorder as recorder_module
from jupyter_agent_core._execution.execution import Execution
from jupyter_agent_core._execution.outputs import Displays
from jupyter_agent_core._execution.recorder import Recorder

# the cell prints what it is told to: one line for each file that appears in its folder
STEPS = """\
import os, time
print('begun', flush=True)
for step in ('one', 'two', 'three'):
    while not os.path.exists(step): time.sleep(0.005)
    print(step, flush=True)
"""


class Steps:
    """A cell that runs on at our word."""

    def __init__(self, notebook: Notebook, cell: Cell, run: Run, lab: RunningServer) -> None:
        self.cell = cell
        self.run = run
        self._folder = (lab.root / notebook.path).parent

    def go(self, *steps: str) -> None:
        for step in steps:
            (self._folder / step).touch()

    async def seen(self, text: str) -> None:
        """Wait until the run, not the document, has the output."""
        while text not in (await self.run.wait(0.02)).text:
            assert self.run.status in ("queued", "running")

    async def finish(self) -> None:
        self.go("one", "two", "three")
        result = await self.run.wait()
        assert result.status == "ok"
        assert result.text == "begun\none\ntwo\nthree"


@pytest.fixture
async def steps(notebook: Notebook, lab: RunningServer) -> Steps:
    cell = await notebook.append_cell(STEPS)
    await notebook.kernel.connect()
    with anyio.fail_after(20):
        steps = Steps(notebook, cell, await cell.start(), lab)
        await steps.seen("begun")
        await notebook.flush()
    return steps


def shown(human: Collaborator, cell_id: str) -> str:
    return "".join(output["text"] for output in human.cell(cell_id)["outputs"])


async def test_another_client_sees_each_output_as_it_comes(
    notebook: Notebook, steps: Steps, lab: RunningServer
) -> None:
    cell_id = steps.cell.id
    with anyio.fail_after(20):
        async with collaborator(lab, notebook.path) as human:
            assert human.cell(cell_id)["execution_state"] == "running"
            assert human.cell(cell_id)["execution_count"] is None
            expected = "begun\n"
            for step in ("one", "two", "three"):
                await human.until(lambda: shown(human, cell_id) == expected)  # noqa: B023
                steps.go(step)
                expected += f"{step}\n"
            await human.until(lambda: shown(human, cell_id) == expected)
            await human.until(lambda: human.cell(cell_id)["execution_state"] == "idle")
            assert human.cell(cell_id)["execution_count"] == 1


async def test_output_that_follows_closely_is_shown_before_the_run_ends(
    notebook: Notebook, lab: RunningServer
) -> None:
    cell = await notebook.append_cell(
        "import time\n"
        "for text in 'abc':\n"
        "    time.sleep(0.2)\n"
        "    print(text + '1', flush=True); time.sleep(0.01); print(text + '2', flush=True)\n"
        "time.sleep(600)"
    )
    run = await cell.start()
    with anyio.fail_after(10):
        async with collaborator(lab, notebook.path) as human:
            await human.until(lambda: shown(human, cell.id) == "a1\na2\nb1\nb2\nc1\nc2\n")
    assert (await run.interrupt()).status == "interrupted"


async def test_cells_that_come_and_go_around_a_running_cell_do_not_redirect_its_output(
    notebook: Notebook, steps: Steps
) -> None:
    with anyio.fail_after(20):
        above = await notebook.insert_cell(0, "above")
        steps.go("one")
        await steps.seen("one")
        between = await notebook.insert_cell(1, "between")
        await notebook.append_cell("below")
        steps.go("two")
        await steps.seen("two")
        await notebook.delete_cells([above.id, between.id])
        await steps.finish()
    ours, below = await notebook.read()
    assert ours.id == steps.cell.id
    assert ours.text == "begun\none\ntwo\nthree"
    assert below.outputs == ()


async def test_a_running_cell_that_a_human_moves_keeps_getting_its_output(
    notebook: Notebook, steps: Steps, lab: RunningServer
) -> None:
    with anyio.fail_after(20):
        await notebook.append_cell("other")
        async with collaborator(lab, notebook.path) as human:
            plain: dict[str, Any] = human.cell(steps.cell.id)

            def move() -> None:
                """As JupyterLab does: delete it and insert a copy with its id."""
                with human.notebook.ydoc.transaction():
                    del human.notebook.ycells[0]
                    human.notebook.ycells.append(human.notebook.create_ycell(plain))

            await human.send(move)
            await human.pull()
            await notebook.flush()
            assert (await steps.cell.read()).index == 1
            await steps.finish()
            await notebook.flush()
            await human.pull()
            assert shown(human, steps.cell.id) == "begun\none\ntwo\nthree\n"
    other, moved = await notebook.read()
    assert other.outputs == ()
    assert moved.text == "begun\none\ntwo\nthree"
    assert moved.execution_state == "idle"
    assert moved.execution_count == 1


async def test_a_running_cell_that_we_move_runs_on_and_gets_all_its_output(
    notebook: Notebook, steps: Steps
) -> None:
    with anyio.fail_after(20):
        await notebook.append_cell("other", "markdown")
        assert (await steps.cell.move(1)).execution_state == "running"
        steps.go("one")
        await steps.seen("one")
        assert (await steps.cell.move(0)).text.startswith("begun")
        await steps.finish()
    moved, other = await notebook.read()
    assert moved.id == steps.cell.id
    assert (moved.text, moved.execution_count) == ("begun\none\ntwo\nthree", 1)
    assert moved.execution_state == "idle"
    assert other.outputs == ()


async def test_a_human_who_clears_the_outputs_wins_and_later_output_follows(
    notebook: Notebook, steps: Steps, lab: RunningServer
) -> None:
    with anyio.fail_after(20):
        async with collaborator(lab, notebook.path) as human:
            steps.go("one")
            await steps.seen("one")
            await notebook.flush()
            await human.pull()
            await human.send(human.ycell(steps.cell.id)["outputs"].clear)
            await human.pull()
            await notebook.flush()
            assert (await steps.cell.read()).outputs == ()
            await steps.finish()
            await notebook.flush()
            await human.pull()
            theirs = shown(human, steps.cell.id)
    assert "begun" not in theirs
    assert "one" not in theirs
    assert theirs.endswith("three\n")
    assert (await steps.cell.read()).text + "\n" == theirs
    assert (await steps.cell.read()).execution_count == 1


async def test_a_human_who_adds_an_output_keeps_it(
    notebook: Notebook, steps: Steps, lab: RunningServer
) -> None:
    foreign = {"output_type": "stream", "name": "stderr", "text": "a human's"}
    with anyio.fail_after(20):
        async with collaborator(lab, notebook.path) as human:
            youtputs = human.ycell(steps.cell.id)["outputs"]
            await human.send(lambda: youtputs.append(foreign))
            await human.pull()
            await notebook.flush()
            await steps.finish()
    assert StreamOutput("stderr", "a human's") in (await steps.cell.read()).outputs
    assert (await steps.cell.read()).text.endswith("three")


async def test_a_human_who_deletes_the_running_cell_breaks_nothing(
    notebook: Notebook, steps: Steps, lab: RunningServer
) -> None:
    await notebook.append_cell("other")
    with anyio.fail_after(20):
        async with collaborator(lab, notebook.path) as human:
            await human.send(lambda: human.notebook.ycells.pop(0))
            await human.pull()
        await notebook.flush()
        await steps.finish()
        result = await notebook.cell(0).execute()
    assert result.status == "error"
    (only,) = await notebook.read()
    assert only.source == "other"


async def test_a_human_who_edits_the_running_cell_changes_nothing_of_its_run(
    notebook: Notebook, steps: Steps, lab: RunningServer
) -> None:
    with anyio.fail_after(20):
        async with collaborator(lab, notebook.path) as human:
            source = human.ycell(steps.cell.id)["source"]
            await human.send(lambda: source.insert(0, "# note\n"))
            await human.pull()
        await steps.finish()
    await notebook.flush()
    assert (await steps.cell.read()).source == "# note\n" + STEPS
    assert (await steps.cell.read()).text == "begun\none\ntwo\nthree"


async def test_leaving_while_a_cell_runs_keeps_what_it_has_shown(
    notebook: Notebook, steps: Steps, lab: RunningServer
) -> None:
    steps.go("one")
    with anyio.fail_after(20):
        await steps.seen("one")
        await notebook.close()
        async with collaborator(lab, notebook.path) as human:
            assert shown(human, steps.cell.id) == "begun\none\n"
            assert human.cell(steps.cell.id)["execution_state"] == "idle"


# --- any sequence of messages, without a server


STREAMS = st.builds(
    lambda name, text: ("stream", {"name": name, "text": text}),
    st.sampled_from(["stdout", "stderr"]),
    st.text("ab\n\r\bé😀", min_size=1, max_size=5),
)
DISPLAYS = st.builds(
    lambda kind, text, display_id: (
        kind,
        {
            "data": {"text/plain": text},
            "metadata": {},
            "transient": {"display_id": display_id} if display_id else {},
            "execution_count": 1,
        },
    ),
    st.sampled_from(["display_data", "execute_result", "update_display_data"]),
    st.text("xy", max_size=3),
    st.sampled_from(["", "d1", "d2"]),
)
CLEARS = st.builds(lambda wait: ("clear_output", {"wait": wait}), st.booleans())
ERROR = st.just(("error", {"ename": "E", "evalue": "v", "traceback": ["t"]}))
MESSAGES = st.one_of(STREAMS, STREAMS, DISPLAYS, CLEARS, ERROR)


@given(
    st.lists(st.tuples(MESSAGES, st.booleans()), max_size=25),
    st.sampled_from([outputs_module.MAX_TEXT, 10]),
)
def test_any_outputs_are_recorded_as_they_are(
    messages: list[tuple[tuple[str, dict[str, Any]], bool]], max_text: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outputs_module, "MAX_TEXT", max_text)
        patch.setattr(outputs_module, "MAX_TAIL", 4)
        check_recorded(messages)


def check_recorded(messages: list[tuple[tuple[str, dict[str, Any]], bool]]) -> None:
    document, replica = NotebookDocument(), NotebookDocument()
    displays = Displays()
    editor = Editor(document)
    editor.apply([InsertCell("code", "code", before=None)])
    cell_id = document.ids[0]
    recorder = Recorder(document, cell_id, displays, editor.author)
    run = Execution("code", displays, cell_id=cell_id, listener=recorder)
    run.start()
    for (kind, content), write_now in messages:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recorder_module, "INTERVAL", 0 if write_now else 1e9)
            if kind == "update_display_data":
                if display_id := content["transient"].get("display_id"):
                    displays.update(display_id, content)
            else:
                run.feed(kind, content)
        if write_now and kind != "update_display_data":
            assert document.cell(cell_id).outputs == run.result().outputs
    run.end("ok")
    outputs = document.cell(cell_id).outputs
    assert outputs == run.result().outputs
    streams = [output.name if isinstance(output, StreamOutput) else "" for output in outputs]
    assert not [one for one, next_ in pairwise(streams) if one and one == next_]
    replica.apply_remote(document.ydoc.get_update(replica.ydoc.get_state()))
    assert replica.cell(cell_id).outputs == outputs


# --- what happens to the document meanwhile, without a server


LINE = {"name": "stdout", "text": "one\n"}


def recorded(document: NotebookDocument) -> Execution:
    """A run of the document's first cell that has not begun."""
    displays, cell_id = Displays(), document.ids[0]
    recorder = Recorder(document, cell_id, displays, Editor(document).author)
    return Execution("code", displays, cell_id=cell_id, listener=recorder)


@pytest.fixture
def document() -> NotebookDocument:
    """A notebook as a server has it, with one cell of code."""
    document = NotebookDocument()
    document.load(CONTENT, anew=True)
    return document


CONTENT = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
    "cells": [
        {
            "id": "c",
            "cell_type": "code",
            "source": "code",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
    ],
}


@pytest.mark.parametrize("theirs", [[], [{"output_type": "stream", **LINE}]])
def test_outputs_that_the_server_has_lost_with_its_document_are_written_anew(
    document: NotebookDocument, theirs: list[dict[str, str]]
) -> None:
    run = recorded(document)
    run.start()
    run.feed("stream", LINE)
    (cell,) = CONTENT["cells"]
    document.load(CONTENT | {"cells": [cell | {"outputs": theirs}]}, anew=True)
    run.feed("stream", {"name": "stderr", "text": "two\n"})
    run.end("ok")
    lines = (StreamOutput("stdout", "one\n"), StreamOutput("stderr", "two\n"))
    assert document.cell("c").outputs == lines


def test_a_cell_that_is_deleted_before_its_run_is_sent_is_run_all_the_same(
    document: NotebookDocument,
) -> None:
    run = recorded(document)
    Editor(document).apply([DeleteCell("c")])
    run.start()
    run.feed("stream", LINE)
    run.end("ok")
    assert run.result().outputs == (StreamOutput("stdout", "one\n"),)
    assert not document.ids


def test_what_is_taken_back_of_a_line_is_taken_back_in_the_document(
    document: NotebookDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "INTERVAL", 0)
    run = recorded(document)
    run.start()
    for text, line in (("5%", "5%"), ("\b", "5"), ("\b\b", ""), ("éb", "éb"), ("\rc", "cb")):
        run.feed("stream", {"name": "stdout", "text": text})
        assert document.cell("c").outputs == (StreamOutput("stdout", line),)
