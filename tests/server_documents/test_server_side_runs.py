# SPDX-License-Identifier: BSD-3-Clause
"""Runs on jupyter-server-documents: the server executes cells and writes their outputs."""

from pathlib import Path

import anyio
import nbformat
import pytest
from servers import Proxy, RunningServer

from jupyter_agent_core import (
    ConfigurationError,
    Notebook,
    Run,
    Server,
    StreamOutput,
    VersionConflictError,
    connect,
)
from jupyter_agent_core._execution.server_side import source_hash


@pytest.fixture
async def theirs(notebook: Notebook, other: Server) -> Notebook:
    """The same notebook, as somebody else has it open."""
    return await other.open_notebook(notebook.path)


async def until_output(run: Run) -> None:
    with anyio.fail_after(10):
        while not run.outputs:
            await run.wait(0.01)


async def test_one_writer_leaves_the_outputs_of_a_run(
    notebook: Notebook, theirs: Notebook, documents: RunningServer
) -> None:
    cell = await notebook.append_cell("print('é😀')\n1 + 1")
    for count in (1, 2):
        result = await cell.execute(timeout=30)
        assert (result.status, result.text) == ("ok", "é😀\n2")
        assert result.execution_count == count
    await theirs.flush()
    (seen,) = await theirs.read()
    assert seen.outputs == result.outputs
    assert (seen.execution_count, seen.execution_state) == (2, "idle")
    await notebook.save()
    saved = nbformat.read(documents.root / notebook.path, as_version=4)
    nbformat.validate(saved)
    assert [output.output_type for output in saved.cells[0].outputs] == ["stream", "execute_result"]


async def test_all_clients_run_cells_and_code_on_one_kernel(
    notebook: Notebook, theirs: Notebook
) -> None:
    mine = await notebook.append_cell("x = 1; x")
    other = await theirs.append_cell("x + 1")
    for _ in range(3):
        assert (await mine.execute(timeout=30)).text == "1"
        assert (await other.execute(timeout=30)).text == "2"
        assert (await notebook.kernel.execute("x + 2", timeout=30)).text == "3"
        assert (await theirs.kernel.execute("x + 3", timeout=30)).text == "4"
    assert notebook.kernel.id == theirs.kernel.id


async def test_code_that_fails_is_told(notebook: Notebook, theirs: Notebook) -> None:
    await theirs.kernel.execute("1", timeout=30)
    for code, name in (("1/0", "ZeroDivisionError"), ("input()", "StdinNotImplementedError")):
        cell = await notebook.append_cell(code)
        for result in (
            await cell.execute(timeout=30),
            await notebook.kernel.execute(code, timeout=30),
        ):
            assert result.status == "error"
            assert result.error is not None
            assert result.error.ename == name


async def test_a_run_can_be_interrupted_and_waited_for(notebook: Notebook) -> None:
    cell = await notebook.append_cell("import time\nprint('a', flush=True)\ntime.sleep(60)")
    run = await cell.start()
    await until_output(run)
    assert (await run.wait(0.1)).status == "running"
    assert (await cell.read()).execution_state == "running"
    with anyio.fail_after(5):
        result = await run.interrupt()
    assert result.status == "interrupted"
    assert result.outputs[0] == StreamOutput("stdout", "a\n")


async def test_a_run_behind_another_is_withdrawn_and_never_interrupts_it(
    notebook: Notebook, theirs: Notebook
) -> None:
    slow = await notebook.append_cell("import time; time.sleep(1); 'slow'")
    quick = await notebook.append_cell("'quick'")
    first, second = await slow.start(), await quick.start()
    behind = await theirs.cell(1).start()
    assert (await second.interrupt()).status == "aborted"
    assert (await behind.interrupt()).status == "queued"
    assert (await first.wait(10)).text == "'slow'"
    assert (await behind.wait(10)).text == "'quick'"


async def test_many_prints_come_in_order_as_one_text(notebook: Notebook) -> None:
    cell = await notebook.append_cell("for i in range(500): print(i, flush=True)")
    result = await cell.execute(timeout=30)
    assert result.outputs == (StreamOutput("stdout", "".join(f"{i}\n" for i in range(500))),)


async def test_twenty_megabytes_arrive(notebook: Notebook, theirs: Notebook) -> None:
    cell = await notebook.append_cell("print('x' * 20_000_000)")
    result = await cell.execute(timeout=30)
    assert len(result.text) == 20_000_000
    await theirs.flush()
    assert len((await theirs.read())[0].text) == 20_000_000


async def test_a_source_that_others_change_meanwhile_is_not_run(
    notebook: Notebook, theirs: Notebook
) -> None:
    blocker = await notebook.append_cell("import time; time.sleep(1)")
    cell = await notebook.append_cell("'mine'")
    await blocker.start()
    run = await cell.start()
    await theirs.flush()
    await theirs.cell(1).set_source("'theirs'")
    result = await run.wait(10)
    assert (result.status, result.text) == ("aborted", "")
    assert not (await cell.read()).outputs
    assert (await cell.execute(timeout=10)).text == "'theirs'"


