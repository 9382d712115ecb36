# SPDX-License-Identifier: BSD-3-Clause
"""Connecting: what goes wrong is one clear sentence within seconds, and no token leaks."""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
import trustme
from anyio.abc import SocketAttribute, SocketStream
from collaborator import collaborator
from ports import reserved_port
from servers import Proxy, RunningServer
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from jupyter_agent_core import (
    Auth,
    AuthenticationError,
    ConfigurationError,
    HostRefusedError,
    JupyterAgentError,
    NotAJupyterServerError,
    NotANotebookError,
    Notebook,
    NotebookExistsError,
    NotebookNotFoundError,
    Password,
    Server,
    ServerUnreachableError,
    TLSError,
    connect,
)
from jupyter_agent_core._http import login, transport
from jupyter_agent_core._http import rest as rest_module

TOKEN = "swordfish-0123456789"


async def refused(
    url: str | None, token: str | None = TOKEN, auth: Password | None = None
) -> JupyterAgentError:
    """Connect where it cannot work; return the error, which is one sentence in time."""
    with anyio.fail_after(5), pytest.raises(JupyterAgentError) as caught:
        async with connect(url, token=None if auth else token, auth=auth):
            pass
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(caught.value)
    assert TOKEN not in repr(caught.value.__dict__)
    return caught.value


@asynccontextmanager
async def answering(reply: bytes | None) -> AsyncIterator[str]:
    """Something that is no Jupyter server: it says `reply` to whoever comes, or nothing."""
    tasks = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        if reply is not None:
            await reader.read(1)
            writer.write(reply)
            await writer.drain()
        else:
            while await reader.read(1 << 16):
                pass
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        listener.close()
        await asyncio.gather(*tasks)


def http(body: bytes, status: bytes = b"200 OK", type_: bytes = b"text/html") -> bytes:
    return (
        b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
        % (status, type_, len(body), body)
    )


# --- the server


async def test_nothing_listens_at_the_url() -> None:
    with reserved_port() as port:
        url = f"http://127.0.0.1:{port}"
        error = await refused(url)
    assert isinstance(error, ServerUnreachableError)
    assert url in str(error)
    assert "check that it runs" in str(error)
    assert error.retryable


async def test_the_host_does_not_exist() -> None:
    error = await refused("http://no-such-host.invalid:8888")
    assert isinstance(error, ServerUnreachableError)


@pytest.mark.parametrize("reply", [b"SSH-2.0-OpenSSH_9.6\r\n", b"", b"\x00\xff\x00"])
async def test_what_listens_speaks_no_http(reply: bytes) -> None:
    async with answering(reply) as url:
        error = await refused(url)
    assert isinstance(error, ServerUnreachableError | NotAJupyterServerError)


@pytest.fixture
def in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(transport.PROBE_TIMEOUT, login.OPEN_TIMEOUT) < 5
    monkeypatch.setattr(rest_module, "PROBE_TIMEOUT", 1.5)
    monkeypatch.setattr(login, "OPEN_TIMEOUT", 1.5)


async def unreachable(url: str) -> None:
    """Connect with a token and with a password at once, to what never answers wholly."""

    async def check(auth: Password | None) -> None:
        error = await refused(url, auth=auth)
        assert isinstance(error, ServerUnreachableError)
        assert "no answer within 1.5 s" in str(error)

    async with anyio.create_task_group() as group:
        group.start_soon(check, None)
        group.start_soon(check, Password(TOKEN))


@pytest.mark.usefixtures("in_time")
async def test_what_listens_never_answers() -> None:
    async with answering(None) as url:
        await unreachable(url)


@pytest.mark.usefixtures("in_time")
async def test_what_listens_never_ends_its_answer() -> None:
    async def serve(stream: SocketStream) -> None:
        async with stream:
            with suppress(anyio.BrokenResourceError):
                await stream.send(b"HTTP/1.1 200 OK\r\nX-Endless: ")
                while True:
                    await stream.send(b"x")
                    await anyio.sleep(0.5)  # each read of the client is in time

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as group,
    ):
        group.start_soon(listener.serve, serve)
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 (no Django)
        await unreachable(f"http://127.0.0.1:{port}")
        group.cancel_scope.cancel()


