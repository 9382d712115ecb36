# SPDX-License-Identifier: BSD-3-Clause
"""URLs as people have them: pasted from a browser, with a token, a page and a prefix."""

from collections.abc import Iterator

import pytest
from servers import Proxy, RunningServer, jupyter_server

from jupyter_agent_core import ConfigurationError, connect
from jupyter_agent_core._http.addresses import address, base_url

PAGES = [
    "lab",
    "lab/",
    "lab/tree/a.ipynb",
    "lab/tree/a b%2F%C3%A9?#x.ipynb#Heading",
    "lab/workspaces/auto-x/tree/lab/a.ipynb",
    "lab?reset",
    "doc/tree/a.ipynb",
    "doc/workspaces/auto-x",
    "tree",
    "tree/data?factory=Notebook",
    "notebooks/a.ipynb#Heading",
    "edit/a.py",
    "consoles/1",
    "terminals/1",
    "nbclassic/notebooks/a.ipynb",
    "login?next=%2Flab%3F",
]
BASES = ["http://localhost:8888/", "https://h/user/ada/", "https://h/é b/"]
PREFIX = "/user/ada@example.org"


@pytest.mark.parametrize(
    "base", ["http://localhost:8888/", "https://h/user/ada/", "https://h/é b/"]
)
@pytest.mark.parametrize("page", PAGES)
def test_the_url_of_a_page_is_taken_apart(page: str, base: str) -> None:
    found = address(base + page)
    assert (found.url, found.token) == (base, None)
    page, fragment, heading = page.partition("#")
    query = "&" if "?" in page else "?"
    found = address(f"{base}{page}{query}token=t%2B1{fragment}{heading}")
    assert (found.url, found.token) == (base, "t+1")


@pytest.mark.parametrize("url", ["http://h:8888", "http://h:8888/", "http://h/laboratory/trees"])
def test_a_base_url_gets_one_slash(url: str) -> None:
    assert address(url).bases == (url.rstrip("/") + "/",)
    assert address(f"{url}?token=").token is None
    assert address(f"{url}?token=t").token == "t"


def test_a_prefix_that_is_called_as_a_page_is_thought_of() -> None:
    bases = ("http://h/", "http://h/lab/", "http://h/lab/lab/", "http://h/lab/lab/tree/a.ipynb/")
    assert address("http://h/lab/lab/tree/a.ipynb").bases == bases


@pytest.mark.parametrize("more", ["?token=swordfish", "lab#swordfish"])
def test_a_base_url_carries_nothing_else(more: str) -> None:
    assert base_url("http://h/user/ada") == "http://h/user/ada/"
    with pytest.raises(ConfigurationError, match=r"before '\?' or '#'") as caught:
        base_url(f"http://h/{more}")
    assert caught.value.name == "url"
    assert "swordfish" not in str(caught.value)


@pytest.fixture(scope="module")
def prefixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with a base URL, as JupyterHub starts them."""
    folder = tmp_path_factory.mktemp("prefixed")
    with jupyter_server(folder, extensions={"jupyterlab": False}, prefix=PREFIX) as server:
        yield server


@pytest.mark.parametrize("page", ["", "lab", "lab/tree/a.ipynb", "notebooks/a.ipynb?reset"])
async def test_a_pasted_url_connects_with_its_token_in_the_header(
    page: str, prefixed: RunningServer
) -> None:
    async with Proxy.before(prefixed.port) as proxy:
        query = "&" if "?" in page else "?"
        url = f"{proxy.url}{PREFIX}/{page}{query}token={prefixed.token}#top"
        if not page:
            url = url.removesuffix("#top")
        async with connect(url) as server:
            assert server.url == f"{proxy.url}{PREFIX}/"
            assert server.token == prefixed.token
            await server.list_kernels()
        token = prefixed.token.encode()
        assert proxy.heard.count(token) == proxy.heard.count(b"uthorization: token " + token) > 1


async def test_a_pasted_url_without_a_token_takes_the_one_that_is_given(
    lab: RunningServer,
) -> None:
    for page in ("/lab", "/lab/tree/x.ipynb", "/tree"):
        async with connect(lab.url + page, token=lab.token) as server:
            assert server.url == f"{lab.url}/"
