# SPDX-License-Identifier: BSD-3-Clause
"""More output than anybody can read: bounded, in order, and what is not kept is said."""

from collections.abc import AsyncIterator, Iterator

import anyio
import pytest
from servers import RunningServer, jupyter_server

from jupyter_agent_core import Kernel, Notebook, Server, StreamOutput, connect
from jupyter_agent_core._execution.captures import Captures
from jupyter_agent_core._execution.outputs import MAX_TAIL, MAX_TEXT, Displays, OutputFold

LONG = 60  # seconds, on a busy machine


@pytest.fixture(scope="module")
def unlimited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that passes on whatever comes, as private ones do."""
    with jupyter_server(
        tmp_path_factory.mktemp("unlimited"),
        extensions={"jupyterlab": False},
        settings=["--ZMQChannelsWebsocketConnection.limit_rate=False"],
    ) as server:
        yield server


@pytest.fixture
async def unlimited_notebook(
    unlimited: RunningServer, request: pytest.FixtureRequest
) -> AsyncIterator[Notebook]:
    async with connect(unlimited.url, token=unlimited.token) as server:
        yield await server.open_notebook(f"{request.node.name}.ipynb", create=True)


async def test_text_beyond_the_bound_is_left_out_and_said_with_its_end_kept(
    unlimited_notebook: Notebook,
) -> None:
    cell = await unlimited_notebook.append_cell(
        "line = 'x' * 999\nfor n in range(20_000): print(line)\nprint('the end')\n1/0"
    )
    with anyio.fail_after(LONG):
        result = await cell.execute()
    assert (result.status, result.outputs_lost) == ("error", True)
    stream, error = result.outputs
    assert error is result.error
    assert isinstance(stream, StreamOutput)
    printed = 20_000 * 1000 + len("the end\n")
    missing = printed - MAX_TEXT - MAX_TAIL
    assert f"\n[… {missing} characters of output were not kept …]\n" in stream.text
    assert stream.text.endswith("x\nthe end\n")
    assert MAX_TEXT + MAX_TAIL < len(stream.text) < MAX_TEXT + MAX_TAIL + 100
    assert (await cell.read()).outputs == result.outputs


async def test_a_flood_of_small_writes_is_kept_whole_and_in_order(
    unlimited_notebook: Notebook,
) -> None:
    cell = await unlimited_notebook.append_cell(
        "import sys\nfor n in range(5_000):\n"
        "    print(n, flush=True, file=sys.stdout if n % 100 else sys.stderr)"
    )
    with anyio.fail_after(LONG):
        result = await cell.execute()
    assert (result.status, result.outputs_lost) == ("ok", False)
    assert len(result.outputs) == 100
    assert result.text.split() == [str(n) for n in range(5_000)]
    await unlimited_notebook.flush()
    assert (await cell.read()).outputs == result.outputs


async def test_what_a_server_drops_is_said(notebook: Notebook, server: Server) -> None:
    cell = await notebook.append_cell("print('x' * 10_000_000)\n'value'")
    with anyio.fail_after(LONG):
        result = await cell.execute()
    assert (result.status, result.outputs_lost) == ("ok", True)
    assert "IOPub data rate exceeded" in result.text
    assert (await cell.execute(timeout=LONG)).run_id != result.run_id


async def test_code_that_prints_the_servers_words_loses_nothing(notebook: Notebook) -> None:
    kernel: Kernel = notebook.kernel
    code = "import sys; print('IOPub data rate exceeded.', file=sys.stderr)"
    assert not (await kernel.execute(code, timeout=30)).outputs_lost


def test_a_bar_that_is_drawn_for_days_takes_no_room() -> None:
    fold = OutputFold(Displays())
    bar = "\r" + "█" * 10_000
    for _ in range(2 * MAX_TEXT // len(bar)):
        fold.feed("stream", {"name": "stderr", "text": bar})
    fold.finish()
    assert not fold.overflowed
    assert fold.outputs() == (StreamOutput("stderr", bar[1:]),)


def test_what_is_cleared_makes_room() -> None:
    fold = OutputFold(Displays())
    for _ in range(3):
        fold.feed("stream", {"name": "stdout", "text": "x" * (MAX_TEXT + 1)})
        fold.feed("clear_output", {"wait": True})
    fold.feed("stream", {"name": "stdout", "text": "end"})
    fold.finish()
    assert not fold.overflowed
    assert fold.outputs() == (StreamOutput("stdout", "end"),)


# --- how much it is


def test_the_size_of_the_outputs_follows_what_they_show() -> None:
    displays = Displays()
    fold = OutputFold(displays)
    fold.feed("stream", {"name": "stdout", "text": "x" * 100})
    image = {"data": {"image/png": "x" * 1_000}, "metadata": {}, "transient": {"display_id": "i"}}
    fold.feed("display_data", image)
    assert fold.size == 1_100
    displays.update("i", {"data": {"image/png": "x" * 5_000}, "metadata": {}})
    assert fold.size == 5_100
    failure = {"ename": "E", "evalue": "x" * 10, "traceback": ["x" * 20, "x" * 30]}
    fold.feed("error", failure)
    assert fold.size == 5_160
    fold.feed("clear_output", {"wait": False})
    assert fold.size == 0


def test_what_widgets_show_has_a_size_too() -> None:
    captures = Captures(Displays())
    takes = {"comm_id": "w", "data": {"state": {"msg_id": "r"}}}
    captures.receive("comm_msg", takes, "r", 0)
    assert captures.receive("stream", {"name": "stdout", "text": "x" * 100}, "r", 0)
    assert captures.size == 100
