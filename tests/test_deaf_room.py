# SPDX-License-Identifier: BSD-3-Clause
"""A room whose broadcasts have died: it answers, but says nothing by itself any more."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from collaborator import Collaborator, collaborator, room_address
from servers import RunningServer, jupyter_server
from watching import watching
from websockets.asyncio.client import connect as open_websocket

from jupyter_agent_core import Notebook, connect
from jupyter_agent_core._document import connection as connection_module


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[RunningServer]:
    """A server of the test's own, as no room of it is of any use afterwards."""
    with jupyter_server(tmp_path, extensions={"jupyterlab": False}) as server:
        yield server


async def silence_all_rooms(server: RunningServer) -> None:
    """Do what no client should, ask for a room where there is no file, until it has its effect."""
    await anyio.to_thread.run_sync(make_canary, server)
    async with collaborator(server, "canary.ipynb") as canary:
        url, headers = await anyio.to_thread.run_sync(room_address, server, "missing.ipynb")
        async with open_websocket(url, additional_headers=headers) as socket:
            await socket.wait_closed()
        with anyio.fail_after(5):
            heard = -1
            while canary.broadcasts != heard:
                heard = canary.broadcasts
                await write(canary, "song", "la ")
                await canary.pull()  # the first answer may be ahead of the broadcast


def make_canary(server: RunningServer) -> None:
    with server.http() as http:
        cell = {"id": "song", "cell_type": "raw", "source": "", "metadata": {}}
        notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        body = {"type": "notebook", "format": "json", "content": notebook}
        http.put("/api/contents/canary.ipynb", json=body).raise_for_status()


async def until_read(notebook: Notebook, sources: list[str]) -> None:
    """Wait for what comes by itself."""
    changed = anyio.Event()
    ydoc = notebook._provider.document.ydoc
    subscription = ydoc.observe(lambda _: changed.set())
    while [cell.source for cell in await notebook.read()] != sources:
        await changed.wait()
        changed = anyio.Event()
    ydoc.unobserve(subscription)


async def write(human: Collaborator, cell_id: str, text: str) -> None:
    await human.send(lambda: human.ycell(cell_id)["source"].insert(0, text))
    await human.pull()


async def test_a_room_that_went_deaf_is_told_once_and_what_is_read_stays_right(
    fragile: RunningServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection_module, "PULL_INTERVAL", 4.0)
    async with connect(fragile.url, token=fragile.token) as server:
        notebook = await server.open_notebook("deaf.ipynb", create=True)
        cell = await notebook.append_cell("")
        async with watching(notebook) as watcher, collaborator(fragile, notebook.path) as human:
            await write(human, cell.id, "heard")
            with anyio.fail_after(2.0):  # by a broadcast
                await until_read(notebook, ["heard"])
            await silence_all_rooms(fragile)
            expected = "heard"
            for number in range(4):
                await write(human, cell.id, f"{number} ")
                expected = f"{number} {expected}"
                # the first two are noticed late
                with anyio.fail_after(8.0 if number < 2 else 2.0):
                    await until_read(notebook, [expected])
            await notebook.append_cell("ours")
            await human.pull()
            assert [c["source"] for c in human.cells()] == [expected, "ours"]
            await watcher.until("deaf")
    told = [record for record in caplog.records if "does not broadcast" in record.message]
    assert [record.levelname for record in told] == ["WARNING"]
    assert "deaf.ipynb" in told[0].message


async def test_what_is_asked_for_anyway_tells_that_a_room_is_deaf(
    fragile: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(fragile.url, token=fragile.token) as server:
        notebook = await server.open_notebook("deaf.ipynb", create=True)
        cell = await notebook.append_cell("")
        async with collaborator(fragile, notebook.path) as human:
            await silence_all_rooms(fragile)
            for number in range(2):
                assert "does not broadcast" not in caplog.text
                await write(human, cell.id, f"{number} ")
                await notebook.flush()
            assert "does not broadcast" in caplog.text
            await write(human, cell.id, "2 ")
            with anyio.fail_after(connection_module.PULL_INTERVAL / 2):
                await until_read(notebook, ["2 1 0 "])


async def test_a_room_that_is_busy_is_not_taken_for_a_deaf_one(
    notebook: Notebook, lab: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    cell = await notebook.append_cell("")
    async with collaborator(lab, notebook.path) as human, anyio.create_task_group() as group:

        async def ask() -> None:
            while True:
                await notebook.flush()

        group.start_soon(ask)
        for _ in range(300):
            await human.send(lambda: human.ycell(cell.id)["source"].insert(0, "x"))
        with anyio.fail_after(10):
            await until_read(notebook, ["x" * 300])
        group.cancel_scope.cancel()
    assert "does not broadcast" not in caplog.text
