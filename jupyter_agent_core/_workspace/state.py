# SPDX-License-Identifier: BSD-3-Clause
"""What a workspace remembers: the notebooks in use by name, and which one is current."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import anyio
import attrs
from msgspec import Meta

from .._answers import NotebookInUse, NotebookView
from .._errors import (
    AuthenticationError,
    CellNotFoundError,
    ConfigurationError,
    NotebookNotInUseError,
)
from .._values import FileInfo

if TYPE_CHECKING:
    from .._handles.cell import Cell
    from .._handles.notebook import Notebook
    from .._handles.server import Server

NotebookName = Annotated[
    str | None, Meta(description="Name given in use_notebook; default: the one used last.")
]
CellIndex = Annotated[int | None, Meta(description="0-based index of the cell.")]
CellId = Annotated[
    str | None, Meta(description="Id of the cell, or a unique prefix of at least 4 characters.")
]
DirectoryPath = Annotated[str, Meta(description="Directory, from the server's root.")]

_LISTED_NOTEBOOKS = 10
# directories that a listing visits at most
MAX_DIRECTORIES = 200


@attrs.define
class Named:
    """A notebook under the name that the agent gave it."""

    name: str
    notebook: Notebook


class State:
    """The notebooks in use of one agent.

    Args:
        server: The server that they are on.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        #: by name, the one used last at the end
        self.notebooks: dict[str, Named] = {}
        self.current: str | None = None
        #: held while a name is given to a notebook
        self.naming: anyio.Lock = anyio.Lock()

    async def named(self, name: str | None) -> Named:
        """Return the notebook of that name, or the current one.

        Raises:
            NotebookNotInUseError: With the names in use, and the notebooks that exist.
        """
        wanted = name or self.current
        if wanted is not None and wanted in self.notebooks:
            return self.notebooks[wanted]
        files, _, _ = await self.find_files("", max_depth=3)
        existing = [file.path for file in files if file.type == "notebook"]
        raise NotebookNotInUseError(name, list(self.notebooks), existing[:_LISTED_NOTEBOOKS])

    def use(self, named: Named) -> None:
        """Make a notebook the current one."""
        self.notebooks.pop(named.name, None)
        self.notebooks[named.name] = named
        self.current = named.name

    def in_use(self, named: Named) -> NotebookInUse:
        """Describe a notebook in use."""
        kernel = named.notebook.kernel
        return NotebookInUse(
            name=named.name,
            path=named.notebook.path,
            mode=named.notebook.mode,
            kernel_id=kernel.id,
            kernel_state=kernel.state,
            current=named.name == self.current,
        )

    async def find_files(
        self, path: str, *, max_depth: int
    ) -> tuple[list[FileInfo], int, list[FileInfo]]:
        """Walk the server's directories, breadth first.

        Returns:
            The files and directories found, how many directories were left out because
            there are too many, and the directories at the deepest level.
        """
        found: list[FileInfo] = []
        level, visited, skipped = [path], 0, 0
        directories: list[FileInfo] = []
        for _ in range(max_depth + 1):
            directories = []
            for directory in level:
                if visited == MAX_DIRECTORIES:
                    skipped += 1
                    continue
                visited += 1
                try:
                    entries = await self.server.list_files(directory)
                except (ConfigurationError, AuthenticationError):
                    if directory == path:
                        raise
                    skipped += 1  # it has vanished meanwhile, or may not be read
                    continue
                found.extend(entries)
                directories.extend(entry for entry in entries if entry.type == "directory")
            level = [entry.path for entry in directories]
        return sorted(found, key=lambda file: file.path), skipped, directories


def cell_of(notebook: Notebook, index: int | None, cell_id: str | None) -> Cell:
    """Return the cell that an agent means by index, by id, or by both.

    Raises:
        ConfigurationError: Neither is given.
        CellNotFoundError: There is no such cell, or they mean different ones.
    """
    if cell_id is not None:
        cell = notebook.cell(cell_id)
        if index is not None and notebook.cell(index).id != cell.id:
            other = notebook.cell(index).id
            raise CellNotFoundError(cell_id, f"is not at index {index}: that is {other}")
        return cell
    if index is None:
        raise ConfigurationError("Name the cell: pass cell_index or cell_id", name="cell_index")
    return notebook.cell(index)


async def neighbours(named: Named, index: int, around: int = 5) -> NotebookView:
    """Return the cells around an index."""
    cells = await named.notebook.read()
    start = max(0, index - around)
    return NotebookView(named.name, cells[start : index + around], start, len(cells))


class Toolset:
    """A group of tools over one state."""

    def __init__(self, state: State) -> None:
        self._state = state
