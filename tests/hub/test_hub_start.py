# SPDX-License-Identifier: BSD-3-Clause
"""Users' servers that are found or started through JupyterHub."""

import re
from urllib.parse import quote

import anyio
import pytest
from hub import Hub, Token

from jupyter_agent_core import (
    AuthenticationError,
    ConfigurationError,
    HubPermissionError,
    HubServer,
    HubSpawnError,
    HubSpawnTimeoutError,
    HubUserNotFoundError,
    JupyterAgentError,
    NotAJupyterHubError,
    ServerStoppedError,
    ServerUnreachableError,
    StartProgress,
    connect,
    sync,
)

pytestmark = [pytest.mark.hub, pytest.mark.timeout(120)]


async def least(hub: Hub, user: str) -> Token:
    """A token that may start and use a user's servers, and nothing else."""
    return await hub.token(user, f"access:servers!user={user}", f"servers!user={user}")


async def refused(hub: Hub, token: str | None, **named: str) -> JupyterAgentError:
    """Connect where that has to fail, within seconds; the error, which does not hold the token."""
    with anyio.fail_after(5), pytest.raises(JupyterAgentError) as caught:
        async with connect(**{"hub_url": hub.url, "token": token, **named}):
            pass
    assert str(token) not in repr(caught.value)
    return caught.value


async def test_a_server_is_started_with_progress_and_found_by_whoever_comes_next(
    hub: Hub, user: str, told: list[StartProgress]
) -> None:
    token = (await least(hub, user)).value
    async with connect(hub_url=hub.url, token=token, on_progress=told.append) as server:
        assert server.url == hub.server_url(user)
        assert server.hub == HubServer(hub.url, user, "", server.url, can_start=True)
        assert told[0] == StartProgress(0, "JupyterHub is asked to start it")
        assert told[-1].percent == 100
        assert [one.percent for one in told] == sorted(one.percent for one in told)
        notebook = await server.open_notebook("n.ipynb", create=True)
        cell = await notebook.append_cell("6 * 7")
        assert (await cell.execute(timeout=30)).text == "42"
    told.clear()
    home = f"user/{user}"
    for page in ("hub", "hub/home", "hub/token?x=1#y", f"hub/spawn/{user}", f"{home}/lab?reset"):
        async with connect(hub_url=hub.url + page, token=token, on_progress=told.append) as server:
            assert server.url == hub.server_url(user)
    assert told == []  # it runs
    only_use = await hub.token(user, f"access:servers!user={user}")
    async with connect(hub_url=hub.url, token=only_use.value) as server:
        assert server.hub is not None
        assert not server.hub.can_start
        with pytest.raises(HubPermissionError):
            await server.start_again()
    async with connect(hub.server_url(user), token=token) as server:
        assert server.hub is None
        with pytest.raises(ConfigurationError, match="connect with hub_url="):
            await server.start_again()

    def blocking() -> HubServer | None:
        with sync.connect(hub_url=hub.url, token=token, start_timeout=30) as server:
            server.start_again()
            return server.hub

    found = await anyio.to_thread.run_sync(blocking)
    assert found == HubServer(hub.url, user, "", hub.server_url(user), can_start=True)


async def test_names_are_written_as_urls_have_them(hub: Hub, number: int) -> None:
    user = f"ada lovelace+{number}@exämple.org"
    only = f"server={user}/gpu-1"
    token = (await hub.token(user, f"servers!{only}", f"access:servers!{only}")).value
    async with connect(hub_url=hub.url, token=token, server_name="gpu-1") as server:
        assert server.url == f"{hub.url}user/{quote(user, safe='@')}/gpu-1/"
        notebook = await server.open_notebook("ä b.ipynb", create=True)
        assert (await notebook.kernel.execute("6 * 7", timeout=30)).text == "42"
        # the page of a named server, as its user's browser shows it
        async with connect(hub_url=f"{server.url}lab/tree/x", token=token) as same:
            assert same.hub == server.hub
            assert str(same.hub) == f"{user}/gpu-1"


_INSIDE = """
from jupyter_agent_core.sync import connect
with connect("auto") as server:
    print([kernel.state for kernel in server.list_kernels()])
"""


