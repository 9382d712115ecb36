# SPDX-License-Identifier: BSD-3-Clause
"""Notebooks and cells as a file would have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .notebook import Notebook


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
