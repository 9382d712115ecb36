# SPDX-License-Identifier: BSD-3-Clause
"""Those who work on the notebook: agents with the library, and a human with a browser's means."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx
from chaos.ledger import Fate, Ledger
from collaborator import Collaborator, collaborator
from pycrdt import Text
from servers import Restartable, RunningServer
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from jupyter_agent_core import (
    Cell,
    CellNotFoundError,
    ExecutionResult,
    JupyterAgentError,
    Notebook,
    Run,
    Server,
)

# every call returns within this time, whatever happens to the server
BOUND = 90.0
RUN_TIMEOUT = 15.0
ENDED = {
    *("ok", "error", "interrupted", "aborted", "kernel_died", "kernel_restarted"),
    *("kernel_gone", "lost", "disconnected"),
}
WAITING = {"queued", "running"}
FATES: dict[str, Fate] = {"yes": "there", "no": "gone", "unknown": "unknown"}


class Agent:
    """Edits and runs, and notes what it was told.

    Args:
        name: What its marks begin with.
        server: Its connection.
        notebook: Its handle of the notebook.
        ledger: Where it notes.
        chance: What it decides with.
    """

    def __init__(
        self, name: str, server: Server, notebook: Notebook, ledger: Ledger, chance: random.Random
    ) -> None:
        self.name = name
        self.notebook = notebook
        self._server = server
        self._ledger = ledger
        self._chance = chance
        self._own: dict[str, list[str]] = {}  # marks by the cells that nobody else touches
        self._shared: list[str] = [cell.id for cell in notebook._provider.document.cells()]
        self.unfinished: list[Run] = []

    async def act(self) -> None:
        """Do something."""
        actions: list[Callable[[], Awaitable[None]]] = [
            *(self._append, self._append, self._line, self._line, self._line, self._batch),
            *(self._append_and_undo, self._save, self._run, self._run, self._run_long),
        ]
        if self._own:
            actions += [self._move, self._delete, self._metadata, self._run_own]
            actions += [self._rewrite, self._rewrite]
        action = self._chance.choice(actions)
        kind = action.__name__.strip("_")
        self._ledger.note(f"{self.name}: {kind} …")
        try:
            with anyio.fail_after(BOUND):
                await action()
            self._ledger.outcomes[f"{kind}: done"] += 1
        except JupyterAgentError as error:
            self._ledger.note(f"{self.name}: {kind}: {error}")
            self._ledger.outcomes[f"{kind}: {type(error).__name__}, {error.applied}"] += 1
        except TimeoutError:
            self._ledger.defects.append(f"{self.name}: {kind} did not return in {BOUND:g} s")

    async def _write(self, edit: Callable[[], Awaitable[Any]], marks: list[str]) -> Any:
        try:
            done = await edit()
        except JupyterAgentError as error:
            self._ledger.settle(FATES[error.applied], marks)
            raise
        self._ledger.settle("there", marks)
        return done

    async def _append(self) -> None:
        mark = self._ledger.mark(self.name)
        cell = await self._write(lambda: self.notebook.append_cell(f"'{mark}'"), [mark])
        self._own[cell.id] = [mark]

    async def _line(self) -> None:
        """Add a line to a cell that all write in."""
        cell = self.notebook.cell(self._chance.choice(self._shared))
        mark = self._ledger.mark(self.name)
        try:
            seen = await cell.read()
            lines = seen.source.split("\n")
            lines.insert(self._chance.randint(0, len(lines)), f"# {mark}")
            source, version = "\n".join(lines), seen.version
        except JupyterAgentError:
            self._ledger.settle("gone", [mark])
            raise
        await self._write(
            lambda: cell.set_source(source, expected_version=version, force=True), [mark]
        )

    async def _batch(self) -> None:
        marks = [self._ledger.mark(self.name) for _ in range(3)]

        async def edit() -> list[str]:
            async with self.notebook.batch() as batch:
                return [batch.append_cell(f"'{mark}'") for mark in marks]

        ids = await self._write(edit, marks)
        self._own.update({cell_id: [mark] for cell_id, mark in zip(ids, marks, strict=True)})

    async def _append_and_undo(self) -> None:
        mark = self._ledger.mark(self.name)
        await self._write(lambda: self.notebook.append_cell(f"'{mark}'"), [mark])
        try:
            await self.notebook.undo()
        except JupyterAgentError as error:
            fates: dict[str, Fate] = {"yes": "gone", "no": "there", "unknown": "unknown"}
            self._ledger.settle(fates[error.applied], [mark])
            raise
        self._ledger.settle("gone", [mark])

    def _own_cell(self) -> Cell:
        cell_id = self._chance.choice(list(self._own))
        try:
            return self.notebook.cell(cell_id)
        except CellNotFoundError:
            self._ledger.defects.append(f"{self.name}: {self._own.pop(cell_id)} lost its cell")
            raise

    async def _move(self) -> None:
        cell = self._own_cell()
        await cell.move(self._chance.randrange(len(await self.notebook.read())))

    async def _rewrite(self) -> None:
        """Replace the whole source of a cell that nobody else touches."""
        cell = self._own_cell()
        mark, before = self._ledger.mark(self.name), self._own[cell.id]
        self._ledger.settle("unknown", before)
        self._own[cell.id] = [*before, mark]
        try:
            await self._write(lambda: cell.set_source(f"'{mark}'"), [mark])
        except JupyterAgentError as error:
            if error.applied == "no":
                self._own[cell.id] = before
                if len(before) == 1:  # else it is not known which of them is there
                    self._ledger.settle("there", before)
            raise
        self._own[cell.id] = [mark]
        self._ledger.settle("gone", before)
        self._ledger.alone.add(mark)

    async def _metadata(self) -> None:
        await self._own_cell().set_metadata({"tags": [self.name]})

    async def _delete(self) -> None:
        cell = self._own_cell()
        marks = self._own.pop(cell.id)
        self._ledger.settle("unknown", marks)
        try:
            await cell.delete()
        except JupyterAgentError as error:
            if error.applied == "no":
                self._own[cell.id] = marks
                self._ledger.settle("there", marks)
            raise
        self._ledger.settle("gone", marks)

    async def _save(self) -> None:
        await self.notebook.save()

    async def _run(self) -> None:
        code = self._chance.choice(["6 * 7", "print('out')", "1 / 0", "input()"])
        self._note(await self.notebook.kernel.execute(code, timeout=RUN_TIMEOUT))

    async def _run_own(self) -> None:
        self._note(await self._own_cell().execute(timeout=RUN_TIMEOUT))

    async def _run_long(self) -> None:
        mark = self._ledger.mark(self.name)
        source = f"import time  # {mark}\nfor n in range(30):\n    time.sleep(0.1); print(n)"
        cell = await self._write(lambda: self.notebook.append_cell(source), [mark])
        self._own[cell.id] = [mark]
        self._note(await cell.execute(timeout=RUN_TIMEOUT))

    def _note(self, result: ExecutionResult) -> None:
        self._ledger.outcomes[f"a run ended as {result.status}"] += 1
        if result.status in WAITING:
            # at once: that it has ended is not remembered for ever
            self.unfinished.append(self._server.run(result.run_id))
        elif result.status not in ENDED:
            self._ledger.defects.append(f"{self.name}: a run has the status {result.status}")

    async def finish(self) -> None:
        """Bring everything to its end, now that nothing breaks any more."""
        with anyio.fail_after(BOUND):
            await self.notebook.flush()
        for run in self.unfinished:
            result = await run.wait(timeout=BOUND)
            if result.status not in ENDED:
                self._ledger.defects.append(f"{self.name}: a run never ended ({result.status})")


class Human:
    """Types in the shared cells with jupyter_ydoc alone, and comes back when the server does.

    Attributes:
        promised: What the server has confirmed and may not have written to the file yet.
    """

    def __init__(
        self, name: str, place: Restartable, path: str, ledger: Ledger, chance: random.Random
    ) -> None:
        self.name = name
        self.promised: list[str] = []
        self._place = place
        self._path = path
        self._ledger = ledger
        self._chance = chance

    async def type_until(self, over: Callable[[], bool]) -> None:
        """Type, wherever the server is."""
        while not over():
            server = self._place.server
            try:
                async with collaborator(server, self._path) as window:
                    while not over():
                        await self._type(window, server)
                        await anyio.sleep(self._chance.random() / 5)  # people are slow
            except* (OSError, httpx.HTTPError, ConnectionClosed, InvalidHandshake, TimeoutError):
                self._ledger.outcomes["the human lost his connection"] += 1
                self._ledger.note("the human lost his connection")
                await anyio.sleep(0.2)

    async def _type(self, window: Collaborator, server: RunningServer) -> None:
        mark = self._ledger.mark(self.name)
        sources: list[Text] = [
            cell["source"] for cell in window.notebook.ycells if "# shared" in str(cell["source"])
        ]
        source = self._chance.choice(sources)
        await window.send(lambda: source.insert(len(str(source).encode()), f"\n# {mark}"))
        with anyio.fail_after(10):
            await window.pull()
        if server.process.poll() is None:  # else it may have ended without writing this
            self.promised.append(mark)
            self._ledger.settle("there", [mark])
        self._ledger.outcomes["the human typed a line"] += 1
