# SPDX-License-Identifier: BSD-3-Clause
"""Those who are compared, each with a Jupyter server of its own, doing the tasks in turns."""

import asyncio
import itertools
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from corpus.tokenizer import o200k_tokens
from documents import write_notebook
from floor import bare_replica
from servers import RunningServer

from jupyter_agent_core._http.auth import Token
from jupyter_agent_core._http.rest import JupyterRest

from .bare import Bare
from .contenders import FLOOR, Contender
from .counting import CountingProxy
from .environments import Environment
from .results import Result, Sample, folded
from .stdio import Answer, McpServer, ServerEndedError
from .tasks import NEW, ONE, WORK, Cells, Round, Task, problem, shortened, size_of

DOCUMENT_TIMEOUT = 10.0
TASK_TIME = 45.0
"""Seconds after which a task gets no further round, once there is one that counts."""
_STRIDE = 7  # has no divisor in common with the number of orders: all of them come
FAILED = (TimeoutError, ServerEndedError)


class Entrant(Protocol):
    """Somebody who does tasks."""

    name: str

    async def prepare(self, task: Task) -> None:
        """Open the notebook of a task."""

    async def round(self, task: Task, number: int) -> Sample:
        """Do a task once."""

    async def cells(self, task: Task) -> Cells:
        """The notebook of a task, as the Jupyter server has it."""

    async def restart(self) -> None:
        """Begin anew, with new notebooks and kernels."""


class Place:
    """A Jupyter server, with a proxy before it and notebooks in its folder."""

    def __init__(self, running: RunningServer, proxy: CountingProxy) -> None:
        self.running = running
        self.proxy = proxy
        self._generation = 0

    def path(self, notebook: str, number: int) -> str:
        """The path of a notebook, which is written if it is not there."""
        suffix = f"-{number}" if notebook == NEW else ""
        path = f"{notebook}{suffix}-{self._generation}.ipynb"
        file = self.running.root / path
        if not file.exists():
            write_notebook(file, size_of(notebook))
            if notebook == WORK:
                content = json.loads(file.read_text())
                content["cells"][0]["source"] = ONE
                file.write_text(json.dumps(content))
        return path

    async def renew(self) -> None:
        """End all kernels; notebooks are others from now on."""
        self._generation += 1
        rest = JupyterRest(self.running.url, Token(self.running.token))
        kernels = await rest.kernels()
        await asyncio.gather(*(rest.shut_down_kernel(kernel.id) for kernel in kernels))
        await rest.close()

    async def cells(self, path: str) -> Cells:
        """The cells of a notebook's live document."""
        rest = JupyterRest(self.running.url, Token(self.running.token))
        async with bare_replica(rest, path) as replica:
            cells: Cells = replica.cells.to_py() or []
        await rest.close()
        return cells


class Floor:
    """The bare protocol."""

    name = FLOOR

    def __init__(self, place: Place) -> None:
        self.place = place
        self._bare: dict[str, Bare] = {}

    async def prepare(self, task: Task) -> None:
        if task.notebook == NEW:
            self._bare[NEW] = Bare(self.place.proxy.url, self.place.running.token)
        elif task.notebook not in self._bare:
            bare = Bare(self.place.proxy.url, self.place.running.token)
            await bare.use(self.place.path(task.notebook, 0))
            self._bare[task.notebook] = bare

    async def round(self, task: Task, number: int) -> Sample:
        one = Round(number, self.place.path(task.notebook, number))
        self.place.proxy.take()
        began = time.perf_counter()
        async with asyncio.timeout(task.timeout):
            await task.bare(self._bare[task.notebook], one)
        took = (time.perf_counter() - began) * 1000
        return Sample(took=took, traffic=self.place.proxy.take())

    async def cells(self, task: Task) -> Cells:
        return []

    async def restart(self) -> None:
        await self.close()
        await self.place.renew()

    async def close(self) -> None:
        for bare in self._bare.values():
            await bare.close()
        self._bare.clear()