async def test_a_server_with_tls_is_said_to_be_one_and_how_its_own_signature_is_trusted(
    tmp_path: Path,
) -> None:
    authority = trustme.CA()
    authority.private_key_pem.write_to_path(tmp_path / "key.pem")
    authority.cert_pem.write_to_path(tmp_path / "cert.pem")
    certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = HTTPServer(Application(), ssl_options=certificate)  # as Jupyter has it
    server.add_sockets(sockets := bind_sockets(0, "127.0.0.1"))
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    try:
        for auth in (None, Password(TOKEN)):
            error = await refused(url, auth=auth)
            assert "ends or speaks TLS; is it http?" in str(error)
        error = await refused(url.replace("http:", "https:"))
    finally:
        server.stop()
        await server.close_all_connections()
    assert isinstance(error, TLSError)
    assert "it is signed by itself, so pass it as verify='cert.pem'" in str(error)


@pytest.mark.parametrize(
    "reply",
    [
        http(b"<html>hello</html>"),
        http(b"not found", b"404 Not Found"),
        http(b'{"detail": "Not Found"}', type_=b"application/json"),
        http(b"[]", type_=b"application/json"),
        http(b"", b"302 Found\r\nLocation: /login"),
        http(b"oops", b"500 Internal Server Error"),
        http(b"\xff\xfe\x00", type_=b"application/json"),
    ],
)
async def test_what_answers_is_no_jupyter_server(reply: bytes) -> None:
    async with answering(reply) as url:
        error = await refused(url)
    assert isinstance(error, NotAJupyterServerError)
    assert "base URL" in str(error)


async def test_a_wrong_token_is_refused(lab: RunningServer) -> None:
    error = await refused(lab.url)
    assert isinstance(error, AuthenticationError)
    assert error.status == 403
    assert "does not accept the token" in str(error)


@pytest.mark.parametrize(
    "token",
    [f"{TOKEN}\n", f" {TOKEN}", f"{TOKEN} ", f"{TOKEN}\nX: y", f"{TOKEN}ö", f"{TOKEN}…", "“"],
)
async def test_a_token_that_no_header_can_carry_is_refused_and_not_repeated(
    token: str, lab: RunningServer
) -> None:
    error = await refused(lab.url, token)
    assert isinstance(error, ConfigurationError)
    assert error.name == "token"
    assert "copy it again" in str(error)


class Broken(Auth):
    """Credentials that no header can carry."""

    async def headers(self) -> dict[str, str]:
        return {"X-Secret": f"{TOKEN}\n"}


async def test_a_header_that_cannot_be_sent_is_not_repeated(lab: RunningServer) -> None:
    with pytest.raises(ConfigurationError, match="'X-Secret' cannot be sent") as refused:
        async with connect(lab.url, token=lab.token, headers={"X-Secret": f"{TOKEN}\n"}):
            pass
    with pytest.raises(ServerUnreachableError, match="a header has a value") as failed:
        async with connect(lab.url, auth=Broken()):
            pass
    assert TOKEN not in f"{refused.value} {failed.value}"


async def test_a_name_that_jupyter_does_not_go_by_is_refused_with_the_setting_to_change(
    lab: RunningServer,
) -> None:
    # as from a container, whose name for this machine leads to a server that listens on loopback
    def renamed(data: bytes) -> bytes:
        return data.replace(f"Host: 127.0.0.1:{proxy.port}".encode(), b"Host: host.docker.internal")

    async with Proxy.before(lab.port, rewrite=renamed) as proxy:
        error = await refused(proxy.url, lab.token)
    assert isinstance(error, HostRefusedError)
    assert "--ServerApp.allow_remote_access=True" in str(error)


