# SPDX-License-Identifier: BSD-3-Clause
"""The blocking API on a real private server: in scripts, threads, loops and notebooks."""

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import anyio
import psutil
import pytest

import jupyter_agent_core
from jupyter_agent_core import sync
from jupyter_agent_core.sync import _portal
from jupyter_agent_core.sync._portal import on_loop

TIMEOUT = 30.0  # for what a kernel does at once
WORD = secrets.token_hex(8).encode()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sync.Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        with sync.launch(root) as server:
            yield server


@pytest.fixture
def path(request: pytest.FixtureRequest) -> str:
    return f"{request.node.name[:80]}.ipynb"


@pytest.fixture
def notebook(server: sync.Server, path: str) -> Iterator[sync.Notebook]:
    notebook = server.open_notebook(path, create=True)
    yield notebook
    notebook.close()


@pytest.fixture
def here(server: sync.Server, path: str) -> str:
    """The beginning of a script that uses the server and the notebook `path`."""
    return textwrap.dedent(f"""
        import os, sys, threading, time
        from jupyter_agent_core.sync import *
        url, token, path = {server.url!r}, {server.token!r}, {path!r}

        def say(*words):
            print(*words, flush=True)
    """)


@pytest.fixture
def start_script(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []

    def start(code: str) -> subprocess.Popen[str]:
        script = tmp_path / "script.py"
        script.write_text(code)
        command = [sys.executable, "-P", "-W", "ignore::DeprecationWarning", str(script)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def run_script(start_script: Callable[[str], subprocess.Popen[str]]) -> Callable[..., list[str]]:
    """Run a script to its end: the lines that it says, and nothing on stderr."""

    def run(*code: str) -> list[str]:
        process = start_script("".join(map(textwrap.dedent, code)))
        said, noise = process.communicate(timeout=TIMEOUT)
        assert (process.returncode, noise) == (0, "")
        return said.splitlines()

    return run


def interrupt_script(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.CTRL_C_EVENT if sys.platform == "win32" else signal.SIGINT)


@pytest.fixture
def doorbell() -> Iterator[socket.socket]:
    """Where code in a kernel can ring (`ring`) when it has begun."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT)
        yield listener


def ring(doorbell: socket.socket) -> str:
    return f"import socket; socket.create_connection({doorbell.getsockname()!r}).send({WORD})\n"


def heard(doorbell: socket.socket) -> None:
    """Wait until it rings; others may come, who look for what has had its port."""
    said = b""
    while said != WORD:
        caller, _ = doorbell.accept()
        caller.settimeout(TIMEOUT)
        with caller, suppress(ConnectionError):
            said = caller.recv(len(WORD))


# --- a session


def test_a_session_with_a_with_statement(server: sync.Server, root: Path, path: str):
    with sync.connect(server.url, token=server.token, username="Ada") as ours:
        notebook = ours.open_notebook(path, create=True)
        cell = notebook.append_cell("print('hé'); 6 * 7")
        result = cell.execute(timeout=TIMEOUT)
        assert (result.status, result.text) == ("ok", "hé\n42")
        assert [snapshot.id for snapshot in notebook.read()] == [cell.id]
        assert notebook.cell(0).read().text == "hé\n42"
        cell.set_source("6 * 9")
        notebook.save()
        saved = json.loads((root / path).read_text())
        assert saved["cells"][0]["source"] == ["6 * 9"]
        kernel_id = notebook.kernel.id
        assert kernel_id in {kernel.id for kernel in server.list_kernels()}
    assert kernel_id not in {kernel.id for kernel in server.list_kernels()}


def test_handles_are_blocking_ones_and_equal_when_they_mean_the_same(
    server: sync.Server, notebook: sync.Notebook
):
    assert isinstance(server.start_kernel(), sync.Kernel)
    cell = notebook.append_cell("1")
    assert isinstance(cell, sync.Cell)
    assert isinstance(notebook.cell(cell.id), sync.Cell)
    assert notebook.kernel == notebook.kernel
    assert len({notebook.kernel, notebook.kernel}) == 1
    assert notebook.kernel != cell
    assert repr(notebook) == f"<Notebook {notebook.path!r}>"
    assert server.token not in repr(server)


def test_a_run_is_waited_for_looked_at_and_interrupted(
    notebook: sync.Notebook, doorbell: socket.socket
):
    run = notebook.kernel.start(f"print('begun', flush=True)\n{ring(doorbell)}while True: pass")
    assert isinstance(run, sync.Run)
    heard(doorbell)
    assert run.wait(0).status in ("queued", "running")  # what it prints may be on its way
    assert run.interrupt().status == "interrupted"
    assert run.wait(TIMEOUT).outputs == run.outputs
    assert run.outputs[0] == sync.StreamOutput("stdout", "begun\n")


def test_a_workspace_works_with_and_without_a_with_statement(server: sync.Server, path: str):
    with sync.Workspace(server) as workspace:
        workspace.use_notebook("first", path, mode="create")
        answer = workspace.insert_execute_code_cell(-1, "6 * 7", timeout=TIMEOUT)
        assert answer.result.text == "42"
        kernel_id = server.list_sessions()[-1].kernel.id
    assert kernel_id not in {kernel.id for kernel in server.list_kernels()}
    workspace = sync.Workspace(server)
    workspace.use_notebook("again", path)
    workspace.close()
    workspace.close()


def test_closing_twice_is_closing_once(server: sync.Server):
    ours = sync.connect(server.url, token=server.token)
    ours.close()
    ours.close()
    with ours:
        pass


def test_errors_are_those_of_the_async_api(server: sync.Server, notebook: sync.Notebook):
    with pytest.raises(sync.NotebookNotFoundError, match=r"no such\.ipynb"):
        server.open_notebook("no such.ipynb")
    with pytest.raises(sync.CellNotFoundError, match="out of range"):
        notebook.cell(0)
    with pytest.raises(sync.AuthenticationError):
        sync.connect(server.url, token="wrong")
    with pytest.raises(sync.ServerUnreachableError):
        sync.connect("http://127.0.0.1:1")


def test_a_wrong_call_is_a_type_error_before_anything_happens(
    server: sync.Server, notebook: sync.Notebook
):
    with pytest.raises(
        TypeError, match=r"insert_cell\(\) got an unexpected keyword argument 'bad'"
    ):
        notebook.insert_cell(0, "1", bad=2)
    with pytest.raises(TypeError, match=r"connect\(\) got an unexpected keyword argument 'tokn'"):
        sync.connect(server.url, tokn="…")
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'source'"):
        notebook.append_cell()
    assert notebook.read() == ()


def test_importing_it_imports_nothing_that_only_documents_and_kernels_need():
    heavy = "IPython jupyter_kernel_client jupyter_server mcp nbformat pycrdt"
    code = "import sys, jupyter_agent_core.sync; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert sorted(set(run.stdout.split()) & set(heavy.split())) == []


# --- the end of the process


def test_what_a_script_leaves_open_is_closed_at_its_end(
    run_script: Callable[..., list[str]], here: str, server: sync.Server, path: str
):
    (kernel_id,) = run_script(
        here,
        """
        notebook = connect(url, token=token).open_notebook(path, create=True)
        notebook.append_cell("1 + 1").execute(timeout=30)
        say(notebook.kernel.id)
        notebook.append_cell("the last edit")
        """,
    )
    notebook = server.open_notebook(path)
    assert [cell.source for cell in notebook.read()] == ["1 + 1", "the last edit"]
    assert notebook.collaborators() == ()
    assert kernel_id not in {kernel.id for kernel in server.list_kernels()}


def test_a_private_server_ends_with_its_script_and_the_last_edit_is_on_disk(
    run_script: Callable[..., list[str]], tmp_path: Path
):
    folder = tmp_path / "folder"
    folder.mkdir()
    said = run_script(
        f"""
        import psutil
        from jupyter_agent_core.sync import launch
        notebook = launch({str(folder)!r}).open_notebook("notebook.ipynb", create=True)
        notebook.append_cell("1 + 1").execute(timeout=30)
        print(*[child.pid for child in psutil.Process().children(recursive=True)])
        notebook.append_cell("the last edit")
        """
    )
    pids = [int(pid) for pid in said[0].split()]
    assert len(pids) >= 2  # the server and the kernel
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
    saved = json.loads((folder / "notebook.ipynb").read_text())
    assert [cell["source"] for cell in saved["cells"]] == [["1 + 1"], ["the last edit"]]


def test_an_exception_that_ends_a_script_is_all_that_it_says(
    start_script: Callable[[str], subprocess.Popen[str]], here: str, server: sync.Server, path: str
):
    process = start_script(
        here
        + textwrap.dedent("""
            notebook = connect(url, token=token).open_notebook(path, create=True)
            notebook.append_cell("the last edit")
            notebook.cell(7)
        """)
    )
    _, noise = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    frames = [line.split(", in ")[1] for line in noise.splitlines() if line.startswith("  File")]
    assert frames == ["<module>", "cell", "call", "cell", "cell"]  # ours are two of them
    assert noise.splitlines()[-1].startswith("jupyter_agent_core.CellNotFoundError: Cell 7 is out")
    assert [cell.source for cell in server.open_notebook(path).read()] == ["the last edit"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_forked_child_connects_anew_and_the_parent_goes_on(
    run_script: Callable[..., list[str]], here: str
):
    said = run_script(
        here,
        """
        server = connect(url, token=token)
        notebook = server.open_notebook(path, create=True)
        if os.fork() == 0:
            try:
                notebook.read()
            except RuntimeError as error:
                say(error)
            with connect(url, token=token) as server:
                server.open_notebook(path).append_cell("by the child")
            sys.exit()
        say("child ended with", os.wait()[1])
        notebook.append_cell("by the parent")
        say(sorted(cell.source for cell in notebook.read()))
        """,
    )
    assert said == [_portal.FORKED, "child ended with 0", "['by the child', 'by the parent']"]


# --- loops, notebooks and threads


def test_it_works_inside_a_running_loop(server: sync.Server, path: str):
    async def main() -> str:
        await asyncio.sleep(0)
        with sync.connect(server.url, token=server.token) as ours:
            notebook = ours.open_notebook(path, create=True)
            return notebook.append_cell("6 * 7").execute(timeout=TIMEOUT).text

    assert asyncio.run(main()) == "42"


def test_it_works_in_a_notebooks_cell(server: sync.Server, here: str, notebook: sync.Notebook):
    kernel = server.start_kernel()
    code = textwrap.dedent("""
        server = connect(url, token=token)
        cell = server.open_notebook(path).append_cell("6 * 7")
        print(cell.execute(timeout=30).text)
    """)
    assert kernel.execute(here + code, timeout=TIMEOUT).text == "42"
    # the next cell, and a coroutine in it, go on with the same connection
    code = "async def go_on(): return cell.set_source('6 * 9').source\nawait go_on()"
    assert kernel.execute(code, timeout=TIMEOUT).text == "'6 * 9'"
    assert notebook.cell(0).read().text == "42"
    kernel.shutdown()


def test_code_that_would_wait_for_its_own_kernel_is_refused(
    server: sync.Server, here: str, notebook: sync.Notebook
):
    cell = notebook.append_cell("6 * 7")
    code = textwrap.dedent("""
        cell = connect(url, token=token).open_notebook(path).cell(0)
        try:
            cell.execute()
        except KernelUnavailableError as error:
            print("would wait for itself" in str(error))
        run = cell.start()
        try:
            run.wait()
        except KernelUnavailableError:
            print(run.wait(0).status in ("queued", "running"))
    """)
    assert notebook.kernel.execute(here + code, timeout=TIMEOUT).text == "True\nTrue"
    in_a_thread = textwrap.dedent("""
        texts = []
        thread = threading.Thread(target=lambda: texts.append(run.wait().text))
        thread.start()
    """)
    notebook.kernel.execute(in_a_thread, timeout=TIMEOUT)
    assert cell.execute(timeout=TIMEOUT).text == "42"
    code = f"thread.join({TIMEOUT})\nprint(*texts)"
    assert notebook.kernel.execute(code, timeout=TIMEOUT).text == "42"


def test_interrupting_a_notebooks_cell_interrupts_what_it_waits_for(
    server: sync.Server, here: str, notebook: sync.Notebook, doorbell: socket.socket
):
    cell = notebook.append_cell(f"import time\n{ring(doorbell)}time.sleep(600)")
    kernel = server.start_kernel()
    code = "connect(url, token=token).open_notebook(path).cell(0).execute()"
    run = kernel.start(f"{here}\n{code}")
    heard(doorbell)
    assert run.interrupt().status == "interrupted"
    # what the code there has recorded last may be on its way
    deadline = time.monotonic() + TIMEOUT
    while cell.read().execution_state != "idle":
        assert time.monotonic() < deadline
        notebook.flush()
    assert "KeyboardInterrupt" in cell.read().text
    kernel.shutdown()


def test_several_threads_use_one_notebook_at_once(notebook: sync.Notebook):
    def work(number: int) -> list[str]:
        results = []
        for step in range(4):
            cell = notebook.append_cell(f"{number} * 100 + {step}")
            results.append(cell.execute(timeout=TIMEOUT).text)
        return results

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(work, range(6)))
    assert results == [[str(number * 100 + step) for step in range(4)] for number in range(6)]
    assert len({cell.id for cell in notebook.read()}) == 24


def test_edits_of_others_arrive_between_calls(
    server: sync.Server, notebook: sync.Notebook, path: str
):
    arrived = threading.Event()
    document = notebook._core._provider.document
    observe = on_loop(document.ydoc.observe)
    subscription = notebook._portal.call(observe, lambda _: arrived.set())

    async def somebody_else() -> None:
        async with jupyter_agent_core.connect(server.url, token=server.token) as theirs:
            await (await theirs.open_notebook(path)).append_cell("theirs")

    anyio.run(somebody_else)
    assert arrived.wait(TIMEOUT)
    notebook._portal.call(on_loop(document.ydoc.unobserve), subscription)
    assert [cell.source for cell in notebook.read()] == ["theirs"]


def test_a_call_on_the_loops_own_thread_is_refused(server: sync.Server):
    with pytest.raises(RuntimeError, match="await the async API here"):
        server._portal.call(on_loop(server.list_files))


# --- Ctrl-C


def test_ctrl_c_interrupts_the_code_in_the_kernel_and_the_script_can_go_on(
    start_script: Callable[[str], subprocess.Popen[str]],
    here: str,
    server: sync.Server,
    path: str,
    doorbell: socket.socket,
):
    forever = f"import time\n{ring(doorbell)}time.sleep(60)"
    process = start_script(
        here
        + textwrap.dedent(f"""
            notebook = connect(url, token=token).open_notebook(path, create=True)
            cell = notebook.append_cell({forever!r})
            try:
                cell.execute()
            except KeyboardInterrupt:
                say("interrupted", cell.read().execution_state, notebook.kernel.state)
            say(notebook.append_cell("6 * 7").execute(timeout=30).text)
        """)
    )
    heard(doorbell)
    interrupt_script(process)
    begun = time.monotonic()
    assert process.stdout.readline() == "interrupted idle idle\n"
    assert time.monotonic() - begun < 5
    said, noise = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, said, noise) == (0, "42\n", "")
    cell = server.open_notebook(path).cell(0).read()
    assert cell.text.endswith("KeyboardInterrupt: ")


def test_ctrl_c_that_nobody_catches_ends_the_script_in_order(
    start_script: Callable[[str], subprocess.Popen[str]],
    here: str,
    server: sync.Server,
    path: str,
    doorbell: socket.socket,
):
    forever = f"import time\n{ring(doorbell)}time.sleep(60)"
    process = start_script(
        here
        + textwrap.dedent(f"""
            with connect(url, token=token) as server:
                notebook = server.open_notebook(path, create=True)
                notebook.append_cell("before")
                say(notebook.kernel.connect().id)
                notebook.kernel.execute({forever!r})
        """)
    )
    kernel_id = process.stdout.readline().strip()
    heard(doorbell)
    interrupt_script(process)
    _, noise = process.communicate(timeout=TIMEOUT)
    assert noise.splitlines()[-1] == "KeyboardInterrupt"
    assert noise.count("Traceback") == 1
    assert kernel_id not in {kernel.id for kernel in server.list_kernels()}
    assert [cell.source for cell in server.open_notebook(path).read()] == ["before"]
