# SPDX-License-Identifier: BSD-3-Clause
"""Which kernel a notebook runs on, who owns it, and what becomes of it."""

import json
import shutil
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from servers import SECOND_KERNEL, Proxy, RunningServer, install_kernelspec

from jupyter_agent_core import (
    ConfigurationError,
    ConnectionLostError,
    Kernel,
    KernelNotFoundError,
    KernelSpecNotFoundError,
    KernelUnavailableError,
    Notebook,
    NotebookClosedError,
    NotebookNotFoundError,
    Server,
    connect,
)


@pytest.fixture
def http(lab: RunningServer) -> Any:
    with lab.http() as client:
        yield client


def start_session(http: httpx.Client, path: str, kernel_name: str = "python3") -> str:
    """Start a session as JupyterLab does; return the id of its kernel."""
    body = {
        "path": path,
        "name": path.rpartition("/")[2],
        "type": "notebook",
        "kernel": {"name": kernel_name},
    }
    session = http.post("/api/sessions", json=body).raise_for_status().json()
    kernel_id: str = session["kernel"]["id"]
    return kernel_id


def change_kernel(http: httpx.Client, path: str) -> str:
    """Give a notebook a new kernel as JupyterLab's menu does; return its id."""
    (session,) = sessions(http, path)
    body = {"kernel": {"name": "python3"}}
    changed = http.patch(f"/api/sessions/{session['id']}", json=body).raise_for_status()
    kernel_id: str = changed.json()["kernel"]["id"]
    return kernel_id


def running(http: httpx.Client) -> set[str]:
    return {kernel["id"] for kernel in http.get("/api/kernels").json()}


def sessions(http: httpx.Client, path: str) -> list[dict[str, Any]]:
    return [s for s in http.get("/api/sessions").json() if s["path"] == path]


# --- adopted and started kernels


async def test_a_notebook_runs_on_the_kernel_that_its_human_has(
    notebook: Notebook, http: httpx.Client
) -> None:
    theirs = start_session(http, notebook.path)
    cell = await notebook.append_cell("x = 7\nx")
    assert (await cell.execute(timeout=30)).text == "7"
    assert notebook.kernel.id == theirs
    assert not notebook.kernel.started_here
    assert len(sessions(http, notebook.path)) == 1

    released = await notebook.close()
    assert (released.kernel_id, released.shut_down) == (theirs, False)
    assert "not started here" in (released.reason or "")
    assert theirs in running(http)


async def test_a_borrowed_kernel_lives_on_when_we_leave(
    lab: RunningServer, folder: str, http: httpx.Client
) -> None:
    path = f"{folder}/n.ipynb"
    async with connect(lab.url, token=lab.token) as server:
        notebook = await server.open_notebook(path, create=True)
        theirs = start_session(http, path)
        await (await notebook.append_cell("kept = 1")).execute(timeout=30)
    assert theirs in running(http)
    async with connect(lab.url, token=lab.token) as server:
        assert (await server.kernel(theirs).execute("kept", timeout=30)).text == "1"


async def test_a_kernel_that_we_start_is_a_session_of_the_notebook_in_its_folder(
    notebook: Notebook, lab: RunningServer, http: httpx.Client, folder: str
) -> None:
    cell = await notebook.append_cell("import os\nprint(os.getcwd())")
    result = await cell.execute(timeout=30)
    assert result.text == str(lab.root / folder)
    (session,) = sessions(http, notebook.path)
    assert session["kernel"]["id"] == notebook.kernel.id
    assert session["type"] == "notebook"
    assert session["name"] == "notebook.ipynb"
    assert notebook.kernel.started_here

    released = await notebook.close()
    assert released.shut_down
    assert released.kernel_id not in running(http)
    assert sessions(http, notebook.path) == []


async def test_kernels_that_we_started_end_when_we_leave(
    lab: RunningServer, folder: str, http: httpx.Client
) -> None:
    before = running(http)
    with anyio.fail_after(20):
        async with connect(lab.url, token=lab.token) as server:
            notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
            await notebook.kernel.execute("import time; 1", timeout=30)
            free = await server.start_kernel()
            await free.start("import time; time.sleep(600)")
            assert len(running(http) - before) == 2
    assert running(http) == before


async def test_a_kernel_that_somebody_else_uses_is_left_to_him(
    notebook: Notebook, other: Server, http: httpx.Client
) -> None:
    await notebook.kernel.execute("x = 1", timeout=30)
    kernel_id = notebook.kernel.id
    theirs = await other.open_notebook(notebook.path)
    assert (await theirs.kernel.execute("x", timeout=30)).text == "1"
    assert theirs.kernel.id == kernel_id

    released = await notebook.close()
    assert not released.shut_down
    assert "1 other client" in (released.reason or "")
    assert kernel_id in running(http)
    assert (await theirs.kernel.execute("x", timeout=30)).text == "1"


