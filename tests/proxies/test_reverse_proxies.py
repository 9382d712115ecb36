# SPDX-License-Identifier: BSD-3-Clause
"""Jupyter servers behind a real nginx: prefixes, redirects, passwords of its own, limits."""

import base64
import shutil
import sys

import anyio
import pytest
from front import PASSWORD, USER, Front
from servers import KERNEL, RunningServer, install_kernelspec

from jupyter_agent_core import (
    AuthenticationError,
    ConfigurationError,
    ConnectionLostError,
    NotAJupyterServerError,
    Password,
    RequestError,
    Server,
    ServerMovedError,
    ServerUnreachableError,
    connect,
)
from jupyter_agent_core._http.auth import Token
from jupyter_agent_core._http.rest import JupyterRest
from jupyter_agent_core._http.websocket import open_websocket

pytestmark = pytest.mark.proxies
BASIC = {"Authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}


async def works(server: Server, path: str) -> None:
    """Edit and run: REST, a room and a kernel."""
    notebook = await server.open_notebook(path, create=True)
    cell = await notebook.append_cell("6 * 7")
    assert (await cell.execute(timeout=30)).text == "42"
    await notebook.save()
    await notebook.close()


# --- where the server is


@pytest.mark.parametrize("place", ["jupyter", "team a/é", "team%20a/%C3%A9"])
async def test_a_prefix_of_a_proxy_is_part_of_the_base_url(
    place: str, front: Front, lab: RunningServer, folder: str
) -> None:
    async with connect(front.http(place), token=lab.token) as server:
        await works(server, f"{folder}/n.ipynb")
        assert server.url == front.http(place)


@pytest.mark.parametrize("name", ["with space", "100%2F", "é😀", "a+b&c=d?e#f;g", "100%"])
async def test_any_file_name_passes_through_a_proxy(
    name: str, front: Front, lab: RunningServer, folder: str
) -> None:
    async with connect(front.http("jupyter"), token=lab.token) as server:
        await works(server, f"{folder}/{name}.ipynb")
    assert (lab.root / folder / f"{name}.ipynb").exists()


async def test_any_file_name_passes_through_a_proxy_to_a_server_without_rooms(
    front: Front, plain: RunningServer
) -> None:
    async with connect(front.http("files-only"), token=plain.token) as server:
        await works(server, "a b%2F é?#.ipynb")
    assert (plain.root / "a b%2F é?#.ipynb").exists()


async def test_redirects_on_the_same_host_are_followed_once_for_all(
    front: Front, lab: RunningServer, folder: str
) -> None:
    async with connect(front.http("older"), token=lab.token) as server:
        assert server.url == front.http("jupyter")
        await works(server, f"{folder}/n.ipynb")
    assert front.nginx.requests().count("GET /older/") == 1


async def test_a_redirect_to_https_is_followed(
    front: Front, lab: RunningServer, folder: str
) -> None:
    for auth in ({"token": lab.token}, {"auth": Password(lab.token)}):
        async with connect(front.http("secured"), verify=front.ca, **auth) as server:
            assert server.url == front.https()
            await server.list_kernels()
    assert "POST /secured" not in front.nginx.requests()


async def test_a_redirect_to_another_host_is_refused_and_named(
    front: Front, lab: RunningServer
) -> None:
    with pytest.raises(ServerMovedError) as caught:
        async with connect(front.http("elsewhere"), token=lab.token):
            pass
    there = front.http("jupyter").replace("127.0.0.1", "localhost")
    assert caught.value.location == there
    assert f"redirects to {there} (another server" in str(caught.value)


async def test_a_websocket_follows_no_redirect(front: Front, lab: RunningServer) -> None:
    headers = {"X-Secret": "s3cret"}
    async with JupyterRest(front.http("elsewhere"), Token(lab.token), headers=headers) as rest:
        before = front.nginx.requests().count("GET /jupyter/")
        with pytest.raises(RequestError) as caught:
            await open_websocket(rest.websocket("api/kernels/x/channels"))
        assert caught.value.status == 302
        assert front.nginx.requests().count("GET /jupyter/") == before


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("sso", "GET api/status is redirected to https://sso.example/authorize)"),
        ("round", "it redirects more than 5 times"),
        ("nowhere", "GET api/status answers HTTP 404"),
    ],
)
async def test_what_is_no_server_says_what_answers(
    place: str, why: str, front: Front, lab: RunningServer
) -> None:
    with anyio.fail_after(5), pytest.raises(NotAJupyterServerError) as caught:
        async with connect(front.http(place), token=lab.token):
            pass
    assert why in str(caught.value)


