# SPDX-License-Identifier: BSD-3-Clause
"""Answers that a Jupyter server seldom gives: each is said in the words of what was wanted."""

from collections.abc import Awaitable, Callable

import anyio
import pytest
from httpx import Response
from stand_in import stand_in

from jupyter_agent_core import (
    AuthenticationError,
    CollaborationUnavailableError,
    JupyterAgentError,
    KernelNotFoundError,
    KernelUnavailableError,
    NotAJupyterServerError,
    Password,
    RequestError,
    ServerUnreachableError,
)
from jupyter_agent_core._http import lab
from jupyter_agent_core._http.auth import Token
from jupyter_agent_core._http.lab import open_document
from jupyter_agent_core._http.own_sessions import OwnSessions
from jupyter_agent_core._http.rest import JupyterRest
from jupyter_agent_core._http.server_runs import ServerRuns

Ask = Callable[[JupyterRest], Awaitable[object]]
PAGE = Response(200, html="<html>hello</html>")
MODEL = Response(200, json={"path": "a.ipynb"})
KERNEL = {"id": "k", "name": "python3"}


def room(rest: JupyterRest) -> Awaitable[object]:
    return rest.room("a.ipynb", "collaboration")


REFUSALS: dict[str, tuple[Ask, dict[str, Response], type[JupyterAgentError], str]] = {
    "no rooms": (
        room,
        {"GET /api/contents/a.ipynb": MODEL},
        CollaborationUnavailableError,
        "no live documents",
    ),
    "a notebook that the server fails to look for": (
        room,
        {"GET /api/contents/a.ipynb": Response(500, json={"message": "disk full"})},
        RequestError,
        "HTTP 500.*disk full",
    ),
    "a kernel that is gone": (
        lambda rest: rest.restart_kernel("k"),
        {},
        KernelNotFoundError,
        "'k'",
    ),
    "a kernel that cannot be restarted": (
        lambda rest: rest.restart_kernel("k"),
        {"POST /api/kernels/k/restart": Response(500, json={"message": "no more memory"})},
        KernelUnavailableError,
        "no more memory",
    ),
    "a page for an object": (
        lambda rest: rest.kernelspecs(),
        {"GET /api/kernelspecs": PAGE},
        NotAJupyterServerError,
        "/api/kernelspecs is not JSON",
    ),
    "a page for a list": (
        lambda rest: rest.sessions(),
        {"GET /api/sessions": PAGE},
        NotAJupyterServerError,
        "/api/sessions is no JSON list",
    ),
    "an object for a list": (
        lambda rest: rest.running_kernels(),
        {"GET /api/kernels": Response(200, json={"kernels": []})},
        NotAJupyterServerError,
        "/api/kernels is no JSON list",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_what_the_server_does_not_give_is_said(name: str) -> None:
    ask, answers, kind, said = REFUSALS[name]
    async with stand_in(answers) as standing, JupyterRest(standing.url, Token("t")) as rest:
        with pytest.raises(kind, match=said):
            await ask(rest)


@pytest.mark.parametrize(
    ("answer", "opening"),
    [
        (Response(200, json={"success": True}), "opened"),
        (Response(404), "unavailable"),
        (PAGE, "unavailable"),
        (Response(404, json={"success": False}), "nobody"),
        (Response(503, json={"success": False}), "nobody"),
        (Response(200, json={"success": False}), "failed"),
    ],
)
async def test_what_becomes_of_a_document_in_the_lab_is_told(
    answer: Response, opening: str
) -> None:
    answers = {"POST /jupyter-mcp-tools/execute": answer}
    async with stand_in(answers) as standing, JupyterRest(standing.url, Token("t")) as rest:
        assert await open_document(rest, "a.ipynb") == opening


async def test_a_lab_that_does_not_answer_has_not_opened_the_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lab, "PAGE_TIMEOUT", 0.1)
    answers = {"POST /jupyter-mcp-tools/execute": None}
    async with stand_in(answers) as standing, JupyterRest(standing.url, Token("t")) as rest:
        assert await open_document(rest, "a.ipynb") == "failed"


# --- runs of the server's own


async def test_a_run_that_the_server_has_forgotten_is_nothing() -> None:
    async with stand_in({}) as standing, JupyterRest(standing.url, Token("t")) as rest:
        assert await ServerRuns(rest).request("k", "r") is None


@pytest.mark.parametrize("answer", [{"outputs": "no JSON"}, {"input_request": {"prompt": "?"}}])
async def test_a_run_that_is_told_in_other_words_is_an_error(answer: dict[str, object]) -> None:
    answers = {"GET /api/kernels/k/requests/r": Response(200, json=answer)}
    async with stand_in(answers) as standing, JupyterRest(standing.url, Token("t")) as rest:
        with pytest.raises(RequestError, match="jupyter-server-nbmodel that is not understood"):
            await ServerRuns(rest).request("k", "r")


# --- logging in


@pytest.mark.parametrize(
    ("page", "kind", "said"),
    [
        (
            Response(401, headers={"WWW-Authenticate": 'Basic realm="x"'}),
            AuthenticationError,
            "user name and password of a proxy",
        ),
        (Response(502), ServerUnreachableError, "a proxy before it answers HTTP 502"),
        (Response(500), NotAJupyterServerError, "GET login answers HTTP 500"),
    ],
)
async def test_a_password_is_not_given_to_who_shows_no_login_page(
    page: Response, kind: type[JupyterAgentError], said: str
) -> None:
    answers = {"GET /api": MODEL, "GET /login": page}
    async with stand_in(answers) as standing, JupyterRest(standing.url, Password("p")) as rest:
        with pytest.raises(kind, match=said):
            await rest.kernelspecs()
    assert standing.asked == ["GET /api", "GET /login"]


# --- sessions that a server of kernels does not have


async def test_a_session_that_has_ended_gets_no_other_kernel() -> None:
    async with stand_in({}) as standing, JupyterRest(standing.url, Token("t")) as rest:
        with pytest.raises(KernelUnavailableError, match=r"Kernel k .*has just ended"):
            await OwnSessions(rest).change_session_kernel("gone", kernel_id="k")
        await OwnSessions(rest).end_session("gone")
    assert standing.asked == []


async def test_a_session_that_keeps_its_kernel_does_not_end_it() -> None:
    answers = {"GET /api/kernels/k": Response(200, json=KERNEL)}
    async with stand_in(answers) as standing, JupyterRest(standing.url, Token("t")) as rest:
        sessions = OwnSessions(rest)
        session = await sessions.start_session("a.ipynb", kernel_id="k")
        again = await sessions.change_session_kernel(session.id, kernel_id="k")
        assert (again.id, again.kernel.id) == (session.id, "k")
    assert "DELETE /api/kernels/k" not in standing.asked


async def test_two_who_find_the_kernel_of_a_notebook_gone_at_once_find_no_session() -> None:
    answers = {
        "GET /api/kernels/k": [Response(200, json=KERNEL), Response(404)],
        "GET /api/kernels": Response(200, json=[]),
    }
    async with stand_in(answers) as standing, JupyterRest(standing.url, Token("t")) as rest:
        sessions = OwnSessions(rest)
        await sessions.start_session("a.ipynb", kernel_id="k")
        found: list[object] = []

        async def look() -> None:
            found.append(await sessions.session("a.ipynb"))

        async with anyio.create_task_group() as group:
            group.start_soon(look)
            group.start_soon(look)
        assert found == [None, None]
        assert await sessions.sessions() == []