async def test_no_kernel_is_started_for_a_notebook_that_runs_nothing(
    notebook: Notebook, http: httpx.Client
) -> None:
    before = running(http)
    await notebook.append_cell("1")
    await notebook.read()
    assert running(http) == before
    released = await notebook.close()
    assert (released.kernel_id, released.shut_down) == (None, False)


async def test_a_notebook_that_is_open_twice_shares_its_kernel(
    server: Server, notebook: Notebook, http: httpx.Client
) -> None:
    again = await server.open_notebook(notebook.path)
    await notebook.kernel.execute("x = 1", timeout=30)
    assert (await again.kernel.execute("x", timeout=30)).text == "1"
    released = await notebook.close()
    assert not released.shut_down
    assert (await again.kernel.execute("x", timeout=30)).text == "1"
    assert (await again.close()).shut_down


async def test_a_kernel_is_shut_down_by_its_handle_and_started_anew_by_use(
    notebook: Notebook, http: httpx.Client
) -> None:
    await notebook.kernel.execute("x = 1", timeout=30)
    first = notebook.kernel.id
    with anyio.fail_after(20):
        await notebook.kernel.shutdown()
    assert first not in running(http)
    assert notebook.kernel.id is None
    assert (await notebook.kernel.execute("'x' in globals()", timeout=30)).text == "False"
    assert notebook.kernel.id != first


async def test_restarting_a_notebook_forgets_its_variables(notebook: Notebook) -> None:
    await notebook.kernel.execute("x = 1", timeout=30)
    kernel_id = notebook.kernel.id
    with anyio.fail_after(30):
        await notebook.restart()
        result = await notebook.kernel.execute("'x' in globals()")
    assert (result.status, result.text, result.execution_count) == ("ok", "False", 1)
    assert notebook.kernel.id == kernel_id


# --- a kernel of the caller's choice


async def test_a_notebook_runs_on_a_running_kernel_that_is_named(
    server: Server, folder: str, http: httpx.Client
) -> None:
    free = await server.start_kernel()
    await free.execute("x = 'shared'", timeout=30)
    notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True, kernel_id=free.id)
    cell = await notebook.append_cell("x")
    assert (await cell.execute(timeout=30)).text == "'shared'"
    (session,) = sessions(http, notebook.path)
    assert session["kernel"]["id"] == free.id
    released = await notebook.close()
    assert not released.shut_down
    assert (await free.execute("x", timeout=30)).status == "ok"


async def test_a_new_kernel_replaces_that_of_the_session(
    server: Server, notebook: Notebook, http: httpx.Client
) -> None:
    old = start_session(http, notebook.path)
    path = notebook.path
    await notebook.close()
    notebook = await server.open_notebook(path, kernel_id="new")
    assert (await notebook.kernel.execute("1 + 1", timeout=30)).text == "2"
    assert notebook.kernel.id != old
    (session,) = sessions(http, path)
    assert session["kernel"]["id"] == notebook.kernel.id
    assert old not in running(http)


async def test_a_kernel_that_a_human_is_connected_to_is_not_replaced(
    server: Server, other: Server, notebook: Notebook, http: httpx.Client
) -> None:
    old = start_session(http, notebook.path)
    theirs = other.kernel(old)
    await theirs.connect()
    for wish in ({"kernel_id": "NEW"}, {"kernel_name": SECOND_KERNEL}):
        wanting = await server.open_notebook(notebook.path, **wish)
        with pytest.raises(KernelUnavailableError, match="1 connected client"):
            await wanting.kernel.execute("1", timeout=30)
        await wanting.close()
    assert (await theirs.execute("1", timeout=30)).status == "ok"
    (session,) = sessions(http, notebook.path)
    assert session["kernel"]["id"] == old


async def test_a_notebook_goes_over_to_another_kernel(
    server: Server, notebook: Notebook, http: httpx.Client
) -> None:
    cell = await notebook.append_cell("x = globals().get('x', 0) + 1; x")
    await cell.execute(timeout=30)
    first = notebook.kernel.id
    free = await server.start_kernel()
    await free.execute("x = 41", timeout=30)
    # one of ours, by its id; then another kernelspec; then a new one of the same
    for arguments, name in (
        ({"kernel_id": free.id}, "python3"),
        ({"kernel_name": SECOND_KERNEL}, SECOND_KERNEL),
        ({"kernel_id": "NEW"}, SECOND_KERNEL),
    ):
        before = notebook.kernel.id
        if before == free.id:
            await server.kernel(str(before)).shutdown()
        info = await notebook.use_kernel(**arguments)
        assert (info.id, info.name) == (notebook.kernel.id, name)
        assert info.id != before
        text = (await cell.execute(timeout=30)).text
        assert text == ("42" if info.id == free.id else "1")
        (session,) = sessions(http, notebook.path)
        assert session["kernel"]["id"] == info.id
    assert first not in running(http)
    last = notebook.kernel.id
    assert (await notebook.close()).shut_down
    assert last not in running(http)