async def test_a_proxy_whose_server_is_down_says_so(front: Front) -> None:
    with anyio.fail_after(5), pytest.raises(ServerUnreachableError) as caught:
        async with connect(front.http("down"), token="any"):
            pass
    assert "(a proxy before it answers HTTP 502)" in str(caught.value)
    assert caught.value.retryable


async def test_a_prefix_that_is_called_as_a_page_is_found(
    front: Front, plain: RunningServer
) -> None:
    prefix = front.http("only/lab")
    for url in (prefix, f"{prefix}lab/tree/a.ipynb"):
        async with connect(url, token=plain.token) as server:
            assert server.url == prefix


# --- what a proxy wants


async def test_the_password_of_a_proxy_goes_with_every_request(front: Front, folder: str) -> None:
    async with connect(front.http("guarded"), headers=BASIC) as server:
        await works(server, f"{folder}/n.ipynb")


async def test_a_proxy_that_wants_a_password_is_told_from_a_server_that_wants_a_token(
    front: Front, lab: RunningServer
) -> None:
    with pytest.raises(AuthenticationError, match="user name and password of a proxy before it"):
        async with connect(front.http("guarded"), token=lab.token):
            pass
    with pytest.raises(ConfigurationError, match="two values for the header Authorization"):
        async with connect(front.http("guarded"), token=lab.token, headers=BASIC):
            pass


async def test_behind_a_proxy_with_a_password_the_token_is_given_at_the_login_page(
    front: Front, lab: RunningServer, folder: str
) -> None:
    async with connect(
        front.http("guarded-again"), auth=Password(lab.token), headers=BASIC
    ) as server:
        await works(server, f"{folder}/n.ipynb")


async def test_a_notebook_that_is_too_large_for_a_proxy_is_refused_with_the_limit_to_raise(
    front: Front, plain: RunningServer
) -> None:
    async with connect(front.http("small"), token=plain.token) as server:
        notebook = await server.open_notebook("large.ipynb", create=True)
        await notebook.append_cell("x = 1")
        with anyio.fail_after(10), pytest.raises(ConnectionLostError) as caught:
            await notebook.append_cell("#" * 2_000_000)
        assert caught.value.applied == "no"
        assert "client_max_body_size" in str(caught.value)
        assert "make it writable" not in str(caught.value)
        assert [cell.source for cell in await notebook.read()] == ["x = 1"]
        await notebook.append_cell("x = 2")


async def test_a_kernel_that_starts_more_slowly_than_a_proxy_waits_is_waited_for(
    front: Front, lab: RunningServer, folder: str
) -> None:
    slow = f"import time; time.sleep(3)\n{KERNEL}"
    spec = install_kernelspec(lab.root.parent, "slow", [sys.executable, "-c", slow])
    try:
        async with connect(front.http("impatient"), token=lab.token) as server:
            path = f"{folder}/n.ipynb"
            notebook = await server.open_notebook(path, create=True, kernel_name="slow")
            with anyio.fail_after(40):
                assert (await notebook.kernel.execute("6 * 7")).text == "42"
            async with connect(lab.url, token=lab.token) as other:
                theirs = other.kernel(str(notebook.kernel.id))
                await theirs.connect()
                # the server has subtracted those that the proxy has cut
                assert not (await notebook.close()).shut_down
                assert (await theirs.execute("6 * 7", timeout=20)).text == "42"
                await theirs.shutdown()
    finally:
        shutil.rmtree(spec)


@pytest.mark.usefixtures("patient")
async def test_a_proxy_that_closes_idle_websockets_loses_no_edit_and_no_output(
    front: Front, lab: RunningServer, folder: str
) -> None:
    async with connect(front.http("impatient"), token=lab.token) as server:
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        cell = await notebook.append_cell("import time; time.sleep(5); print('done')")
        result = await cell.execute(timeout=20)  # nothing is said for longer than nginx waits
        assert (result.status, result.text) == ("ok", "done")
        with anyio.fail_after(40):
            await notebook.append_cell("x = 1")
        async with connect(lab.url, token=lab.token) as other:
            seen = await other.open_notebook(notebook.path)
            assert [cell.source for cell in await seen.read()][1:] == ["x = 1"]
