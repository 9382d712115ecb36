# SPDX-License-Identifier: BSD-3-Clause
"""Which kernel a notebook runs on: none yet, the same again, or one that others have, too."""

import anyio
import pytest
from servers import Proxy, RunningServer

from jupyter_agent_core import KernelNotFoundError, Notebook, Server, connect


async def test_a_kernel_that_was_never_started_is_shut_down_without_a_word(
    notebook: Notebook, server: Server
) -> None:
    before = {kernel.id for kernel in await server.list_kernels()}
    await notebook.kernel.shutdown()
    assert {kernel.id for kernel in await server.list_kernels()} <= before
    assert (await notebook.kernel.execute("6 * 7", timeout=30)).text == "42"


async def test_the_kernel_that_a_notebook_has_is_used_on_even_if_it_is_busy(
    notebook: Notebook,
) -> None:
    kernel = notebook.kernel
    run = await kernel.start("x = input()")
    info = await notebook.use_kernel(kernel.id)
    assert info.id == kernel.id
    await run.interrupt()
    assert (await kernel.execute("6 * 7", timeout=30)).text == "42"


async def test_a_notebook_without_a_kernel_gets_the_one_that_is_named(
    notebook: Notebook, server: Server
) -> None:
    free = await server.start_kernel()
    await free.execute("x = 42", timeout=30)
    assert (await notebook.use_kernel(free.id)).id == free.id
    assert (await notebook.kernel.execute("x", timeout=30)).text == "42"
    await free.shutdown()


async def test_a_kernel_of_others_that_goes_while_we_connect_to_it_is_said_to_be_gone(
    lab: RunningServer, other: Server
) -> None:
    theirs = await other.start_kernel()
    kernel_id = str(theirs.id)

    is_gone = False

    def gone(data: bytes) -> bytes:
        nonlocal is_gone
        is_gone = is_gone or b"/channels?" in data
        return data.replace(kernel_id.encode(), b"gone") if is_gone else data

    async with (
        Proxy.before(lab.port, rewrite=gone) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        with anyio.fail_after(10), pytest.raises(KernelNotFoundError, match=kernel_id):
            await server.kernel(kernel_id).connect()
    assert (await theirs.execute("6 * 7", timeout=30)).text == "42"
