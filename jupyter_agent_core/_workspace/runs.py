# SPDX-License-Identifier: BSD-3-Clause
"""Tools that run code."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .._answers import AllCellsRun, CellRun, CodeRun
from .._errors import CellNotFoundError
from .._handles.cell import Cell
from .._values import ExecutionResult, OnTimeout
from .registry import ToolHints, tool
from .state import CellId, CellIndex, NotebookName, Toolset, cell_of

Seconds = Annotated[float, Meta(ge=0)]
Timeout = Annotated[Seconds | None, Meta(description="Seconds to wait; default 45.")]
AfterTimeout = Annotated[
    OnTimeout, Meta(description="Then: keep_running (outputs go on landing in the cell).")
]

DEFAULT_TIMEOUT = 45.0
CODE_TIMEOUT = 30.0

# arguments of other servers: outputs always stream
_STREAMING = ("stream", "progress_interval")
_ALIASES = {"timeout_seconds": "timeout"}


class RunTools(Toolset):
    """Runs of cells and of code without a cell."""

    @tool(
        ToolHints(
            "Execute cell",
            "run",
            destructive=True,
            open_world=True,
            aliases=_ALIASES,
            ignored=_STREAMING,
        )
    )
    async def execute_cell(
        self,
        cell_index: CellIndex = None,
        cell_id: CellId = None,
        timeout: Timeout = None,
        on_timeout: AfterTimeout = "keep_running",
        notebook_name: NotebookName = None,
    ) -> CellRun:
        """Run a cell; outputs stream into the notebook. Answers with outputs and status."""
        named = await self._state.named(notebook_name)
        cell = cell_of(named.notebook, cell_index, cell_id)
        result = await cell.execute(timeout=timeout or DEFAULT_TIMEOUT, on_timeout=on_timeout)
        return await _cell_run(cell, result)

    @tool(
        ToolHints(
            "Insert and execute code cell",
            "run",
            destructive=True,
            open_world=True,
            aliases=_ALIASES,
            ignored=_STREAMING,
        )
    )
    async def insert_execute_code_cell(
        self,
        cell_index: Annotated[int, Meta(ge=-1, description="Before this cell; -1: at the end.")],
        cell_source: str,
        timeout: Timeout = None,
        on_timeout: AfterTimeout = "keep_running",
        notebook_name: NotebookName = None,
    ) -> CellRun:
        """Insert a code cell and run it."""
        named = await self._state.named(notebook_name)
        notebook = named.notebook
        if cell_index == -1:
            cell = await notebook.append_cell(cell_source)
        else:
            cell = await notebook.insert_cell(cell_index, cell_source)
        result = await cell.execute(timeout=timeout or DEFAULT_TIMEOUT, on_timeout=on_timeout)
        return await _cell_run(cell, result, inserted=True)

    @tool(
        ToolHints(
            "Execute code",
            "run",
            destructive=True,
            open_world=True,
            aliases=_ALIASES,
            ignored=_STREAMING,
        )
    )
    async def execute_code(
        self,
        code: Annotated[str, Meta(description="Magics and !shell work.")],
        timeout: Annotated[float, Meta(ge=0, description="Seconds to wait.")] = CODE_TIMEOUT,
        on_timeout: AfterTimeout = "keep_running",
        kernel_id: Annotated[
            str | None, Meta(description="A running kernel instead of the notebook's.")
        ] = None,
        notebook_name: NotebookName = None,
    ) -> CodeRun:
        """Run code in the notebook's kernel without a cell; nothing is saved."""
        if kernel_id is not None:
            kernel = self._state.server.kernel(kernel_id)
        else:
            kernel = (await self._state.named(notebook_name)).notebook.kernel
        result = await kernel.execute(
            code, timeout=timeout or CODE_TIMEOUT, on_timeout=on_timeout, store_history=False
        )
        return CodeRun(result)

    @tool(
        ToolHints(
            "Run all cells",
            "run",
            destructive=True,
            open_world=True,
            name="notebook_run-all-cells",
            aliases=_ALIASES,
        )
    )
    async def run_all_cells(
        self,
        notebook_name: NotebookName = None,
        restart: Annotated[bool, Meta(description="Restart the kernel first.")] = False,
        stop_on_error: Annotated[bool, Meta(description="Stop at the first failure.")] = True,
        timeout: Annotated[
            Seconds | None, Meta(description="Seconds for all of them; default 45.")
        ] = None,
    ) -> AllCellsRun:
        """Run all code cells in order. Answers with a line a cell."""
        named = await self._state.named(notebook_name)
        notebook = named.notebook
        total = sum(cell.cell_type == "code" for cell in await notebook.read())
        results = await notebook.run_all(
            restart=restart, stop_on_error=stop_on_error, timeout=timeout or DEFAULT_TIMEOUT
        )
        cells = {cell.id: cell for cell in await notebook.read()}
        runs = tuple(CellRun(result, cells.get(result.cell_id or "")) for result in results)
        return AllCellsRun(named.name, runs, total, restart)


async def _cell_run(cell: Cell, result: ExecutionResult, *, inserted: bool = False) -> CellRun:
    try:
        snapshot = await cell.read()
    except CellNotFoundError:
        return CellRun(result, None, inserted)
    return CellRun(result, snapshot, inserted)
