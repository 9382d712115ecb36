# SPDX-License-Identifier: BSD-3-Clause
"""The notebooks of a workspace as adapters show them beside the tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._handles.notebook import Notebook

if TYPE_CHECKING:
    from .workspace import Workspace


def names_in_use(workspace: Workspace) -> tuple[str, ...]:
    """Return the names of the notebooks in use."""
    return tuple(workspace._state.notebooks)


async def notebook_in_use(workspace: Workspace, name: str | None) -> tuple[str, Notebook]:
    """Return a notebook in use and its name.

    Args:
        workspace: Whose.
        name: Its name; None for the current one.

    Raises:
        NotebookNotInUseError: With the names in use.
    """
    named = await workspace._state.named(name)
    return named.name, named.notebook


async def nbformat_of(notebook: Notebook) -> dict[str, Any]:
    """Return a notebook as its file would be.

    Raises:
        ConnectionLostError, NotebookClosedError
    """
    cells = [await nbformat_of_cell(notebook, cell.id) for cell in await notebook.read()]
    metadata = dict(notebook._provider.document.metadata)
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


async def nbformat_of_cell(notebook: Notebook, ref: str) -> Mapping[str, Any]:
    """Return a cell as the file would have it.

    Args:
        notebook: The notebook.
        ref: Id of the cell, or a unique prefix of one.

    Raises:
        CellNotFoundError
    """
    cell = await notebook.cell(ref).read()
    return notebook._provider.document.nbformat_cell(cell.id)
