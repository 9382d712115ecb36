# SPDX-License-Identifier: BSD-3-Clause
"""What an agent runs on a real server, beside others, and what is left when it goes."""

from collections.abc import AsyncIterator

import anyio
import pytest
from rendered import text, texts
from servers import RunningServer

from jupyter_agent_core import (
    CellTypeError,
    ConfigurationError,
    KernelNotFoundError,
    Notebook,
    RunNotFoundError,
    Server,
    Workspace,
    WorkspaceOptions,
    connect,
)
from jupyter_agent_core._answers import CellRun, NotebookOpened
from jupyter_agent_core._workspace import runs
from jupyter_agent_core.rendering import render

# what it prints, and that it has begun, may be on its way
GOES_ON = ("queued", "running")


@pytest.fixture
async def workspace(server: Server) -> AsyncIterator[Workspace]:
    async with Workspace(server) as workspace:
        yield workspace


@pytest.fixture
async def opened(workspace: Workspace, folder: str) -> NotebookOpened:
    """A fresh notebook in use as `nb`."""
    return await workspace.use_notebook("nb", f"{folder}/nb.ipynb", mode="create")


async def sources(workspace: Workspace, name: str | None = None) -> list[str]:
    return [cell.source for cell in (await workspace.read_notebook(name)).cells]


# --- runs


async def test_parallel_inserts_each_get_their_own_output(
    workspace: Workspace, opened: NotebookOpened
) -> None:
    answers: dict[int, CellRun] = {}

    async def insert(number: int) -> None:
        # all at the same index: each one pushes the others down
        answers[number] = await workspace.insert_execute_code_cell(0, f"print({number})")

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(insert, number)
    for number, answer in answers.items():
        assert (answer.result.status, answer.result.text) == ("ok", str(number))
        assert answer.cell is not None
        assert answer.cell.source == f"print({number})"
    cells = (await workspace.read_notebook()).cells
    assert {cell.source: cell.text for cell in cells} == {f"print({n})": str(n) for n in range(8)}


async def test_a_timeout_ends_the_wait_and_the_rest_lands_in_the_notebook(
    workspace: Workspace, opened: NotebookOpened, lab: RunningServer, folder: str
) -> None:
    code = (
        "import pathlib, time\n"
        "print('before', flush=True)\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.01)\n"
        "print('after')"
    )
    with anyio.fail_after(30):
        answer = await workspace.insert_execute_code_cell(-1, code, timeout=0.5)
        assert answer.result.status in GOES_ON
        assert answer.result.run_id
        assert answer.cell is not None
        assert (await workspace.read_cell(0)).cell.execution_state == "running"
        (lab.root / folder / "go").touch()
        # the kernel runs this one after the other
        assert (await workspace.execute_code("1 + 1")).result.text == "2"
        cell = (await workspace.read_cell(0)).cell
        assert (cell.text, cell.execution_state) == ("before\nafter", "idle")


async def test_a_run_can_be_interrupted_at_its_timeout(
    workspace: Workspace, opened: NotebookOpened
) -> None:
    with anyio.fail_after(30):
        await workspace.execute_code("import time")
        answer = await workspace.insert_execute_code_cell(
            -1, "time.sleep(60)", timeout=0.3, on_timeout="interrupt"
        )
        assert answer.result.status == "interrupted"
        assert (await workspace.execute_code("6 * 7")).result.text == "42"


