# SPDX-License-Identifier: BSD-3-Clause
"""No secret in a repr, an error, a traceback, a log or a URL, whatever kind it is of."""

import logging
import re
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from forward_proxy import forward_proxy
from jupyter_server.auth import passwd
from servers import Proxy, RunningServer, jupyter_server

from jupyter_agent_core import Auth, JupyterAgentError, Password, Server, TokenFile, connect
from jupyter_agent_core._http.addresses import address

WRONG = "wr0ng-s3cret-0123456789"
PASSWORD = "r1ght-s3cret-0123456789"
HEADER = "h3ader-s3cret-0123456789"
_SESSION = re.compile(rb"username-127-0-0-1-\d+=\"?([^;\r\"]+)")
Given = Mapping[str, Any]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with live documents that has a password, beside its token."""
    off = dict.fromkeys(("jupyterlab", "jupyter_lsp"), False)
    hashed = f"--PasswordIdentityProvider.hashed_password={passwd(PASSWORD)}"
    folder = tmp_path_factory.mktemp("guarded")
    with jupyter_server(folder, extensions=off, settings=[hashed]) as server:
        yield server


class Own(Auth):
    """A way of the caller's own."""

    def __init__(self, value: str) -> None:
        self._value = value

    async def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._value}"}


def kinds(token: str, password: str, folder: Path) -> dict[str, Given]:
    """Each way to give credentials."""
    file = folder / "file"
    file.write_text(token)

    async def asked() -> str:
        return token

    return {
        "token": {"token": token},
        "pasted": {"query": f"?token={token}"},
        "file": {"auth": TokenFile(file)},
        "function": {"auth": lambda: token},
        "async": {"auth": asked},
        "password": {"auth": Password(password)},
        "own": {"auth": Own(token)},
    }


class Seen:
    """All that somebody could read who has no secrets."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, *things: object) -> None:
        self.texts += [text for thing in things for text in (repr(thing), str(thing))]

    def add_error(self, error: BaseException) -> None:
        self.texts += traceback.format_exception(error)
        cause: BaseException | None = error
        while cause is not None:
            self.add(cause, cause.args, vars(cause))
            cause = cause.__cause__ or cause.__context__

    @asynccontextmanager
    async def refused(self) -> AsyncIterator[None]:
        with pytest.raises(JupyterAgentError) as caught:
            yield
        self.add_error(caught.value)


async def good_path(server: Server, path: str, seen: Seen) -> None:
    """What a client does, with the refusals that it meets."""
    notebook = await server.open_notebook(path, create=True)
    cell = await notebook.append_cell("1 + 1")
    run = await cell.start()
    seen.add(await run.wait(), run, cell, notebook, notebook.kernel, server, server.info)
    connections = server._connections
    seen.add(connections, connections.rest, connections.rest.auth, vars(connections.rest)["url"])
    seen.add(connections.rest.websocket("api/kernels/x/channels", session_id="y"))
    await notebook.save()
    async with seen.refused():
        await server.open_notebook("missing.ipynb")
    async with seen.refused():
        await server.open_notebook(path, kernel_id="none")
    async with seen.refused():
        await server.kernel("none").info()


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Logs at DEBUG, of all packages whose levels can be set."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "websockets", "jupyter_agent_core", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    formatter = logging.Formatter("%(name)s %(message)s")
    return lambda: "\n".join(map(formatter.format, caplog.records))


@pytest.mark.timeout(180)
async def test_no_secret_is_seen_anywhere_but_in_the_headers(
    guarded: RunningServer,
    tmp_path: Path,
    everything_logged: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, heard = Seen(), bytearray()
    headers = {"X-Secret": HEADER}
    right = kinds(guarded.token, PASSWORD, tmp_path)
    for name, given in right.items():
        async with AsyncExitStack() as stack:
            proxy = await stack.enter_async_context(Proxy.before(guarded.port))
            url = f"{proxy.url}/lab/tree/a.ipynb{given.get('query', '')}"
            arguments = {key: value for key, value in given.items() if key != "query"}
            seen.add(arguments.get("auth"), address(url))
            server = await stack.enter_async_context(connect(url, headers=headers, **arguments))
            await good_path(server, f"{name}.ipynb", seen)
        heard += proxy.heard
    for given in kinds(WRONG, WRONG, tmp_path).values():
        async with Proxy.before(guarded.port) as proxy:
            url = f"{proxy.url}/{given.get('query', '')}"
            arguments = {key: value for key, value in given.items() if key != "query"}
            for target in (url, f"http://127.0.0.1:9/{given.get('query', '')}"):
                async with seen.refused(), connect(target, headers=headers, **arguments):
                    pass
        heard += proxy.heard
    await mistakes(guarded, seen)
    await refused_by_proxies(seen, monkeypatch)

    lines = re.findall(rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE) \S+ HTTP/1.1", heard)
    assert len(lines) > 100
    seen.add(*(line.decode() for line in lines), *guarded.log, everything_logged())
    sessions = {session.decode() for session in _SESSION.findall(heard)}
    assert sessions
    for secret in {guarded.token, PASSWORD, WRONG, HEADER, *sessions}:
        assert secret.encode() in heard or secret == WRONG
        assert [text for text in seen.texts if secret in text] == []


async def mistakes(guarded: RunningServer, seen: Seen) -> None:
    """What is refused before anything is sent, although there are secrets in it."""

    def fails() -> str:
        raise ValueError("no token")

    given: list[tuple[str, Given]] = [
        (f"{guarded.url}/?token={WRONG}", {"token": PASSWORD}),
        (f"{guarded.url}/?token={WRONG}", {"auth": Password(PASSWORD)}),
        (f"http://ada:{WRONG}@localhost/?token={WRONG}", {}),
        (f"localhost:8888/?token={WRONG}", {}),
        (f"{guarded.url}/?tokens={WRONG}", {}),
        (f"{guarded.url}/#{WRONG}", {}),
        (guarded.url, {"token": WRONG, "headers": {"Authorization": WRONG}}),
        (guarded.url, {"headers": {"X": f"{WRONG}\n"}}),
        (guarded.url, {"auth": lambda: f"{WRONG} {WRONG}"}),
        (guarded.url, {"auth": fails}),
    ]
    for url, arguments in given:
        async with seen.refused(), connect(url, **arguments):
            pass


async def refused_by_proxies(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's password is a secret, too."""
    async with forward_proxy({}, "ada:other") as proxy:
        for there in (f"127.0.0.1:{proxy.port}", "127.0.0.1:9", "[::1"):
            monkeypatch.setenv("ALL_PROXY", f"http://ada:{WRONG}@{there}")
            for url in ("http://jupyter.test/", "https://jupyter.test/"):
                async with seen.refused(), connect(url, token=WRONG):
                    pass
        seen.add(*proxy.asked)