class Served:
    """A contender behind MCP."""

    def __init__(self, contender: Contender, environment: Environment, place: Place) -> None:
        self.name = contender.name
        self.contender = contender
        self.environment = environment
        self.place = place
        self.mcp: McpServer | None = None
        self._never_started = ""

    async def start(self) -> McpServer:
        """Start its process; one that did not start is not waited for again.

        Raises:
            ServerEndedError: It did not start.
        """
        if self._never_started:
            raise ServerEndedError(self._never_started)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PYTHON"))}
        variables = self.contender.variables(self.place.proxy.url, self.place.running.token)
        folder = Path(self.place.running.root).parent
        program = str(self.environment.folder / self.contender.script)
        try:
            self.mcp = await McpServer.start([program], {**inherited, **variables}, folder)
        except FAILED as error:
            self._never_started = f"did not start: {shortened(str(error) or 'no answer')}"
            raise ServerEndedError(self._never_started) from error
        return self.mcp

    async def prepare(self, task: Task) -> None:
        server = self.mcp or await self.start()
        if task.notebook != NEW:
            async with asyncio.timeout(60):
                path = self.place.path(task.notebook, 0)
                answer = await server.call(*self.contender.tools.use(path))
            if answer.refused:
                raise ServerEndedError(answer.text)

    async def round(self, task: Task, number: int) -> Sample:
        assert self.mcp is not None
        tools = self.contender.tools
        one = Round(number, self.place.path(task.notebook, number))
        calls = task.calls(tools, one)
        self.place.proxy.take()
        began = time.perf_counter()
        async with asyncio.timeout(task.timeout):
            answers = await asyncio.gather(*(self.mcp.call(*call) for call in calls))
        took = (time.perf_counter() - began) * 1000
        traffic = self.place.proxy.take()
        counted = tokens(answers) if number == 0 else (None, None)
        return Sample(
            took=took,
            problem=problem(task, tools, one, answers),
            traffic=traffic,
            tokens=counted[0],
            structured_tokens=counted[1],
        )

    async def cells(self, task: Task) -> Cells:
        return await self.place.cells(self.place.path(task.notebook, 0))

    async def restart(self) -> None:
        await self.stop()
        await self.place.renew()

    async def stop(self) -> None:
        """End its process."""
        if self.mcp is not None:
            await self.mcp.stop()
            self.mcp = None


def tokens(answers: Sequence[Answer]) -> tuple[int, int]:
    """Tokens of the text and of the structured content of answers."""
    text = sum(o200k_tokens(answer.text) for answer in answers)
    return text, sum(o200k_tokens(answer.structured) for answer in answers)


async def in_turns(task: Task, entrants: Sequence[Entrant], most: int) -> dict[str, Result]:
    """Let all do a task, round by round; who fails does not go on with it, and begins anew.

    Args:
        task: The task.
        entrants: Who does it.
        most: Rounds at most.
    """
    samples: dict[str, list[Sample]] = {entrant.name: [] for entrant in entrants}
    failed: dict[str, str] = {}
    began = time.monotonic()
    # nobody always follows the same one, whose work may have an aftermath
    orders = [*itertools.permutations(entrants)]
    for number in range(-1, min(task.rounds, most) + 1):
        if number > 1 and time.monotonic() - began > TASK_TIME:
            break
        for entrant in orders[_STRIDE * number % len(orders)]:
            if entrant.name in failed:
                continue
            try:
                if number < 0:
                    await entrant.prepare(task)
                else:
                    samples[entrant.name].append(await entrant.round(task, number))
            except FAILED as error:
                failed[entrant.name] = _failure(task, error)
                await entrant.restart()
    results: dict[str, Result] = {}
    for entrant in entrants:
        rounds = samples[entrant.name]
        if (said := failed.get(entrant.name)) is not None:
            results[entrant.name] = folded([*rounds, Sample(took=0.0, problem=said)])
        else:
            lost = await _lost(task, entrant, len(rounds))
            results[entrant.name] = folded(rounds, lost)
    return results


def _failure(task: Task, error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {task.timeout:.0f} s"
    return shortened(str(error))


async def _lost(task: Task, entrant: Entrant, rounds: int) -> str:
    """What the notebook lacks after the rounds; who writes late has a moment."""
    if entrant.name == FLOOR or task.notebook == NEW:
        return ""
    deadline = time.monotonic() + DOCUMENT_TIMEOUT
    while not task.document(await entrant.cells(task), rounds):
        if time.monotonic() > deadline:
            return "the notebook does not have what was answered"
    return ""
