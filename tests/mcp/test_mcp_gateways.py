# SPDX-License-Identifier: BSD-3-Clause
"""The tools and the doctor where there are kernels only, and where documents are Datalayer's."""

import json
from collections.abc import Iterator
from pathlib import Path

import anyio.to_thread
import pytest
from datalayer import datalayer
from gateways import LISTING, has_kernel, kernel_gateway
from mcp_process import mcp_process, run_command, served_tools
from servers import RunningServer

ARGUMENTS = {
    "use_notebook": {"notebook_name": "nb", "notebook_path": "a.ipynb"},
    "unuse_notebook": {"notebook_name": "nb"},
    "restart_notebook": {"notebook_name": "nb"},
    "search_notebook": {"query": "x"},
    "insert_cell": {"cell_index": 0, "cell_type": "code", "cell_source": ""},
    "delete_cell": {"cell_indices": [0]},
    "move_cell": {"source_index": 0, "target_index": 1},
    "overwrite_cell_source": {"cell_index": 0, "cell_source": ""},
    "edit_cell_source": {"cell_index": 0, "old_string": "x", "new_string": "y"},
    "apply_edits": {"edits": [{"edit": "delete", "cell_index": 0}]},
    "insert_execute_code_cell": {"cell_index": 0, "cell_source": ""},
    "execute_code": {"code": "1"},
}
WORK_ALONE = {"list_kernels", "list_notebooks", "wait_run"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A kernel gateway that lists its kernels."""
    with kernel_gateway(tmp_path_factory.mktemp("gateway"), LISTING) as gateway:
        yield gateway


@pytest.fixture
def on_gateway(alone: dict[str, str], gateway: RunningServer) -> dict[str, str]:
    return alone | {"JUPYTER_URL": gateway.url, "JUPYTER_TOKEN": gateway.token}


def kernels_of(gateway: RunningServer) -> set[str]:
    """The ids of its kernels."""
    with gateway.http() as http:
        return {kernel["id"] for kernel in http.get("/api/kernels").json()}


async def test_tools_for_notebooks_say_that_there_are_none_and_those_for_kernels_work(
    work: Path, on_gateway: dict[str, str], gateway: RunningServer
) -> None:
    with gateway.http() as http:
        kernel_id = http.post("/api/kernels", json={"name": "python3"}).json()["id"]
    async with mcp_process(work, on_gateway) as server:
        await server.initialize()
        for tool in served_tools():
            if tool not in WORK_ALONE:
                said = await server.refusal(tool, **ARGUMENTS.get(tool, {}))
                assert "it runs kernels only, as a kernel gateway does" in said, tool
                assert "DOCUMENT_URL and RUNTIME_URL" in said, tool
        listed = await server.answer("list_kernels")
        assert kernel_id in listed
        assert "python3\tPython 3 (ipykernel) (default)\tpython" in listed
        assert "it runs kernels only" in await server.answer("list_notebooks")
        said = await server.answer("execute_code", code="6 * 7", kernel_id=kernel_id)
        assert said.splitlines()[0] == "42"
        await server.close_stdin()
        await server.ended(timeout=5)
    assert has_kernel(gateway, kernel_id)  # it was borrowed
    assert gateway.token.encode() not in server.written
    with gateway.http() as http:
        http.delete(f"/api/kernels/{kernel_id}")


async def test_notebooks_of_a_jupyter_server_run_on_kernels_of_a_gateway(
    work: Path, on_lab: dict[str, str], gateway: RunningServer, folder: str
) -> None:
    variables = on_lab | {"RUNTIME_URL": gateway.url, "RUNTIME_TOKEN": gateway.token}
    before = kernels_of(gateway)
    async with mcp_process(work, variables) as server:
        await server.initialize()
        path = f"{folder}/nb.ipynb"
        await server.answer("use_notebook", notebook_name="nb", notebook_path=path, mode="create")
        source = "import os; print(os.getcwd())"
        said = await server.answer("insert_execute_code_cell", cell_index=-1, cell_source=source)
        assert said.splitlines()[0] == str(gateway.root)
        [started] = kernels_of(gateway) - before
        assert path in await server.answer("list_kernels")
        await server.answer("restart_notebook", notebook_name="nb")
        await server.close_stdin()
        await server.ended()
    with anyio.fail_after(15):  # it was told to end it, and does not wait for that
        while has_kernel(gateway, started):
            await anyio.lowlevel.checkpoint()


@pytest.mark.alone  # it measures round trips
@pytest.mark.parametrize("as_runtime", [False, True])
def test_the_doctor_knows_gateways(
    as_runtime: bool,
    work: Path,
    on_gateway: dict[str, str],
    on_lab: dict[str, str],
    gateway: RunningServer,
) -> None:
    runtime = {"RUNTIME_URL": gateway.url, "RUNTIME_TOKEN": gateway.token}
    variables = on_lab | runtime if as_runtime else on_gateway
    before = kernels_of(gateway)
    done = run_command(variables, "doctor", "--json", folder=work)
    assert done.returncode == 0, done
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    unwell = {name for name, check in checks.items() if check["outcome"] != "ok"}
    if as_runtime:
        assert unwell == set()
        assert gateway.url in checks["kernels"]["found"]
        assert "a cell was run" in checks["run"]["found"]
    else:
        assert unwell == {"collaboration"}
        assert "RUNTIME_URL" in checks["collaboration"]["fix"]
        assert "code was run in a new kernel" in checks["run"]["found"]
    assert gateway.token not in done.stdout + done.stderr
    assert kernels_of(gateway) <= before


async def test_a_document_of_datalayer_is_in_use_from_the_start(
    work: Path, alone: dict[str, str], gateway: RunningServer
) -> None:
    before = kernels_of(gateway)
    async with datalayer() as service:
        document_id = await service.create()
        variables = alone | {
            "DOCUMENT_PROVIDER": "datalayer",
            "DOCUMENT_URL": service.url,
            "DOCUMENT_TOKEN": service.token,
            "DOCUMENT_ID": document_id,
            "RUNTIME_URL": gateway.url,
            "RUNTIME_TOKEN": gateway.token,
        }
        async with mcp_process(work, variables) as server:
            await server.initialize()
            assert (await server.answer("execute_cell", cell_index=0)).splitlines()[0] == "42"
            listed = await server.answer("list_notebooks")
            assert f"default\t{document_id}" in listed
            assert "each is opened by its id" in listed
            await server.answer("insert_cell", cell_index=-1, cell_type="raw", cell_source="x")
            said = await server.refusal("save_notebook")
            assert "stores it by itself" in said
            await server.answer("unuse_notebook", notebook_name="default")
            said = await server.refusal("read_notebook")
            assert "No notebook is in use: call use_notebook first." in said
            await server.close_stdin()
            await server.ended(timeout=5)
        assert service.sources(document_id) == ["6 * 7", "x"]
        assert service.token.encode() not in server.written

        done = await anyio.to_thread.run_sync(
            lambda: run_command(variables, "doctor", "--json", folder=work)
        )
        assert done.returncode == 0, done
        checks = {check["name"]: check for check in json.loads(done.stdout)}
        assert checks["connection"]["outcome"] == "warning"
        assert checks["collaboration"]["outcome"] == "ok"
        assert "code was run in a new kernel" in checks["run"]["found"]
    assert kernels_of(gateway) <= before
