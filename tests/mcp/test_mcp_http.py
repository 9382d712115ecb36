# SPDX-License-Identifier: BSD-3-Clause
"""MCP over HTTP: who is let in, what is refused, and how it ends."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import mcp.types as types
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_http import SECRET, VERSIONS, Era, HttpServer, mcp_http
from mcp_process import COMMAND, Signal, environment
from servers import RunningServer

from jupyter_mcp_server.listening import listen

both_eras = pytest.mark.parametrize("era", list(VERSIONS))

JSON = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "0"},
    },
}
GONE = 2.5


async def said(client: Client, tool: str, /, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))


@pytest.fixture(scope="module")
async def served(
    tmp_path_factory: pytest.TempPathFactory, lab: RunningServer
) -> AsyncIterator[HttpServer]:
    """A server for many clients."""
    folder = tmp_path_factory.mktemp("served")
    target = {"JUPYTER_URL": lab.url, "JUPYTER_TOKEN": lab.token}
    async with mcp_http(folder, environment(folder / "state", **target)) as server:
        yield server


async def hello(http: httpx.AsyncClient, **headers: str) -> httpx.Response:
    return await http.post("/mcp", json=HELLO, headers={**JSON, **headers})


@both_eras
async def test_a_notebook_is_worked_on_over_http(
    era: Era, served: HttpServer, folder: str, lab: RunningServer
) -> None:
    name = {"notebook_name": "nb"}
    async with served.client(era) as client:
        await said(client, "use_notebook", **name, notebook_path=f"{folder}/n.ipynb", mode="create")
        answer = await said(
            client, "insert_execute_code_cell", cell_index=-1, cell_source="6 * 7", **name
        )
        assert answer.startswith("42\n")
    assert SECRET.encode() not in served.written
    assert lab.token.encode() not in served.written


@pytest.mark.parametrize("shown", [None, "wrong", SECRET[:-1], f"{SECRET}x", SECRET.upper()])
async def test_without_the_secret_nobody_gets_in(shown: str | None, served: HttpServer) -> None:
    async with served.http(shown) as http:
        for method in ("POST", "GET", "DELETE"):
            response = await http.request(method, "/mcp", json=HELLO, headers=JSON)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert SECRET not in response.text


async def test_the_secret_is_taken_from_the_header_only(served: HttpServer) -> None:
    async with served.http(None) as http:
        response = await http.post(f"/mcp?token={SECRET}", json=HELLO, headers=JSON)
        assert response.status_code == 401
        lower = {**JSON, "Authorization": f"bearer {SECRET}"}
        assert (await http.post("/mcp", json=HELLO, headers=lower)).status_code == 200


async def test_health_needs_no_secret_and_tells_nothing_of_jupyter(
    work: Path, alone: dict[str, str], lab: RunningServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    async with mcp_http(work, alone | {"JUPYTER_URL": nobody}) as server, server.http(None) as http:
        response = await http.get("/health")
        assert response.status_code == 200
        assert response.json()["status"] == "ok"
        assert set(response.json()) == {"status", "version"}
        assert (await http.post("/health")).status_code == 405
        assert (await http.get("/")).status_code == 404


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost", None, 200),
        ("localhost:4040", None, 200),
        ("127.0.0.1:1", "http://localhost:6274", 200),
        ("[::1]:4040", "https://127.0.0.1", 200),
        ("evil.example", None, 421),
        ("localhost.evil.example", None, 421),
        ("192.168.1.5:4040", None, 421),
        ("localhost", "http://evil.example", 403),
        ("localhost", "http://localhost.evil.example", 403),
        ("localhost", "null", 403),
        ("notebooks.example:4040", None, 421),
    ],
)
async def test_foreign_hosts_and_origins_are_refused(
    host: str, origin: str | None, status: int, served: HttpServer
) -> None:
    headers = {"Host": host} | ({"Origin": origin} if origin is not None else {})
    async with served.http() as http:
        assert (await hello(http, **headers)).status_code == status
        modern = {"MCP-Protocol-Version": "2026-07-28", **headers}
        # that era has no such method
        expected = 400 if status == 200 else status
        assert (await hello(http, **modern)).status_code == expected


@pytest.mark.parametrize("how", ["flag", "variable"])
async def test_hosts_that_the_operator_names_are_served(
    how: str, work: Path, on_lab: dict[str, str]
) -> None:
    variables, flags = on_lab, ["--allowed-host", "notebooks.example", "--allowed-host", "10.0.0.5"]
    if how == "variable":
        names = "notebooks.example, 10.0.0.5"
        variables, flags = on_lab | {"JUPYTER_MCP_ALLOWED_HOSTS": names}, []
    # as in a container
    everywhere = ["--host", "0.0.0.0"]  # noqa: S104
    async with mcp_http(work, variables, *everywhere, *flags) as server, server.http() as http:
        for host in ("notebooks.example:4040", "notebooks.example", "10.0.0.5:1", "localhost"):
            assert (await hello(http, Host=host)).status_code == 200
        origin = "https://notebooks.example"
        answer = await hello(http, Host="notebooks.example", Origin=origin)
        assert answer.status_code == 200
        assert (await hello(http, Host="0.0.0.0:4040")).status_code == 421


async def test_the_name_that_it_listens_at_is_served(work: Path, on_lab: dict[str, str]) -> None:
    async with mcp_http(work, on_lab, "--host", "localhost") as server, server.http() as http:
        assert (await hello(http)).status_code == 200


async def test_a_session_that_nobody_has_begun_cannot_be_ended(served: HttpServer) -> None:
    async with served.http() as http:
        reply = await http.delete("/mcp", headers={"Mcp-Session-Id": "0" * 32})
        assert reply.status_code == 404


async def test_a_request_that_is_too_large_is_refused(served: HttpServer) -> None:
    async with served.http() as http:
        response = await http.post("/mcp", content=b" " * (9 * 2**20), headers=JSON)
        assert response.status_code == 413
        assert (await hello(http)).status_code == 200


async def test_it_can_be_told_to_ask_for_no_secret_and_says_what_that_means(
    work: Path, on_lab: dict[str, str]
) -> None:
    async with mcp_http(work, on_lab, "--insecure-mcp-noauth") as server:
        async with server.http(None) as http:
            assert (await hello(http)).status_code == 200
            assert (await hello(http, Host="evil.example")).status_code == 421
        assert b"There is no secret: whoever reaches port" in server.written


def test_a_port_that_is_taken_is_said(alone: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*COMMAND, "--transport=streamable-http", f"--port={port}"],
            env=alone | {"MCP_TOKEN": SECRET},
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert done.returncode == 2
    assert f"127.0.0.1 port {port} cannot be listened on (Address already in use)" in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_wrong_secret_is_an_error_for_the_client(served: HttpServer) -> None:
    with pytest.RaisesGroup(MCPError, flatten_subgroups=True, allow_unwrapped=True):
        async with served.client("legacy", secret="wrong"):
            pass


@pytest.mark.alone
@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT"])
async def test_it_ends_at_once_and_what_was_edited_is_on_disk(
    how: str, work: Path, alone: dict[str, str]
) -> None:
    async with mcp_http(work, alone) as server, Signal.listening() as begun:
        use = {"notebook_name": "nb", "notebook_path": "nb.ipynb", "mode": "create"}
        failures: list[BaseException] = []

        async def work_until_it_ends() -> None:
            # the client notices the end of the server in ways of its own
            try:
                async with server.client("auto") as client:
                    await said(client, "use_notebook", **use)
                    code = f"import time\n{begun.code}\ntime.sleep(60)"
                    arguments = {"cell_index": -1, "cell_source": code, "notebook_name": "nb"}
                    await client.call_tool("insert_execute_code_cell", arguments)
            except (MCPError, ExceptionGroup, httpx.HTTPError) as failure:
                failures.append(failure)

        async with anyio.create_task_group() as group:
            group.start_soon(work_until_it_ends)
            await begun.given()
            children = server.children()
            assert children
            started = time.perf_counter()
            server.process.send_signal(getattr(signal, how))
            assert await server.ended(timeout=20) == 0
            took = time.perf_counter() - started
            group.cancel_scope.cancel()
        print(f"ended {took:.2f} s after {how}")
        assert took < GONE
        assert not [
            child for child in children if child.is_running() and child.status() != "zombie"
        ]
    assert "time.sleep(60)" in "".join(
        json.loads((work / "nb.ipynb").read_text())["cells"][0]["source"]
    )


def test_an_answer_in_pieces_waits_for_no_acknowledgement() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
