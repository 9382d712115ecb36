# SPDX-License-Identifier: BSD-3-Clause
"""What becomes of a run: each end has its status, and the kernel is usable afterwards."""

import asyncio
import time
from functools import partial

import anyio
import pytest
from servers import RunningServer

from jupyter_agent_core import (
    CellExecutionError,
    ConfigurationError,
    DisplayOutput,
    ExecutionResult,
    Kernel,
    Notebook,
    Run,
    Server,
)

# longer than any test: it ends because somebody ends it
FOREVER = "import time\nprint('begun', flush=True)\ntime.sleep(600)"


@pytest.fixture
async def kernel(notebook: Notebook) -> Kernel:
    """A kernel that has run something: its first run takes a while."""
    await notebook.kernel.execute("1", timeout=30, store_history=False)
    return notebook.kernel


@pytest.fixture
async def theirs(other: Server, kernel: Kernel) -> Kernel:
    """The same kernel, held by another client."""
    assert kernel.id is not None
    theirs = other.kernel(kernel.id)
    await theirs.connect()
    return theirs


async def begun(run: Run, text: str = "begun") -> None:
    """Wait until the code of the run has printed something."""
    with anyio.fail_after(20):
        while text not in (await run.wait(0.02)).text:
            assert run.status in ("queued", "running")


async def check_usable(kernel: Kernel) -> None:
    """The next call works and is not confused by what was before."""
    with anyio.fail_after(20):
        result = await kernel.execute("40 + 2")
    assert (result.status, result.text) == ("ok", "42")


async def ended(run: Run, seconds: float = 5) -> ExecutionResult:
    """Wait for the end of a run that is due."""
    with anyio.fail_after(seconds):
        return await run.wait()


# --- how a run ends


async def test_code_that_ends_well(kernel: Kernel) -> None:
    result = await kernel.execute("print('out')\n6 * 7", timeout=30)
    assert result.status == "ok"
    assert result.text == "out\n42"
    assert result.execution_count == 1
    assert result.cell_id is None
    assert 0 < result.elapsed < 30
    assert result.raise_for_status() is result


async def test_an_exception_is_a_status_with_what_was_printed_before(kernel: Kernel) -> None:
    result = await kernel.execute("print('before')\n1/0", timeout=30)
    assert result.status == "error"
    assert result.error is not None
    assert (result.error.ename, result.error.evalue) == ("ZeroDivisionError", "division by zero")
    assert result.text.startswith("before\n")
    assert "\x1b" not in result.text
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        result.raise_for_status()
    await check_usable(kernel)


async def test_input_is_refused_at_once(notebook: Notebook, kernel: Kernel) -> None:
    for code in ("input('name? ')", "import getpass; getpass.getpass()"):
        cell = await notebook.append_cell(code)
        with anyio.fail_after(5):
            result = await cell.execute()
        assert result.status == "error"
        assert result.error is not None
        assert result.error.ename == "StdinNotImplementedError"
    await check_usable(kernel)


async def test_a_run_interrupts_itself(kernel: Kernel) -> None:
    run = await kernel.start(FOREVER)
    await begun(run)
    with anyio.fail_after(5):
        result = await run.interrupt()
    assert result.status == "interrupted"
    assert result.text.startswith("begun\n")
    assert result.error is not None
    await check_usable(kernel)


async def test_a_kernel_is_interrupted_by_another_client(kernel: Kernel, theirs: Kernel) -> None:
    run = await kernel.start(FOREVER)
    await begun(run)
    await theirs.interrupt()
    assert (await ended(run)).status == "interrupted"
    await check_usable(kernel)


async def test_code_that_catches_the_interrupt_ends_as_it_likes(kernel: Kernel) -> None:
    run = await kernel.start(
        "import time\ntry:\n    print('begun', flush=True)\n    time.sleep(600)\n"
        "except KeyboardInterrupt:\n    print('caught')"
    )
    await begun(run)
    with anyio.fail_after(5):
        result = await run.interrupt()
    assert (result.status, result.text) == ("ok", "begun\ncaught")


async def test_a_kernel_that_dies_ends_its_runs(
    notebook: Notebook, kernel: Kernel, lab: RunningServer
) -> None:
    # what is printed right before the end may die with the process
    cell = await notebook.append_cell(
        "import os, time\nprint('begun', flush=True)\n"
        "while not os.path.exists('go'): time.sleep(0.01)\nos._exit(1)"
    )
    run = await cell.start()
    await begun(run)
    (lab.root / notebook.path).with_name("go").touch()
    behind = await kernel.start("'never'")
    result = await ended(run, 10)  # the server looks every 3 s
    assert result.status == "kernel_died"
    assert result.text == "begun"
    assert (await ended(behind)).status == "aborted"
    assert (await cell.read()).execution_state == "idle"
    assert (await cell.read()).text == "begun"
    await check_usable(kernel)


