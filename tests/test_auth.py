# SPDX-License-Identifier: BSD-3-Clause
"""Kinds of credentials: each on a real server, when it is right, wrong, and no longer right."""

import functools
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from jupyter_server.auth import passwd
from servers import Proxy, RunningServer, jupyter_server

from jupyter_agent_core import (
    Auth,
    AuthenticationError,
    ConfigurationError,
    CredentialsUnavailableError,
    Password,
    Server,
    ServerUnreachableError,
    TokenFile,
    connect,
)
from jupyter_agent_core._http.rest import JupyterRest
from jupyter_agent_core._http.transport import PROBE_TIMEOUT

PASSWORD = "pä ss&word=%+"
_OFF = dict.fromkeys(("jupyterlab", "jupyter_lsp"), False)
_SESSION = re.compile(rb"username-127-0-0-1-\d+=([^;\r]+)")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with live documents that has a password, beside its token."""
    hashed = f"--PasswordIdentityProvider.hashed_password={passwd(PASSWORD)}"
    with jupyter_server(
        tmp_path_factory.mktemp("guarded"), extensions=_OFF, settings=[hashed]
    ) as server:
        yield server


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with live documents that asks nobody who he is."""
    settings = ["--IdentityProvider.token="]
    with jupyter_server(
        tmp_path_factory.mktemp("unguarded"), extensions=_OFF, settings=settings
    ) as server:
        yield server


@asynccontextmanager
async def rotating(lab: RunningServer) -> AsyncIterator[tuple[Proxy, Callable[[str], None]]]:
    """A server whose token changes, as far as a client can see."""
    valid = "first"

    def rewrite(data: bytes) -> bytes:
        return data.replace(f"token {valid}\r\n".encode(), f"token {lab.token}\r\n".encode())

    def rotate(token: str) -> None:
        nonlocal valid
        valid = token

    async with Proxy.before(lab.port, rewrite=rewrite) as proxy:
        yield proxy, rotate


async def works(server: Server, path: str) -> None:
    """Edit and run: REST, a room and a kernel."""
    notebook = await server.open_notebook(path, create=True)
    assert notebook.mode == "collaboration"
    cell = await notebook.append_cell("6 * 7")
    assert (await cell.execute(timeout=30)).text == "42"
    await notebook.save()
    await notebook.close()


# --- tokens that change


