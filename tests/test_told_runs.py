# SPDX-License-Identifier: BSD-3-Clause
"""Runs of which a server tells all outputs anew each time, without the server."""

from typing import Any

import pytest

from jupyter_agent_core import InputRequest, StreamOutput
from jupyter_agent_core._document.editor import Editor
from jupyter_agent_core._document.model import NotebookDocument
from jupyter_agent_core._document.operations import DeleteCell, InsertCell, SetSource
from jupyter_agent_core._execution.detached import DetachedExecution
from jupyter_agent_core._execution.server_side import CellExecution, CellTraces
from jupyter_agent_core._http.server_runs import RunRequest
from jupyter_agent_core._values import Output


@pytest.fixture
def document() -> NotebookDocument:
    """A notebook with one cell of code."""
    document = NotebookDocument()
    Editor(document).apply([InsertCell("code", "code", before=None)])
    return document


@pytest.fixture
def run(document: NotebookDocument) -> DetachedExecution:
    return DetachedExecution(document.cell(document.ids[0]), None)


def told(*outputs: dict[str, Any], **others: Any) -> RunRequest:
    facts = {"pending": True, "status": None, "refusal": None, "asked": None}
    return RunRequest(**{**facts, "outputs": outputs, "execution_count": None, **others})


def printed(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


ONE, TWO = StreamOutput("stdout", "one\n"), StreamOutput("stdout", "two\n")
WARNED = StreamOutput("stderr", "two\n")


@pytest.mark.parametrize(
    ("then", "come"),
    [
        ([printed("one\n")], []),
        ([printed("one\n"), printed("two\n")], [TWO]),
        ([printed("one\n"), printed("two\n", "stderr")], [WARNED]),
        ([printed("one\ntwo\n"), printed("two\n", "stderr")], [TWO, WARNED]),
        ([printed("two\n")], [TWO]),  # it was cleared
        ([printed("two\n", "stderr")], [WARNED]),
        ([printed("one\ntwo\n", "stderr")], [StreamOutput("stderr", "one\ntwo\n")]),
        ([], []),
    ],
)
def test_who_follows_a_run_gets_what_has_come_since_the_server_told_before(
    run: DetachedExecution, then: list[dict[str, Any]], come: list[Output]
) -> None:
    run.tell(told(printed("one\n")))
    with run.followed() as first, run.followed() as second:
        assert (first.take(), second.take()) == ([ONE], [ONE])
        run.tell(told(*then))
        assert (first.take(), second.take()) == (come, come)


def test_a_run_that_the_server_refuses_is_aborted(run: DetachedExecution) -> None:
    run.tell(told(pending=False, refusal="no such kernel"))
    assert run.status == "aborted"


async def test_a_question_that_is_told_after_the_end_of_its_run_is_asked_nobody(
    document: NotebookDocument,
) -> None:
    asked: list[InputRequest] = []

    def answer(request: InputRequest) -> str:
        asked.append(request)
        return "Ada"

    run = DetachedExecution(document.cell(document.ids[0]), answer)
    run.tell(told(pending=False, status="ok"))
    assert await run.answer(InputRequest("Name?", password=False)) is None
    assert (run.status, asked, run.result().outputs) == ("ok", [], ())


def test_a_run_whose_cell_is_deleted_keeps_what_it_had_printed(document: NotebookDocument) -> None:
    cell = document.cell(document.ids[0])
    run = CellExecution(document, cell)
    run.begin()
    outputs = document.youtputs(cell.id)
    assert outputs is not None
    outputs.append(printed("one\n"))
    assert run.result().outputs == (ONE,)
    Editor(document).apply([DeleteCell(cell.id)])
    run.complete()
    result = run.result()
    assert (result.status, result.outputs, result.execution_count) == ("ok", (ONE,), None)


def test_an_edit_of_a_cell_says_nothing_of_the_run_before_its_own(
    document: NotebookDocument,
) -> None:
    editor = Editor(document)
    editor.apply([InsertCell("ahead", "code", before=None)])
    ahead, ours = document.ids[1], document.ids[0]
    ycell = document.ycell(ahead)
    assert ycell is not None
    ycell["execution_state"] = "running"
    traces = CellTraces(document, ours)
    editor.apply([SetSource(ours, "edited")])
    assert (traces.seen, traces.has_begun()) == (True, False)
    outputs = document.youtputs(ours)
    assert outputs is not None
    outputs.append(printed("one\n"))
    assert traces.has_begun()
    traces.close()
