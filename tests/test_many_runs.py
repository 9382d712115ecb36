# SPDX-License-Identifier: BSD-3-Clause
"""Many runs and many kernels at once: each gets what is its own."""

import anyio
import pytest
from servers import RunningServer, jupyter_server

from jupyter_agent_core import Kernel, Notebook, Server, connect

TASKS = 8
RUNS = 25
KERNELS = 20


async def test_200_runs_of_8_tasks_on_one_kernel_get_their_own_output(notebook: Notebook) -> None:
    kernel = notebook.kernel
    cells = [await notebook.append_cell(f"print('cell {task}')") for task in range(TASKS)]
    order: list[int] = []

    async def work(task: int) -> None:
        for number in range(RUNS):
            if number % 5 == 0:
                result = await cells[task].execute()
                assert (result.text, result.cell_id) == (f"cell {task}", cells[task].id)
            else:
                result = await kernel.execute(f"print({task}); {number}")
                assert result.text == f"{task}\n{number}"
            assert result.status == "ok"
            order.append(result.execution_count or 0)

    with anyio.fail_after(50):
        async with anyio.create_task_group() as group:
            for task in range(TASKS):
                group.start_soon(work, task)
    assert order == list(range(1, TASKS * RUNS + 1))
    assert [cell.text for cell in await notebook.read()] == [f"cell {n}" for n in range(TASKS)]


@pytest.mark.alone
@pytest.mark.timeout(120)
async def test_20_kernels_run_at_once_and_end_with_us(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("kernels")
    with jupyter_server(folder, extensions={"jupyterlab": False}) as running:
        async with connect(running.url, token=running.token) as server:
            await check_kernels(server)
        check_none_left(running)


async def check_kernels(server: Server) -> None:
    kernels: list[Kernel] = []

    async def start(number: int) -> None:
        kernel = await server.start_kernel()
        kernels.append(kernel)
        assert (await kernel.execute(f"x = {number}; x")).text == str(number)

    async def again(number: int, kernel: Kernel) -> None:
        result = await kernel.execute("import time; time.sleep(0.5); x + 1")
        assert result.status == "ok"

    with anyio.fail_after(100):
        async with anyio.create_task_group() as group:
            for number in range(KERNELS):
                group.start_soon(start, number)
        began = anyio.current_time()
        async with anyio.create_task_group() as group:
            for number, kernel in enumerate(kernels):
                group.start_soon(again, number, kernel)
        # one after the other, their sleeping alone would take longer
        assert anyio.current_time() - began < KERNELS * 0.5


def check_none_left(running: RunningServer) -> None:
    with running.http() as http:
        assert http.get("/api/kernels").json() == []


async def test_of_all_cells_none_is_run_when_the_time_is_over(notebook: Notebook) -> None:
    cell = await notebook.append_cell("1 + 1")
    assert await notebook.run_all(timeout=0) == ()
    assert (await cell.read()).execution_count is None
    (result,) = await notebook.run_all(timeout=30)
    assert result.text == "2"


async def test_a_run_knows_its_cell_if_it_has_one(notebook: Notebook) -> None:
    cell = await notebook.append_cell("1 + 1")
    assert (await cell.start()).cell_id == cell.id
    assert (await notebook.kernel.start("1 + 1")).cell_id is None
