# SPDX-License-Identifier: BSD-3-Clause
"""Outputs are what JupyterLab would show: in the kernel's order, exact, bounded."""

from pathlib import Path

import anyio
import nbformat
import pytest
from collaborator import collaborator
from servers import RunningServer

from jupyter_agent_core import (
    CellSnapshot,
    DisplayOutput,
    ErrorOutput,
    ExecuteResult,
    ExecutionResult,
    Notebook,
    Server,
    StreamOutput,
)
from jupyter_agent_core._stored_outputs import output_from_nbformat


async def run(notebook: Notebook, code: str) -> ExecutionResult:
    """Run code in a new cell; its outputs in the document are those of the result."""
    cell = await notebook.append_cell(code)
    with anyio.fail_after(30):
        result = await cell.execute()
    snapshot = await cell.read()
    assert snapshot.outputs == result.outputs
    assert snapshot.execution_count == result.execution_count
    assert snapshot.execution_state == "idle"
    return result


async def as_others_see_it(notebook: Notebook, other: Server) -> tuple[CellSnapshot, ...]:
    await notebook.flush()
    theirs = await other.open_notebook(notebook.path)
    await theirs.flush()
    return await theirs.read()


def saved(lab: RunningServer, notebook: Notebook) -> nbformat.NotebookNode:
    """The file, which is valid."""
    path: Path = lab.root / notebook.path
    content = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(content)
    return content


def test_text_that_a_file_holds_in_lines_is_joined() -> None:
    output = {
        "output_type": "execute_result",
        "data": {"text/plain": ["a\n", "b"], "application/json": ["x", "y"]},
        "execution_count": 2.0,
    }
    data = {"text/plain": "a\nb", "application/json": ["x", "y"]}
    assert output_from_nbformat(output) == ExecuteResult(data, {}, 2)


@pytest.mark.parametrize(("text", "told"), [(None, "null"), (["a", 1], '["a", 1]'), ({}, "{}")])
def test_text_that_a_file_holds_in_another_way_is_told(text: object, told: str) -> None:
    output = {"output_type": "stream", "name": "stdout", "text": text}
    assert output_from_nbformat(output) == StreamOutput("stdout", told)


def test_an_output_of_a_kind_that_no_file_may_hold_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="nbformat 4 has no output_type 'update_display_data'"):
        output_from_nbformat({"output_type": "update_display_data", "data": {}})


def test_as_text_each_output_but_a_stream_begins_on_a_line_of_its_own() -> None:
    outputs = (
        StreamOutput("stdout", "a"),
        StreamOutput("stderr", "b"),
        DisplayOutput({"text/plain": "c"}),
        ErrorOutput("KeyError", "'d'"),
    )
    assert ExecutionResult("error", outputs, 1, "run", "cell", 0.1).text == "ab\nc\nKeyError: 'd'"


async def test_stdout_and_stderr_stay_in_the_order_in_which_they_were_written(
    notebook: Notebook,
) -> None:
    result = await run(
        notebook,
        "import sys\n"
        "for n in range(3):\n"
        "    print('out', n, flush=True)\n"
        "    print('err', n, file=sys.stderr, flush=True)",
    )
    assert result.outputs == tuple(
        StreamOutput(name, f"{text} {n}\n")
        for n in range(3)
        for name, text in (("stdout", "out"), ("stderr", "err"))
    )


async def test_no_newline_is_added_or_lost(notebook: Notebook) -> None:
    result = await run(
        notebook,
        "import sys\n"
        "for part in ('a', 'b\\n', '\\n', 'c', '', 'é😀'):\n"
        "    sys.stdout.write(part)\n    sys.stdout.flush()",
    )
    assert result.outputs == (StreamOutput("stdout", "ab\n\ncé😀"),)