@pytest.mark.parametrize("token", [None, ""])
async def test_a_missing_token_is_refused(lab: RunningServer, token: str | None) -> None:
    error = await refused(lab.url, token)
    assert isinstance(error, AuthenticationError)
    assert "none was given" in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8888",
        "ws://localhost:8888",
        "http://",
        "",
        f"http://localhost:8888/?token={TOKEN}&secret={TOKEN}",
        f"http://localhost:8888/?{TOKEN}",
        f"http://user:{TOKEN}@localhost:8888/",
        f"localhost:8888/?token={TOKEN}",
        f"http://localhost:8888/#{TOKEN}",
        f"{TOKEN}@localhost",
        "http://localhost:port",
        "http://localhost:99999",
        "http://localhost:8888\n",
        "http://[::1",
    ],
)
async def test_a_url_that_cannot_be_right_is_refused_without_repeating_secrets(url: str) -> None:
    error = await refused(url)
    assert isinstance(error, ConfigurationError)
    assert error.name == "url"


async def test_without_a_url_the_error_says_what_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = await refused(None)
    assert isinstance(error, ConfigurationError)
    for way in ("JUPYTER_URL", "auto", "launch()"):
        assert way in str(error)


async def test_url_and_token_come_from_the_environment(
    lab: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_URL", lab.url)
    monkeypatch.setenv("JUPYTER_TOKEN", lab.token)
    async with connect() as server:
        assert server.url == lab.url + "/"


async def test_the_token_in_the_environment_is_not_sent_to_another_url(
    monkeypatch: pytest.MonkeyPatch, lab: RunningServer
) -> None:
    monkeypatch.setenv("JUPYTER_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("JUPYTER_TOKEN", TOKEN)
    async with Proxy.before(lab.port) as proxy:
        error = await refused(proxy.url, None)
        assert isinstance(error, AuthenticationError)
        assert TOKEN.encode() not in proxy.heard


async def test_a_connected_server_says_what_it_is(lab: RunningServer, plain: RunningServer) -> None:
    async with connect(lab.url + "/", token=lab.token) as server:
        assert server.info.mode == "collaboration"
        assert server.info.version.startswith("2.")
        assert server.token == lab.token
        assert repr(server) == f"<Server {lab.url}/>"
    async with connect(plain.url, token=plain.token) as server:
        assert server.info.mode == "contents"


async def test_an_error_in_the_block_comes_out_as_it_is(lab: RunningServer) -> None:
    async def divide() -> float:
        async with connect(lab.url, token=lab.token) as server:
            await server.start_kernel()
            return 1 / 0

    with pytest.raises(ZeroDivisionError):
        await divide()


async def test_a_block_that_is_cancelled_is_left_in_order(lab: RunningServer, folder: str) -> None:
    with lab.http() as client:
        before = {kernel["id"] for kernel in client.get("/api/kernels").json()}
        with anyio.CancelScope() as scope:
            async with connect(lab.url, token=lab.token) as server:
                notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
                cell = await notebook.append_cell("import time; time.sleep(600)")
                async with anyio.create_task_group() as group:
                    group.start_soon(cell.execute)
                    while notebook.kernel.state != "busy":
                        await notebook.flush()
                    scope.deadline = anyio.current_time() + 0.5
                    for number in range(10**9):
                        await cell.set_source(f"# {number}")
        assert scope.cancelled_caught
        assert {kernel["id"] for kernel in client.get("/api/kernels").json()} == before
    async with collaborator(lab, f"{folder}/n.ipynb") as raw:
        (only,) = raw.cells()
        assert only["source"] == f"# {number}"
        assert only["execution_state"] == "idle"


# --- notebooks


async def test_a_missing_notebook_is_refused_with_those_beside_it(
    server: Server, notebook: Notebook, lab: RunningServer, folder: str
) -> None:
    with anyio.fail_after(5), pytest.raises(NotebookNotFoundError) as caught:
        await server.open_notebook(f"{folder}/missing.ipynb")
    assert caught.value.existing == (notebook.path,)
    assert notebook.path in str(caught.value)
    assert "or create it" in str(caught.value)
    with pytest.raises(NotebookNotFoundError):
        await server.open_notebook("nowhere/missing.ipynb")
    with pytest.raises(NotebookNotFoundError, match="nor a directory 'nowhere' to create it in"):
        await server.open_notebook("nowhere/missing.ipynb", create=True)
    with pytest.raises(ConfigurationError, match="its path is empty"):
        await server.open_notebook("/")
    assert [path.name for path in (lab.root / folder).glob("*.ipynb")] == ["notebook.ipynb"]
    # and other rooms are not harmed
    await notebook.append_cell("1")


async def test_a_notebook_that_exists_is_not_created_again(
    server: Server, lab: RunningServer, folder: str
) -> None:
    path = lab.root / folder / "kept.ipynb"
    cell = {"id": "c", "cell_type": "raw", "source": "kept", "metadata": {}}
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content))
    before = path.read_bytes()
    with anyio.fail_after(5), pytest.raises(NotebookExistsError, match=r"kept\.ipynb"):
        await server.open_notebook(f"{folder}/kept.ipynb", create=True)
    assert path.read_bytes() == before


