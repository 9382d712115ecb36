# SPDX-License-Identifier: BSD-3-Clause
"""What messages of a kernel become as outputs of a run, without a server."""

import pytest

from jupyter_agent_core import DisplayOutput, ErrorOutput, ExecuteResult, StreamOutput
from jupyter_agent_core._execution import outputs as outputs_module
from jupyter_agent_core._execution.execution import Execution
from jupyter_agent_core._execution.outputs import Displays, OutputFold
from jupyter_agent_core._values import Output


def shown(text: str, display_id: str = "") -> dict[str, object]:
    """Content of a message that shows something."""
    transient = {"display_id": display_id} if display_id else {}
    return {"data": {"text/plain": text}, "metadata": {}, "transient": transient}


def texts(outputs: tuple[Output, ...]) -> list[str]:
    return [
        output.text if isinstance(output, StreamOutput) else output.data["text/plain"]
        for output in outputs
        if not isinstance(output, ErrorOutput)
    ]


def test_a_line_that_ends_after_a_return_keeps_its_text() -> None:
    fold = OutputFold(Displays())
    for text in ("windows\r", "\nunix\r", "\n\nx"):
        fold.feed("stream", {"name": "stdout", "text": text})
    assert fold.outputs() == (StreamOutput("stdout", "windows\nunix\n\nx"),)


@pytest.mark.parametrize("transient", [None, "x", {"display_id": "d"}])
def test_text_is_no_display_whatever_its_message_says(transient: object) -> None:
    displays = Displays()
    fold = OutputFold(displays)
    fold.feed("stream", {"name": "stdout", "text": "text", "transient": transient})
    displays.update("d", shown("updated"))
    assert fold.outputs() == (StreamOutput("stdout", "text"),)


def test_a_result_that_is_updated_stays_the_result_of_its_run() -> None:
    displays = Displays()
    fold = OutputFold(displays)
    fold.feed("execute_result", {**shown("one", "d"), "execution_count": 7})
    displays.update("d", shown("two"))
    assert fold.outputs() == (ExecuteResult({"text/plain": "two"}, {}, 7),)


def test_of_very_many_displays_the_oldest_can_be_updated_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outputs_module, "_MAX_DISPLAYS", 2)
    displays = Displays()
    fold = OutputFold(displays)
    for display_id in ("a", "b", "a", "c"):
        fold.feed("display_data", shown("old", display_id))
    for display_id in ("a", "b", "c"):
        displays.update(display_id, shown("new"))
    assert texts(fold.outputs()) == ["new", "old", "new", "new"]


def test_displays_beyond_the_bound_are_counted_and_the_exception_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outputs_module, "MAX_OUTPUTS", 2)
    run = Execution("", Displays())
    for number in range(5):
        run.feed("display_data", shown(str(number)))
    run.feed("error", {"ename": "E", "evalue": "v", "traceback": []})
    run.end("error")
    result = run.result()
    assert result.outputs_lost
    assert result.error == ErrorOutput("E", "v", ())
    assert result.outputs[:2] == tuple(DisplayOutput({"text/plain": text}) for text in "01")
    assert texts(result.outputs[2:]) == ["\n[… 3 outputs were not kept …]\n"]
    assert result.outputs[-1] == result.error