async def test_a_restart_by_another_client_ends_the_runs(kernel: Kernel, theirs: Kernel) -> None:
    await kernel.execute("x = 1")
    run = await kernel.start(FOREVER)
    await begun(run)
    with anyio.fail_after(20):
        await theirs.restart()
    result = await ended(run)
    assert result.status == "kernel_restarted"
    # the server interrupts the code first, which may be heard
    assert result.text.startswith("begun")
    await check_usable(kernel)
    assert (await kernel.execute("x", timeout=20)).status == "error"


async def test_a_restart_of_our_own_ends_the_runs(kernel: Kernel) -> None:
    run = await kernel.start(FOREVER)
    await begun(run)
    with anyio.fail_after(20):
        await kernel.restart()
    assert (await ended(run)).status == "kernel_restarted"
    await check_usable(kernel)


async def test_no_output_of_the_first_run_after_a_restart_is_lost(
    kernel: Kernel, theirs: Kernel
) -> None:
    with anyio.fail_after(40):
        for restarting in (kernel, theirs, kernel, theirs):
            await restarting.restart()
            for one in (kernel, theirs):
                result = await one.execute("print('out')\n'value'")
                assert (result.status, result.text) == ("ok", "out\n'value'")
                assert result.execution_count is not None


async def test_a_shutdown_by_another_client_ends_the_runs(
    notebook: Notebook, kernel: Kernel, theirs: Kernel
) -> None:
    cell = await notebook.append_cell(FOREVER)
    run = await cell.start()
    await begun(run)
    gone = kernel.id
    with anyio.fail_after(20):
        await theirs.shutdown()
    result = await ended(run)
    assert result.status == "kernel_gone"
    assert result.text.startswith("begun")
    assert (await cell.read()).execution_state == "idle"
    # the next use starts another one
    await check_usable(kernel)
    assert kernel.id != gone


# --- waiting


async def test_a_wait_that_ends_leaves_the_run_alone(notebook: Notebook, server: Server) -> None:
    signal = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\n"
    cell = await notebook.append_cell(f"print('begun', flush=True)\n{signal}print('end')\n'value'")
    run = await cell.start()
    await begun(run)
    assert (await run.wait(0.05)).status == "running"
    assert (await cell.read()).execution_state == "running"

    folder = notebook.path.rpartition("/")[0]
    helper = await server.start_kernel(directory=folder)
    await helper.execute("open('go', 'w').close()", timeout=30)

    result = await ended(run)
    assert (result.status, result.text) == ("ok", "begun\nend\n'value'")
    assert (await run.wait(0)) == result
    await notebook.flush()
    assert (await cell.read()).outputs == result.outputs


async def test_execute_returns_after_its_timeout_and_the_run_goes_on(
    notebook: Notebook, kernel: Kernel
) -> None:
    cell = await notebook.append_cell(FOREVER)
    with anyio.fail_after(20):
        result = await cell.execute(timeout=3)
    assert result.status == "running"
    assert result.cell_id == cell.id
    assert notebook.kernel.state == "busy"
    await notebook.kernel.interrupt()
    await check_usable(notebook.kernel)
    assert (await cell.read()).execution_state == "idle"


async def test_execute_interrupts_after_its_timeout_if_asked_to(
    notebook: Notebook, kernel: Kernel
) -> None:
    cell = await notebook.append_cell(FOREVER)
    with anyio.fail_after(20):
        result = await cell.execute(timeout=3, on_timeout="interrupt")
    assert result.status == "interrupted"
    assert result.text.startswith("begun")
    await check_usable(notebook.kernel)


async def test_an_unknown_on_timeout_is_refused_before_anything_runs(notebook: Notebook) -> None:
    cell = await notebook.append_cell("1")
    with pytest.raises(ConfigurationError, match="keep_running"):
        await cell.execute(on_timeout="kill")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="keep_running"):
        await notebook.kernel.execute("1", on_timeout="kill")  # type: ignore[arg-type]
    assert (await cell.read()).execution_count is None


# --- our queue