async def test_what_is_no_notebook_is_refused(
    server: Server, lab: RunningServer, folder: str
) -> None:
    (lab.root / folder / "text.txt").write_text("text")
    (lab.root / folder / "broken.ipynb").write_text("no JSON {")
    (lab.root / folder / "sub").mkdir()
    for name in ("text.txt", "broken.ipynb", "sub"):
        with anyio.fail_after(5), pytest.raises(NotANotebookError) as caught:
            await server.open_notebook(f"{folder}/{name}")
        assert caught.value.path == f"{folder}/{name}"
    with pytest.raises(ConfigurationError, match=r"\.ipynb"):
        await server.open_notebook(f"{folder}/new.txt", create=True)
    assert not (lab.root / folder / "new.txt").exists()
    assert (lab.root / folder / "broken.ipynb").read_text() == "no JSON {"


@pytest.mark.parametrize("name", ["with space", "100%2F", "é😀", "a+b&c=d?e#f", "sub/deep"])
async def test_any_file_name_can_be_used(
    server: Server, lab: RunningServer, folder: str, name: str
) -> None:
    (lab.root / folder / name).parent.mkdir(exist_ok=True)
    path = f"{folder}/{name}.ipynb"
    notebook = await server.open_notebook(path, create=True)
    result = await (await notebook.append_cell("1 + 1")).execute(timeout=30)
    assert result.text == "2"
    await notebook.save()
    assert (lab.root / path).exists()
    assert notebook.path == path
    (listed,) = (kernel for kernel in await server.list_kernels() if kernel.path == path)
    assert listed.id == notebook.kernel.id


# --- the token


async def test_the_token_is_in_the_authorization_header_and_nowhere_else(
    lab: RunningServer, folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[object] = []
    async with Proxy.before(lab.port) as proxy:
        async with connect(proxy.url, token=lab.token) as server:
            notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
            cell = await notebook.append_cell("1 + 1")
            run = await cell.start()
            seen += [await run.wait(), run, cell, notebook, notebook.kernel, server, server.info]
            await notebook.save()
            for wrong in ("missing.ipynb", "x.txt"):
                with pytest.raises(JupyterAgentError) as caught:
                    await server.open_notebook(f"{folder}/{wrong}")
                seen += [caught.value, str(caught.value), vars(caught.value)]
            with pytest.raises(JupyterAgentError) as caught:
                await server.open_notebook(f"{folder}/n.ipynb", kernel_id="none")
            seen += [caught.value, str(caught.value)]
            proxy.cut()
            with anyio.fail_after(10):
                await notebook.flush()
        heard = bytes(proxy.heard)
    token = lab.token.encode()
    header = b"authorization: token " + token
    assert heard.count(token) == heard.lower().count(header) > 5
    assert all(lab.token not in repr(thing) for thing in seen)
    assert all(lab.token not in line for line in lab.log)
    records = [record for record in caplog.records if lab.token in record.getMessage()]
    assert [record for record in records if record.name.startswith("jupyter_agent_core")] == []
    assert records == []
