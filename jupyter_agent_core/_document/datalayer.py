# SPDX-License-Identifier: BSD-3-Clause
"""Rooms of Datalayer, where they differ from those of `jupyter-collaboration`.

A document is known by its id alone: there is no file, no path, and no message for saving.
"""

from __future__ import annotations

import logging
from typing import ClassVar

from websockets.asyncio.client import ClientConnection

from .._connect_errors import AuthenticationError
from .._errors import SaveError
from .._http.rest import RoomAddress
from .._http.websocket import open_websocket
from .._values import Mode
from .room import Room

log = logging.getLogger(__name__)


class DatalayerRoom(Room):
    """One document of Datalayer in step with its room."""

    mode: ClassVar[Mode] = "datalayer"
    #: the service takes the token of a websocket from its URL only
    _wants_token_in_url: bool = False

    @property
    def path(self) -> str:
        """Id of the document."""
        return self._path

    async def _open(self, address: RoomAddress) -> ClientConnection:
        """Open the websocket with the token in the header, or in the URL if only that will do."""
        if not self._wants_token_in_url:
            try:
                return await open_websocket(address.socket)
            except AuthenticationError as error:
                log.info("%s; once more with the token in the URL", error)
        socket = await open_websocket(await address.socket.with_token_in_url())
        self._wants_token_in_url = True
        return socket

    async def is_at(self, path: str) -> bool:
        """Say whether it may still be in step: what has an id is not renamed."""
        return self._lost is None

    async def save(self) -> None:
        """Refuse: Datalayer does not say when it has stored a document.

        Raises:
            SaveError, ConnectionLostError
        """
        await self.acknowledge()
        raise SaveError(
            self.path, "Datalayer has every edit, stores it by itself, and does not say when"
        )
