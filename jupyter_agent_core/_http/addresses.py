# SPDX-License-Identifier: BSD-3-Clause
"""URLs of servers and paths below their roots, each in its one spelling."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

import attrs
import httpx

from .._errors import ConfigurationError

PAGES = frozenset(
    ("lab", "tree", "notebooks", "doc", "edit", "consoles", "terminals", "nbclassic", "login")
)
"""What the part of a browser's URL begins with that is not the server's base URL."""


@attrs.frozen
class Address:
    """A server's URL as people have it, taken apart.

    Attributes:
        bases: What its base URL may be, the likely one first: a prefix may be called as a page is.
        token: The token that it carries.
    """

    bases: tuple[str, ...]
    token: str | None = attrs.field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The likely base URL."""
        return self.bases[0]


def address(url: str) -> Address:
    """Take apart a base URL, or the URL of a page of a server as a browser shows it.

    Raises:
        ConfigurationError: It is neither; what may be secret in it is not repeated in the error.
    """
    parts = _split(url)
    whole = parts._replace(query="", fragment="").geturl().rstrip("/") + "/"
    segments = parts.path.split("/")
    pages = [index for index, segment in enumerate(segments) if segment in PAGES]
    query = parse_qs(parts.query, keep_blank_values=True)
    if not pages and (parts.fragment or query.keys() - {"token"}):
        raise ConfigurationError(
            "The URL carries more than an address: pass the part before '?' or '#'", name="url"
        )
    bases = [parts._replace(path="/".join(segments[:i]), query="", fragment="") for i in pages]
    tokens = query.get("token", [None])
    return Address((*(base.geturl() + "/" for base in bases), whole), tokens[-1] or None)


def base_url(url: str) -> str:
    """Return a server's base URL with one slash at its end.

    Raises:
        ConfigurationError: It has no http(s) scheme or no host, or carries a query, a
            fragment or credentials; those are not repeated in the error.
    """
    parts = _split(url)
    if parts.query or parts.fragment:
        raise ConfigurationError(
            "The URL carries more than an address: pass the part before '?' or '#'", name="url"
        )
    return url.rstrip("/") + "/"


def _split(url: str) -> SplitResult:
    try:
        parts, host = urlsplit(url), httpx.URL(url).host
        parts.port  # noqa: B018 (which may be no port)
    except (ValueError, httpx.InvalidURL):
        host = ""
    if not host or parts.scheme not in ("http", "https"):
        shown = url.partition("?")[0].partition("#")[0].rpartition("@")[2]
        raise ConfigurationError(
            f"{shown!r} is not a server's URL: it looks like http://localhost:8888", name="url"
        )
    if "@" in parts.netloc:
        raise ConfigurationError(
            "The URL carries a user name or password: pass the part after the '@', and for a "
            'proxy that asks for them headers={"Authorization": "Basic …"}',
            name="url",
        )
    return parts


def is_loopback(url: str) -> bool:
    """Say whether a URL means this machine."""
    host = httpx.URL(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def quoted(path: str) -> str:
    """Return a path below the server's root as a URL has it."""
    return quote(checked_path(path))


def checked_path(path: str) -> str:
    """Return a path below the server's root in its one spelling, without slashes around it.

    Raises:
        ConfigurationError: It has a part that is empty, `.` or `..`, so that it could leave the
            root, or be a second name of a file that is open.
    """
    path = path.strip("/")
    if path and any(part in ("", ".", "..") for part in path.split("/")):
        raise ConfigurationError(
            f"{path!r} is no path below the server's root: write it without '.', '..' and '//'",
            name="path",
            value=path,
        )
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(
            f"{path!a} holds half a character (a lone surrogate), which no URL can name",
            name="path",
            value=path,
        ) from None
    return path
