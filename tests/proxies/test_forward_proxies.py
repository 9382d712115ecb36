# SPDX-License-Identifier: BSD-3-Clause
"""HTTP proxies on the way to a server: the usual variables, for requests and websockets alike."""

import re

import anyio
import pytest
from forward_proxy import ForwardProxy, forward_proxy
from front import HOST, Front
from servers import RunningServer

from jupyter_agent_core import (
    ConfigurationError,
    ProxyError,
    Server,
    ServerUnreachableError,
    connect,
)
from jupyter_agent_core._http.proxies import proxy_for

pytestmark = [pytest.mark.proxies, pytest.mark.usefixtures("patient")]
USER = "ada:s3cret-%40-proxy"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "WS_PROXY", "WSS_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def places(front: Front) -> dict[str, int]:
    """The host has nginx on the usual ports."""
    return {f"{HOST}:80": front.nginx.ports[0], f"{HOST}:443": front.nginx.ports[1]}


async def works(server: Server, path: str, proxy: ForwardProxy) -> None:
    """Edit and run, also after the connections broke."""
    notebook = await server.open_notebook(path, create=True)
    cell = await notebook.append_cell("6 * 7")
    assert (await cell.execute(timeout=30)).text == "42"
    before = len(proxy.asked)
    proxy.cut()
    with anyio.fail_after(40):
        await notebook.append_cell("1")
    assert len(proxy.asked) > before


async def test_a_proxy_leads_to_a_server_without_tls(
    front: Front, lab: RunningServer, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with forward_proxy(places(front)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        async with connect(f"http://{HOST}/jupyter/", token=lab.token) as server:
            await works(server, f"{folder}/n.ipynb", proxy)
    assert f"GET http://{HOST}/jupyter/api/status HTTP/1.1" in proxy.asked
    assert proxy.asked.count(f"CONNECT {HOST}:80 HTTP/1.1") >= 3


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_a_proxy_with_a_password_leads_to_a_server_with_tls_and_sees_no_token(
    variable: str,
    front: Front,
    lab: RunningServer,
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with forward_proxy(places(front), "ada:s3cret-@-proxy") as proxy:
        monkeypatch.setenv(variable, f"http://{USER}@127.0.0.1:{proxy.port}")
        async with connect(f"https://{HOST}/", token=lab.token, verify=front.ca) as server:
            await works(server, f"{folder}/n.ipynb", proxy)
    assert set(proxy.asked) == {f"CONNECT {HOST}:443 HTTP/1.1"}
    assert lab.token.encode() not in proxy.heard


@pytest.mark.parametrize(("scheme", "variable"), [("http", "HTTP_PROXY"), ("https", "HTTPS_PROXY")])
async def test_a_proxy_that_refuses_says_what_it_wants(
    scheme: str, variable: str, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with forward_proxy(places(front), "ada:s3cret-@-proxy") as proxy:
        for user in ("", "ada:wrong-s3cret@"):
            monkeypatch.setenv(variable, f"http://{user}127.0.0.1:{proxy.port}")
            with anyio.fail_after(5), pytest.raises(ProxyError) as caught:
                async with connect(f"{scheme}://{HOST}/", token="any", verify=front.ca):
                    pass
            assert f"The HTTP proxy http://127.0.0.1:{proxy.port} does not" in str(caught.value)
            assert "(HTTP 407): it wants a user name and a password" in str(caught.value)
            assert "s3cret" not in f"{caught.value} {vars(caught.value)}"


async def test_a_host_that_a_proxy_does_not_let_through_is_named(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with forward_proxy({}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(ProxyError, match=r"\(HTTP 403\): have it let the host through, or"):
            async with connect(f"https://{HOST}/", token="any", verify=front.ca):
                pass
    with pytest.raises(ServerUnreachableError, match=f"through the HTTP proxy {proxy.url}"):
        async with connect(f"https://{HOST}/", token="any", verify=front.ca):
            pass
    async with forward_proxy({f"{HOST}:443": 9}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(ServerUnreachableError, match="502") as caught:
            async with connect(f"https://{HOST}/", token="any", verify=front.ca):
                pass
        assert caught.value.retryable


async def test_this_machine_is_never_asked_through_a_proxy(
    lab: RunningServer, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES[:3]:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with connect(lab.url, token=lab.token) as server:
        await server.open_notebook(f"{folder}/n.ipynb", create=True)


def test_hosts_and_networks_are_excepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,example.org,.example.net, 10.0.0.0/8,fd00::/8")
    for host in ("example.org", "a.example.org", "a.example.net", "10.1.2.3", "[fd00::1]:8888"):
        assert proxy_for(f"https://{host}/") is None
    for host in ("example.com", "11.0.0.1", "[fe00::1]"):
        proxy = proxy_for(f"http://{host}/")
        assert proxy is not None
        assert (proxy.url, proxy.shown) == ("http://proxy:3128", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "*")
    assert proxy_for("https://example.com/") is None


@pytest.mark.parametrize(
    "url",
    [
        "socks5://u:s3cret@proxy:1080",
        "http://",
        "http://u:s3cret@:1",
        "http://u:s3cret@proxy:99999",
        "http://s3cret@proxy:3128",
        "http://u:s3cret@proxy:3128/path",
        "http://u:s3cret@proxy:3128?key=s3cret",
        "http://u:s3cret%ff@proxy:3128",
    ],
)
async def test_what_is_no_http_proxy_is_refused_without_its_password(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", url)
    with pytest.raises(ConfigurationError, match=r"ALL_PROXY: .* is no HTTP proxy") as caught:
        async with connect("https://jupyter.example/", token="any"):
            pass
    assert re.search("s3cret|u:", f"{caught.value}{vars(caught.value)}") is None
    assert caught.value.__cause__ is None
