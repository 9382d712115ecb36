# SPDX-License-Identifier: BSD-3-Clause
"""A user's server that JupyterHub stops and starts again, as its culler and its users do."""

import anyio
import pytest
from hub import Hub
from watching import watching

from jupyter_agent_core import (
    AuthenticationError,
    ConnectionLostError,
    ServerStoppedError,
    connect,
)
from jupyter_agent_core._document import room as room_module

pytestmark = [pytest.mark.hub, pytest.mark.timeout(120)]


async def test_what_is_edited_while_the_server_is_stopped_arrives_once_when_it_runs_again(
    hub: Hub, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await hub.token(user, f"access:servers!user={user}")
    url = await hub.start_server(user)
    async with connect(url, token=token.value) as server:
        notebook = await server.open_notebook("n.ipynb", create=True)
        first = await notebook.append_cell("first")
        second = await notebook.append_cell("second")
        await notebook.save()
        async with watching(notebook) as watcher:
            await hub.stop_server(user)
            with anyio.fail_after(6), pytest.raises(ConnectionLostError) as caught:
                await first.set_source("first, edited meanwhile")
            assert caught.value.applied == "unknown"
            assert "JupyterHub answers for it" in caught.value.reason
            monkeypatch.setattr(room_module, "RECONNECT_TIMEOUT", 0.5)
            with anyio.fail_after(6), pytest.raises(ConnectionLostError):
                await notebook.append_cell("third")
            with anyio.fail_after(6), pytest.raises(ConnectionLostError):
                await notebook.read()
            monkeypatch.undo()
            await hub.start_server(user)
            with anyio.fail_after(15):
                await notebook.flush()
                cells = await notebook.read()
                await notebook.save()
            await watcher.until("disconnected", "reconnected")
    assert [cell.source for cell in cells] == ["first, edited meanwhile", "second", "third"]
    assert [cell.id for cell in cells[:2]] == [first.id, second.id]
    async with connect(url, token=token.value) as other:
        assert [cell.id for cell in await (await other.open_notebook("n.ipynb")).read()] == [
            cell.id for cell in cells
        ]


async def test_a_server_that_is_stopped_is_said_to_be(hub: Hub, user: str) -> None:
    token = await hub.token(user)
    with pytest.raises(ServerStoppedError, match="start it"):
        async with connect(hub.server_url(user), token=token.value):
            pass
    await hub.start_server(user)
    async with connect(hub.server_url(user), token=token.value) as server:
        await hub.stop_server(user)
        for use in (
            server.list_files,  # a GET
            server.start_kernel,
            lambda: server.open_notebook("n.ipynb", create=True),
        ):
            with pytest.raises(ServerStoppedError):
                await use()


async def test_a_token_that_is_revoked_ends_it_when_the_server_notices(hub: Hub, user: str) -> None:
    token = await hub.token(user)
    url = await hub.start_server(user)
    async with connect(url, token=token.value) as server:
        notebook = await server.open_notebook("n.ipynb", create=True)
        await notebook.append_cell("1")
        async with watching(notebook) as watcher:
            # a server knows a token for some minutes without asking the Hub again
            await hub.revoke(token)
            await notebook.append_cell("2")
            await notebook.save()
            await hub.stop_server(user)
            await hub.start_server(user)
            await watcher.until("disconnected", "lost")
            assert "does not accept the token" in watcher.told[1].reason
            with pytest.raises(ConnectionLostError, match="does not accept the token") as caught:
                await notebook.append_cell("3")
            assert caught.value.applied == "no"
        with pytest.raises(AuthenticationError):
            await server.list_files()
        again = await hub.token(user)
    async with connect(url, token=again.value) as server:
        notebook = await server.open_notebook("n.ipynb")
        assert [cell.source for cell in await notebook.read()] == ["1", "2"]
