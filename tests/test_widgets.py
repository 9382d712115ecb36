# SPDX-License-Identifier: BSD-3-Clause
"""Widgets and comms: their text is read, their view stays in the document, nothing breaks."""

import anyio
import nbformat
import pytest
from servers import RunningServer

from jupyter_agent_core import ExecuteResult, Notebook
from jupyter_agent_core._execution.execution import Execution
from jupyter_agent_core._execution.outputs import MAX_TEXT, Displays

VIEW = "application/vnd.jupyter.widget-view+json"


async def test_a_widget_is_its_text_and_keeps_its_view(
    notebook: Notebook, lab: RunningServer
) -> None:
    cell = await notebook.append_cell("import ipywidgets\nipywidgets.IntSlider(7)")
    result = await cell.execute(timeout=40)
    assert (result.status, result.text) == ("ok", "IntSlider(value=7)")
    (output,) = result.outputs
    assert isinstance(output, ExecuteResult)
    assert output.data[VIEW]["model_id"]
    await notebook.save()
    saved = nbformat.read(lab.root / notebook.path, as_version=4)
    nbformat.validate(saved)
    assert saved.cells[0].outputs[0]["data"][VIEW] == output.data[VIEW]


async def test_what_is_printed_into_an_output_widget_is_not_lost(notebook: Notebook) -> None:
    cell = await notebook.append_cell(
        "import ipywidgets\nout = ipywidgets.Output()\nwith out: print('inside')\nprint('outside')"
    )
    with anyio.fail_after(40):
        result = await cell.execute()
    assert result.status == "ok"
    assert result.text == "inside\noutside"


async def test_a_progress_widget_and_callbacks_break_no_run(notebook: Notebook) -> None:
    cell = await notebook.append_cell(
        "import ipywidgets\n"
        "bar = ipywidgets.IntProgress(max=50)\n"
        "seen = []\n"
        "bar.observe(lambda change: seen.append(change.new), 'value')\n"
        "display(bar)\n"
        "for bar.value in range(1, 51): pass\n"
        "len(seen)"
    )
    with anyio.fail_after(40):
        result = await cell.execute()
    assert (result.status, result.text) == ("ok", "IntProgress(value=0, max=50)\n50")


async def test_a_comm_that_another_client_opens_is_not_ours(notebook: Notebook) -> None:
    kernel = notebook.kernel
    code = (
        "from comm import create_comm\n"
        "comm = create_comm(target_name='nobody', data={'a': 1}); comm.send({'b': 2}); comm.close()"
    )
    with anyio.fail_after(40):
        result = await kernel.execute(code)
        assert (result.status, result.outputs) == ("ok", ())
        assert (await kernel.execute("6 * 7")).text == "42"


@pytest.mark.parametrize("sent", ["{'state': 5}", "{'state': 'a msg_id'}", "[1, 2]", "'text'"])
async def test_whatever_a_comm_carries_no_output_is_missed(notebook: Notebook, sent: str) -> None:
    code = (
        "from comm import create_comm\n"
        f"create_comm(target_name='nobody', data={{}}).send({sent}); print('after')"
    )
    with anyio.fail_after(40):
        result = await notebook.kernel.execute(code)
    assert (result.status, result.text, result.outputs_lost) == ("ok", "after", False)


def test_of_too_much_that_is_printed_into_a_widget_the_end_is_kept_and_it_is_said() -> None:
    execution = Execution("", Displays())
    taking = {"comm_id": "widget", "data": {"state": {"msg_id": execution.message_id}}}
    execution.feed("comm_msg", taking)
    execution.feed("stream", {"name": "stdout", "text": "x" * (MAX_TEXT + 100_000)})
    execution.feed("stream", {"name": "stdout", "text": "last"})
    execution.end("ok")
    result = execution.result()
    assert result.outputs_lost
    assert result.text.endswith("last")


async def test_what_a_widget_shows_is_in_the_result_and_clears_nothing_else(
    notebook: Notebook,
) -> None:
    cell = await notebook.append_cell(
        "import ipywidgets\n"
        "from IPython.display import clear_output\n"
        "print('before')\n"
        "out = ipywidgets.Output()\n"
        "for n in range(3):\n"
        "    with out:\n"
        "        clear_output(wait=True)\n"
        "        print('step', n)\n"
        "print('after')"
    )
    with anyio.fail_after(40):
        result = await cell.execute()
    assert result.status == "ok"
    assert result.text.split("\n") == ["before", "after", "step 2"]
    # as after a run from JupyterLab, which shows the rest in the widget
    assert (await cell.read()).text == "before\nafter"
