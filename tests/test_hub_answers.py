# SPDX-License-Identifier: BSD-3-Clause
"""What a JupyterHub may answer while a server starts: nothing is waited for in vain."""

import re

import anyio
import pytest
from httpx import Response
from stand_in import Answers, stand_in

from jupyter_agent_core import (
    ConfigurationError,
    HubPermissionError,
    HubSpawnError,
    HubUserNotFoundError,
    JupyterAgentError,
    NotAJupyterHubError,
    Password,
    RequestError,
    ServerUnreachableError,
    connect,
)
from jupyter_agent_core._http import hub as hub_module
from jupyter_agent_core._http import hub_server
from jupyter_agent_core._http.auth import Token
from jupyter_agent_core._http.hub import found_hub
from jupyter_agent_core._http.hub_server import ServerWish, found_user_server

SCOPES = ["servers", "read:servers", "access:servers"]
USER = "GET /hub/api/users/ada"
START = "POST /hub/api/users/ada/server"
PROGRESS = "GET /hub/api/users/ada/server/progress"
VERSION = Response(200, json={"version": "6.0"})
OWNER = Response(200, json={"name": "ada", "kind": "user", "scopes": SCOPES})
ACCEPTED = Response(202)


def states(*states: dict[str, object] | None) -> list[Response]:
    """What the Hub says of the user's server, one time after the other."""
    servers = [{} if state is None else {"": state} for state in states]
    return [Response(200, json={"name": "ada", "servers": server}) for server in servers]


def events(*lines: str) -> Response:
    return Response(200, text="".join(f"data: {line}\n\n" for line in lines))


READY = {"ready": True}
STOPPED = {"ready": False, "pending": None}


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POLL_INTERVAL", "RETRY_AFTER"):
        monkeypatch.setattr(hub_server, name, 0.01)


async def started(answers: dict[str, Answers]) -> tuple[bool, list[str]]:
    """Have the server run; whether it did at once, and what the Hub was asked for."""
    answers = {"GET /hub/api": VERSION, "GET /hub/api/user": OWNER, **answers}
    with anyio.fail_after(5):
        async with stand_in(answers) as standing:
            async with found_user_server(standing.url, Token("t"), ServerWish()) as server:
                at_once = await server.ensure_running()
            return at_once, standing.asked


SPAWNING = {"ready": False, "pending": "spawn"}
WAYS: dict[str, tuple[dict[str, Answers], int]] = {
    "it tells nothing of a start by somebody else": ({USER: states(SPAWNING, SPAWNING, READY)}, 0),
    "it tells of a start by somebody else to its end": (
        {USER: states(SPAWNING, READY), PROGRESS: events('{"progress": 100, "ready": true}')},
        0,
    ),
    "it tells half an event": (
        {USER: states(SPAWNING, READY), PROGRESS: Response(200, text='data: {"prog')},
        0,
    ),
    "somebody else was faster": ({USER: states(None, READY), START: Response(400)}, 1),
    "it was about to stop": (
        {
            USER: states(STOPPED, {"ready": False, "pending": "stop"}, STOPPED, READY),
            START: [Response(400), ACCEPTED],
        },
        2,
    ),
    "it is busy until a date": (
        {
            USER: states(None, None, READY),
            START: [
                Response(429, headers={"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}),
                ACCEPTED,
            ],
        },
        2,
    ),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_is_waited_for_until_it_is_ready(way: str) -> None:
    answers, starts = WAYS[way]
    at_once, asked = await started(answers)
    assert not at_once
    assert asked.count(START) == starts


@pytest.mark.parametrize(
    ("answers", "kind", "said"),
    [
        (
            {USER: states(None, STOPPED), START: ACCEPTED},
            HubSpawnError,
            "ended before it was ready",
        ),
        (
            {
                USER: states(SPAWNING),
                PROGRESS: events('{"progress": 9, "failed": true, "message": "no image"}'),
            },
            HubSpawnError,
            "no image",
        ),
        (
            {USER: states(None), START: Response(500, json={"message": "no room"})},
            HubSpawnError,
            "no room",
        ),
        (
            {USER: states(None), START: Response(403)},
            HubPermissionError,
            "servers!user=ada",
        ),
        ({USER: states(None), START: Response(404)}, HubUserNotFoundError, "'ada'"),
        ({USER: Response(404)}, HubUserNotFoundError, "'ada'"),
        (
            {USER: Response(500, json={"message": "database is locked"})},
            RequestError,
            "/hub/api/users/ada.*HTTP 500.*database is locked",
        ),
    ],
)
async def test_a_server_that_does_not_start_is_said_with_the_reason(
    answers: dict[str, Answers], kind: type[JupyterAgentError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        await started(answers)


async def test_a_hub_below_a_prefix_that_is_called_as_a_page_of_it_is_found() -> None:
    answers = {"GET /user/ada/hub/api": VERSION, "GET /user/ada/hub/api/user": OWNER}
    async with (
        stand_in(answers) as standing,
        found_hub(f"{standing.url}/user/ada", Token("t")) as (hub, address, owner),
    ):
        assert hub.url == address.url == f"{standing.url}/user/ada/"
        assert address.user is None
        assert owner.name == "ada"


async def test_a_hub_is_given_no_password() -> None:
    async with stand_in({}) as standing:
        with pytest.raises(ConfigurationError, match=f"make a token at {standing.url}"):
            async with connect(hub_url=standing.url, auth=Password("swordfish")):
                pass
    assert standing.asked == []


async def test_what_is_no_hub_is_said_to_be_none() -> None:
    async with stand_in({}) as standing:
        with pytest.raises(NotAJupyterHubError, match="HTTP 404"):
            async with found_hub(f"{standing.url}/user/ada", Token("t")):
                pass
    assert standing.asked == ["GET /hub/api", "GET /user/ada/hub/api"]


async def test_a_hub_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "PROBE_TIMEOUT", 0.2)
    with anyio.fail_after(5):
        async with stand_in({"GET /hub/api": None}) as standing:
            said = re.escape(f"{standing.url}/") + ".*no answer within 0.2 s"
            with pytest.raises(ServerUnreachableError, match=said):
                async with found_hub(standing.url, Token("t")):
                    pass
