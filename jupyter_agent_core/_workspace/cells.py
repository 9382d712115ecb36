# SPDX-License-Identifier: BSD-3-Clause
"""Tools that read and change cells."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .._answers import (
    CellInserted,
    CellMoved,
    CellOverwritten,
    CellsDeleted,
    CellView,
    NotebookView,
    OutputsCleared,
)
from .._errors import ConfigurationError
from .._values import CellType
from .arguments import CellId, CellIndex, MaxTokens, NotebookName, cell_of
from .registry import ToolHints, tool
from .state import Named, Toolset

ExpectedVersion = Annotated[
    str | None,
    Meta(description="Version that you read; refused if the cell has changed since."),
]
Force = Annotated[bool, Meta(description="Do it although a collaborator has just typed there.")]


class CellTools(Toolset):
    """Cells of the notebooks in use."""

    @tool(ToolHints("Read cell", "cell", read_only=True, idempotent=True))
    async def read_cell(
        self,
        cell_index: CellIndex = None,
        cell_id: CellId = None,
        include_outputs: Annotated[bool, Meta(description="Show outputs, too.")] = True,
        start_line: Annotated[
            Annotated[int, Meta(ge=1)] | None,
            Meta(description="Page on from this line of source and outputs."),
        ] = None,
        max_tokens: MaxTokens = None,
        notebook_name: NotebookName = None,
    ) -> CellView:
        """Show the source and outputs of a cell; images as images."""
        named = await self._state.named(notebook_name)
        cell = cell_of(named.notebook, cell_index, cell_id)
        return CellView(await cell.read(), include_outputs, start_line, max_tokens)

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
        return CellInserted(inserted, await _neighbours(named, inserted.index))

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
        force: Force = False,
        notebook_name: NotebookName = None,
    ) -> CellsDeleted:
        """Delete cells, all of them or none."""
        named = await self._state.named(notebook_name)
        if bool(cell_indices) == bool(cell_ids):
            raise ConfigurationError(
                "Name the cells: pass either cell_indices or cell_ids", name="cell_indices"
            )
        refs: list[int | str] = [*(cell_indices or ()), *(cell_ids or ())]
        return CellsDeleted(await named.notebook.delete_cells(refs, force=force), include_source)

    @tool(ToolHints("Move cell", "cell", idempotent=True))
    async def move_cell(
        self,
        source_index: CellIndex = None,
        target_index: CellIndex = None,
        source_cell_id: CellId = None,
        target_cell_id: CellId = None,
        force: Force = False,
        notebook_name: NotebookName = None,
    ) -> CellMoved:
        """Move a cell to the place of another; it keeps its id, its outputs and what runs in it."""
        named = await self._state.named(notebook_name)
        cell = cell_of(named.notebook, source_index, source_cell_id, role="source")
        place = cell_of(named.notebook, target_index, target_cell_id, role="target")
        target = await place.read()
        start = (await cell.read()).index
        moved = await cell.move(target.index, force=force)
        return CellMoved(moved, start, await _neighbours(named, moved.index))

    @tool(ToolHints("Overwrite cell source", "cell", destructive=True, idempotent=True))
    async def overwrite_cell_source(
        self,
        cell_source: str,
        cell_index: CellIndex = None,
        cell_id: CellId = None,
        expected_version: ExpectedVersion = None,
        force: Force = False,
        notebook_name: NotebookName = None,
    ) -> CellOverwritten:
        """Replace the source of a cell; only what differs is changed. Answers with the diff."""
        named = await self._state.named(notebook_name)
        cell = cell_of(named.notebook, cell_index, cell_id)
        before = await cell.read()
        after = await cell.set_source(cell_source, expected_version=expected_version, force=force)
        return CellOverwritten(before, after)

    @tool(ToolHints("Edit cell source", "cell", destructive=True))
    async def edit_cell_source(
        self,
        old_string: Annotated[str, Meta(min_length=1, description="Exactly; there once.")],
        new_string: Annotated[str, Meta(description="What takes its place.")],
        cell_index: CellIndex = None,
        cell_id: CellId = None,
        replace_all: Annotated[bool, Meta(description="Wherever it is in the cell.")] = False,
        expected_version: ExpectedVersion = None,
        force: Force = False,
        notebook_name: NotebookName = None,
    ) -> CellOverwritten:
        """Replace a piece of a cell's source by another. Answers with the diff."""
        named = await self._state.named(notebook_name)
        cell = cell_of(named.notebook, cell_index, cell_id)
        before = await cell.read()
        after = await cell.edit_source(
            old_string,
            new_string,
            replace_all=replace_all,
            expected_version=expected_version,
            force=force,
        )
        return CellOverwritten(before, after)

    @tool(ToolHints("Clear cell output", "cell", destructive=True, idempotent=True))
    async def clear_cell_output(
        self,
        cell_index: CellIndex = None,
        cell_id: CellId = None,
        notebook_name: NotebookName = None,
    ) -> OutputsCleared:
        """Remove the outputs of a code cell, or of all if none is named."""
        named = await self._state.named(notebook_name)
        notebook = named.notebook
        if cell_index is not None or cell_id is not None:
            cell = cell_of(notebook, cell_index, cell_id)
            return OutputsCleared((await cell.clear_outputs(),))
        ids = {cell.id for cell in await notebook.read() if cell.cell_type == "code"}
        async with notebook.batch() as batch:
            for id_ in ids:
                batch.clear_outputs(id_)
        return OutputsCleared(tuple(cell for cell in await notebook.read() if cell.id in ids))


async def _neighbours(named: Named, index: int, around: int = 5) -> NotebookView:
    """Return the cells around an index."""
    cells = await named.notebook.read()
    start = max(0, index - around)
    return NotebookView(named.name, cells[start : index + around], start, len(cells))
