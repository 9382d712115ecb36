# SPDX-License-Identifier: BSD-3-Clause
"""A user's server on a JupyterHub: found, started, and started again."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio
import attrs

from .._errors import ConfigurationError
from .._hub_errors import (
    HubLimitError,
    HubPermissionError,
    HubSpawnError,
    HubSpawnTimeoutError,
    HubUserNotFoundError,
)
from .._hub_values import HubServer, StartProgress
from .addresses import PAGES
from .auth import Auth
from .hub import Hub, ServerState, TokenOwner, found_hub, reason_of

_log = logging.getLogger(__name__)

START_TIMEOUT = 300.0
# the Hub tells of no end of a server that stops, it can only be asked
POLL_INTERVAL = 0.5
# how long a Hub is left alone that is busy and does not say for how long
RETRY_AFTER = 10.0

OnProgress = Callable[[StartProgress], object]


@attrs.frozen
class ServerWish:
    """Which server is wanted, and how it is started.

    Attributes:
        user: Whose it is; None for the owner of the token.
        server_name: Its name; empty for the default server.
        user_options: What its spawner is to be given; None for what it was given the last time.
        timeout: Seconds within which it has to be ready.
        on_progress: Is told how far the Hub is with starting it.
    """

    user: str | None = None
    server_name: str = ""
    user_options: Mapping[str, Any] | None = None
    timeout: float = START_TIMEOUT
    on_progress: OnProgress | None = None


class UserServer:
    """One server of one user, and the Hub that starts it.

    Args:
        hub: The Hub.
        owner: Whose the token is.
        user: Whose the server is.
        server_name: Its name; empty for the default server.
        wish: How it is started.
    """

    def __init__(
        self, hub: Hub, owner: TokenOwner, user: str, server_name: str, wish: ServerWish
    ) -> None:
        self._hub = hub
        self._owner = owner
        self._wish = wish
        self._told = StartProgress(0, "nothing")
        self.value: HubServer = HubServer(
            hub_url=hub.url,
            user=user,
            server_name=server_name,
            url=hub.url_of(user, server_name),
            can_start=owner.may_start(user, server_name),
        )

    @property
    def how_to_start(self) -> str:
        """Say what to do when the server does not run."""
        if self.value.can_start:
            return "Server.start_again() starts it, and so does the tool use_notebook"
        scope = f"servers!user={self.value.user}"
        return f"start it at {self._hub.url}hub/home, as the token lacks the scope {scope} for that"

    def check_access(self) -> None:
        """Refuse a token that could start the server, but not use it.

        Raises:
            HubPermissionError
        """
        if not self._owner.may_use(self.value.user, self.value.server_name):
            raise self._not_permitted("use", "access:servers")

    def _not_permitted(self, action: str, scope: str) -> HubPermissionError:
        user, name = self.value.user, self._owner.name
        action = f"{action} the server {self.value}"
        return HubPermissionError(self._hub.url, name, action, [f"{scope}!user={user}"])

    async def ensure_running(self, timeout: float | None = None) -> bool:
        """Start the server if it does not run, and wait until it can be used.

        Args:
            timeout: Seconds within which it has to be ready; None for those of the wish.

        Returns:
            Whether it was ready at once; one that the token may not look at is taken to be.

        Raises:
            HubPermissionError, HubUserNotFoundError
            HubSpawnError, HubSpawnTimeoutError, HubLimitError
            ServerUnreachableError
        """
        if not self._owner.may_read(self.value.user, self.value.server_name):
            return True
        timeout = self._wish.timeout if timeout is None else timeout
        with anyio.move_on_after(timeout):
            return await self._ensured()
        raise HubSpawnTimeoutError(self._hub.url, str(self.value), timeout, self._told.message)

    async def start_again(self, timeout: float | None = None) -> bool:
        """Do the same for a server that is known to have run.

        Raises:
            HubPermissionError: The token may not even look at it; and as `ensure_running`.
        """
        if not self._owner.may_read(self.value.user, self.value.server_name):
            raise self._not_permitted("start", "servers")
        return await self.ensure_running(timeout)

    async def _ensured(self) -> bool:
        first, asked = True, False
        while True:
            state = await self._state()
            if state.ready:
                self.value = attrs.evolve(self.value, url=state.url or self.value.url)
                return first
            first = False
            if state.pending == "spawn":
                if not await self._follow():
                    await anyio.sleep(POLL_INTERVAL)
            elif state.pending is not None:
                self._tell(0, f"waiting, as the Hub is about to {state.pending} it")
                await anyio.sleep(POLL_INTERVAL)
            elif asked:
                raise self._failed("it ended before it was ready")
            else:
                asked = await self._start()

    async def _state(self) -> ServerState:
        servers = await self._hub.servers(self.value.user)
        return servers.get(self.value.server_name, ServerState())

    async def _start(self) -> bool:
        """Ask for the start; False if the Hub wants to be asked again."""
        user, name = self.value.user, self.value.server_name
        if not self.value.can_start:
            raise self._not_permitted("start", "servers")
        self._tell(0, "JupyterHub is asked to start it")
        response = await self._hub.start(user, name, self._wish.user_options, self._wish.timeout)
        match response.status_code:
            case 201 | 202:
                await self._follow()
                return True
            case 403:
                raise self._not_permitted("start", "servers")
            case 404:
                raise HubUserNotFoundError(self._hub.url, user)
            case 429:
                reason = reason_of(response)
                if (after := response.headers.get("retry-after")) is None:
                    raise HubLimitError(self._hub.url, str(self.value), reason)
                self._tell(0, reason)
                await anyio.sleep(_seconds(after))
                return False
        # where the start has failed at once, the answer does not say why
        await self._follow()
        state = await self._state()
        if state.ready or state.pending is not None:  # others were faster, or it is ending
            return False
        raise self._failed(reason_of(response))

    async def _follow(self) -> bool:
        """Listen to the Hub until it says that the server is ready; False if it stops before.

        Raises:
            HubSpawnError: It says that the start has failed.
        """
        user, name = self.value.user, self.value.server_name
        async with aclosing(self._hub.events(user, name)) as events:
            async for event in events:
                message = str(event.get("message", ""))
                self._tell(event.get("progress") or 0, message)
                if event.get("failed"):
                    raise self._failed(message)
                if event.get("ready"):
                    return True
        return False

    def _tell(self, percent: float, message: str) -> None:
        progress = StartProgress(round(percent), message)
        if progress == self._told:
            return
        self._told = progress
        _log.info("JupyterHub, server %s: %d %%: %s", self.value, progress.percent, message)
        if self._wish.on_progress is not None:
            self._wish.on_progress(progress)

    def _failed(self, reason: str) -> HubSpawnError:
        return HubSpawnError(self._hub.url, str(self.value), reason)


@asynccontextmanager
async def found_user_server(
    url: str, auth: Auth, wish: ServerWish, **options: Any
) -> AsyncIterator[UserServer]:
    """Find the Hub and the user that are meant; nothing is started yet.

    Args:
        url: The Hub, one of its pages, or the server, as a browser shows it.
        auth: The credentials.
        wish: Which server is wanted.
        options: Further ones of `Transport`.

    Raises:
        ConfigurationError: The URL cannot be one, or the user has to be named.
        HubPermissionError: The token may not use the server.
        NotAJupyterHubError, AuthenticationError, ServerUnreachableError
    """
    async with found_hub(url, auth, **options) as (hub, address, owner):
        user = wish.user or address.user or (owner.name if owner.is_user else None)
        if user is None:
            raise ConfigurationError(
                f"The token belongs to the service {owner.name!r} of the Hub, which has no server "
                "of its own: name the user, user=…",
                name="user",
            )
        server_name = wish.server_name
        if not server_name and user == address.user and address.below:
            # the first name below the user may be a server's, or a page's of the default one
            if owner.may_read(user, address.below):
                is_server = address.below in await hub.servers(user)
            else:
                is_server = address.below not in PAGES
            server_name = address.below if is_server else ""
        server = UserServer(hub, owner, user, server_name, wish)
        server.check_access()
        yield server


def _seconds(retry_after: str) -> float:
    """Read the header `Retry-After`; a date is as good as nothing."""
    try:
        return float(retry_after)
    except ValueError:
        return RETRY_AFTER