async def test_all_kinds_of_outputs_come_in_order(notebook: Notebook, other: Server) -> None:
    result = await run(
        notebook,
        "from IPython.display import HTML, JSON, display\n"
        "print('text')\n"
        "display(HTML('<b>é</b>'), metadata={'text/html': {'isolated': True}})\n"
        "display({'application/json': {'a': [1, 2.5, None]}, 'text/plain': 'j'}, raw=True)\n"
        "print('after')\n"
        "'value'",
    )
    text, html, json_, after, value = result.outputs
    assert text == StreamOutput("stdout", "text\n")
    assert isinstance(html, DisplayOutput)
    assert html.data["text/html"] == "<b>é</b>"
    assert html.metadata["text/html"] == {"isolated": True}
    assert isinstance(json_, DisplayOutput)
    assert json_.data["application/json"] == {"a": [1, 2.5, None]}
    assert after == StreamOutput("stdout", "after\n")
    assert value == ExecuteResult({"text/plain": "'value'"}, {}, 1)
    assert (await as_others_see_it(notebook, other))[0].outputs == result.outputs


async def test_an_exception_is_the_last_output(notebook: Notebook) -> None:
    result = await run(notebook, "print('before')\nraise ValueError('é')")
    before, error = result.outputs
    assert before == StreamOutput("stdout", "before\n")
    assert isinstance(error, ErrorOutput)
    assert (error.ename, error.evalue) == ("ValueError", "é")
    assert result.error == error


async def test_a_plot_is_an_image_with_its_text(notebook: Notebook) -> None:
    result = await run(
        notebook, "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    )
    (plot,) = result.outputs
    assert isinstance(plot, DisplayOutput)
    assert plot.data["image/png"].startswith("iVBORw0KGgo")
    assert result.text.startswith("<Figure size")


async def test_a_progress_bar_is_its_last_state(notebook: Notebook) -> None:
    result = await run(
        notebook,
        "import sys, time\n"
        "for n in range(101):\n"
        "    sys.stdout.write(f'\\r{n:3d}% done'); sys.stdout.flush()\n"
        "sys.stdout.write('\\nx12\\b\\b34\\n'); sys.stdout.flush()",
    )
    assert result.outputs == (StreamOutput("stdout", "100% done\nx34\n"),)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (["abc\rX"], "Xbc"),
        (["abc", "\r", "X"], "Xbc"),
        (["one\ntwo\rT"], "one\nTwo"),
        (["ab\b\b\bc"], "c"),
        (["line\n\b\bx"], "line\nx"),
        (["windows\r\nunix\n"], "windows\nunix\n"),
        (["é😀\rx"], "x😀"),
    ],
)
async def test_returns_and_backspaces_act_as_in_a_terminal(
    notebook: Notebook, written: list[str], shown: str
) -> None:
    code = "import sys\n" + "".join(
        f"sys.stdout.write({part!r}); sys.stdout.flush()\n" for part in written
    )
    assert (await run(notebook, code)).outputs == (StreamOutput("stdout", shown),)


async def test_clear_output_waits_for_the_next_output_if_asked_to(notebook: Notebook) -> None:
    result = await run(
        notebook,
        "from IPython.display import clear_output, display\n"
        "print('gone'); display(1)\nclear_output()\nprint('one')\n"
        "clear_output(wait=True)\nprint('two')\nclear_output(wait=True)",
    )
    assert result.outputs == (StreamOutput("stdout", "two\n"),)


async def test_clear_output_at_the_end_leaves_nothing(notebook: Notebook) -> None:
    result = await run(
        notebook, "from IPython.display import clear_output\nprint(1)\nclear_output()"
    )
    assert result.outputs == ()


async def test_a_display_is_updated_in_its_place(notebook: Notebook, other: Server) -> None:
    result = await run(
        notebook,
        "from IPython.display import display\n"
        "h = display('one', display_id='d')\nprint('after')\n"
        "h.update('two')\nprint('end')",
    )
    assert result.status == "ok", result
    assert result.outputs == (
        DisplayOutput({"text/plain": "'two'"}),
        StreamOutput("stdout", "after\nend\n"),
    )
    assert (await as_others_see_it(notebook, other))[0].outputs == result.outputs


async def test_a_display_is_updated_from_another_cell(notebook: Notebook, other: Server) -> None:
    first = await notebook.append_cell(
        "print('x')\nh = display('one', display_id=True)\nprint('y')"
    )
    twice = await notebook.append_cell("display('one', display_id=h.display_id);")
    for cell in (first, twice):
        await cell.execute(timeout=30)
    result = await run(notebook, "h.update('two')")
    assert result.outputs == ()

    cells = await as_others_see_it(notebook, other)
    assert cells[0].text == "x\n'two'\ny"
    assert cells[1].text == "'two'"


