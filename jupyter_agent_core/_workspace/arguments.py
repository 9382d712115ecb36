# SPDX-License-Identifier: BSD-3-Clause
"""Arguments that several tools take, and the cells that they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

from msgspec import Meta

from .._errors import CellNotFoundError, ConfigurationError

if TYPE_CHECKING:
    from .._handles.cell import Cell
    from .._handles.notebook import Notebook

NotebookName = Annotated[str | None, Meta(description="Default: the one used last.")]
CellIndex = Annotated[int | None, Meta(description="0-based index.")]
CellId = Annotated[str | None, Meta(description="Its id, or the first 4 characters or more.")]
MaxTokens = Annotated[
    Annotated[int, Meta(ge=200)] | None, Meta(description="Length of the answer.")
]

T = TypeVar("T")


def part_of(items: Sequence[T], start: int, limit: int, there_are: str) -> tuple[T, ...]:
    """Return the part of a list that an agent means by `start_index` and `limit`.

    Args:
        items: The list.
        start: The first item.
        limit: How many; 0 for all.
        there_are: How many items there are, in words.

    Raises:
        ConfigurationError: It begins behind the end.
    """
    if start and start >= len(items):
        raise ConfigurationError(
            f"start_index={start} is out of range: {there_are}", name="start_index", value=start
        )
    return tuple(items[start : start + limit if limit else None])


def cell_of(
    notebook: Notebook, index: int | None, cell_id: str | None, *, role: str = "cell"
) -> Cell:
    """Return the cell that an agent means by index, by id, or by both.

    Args:
        notebook: The notebook.
        index: Its 0-based index.
        cell_id: Its id.
        role: What the arguments' names begin with: `cell`, `source`, `target`.

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
        name, id_name = f"{role}_index", "cell_id" if role == "cell" else f"{role}_cell_id"
        raise ConfigurationError(f"Name the cell: pass {name} or {id_name}", name=name)
    return notebook.cell(index)
