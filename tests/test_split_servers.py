# SPDX-License-Identifier: BSD-3-Clause
"""Documents on one server, kernels on another one."""

from typing import Any

import anyio
import pytest
from httpx import Response
from servers import RunningServer
from stand_in import stand_in

from jupyter_agent_core import (
    AuthenticationError,
    ConfigurationError,
    KernelNotFoundError,
    NotebookNotFoundError,
    Server,
    ServerUnreachableError,
    connect,
)
from jupyter_agent_core._http.auth import Token


def kernels_of(running: RunningServer) -> dict[str, str]:
    """The path that each kernel of a server serves, by its id."""
    with running.http() as http:
        paths = {s["kernel"]["id"]: s["path"] for s in http.get("/api/sessions").json()}
        return {k["id"]: paths.get(k["id"], "") for k in http.get("/api/kernels").json()}


async def test_cells_are_edited_on_one_server_and_run_on_the_other(
    lab: RunningServer, plain: RunningServer, other: Server, folder: str
) -> None:
    path = f"{folder}/split.ipynb"
    (plain.root / folder).mkdir()
    before = kernels_of(lab), kernels_of(plain)
    async with connect(
        lab.url, token=lab.token, runtime_url=plain.url, runtime_token=plain.token
    ) as server:
        assert (server.url, server.runtime_url) == (f"{lab.url}/", f"{plain.url}/")
        notebook = await server.open_notebook(path, create=True)
        assert notebook.mode == "collaboration"
        cell = await notebook.append_cell("import os; print(os.getcwd())")
        result = await cell.execute(timeout=30)
        # the folder of the same name, where there is one
        assert (result.status, result.text) == ("ok", str(plain.root / folder))
        theirs = await other.open_notebook(path)
        with anyio.fail_after(10):
            while [cell.text for cell in await theirs.read()] != [result.text]:
                await theirs.flush()  # each look is a round trip

        # those that others have told to end may end meanwhile
        assert kernels_of(lab).items() <= before[0].items()
        assert kernels_of(plain).items() - before[1].items() == {(notebook.kernel.id, path)}
        assert notebook.kernel.id in {kernel.id for kernel in await server.list_kernels()}
        assert notebook.kernel.id in {s.kernel.id for s in await server.list_sessions()}
        assert path in {file.path for file in await server.list_files(folder)}

        run = await (await notebook.append_cell("import time; time.sleep(60)")).start()
        assert (await run.interrupt()).status == "interrupted"
        await notebook.restart()
        assert (await notebook.kernel.execute("6 * 7", timeout=30)).text == "42"
    assert kernels_of(plain).items() <= before[1].items()


async def test_two_clients_of_the_same_pair_share_the_kernel_of_a_notebook(
    lab: RunningServer, plain: RunningServer, folder: str
) -> None:
    pair = {"token": lab.token, "runtime_url": plain.url, "runtime_token": plain.token}
    async with connect(lab.url, **pair) as first, connect(lab.url, **pair) as second:
        one = await first.open_notebook(f"{folder}/shared.ipynb", create=True)
        await one.kernel.execute("x = 6", timeout=30)
        two = await second.open_notebook(f"{folder}/shared.ipynb")
        assert (await two.kernel.execute("x * 7", timeout=30)).text == "42"
        assert one.kernel.id == two.kernel.id


async def test_a_kernel_is_looked_for_on_the_server_of_kernels(
    lab: RunningServer, plain: RunningServer, server: Server, folder: str
) -> None:
    on_lab = await server.start_kernel()
    async with connect(
        lab.url, token=lab.token, runtime_url=plain.url, runtime_token=plain.token
    ) as split:
        with pytest.raises(KernelNotFoundError):
            await split.kernel(str(on_lab.id)).info()
        with pytest.raises(NotebookNotFoundError):
            await split.open_notebook(f"{folder}/missing.ipynb")


async def test_each_server_gets_its_own_token_only(
    lab: RunningServer, plain: RunningServer
) -> None:
    with pytest.raises(AuthenticationError) as caught:
        async with connect(
            lab.url, token=lab.token, runtime_url=plain.url, runtime_token=lab.token
        ):
            pass
    assert caught.value.url == f"{plain.url}/"
    with pytest.raises(AuthenticationError) as caught:
        async with connect(lab.url, token=lab.token, runtime_url=plain.url):
            pass
    assert caught.value.url == f"{plain.url}/"


async def test_a_server_of_kernels_that_is_not_there_is_said(lab: RunningServer) -> None:
    with pytest.raises(ServerUnreachableError, match=r"127\.0\.0\.1:9/"):
        async with connect(lab.url, token=lab.token, runtime_url="http://127.0.0.1:9"):
            pass


@pytest.mark.parametrize("runtime_token", ["wrong", None])
async def test_a_token_that_is_refused_by_the_server_of_kernels_is_asked_for_by_its_own_name(
    lab: RunningServer, plain: RunningServer, runtime_token: str | None
) -> None:
    given: tuple[dict[str, Any], ...] = (
        {"runtime_token": runtime_token},
        {"runtime_auth": Token(runtime_token)},
    )
    for credentials in given:
        with pytest.raises(AuthenticationError) as caught:
            async with connect(lab.url, token=lab.token, runtime_url=plain.url, **credentials):
                pass
        assert "runtime_token=… or in RUNTIME_TOKEN, and a password as runtime_auth=" in str(
            caught.value
        )


async def test_the_same_server_named_twice_is_one_server(lab: RunningServer, folder: str) -> None:
    async with connect(lab.url, token=lab.token, runtime_url=f"{lab.url}/") as server:
        notebook = await server.open_notebook(f"{folder}/one.ipynb", create=True)
        assert (await notebook.kernel.execute("6 * 7", timeout=30)).text == "42"
        assert kernels_of(lab)[str(notebook.kernel.id)] == notebook.path


async def test_a_server_that_does_not_have_the_notebook_cannot_run_it_by_itself(
    lab: RunningServer, plain: RunningServer, folder: str
) -> None:
    async with connect(
        lab.url, token=lab.token, runtime_url=plain.url, runtime_token=plain.token
    ) as server:
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        cell = await notebook.append_cell("1 + 1")
        with pytest.raises(ConfigurationError, match="whose server runs the kernel, too") as caught:
            await cell.start(detached=True)
        assert caught.value.name == "detached"
        assert (await cell.execute(timeout=30)).text == "2"


async def test_a_server_that_runs_its_notebooks_itself_is_given_no_other_one(
    plain: RunningServer,
) -> None:
    answers = {
        "GET /api/status": Response(200, json={"kernels": 0}),
        "GET /api": Response(200, json={"version": "2.0"}),
        "HEAD /api/contents": Response(405),
        "GET /api/fileid/index": Response(405),
    }
    async with stand_in(answers) as at:
        async with connect(at.url, token="t") as server:
            assert server.info.mode == "server-documents"
        with pytest.raises(ConfigurationError, match="leave out runtime_url") as caught:
            async with connect(at.url, token="t", runtime_url=plain.url, runtime_token=plain.token):
                pass
    assert caught.value.name == "runtime_url"