@pytest.mark.parametrize("in_cell", [True, False])
async def test_the_end_of_a_kernel_is_told_and_the_next_call_works(
    notebook: Notebook, other: Server, in_cell: bool
) -> None:
    async def start(code: str) -> Run:
        if not in_cell:
            return await notebook.kernel.start(code)
        return await (await notebook.append_cell(code)).start()

    async def check(run: Run, status: str) -> None:
        with anyio.fail_after(6):
            result = await run.wait()
        assert result.status == status
        assert result.text.startswith("a")
        with anyio.fail_after(10):
            assert (await (await start("6 * 7")).wait()).text == "42"

    dying = "import os, time\nprint('a', flush=True)\ntime.sleep(0.3)\nos._exit(1)"
    await check(await start(dying), "kernel_died")

    slow = "import time\nprint('a', flush=True)\ntime.sleep(60)"
    run = await start(slow)
    await until_output(run)
    await other._connections.rest.restart_kernel(str(notebook.kernel.id))
    await check(run, "kernel_restarted")

    run = await start(slow)
    await until_output(run)
    await notebook.restart()
    await check(run, "kernel_restarted")

    run = await start(slow)
    await until_output(run)
    await other._connections.rest.shut_down_kernel(str(notebook.kernel.id))
    await check(run, "kernel_gone")


async def test_a_restart_that_takes_long_is_not_taken_for_the_death_of_the_kernel(
    notebook: Notebook, other: Server
) -> None:
    cell = await notebook.append_cell(
        "import atexit, time\n"
        "atexit.register(time.sleep, 1.5)\n"
        "print('a', flush=True)\n"
        "time.sleep(60)"
    )
    run = await cell.start()
    await until_output(run)
    async with anyio.create_task_group() as group:
        group.start_soon(other._connections.rest.restart_kernel, str(notebook.kernel.id))
        with anyio.fail_after(8):
            assert (await run.wait()).status == "kernel_restarted"
    assert (await (await notebook.append_cell("6 * 7")).execute(timeout=20)).text == "42"


async def test_a_restart_that_nobody_could_tell_ends_the_run_and_the_next_one_works(
    documents: RunningServer, other: Server, request: pytest.FixtureRequest
) -> None:
    async with (
        Proxy.before(documents.port) as proxy,
        connect(proxy.url, token=documents.token) as server,
    ):
        notebook = await server.open_notebook(f"{request.node.name}.ipynb", create=True)
        cell = await notebook.append_cell("import time\nprint('a', flush=True)\ntime.sleep(60)")
        run = await cell.start()
        await until_output(run)
        proxy.point_to(1)
        proxy.cut()
        await other._connections.rest.restart_kernel(str(notebook.kernel.id))
        proxy.point_to(documents.port)
        with anyio.fail_after(15):
            assert (await run.wait()).status in ("kernel_died", "disconnected")
        assert (await (await notebook.append_cell("6 * 7")).execute(timeout=20)).text == "42"


async def test_a_cell_that_is_deleted_while_it_runs_ends_its_run(notebook: Notebook) -> None:
    cell = await notebook.append_cell("import time; time.sleep(0.5)")
    run = await cell.start()
    await cell.delete()
    with anyio.fail_after(8):
        assert (await run.wait()).status == "disconnected"
    assert (await (await notebook.append_cell("1")).execute(timeout=10)).text == "1"


async def test_a_kernel_that_others_may_use_is_left_running(
    notebook: Notebook, theirs: Notebook, other: Server
) -> None:
    await (await notebook.append_cell("1")).execute(timeout=30)
    released = await notebook.close()
    assert not released.shut_down
    assert released.kernel_id in [kernel.id for kernel in await other.list_kernels()]


async def test_a_kernel_of_nobody_else_is_ended(notebook: Notebook, server: Server) -> None:
    await (await notebook.append_cell("1")).execute(timeout=30)
    released = await notebook.close()
    assert released.shut_down
    assert released.kernel_id not in [kernel.id for kernel in await server.list_kernels()]


async def test_a_conflict_before_the_run_is_an_error(
    notebook: Notebook, theirs: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = await notebook.append_cell("'mine'")
    monkeypatch.setattr(
        "jupyter_agent_core._execution.server_side.source_hash", lambda _: source_hash("other")
    )
    with pytest.raises(VersionConflictError):
        await cell.execute(timeout=10)
    assert not (await cell.read()).outputs


async def test_a_detached_run_goes_on_when_we_are_gone(
    documents: RunningServer, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path, go = f"{request.node.name}.ipynb", tmp_path / "go"
    async with connect(documents.url, token=documents.token) as server:
        notebook = await server.open_notebook(path, create=True)
        cell = await notebook.append_cell(
            f"import os, time\nprint('begun', flush=True)\n"
            f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('end')"
        )
        await until_output(await cell.start(detached=True))
        released = await notebook.close()
        assert (released.shut_down, released.reason) == (False, "a detached run is at work on it")
    async with connect(documents.url, token=documents.token) as server:
        notebook = await server.open_notebook(path)
        with anyio.fail_after(20):
            go.touch()
            while (await notebook.read())[0].execution_count is None:
                async for _ in notebook.watch():
                    break
        assert (await notebook.read())[0].text == "begun\nend"
        await notebook.kernel.shutdown()


async def test_a_callback_for_input_is_refused(notebook: Notebook) -> None:
    cell = await notebook.append_cell("input()")
    with pytest.raises(ConfigurationError, match="does not pass on what they ask"):
        await cell.start(on_input=lambda request: "answer")
    assert (await cell.read()).execution_count is None