async def test_a_display_that_was_cleared_is_not_updated(notebook: Notebook) -> None:
    first = await notebook.append_cell("h = display('one', display_id=True)")
    await first.execute(timeout=30)
    await first.set_source("1 + 1")
    await first.execute(timeout=30)
    await run(notebook, "h.update('two')")
    assert (await first.read()).text == "2"


async def test_running_a_cell_again_replaces_its_outputs(notebook: Notebook, other: Server) -> None:
    cell = await notebook.append_cell("print('first'); display(1); 2")
    await cell.execute(timeout=30)
    await cell.set_source("print('second')")
    for count in (2, 3):
        result = await cell.execute(timeout=30)
        assert result.outputs == (StreamOutput("stdout", "second\n"),)
        (theirs,) = await as_others_see_it(notebook, other)
        assert theirs.outputs == result.outputs
        assert theirs.execution_count == count


async def test_code_without_a_cell_leaves_the_notebook_alone(notebook: Notebook) -> None:
    await notebook.append_cell("1")
    before = await notebook.read()
    result = await notebook.kernel.execute("print('x')\n1/0", timeout=30)
    assert result.text.startswith("x\n")
    assert await notebook.read() == before


async def test_what_is_saved_after_all_kinds_of_runs_is_a_valid_notebook(
    notebook: Notebook, lab: RunningServer
) -> None:
    for code in (
        "print('é😀')",
        "import sys; print('e', file=sys.stderr); 1/0",
        "from IPython.display import HTML, clear_output, display",
        "h = display(HTML('<b>1</b>'), display_id='d'); display({'text/plain': 'x'}, raw=True)",
        "h.update(HTML('<b>2</b>'))",
        "for n in range(5):\n    clear_output(wait=True); print(n)",
        "input()",
        "{'a': 1}",
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);",
    ):
        await run(notebook, code)
    gone = await notebook.append_cell("'gone'")
    await gone.execute(timeout=30)
    await gone.delete()
    await notebook.save()

    content = saved(lab, notebook)
    assert len(content.cells) == 9
    for cell, snapshot in zip(content.cells, await notebook.read(), strict=True):
        assert set(cell) == {
            "id",
            "cell_type",
            "source",
            "metadata",
            "outputs",
            "execution_count",
        }
        assert set(cell.metadata) <= {"trusted"}
        assert cell.execution_count == snapshot.execution_count
        assert all("transient" not in output for output in cell.outputs)
    assert content.cells[3].outputs[0]["data"]["text/html"] == "<b>2</b>"
    assert content.cells[5].outputs == [
        {"output_type": "stream", "name": "stdout", "text": "4\n"},
    ]


@pytest.mark.alone
@pytest.mark.parametrize("flush", [False, True])
async def test_a_hundred_thousand_lines_are_bounded_and_freeze_nobody(
    notebook: Notebook, lab: RunningServer, flush: bool
) -> None:
    count = 100_000 if not flush else 2_000
    cell = await notebook.append_cell(
        f"for n in range({count}): print(n, flush={flush})\nprint('end')"
    )
    pauses = []

    async def heartbeat() -> None:
        last = anyio.current_time()
        while True:
            await anyio.sleep(0.01)
            now = anyio.current_time()
            pauses.append(now - last)
            last = now

    with anyio.fail_after(30):
        async with collaborator(lab, notebook.path) as human, anyio.create_task_group() as group:
            group.start_soon(heartbeat)
            result = await cell.execute()
            await notebook.flush()
            await human.pull()
            group.cancel_scope.cancel()
            outputs = human.cell(cell.id)["outputs"]
    lines = [str(n) for n in range(count)] + ["end"]
    assert result.status == "ok"
    assert result.text.splitlines() == lines
    assert [o["text"] for o in outputs] == ["\n".join(lines) + "\n"]
    assert max(pauses) < 0.5
