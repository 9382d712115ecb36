# SPDX-License-Identifier: BSD-3-Clause
"""Tools that run code."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import attrs
from msgspec import Meta

from .._answers import AllCellsRun, CellRun, CodeRun, RunWaited
from .._errors import CellNotFoundError
from .._handles.cell import Cell
from .._output_cursor import BEGIN, end_of, outputs_from, position_of
from .._values import ExecutionResult, InputHandler, OnTimeout, RunningCode
from .arguments import CellId, CellIndex, NotebookName, cell_of
from .calling import caller
from .registry import ToolHints, tool
from .state import Named, Toolset

Seconds = Annotated[float, Meta(ge=0)]
Timeout = Annotated[Seconds | None, Meta(description="Seconds to wait; default 45, or as set.")]
AfterTimeout = Annotated[
    OnTimeout, Meta(description="keep_running: outputs go on landing in the cell.")
]

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
        return await self._run(named, cell, timeout, on_timeout)

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
        return await self._run(named, cell, timeout, on_timeout, inserted=True)

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
            await self._state.check_kernel(kernel_id)
            named, kernel = None, self._state.server.kernel(kernel_id)
            on_input = caller.get().answering(f"kernel {kernel_id}")
        else:
            named = await self._state.named(notebook_name)
            kernel, on_input = named.notebook.kernel, _on_input(named)
        result = await kernel.execute(
            code,
            timeout=timeout or CODE_TIMEOUT,
            on_timeout=on_timeout,
            store_history=False,
            on_input=on_input,
        )
        other_kernel = named is not None and named.changed_kernel()
        return CodeRun(result, self._behind(result), other_kernel=other_kernel)

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
            Seconds | None, Meta(description="Seconds for all of them; default 45, or as set.")
        ] = None,
    ) -> AllCellsRun:
        """Run all code cells in order. Answers with a line a cell."""
        named = await self._state.named(notebook_name)
        notebook = named.notebook
        total = sum(cell.cell_type == "code" for cell in await notebook.read())
        results = await notebook.run_all(
            restart=restart,
            stop_on_error=stop_on_error,
            timeout=self._seconds(timeout),
            on_input=_on_input(named),
        )
        cells = {cell.id: cell for cell in await notebook.read()}
        runs = tuple(
            CellRun(result, cells.get(result.cell_id or ""), behind=self._behind(result))
            for result in results
        )
        return AllCellsRun(named.name, runs, total, restart, named.changed_kernel())

    def _seconds(self, timeout: float | None) -> float:
        """How long to wait; 0 means the default, as it does to other servers."""
        return timeout or self._state.options.execution_timeout

    def _behind(self, result: ExecutionResult) -> RunningCode | None:
        """What the kernel runs before a run that is queued."""
        queued = result.status == "queued"
        return self._state.server.run(result.run_id).behind if queued else None

    async def _run(
        self,
        named: Named,
        cell: Cell,
        timeout: float | None,
        on_timeout: OnTimeout,
        *,
        inserted: bool = False,
    ) -> CellRun:
        result = await cell.execute(
            timeout=self._seconds(timeout), on_timeout=on_timeout, on_input=_on_input(named)
        )
        snapshot = None
        with suppress(CellNotFoundError):
            snapshot = await cell.read()
        behind, other_kernel = self._behind(result), named.changed_kernel()
        return CellRun(result, snapshot, inserted, behind, other_kernel)

    @tool(
        ToolHints(
            "Wait for run", "run", read_only=True, idempotent=True, ignored=("notebook_name",)
        )
    )
    async def wait_run(
        self,
        run_id: Annotated[str, Meta(description="Of an answer that said that it still runs.")],
        timeout: Annotated[float, Meta(ge=0, description="Seconds to wait.")] = CODE_TIMEOUT,
        since: Annotated[
            str | None, Meta(description="Cursor of an earlier answer: only outputs after it.")
        ] = None,
    ) -> RunWaited:
        """Wait for a run that was left running, or look at it: its state and outputs."""
        run = self._state.server.run(run_id)
        result = await run.wait(timeout)
        outputs, cursor = result.outputs, end_of(result.outputs)
        if since is None:
            return RunWaited(result, cursor, outputs, behind=run.behind)
        start = position_of(outputs, since)
        asked = attrs.evolve(result, outputs=outputs_from(outputs, start or BEGIN))
        return RunWaited(
            asked, cursor, outputs, start or BEGIN, changed=start is None, behind=run.behind
        )


def _on_input(named: Named) -> InputHandler | None:
    """Who answers what a cell asks; a server that runs the cells itself passes no question on."""
    notebook = named.notebook
    if notebook.mode == "server-documents":
        return None
    return caller.get().answering(f"notebook {notebook.path!r}")
