# SPDX-License-Identifier: BSD-3-Clause
"""Which server is meant, and with which credentials, by what the caller or this machine says."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs

from .._errors import ConfigurationError
from .._http.addresses import Address
from .._http.auth import Auth, CalledForToken, OwnAuth, Token, TokenFile, TokenFunction
from .._http.datalayer import DatalayerRest
from .._http.login import Password
from .._http.reaching import Opened, reached
from .._http.rest import JupyterRest
from .._values import Provider, ServerInfo

AnyAuth = Auth | Password | TokenFunction


@attrs.frozen
class Place:
    """A server as the caller names it.

    Attributes:
        url: Its URL, None if none is given.
        token: Its API token.
        auth: Other credentials.
        argument: What the argument for the token is called.
        provider: What kind of service it is.
    """

    url: str | None
    token: str | None = attrs.field(repr=False)
    auth: AnyAuth | None = attrs.field(repr=False)
    argument: str = "token"
    provider: Provider = "jupyter"

    async def resolved(self) -> Place:
        """Look up what is not named in the environment, and `"auto"` on this machine.

        Raises:
            ConfigurationError, NoRunningServerError
        """
        url, token = self.url, self.token
        if url is None:
            url = os.environ.get("JUPYTER_URL")
            token = token or (os.environ.get("JUPYTER_TOKEN") if self.auth is None else None)
        if url is None:
            raise ConfigurationError(
                "No server is named: pass a URL or set JUPYTER_URL; "
                'url="auto" finds the running server that holds the working directory, '
                "hub_url the server of a user on a JupyterHub, "
                "and jupyter_agent_core.launch() starts a private one",
                name="url",
            )
        if url == "auto":
            from .._http.discovery import find_server

            found = await find_server(os.getcwd())
            url, token = found.url, found.token if self.auth is None else None
        return attrs.evolve(self, url=url, token=token)

    def credentials(self, address: Address | None = None) -> Auth | Password:
        """Return the one kind of credentials that is given.

        Args:
            address: The URL, taken apart, which may carry a token.

        Raises:
            ConfigurationError: There are several.
        """
        in_url = None if address is None else address.token
        given = {
            f"a token in {self.argument}=…": self.token,
            "a token in the URL": in_url if in_url != self.token else None,
            f"{self.argument.removesuffix('token')}auth=…": self.auth,
        }
        kinds = [kind for kind, value in given.items() if value not in (None, "")]
        if len(kinds) > 1:
            raise ConfigurationError(
                f"There are two kinds of credentials: {' and '.join(kinds)}; leave out one",
                name=self.argument,
            )
        auth = self.auth
        if auth is None:
            auth = Token(self.token or in_url)
        if isinstance(auth, Token):
            return attrs.evolve(auth, argument=self.argument)
        if isinstance(auth, Password | TokenFile):
            return auth
        return OwnAuth(auth) if isinstance(auth, Auth) else CalledForToken(auth)

    @asynccontextmanager
    async def reached(
        self,
        at: Address,
        credentials: Auth | Password,
        opened: Opened,
        options: Mapping[str, Any],
    ) -> AsyncIterator[tuple[JupyterRest, ServerInfo]]:
        """Find the service.

        Args:
            at: Its URL, taken apart.
            credentials: As `credentials` has them.
            opened: Makes a client of a Jupyter server for a base URL and credentials.
            options: How any client reaches its server.

        Yields:
            A client for it, and what it is.

        Raises:
            ConfigurationError, ConnectError
        """
        if self.provider == "datalayer":
            async with DatalayerRest(at.bases[-1], credentials, **options) as datalayer:
                yield datalayer, await datalayer.probe()
            return
        async with reached(at, credentials, opened) as found:
            yield found
