# SPDX-License-Identifier: BSD-3-Clause
"""What URLs and scopes of a JupyterHub mean, without one."""

import pytest

from jupyter_agent_core import ConfigurationError
from jupyter_agent_core._http.hub import HubAddress, TokenOwner, hub_addresses

H = "https://h"


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        (H, [HubAddress(f"{H}/")]),
        (f"{H}/pre/", [HubAddress(f"{H}/pre/")]),
        (f"{H}/hub/home?x=1#y", [HubAddress(f"{H}/"), HubAddress(f"{H}/hub/home/")]),
        # the Hub may itself be below a prefix of that name
        (
            f"{H}/hub/hub",
            [HubAddress(f"{H}/"), HubAddress(f"{H}/hub/"), HubAddress(f"{H}/hub/hub/")],
        ),
        (
            f"{H}/pre/user/ada%40x/lab?token=secret",
            [HubAddress(f"{H}/pre/", "ada@x", "lab"), HubAddress(f"{H}/pre/user/ada%40x/lab/")],
        ),
        (f"{H}/user/ada", [HubAddress(f"{H}/", "ada"), HubAddress(f"{H}/user/ada/")]),
        (f"{H}/user/", [HubAddress(f"{H}/"), HubAddress(f"{H}/user/")]),
    ],
)
def test_a_url_means_a_hub_a_page_of_it_or_a_server(url: str, meant: list[HubAddress]) -> None:
    assert hub_addresses(url) == meant


@pytest.mark.parametrize("url", ["hub", "ftp://h", "https://", "https://ada:secret@h/hub"])
def test_what_is_no_url_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        hub_addresses(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        (None, "use read start"),  # a Hub that does not tell
        ([], ""),
        (["access:servers"], "use"),
        (["access:servers!user=ada"], "use"),
        (["access:servers!server=ada/gpu"], "use"),
        (["access:servers!server=ada/", "access:servers!user=bob"], ""),
        (["access:servers!group=g"], ""),  # a server does not ask for groups
        (["read:servers!user=ada"], "read"),
        (["start:servers!user=ada"], ""),  # it could not see how far it is
        (["start:servers!user=ada", "read:servers!user=ada"], "read start"),
        (["servers!group=g", "read:servers!group=g"], "read start"),
    ],
)
def test_scopes_are_for_all_servers_or_for_those_that_they_name(
    scopes: list[str] | None, may: str
) -> None:
    owner = TokenOwner("ada", True, None if scopes is None else frozenset(scopes))
    granted = {
        "use": owner.may_use("ada", "gpu"),
        "read": owner.may_read("ada", "gpu"),
        "start": owner.may_start("ada", "gpu"),
    }
    assert [name for name, is_granted in granted.items() if is_granted] == may.split()
