# SPDX-License-Identifier: BSD-3-Clause
"""A notebook that is created for a caller who gives up meanwhile."""

import shutil
import sys

import anyio
import pytest
from servers import Proxy, RunningServer, install_kernelspec

from jupyter_agent_core import KernelUnavailableError, Server, Workspace, connect


@pytest.mark.parametrize(
    "moment",
    [
        b"GET /api/kernelspecs",
        b"PUT /api/contents",
        b"PUT /api/collaboration/session",
        b"GET /api/collaboration/room",
        b"POST /api/sessions",
        b"/channels?",
    ],
)
async def test_a_notebook_whose_creation_is_cancelled_is_not_there(
    moment: bytes, lab: RunningServer, server: Server, folder: str
) -> None:
    path = f"{folder}/n.ipynb"
    before = {kernel.id for kernel in await server.list_kernels()}
    scope = anyio.CancelScope()

    def cancel_at(data: bytes) -> bytes:
        if moment in data:
            scope.cancel()
        return data

    async with (
        Proxy.before(lab.port, rewrite=cancel_at) as proxy,
        connect(proxy.url, token=lab.token) as through,
        Workspace(through) as workspace,
    ):
        with scope:
            await workspace.use_notebook("n", path, mode="create")
        assert scope.cancelled_caught
        assert not (lab.root / path).exists()
        assert {kernel.id for kernel in await server.list_kernels()} <= before
        created = await workspace.use_notebook("n", path, mode="create")
        assert created.outline.total == 0


async def test_a_notebook_whose_kernel_does_not_start_is_not_there(
    lab: RunningServer, server: Server, folder: str
) -> None:
    path = f"{folder}/n.ipynb"
    spec = install_kernelspec(lab.root.parent, "unstartable", ["/no/such/program"])
    try:
        async with Workspace(server) as workspace:
            with pytest.raises(KernelUnavailableError):
                await workspace.use_notebook("n", path, "create", kernel_name="unstartable")
            assert not (lab.root / path).exists()
            assert (await workspace.use_notebook("n", path, "create")).created
    finally:
        shutil.rmtree(spec)


async def test_a_notebook_that_somebody_has_found_meanwhile_is_left_to_them(
    lab: RunningServer, server: Server, other: Server, folder: str
) -> None:
    path = f"{folder}/n.ipynb"
    mute = [sys.executable, "-c", "import signal; signal.pause()"]
    spec = install_kernelspec(lab.root.parent, "mute", mute)
    try:
        async with Workspace(server) as workspace, anyio.create_task_group() as group:
            group.start_soon(workspace.use_notebook, "n", path, "create", None, "mute")
            with anyio.fail_after(20):
                while not any(s.path == path for s in await other.list_sessions()):
                    await anyio.wait_all_tasks_blocked()
            theirs = await other.open_notebook(path)
            await theirs.append_cell("x = 1")
            group.cancel_scope.cancel()
        assert [cell.source for cell in await theirs.read()] == ["x = 1"]
        assert (lab.root / path).exists()
    finally:
        shutil.rmtree(spec)
