# SPDX-License-Identifier: BSD-3-Clause
"""What keeps a document in step with its server, seen from those who use it."""

from __future__ import annotations

from typing import Protocol

from anyio.abc import TaskStatus

from .model import NotebookDocument


class DocumentProvider(Protocol):
    """One document, kept in step with its server from `run` until `close`.

    Attributes:
        document: The document; it outlives connections.
    """

    document: NotebookDocument

    @property
    def path(self) -> str:
        """Path of the notebook; it follows a notebook that is renamed on the server."""

    @property
    def lost(self) -> str | None:
        """Why it will never be in step again, None as long as it may be."""

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Get the document, report `started`, and keep it in step until the end."""

    async def is_at(self, path: str) -> bool:
        """Say whether it is of the notebook that is at a path now.

        A file may have been renamed since it was opened, or deleted and another one made in
        its place. The document of a file that is gone is given up then.

        Raises:
            NotebookNotFoundError, NotANotebookError, ConnectError
        """

    async def check_file(self) -> None:
        """Refuse an edit that would be saved nowhere, as far as that is known by now.

        Raises:
            SaveError: The file is gone.
        """

    async def current(self) -> NotebookDocument:
        """Return the document, in step with the server.

        Raises:
            ConnectionLostError: The server cannot be reached: what is known may be out of date.
        """

    async def acknowledge(self) -> None:
        """Return when the server has applied everything that was edited here until now.

        Raises:
            ConnectionLostError: `applied` says what became of it.
        """

    async def save(self) -> None:
        """Return when the file on disk holds the document.

        Raises:
            SaveError, ConnectionLostError
        """

    def peers(self) -> list[str]:
        """Return the display names of the other collaborators."""

    async def close(self) -> None:
        """Deliver what is left and let go.

        Raises:
            ConnectionLostError: The last edits may not have arrived.
        """
