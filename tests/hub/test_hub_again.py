# SPDX-License-Identifier: BSD-3-Clause
"""Servers that JupyterHub stops, or would stop, while somebody works with them."""

from pathlib import Path

import anyio
import pytest
from datalayer import datalayer
from gateways import LISTING, has_kernel, kernel_gateway
from hub import Hub
from servers import RunningServer

from jupyter_agent_core import (
    HubLimitError,
    Server,
    ServerStoppedError,
    StartProgress,
    Workspace,
    connect,
)
from jupyter_agent_core._handles import activity

pytestmark = [pytest.mark.hub, pytest.mark.timeout(120)]


async def test_a_stopped_server_is_started_again_with_one_call_and_edits_arrive_once(
    hub: Hub, user: str, told: list[StartProgress]
) -> None:
    token = (await hub.token(user)).value
    async with (
        connect(hub_url=hub.url, token=token, on_progress=told.append) as server,
        Workspace(server) as agent,
    ):
        notebook = await server.open_notebook("n.ipynb", create=True)
        cell = await notebook.append_cell("6 * 7")
        await cell.execute(timeout=30)
        await notebook.save()
        await hub.stop_server(user)
        with pytest.raises(ServerStoppedError, match=r"Server\.start_again\(\) starts it"):
            await server.list_files()
        told.clear()
        async with anyio.create_task_group() as group:
            group.start_soon(server.start_again)  # two at once are one
            await server.start_again()
        assert told[-1].percent == 100
        second = await notebook.append_cell("6 * 8")
        assert (await second.execute(timeout=30)).text == "48"
        assert [c.source for c in await notebook.read()] == ["6 * 7", "6 * 8"]
        # for an agent, the tool that opens a notebook is that call
        await hub.stop_server(user)
        opened = await agent.use_notebook("nb", "n.ipynb")
        assert [c.source for c in opened.outline.cells] == ["6 * 7", "6 * 8"]


async def test_a_server_that_is_being_stopped_is_started_when_that_is_done(
    hub: Hub, user: str, told: list[StartProgress]
) -> None:
    token = (await hub.token(user)).value
    await hub.start_server(user)
    async with hub.api() as api, anyio.create_task_group() as group:
        group.start_soon(api.delete, f"users/{user}/server")
        pending = None
        while pending != "stop":  # the Hub can only be asked
            model = (await api.get(f"users/{user}")).json()
            pending = model["servers"][""]["pending"]
        async with connect(hub_url=hub.url, token=token, on_progress=told.append) as server:
            assert server.url == hub.server_url(user)
    assert told[0] == StartProgress(0, "waiting, as the Hub is about to stop it")


async def test_code_that_is_silent_keeps_its_server_and_an_idle_server_is_culled(
    culling_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "INTERVAL", 1.0)
    hub = culling_hub
    ada, bob, eve = [(await hub.token(name)).value for name in ("ada", "bob", "eve")]
    waits = "import os, time\nwhile not os.path.exists('over'): time.sleep(0.1)\n6 * 7"
    async with connect(hub_url=hub.url, token=ada) as busy:
        run = await (await busy.start_kernel()).start(waits)
        async with connect(hub_url=hub.url, token=bob) as idle:
            with pytest.raises(HubLimitError, match="user limit exceeded") as caught:
                async with connect(hub_url=hub.url, token=eve):
                    pass
            assert caught.value.retryable
            await _culled(hub, "bob")
            with pytest.raises(ServerStoppedError):
                await idle.list_files()
        (hub.home("ada") / "over").touch()
        result = await run.wait(30)
        assert (result.status, result.text) == ("ok", "42")


async def _culled(hub: Hub, user: str) -> None:
    with anyio.fail_after(30):
        async with hub.api() as api:
            running = True
            while running:  # the Hub can only be asked
                running = bool((await api.get(f"users/{user}")).json()["servers"])


async def run_on(server: Server, path: str) -> str:
    """Create a notebook, run a cell in it, and say where its kernel is."""
    notebook = await server.open_notebook(path, create=True)
    cell = await notebook.append_cell("import os; print(os.getcwd())")
    result = await cell.execute(timeout=30)
    assert [c.text for c in await notebook.read()] == [result.text]
    return result.text.strip()


async def test_a_hub_is_either_side_of_split_servers(
    hub: Hub, user: str, lab: RunningServer, plain: RunningServer, folder: str
) -> None:
    token = (await hub.token(user)).value
    path = f"{folder}/split.ipynb"
    async with connect(
        lab.url, token=lab.token, hub_url=hub.url, runtime_token=token
    ) as kernels_on_hub:
        assert kernels_on_hub.runtime_url == hub.server_url(user)
        assert kernels_on_hub.token == lab.token
        assert await run_on(kernels_on_hub, path) == str(hub.home(user))
        await hub.stop_server(user)
        with pytest.raises(ServerStoppedError, match="start_again"):
            await kernels_on_hub.list_kernels()
        await kernels_on_hub.start_again()
        assert await kernels_on_hub.list_kernels() == ()
    assert (lab.root / path).exists()
    async with connect(
        hub_url=hub.url, token=token, runtime_url=plain.url, runtime_token=plain.token
    ) as documents_on_hub:
        assert documents_on_hub.url == hub.server_url(user)
        assert await run_on(documents_on_hub, "split.ipynb") == str(plain.root)
    assert (hub.home(user) / "split.ipynb").exists()


async def test_notebooks_of_a_hub_run_on_a_gateway(hub: Hub, user: str, tmp_path: Path) -> None:
    token = (await hub.token(user)).value
    with kernel_gateway(tmp_path, LISTING) as gateway:
        async with connect(
            hub_url=hub.url, token=token, runtime_url=gateway.url, runtime_token=gateway.token
        ) as split:
            assert (split.url, split.runtime_url) == (hub.server_url(user), f"{gateway.url}/")
            assert await run_on(split, "gateway.ipynb") == str(gateway.root)
            [session] = await split.list_sessions()
            assert has_kernel(gateway, session.kernel.id)
        assert not has_kernel(gateway, session.kernel.id)
    assert (hub.home(user) / "gateway.ipynb").exists()


async def test_documents_of_datalayer_run_on_a_hub(hub: Hub, user: str) -> None:
    token = (await hub.token(user)).value
    async with (
        datalayer() as service,
        connect(
            service.url,
            token=service.token,
            document_provider="datalayer",
            hub_url=hub.url,
            runtime_token=token,
        ) as split,
    ):
        assert split.runtime_url == hub.server_url(user)
        notebook = await split.open_notebook(await service.create())
        assert (await notebook.cell(0).execute(timeout=30)).text == "42"
        [session] = await split.list_sessions()
        assert (session.path, session.kernel.id) == (notebook.path, notebook.kernel.id)
