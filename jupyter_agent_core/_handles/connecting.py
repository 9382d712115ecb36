# SPDX-License-Identifier: BSD-3-Clause
"""The two ways to get hold of a Jupyter server."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, get_args

import anyio
import attrs

from .._errors import ConfigurationError, JupyterAgentError
from .._http.addresses import address, base_url
from .._http.auth import Auth, Token
from .._http.hub_server import (
    START_TIMEOUT,
    OnProgress,
    ServerWish,
    UserServer,
    found_user_server,
)
from .._http.login import Password
from .._http.rest import JupyterRest
from .._http.tls import Verify
from .._values import Mode, Provider, ServerInfo
from .activity import stay_active
from .connections import Background, Connections
from .places import AnyAuth, Place
from .server import Server

DEFAULT_USERNAME = "Agent"


@asynccontextmanager
async def connect(
    url: str | None = None,
    *,
    token: str | None = None,
    runtime_url: str | None = None,
    runtime_token: str | None = None,
    hub_url: str | None = None,
    user: str | None = None,
    server_name: str = "",
    user_options: Mapping[str, Any] | None = None,
    start_timeout: float = START_TIMEOUT,
    on_progress: OnProgress | None = None,
    auth: AnyAuth | None = None,
    runtime_auth: AnyAuth | None = None,
    document_provider: Provider = "jupyter",
    verify: Verify = True,
    headers: Mapping[str, str] | None = None,
    username: str = DEFAULT_USERNAME,
) -> AsyncIterator[Server]:
    """Connect to a running Jupyter server, or to one for documents and another one for kernels.

    Args:
        url: Base URL or that of a page, with its token or without; `"auto"`: the running server
            that holds the working directory; default: `JUPYTER_URL` and `JUPYTER_TOKEN`.
        token: Its API token.
        runtime_url: The server that runs the kernels, if it is another one.
        runtime_token: The API token of that one.
        hub_url: A JupyterHub, or a page of it: a user's server there, started if need be, is
            meant where there is no `url`, and where there is one, in place of `runtime_url`.
        user: Whose server on the Hub; default: of the owner of the token.
        server_name: Which of them, if it is not the default one.
        user_options: How the Hub starts it; default: as the last time.
        start_timeout: Seconds within which it has to be ready.
        on_progress: Is told how far the Hub is with starting it.
        auth: In place of a token: a `Password`, `TokenFile`, function that returns a token
            (it may be async), or `Auth` of your own.
        runtime_auth: The same for the server that runs the kernels.
        document_provider: What kind of service `url` is: `"jupyter"`, or `"datalayer"`, whose
            notebooks are opened by the ids of their documents and run on `runtime_url`.
        verify: How TLS certificates are checked: True, False, a file of authorities, or a context.
        headers: Further headers for every request and websocket, to all servers.
        username: The name under which collaborators see this client.

    Yields:
        The server. At the end all is closed, and kernels of ours that nobody else uses end.

    Raises:
        ConfigurationError, ConnectError: Why the server cannot be reached, used or started.
    """
    documents = Place(url, token, auth, provider=_checked(document_provider, url))
    kernels = Place(runtime_url, runtime_token, runtime_auth, "runtime_token")
    wish = ServerWish(user, server_name, user_options, start_timeout, on_progress)
    at = partial(JupyterRest, verify=verify, headers=headers)
    async with _served(documents, kernels, hub_url, wish, at, username) as server:
        yield server


@asynccontextmanager
async def _served(
    documents: Place,
    kernels: Place,
    hub_url: str | None,
    wish: ServerWish,
    at: partial[JupyterRest],
    username: str,
) -> AsyncIterator[Server]:
    async with AsyncExitStack() as stack:
        hub: UserServer | None = None
        if hub_url is not None:
            on_hub = _on_hub(documents, kernels)
            hub = await stack.enter_async_context(_started(hub_url, on_hub, wish, at))
            place = attrs.evolve(on_hub, url=hub.value.url)
            documents, kernels = (place, kernels) if on_hub is documents else (documents, place)
        elif wish.user is not None or wish.server_name:
            raise ConfigurationError(
                "user and server_name are those of a server on a JupyterHub: pass hub_url, too",
                name="hub_url",
            )
        documents = await documents.resolved()
        opened, options = partial(_opened, at, hub), at.keywords
        where = address(str(documents.url))
        credentials = documents.credentials(where)
        rest, info = await stack.enter_async_context(
            documents.reached(where, credentials, opened, options)
        )
        other, kernel_info = rest, info
        there = where if kernels.url is None else address(kernels.url)
        if there.url not in (where.url, rest.url):
            other, kernel_info = await stack.enter_async_context(
                kernels.reached(there, kernels.credentials(there), opened, options)
            )
        token = credentials.value if isinstance(credentials, Token) else None
        servers = _Servers(rest, info, other, kernel_info.mode, hub)
        yield await stack.enter_async_context(_connected(servers, username, token))


def _opened(
    at: partial[JupyterRest], hub: UserServer | None, url: str, auth: Auth | Password
) -> JupyterRest:
    """Make a client, which knows what to do where JupyterHub has stopped the server."""
    rest = at(url, auth)
    if hub is not None and rest.url == base_url(hub.value.url):
        rest.how_to_start = hub.how_to_start
    return rest


def _on_hub(documents: Place, kernels: Place) -> Place:
    """The place that a server on a JupyterHub takes, which is the one without a URL.

    Raises:
        ConfigurationError: Both have one.
    """
    if documents.url is not None and kernels.url is not None:
        raise ConfigurationError(
            "hub_url, url and runtime_url are three servers: leave out url if documents are "
            "to be on the Hub's, or runtime_url if kernels are",
            name="hub_url",
        )
    return documents if documents.url is None else kernels


def _checked(provider: Provider, url: str | None) -> Provider:
    if provider not in get_args(Provider):
        raise ConfigurationError(
            f"{provider!r} is no kind of service for documents: there are "
            f"{', '.join(map(repr, get_args(Provider)))}",
            name="document_provider",
            value=provider,
        )
    if provider == "datalayer" and url in (None, "auto"):
        raise ConfigurationError(
            "Where Datalayer is cannot be found out here: pass its URL", name="url", value=url
        )
    return provider


@asynccontextmanager
async def _started(
    hub_url: str, place: Place, wish: ServerWish, at: partial[JupyterRest]
) -> AsyncIterator[UserServer]:
    """Find the server of a user on a JupyterHub, and start it if it does not run."""
    credentials = place.credentials()
    if isinstance(credentials, Password):
        raise ConfigurationError(
            f"A JupyterHub takes no password from programs: make a token at {hub_url}, on its "
            "page Token, and pass that",
            name="auth",
        )
    async with found_user_server(hub_url, credentials, wish, **at.keywords) as hub:
        await hub.ensure_running()
        yield hub


@asynccontextmanager
async def launch(
    root_dir: str | os.PathLike[str] = ".",
    *,
    join: bool = False,
    pass_env: Collection[str] = (),
    python: str = sys.executable,
    username: str = DEFAULT_USERNAME,
) -> AsyncIterator[Server]:
    """Start a private Jupyter server and connect to it. Needs the extra `local`.

    It listens on a free loopback port with a random token, touches nothing of the user's
    Jupyter configuration, and is gone when this process is gone, however that ends.

    Args:
        root_dir: The folder that it serves.
        join: If a running server already holds the folder, join that one instead.
        pass_env: Names of environment variables that its kernels may have although they
            look like secrets (`*TOKEN*`, `*SECRET*`, `*API_KEY*`, `*PASSWORD*`).
        python: The interpreter that runs it.
        username: The name under which collaborators see this client.

    Yields:
        The server.

    Raises:
        ServerAlreadyRunningError: A running server holds the folder, and `join` is False.
        ServerStartError, ExtraNotInstalledError
    """
    from .._http.private_server import private_server

    async with AsyncExitStack() as stack:
        found = await stack.enter_async_context(
            private_server(root_dir, join=join, pass_env=pass_env, python=python)
        )
        rest = await stack.enter_async_context(JupyterRest(found.url, Token(found.token)))
        info = await rest.probe()
        servers = _Servers(rest, info, rest, info.mode)
        yield await stack.enter_async_context(_connected(servers, username, found.token))


@attrs.frozen
class _Servers:
    """The servers that were found.

    Attributes:
        rest: That of the documents.
        info: What it says of itself.
        kernels: That of the kernels, perhaps the same.
        kernel_mode: How that one would keep notebooks in step.
        hub: What has started one of them.
    """

    rest: JupyterRest
    info: ServerInfo
    kernels: JupyterRest
    kernel_mode: Mode
    hub: UserServer | None = None

    def check(self) -> None:
        """Refuse servers that do not go together.

        Raises:
            ConfigurationError
        """
        if self.kernels is not self.rest and self.info.mode == "kernels":
            raise ConfigurationError(
                f"{self.info.url} cannot be the server of documents (it runs kernels only): pass "
                "it as runtime_url=…, and one with documents as url (jupyter-mcp-server: "
                "RUNTIME_URL and DOCUMENT_URL)",
                name="url",
                value=self.info.url,
            )
        if self.kernels is not self.rest and self.info.mode == "server-documents":
            raise ConfigurationError(
                f"{self.info.url} cannot have its notebooks run on another server (with "
                "jupyter-server-documents it runs them itself): leave out runtime_url "
                "(jupyter-mcp-server: RUNTIME_URL)",
                name="runtime_url",
                value=self.kernels.url,
            )

    def connections(self, background: Background, username: str) -> Connections:
        """Return what handles share."""
        both = {self.rest, self.kernels}
        connections = Connections(
            self.rest,
            self.info.mode,
            self.kernels,
            self.kernel_mode,
            self.hub,
            background,
            username,
        )
        background.start_soon(partial(stay_active, both, connections.runs))
        return connections


@asynccontextmanager
async def _connected(servers: _Servers, username: str, token: str | None) -> AsyncIterator[Server]:
    servers.check()
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        background = Background(group)
        server = Server(servers.connections(background, username), servers.info, token)
        try:
            yield server
        except Exception as error:  # noqa: BLE001 (whatever the caller's body raised)
            failure = error
        finally:
            try:
                await server.close()
            except JupyterAgentError as error:
                failure = failure or error
            finally:
                background.cancel()
    if failure is not None:
        # raised outside of the group, which would wrap it
        raise failure
