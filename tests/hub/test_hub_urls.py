# SPDX-License-Identifier: BSD-3-Clause
"""URLs that a browser shows on JupyterHub, pasted as they are."""

import anyio
import pytest
from hub import Hub

from jupyter_agent_core import (
    ConfigurationError,
    NotAJupyterServerError,
    connect,
)

pytestmark = [pytest.mark.hub, pytest.mark.timeout(120)]


async def test_pages_of_a_user_name_his_server_whosever_the_token_is(hub: Hub, user: str) -> None:
    await hub.start_server(user)
    pages = (
        f"user/{user}/lab/tree/a%20b.ipynb?reset#x",
        f"hub/user/{user}/lab/tree/a.ipynb",
        f"hub/spawn/{user}",
        f"hub/spawn-pending/{user}",
    )
    for page in pages:
        async with connect(hub_url=hub.url + page, token=hub.admin_token) as server:
            assert server.url == hub.server_url(user), page
    # these are whosever's they are opened by
    token = (await hub.token(user)).value
    for page in ("hub/user-redirect/lab/tree/user/a.ipynb", "hub/spawn?next=/hub/user-redirect"):
        async with connect(hub_url=hub.url + page, token=token) as server:
            assert server.url == hub.server_url(user), page
        with pytest.raises(ConfigurationError, match="name the user"):
            async with connect(hub_url=hub.url + page, token=hub.admin_token):
                pass


async def test_the_page_of_a_named_server_is_enough_for_a_token_that_only_opens_it(
    hub: Hub, user: str
) -> None:
    token = (await hub.token(user)).value
    async with connect(hub_url=hub.url, token=token, server_name="gpu") as server:
        url = server.url
        only = (await hub.token(user, f"access:servers!server={user}/gpu")).value
        for page in (f"user/{user}/gpu/lab/tree/a.ipynb", f"hub/spawn-pending/{user}/gpu"):
            async with connect(hub_url=hub.url + page, token=only) as same:
                assert same.url == url
                assert await same.list_kernels() == ()


async def test_a_page_of_the_hub_in_place_of_a_server_says_what_to_pass(
    hub: Hub, user: str
) -> None:
    token = (await hub.token(user)).value
    for page in ("hub/home", "hub/user-redirect/lab/tree/a.ipynb", f"hub/spawn/{user}"):
        with anyio.fail_after(5), pytest.raises(NotAJupyterServerError, match="hub_url="):
            async with connect(hub.url + page, token=token):
                pass
