# SPDX-License-Identifier: BSD-3-Clause
"""Servers that run kernels and hold no documents, alone and beside a server of documents."""

from collections.abc import AsyncIterator, Iterator

import anyio
import pytest
from gateways import KERNELS_ONLY, LISTING, has_kernel, kernel_gateway
from servers import Proxy, RunningServer, jupyter_server

from jupyter_agent_core import (
    AuthenticationError,
    CapabilityUnavailableError,
    ConfigurationError,
    KernelNotFoundError,
    KernelSpecNotFoundError,
    KernelUnavailableError,
    Server,
    connect,
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A kernel gateway that wants a token and does not list its kernels."""
    with kernel_gateway(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def open_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One that lets everybody in, lists its kernels, and has room for two."""
    limit = "--KernelGatewayApp.max_kernels=2"
    folder = tmp_path_factory.mktemp("open-gateway")
    with kernel_gateway(folder, LISTING, limit, with_token=False) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def kernels_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A Jupyter server whose contents and terminals are off."""
    folder = tmp_path_factory.mktemp("kernels-only")
    config = folder / "kernels_only.py"
    config.write_text(KERNELS_ONLY)
    with jupyter_server(folder, extensions={}, settings=[f"--config={config}"]) as server:
        yield server


@pytest.fixture
async def on_gateway(gateway: RunningServer) -> AsyncIterator[Server]:
    async with connect(gateway.url, token=gateway.token) as server:
        yield server


@pytest.fixture
async def split(lab: RunningServer, gateway: RunningServer) -> AsyncIterator[Server]:
    """Documents on the lab, kernels at the gateway."""
    async with connect(
        lab.url, token=lab.token, runtime_url=gateway.url, runtime_token=gateway.token
    ) as server:
        yield server


# --- alone


async def test_a_gateway_says_what_it_is(on_gateway: Server) -> None:
    assert on_gateway.info.mode == "kernels"
    assert on_gateway.info.offers == {"kernels"}
    assert not on_gateway.info.lab
    assert [spec.name for spec in await on_gateway.list_kernelspecs()] == ["python3"]


async def test_kernels_of_a_gateway_do_all_that_kernels_do(
    gateway: RunningServer, on_gateway: Server
) -> None:
    kernel = await on_gateway.start_kernel()
    assert (await kernel.execute("x = 6; x * 7", timeout=30)).text == "42"
    same = on_gateway.kernel(str(kernel.id))
    assert (await same.info()).name == "python3"
    run = await kernel.start("import time; time.sleep(60)")
    assert (await kernel.interrupt()).stopped
    assert (await run.wait(5)).status == "interrupted"
    assert [v.name for v in (await kernel.list_variables()).variables] == ["x"]
    await kernel.restart()
    assert (await kernel.execute("x", timeout=30)).status == "error"
    kernel_id = kernel.id
    await same.shutdown()
    assert not has_kernel(gateway, kernel_id)


async def test_a_kernel_started_at_a_gateway_ends_with_the_connection(
    gateway: RunningServer,
) -> None:
    async with connect(gateway.url, token=gateway.token) as server:
        kernel_id = str((await server.start_kernel()).id)
        async with connect(gateway.url, token=gateway.token) as other:
            assert (await other.kernel(kernel_id).execute("6 * 7", timeout=30)).text == "42"
        assert has_kernel(gateway, kernel_id)  # it is not the other's to end
    assert not has_kernel(gateway, kernel_id)


async def test_what_needs_documents_says_why_it_cannot_be(on_gateway: Server) -> None:
    for refused in (
        on_gateway.open_notebook("a.ipynb"),
        on_gateway.open_notebook("a.ipynb", create=True),
        on_gateway.list_files(),
    ):
        with pytest.raises(CapabilityUnavailableError, match="runtime_url=") as caught:
            await refused
        assert caught.value.capability in ("documents", "files")
        assert on_gateway.url in str(caught.value)
    assert await on_gateway.open_in_lab("a.ipynb") == "unavailable"


async def test_a_gateway_that_does_not_list_kernels_is_said_to_be_that(
    on_gateway: Server,
) -> None:
    with pytest.raises(CapabilityUnavailableError, match="KG_LIST_KERNELS=True") as caught:
        await on_gateway.list_kernels()
    assert caught.value.capability == "kernel list"
    with pytest.raises(KernelNotFoundError, match=r"kernel 'none-of-these'$"):
        await on_gateway.kernel("none-of-these").info()
    with pytest.raises(KernelSpecNotFoundError, match="it offers: python3"):
        await on_gateway.start_kernel("fortran")


async def test_a_gateway_without_a_token_lists_kernels_where_it_is_told_to(
    open_gateway: RunningServer,
) -> None:
    async with connect(open_gateway.url) as server:
        assert server.info.offers == {"kernels", "kernel list"}
        kernels = [await server.start_kernel() for _ in range(2)]
        assert (await kernels[0].execute("6 * 7", timeout=30)).text == "42"
        ids = {kernel.id for kernel in kernels}
        assert {kernel.id for kernel in await server.list_kernels()} == ids
        with pytest.raises(KernelNotFoundError, match=str(kernels[0].id)):
            await server.kernel("none-of-these").info()
        with pytest.raises(KernelUnavailableError, match="Resource Limit"):
            await server.start_kernel()
    assert not any(has_kernel(open_gateway, kernel_id) for kernel_id in ids)


@pytest.mark.parametrize("token", ["wrong", None])
async def test_a_gateway_that_refuses_the_token_is_said_to(
    gateway: RunningServer, token: str | None
) -> None:
    with anyio.fail_after(5), pytest.raises(AuthenticationError, match="HTTP 401"):
        async with connect(gateway.url, token=token):
            pass


async def test_the_connection_to_a_gateway_may_break_while_code_runs(
    gateway: RunningServer,
) -> None:
    async with (
        Proxy.before(gateway.port) as proxy,
        connect(proxy.url, token=gateway.token) as server,
    ):
        kernel = await server.start_kernel()
        await kernel.execute("import time", timeout=30)
        run = await kernel.start("print('before', flush=True); time.sleep(1); print('after')")
        with anyio.fail_after(10):
            async for _ in run:
                break
        proxy.cut()
        result = await run.wait(20)
        assert (result.status, result.text) == ("ok", "before\nafter")


async def test_a_server_without_contents_has_sessions_all_the_same(
    kernels_only: RunningServer,
) -> None:
    async with connect(kernels_only.url, token=kernels_only.token) as server:
        assert server.info.mode == "kernels"
        assert server.info.offers == {"kernels", "kernel list", "sessions"}
        kernel = await server.start_kernel()
        assert (await kernel.execute("6 * 7", timeout=30)).text == "42"
        assert [k.id for k in await server.list_kernels()] == [kernel.id]
        with pytest.raises(CapabilityUnavailableError, match="no documents"):
            await server.open_notebook("a.ipynb")


# --- beside a server of documents


async def test_a_notebook_runs_on_a_kernel_of_the_gateway_that_ends_with_it(
    lab: RunningServer, gateway: RunningServer, folder: str
) -> None:
    (gateway.root / folder).mkdir()
    async with connect(
        lab.url, token=lab.token, runtime_url=gateway.url, runtime_token=gateway.token
    ) as split:
        assert split.info.mode == "collaboration"
        notebook = await split.open_notebook(f"{folder}/split.ipynb", create=True)
        cell = await notebook.append_cell("import os; print(os.getcwd())")
        result = await cell.execute(timeout=30)
        assert (result.status, result.text) == ("ok", str(gateway.root / folder))
        assert (await cell.read()).text == result.text
        kernel_id = str(notebook.kernel.id)
        [session] = await split.list_sessions()
        assert (session.path, session.kernel.id) == (notebook.path, kernel_id)
        assert session.kernel.path == notebook.path

        again = await split.open_notebook(notebook.path)
        await again.kernel.execute("x = 6", timeout=30)
        assert again.kernel.id == kernel_id
        assert not (await again.close()).shut_down  # the first one uses it
        await notebook.restart()
        assert (await notebook.kernel.execute("x", timeout=30)).status == "error"
        assert (await notebook.close()).shut_down
        assert not has_kernel(gateway, kernel_id)
        assert await split.list_sessions() == ()
    with lab.http() as http:
        assert notebook.path not in [s["path"] for s in http.get("/api/sessions").json()]


async def test_two_who_want_the_kernel_of_a_notebook_at_once_get_the_same_one(
    split: Server, folder: str
) -> None:
    path = f"{folder}/split.ipynb"
    one = await split.open_notebook(path, create=True)
    two = await split.open_notebook(path)
    async with anyio.create_task_group() as group:
        group.start_soon(one.kernel.connect)
        group.start_soon(two.kernel.connect)
    assert one.kernel.id == two.kernel.id


async def test_a_kernel_that_is_gone_is_followed_by_another_one(
    gateway: RunningServer, split: Server, folder: str
) -> None:
    notebook = await split.open_notebook(f"{folder}/split.ipynb", create=True)
    first = str((await notebook.kernel.connect()).id)
    with gateway.http() as http:
        http.delete(f"/api/kernels/{first}")
    assert (await notebook.kernel.execute("6 * 7", timeout=30)).status == "kernel_gone"
    assert (await notebook.kernel.execute("6 * 7", timeout=30)).text == "42"
    assert notebook.kernel.id != first


async def test_a_notebook_is_moved_to_another_kernel_of_the_gateway(
    gateway: RunningServer, split: Server, folder: str
) -> None:
    path = f"{folder}/split.ipynb"
    notebook = await split.open_notebook(path, create=True)
    first = str((await notebook.kernel.connect()).id)
    await notebook.use_kernel(kernel_id="NEW")
    second = str((await notebook.kernel.connect()).id)
    assert second != first
    assert not has_kernel(gateway, first)
    bare = await split.start_kernel()
    await notebook.use_kernel(kernel_id=bare.id)
    assert (await notebook.kernel.execute("6 * 7", timeout=30)).text == "42"
    assert notebook.kernel.id == bare.id
    assert not has_kernel(gateway, second)


async def test_two_clients_have_a_kernel_each_unless_one_names_the_others(
    lab: RunningServer, gateway: RunningServer, split: Server, folder: str
) -> None:
    path = f"{folder}/split.ipynb"
    notebook = await split.open_notebook(path, create=True)
    await notebook.kernel.execute("x = 6", timeout=30)
    async with connect(
        lab.url, token=lab.token, runtime_url=gateway.url, runtime_token=gateway.token
    ) as second:
        theirs = await second.open_notebook(path, kernel_id=notebook.kernel.id)
        assert (await theirs.kernel.execute("x * 7", timeout=30)).text == "42"
        assert not (await theirs.close()).shut_down
    async with connect(
        lab.url, token=lab.token, runtime_url=gateway.url, runtime_token=gateway.token
    ) as third:
        apart = await third.open_notebook(path)
        assert (await apart.kernel.execute("x", timeout=30)).status == "error"
        assert apart.kernel.id != notebook.kernel.id


async def test_a_gateway_and_a_server_of_documents_the_wrong_way_round_are_refused(
    lab: RunningServer, gateway: RunningServer
) -> None:
    with pytest.raises(ConfigurationError, match="runtime_url") as caught:
        async with connect(
            gateway.url, token=gateway.token, runtime_url=lab.url, runtime_token=lab.token
        ):
            pass
    assert caught.value.name == "url"
    assert "(it runs kernels only): pass it as runtime_url=…" in str(caught.value)
    assert "RUNTIME_URL and DOCUMENT_URL" in str(caught.value)


async def test_a_server_without_contents_runs_the_notebooks_of_another_one(
    lab: RunningServer, kernels_only: RunningServer, folder: str
) -> None:
    async with connect(
        lab.url, token=lab.token, runtime_url=kernels_only.url, runtime_token=kernels_only.token
    ) as server:
        notebook = await server.open_notebook(f"{folder}/split.ipynb", create=True)
        assert (await notebook.kernel.execute("6 * 7", timeout=30)).text == "42"
        with kernels_only.http() as http:
            assert [s["path"] for s in http.get("/api/sessions").json()] == [notebook.path]