async def test_runs_come_one_after_the_other_in_the_order_of_their_start(kernel: Kernel) -> None:
    runs = [await kernel.start(f"print({number})") for number in range(10)]
    assert [run.status for run in runs[1:]] == ["queued"] * 9
    results = [await ended(run) for run in runs]
    assert [result.text for result in results] == [str(number) for number in range(10)]
    assert [result.execution_count for result in results] == list(range(1, 11))


async def test_an_exception_does_not_abort_the_runs_behind_it(kernel: Kernel) -> None:
    runs = [await kernel.start(code) for code in ("1/0", "'second'")]
    assert [(await ended(run)).status for run in runs] == ["error", "ok"]


async def test_a_run_that_has_not_been_sent_is_withdrawn(notebook: Notebook) -> None:
    kernel = notebook.kernel
    first = await kernel.start(FOREVER)
    cell = await notebook.append_cell("withdrawn = True")
    second = await cell.start()
    assert second.status == "queued"
    with anyio.fail_after(5):
        assert (await second.interrupt()).status == "aborted"
    await begun(first)
    assert first.status == "running"
    await first.interrupt()
    assert (await kernel.execute("'withdrawn' in globals()", timeout=20)).text == "False"
    assert (await cell.read()).execution_count is None
    assert (await cell.read()).execution_state == "idle"


async def test_run_all_stops_at_an_error_or_goes_on(notebook: Notebook) -> None:
    for code in ("a = 1", "1/0", "a + 1"):
        await notebook.append_cell(code)
    await notebook.insert_cell(1, "# text", "markdown")
    with anyio.fail_after(30):
        results = await notebook.run_all()
        assert [result.status for result in results] == ["ok", "error"]
        results = await notebook.run_all(stop_on_error=False, restart=True)
    assert [result.status for result in results] == ["ok", "error", "ok"]
    assert [result.execution_count for result in results] == [1, 2, 3]


# --- cancellation


async def test_a_cancelled_call_interrupts_its_own_code(notebook: Notebook, kernel: Kernel) -> None:
    cell = await notebook.append_cell(FOREVER)
    with anyio.move_on_after(1) as scope:
        await cell.execute()
    assert scope.cancelled_caught
    await check_usable(notebook.kernel)
    assert (await cell.read()).execution_state == "idle"


async def test_a_call_that_is_cancelled_right_after_its_start_leaves_the_kernel_free(
    kernel: Kernel,
) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(kernel.execute, "import time; time.sleep(600)")
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    await check_usable(kernel)


async def test_a_call_whose_asyncio_task_is_cancelled_interrupts_its_code(kernel: Kernel) -> None:
    for wait in (0, 0.5):
        task = asyncio.create_task(kernel.execute("import time; time.sleep(600)"))
        await asyncio.wait([task], timeout=wait)
        task.cancel()
        with anyio.fail_after(6), pytest.raises(asyncio.CancelledError):
            await task
        await check_usable(kernel)


async def test_a_call_that_is_cancelled_while_it_waits_does_not_run(kernel: Kernel) -> None:
    first = await kernel.start(FOREVER)
    async with anyio.create_task_group() as group:
        group.start_soon(kernel.execute, "ran = True")
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    await begun(first)
    assert first.status == "running"
    await first.interrupt()
    assert (await kernel.execute("'ran' in globals()", timeout=20)).text == "False"


async def test_a_cancelled_call_does_not_interrupt_another_clients_code(
    kernel: Kernel, theirs: Kernel
) -> None:
    run = await theirs.start(FOREVER)
    await begun(run)
    with anyio.move_on_after(0.5) as scope:
        await kernel.execute("'behind'")
    assert scope.cancelled_caught
    assert (await run.wait(0.5)).status == "running"
    assert (await run.interrupt()).status == "interrupted"
    await check_usable(kernel)


async def test_interrupting_a_finished_run_leaves_the_code_of_others_alone(
    kernel: Kernel, theirs: Kernel
) -> None:
    finished = await kernel.start("1")
    await ended(finished)
    run = await theirs.start(FOREVER)
    await begun(run)
    assert (await finished.interrupt()).status == "ok"
    assert (await run.wait(0.5)).status == "running"
    await run.interrupt()


# --- several clients