async def test_a_token_file_is_read_again_when_the_token_is_refused(
    lab: RunningServer, folder: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    async with (
        rotating(lab) as (proxy, rotate),
        connect(proxy.url, auth=TokenFile(file)) as server,
    ):
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        await notebook.append_cell("x = 6")
        file.write_text("second")
        rotate("second")
        proxy.cut()
        with anyio.fail_after(15):
            cell = await notebook.append_cell("x = 7; x * 6")
            assert (await cell.execute(timeout=10)).text == "42"
        assert [cell.source for cell in await notebook.read()] == ["x = 6", "x = 7; x * 6"]
        assert server.token is None


async def test_a_token_file_without_the_right_token_is_named(
    lab: RunningServer, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("wrong")
    with pytest.raises(
        AuthenticationError, match=re.escape(f"does not accept the token in '{file}'")
    ):
        async with connect(lab.url, auth=TokenFile(file)):
            pass
    for content, why in [("two words", "holds no token"), ("", "holds no token")]:
        file.write_text(content)
        with pytest.raises(CredentialsUnavailableError, match=why):
            async with connect(lab.url, auth=TokenFile(file)):
                pass
    with pytest.raises(CredentialsUnavailableError, match="No such file"):
        async with connect(lab.url, auth=TokenFile(tmp_path / "missing")):
            pass


async def test_a_function_is_asked_once_and_once_more_for_all_who_were_refused(
    lab: RunningServer,
) -> None:
    given: list[str] = []

    def plain() -> str:
        given.append(token)
        return token

    async def awaited() -> str:
        await anyio.lowlevel.checkpoint()
        return plain()

    for function in (plain, awaited, functools.partial(awaited)):
        given.clear()
        token = "first"
        async with (
            rotating(lab) as (proxy, rotate),
            connect(proxy.url, auth=function) as server,
        ):
            assert given == ["first"]
            token = "second"
            rotate(token)
            async with anyio.create_task_group() as group:
                for _ in range(8):
                    group.start_soon(server.list_kernels)
            assert given == ["first", "second"]


@pytest.mark.parametrize("given", [None, "", "two words", "é", b"bytes"])
async def test_what_a_function_gives_that_is_no_token_is_refused(
    lab: RunningServer, given: object
) -> None:
    with pytest.raises(CredentialsUnavailableError, match="has returned no token"):
        async with connect(lab.url, auth=lambda: given):  # type: ignore[arg-type, return-value]
            pass


class Failing(Auth):
    """Of the caller's own, with an error of its own."""

    async def headers(self) -> Mapping[str, str]:
        raise KeyError("secret")


def fail() -> str:
    raise KeyError("secret")


@pytest.mark.parametrize("auth", [fail, Failing()])
async def test_what_the_callers_code_raises_is_said_with_its_error_as_the_cause(
    lab: RunningServer, auth: Any
) -> None:
    with pytest.raises(CredentialsUnavailableError, match=r"has failed \(KeyError\)") as caught:
        async with connect(lab.url, auth=auth):
            pass
    assert isinstance(caught.value.__cause__, KeyError)
    assert "secret" not in str(caught.value)


async def test_what_fails_to_give_a_token_is_asked_again_while_a_notebook_connects_again(
    lab: RunningServer, folder: str
) -> None:
    fail_next = 0

    def function() -> str:
        nonlocal fail_next
        if fail_next:
            fail_next -= 1
            raise OSError("no network yet")
        return token

    token = "first"
    async with rotating(lab) as (proxy, rotate), connect(proxy.url, auth=function) as server:
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        fail_next, token = 2, "second"
        rotate(token)
        proxy.cut()
        with anyio.fail_after(15):
            await notebook.append_cell("x = 1")
        assert fail_next == 0


async def test_a_function_has_its_own_time_before_a_hub_is_asked() -> None:
    left: list[float] = []

    async def give() -> str:
        left.append(anyio.current_effective_deadline() - anyio.current_time())
        return "any"

    with pytest.raises(ServerUnreachableError):
        async with connect(hub_url="http://127.0.0.1:9", auth=give):
            pass
    assert len(left) == 1
    assert left[0] > PROBE_TIMEOUT


async def test_a_function_that_gives_a_wrong_token_is_named(lab: RunningServer) -> None:
    with pytest.raises(AuthenticationError, match="that the function passed as auth returns"):
        async with connect(lab.url, auth=lambda: "wrong"):
            pass


# --- passwords


async def test_a_password_logs_in_once_and_serves_requests_rooms_and_kernels(
    guarded: RunningServer,
) -> None:
    async with Proxy.before(guarded.port) as proxy:
        async with connect(proxy.url, auth=Password(PASSWORD)) as server:
            await works(server, "password.ipynb")
            assert server.token is None
        assert proxy.heard.count(b"POST /login ") == 1
        assert b"uthorization" not in proxy.heard


async def test_a_wrong_password_is_said_and_tried_once(guarded: RunningServer) -> None:
    async with (
        Proxy.before(guarded.port) as proxy,
        JupyterRest(proxy.url, Password("wrong")) as rest,
    ):
        for _ in range(3):
            with pytest.raises(AuthenticationError) as caught:
                await rest.kernels()
            assert "does not accept the password (HTTP 401): " in str(caught.value)
        assert proxy.heard.count(b"POST /login ") == 1


async def test_what_is_refused_in_a_session_that_goes_on_begins_no_other_one(
    guarded: RunningServer,
) -> None:
    def without_xsrf_token(data: bytes) -> bytes:
        return data.replace(b"X-Xsrftoken: ", b"X-Something: ")

    async with Proxy.before(guarded.port, rewrite=without_xsrf_token) as proxy:
        async with connect(proxy.url, auth=Password(PASSWORD)) as server:
            for _ in range(3):
                with pytest.raises(AuthenticationError, match="does not accept the session"):
                    await server.open_notebook("refused.ipynb", create=True)
        assert proxy.heard.count(b"POST /login ") == 1


async def test_a_session_that_the_server_has_forgotten_is_begun_again_once_for_all(
    guarded: RunningServer,
) -> None:
    forgotten: list[bytes] = []

    def rewrite(data: bytes) -> bytes:
        for session in forgotten:
            data = data.replace(session, b"x" * len(session))
        return data

    async with (
        Proxy.before(guarded.port, rewrite=rewrite) as proxy,
        connect(proxy.url, auth=Password(PASSWORD)) as server,
    ):
        notebook = await server.open_notebook("forgotten.ipynb", create=True)
        await notebook.append_cell("x = 6")
        forgotten.append(_SESSION.findall(proxy.heard)[-1])
        before = proxy.heard.count(b"POST /login")
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(server.list_kernels)
        assert proxy.heard.count(b"POST /login") == before + 1
        # and on the way back to the room
        forgotten.append(_SESSION.findall(proxy.heard)[-1])
        proxy.cut()
        with anyio.fail_after(15):
            await notebook.append_cell("x = 7")
        assert proxy.heard.count(b"POST /login") == before + 2


async def test_the_login_page_takes_a_token_for_a_password(lab: RunningServer, folder: str) -> None:
    async with connect(lab.url, auth=Password(lab.token)) as server:
        await works(server, f"{folder}/n.ipynb")


async def test_a_server_without_a_login_page_says_so(unguarded: RunningServer) -> None:
    with pytest.raises(AuthenticationError, match="no page to log in with a password"):
        async with connect(unguarded.url, auth=Password(PASSWORD)):
            pass


async def test_a_password_is_given_to_a_login_page_only(plain: RunningServer) -> None:
    async with Proxy.before(plain.port) as proxy:
        with pytest.raises(AuthenticationError, match="has no page to log in with a password"):
            async with connect(f"{proxy.url}/nowhere", auth=Password(PASSWORD)):
                pass
        assert b"POST" not in proxy.heard


# --- none, and others


async def test_a_server_that_wants_no_token_gets_the_xsrf_token_that_it_wants(
    unguarded: RunningServer,
) -> None:
    async with connect(unguarded.url) as server:
        await works(server, "open.ipynb")


async def test_an_auth_of_the_callers_own_is_asked(lab: RunningServer, folder: str) -> None:
    class Bearer(Auth):
        async def headers(self) -> Mapping[str, str]:
            return {"Authorization": f"Bearer {self.value}"}

        value = lab.token

    async with connect(lab.url, auth=Bearer()) as server:
        await works(server, f"{folder}/n.ipynb")
    Bearer.value = "wrong"
    with pytest.raises(AuthenticationError, match="does not accept the credentials"):
        async with connect(lab.url, auth=Bearer()):
            pass


async def test_each_server_has_its_own_credentials(
    guarded: RunningServer, plain: RunningServer, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(plain.token)
    async with connect(
        guarded.url,
        auth=Password(PASSWORD),
        runtime_url=plain.url,
        runtime_auth=TokenFile(file),
    ) as server:
        notebook = await server.open_notebook("split.ipynb", create=True)
        assert (await notebook.kernel.execute("6 * 7", timeout=30)).text == "42"
        assert server.runtime_url == f"{plain.url}/"


async def test_two_kinds_of_credentials_for_one_server_are_refused(lab: RunningServer) -> None:
    twice = [
        (lab.url, {"token": "a", "auth": Password("b")}),
        (f"{lab.url}/?token=a", {"token": "b"}),
        (f"{lab.url}/?token=a", {"auth": lambda: "b"}),
    ]
    for url, given in twice:
        with pytest.raises(ConfigurationError, match="two kinds of credentials"):
            async with connect(url, **given):
                pass
    with pytest.raises(ConfigurationError, match="two values for the header Authorization"):
        async with connect(lab.url, token="a", headers={"authorization": "Basic b"}):
            pass


async def test_further_headers_and_cookies_are_sent_beside_the_credentials(
    guarded: RunningServer,
) -> None:
    headers = {"X-Team": "blue", "Cookie": "sso=1"}
    async with Proxy.before(guarded.port) as proxy:
        async with connect(proxy.url, auth=Password(PASSWORD), headers=headers) as server:
            await works(server, "headers.ipynb")
        heard = bytes(proxy.heard)
    requests = re.findall(rb"(?:GET|POST|PUT|HEAD|DELETE|PATCH) /.*?\r\n\r\n", heard, re.DOTALL)
    assert len([r for r in requests if b"Upgrade: websocket" in r]) >= 2
    for request in requests:
        assert b"x-team: blue\r\n" in request.lower()
        assert request.lower().count(b"cookie: sso=1") == 1


@pytest.mark.parametrize("header", [("X Y", "v"), ("X", "a\r\nY: b"), ("X", "é"), ("", "v")])
async def test_a_header_that_cannot_be_sent_is_refused_by_its_name(
    header: tuple[str, str], lab: RunningServer
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"header {header[0]!r} cannot be")):
        async with connect(lab.url, token=lab.token, headers=dict([header])):
            pass
