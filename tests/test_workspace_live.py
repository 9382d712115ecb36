# SPDX-License-Identifier: BSD-3-Clause
"""Interrupts, other servers, and where collaborators are, on real servers."""

from typing import Any

import anyio
import pytest
from collaborator import collaborator
from servers import Proxy, RunningServer

from jupyter_agent_core import (
    AuthenticationError,
    ConfigurationError,
    NotebookNotInUseError,
    Server,
    Workspace,
    WorkspaceOptions,
)
from jupyter_agent_core.rendering import Text, render

HERE = WorkspaceOptions(connect_hosts=("127.0.0.1", "localhost"))


def text(answer: Any) -> str:
    (content,) = render(answer)
    assert isinstance(content, Text)
    return content.text


async def selected(workspace: Workspace) -> list[int]:
    answer = await workspace.get_selected_cell()
    return [cell.index for _, cell in answer.selections]


# --- interrupts


async def test_an_interrupt_tells_what_ran_and_whether_it_stopped(
    server: Server, folder: str
) -> None:
    async with Workspace(server) as workspace:
        await workspace.use_notebook("nb", f"{folder}/nb.ipynb", mode="create")
        await workspace.execute_code("import time")
        run = await workspace.insert_execute_code_cell(0, "time.sleep(60)", timeout=1)
        assert run.cell is not None
        said = text(await workspace.interrupt_kernel())
        assert said == f"Interrupted 'time.sleep(60)' of cell {run.cell.id}; the kernel is free."
        assert "Nothing is known to have run" in text(await workspace.interrupt_kernel())
        assert (await workspace.execute_code("6 * 7")).result.text == "42"


# --- other servers


async def test_work_goes_on_on_another_server_and_the_notebooks_of_the_first_are_let_go(
    server: Server, plain: RunningServer, folder: str, lab: RunningServer
) -> None:
    before = {kernel.id for kernel in await server.list_kernels()}
    async with Workspace(server, HERE) as workspace:
        await workspace.use_notebook("nb", f"{folder}/nb.ipynb", mode="create")
        answer = await workspace.connect_to_jupyter(plain.url, plain.token)
        assert text(answer).startswith(f"Successfully connected to Jupyter server: {plain.url}/\n")
        assert plain.token not in text(answer) + repr(answer)
        assert {kernel.id for kernel in await server.list_kernels()} <= before
        with pytest.raises(NotebookNotInUseError):
            await workspace.read_notebook()
        opened = await workspace.use_notebook("nb", f"on-plain-{folder}.ipynb", mode="create")
        assert opened.notebook.mode == "contents"
        assert (await workspace.execute_code("6 * 7")).result.text == "42"
        await workspace.connect_to_jupyter(lab.url, lab.token)
        again = await workspace.use_notebook("nb", f"{folder}/nb.ipynb")
        assert again.notebook.mode == "collaboration"
    with plain.http() as http:
        assert opened.notebook.kernel_id not in {k["id"] for k in http.get("/api/kernels").json()}


@pytest.mark.parametrize(
    ("hosts", "url", "said"),
    [
        ((), "http://127.0.0.1:8888", "has not allowed to go to '127.0.0.1'; allowed: none"),
        (("localhost",), "http://10.0.0.1/", "'10.0.0.1'; allowed: localhost"),
        (("localhost",), "http://localhost.evil.example", "'localhost.evil.example'"),
        (("localhost",), "http://localhost@evil.example", "carries a user name or password"),
        (("*",), "file:///etc/passwd", "is not a server's URL"),
    ],
)
async def test_only_hosts_that_the_operator_names_are_gone_to(
    hosts: tuple[str, ...], url: str, said: str, server: Server, folder: str
) -> None:
    async with Workspace(server, WorkspaceOptions(connect_hosts=hosts)) as workspace:
        await workspace.use_notebook("nb", f"{folder}/nb.ipynb", mode="create")
        with pytest.raises(ConfigurationError) as caught:
            await workspace.connect_to_jupyter(url)
        assert said in str(caught.value)
        await workspace.read_notebook()


async def test_a_url_with_its_token_is_gone_to_as_it_was_pasted(
    server: Server, plain: RunningServer
) -> None:
    async with Workspace(server, HERE) as workspace:
        pasted = f"{plain.url}/tree/a.ipynb?token={plain.token}"
        connected = await workspace.connect_to_jupyter(pasted)
        assert (connected.url, connected.with_token) == (f"{plain.url}/", True)
        assert plain.token not in repr(connected)


async def test_no_configured_credential_goes_to_a_url_that_was_chosen_in_a_call(
    server: Server, lab: RunningServer, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_URL", lab.url)
    monkeypatch.setenv("JUPYTER_TOKEN", lab.token)
    async with Proxy.before(lab.port) as proxy, Workspace(server, HERE) as workspace:
        await workspace.use_notebook("nb", f"{folder}/nb.ipynb", mode="create")
        with pytest.raises(AuthenticationError, match="none was given"):
            await workspace.connect_to_jupyter(proxy.url)
        assert b"GET /api/status" in proxy.heard
        assert lab.token.encode() not in proxy.heard
        assert b"authorization" not in bytes(proxy.heard).lower()
        # nothing has changed
        await workspace.read_notebook()
        assert (await workspace.execute_code("6 * 7")).result.text == "42"


# --- where people are


async def test_the_cell_with_a_collaborators_cursor_is_shown(
    server: Server, folder: str, lab: RunningServer
) -> None:
    async with Workspace(server) as workspace:
        path = f"{folder}/nb.ipynb"
        await workspace.use_notebook("nb", path, mode="create")
        for source in ("a = 1", "", "b = 2"):
            await workspace.insert_cell(-1, "code", source)
        said = text(await workspace.get_selected_cell())
        assert said == "Nobody has the cursor in a cell of 'nb'."
        async with collaborator(lab, path) as ada:
            for index in (0, 1, 2):
                await ada.greet("Ada\n# do this", ada.notebook.ycells[index]["source"])
                with anyio.fail_after(10):
                    while [
                        i.index for _, i in (await workspace.get_selected_cell()).selections
                    ] != [index]:
                        await server.list_kernels()  # each look is a round trip
            said = text(await workspace.get_selected_cell())
            assert said.startswith("'Ada\\n# do this' is in cell 2, id ")
            assert "b = 2" in said.splitlines()
