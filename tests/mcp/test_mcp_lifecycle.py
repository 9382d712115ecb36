# SPDX-License-Identifier: BSD-3-Clause
"""The process of the MCP server: how it starts, what it does without Jupyter, how it ends."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import psutil
import pytest
from anyio.abc import SocketStream
from mcp_process import COMMAND, McpProcess, Signal, mcp_process
from ports import reserved_port
from servers import RunningServer

from jupyter_agent_core import Server
from jupyter_mcp_server.__main__ import main

GONE = 2.0
"""Seconds, promised."""
SAYS_SO = 5.0
"""Seconds until the first call says that there is no server, promised."""
WAYS = ["stdin", "SIGTERM", "SIGINT"]
RUNNING = {
    "sleeping": "import time\n{begun}\ntime.sleep(60)",
    "stubborn": (
        "import time\n{begun}\nwhile True:\n"
        "    try: time.sleep(60)\n    except KeyboardInterrupt: pass"
    ),
}
NEW = {"notebook_name": "nb", "notebook_path": "nb.ipynb", "mode": "create"}


@pytest.fixture
def port() -> Iterator[int]:
    """A port at which nothing listens as yet."""
    with reserved_port() as port:
        yield port


@asynccontextmanager
async def forwarded(port: int, target: int) -> AsyncIterator[None]:
    """Listen on a given port of our own and pass everything on to a server."""

    async def pump(source: SocketStream, sink: SocketStream) -> None:
        try:
            async for data in source:
                await sink.send(data)
            await sink.send_eof()
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return

    async def serve(client: SocketStream) -> None:
        async with (
            client,
            await anyio.connect_tcp("127.0.0.1", target) as server,
            anyio.create_task_group() as group,
        ):
            group.start_soon(pump, client, server)
            group.start_soon(pump, server, client)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield
        group.cancel_scope.cancel()


def private_server(variables: dict[str, str]) -> dict[str, str]:
    """The one private server, from its runtime file."""
    (file,) = Path(variables["JUPYTER_RUNTIME_DIR"]).glob("jpserver-*.json")
    registered: dict[str, str] = json.loads(file.read_text())
    return registered


def saved_sources(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]


async def stop(server: McpProcess, how: str) -> float:
    """End the process and return how long it took."""
    started = time.perf_counter()
    if how == "stdin":
        await server.close_stdin()
    else:
        server.process.send_signal(getattr(signal, how))
    await server.ended(timeout=20)
    return time.perf_counter() - started


async def assert_gone(processes: list[psutil.Process], seconds: float) -> None:
    """Wait for the end of processes that may have been left to one who does not reap them."""

    def wait() -> list[psutil.Process]:
        deadline = time.monotonic() + seconds
        while (
            alive := [one for one in processes if is_alive(one)]
        ) and time.monotonic() < deadline:
            time.sleep(0.01)
        return alive

    assert await anyio.to_thread.run_sync(wait) == []


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# --- without Jupyter


@pytest.mark.alone
async def test_without_a_server_it_starts_says_so_and_connects_once_there_is_one(
    work: Path, on_lab: dict[str, str], lab: RunningServer, folder: str, port: int
) -> None:
    variables = on_lab | {"JUPYTER_URL": f"http://127.0.0.1:{port}"}
    async with mcp_process(work, variables) as server:
        answered = await server.initialize()
        assert answered["serverInfo"]["name"] == "jupyter"
        tools = (await server.request("tools/list"))["tools"]
        assert len(tools) == 26
        for _ in range(2):
            with anyio.fail_after(SAYS_SO):
                said = await server.refusal("list_kernels")
            assert said.startswith(f"No Jupyter server answers at http://127.0.0.1:{port}/ (")
            assert "check that it runs and that the URL is right" in said
            assert "\n" not in said
        async with forwarded(port, lab.port):
            await server.answer("use_notebook", **NEW | {"notebook_path": f"{folder}/nb.ipynb"})
            said = await server.answer("insert_execute_code_cell", cell_index=-1, cell_source="1+1")
            assert said.startswith("2\n")
        with anyio.fail_after(SAYS_SO):
            said = await server.refusal("read_notebook")
        assert "lost" in said
        async with forwarded(port, lab.port):
            assert "\t1+1\t" in await server.answer("read_notebook")
            await stop(server, "stdin")
    assert lab.token.encode() not in server.written


@pytest.mark.alone
async def test_a_server_that_accepts_and_keeps_silent_is_given_up(
    work: Path, alone: dict[str, str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with mcp_process(work, alone | {"JUPYTER_URL": url}) as server:
            await server.initialize()
            with anyio.fail_after(SAYS_SO):
                said = await server.refusal("list_kernels")
            assert said.startswith(f"No Jupyter server answers at {url}/")


@pytest.mark.alone
async def test_a_wrong_token_is_said_and_shown_nowhere(
    work: Path, on_lab: dict[str, str], lab: RunningServer
) -> None:
    wrong = "wrong-0123456789"
    async with mcp_process(work, on_lab | {"JUPYTER_TOKEN": wrong}) as server:
        await server.initialize()
        for _ in range(2):
            with anyio.fail_after(SAYS_SO):
                said = await server.refusal("list_kernels")
            assert said.startswith(f"{lab.url}/ does not accept the token (HTTP 403): ")
            assert "JUPYTER_TOKEN" in said
        await stop(server, "stdin")
    assert wrong.encode() not in server.written


async def test_the_token_is_in_no_answer_and_in_no_log(
    work: Path, on_lab: dict[str, str], lab: RunningServer, folder: str
) -> None:
    async with mcp_process(work, on_lab) as server:
        await server.initialize()
        path = f"{folder}/nb.ipynb"
        await server.answer("use_notebook", **NEW | {"notebook_path": path})
        for tool in ("list_kernels", "list_notebooks", "list_files", "read_notebook"):
            await server.answer(tool)
        for path in ("missing.ipynb", "folder/", "../x.ipynb"):
            await server.refusal("use_notebook", notebook_name=path, notebook_path=path)
        await server.refusal("execute_code", code="1", kernel_id="none")
        await stop(server, "stdin")
    assert lab.token.encode() not in server.written


# --- a private server


@pytest.mark.alone
async def test_a_second_process_in_a_folder_joins_the_server_of_the_first_one(
    work: Path, alone: dict[str, str]
) -> None:
    async with mcp_process(work, alone) as first, mcp_process(work, alone) as second:
        await first.initialize()
        await second.initialize()
        # both at once: one of them starts a server
        async with anyio.create_task_group() as group:
            group.start_soon(first.answer, "list_kernels")
            group.start_soon(second.answer, "list_kernels")
        owners = [one for one in (first, second) if one.children()]
        assert len(owners) == 1
        registered = private_server(alone)
        await first.answer("use_notebook", **NEW)
        said = await second.answer("use_notebook", notebook_name="same", notebook_path="nb.ipynb")
        assert "adopted, others may use it" in said

        await first.answer("insert_cell", cell_index=0, cell_type="code", cell_source="x = 6")
        await first.answer("execute_cell", cell_index=0)
        with anyio.fail_after(2):
            while "\tx = 6\t" not in await second.answer("read_notebook"):
                pass  # each look is a round trip
        assert (await second.answer("execute_code", code="x * 7")).startswith("42\n")
        assert private_server(alone) == registered
    for one in (first, second):
        assert registered["token"].encode() not in one.written


@pytest.mark.alone
async def test_when_the_owner_ends_the_other_process_goes_on_with_a_server_of_its_own(
    work: Path, alone: dict[str, str]
) -> None:
    async with mcp_process(work, alone) as owner, mcp_process(work, alone) as other:
        await owner.initialize()
        await owner.answer("use_notebook", **NEW)
        before = private_server(alone)
        await owner.answer("insert_cell", cell_index=0, cell_type="code", cell_source="kept = 1")
        await other.initialize()
        use = {"notebook_name": "nb", "notebook_path": "nb.ipynb"}
        await other.answer("use_notebook", **use)
        assert not other.children()
        await stop(owner, "stdin")

        with anyio.fail_after(15):
            # one call may say what has happened
            said = await other.refusal("read_notebook")
            assert "lost" in said or "No Jupyter server answers" in said
            after = await other.answer("use_notebook", **use)
            assert private_server(alone)["url"] != before["url"]
            assert "\tkept = 1\t" in after
            said = await other.answer("insert_execute_code_cell", cell_index=1, cell_source="1+1")
            assert said.startswith("2\n")
        assert other.children()
        children = other.children()
        await stop(other, "stdin")
        await assert_gone(children, GONE)
    assert saved_sources(work / "nb.ipynb") == ["kept = 1", "1+1"]


# --- the end


@pytest.mark.alone
@pytest.mark.parametrize("how", WAYS)
async def test_it_ends_at_once_after_an_edit_which_is_on_disk_then(
    how: str, work: Path, alone: dict[str, str]
) -> None:
    async with mcp_process(work, alone) as server:
        await server.initialize()
        await server.answer("use_notebook", **NEW)
        children = server.children()
        assert len(children) >= 2
        await server.answer("insert_cell", cell_index=0, cell_type="code", cell_source="edit = 1")
        took = await stop(server, how)
        print(f"ended {took:.2f} s after {how}")
        await assert_gone(children, 0.1)
    assert saved_sources(work / "nb.ipynb") == ["edit = 1"]
    assert took < GONE
    assert list(Path(alone["JUPYTER_RUNTIME_DIR"]).glob("jpserver-*.json")) == []


@pytest.mark.alone
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("code", RUNNING.values(), ids=RUNNING)
async def test_it_ends_at_once_while_code_runs(
    how: str, code: str, work: Path, alone: dict[str, str]
) -> None:
    async with mcp_process(work, alone) as server, Signal.listening() as begun:
        await server.initialize()
        await server.answer("use_notebook", **NEW)
        code = code.format(begun=begun.code)
        await server.send(
            {
                "id": "running",
                "method": "tools/call",
                "params": {
                    "name": "insert_execute_code_cell",
                    "arguments": {"cell_index": -1, "cell_source": code},
                },
            }
        )
        await begun.given()
        children = server.children()
        took = await stop(server, how)
        print(f"ended {took:.2f} s after {how}")
        await assert_gone(children, GONE)
    assert saved_sources(work / "nb.ipynb") == [code]
    assert took < GONE


@pytest.mark.alone
@pytest.mark.parametrize("how", WAYS)
async def test_at_its_end_borrowed_kernels_live_on_and_its_own_are_gone(
    how: str, work: Path, on_lab: dict[str, str], other: Server, folder: str
) -> None:
    theirs = await other.open_notebook(f"{folder}/theirs.ipynb", create=True)
    await theirs.kernel.execute("x = 'still here'")
    async with mcp_process(work, on_lab) as server:
        await server.initialize()
        await server.answer("use_notebook", notebook_name="theirs", notebook_path=theirs.path)
        await server.answer("use_notebook", **NEW | {"notebook_path": f"{folder}/own.ipynb"})
        await server.answer("execute_code", code="1", notebook_name="theirs")
        await server.answer("insert_cell", cell_index=0, cell_type="code", cell_source="edit = 1")
        own = {k.id for k in await other.list_kernels() if k.path == f"{folder}/own.ipynb"}
        assert len(own) == 1
        took = await stop(server, how)
        print(f"ended {took:.2f} s after {how}")
    assert took < GONE
    assert not {kernel.id for kernel in await other.list_kernels()} & own
    assert (await theirs.kernel.execute("print(x)")).text == "still here"
    edited = await other.open_notebook(f"{folder}/own.ipynb")
    assert [cell.source for cell in await edited.read()] == ["edit = 1"]


@pytest.mark.alone
async def test_it_ends_at_once_before_it_was_asked_anything(
    work: Path, alone: dict[str, str]
) -> None:
    for how in WAYS:
        async with mcp_process(work, alone) as server:
            await server.initialize()
            assert await stop(server, how) < GONE
    assert list(work.iterdir()) == []


@pytest.mark.alone
@pytest.mark.parametrize("stdin", ["stays open", "ends, too"])
def test_it_ends_without_a_fuss_when_nobody_reads_what_it_answers(
    stdin: str, work: Path, alone: dict[str, str]
) -> None:
    process = subprocess.Popen(
        COMMAND,
        cwd=work,
        env=alone,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None

        def send(**message: object) -> None:
            assert process.stdin is not None
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            process.stdin.flush()

        try:
            hello = {"name": "test", "version": "0"}
            hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": hello}
            send(id=1, method="initialize", params=hello)
            send(method="notifications/initialized")
            call = {"name": "use_notebook", "arguments": NEW}
            send(id=2, method="tools/call", params=call)
            while b'"id":2' not in process.stdout.readline():
                pass
            children = psutil.Process(process.pid).children(recursive=True)
            assert len(children) >= 2
            code = {"name": "execute_code", "arguments": {"code": "import time; time.sleep(0.5)"}}
            send(id=3, method="tools/call", params=code)
            process.stdout.close()
            if stdin == "ends, too":
                process.stdin.close()
            assert process.wait(GONE) == 0
            assert b"Traceback" not in process.stderr.read()
            assert not [child for child in children if is_alive(child)]
        finally:
            process.kill()


@pytest.mark.alone
async def test_it_ends_while_it_starts_a_private_server(work: Path, alone: dict[str, str]) -> None:
    async with mcp_process(work, alone) as server:
        await server.initialize()
        await server.request("tools/list")
        with anyio.fail_after(10):
            while not (children := server.children()):
                await anyio.lowlevel.checkpoint()
        assert await stop(server, "SIGTERM") < GONE
        await assert_gone(children, GONE)


async def test_what_was_asked_before_the_end_of_stdin_is_answered(
    work: Path, alone: dict[str, str]
) -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {}}
    hello["clientInfo"] = {"name": "test", "version": "0"}
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    ]
    done = await anyio.run_process(
        COMMAND, input="".join(json.dumps(line) + "\n" for line in lines).encode(), env=alone
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers[0]["result"]["serverInfo"]["name"] == "jupyter"
    assert done.stderr == b""


# --- the command line


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=30, env=variables
    )


@pytest.mark.parametrize("option", ["--help", "-h", "--version"])
def test_help_and_version_import_neither_mcp_nor_what_connects(
    option: str, alone: dict[str, str]
) -> None:
    done = run("-X", "importtime", *COMMAND[1:], option, **alone | {"JUPYTER_URL": "http://none"})
    assert done.returncode == 0
    imported = set(re.findall(r"\| +([\w.]+)$", done.stderr, re.MULTILINE))
    assert "click" in imported
    assert not {"mcp", "mcp_types", "anyio", "httpx", "websockets", "pycrdt"} & imported
    assert ("jupyter-mcp-server 0." in done.stdout) == (option == "--version")
    assert ("--jupyter-url" in done.stdout) == (option != "--version")


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        (["--no-such-option"], {}, "--no-such-option"),
        (["--root-dir", "/no/such/folder"], {}, "/no/such/folder"),
        (["unwanted"], {}, "unwanted"),
        ([], {"ALLOW_IMG_OUTPUT": "perhaps"}, "perhaps"),
    ],
)
def test_a_bad_option_is_named_and_stops_the_start(
    arguments: list[str], variables: dict[str, str], named: str, alone: dict[str, str]
) -> None:
    done = run(*COMMAND[1:], *arguments, **alone | variables)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("missing", ["click", "mcp"])
def test_without_the_extra_it_says_how_to_get_it(missing: str, alone: dict[str, str]) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['jupyter-mcp-server']; "
        "from jupyter_mcp_server.__main__ import main; main()"
    )
    done = run("-c", code, **alone)
    assert done.returncode == 1
    assert "pip install 'jupyter-agent-core[mcp]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("broken", ["cli", "stdio"])
def test_a_module_of_its_own_that_is_missing_is_not_taken_for_the_extra(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["jupyter-mcp-server", "--jupyter-url", "http://host"])
    monkeypatch.setitem(sys.modules, f"jupyter_mcp_server.{broken}", None)
    with pytest.raises(ModuleNotFoundError, match=rf"jupyter_mcp_server\.{broken}"):
        main()
