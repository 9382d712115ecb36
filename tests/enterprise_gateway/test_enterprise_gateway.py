# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of Jupyter Enterprise Gateway, alone and for the notebooks of another server."""

import anyio
import pytest
from gateways import has_kernel
from servers import RunningServer

from jupyter_agent_core import AuthenticationError, CapabilityUnavailableError, connect


async def test_its_kernels_do_all_that_kernels_do(gateway: RunningServer) -> None:
    async with connect(gateway.url, token=gateway.token) as server:
        assert (server.info.mode, server.info.offers) == ("kernels", {"kernels"})
        kernel = await server.start_kernel()
        assert (await kernel.execute("x = 6; x * 7", timeout=30)).text == "42"
        run = await kernel.start("import time; time.sleep(60)")
        assert (await kernel.interrupt()).stopped
        assert (await run.wait(5)).status == "interrupted"
        await kernel.restart()
        assert (await kernel.execute("x", timeout=30)).status == "error"
        kernel_id = kernel.id
        assert has_kernel(gateway, kernel_id)
    assert not has_kernel(gateway, kernel_id)


async def test_what_it_cannot_do_is_said(gateway: RunningServer) -> None:
    async with connect(gateway.url, token=gateway.token) as server:
        with pytest.raises(CapabilityUnavailableError, match="EG_LIST_KERNELS=True"):
            await server.list_kernels()
        with pytest.raises(CapabilityUnavailableError, match="runtime_url="):
            await server.open_notebook("a.ipynb")
    with anyio.fail_after(5), pytest.raises(AuthenticationError, match="HTTP 401"):
        async with connect(gateway.url, token="wrong"):
            pass


async def test_notebooks_of_another_server_run_on_it(
    gateway: RunningServer, plain: RunningServer
) -> None:
    async with connect(
        plain.url, token=plain.token, runtime_url=gateway.url, runtime_token=gateway.token
    ) as server:
        notebook = await server.open_notebook("on-gateway.ipynb", create=True)
        cell = await notebook.append_cell("6 * 7")
        assert (await cell.execute(timeout=30)).text == "42"
        assert (await cell.read()).text == "42"
        kernel_id = notebook.kernel.id
        assert (await notebook.close()).shut_down
        assert not has_kernel(gateway, kernel_id)
