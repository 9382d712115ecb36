# SPDX-License-Identifier: BSD-3-Clause
"""The HTTP proxy on the way to a server, by the environment's word: one for all that is sent."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import attrs
import httpx
from websockets.exceptions import InvalidProxy
from websockets.proxy import parse_proxy

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
    """Take a URL that is one of a proxy for requests (httpx) and for websockets alike."""
    address, why = httpx.URL(), "is no HTTP proxy"
    try:
        address = httpx.URL(url if "://" in url else f"http://{url}")
        parse_proxy(str(address))
    except InvalidProxy as error:
        why += f" ({error.msg})"
    except (httpx.InvalidURL, ValueError):
        address = httpx.URL()
    else:
        if address.scheme in ("http", "https"):
            return Proxy(str(address), str(address.copy_with(userinfo=b"")))
    shown = str(address.copy_with(userinfo=b"", query=None)) if address.host else "what it says"
    raise ConfigurationError(
        f"{variable}: {shown} {why}, which looks like http://proxy:3128; NO_PROXY names the hosts "
        "that are reached without one",
        name=variable,
    )


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
