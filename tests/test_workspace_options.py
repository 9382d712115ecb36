# SPDX-License-Identifier: BSD-3-Clause
"""What an operator may decide for a workspace, and several workspaces on one server."""

from pathlib import Path

import anyio
import pytest
from servers import Proxy, RunningServer

from jupyter_agent_core import (
    ConfigurationError,
    NotebookNotInUseError,
    Server,
    Workspace,
    WorkspaceOptions,
    connect,
)

SHORT = WorkspaceOptions(idle_timeout=0.3)


async def until_released(workspace: Workspace) -> None:
    with anyio.fail_after(10):
        while (await workspace.list_notebooks()).in_use:
            pass  # each look is a round trip


async def test_a_notebook_that_is_not_used_is_let_go_with_its_kernel_and_what_was_edited(
    server: Server, folder: str, lab: RunningServer
) -> None:
    async with Workspace(server, SHORT) as workspace:
        opened = await workspace.use_notebook("nb", f"{folder}/nb.ipynb", mode="create")
        await workspace.insert_cell(0, "code", "x = 6")
        await until_released(workspace)
        with anyio.fail_after(10):
            while opened.notebook.kernel_id in {k.id for k in await server.list_kernels()}:
                pass  # each look is a round trip
        with pytest.raises(NotebookNotInUseError, match="call use_notebook first"):
            await workspace.read_notebook()
        again = await workspace.use_notebook("nb", f"{folder}/nb.ipynb")
        assert [cell.source for cell in again.outline.cells] == ["x = 6"]


async def test_a_notebook_in_which_code_runs_is_not_let_go(server: Server, folder: str) -> None:
    async with Workspace(server, SHORT) as workspace:
        await workspace.use_notebook("nb", f"{folder}/nb.ipynb", mode="create")
        code = "import time; time.sleep(1.5); print('done')"
        answer = await workspace.insert_execute_code_cell(0, code, timeout=0.2)
        assert answer.result.run_id is not None
        done = await workspace.wait_run(answer.result.run_id, timeout=20)
        assert (done.result.status, done.result.text) == ("ok", "done")


async def test_of_a_server_that_is_away_a_workspace_lets_go_without_an_error(
    plain: RunningServer, tmp_path: Path
) -> None:
    path = f"{tmp_path.name}.ipynb"
    async with (
        Proxy.before(plain.port) as proxy,
        connect(proxy.url, token=plain.token) as server,
    ):
        async with Workspace(server) as workspace:
            await workspace.use_notebook("nb", path, mode="create")
            await workspace.insert_cell(0, "code", "x = 6")
            proxy.point_to(9)
            proxy.cut()
        assert "x = 6" in (plain.root / path).read_text()


async def test_workspaces_share_replicas_and_kernels_and_the_last_one_ends_them(
    server: Server, folder: str
) -> None:
    path = f"{folder}/nb.ipynb"
    async with Workspace(server) as first:
        async with Workspace(server) as second:
            mine = await first.use_notebook("mine", path, mode="create")
            theirs = await second.use_notebook("theirs", path)
            assert mine.notebook.kernel_id == theirs.notebook.kernel_id
            await first.insert_execute_code_cell(0, "x = 6")
            # nothing travels: it is the same replica
            assert [cell.source for cell in (await second.read_notebook()).cells] == ["x = 6"]
            await second.insert_cell(1, "code", "second")
            # edits are undone by who has made them
            await first.undo_edits()
            assert [cell.source for cell in (await second.read_notebook()).cells] == ["second"]
        assert mine.notebook.kernel_id in {kernel.id for kernel in await server.list_kernels()}
        assert (await first.execute_code("x * 7")).result.text == "42"
    assert mine.notebook.kernel_id not in {kernel.id for kernel in await server.list_kernels()}


async def test_where_nothing_is_remembered_between_calls_each_names_its_notebook(
    server: Server, folder: str
) -> None:
    async with Workspace(server, WorkspaceOptions(keeps_current=False)) as workspace:
        for name in ("first", "second"):
            opened = await workspace.use_notebook(name, f"{folder}/{name}.ipynb", mode="create")
            assert not opened.notebook.current
        with pytest.raises(ConfigurationError, match=r"pass notebook_name\. In use: first, second"):
            await workspace.insert_cell(0, "code", "where?")
        await workspace.insert_cell(0, "code", "here", notebook_name="first")
        assert not (await workspace.read_notebook("second")).cells
        released = await workspace.unuse_notebook("second")
        assert released.current is None
        with pytest.raises(ConfigurationError, match="In use: first"):
            await workspace.read_notebook()


async def test_kernels_within_the_root_and_those_without_a_notebook_are_used(
    server: Server, folder: str
) -> None:
    async with Workspace(server, WorkspaceOptions(root=folder)) as workspace:
        opened = await workspace.use_notebook("nb", f"{folder}/nb.ipynb", mode="create")
        alone = await server.start_kernel()
        for kernel_id in (opened.notebook.kernel_id, alone.id):
            assert (await workspace.execute_code("6 * 7", kernel_id=kernel_id)).result.text == "42"
        await alone.shutdown()


def test_a_root_that_is_no_path_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is no path below the server's root"):
        WorkspaceOptions(root="../elsewhere")
    assert WorkspaceOptions(root="/a/b/").root == "a/b"
