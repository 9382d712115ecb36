# SPDX-License-Identifier: BSD-3-Clause
"""Tools that read and change cells."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .._answers import CellInserted, CellOverwritten, CellsDeleted, CellView
from .._errors import ConfigurationError
from .._values import CellType
from .registry import ToolHints, tool
from .state import CellId, CellIndex, NotebookName, Toolset, cell_of, neighbours

ExpectedVersion = Annotated[
    str | None,
    Meta(description="Version that you read; refused if the cell has changed since."),
]


class CellTools(Toolset):
    """Cells of the notebooks in use."""

    @tool(ToolHints("Read cell", "cell", read_only=True, idempotent=True))
    async def read_cell(
        self,
        cell_index: CellIndex = None,
        cell_id: CellId = None,
        include_outputs: Annotated[bool, Meta(description="Show outputs, too.")] = True,
        notebook_name: NotebookName = None,
    ) -> CellView:
        """Show the source and outputs of a cell; images as images."""
        named = await self._state.named(notebook_name)
        cell = cell_of(named.notebook, cell_index, cell_id)
        return CellView(await cell.read(), include_outputs)

    @tool(ToolHints("Insert cell", "cell"))
    async def insert_cell(
        self,
        cell_index: Annotated[int, Meta(ge=-1, description="Before this cell; -1: at the end.")],
        cell_type: CellType,
        cell_source: str,
        notebook_name: NotebookName = None,
    ) -> CellInserted:
        """Insert a cell."""
        named = await self._state.named(notebook_name)
        notebook = named.notebook
        if cell_index == -1:
            cell = await notebook.append_cell(cell_source, cell_type)
        else:
            cell = await notebook.insert_cell(cell_index, cell_source, cell_type)
        inserted = await cell.read()
        return CellInserted(inserted, await neighbours(named, inserted.index))

    @tool(
        ToolHints(
            "Delete cells", "cell", destructive=True, aliases={"cell_ids_to_delete": "cell_ids"}
        )
    )
    async def delete_cell(
        self,
        cell_indices: Annotated[list[int] | None, Meta(description="0-based indices.")] = None,
        cell_ids: Annotated[list[str] | None, Meta(description="Ids, instead of indices.")] = None,
        include_source: Annotated[bool, Meta(description="Show what was deleted.")] = True,
        notebook_name: NotebookName = None,
    ) -> CellsDeleted:
        """Delete cells, all of them or none."""
        named = await self._state.named(notebook_name)
        if bool(cell_indices) == bool(cell_ids):
            raise ConfigurationError(
                "Name the cells: pass either cell_indices or cell_ids", name="cell_indices"
            )
        refs: list[int | str] = [*(cell_indices or ()), *(cell_ids or ())]
        return CellsDeleted(await named.notebook.delete_cells(refs), include_source)

    @tool(ToolHints("Overwrite cell source", "cell", destructive=True, idempotent=True))
    async def overwrite_cell_source(
        self,
        cell_source: str,
        cell_index: CellIndex = None,
        cell_id: CellId = None,
        expected_version: ExpectedVersion = None,
        notebook_name: NotebookName = None,
    ) -> CellOverwritten:
        """Replace the source of a cell; only what differs is changed. Answers with the diff."""
        named = await self._state.named(notebook_name)
        cell = cell_of(named.notebook, cell_index, cell_id)
        before = await cell.read()
        after = await cell.set_source(cell_source, expected_version=expected_version)
        return CellOverwritten(before, after)