async def test_a_timeout_of_zero_means_the_default(
    workspace: Workspace,
    server: Server,
    opened: NotebookOpened,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = "import time; time.sleep(0.3); print('done')"
    answer = await workspace.insert_execute_code_cell(-1, code, timeout=0)
    assert answer.result.text == "done"
    assert (await workspace.execute_cell(0, timeout=0)).result.text == "done"
    assert (await workspace.run_all_cells(timeout=0)).runs[0].result.status == "ok"
    assert (await workspace.execute_code(code, timeout=0)).result.text == "done"

    longer = code.replace("0.3", "2")
    await workspace.overwrite_cell_source(longer, cell_index=0)
    async with Workspace(server, WorkspaceOptions(execution_timeout=0.1)) as hasty:
        await hasty.use_notebook("nb", opened.notebook.path)
        assert (await hasty.execute_cell(0, timeout=0)).result.status in GOES_ON
        assert (await hasty.execute_cell(0)).result.status in GOES_ON
    assert (await workspace.execute_code(code, timeout=0)).result.text == "done"
    monkeypatch.setattr(runs, "CODE_TIMEOUT", 0.1)
    assert (await workspace.execute_code(longer, timeout=0)).result.status in GOES_ON


async def test_the_answer_of_a_run_that_goes_on_says_how_to_go_on(
    workspace: Workspace, opened: NotebookOpened
) -> None:
    code = await workspace.execute_code("import time; time.sleep(60)", timeout=1)
    said = text(code)
    assert said.startswith("[still running, ")
    assert f"run_id {code.result.run_id}; wait_run gets the rest, interrupt_kernel ends it" in said
    cell = await workspace.insert_execute_code_cell(-1, "6 * 7", timeout=0.3)
    said = text(cell)
    assert f"before it runs run {code.result.run_id} 'import time; time.sleep(60)'" in said
    all_cells = await workspace.run_all_cells(timeout=0.3)
    said = text(all_cells)
    assert f"before it runs run {code.result.run_id} 'import time; time.sleep(60)'" in said
    await workspace.interrupt_kernel()
    assert (await workspace.wait_run(cell.result.run_id)).result.text == "42"


async def test_a_run_on_another_kernel_than_before_says_so_once(
    workspace: Workspace, opened: NotebookOpened, lab: RunningServer
) -> None:
    await workspace.insert_cell(-1, "code", "6 * 7")

    kernel = workspace._state.notebooks["nb"].notebook.kernel

    async def shut_down() -> None:
        with lab.http() as http:
            for session in http.get("api/sessions").json():
                if session["path"] == opened.notebook.path:
                    http.delete(f"api/sessions/{session['id']}").raise_for_status()
        with anyio.fail_after(20):
            while kernel.state != "not connected":
                await anyio.wait_all_tasks_blocked()

    for call in (
        lambda: workspace.execute_cell(0),
        lambda: workspace.execute_code("1"),
        workspace.run_all_cells,
    ):
        await shut_down()
        assert "on another kernel than before" in "".join(texts(await call()))
        assert "another kernel" not in "".join(texts(await call()))


async def test_a_notebook_whose_file_is_gone_is_not_let_go_without_a_word(
    workspace: Workspace, opened: NotebookOpened, lab: RunningServer
) -> None:
    await workspace.insert_cell(-1, "code", "precious = 1")
    with lab.http() as http:
        http.delete(f"api/contents/{opened.notebook.path}").raise_for_status()
    released = await workspace.unuse_notebook("nb")
    assert released.lost_path == opened.notebook.path
    assert "what was edited since is saved nowhere" in text(released)


async def test_a_notebook_in_use_whose_file_is_gone_is_told_where_it_is_looked_at(
    workspace: Workspace, opened: NotebookOpened, lab: RunningServer
) -> None:
    path = opened.notebook.path
    for answer in (await workspace.list_notebooks(), await workspace.use_notebook("nb")):
        assert "no file" not in text(answer)
    with lab.http() as http:
        http.delete(f"api/contents/{path}").raise_for_status()
    for answer in (await workspace.list_notebooks(), await workspace.use_notebook("nb")):
        assert f"There is no file at {path!r} any more" in text(answer)


async def test_an_exception_is_an_answer(workspace: Workspace, opened: NotebookOpened) -> None:
    answer = await workspace.insert_execute_code_cell(-1, "1 / 0")
    assert answer.result.status == "error"
    assert answer.result.error is not None
    assert answer.result.error.ename == "ZeroDivisionError"


async def test_a_markdown_cell_is_not_run(workspace: Workspace, opened: NotebookOpened) -> None:
    await workspace.insert_cell(-1, "markdown", "# Title")
    with pytest.raises(CellTypeError):
        await workspace.execute_cell(0)


async def test_code_without_a_cell_leaves_no_trace_in_the_notebook(
    workspace: Workspace, opened: NotebookOpened
) -> None:
    answer = await workspace.execute_code("%who_ls\n!echo hi")
    assert (answer.result.status, answer.result.text) == ("ok", "hi")
    assert answer.result.cell_id is None
    assert await sources(workspace) == []


async def test_code_runs_in_another_kernel_by_its_id(
    workspace: Workspace, opened: NotebookOpened, other: Server
) -> None:
    kernel = await other.start_kernel()
    await kernel.execute("where = 'there'")
    await workspace.execute_code("where = 'here'")
    there = await workspace.execute_code("print(where)", kernel_id=kernel.id)
    assert there.result.text == "there"
    assert (await workspace.execute_code("print(where)")).result.text == "here"
    with pytest.raises(KernelNotFoundError):
        await workspace.execute_code("1", kernel_id="no-such-kernel")


async def test_all_cells_run_until_the_first_failure(
    workspace: Workspace, opened: NotebookOpened
) -> None:
    for source in ("x = 1", "1 / 0", "x + 1"):
        await workspace.insert_cell(-1, "code", source)
    await workspace.insert_cell(0, "markdown", "# Title")

    answer = await workspace.run_all_cells()
    assert (answer.total, [run.result.status for run in answer.runs]) == (3, ["ok", "error"])
    assert [run.cell and run.cell.index for run in answer.runs] == [1, 2]
    cells = (await workspace.read_notebook()).cells
    assert [cell.execution_count is None for cell in cells] == [True, False, False, True]

    to_the_end = await workspace.run_all_cells(stop_on_error=False)
    assert [run.result.status for run in to_the_end.runs] == ["ok", "error", "ok"]
    assert to_the_end.runs[-1].result.text == "2"


async def test_a_restart_loses_memory_and_keeps_the_kernel(
    workspace: Workspace, opened: NotebookOpened
) -> None:
    with anyio.fail_after(30):
        await workspace.execute_code("x = 1")
        restarted = await workspace.restart_notebook("nb")
        assert (restarted.name, restarted.kernel_id) == ("nb", opened.notebook.kernel_id)
        lost = await workspace.execute_code("x")
        assert lost.result.error is not None
        assert lost.result.error.ename == "NameError"
        await workspace.insert_cell(-1, "code", "y = 1")
        again = await workspace.run_all_cells(restart=True)
        assert again.restarted
        assert [run.result.execution_count for run in again.runs] == [1]


# --- beside others, and letting go


async def test_a_collaborator_sees_each_edit_as_soon_as_the_tool_has_answered(
    workspace: Workspace, opened: NotebookOpened, other: Server
) -> None:
    theirs = await other.open_notebook(opened.notebook.path)

    async def seen() -> list[tuple[str, str]]:
        # what the server has at this moment
        await theirs.flush()
        return [(cell.source, cell.text) for cell in await theirs.read()]

    await workspace.insert_cell(-1, "code", "1 + 1")
    assert await seen() == [("1 + 1", "")]
    await workspace.overwrite_cell_source("1 + 2", 0)
    assert await seen() == [("1 + 2", "")]
    await workspace.delete_cell([0])
    assert await seen() == []


async def test_the_kernel_that_somebody_else_uses_is_adopted_and_left_running(
    workspace: Workspace, other: Server, notebook: Notebook
) -> None:
    theirs = await other.open_notebook(notebook.path)
    await theirs.kernel.execute("x = 'theirs'")
    answer = await workspace.use_notebook("nb", notebook.path)
    assert (answer.notebook.kernel_id, answer.kernel_started) == (theirs.kernel.id, False)
    assert "Other" in answer.collaborators
    assert (await workspace.execute_code("print(x)")).result.text == "theirs"
    released = await workspace.unuse_notebook("nb")
    assert not released.kernel.shut_down
    assert (await theirs.kernel.execute("print(x)")).text == "theirs"


async def test_leaving_the_workspace_lets_go_of_everything_and_ends_its_kernels(
    server: Server, other: Server, folder: str
) -> None:
    borrowed = await other.start_kernel()
    async with Workspace(server) as workspace:
        kernels = []
        for name in ("1", "2"):
            used = await workspace.use_notebook(name, f"{folder}/{name}.ipynb", mode="create")
            kernels.append(used.notebook.kernel_id)
        assert borrowed.id is not None
        await workspace.execute_code("1", kernel_id=borrowed.id)
    running = {kernel.id for kernel in await other.list_kernels()}
    assert not running & set(kernels)
    assert borrowed.id in running
    assert not {session.path for session in await other.list_sessions()} & {
        f"{folder}/1.ipynb",
        f"{folder}/2.ipynb",
    }


async def test_leaving_the_workspace_by_an_exception_or_a_cancellation_ends_its_kernels_too(
    lab: RunningServer, other: Server, folder: str
) -> None:
    kernels: set[str | None] = set()

    async def fail() -> None:
        async with connect(lab.url, token=lab.token) as server, Workspace(server) as workspace:
            used = await workspace.use_notebook("1", f"{folder}/1.ipynb", mode="create")
            kernels.add(used.notebook.kernel_id)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    with anyio.move_on_after(30) as scope:
        async with connect(lab.url, token=lab.token) as server, Workspace(server) as workspace:
            used = await workspace.use_notebook("2", f"{folder}/2.ipynb", mode="create")
            kernels.add(used.notebook.kernel_id)
            await workspace.insert_cell(0, "code", "kept")
            scope.cancel()
            await anyio.sleep_forever()
    assert len(kernels) == 2
    assert not {kernel.id for kernel in await other.list_kernels()} & kernels
    theirs = await other.open_notebook(f"{folder}/2.ipynb")
    assert [cell.source for cell in await theirs.read()] == ["kept"]


async def test_a_run_that_was_left_running_is_waited_for_in_pieces(
    workspace: Workspace, opened: NotebookOpened, lab: RunningServer, folder: str
) -> None:
    waiting = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(.01)\n"
    code = f"print('one', flush=True)\n{waiting}print('two')\n3"
    left = await workspace.insert_execute_code_cell(-1, code, timeout=2)
    assert left.result.status in GOES_ON
    assert f"run_id {left.result.run_id}" in str(render(left))
    looked = await workspace.wait_run(left.result.run_id, timeout=0)
    assert (looked.result.status, looked.result.text) == ("running", "one")
    (lab.root / folder / "go").touch()
    rest = await workspace.wait_run(left.result.run_id, since=looked.cursor)
    assert (rest.result.status, rest.result.text) == ("ok", "two\n3")
    nothing = await workspace.wait_run(left.result.run_id, since=rest.cursor)
    assert nothing.result.outputs == ()
    with pytest.raises(RunNotFoundError, match=left.result.run_id):
        await workspace.wait_run("other")
    with pytest.raises(ConfigurationError, match="no cursor"):
        await workspace.wait_run(left.result.run_id, since="x")
