# SPDX-License-Identifier: BSD-3-Clause
"""How one notebook object edits: its editor, the document's provider, and its open batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .._errors import (
    BatchOpenError,
    ConnectionLostError,
    NotebookClosedError,
    NotebookConflictError,
)

if TYPE_CHECKING:
    from .._document.editor import Editor
    from .._document.operations import Operation
    from .._document.provider import DocumentProvider
    from .._document.undo import Done


@attrs.define(eq=False)
class Editing:
    """What a notebook shares with its cells and batches.

    Attributes:
        provider: Keeps the document in step.
        editor: Makes the edits.
        closed: The notebook has been closed here.
        in_batch: A batch is open.
    """

    provider: DocumentProvider
    editor: Editor
    closed: bool = False
    in_batch: bool = False

    @classmethod
    def on(cls, provider: DocumentProvider) -> Editing:
        """Begin to edit a document."""
        from .._document.editor import Editor

        return cls(provider, Editor(provider.document))

    def open_path(self) -> str:
        """Return the path of the notebook.

        Raises:
            NotebookClosedError
        """
        if self.closed:
            raise NotebookClosedError(self.provider.path)
        return self.provider.path

    def check_open(self) -> None:
        """Refuse what comes after closing.

        Raises:
            NotebookClosedError, ConnectionLostError
        """
        self.open_path()
        if self.provider.lost is not None:
            raise ConnectionLostError(self.provider.path, self.provider.lost, applied="no")

    def check_live(self) -> None:
        """Refuse what would be lost, or what an open batch is not to see.

        Raises:
            NotebookClosedError, BatchOpenError, ConnectionLostError
        """
        self.check_open()
        if self.in_batch:
            raise BatchOpenError(self.provider.path)

    async def apply(self, *operations: Operation) -> Done:
        """Make edits in one transaction, all or none, and wait until the server has them.

        Returns:
            What was done; others may have gone on since.

        Raises:
            BatchOpenError, ConnectionLostError, NotebookConflictError
            SaveError: The file is gone.
            What the operations refuse: nothing has changed.
        """
        await self.provider.check_file()
        self.check_live()
        done = self.editor.apply(operations)
        self.provider.document.refused.clear()  # who goes on does not merge it any more
        try:
            await self.provider.acknowledge()
        except (NotebookConflictError, ConnectionLostError) as error:
            if error.applied == "no":
                self.editor.forget(done)
            raise
        return done