async def test_a_kernel_in_use_is_not_exchanged(
    notebook: Notebook, other: Server, http: httpx.Client
) -> None:
    run = await notebook.kernel.start("import time; time.sleep(600)")
    with pytest.raises(KernelUnavailableError, match="code of ours runs on it"):
        await notebook.use_kernel("NEW")
    await run.interrupt()
    theirs = other.kernel(str(notebook.kernel.id))
    await theirs.connect()
    with pytest.raises(KernelUnavailableError, match=r"for 1 connected client"):
        await notebook.use_kernel(kernel_name=SECOND_KERNEL)
    with pytest.raises(KernelNotFoundError, match="no-such-kernel"):
        await notebook.use_kernel("no-such-kernel")
    with pytest.raises(KernelSpecNotFoundError, match="cobol"):
        await notebook.use_kernel(kernel_name="cobol")
    with pytest.raises(ConfigurationError, match="pass kernel_id"):
        await notebook.use_kernel()
    assert (await notebook.kernel.execute("6 * 7", timeout=30)).text == "42"


@pytest.mark.parametrize("create", [False, True])
async def test_an_unknown_kernel_id_is_refused_with_those_that_run(
    server: Server, lab: RunningServer, notebook: Notebook, folder: str, create: bool
) -> None:
    free = await server.start_kernel()
    path = f"{folder}/other.ipynb" if create else notebook.path
    with pytest.raises(KernelNotFoundError, match=str(free.id)) as caught:
        await server.open_notebook(path, create=create, kernel_id="no-such-kernel")
    assert free.id in caught.value.running
    assert (lab.root / path).exists() is not create


@pytest.mark.parametrize("create", [False, True])
async def test_an_unknown_kernel_name_is_refused_with_those_that_there_are(
    server: Server, lab: RunningServer, notebook: Notebook, folder: str, create: bool
) -> None:
    path = f"{folder}/other.ipynb" if create else notebook.path
    with pytest.raises(KernelSpecNotFoundError, match="python3") as caught:
        await server.open_notebook(path, create=create, kernel_name="cobol")
    assert caught.value.available == ("python3", SECOND_KERNEL)
    assert (lab.root / path).exists() is not create
    with pytest.raises(KernelSpecNotFoundError):
        await server.start_kernel("cobol")


async def test_a_notebook_of_another_kernelspec_runs_on_it(
    server: Server, lab: RunningServer, folder: str, http: httpx.Client
) -> None:
    path = f"{folder}/n.ipynb"
    notebook = await server.open_notebook(path, create=True, kernel_name=SECOND_KERNEL)
    await notebook.append_cell("1 + 1")
    await notebook.save()
    metadata = json.loads((lab.root / path).read_text())["metadata"]
    assert metadata["kernelspec"]["name"] == SECOND_KERNEL
    await notebook.close()

    # its own metadata says so
    notebook = await server.open_notebook(path)
    assert (await notebook.cell(0).execute(timeout=30)).text == "2"
    assert notebook.kernel.name == SECOND_KERNEL
    (session,) = sessions(http, path)
    assert session["kernel"]["name"] == SECOND_KERNEL