async def test_an_administrator_s_service_works_for_users_that_it_names(
    hub: Hub, user: str
) -> None:
    await hub.token(user)  # which makes the user
    service = hub.admin_token
    async with connect(hub_url=hub.url, token=service, user=user) as server:
        assert server.url == hub.server_url(user)
        # who is on that server needs neither the Hub nor a token
        inside = await (await server.start_kernel()).execute(_INSIDE, timeout=30)
        assert inside.text.strip() == "['busy']"
    error = await refused(hub, service)
    assert isinstance(error, ConfigurationError)
    assert "belongs to the service 'tests'" in str(error)
    error = await refused(hub, service, user="nobody")
    assert isinstance(error, HubUserNotFoundError)
    assert error.user == "nobody"
    # its scopes may be limited to a group
    of_a_group = "of-the-group-0123456789"
    assert isinstance(await refused(hub, of_a_group, user="broken-group"), HubSpawnError)
    assert isinstance(await refused(hub, of_a_group, user=user), HubUserNotFoundError)


async def test_a_start_that_takes_long_is_waited_for_and_told(
    hub: Hub, user: str, number: int, told: list[StartProgress]
) -> None:
    slow = f"slow-{number}"
    token = (await least(hub, slow)).value
    with pytest.raises(HubSpawnTimeoutError, match=r"not ready within 0\.5 s") as caught:
        async with connect(hub_url=hub.url, token=token, start_timeout=0.5):
            pass
    assert caught.value.retryable
    # the Hub goes on; meanwhile it starts no other one, and says when to ask again
    other = (await least(hub, user)).value
    async with anyio.create_task_group() as group:
        group.start_soon(_waits_for, hub, slow)
        async with connect(hub_url=hub.url, token=other, on_progress=told.append) as server:
            assert server.url == hub.server_url(user)
    assert "Too many users" in told[1].message


async def _waits_for(hub: Hub, user: str) -> None:
    """Connect to a server that somebody else has begun to start, and that one may not start."""
    told: list[StartProgress] = []
    token = await hub.token(user, f"access:servers!user={user}", f"read:servers!user={user}")
    async with connect(hub_url=hub.url, token=token.value, on_progress=told.append) as server:
        assert server.url == hub.server_url(user)
    assert told[-1].percent == 100


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("broken", {}, "there is no such image"),
        ("choosy", {}, "no such profile: None"),
        ("choosy", {"user_options": {"profile": "gpu"}}, "no such profile: gpu"),
        ("named", {"server_name": "no/name"}, "nvalid server_name"),
    ],
)
async def test_a_failed_start_is_told_in_the_hub_s_words(
    kind: str, options: dict[str, str], said: str, hub: Hub, number: int
) -> None:
    token = (await least(hub, f"{kind}-{number}")).value
    for _ in range(2):
        error = await refused(hub, token, **options)
        assert isinstance(error, HubSpawnError)
        assert said in error.reason
        assert f"{hub.url}hub/home" in str(error)


async def test_a_missing_scope_is_named(hub: Hub, user: str) -> None:
    access, servers = f"access:servers!user={user}", f"servers!user={user}"
    error = await refused(hub, (await hub.token(user, servers)).value)
    assert isinstance(error, HubPermissionError)
    assert (error.owner, error.scopes) == (user, (access,))
    may_read = (await hub.token(user, access, f"read:servers!user={user}")).value
    error = await refused(hub, may_read)
    assert isinstance(error, HubPermissionError)
    assert error.scopes == (servers,)
    error = await refused(hub, (await hub.token(user, access)).value)
    assert isinstance(error, ServerStoppedError)
    assert f"lacks the scope {servers}" in str(error)


async def test_what_cannot_be_right_is_said(hub: Hub, user: str) -> None:
    token = (await least(hub, user)).value
    error = await refused(hub, token, user="bob")
    assert isinstance(error, HubPermissionError)
    assert (error.owner, error.scopes) == (user, ("access:servers!user=bob",))
    for wrong in ("wrong-0123", None):
        error = await refused(hub, wrong)
        assert isinstance(error, AuthenticationError)
        assert f"make one at {hub.url}hub/token" in str(error)
    elsewhere = re.sub(r"/hubroot/$", "/", hub.url)
    assert isinstance(await refused(hub, token, hub_url=elsewhere), NotAJupyterHubError)
    nobody = "http://127.0.0.1:9"
    assert isinstance(await refused(hub, token, hub_url=nobody), ServerUnreachableError)
    for named in ({"hub_url": "hub"}, {"url": hub.url, "runtime_url": nobody}):
        assert isinstance(await refused(hub, token, **named), ConfigurationError)
    with pytest.raises(ConfigurationError, match="pass hub_url, too"):
        async with connect(hub.url, user="ada"):
            pass
