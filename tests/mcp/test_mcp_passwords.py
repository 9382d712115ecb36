# SPDX-License-Identifier: BSD-3-Clause
"""What code asks in secret: typed on a page of ours, or refused."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import httpx2
import mcp.types as types
import pytest
from mcp import Client
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp_clients import (
    Transport,
    answering,
    both_eras,
    call,
    create,
    everywhere,
    for_one_or_many,
    in_memory,
    said,
    session,
)
from mcp_http import SECRET, Era, mcp_http
from servers import RunningServer
from starlette.applications import Starlette

from jupyter_mcp_server.pages import MAX_FORM, Page, Pages, Question

PASSWORD = "s3cret & <b>ü"
CODE = (
    "import getpass\nword = getpass.getpass('Password:')\nprint(len(word), word.startswith('s3'))"
)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
User = Callable[[str], Awaitable[object]]


def browser() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=10, trust_env=False, follow_redirects=True)


def proof_in(html: str) -> str:
    found = re.search(r'name="proof" type="hidden" value="([^"]+)"', html)
    assert found is not None
    return found[1]


async def type_password(url: str) -> httpx.Response:
    """Do what a browser does with the page, and what its user does."""
    async with browser() as http:
        shown = await http.get(url)
        assert shown.status_code == 200
        assert 'type="password"' in shown.text
        fields = {"answer": PASSWORD, "proof": proof_in(shown.text)}
        # so says a browser that was told to give no referrer
        return await http.post(url, data=fields, headers={"Origin": "null"})


def opening(user: User, asked: list[types.ElicitRequestParams], action: Any = "accept") -> Any:
    """A client that lets its user open the page, and says so when that is done."""

    async def on_elicit(_: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        asked.append(params)
        assert isinstance(params, types.ElicitRequestURLParams)
        await user(params.url)
        return types.ElicitResult(action=action)

    return {"elicitation_callback": on_elicit}


def take_only(monkeypatch: pytest.MonkeyPatch, kind: types.ElicitationCapability) -> None:
    """Let the clients of a test be asked in one way."""
    build_all = ClientSession._build_capabilities

    def build_one(self: ClientSession, version: str) -> types.ClientCapabilities:
        return build_all(self, version).model_copy(update={"elicitation": kind})

    monkeypatch.setattr(ClientSession, "_build_capabilities", build_one)


@asynccontextmanager
async def client_with(
    url: str, headers: dict[str, str], callbacks: dict[str, Any]
) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode="auto", **callbacks) as client,
    ):
        yield client


async def is_closed(url: str) -> bool:
    async with browser() as http:
        try:
            return (await http.get(url)).status_code == 404
        except httpx.ConnectError:
            return True
        except httpx.TransportError:  # it came as the listener was being closed
            return False


# --- the whole way


@everywhere
@both_eras
async def test_a_password_is_typed_on_a_page_and_goes_to_the_kernel_only(
    transport: Transport, era: Era, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    asked: list[types.ElicitRequestParams] = []
    replies: list[httpx.Response] = []

    async def user(url: str) -> None:
        replies.append(await type_password(url))

    async with session(transport, era, work, on_lab, **opening(user, asked)) as client:
        await create(client, folder)
        with anyio.fail_after(30):
            text = await said(client, "insert_execute_code_cell", cell_index=-1, cell_source=CODE)
        assert f"{len(PASSWORD)} True" in text
        assert "s3cret" not in text + await said(client, "read_cell", cell_index=0)
        (params,) = asked
        assert isinstance(params, types.ElicitRequestURLParams)
        assert f"runs in notebook '{folder}/nb.ipynb' asks for a password: P" in params.message
        assert urlsplit(params.url).hostname == "127.0.0.1"
        assert len(urlsplit(params.url).path) > 40
        assert await is_closed(params.url)
        assert (await said(client, "execute_code", code="6 * 7")).startswith("42\n")
    (reply,) = replies
    assert reply.status_code == 200
    assert "Done: the code has it." in reply.text
    assert "s3cret" not in reply.text
    log = work.parent / "log"
    logged = log.read_text() if log.exists() else ""
    assert "s3cret" not in logged
    assert "/ask/" not in logged


@for_one_or_many
@both_eras
async def test_a_client_may_consent_before_its_user_has_typed(
    transport: Transport, era: Era, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    async with anyio.create_task_group() as later:

        async def user(url: str) -> None:
            later.start_soon(type_password, url)

        async with session(transport, era, work, on_lab, **opening(user, [])) as client:
            await create(client, folder)
            with anyio.fail_after(30):
                assert "True" in await said(client, "execute_code", code=CODE)


@both_eras
async def test_a_user_who_would_not_open_the_page_ends_the_input(
    era: Era, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    asked: list[types.ElicitRequestParams] = []

    async def user(_: str) -> None:
        pass

    async with session("memory", era, work, on_lab, **opening(user, asked, "decline")) as client:
        await create(client, folder)
        with anyio.fail_after(30):
            assert "EOFError" in await said(client, "execute_code", code=CODE)
        (params,) = asked
        assert isinstance(params, types.ElicitRequestURLParams)
        assert await is_closed(params.url)


@for_one_or_many
@both_eras
async def test_the_page_ends_with_the_call(
    transport: Transport, era: Era, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    consented, asked = anyio.Event(), list[types.ElicitRequestParams]()

    async def user(_: str) -> None:
        consented.set()

    async with session(transport, era, work, on_lab, **opening(user, asked)) as client:
        await create(client, folder)
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: call(client, "execute_code", code=CODE))
            with anyio.fail_after(30):
                await consented.wait()
                (params,) = asked
                assert isinstance(params, types.ElicitRequestURLParams)
                async with browser() as http:
                    assert (await http.get(params.url)).status_code == 200
            group.cancel_scope.cancel()
        with anyio.fail_after(20):
            assert (await said(client, "execute_code", code="6 * 7")).startswith("42\n")
            while not await is_closed(params.url):
                await said(client, "list_kernels")


@both_eras
async def test_a_client_that_only_opens_pages_is_asked_everything_there(
    era: Era,
    work: Path,
    on_lab: dict[str, str],
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    take_only(monkeypatch, types.ElicitationCapability(url=types.UrlElicitationCapability()))

    async def user(url: str) -> None:
        async with browser() as http:
            shown = (await http.get(url)).text
            assert 'type="text"' in shown
            await http.post(url, data={"answer": "Ada", "proof": proof_in(shown)})

    async with session("memory", era, work, on_lab, **opening(user, [])) as client:
        await create(client, folder)
        with anyio.fail_after(30):
            assert "'ADA'" in await said(client, "execute_code", code="input('Name?').upper()")


@both_eras
async def test_a_password_is_refused_at_once_where_the_client_opens_no_page(
    era: Era,
    work: Path,
    on_lab: dict[str, str],
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    take_only(monkeypatch, types.ElicitationCapability(form=types.FormElicitationCapability()))
    asked: list[types.ElicitRequestParams] = []
    async with session("memory", era, work, on_lab, **answering("s3cret", asked)) as client:
        await create(client, folder)
        with anyio.fail_after(30):
            refused, text = await call(client, "execute_code", code=CODE)
            assert refused
            assert "asks for a password ('Password:'), which must not pass through here" in text
            assert "this MCP client opens no page for it" in text
            assert (await said(client, "execute_code", code="6 * 7")).startswith("42\n")
    assert asked == []


@both_eras
async def test_a_page_that_nobody_answers_ends_after_a_time(
    era: Era, lab: RunningServer, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_mcp_server.asking.ANSWER_TIMEOUT", 0.5)
    asked: list[types.ElicitRequestParams] = []

    async def user(_: str) -> None:
        pass

    async with in_memory(lab.url, lab.token, mode=era, **opening(user, asked)) as client:
        await create(client, folder)
        with anyio.fail_after(30):
            assert "EOFError" in await said(client, "execute_code", code=CODE)
        (params,) = asked
        assert isinstance(params, types.ElicitRequestURLParams)
        assert await is_closed(params.url)


async def test_no_page_is_shown_to_other_machines(
    work: Path, on_lab: dict[str, str], folder: str
) -> None:
    asked: list[types.ElicitRequestParams] = []
    callbacks = opening(type_password, asked)
    flags = ("--allowed-host", "notebooks.example")
    async with mcp_http(work, on_lab, *flags) as served:
        headers = {"Authorization": f"Bearer {SECRET}", "Host": f"notebooks.example:{served.port}"}
        async with client_with(served.url, headers, callbacks) as client:
            await create(client, folder)
            with anyio.fail_after(30):
                refused, text = await call(client, "execute_code", code=CODE)
            assert refused
            assert "shows to its own machine only, and not at 'notebooks.example:" in text
    assert asked == []


# --- the page


@pytest.fixture
async def page() -> AsyncIterator[tuple[Page, httpx.AsyncClient]]:
    """A page that is open, and a browser that is on this machine."""
    pages = Pages()
    transport = httpx.ASGITransport(Starlette(routes=[pages.route]))
    question = Question("<i>Password</i>:", "notebook '<i>.ipynb'", True, "<i>agent")
    with pages.opened(question) as opened:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9") as http:
            yield opened, http


async def test_a_page_is_kept_nowhere_and_framed_by_nobody(
    page: tuple[Page, httpx.AsyncClient],
) -> None:
    opened, http = page
    shown = await http.get(opened.path)
    assert shown.headers["cache-control"] == "no-store"
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert shown.headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert "&lt;i&gt;Password&lt;/i&gt;:" in shown.text
    assert "<i>" not in shown.text
    for text in ("notebook &#x27;&lt;i&gt;.ipynb&#x27;", "for the MCP client '&lt;i&gt;agent'"):
        assert text in shown.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example:9"}, 421),
        ({"Host": "localhost:x"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost:9"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "application/json"}, 415),
        ({"Origin": "http://127.0.0.1:9", "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Host": "localhost:9", "Origin": "null"}, 303),
    ],
)
async def test_an_answer_is_taken_from_the_page_itself_only(
    headers: dict[str, str], status: int, page: tuple[Page, httpx.AsyncClient]
) -> None:
    opened, http = page
    fields = {"answer": PASSWORD, "proof": opened.proof}
    reply = await http.post(opened.path, data=fields, headers=headers)
    assert reply.status_code == status
    assert opened.answer == (PASSWORD if status == 303 else None)
    assert "s3cret" not in reply.text


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ("answer=x", 403),
        ("answer=x&proof=", 403),
        ("answer=x&proof=%C3%BC", 403),
        ("proof={proof}", 400),
        ("answer=%FF&proof={proof}", 400),
        ("&".join(f"a{n}=1" for n in range(99)), 400),
        ("answer=" + "x" * MAX_FORM, 413),
        ("answer=&proof={proof}", 303),
    ],
    ids=["no proof", "empty proof", "wrong proof", "no answer", "bytes", "many", "large", "empty"],
)
async def test_what_is_no_answer_is_refused_and_the_page_stays(
    content: str, status: int, page: tuple[Page, httpx.AsyncClient]
) -> None:
    opened, http = page
    reply = await http.post(opened.path, content=content.format(proof=opened.proof), headers=FORM)
    assert reply.status_code == status
    assert opened.answer == ("" if status == 303 else None)
    assert ("Done" in (await http.get(opened.path)).text) == (status == 303)
    assert (await http.get(opened.path)).status_code == (410 if status == 303 else 200)


async def test_a_page_takes_one_answer_and_others_do_not_exist(
    page: tuple[Page, httpx.AsyncClient],
) -> None:
    opened, http = page
    fields = {"answer": "first", "proof": opened.proof}
    taken = await http.post(opened.path, data=fields)
    # a tab that was sent on does not keep the form, to send it again when it is reloaded
    assert (taken.status_code, taken.headers["location"]) == (303, opened.path)
    again = await http.post(opened.path, data=fields | {"answer": "second"})
    assert (again.status_code, opened.answer) == (410, "first")
    assert (await http.get("/ask/x")).status_code == 404
    assert "first" not in repr(opened)
    assert opened.path not in repr(opened)


async def test_of_two_answers_at_once_the_one_that_has_come_whole_is_taken(
    page: tuple[Page, httpx.AsyncClient],
) -> None:
    opened, http = page

    async def slowly() -> AsyncIterator[bytes]:
        yield b"answer=slow&"
        fields = {"answer": "quick", "proof": opened.proof}
        assert (await http.post(opened.path, data=fields)).status_code == 303
        yield f"proof={opened.proof}".encode()

    late = await http.post(opened.path, content=slowly(), headers=FORM)
    assert (late.status_code, opened.answer) == (410, "quick")


def test_secrets_of_pages_differ() -> None:
    one, two = Page(Question("a", "b")), Page(Question("a", "b"))
    assert len({one.path, two.path, one.proof, two.proof}) == 4
