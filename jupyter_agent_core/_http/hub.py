# SPDX-License-Identifier: BSD-3-Clause
"""The REST API of JupyterHub, as far as users' servers go."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

import anyio
import attrs
import httpx

from .._connect_errors import AuthenticationError, ServerUnreachableError
from .._errors import RequestError
from .._hub_errors import HubUserNotFoundError, NotAJupyterHubError
from .addresses import base_url
from .auth import Auth, combined
from .transport import CONNECT_TIMEOUT, PROBE_TIMEOUT, REQUEST_TIMEOUT, Transport, json_object

_log = logging.getLogger(__name__)


# pages of the Hub that are followed by a user, and the name of his server or a page of it
_USER_PAGES = ("user", "spawn", "spawn-pending")


@attrs.frozen
class HubAddress:
    """What a URL that was copied from a browser may say of a Hub.

    Attributes:
        url: Where the Hub may be.
        user: The user whose server it shows, None if it shows none.
        below: The first name below the user, which may be that of a server.
    """

    url: str
    user: str | None = None
    below: str = ""


def hub_addresses(url: str) -> list[HubAddress]:
    """Return what a URL may mean: a Hub, one of its pages, or a server on it.

    Raises:
        ConfigurationError: It cannot be a URL.
    """
    whole = base_url(url.partition("#")[0].partition("?")[0])
    parts = urlsplit(whole)
    names = [unquote(name) for name in parts.path.split("/") if name]
    addresses = []
    for index, name in enumerate(names):
        root = f"{parts.scheme}://{parts.netloc}/" + "".join(f"{n}/" for n in names[:index])
        page, *below = (*names[index + 1 :], "")
        if name == "hub" and page not in _USER_PAGES:
            addresses.append(HubAddress(root))
        elif name in ("hub", "user"):
            user, first = (*(below if name == "hub" else (page, *below)), "", "")[:2]
            addresses.append(HubAddress(root, user or None, first))
    return [*addresses, HubAddress(whole)]


@attrs.frozen
class TokenOwner:
    """Whose a token is, and what it may do.

    Attributes:
        name: The user or the service.
        is_user: It is a user.
        scopes: What it may do; None where the Hub does not tell (before 2.0).
    """

    name: str
    is_user: bool
    scopes: frozenset[str] | None

    def may_use(self, user: str, server_name: str) -> bool:
        """Say whether the token opens a server, which knows of no groups."""
        limits = self._limits("access:servers")
        return limits is None or not limits.isdisjoint(_limits_for(user, server_name))

    def may_read(self, user: str, server_name: str) -> bool:
        """Say whether the Hub tells the token how a server is."""
        return self._may("read:servers", user, server_name)

    def may_start(self, user: str, server_name: str) -> bool:
        """Say whether the token starts a server, and sees how far that is."""
        # `start:servers` is part of `servers` since JupyterHub 6
        starts = [self._may(scope, user, server_name) for scope in ("start:servers", "servers")]
        return any(starts) and self.may_read(user, server_name)

    def _may(self, scope: str, user: str, server_name: str) -> bool:
        """Say whether the token has a scope; one for a group is taken to be for this user."""
        limits = self._limits(scope)
        if limits is None or any(limit.startswith("group=") for limit in limits):
            return True
        return not limits.isdisjoint(_limits_for(user, server_name))

    def _limits(self, scope: str) -> set[str] | None:
        """What a scope of the token is limited to, `""` for nothing; None if that is not known."""
        if self.scopes is None:
            return None
        held = (one.partition("!") for one in self.scopes)
        return {limit for name, _, limit in held if name == scope}


def _limits_for(user: str, server_name: str) -> tuple[str, ...]:
    """The limits of scopes that include a server."""
    return "", f"user={user}", f"server={user}/{server_name}"


@attrs.frozen
class ServerState:
    """What the Hub says of a user's server.

    Attributes:
        ready: It can be used.
        pending: What the Hub is doing with it (`spawn`, `stop`), None if nothing.
        url: Its base URL, None if the Hub does not say.
    """

    ready: bool = False
    pending: str | None = None
    url: str | None = None


class Hub(Transport):
    """The REST API of one JupyterHub, with one token."""

    async def check(self) -> None:
        """Refuse what is no Hub.

        Raises:
            NotAJupyterHubError
        """
        response = await self.request("GET", "hub/api")
        version = json_object(response).get("version")
        if response.status_code != 200 or not isinstance(version, str):
            reason = f"GET hub/api answers HTTP {response.status_code}"
            raise NotAJupyterHubError(self.url, reason)

    async def owner(self) -> TokenOwner:
        """Return whose the token is.

        Raises:
            AuthenticationError: The Hub does not accept it.
        """
        model = self._json(await self.request("GET", "hub/api/user"))
        scopes = model.get("scopes")
        return TokenOwner(
            name=str(model.get("name", "")),
            is_user=model.get("kind", "user") == "user",
            scopes=None if scopes is None else frozenset(scopes),
        )

    async def servers(self, user: str) -> Mapping[str, ServerState]:
        """Return a user's servers by name; one that was never started may be missing.

        Raises:
            HubUserNotFoundError
        """
        params = {"include_stopped_servers": "1"}
        response = await self.request("GET", _user_path(user), params=params)
        if response.status_code == 404:
            raise HubUserNotFoundError(self.url, user)
        models: Mapping[str, Mapping[str, Any]] = self._json(response).get("servers") or {}
        return {
            name: ServerState(
                ready=bool(model.get("ready")),
                pending=model.get("pending"),
                url=urljoin(self.url, model["url"]) if model.get("url") else None,
            )
            for name, model in models.items()
        }

    async def start(
        self, user: str, server_name: str, options: Mapping[str, Any] | None, timeout: float
    ) -> httpx.Response:
        """Ask for the start of a server; any answer is one."""
        body = dict(options) if options is not None else None
        path = _server_path(user, server_name)
        return await self.request("POST", path, json=body, timeout=timeout)

    async def events(self, user: str, server_name: str) -> AsyncGenerator[Mapping[str, Any]]:
        """Yield what the Hub tells while it starts a server, until it tells no more.

        A connection that breaks ends it, too: how the server is can be asked.
        """
        path = f"{_server_path(user, server_name)}/progress"
        headers = combined(self._headers, await self.auth.headers())
        # it sends empty lines at least every 8 s
        limits = httpx.Timeout(REQUEST_TIMEOUT, connect=CONNECT_TIMEOUT)
        try:
            async with self._http.stream("GET", path, headers=headers, timeout=limits) as response:
                if response.status_code != 200:
                    return
                async for line in response.aiter_lines():
                    field, _, data = line.partition(":")
                    if field == "data":
                        yield json.loads(data)
        except (httpx.TransportError, ValueError) as error:  # a last line may be cut off
            _log.info("JupyterHub at %s tells no more: %r", self.url, error)

    def url_of(self, user: str, server_name: str) -> str:
        """Return the base URL that a server has on most Hubs."""
        name = f"{_quoted(server_name)}/" if server_name else ""
        return f"{self.url}user/{_quoted(user)}/{name}"

    def _json(self, response: httpx.Response) -> dict[str, Any]:
        if response.status_code in (401, 403):
            fix = f"make one at {self.url}hub/token, and pass it as token=… or in JUPYTER_TOKEN"
            raise AuthenticationError(self.url, response.status_code, self.auth.refusal, fix)
        if response.status_code != 200:
            path = response.request.url.path
            raise RequestError("GET", path, response.status_code, reason_of(response))
        return json_object(response)


@asynccontextmanager
async def found_hub(
    url: str, auth: Auth, **options: Any
) -> AsyncIterator[tuple[Hub, HubAddress, TokenOwner]]:
    """Find the Hub that a URL means, and whose the token is.

    Args:
        url: The Hub, one of its pages, or a server on it, as a browser shows it.
        auth: The credentials.
        options: Further ones of `Transport`.

    Raises:
        ConfigurationError: It cannot be a URL.
        NotAJupyterHubError: No Hub is there.
        AuthenticationError, ServerUnreachableError
    """
    async with AsyncExitStack() as stack:
        addresses = hub_addresses(url)
        await auth.headers()  # which may take its own time
        try:
            with anyio.fail_after(PROBE_TIMEOUT):
                for address in addresses:
                    hub = await stack.enter_async_context(Hub(address.url, auth, **options))
                    try:
                        await hub.check()
                        break
                    except NotAJupyterHubError:
                        if address is addresses[-1]:
                            raise
                owner = await hub.owner()
        except TimeoutError as error:
            reason = f"no answer within {PROBE_TIMEOUT:g} s"
            raise ServerUnreachableError(addresses[-1].url, reason) from error
        yield hub, address, owner


def reason_of(response: httpx.Response) -> str:
    """Return what the Hub says of a request that it refuses."""
    return str(json_object(response).get("message") or response.reason_phrase)


def _quoted(name: str) -> str:
    return quote(name, safe="@~")


def _user_path(user: str) -> str:
    return f"hub/api/users/{_quoted(user)}"


def _server_path(user: str, server_name: str) -> str:
    return f"{_user_path(user)}/" + (f"servers/{_quoted(server_name)}" if server_name else "server")