async def test_two_clients_on_one_kernel_get_their_own_outputs_only(
    kernel: Kernel, theirs: Kernel
) -> None:
    results: dict[str, list[ExecutionResult]] = {"ours": [], "theirs": []}

    async def work(who: str, with_: Kernel) -> None:
        for number in range(25):
            code = f"print('{who}', {number})\n'{who} {number}'"
            results[who].append(await with_.execute(code, timeout=30))

    with anyio.fail_after(40):
        async with anyio.create_task_group() as group:
            group.start_soon(work, "ours", kernel)
            group.start_soon(work, "theirs", theirs)
    for who, own in results.items():
        texts = [f"{who} {number}\n'{who} {number}'" for number in range(25)]
        assert [result.text for result in own] == texts


async def test_an_error_of_one_client_does_not_abort_the_code_of_another(
    kernel: Kernel, theirs: Kernel
) -> None:
    first = await kernel.start("import time; time.sleep(0.3); 1/0")
    second = await theirs.start("'unharmed'")
    assert (await ended(first)).status == "error"
    assert (await ended(second)).text == "'unharmed'"


async def test_cells_inserted_and_run_in_parallel_get_their_own_output(
    notebook: Notebook, other: Server
) -> None:
    async def insert_and_run(number: int) -> None:
        cell = await notebook.insert_cell(0, f"print('cell', {number})\n{number} * 100")
        result = await cell.execute(timeout=30)
        assert result.text == f"cell {number}\n{number * 100}"
        assert result.cell_id == cell.id

    with anyio.fail_after(40):
        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(insert_and_run, number)
    await notebook.flush()
    theirs = await (await other.open_notebook(notebook.path)).read()
    assert len(theirs) == 8
    for cell in theirs:
        number = int(cell.source.rpartition("\n")[2].partition(" ")[0])
        assert cell.text == f"cell {number}\n{number * 100}"
    assert sorted(cell.execution_count or 0 for cell in theirs) == list(range(1, 9))


@pytest.mark.alone
async def test_no_successful_result_waits_for_a_poll(notebook: Notebook, kernel: Kernel) -> None:
    cell = await notebook.append_cell("1 + 1")
    await cell.execute(timeout=30)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        await cell.execute(timeout=30)
        times.append(time.perf_counter() - start)
    # Nagle's algorithm or a poll would cost 40 ms and more each time
    assert min(times) < 0.035


# --- runs that outlive us


async def test_a_server_that_runs_no_cells_says_so(notebook: Notebook) -> None:
    cell = await notebook.append_cell("1 + 1")
    with pytest.raises(ConfigurationError, match="install jupyter-server-nbmodel"):
        await cell.start(detached=True)
    assert (await cell.read()).execution_count is None


# --- what is no way to run something


@pytest.mark.parametrize("code", [b"x", None, 5, ["x"]], ids=str)
async def test_what_is_no_code_is_refused_and_the_kernel_stays_usable(
    kernel: Kernel, code: object
) -> None:
    run = await kernel.start("import time; time.sleep(0.2)")
    with pytest.raises(ConfigurationError, match="Code is a str"):
        await kernel.execute(code)  # type: ignore[arg-type]
    assert (await ended(run)).status == "ok"
    await check_usable(kernel)


@pytest.mark.parametrize("timeout", [-1, "5", float("nan"), True, []], ids=str)
async def test_what_is_no_timeout_is_refused_before_anything_runs(
    notebook: Notebook, kernel: Kernel, timeout: object
) -> None:
    cell = await notebook.append_cell("x = 1")
    for call in (cell.execute, notebook.run_all, partial(kernel.execute, "x = 1")):
        with pytest.raises(ConfigurationError, match="is no number of seconds"):
            await call(timeout=timeout)
    for invalid in (timeout, None):  # an interrupt is waited for within a bound
        with pytest.raises(ConfigurationError, match="is no number of seconds"):
            await kernel.interrupt(timeout=invalid)  # type: ignore[arg-type]
    assert (await kernel.execute("'x' in globals()", timeout=20)).text == "False"


# --- what the document cannot hold


async def test_integers_that_are_too_big_for_the_document_are_floats_there(
    notebook: Notebook,
) -> None:
    cell = await notebook.append_cell(
        "display({'application/json': {'a': 2**63, 'b': [2**64, 2**5000], 'c': 1}}, raw=True,"
        " metadata={'m': -2**70})"
    )
    with anyio.fail_after(30):
        result = await cell.execute()
    assert result.status == "ok"
    (output,) = (await cell.read()).outputs
    assert isinstance(output, DisplayOutput)
    data = output.data["application/json"]
    assert (data["a"], data["b"][0], data["b"][1], data["c"]) == (2.0**63, 2.0**64, str(2**5000), 1)
    await notebook.save()