async def test_a_notebook_whose_kernelspec_is_missing_says_which_there_are(
    server: Server, lab: RunningServer, folder: str
) -> None:
    spec = {"name": "cobol", "display_name": "COBOL", "language": "cobol"}
    cell = {
        "id": "c",
        "cell_type": "code",
        "source": "1",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    content = {"cells": [cell], "metadata": {"kernelspec": spec}, "nbformat": 4} | {
        "nbformat_minor": 5
    }
    (lab.root / folder / "n.ipynb").write_text(json.dumps(content))
    notebook = await server.open_notebook(f"{folder}/n.ipynb")
    with pytest.raises(KernelSpecNotFoundError, match="python3"):
        await notebook.cell(0).execute(timeout=30)
    assert (await notebook.cell(0).read()).execution_state == "idle"
    await notebook.close()
    # and runs on another one if told to
    notebook = await server.open_notebook(f"{folder}/n.ipynb", kernel_name="python3")
    assert (await notebook.cell(0).execute(timeout=30)).text == "1"


async def test_a_handle_on_a_kernel_that_is_gone_says_which_run(server: Server) -> None:
    kernel = await server.start_kernel()
    gone = await server.start_kernel()
    assert gone.id is not None
    handle = server.kernel(gone.id)
    await gone.shutdown()
    for use in (handle.connect, lambda: handle.execute("1"), handle.restart):
        with pytest.raises(KernelNotFoundError) as caught:
            await use()
        assert kernel.id in caught.value.running


# --- states, places, refusals


async def test_a_notebook_in_a_missing_folder_is_not_created(
    server: Server, lab: RunningServer
) -> None:
    with pytest.raises(NotebookNotFoundError):
        await server.open_notebook("nowhere/n.ipynb", create=True)
    assert not (lab.root / "nowhere").exists()


async def test_the_state_of_a_kernel_is_what_it_said_last(notebook: Notebook) -> None:
    kernel: Kernel = notebook.kernel
    assert (kernel.id, kernel.state, repr(kernel)) == (
        None,
        "not connected",
        "<Kernel not started not connected>",
    )
    run = await kernel.start("import time; print('begun', flush=True); time.sleep(600)")
    with anyio.fail_after(20):
        while not run.outputs:
            await run.wait(0.02)
    assert kernel.state == "busy"
    await run.interrupt()
    assert kernel.state == "idle"
    assert (await kernel.info()).id == kernel.id


async def test_a_new_kernel_stays_the_notebooks_after_its_connection_broke(
    lab: RunningServer, folder: str
) -> None:
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        path = f"{folder}/n.ipynb"
        notebook = await server.open_notebook(path, create=True, kernel_id="NEW")
        await notebook.kernel.execute("x = 42")
        before = notebook.kernel.id
        proxy.point_to(9)
        proxy.cut()
        with anyio.fail_after(20):
            while notebook.kernel.state != "not connected":
                await anyio.lowlevel.checkpoint()
            proxy.point_to(lab.port)
            assert (await notebook.kernel.execute("x")).text == "42"
        assert notebook.kernel.id == before


async def test_a_server_that_was_left_says_so(lab: RunningServer, folder: str) -> None:
    async with connect(lab.url, token=lab.token) as server:
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
    for use in (server.list_kernels, lambda: server.open_notebook("n")):
        with pytest.raises(ConnectionLostError, match="closed here"):
            await use()
    with pytest.raises(NotebookClosedError):
        await notebook.kernel.connect()


@pytest.mark.parametrize("path", ["a/../n.ipynb", "../n.ipynb", "./n.ipynb", "a//n.ipynb"])
async def test_a_path_has_one_spelling_and_stays_below_the_root(server: Server, path: str) -> None:
    with pytest.raises(ConfigurationError, match="below the server's root"):
        await server.open_notebook(path, create=True)
    with pytest.raises(ConfigurationError, match="below the server's root"):
        await server.list_files(path)


async def test_a_busy_kernel_that_nobody_looks_at_is_not_exchanged(
    server: Server, notebook: Notebook, http: httpx.Client, lab: RunningServer
) -> None:
    old = start_session(http, notebook.path)
    async with connect(lab.url, token=lab.token) as human:
        # he closes his browser while it runs
        run = await human.kernel(old).start("import time; print('begun'); time.sleep(600)")
        with anyio.fail_after(20):
            async for _ in run:
                break
    with anyio.fail_after(20):
        while next(k for k in await server.list_kernels() if k.id == old).connections:
            await anyio.lowlevel.checkpoint()
    with pytest.raises(KernelUnavailableError, match="it runs somebody's code"):
        await notebook.use_kernel(kernel_name=SECOND_KERNEL)
    wanting = await server.open_notebook(notebook.path, kernel_name=SECOND_KERNEL)
    with pytest.raises(KernelUnavailableError, match="it runs somebody's code"):
        await wanting.kernel.execute("1", timeout=30)
    assert old in running(http)


async def test_a_kernel_that_cannot_start_leaves_the_notebook_its_own(
    notebook: Notebook, lab: RunningServer
) -> None:
    await notebook.kernel.execute("x = 42", timeout=30)
    spec = install_kernelspec(lab.root.parent, "broken", ["/no/such/program"])
    try:
        with pytest.raises(KernelUnavailableError):
            await notebook.use_kernel(kernel_name="broken")
        assert (await notebook.kernel.execute("x", timeout=30)).text == "42"
    finally:
        shutil.rmtree(spec)


@pytest.mark.parametrize("wish", [{"kernel_id": "NEW"}, {}], ids=["new", "any"])
async def test_a_new_kernel_is_wanted_once_and_then_that_of_the_human(
    server: Server, other: Server, notebook: Notebook, http: httpx.Client, wish: dict[str, str]
) -> None:
    ours = await server.open_notebook(notebook.path, **wish)
    await ours.kernel.execute("1", timeout=30)
    theirs = change_kernel(http, notebook.path)
    await other.kernel(theirs).execute("x = 'theirs'", timeout=30)
    assert (await ours.kernel.execute("x", timeout=30)).text == "'theirs'"
    assert ours.kernel.id == theirs
    await ours.close()
