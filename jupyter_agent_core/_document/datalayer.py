# SPDX-License-Identifier: BSD-3-Clause
"""Rooms of Datalayer, where they differ from those of `jupyter-collaboration`.

A document is known by its id alone: there is no file, no path, and no message for saving.
"""

from __future__ import annotations

from typing import ClassVar

from .._errors import SaveError
from .._values import Mode
from .room import Room


class DatalayerRoom(Room):
    """One document of Datalayer in step with its room."""

    mode: ClassVar[Mode] = "datalayer"

    @property
    def path(self) -> str:
        """Id of the document."""
        return self._path

    async def is_at(self, path: str) -> bool:
        """Say whether it may still be in step: what has an id is not renamed."""
        return self._lost is None

    async def check_file(self) -> None:
        """Do nothing: there is no file."""

    async def save(self) -> None:
        """Refuse: Datalayer does not say when it has stored a document.

        Raises:
            SaveError, ConnectionLostError
        """
        await self.acknowledge()
        raise SaveError(
            self.path, "Datalayer has every edit, stores it by itself, and does not say when"
        )
