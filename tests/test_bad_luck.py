# SPDX-License-Identifier: BSD-3-Clause
"""What should not happen, and does: odd texts, renamed files, callers who give up early."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from jupyter_kernel_client.utils import serialize_msg_to_ws_v1
from servers import Proxy, RunningServer

from jupyter_agent_core import (
    ConfigurationError,
    Notebook,
    NotebookClosedError,
    Server,
    connect,
    launch,
)
from jupyter_agent_core._execution.wire import SUBPROTOCOL, Wire


async def test_text_that_is_no_unicode_is_refused_and_changes_nothing(notebook: Notebook):
    cell = await notebook.append_cell("x = 1")
    for edit in (cell.set_source, notebook.append_cell):
        with pytest.raises(ConfigurationError, match="position 1"):
            await edit("a\ud83d")
    assert [cell.source for cell in await notebook.read()] == ["x = 1"]


async def test_output_that_is_no_unicode_disturbs_nothing(notebook: Notebook):
    # what a file name in no encoding becomes; ipykernel sends it as it is
    cell = await notebook.append_cell("print('caf\\udce9')\nprint('after')")
    with anyio.fail_after(30):
        result = await cell.execute()
    assert result.status == "ok"
    assert result.text == "caf\N{REPLACEMENT CHARACTER}\nafter"
    assert (await cell.read()).outputs == result.outputs
    assert (await notebook.kernel.execute("6 * 7")).text == "42"


@pytest.mark.parametrize("half", [rb"\ud83d", rb"\uD83D", rb"\uDc00"])
@pytest.mark.parametrize("subprotocol", [SUBPROTOCOL, None])
def test_half_a_character_in_a_message_becomes_a_question_mark(
    subprotocol: str | None, half: bytes
):
    # ipykernel cannot send one; kernels that escape what is not ASCII can
    header = b'{"msg_type": "stream", "session": "s"}'
    content = b'{"name": "stdout", "text": "a%s \\uD83D\\uDE00"}' % half
    frame: bytes | str = serialize_msg_to_ws_v1([header, b"{}", b"{}", content], "iopub")
    if subprotocol is None:
        frame = (
            b'{"channel": "iopub", "header": %s, "parent_header": {}, "content": %s}'
            % (header, content)
        ).decode()
    message = Wire(subprotocol, "session").message(frame)
    assert message.content["text"] == "a? 😀"


async def test_a_notebook_that_is_renamed_is_followed(
    server: Server, lab: RunningServer, folder: str
):
    notebook = await server.open_notebook(f"{folder}/before.ipynb", create=True)
    await notebook.append_cell("1 + 1")
    await notebook.save()
    after = f"{folder}/after.ipynb"
    with lab.http() as http:
        http.patch(f"/api/contents/{folder}/before.ipynb", json={"path": after}).raise_for_status()
    with anyio.fail_after(20):
        while notebook.path != after:
            await notebook.flush()
        await notebook.append_cell("2 + 2")
        await notebook.save()
        assert (await notebook.cell(0).execute()).text == "2"
    assert "2 + 2" in (lab.root / after).read_text()
    assert [s.path for s in await server.list_sessions() if folder in s.path] == [after]
    await notebook.close()
    assert [s.path for s in await server.list_sessions() if folder in s.path] == []


async def test_a_caller_who_gives_up_early_leaves_no_kernel(lab: RunningServer, folder: str):
    def running() -> set[Any]:
        with lab.http() as http:
            return {kernel["id"] for kernel in http.get("/api/kernels").json()}

    before = running()
    async with connect(lab.url, token=lab.token) as server:
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        with anyio.move_on_after(0.1):
            await notebook.kernel.execute("1")
        with anyio.move_on_after(0.05):
            await server.start_kernel()
    assert running() - before == set()


async def test_a_notebook_that_is_closed_starts_no_kernel(server: Server, folder: str):
    notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
    await notebook.close()
    with pytest.raises(NotebookClosedError):
        await notebook.kernel.execute("1")


async def test_what_a_human_undid_stays_undone_when_the_connection_breaks(
    lab: RunningServer, folder: str
):
    path = f"{folder}/undone.ipynb"
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
        connect(lab.url, token=lab.token) as human,
    ):
        notebook = await server.open_notebook(path, create=True)
        kept = await notebook.append_cell("x = 1")
        await kept.set_source("x = 2")
        await notebook.append_cell("unwanted")
        theirs = await human.open_notebook(path)
        await theirs.cell(0).set_source("x = 1")
        await theirs.delete_cells([1])
        await notebook.flush()
        proxy.cut()
        with anyio.fail_after(15):
            await notebook.flush()
            assert [cell.source for cell in await notebook.read()] == ["x = 1"]


async def test_a_proxy_in_the_environment_is_not_asked_about_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / "root").mkdir()
    async with launch(tmp_path / "root") as server:
        notebook = await server.open_notebook("n.ipynb", create=True)
        cell = await notebook.append_cell("6 * 7")
        assert (await cell.execute(timeout=30)).text == "42"
