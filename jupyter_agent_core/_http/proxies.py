# SPDX-License-Identifier: BSD-3-Clause
"""The HTTP proxy on the way to a server, by the environment's word: one for all that is sent."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import attrs
import httpx

from .._errors import ConfigurationError
from .addresses import is_loopback


@attrs.frozen
class Proxy:
    """An HTTP proxy.

    Attributes:
        url: Its URL, with user name and password if it has them.
        shown: Its URL without them.
    """

    url: str = attrs.field(repr=False)
    shown: str


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy on the way to a URL, None if it is reached directly.

    `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say it, or the settings of the system.
    This machine is never asked through a proxy: that is not to see its tokens.

    Raises:
        ConfigurationError: The proxy is of a kind that cannot be used.
    """
    parts = urlsplit(url)
    if is_loopback(url) or proxy_bypass(parts.netloc) or _is_excepted(parts.hostname or ""):
        return None
    proxies = getproxies()
    name = next((name for name in (parts.scheme, "all") if proxies.get(name)), None)
    return _proxy(proxies[name], f"{name.upper()}_PROXY") if name is not None else None


def _proxy(url: str, variable: str) -> Proxy:
    try:
        address = httpx.URL(url if "://" in url else f"http://{url}")
    except httpx.InvalidURL:
        address = httpx.URL()
    shown = str(address.copy_with(userinfo=b"")) if address.host else "what it says"
    if address.scheme not in ("http", "https") or not address.host:
        raise ConfigurationError(
            f"{variable}: {shown} is no HTTP proxy, which looks like http://proxy:3128; NO_PROXY "
            "names the hosts that are reached without one",
            name=variable,
        )
    return Proxy(str(address), shown)


def _is_excepted(host: str) -> bool:
    """Say whether `NO_PROXY` has the network of an address, which Python does not look at."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    for entry in getproxies().get("no", "").split(","):
        try:
            if address in ip_network(entry.strip(), strict=False):
                return True
        except ValueError:
            continue  # a name
    return False
