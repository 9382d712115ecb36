# SPDX-License-Identifier: BSD-3-Clause
"""How a run of a cell begins, on each kind of server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio

from .._errors import ConfigurationError
from .._values import CellSnapshot, InputHandler
from .arguments import check_on_input
from .connections import Connections
from .kernel import Kernel
from .run import Run

if TYPE_CHECKING:
    from .._document.changes import Author
    from .._document.model import NotebookDocument
    from .._execution.server_side import ServerSideRuns


async def start_cell(
    kernel: Kernel,
    document: NotebookDocument,
    cell: CellSnapshot,
    author: Author,
    on_input: InputHandler | None,
    *,
    detached: bool,
) -> Run:
    """Run a cell of the document; its outputs go into the document as they come.

    Raises:
        ConfigurationError: The server runs the cells and passes on no questions, or it is to run
            this one and cannot.
        KernelSpecNotFoundError, KernelUnavailableError, ConnectError, ConnectionLostError
    """
    from .._execution.execution import Execution
    from .._execution.recorder import Recorder

    check_on_input(on_input)
    runs = await kernel._server_side()
    if runs is not None:
        if on_input is not None:
            raise ConfigurationError(
                "on_input cannot be used here: jupyter-server-documents runs the cells, and does "
                "not pass on what they ask; Kernel.execute() can",
                name="on_input",
            )
        if detached:
            kernel._connections.detached_kernels.add(runs.kernel_id)
        return await _start_server_side(runs, kernel._connections, document, cell)
    if detached:
        return await _start_detached(kernel, cell, on_input)
    channels = await kernel._connected()
    recorder = Recorder(document, cell.id, channels.displays, author)
    execution = Execution(
        cell.source, channels.displays, cell_id=cell.id, listener=recorder, on_input=on_input
    )
    await channels.submit(execution)
    kernel._connections.background.start_soon(recorder.run)
    connections = kernel._connections
    return connections.runs.keep(Run(execution, channels, connections.kernels))


async def _start_detached(kernel: Kernel, cell: CellSnapshot, on_input: InputHandler | None) -> Run:
    from .._document.room import Room
    from .._execution.detached import DetachedExecution, DetachedRun

    connections, room = kernel._connections, kernel._provider
    if not isinstance(room, Room) or connections.kernels is not connections.rest:
        raise ConfigurationError(
            "A detached run needs a live notebook whose server runs the kernel, too",
            name="detached",
            value=True,
        )
    channels = await kernel._connected()
    run = DetachedRun(room, connections.rest, channels)
    execution = DetachedExecution(cell, on_input)
    await run.give(execution)
    connections.detached_kernels.add(channels.kernel_id)
    connections.background.start_soon(partial(run.follow, execution))
    return connections.runs.keep(Run(execution, run, connections.rest))


async def _start_server_side(
    runs: ServerSideRuns,
    connections: Connections,
    document: NotebookDocument,
    cell: CellSnapshot,
) -> Run:
    from .._execution.server_side import CellExecution

    execution = CellExecution(document, cell)
    run = Run(execution, runs, connections.rest)
    if runs.add(execution):
        connections.background.start_soon(runs.work)
        try:
            await execution.given.wait()
        except anyio.get_cancelled_exc_class():
            if not runs.withdraw(execution):
                connections.runs.keep(run)
            raise
        if execution.refused is not None:
            raise execution.refused
    return connections.runs.keep(run)
