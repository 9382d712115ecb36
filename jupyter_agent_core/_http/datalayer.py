# SPDX-License-Identifier: BSD-3-Clause
"""Datalayer's documents: where the room of one is, and how the service is asked.

As `get_datalayer_notebook_websocket_url` of `jupyter_nbmodel_client` does it, whose function
knows no certificates, proxies and renewed tokens of a caller's: a contract test holds the two
together.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from .._errors import ConfigurationError, NotebookNotFoundError, NotSyncedError
from .._values import Mode, ServerInfo
from .auth import Auth, refused
from .failures import moved
from .lacks import OF_DATALAYER, offers
from .login import Password
from .rest import JupyterRest, RoomAddress
from .tls import Verify
from .transport import json_object

DOCUMENTS = "api/spacer/v1/documents"
SESSION_TIMEOUT = 10.0
"""Seconds for which its own client waits, too."""


class Bearer(Auth):
    """A token in the words in which Datalayer wants it.

    Args:
        auth: Where it is from; what is no token is sent as it is.
    """

    advice = "make one on the page API keys of your account there, and pass it as token=…"

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self.refusal: str = auth.refusal

    async def headers(self) -> Mapping[str, str]:
        """Return the header with the token, if there is one."""
        headers = dict(await self._auth.headers())
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme == "token":
            headers["Authorization"] = f"Bearer {token}"
        return headers

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Get the token again.

        Args:
            refused: The headers that the service has refused.
        """
        headers = dict(refused)
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer":
            headers["Authorization"] = f"token {token}"
        return await self._auth.renew(headers)


class DatalayerRest(JupyterRest):
    """What there is at Datalayer: documents, each by its id.

    Args:
        url: Its URL.
        auth: The credentials.
        verify: How TLS certificates are checked.
        headers: Further headers.

    Raises:
        ConfigurationError: The URL cannot be one, or a password is given.
    """

    lacks = OF_DATALAYER

    def __init__(
        self,
        url: str,
        auth: Auth | Password,
        *,
        verify: Verify = True,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if isinstance(auth, Password):
            raise ConfigurationError(
                "Datalayer takes no password from programs: pass a token", name="auth"
            )
        super().__init__(url, Bearer(auth), verify=verify, headers=headers)

    async def probe(self) -> ServerInfo:
        """Say what is known of it; it is not asked before the first document."""
        return ServerInfo(self.url, "", "datalayer", lab=False, offers=offers(self.lacks))

    async def touch(self) -> None:
        """Do nothing: nobody stops it as an idle one."""

    async def room(self, path: str, mode: Mode) -> RoomAddress:
        """Return the address of the room of a document.

        Args:
            path: The id of the document.
            mode: There is one way only.

        Raises:
            NotebookNotFoundError, NotSyncedError, RequestError
            AuthenticationError, ServerMovedError, ServerUnreachableError
        """
        document = quote(path, safe="")
        asked = f"{DOCUMENTS}/{document}"
        response = await self.request("GET", asked, timeout=SESSION_TIMEOUT)
        elsewhere = moved(self.url, response, asked)
        if elsewhere is not None:
            raise elsewhere
        if response.status_code in (401, 403):
            challenge = response.headers.get("www-authenticate", "")
            raise refused(self.url, self.auth, response.status_code, challenge)
        if response.status_code == 404:
            raise NotebookNotFoundError(path)
        self._check(response)
        answer = json_object(response)
        session_id = answer.get("sessionId") if answer.get("success") else None
        if not session_id:
            reason = answer.get("message") or "it answers without a session: is it Datalayer?"
            raise NotSyncedError(path, str(reason))
        socket = self.websocket(f"{DOCUMENTS}/ws/{document}", sessionId=str(session_id))
        # which is not said to be that of its process, nor the document to have a file
        return RoomAddress(socket, session_id="", file_id="")
