# SPDX-License-Identifier: BSD-3-Clause
"""The whole run: starts, imports, tasks, what idles, and what it was measured on."""

import asyncio
import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from corpus.tokenizer import o200k_tokens
from servers import jupyter_server

from .bare import Bare
from .contenders import CONTENDERS, FLOOR, OURS
from .counting import CountingProxy
from .environments import environment
from .results import Result, Sample, folded
from .running import FAILED, TASK_TIME, Entrant, Floor, Place, Served, in_turns
from .stdio import ServerEndedError
from .tasks import FLOOD_TASK, NEW, ONE, TASKS, Task, shortened

SERVER = ("jupyterlab", "jupyter-collaboration", "jupyter-server", "pycrdt", "ipykernel")
STARTS, IMPORTS = 4, 4
IDLE = 20.0
"""Seconds."""
SETTLE = 3.0
PROCESS_TIMEOUT = 60.0

Data = dict[str, Any]


async def measured(rounds: int) -> Data:
    """Measure everything.

    Args:
        rounds: Of each task, at most.
    """
    load_before = os.getloadavg()[0]
    async with _all() as (floor, served):
        tasks = await _starts(served, floor.place, min(STARTS, rounds))
        facts = {one.name: await _facts(one) for one in served}
        for name, taken in (await _imports(served, min(IMPORTS, rounds))).items():
            facts[name]["import_ms"] = taken
        tasks += await _done([floor, *served], TASKS, rounds)
        await _idle(served, facts)
        tasks += await _done([floor, *served], [FLOOD_TASK], rounds)  # after it, memory is used
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "rounds": rounds,
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.system(),
            "load_before": round(load_before, 1),
            "load_after": round(os.getloadavg()[0], 1),
        },
        "server": {name: importlib.metadata.version(name) for name in SERVER},
        "contenders": facts,
        "tasks": tasks,
    }


async def some(keys: Sequence[str], rounds: int) -> Data:
    """Only some tasks, without the facts: not enough for the page.

    Args:
        keys: Of the tasks.
        rounds: Of each task, at most.

    Raises:
        SystemExit: There is no such task.
    """
    known = {task.key: task for task in (*TASKS, FLOOD_TASK)}
    if unknown := [key for key in keys if key not in known]:
        raise SystemExit(f"{unknown[0]!r} is none of {', '.join(known)}")
    async with _all() as (floor, served):
        done = await _done([floor, *served], [known[key] for key in keys], rounds)
        return {"contenders": dict.fromkeys(one.name for one in served), "tasks": done}


@asynccontextmanager
async def _all() -> AsyncIterator[tuple[Floor, list[Served]]]:
    """Everybody who takes part, and at the end nothing of them."""
    environments = {one.name: environment(one) for one in CONTENDERS}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        places = {name: await _place(stack, folder / name) for name in (FLOOR, *environments)}
        floor = Floor(places[FLOOR])
        served = [Served(one, environments[one.name], places[one.name]) for one in CONTENDERS]
        try:
            yield floor, served
        finally:
            await asyncio.gather(*(one.restart() for one in (floor, *served)))


async def _done(entrants: Sequence[Entrant], tasks: Sequence[Task], rounds: int) -> list[Data]:
    """Tasks one after the other, each in turns."""
    done: list[Data] = []
    for task in tasks:
        print(f"{time.strftime('%X')}  {task.title}", flush=True)
        results = await in_turns(task, entrants, rounds)
        done.append({"key": task.key, "title": task.title, "results": results})
    return done


async def _place(stack: AsyncExitStack, folder: Path) -> Place:
    """A JupyterLab with live documents, and a proxy before it."""
    folder.mkdir()
    running = await asyncio.to_thread(
        lambda: stack.enter_context(jupyter_server(folder, module="jupyterlab", extensions={}))
    )
    return Place(running, await stack.enter_async_context(CountingProxy.before(running.port)))


async def _starts(served: Sequence[Served], place: Place, rounds: int) -> list[Data]:
    """From the spawn to `initialize`, and on to the first result in a cell."""
    starts: dict[str, list[Sample]] = {one.name: [] for one in served}
    firsts: dict[str, list[Sample]] = {one.name: [] for one in served}
    starts[FLOOR], firsts[FLOOR] = [], []
    began = time.monotonic()
    for number in range(rounds + 1):
        if number > 2 and time.monotonic() - began > TASK_TIME:
            break
        print(f"{time.strftime('%X')}  start, round {number}", flush=True)
        starts[FLOOR].append(Sample(took=await _python(sys.executable, "import mcp")))
        firsts[FLOOR].append(Sample(took=await _bare_first(place, number)))
        for one in served:
            start, first = await _first(one, number)
            starts[one.name].append(start)
            firsts[one.name].append(first)
            await one.restart()
    await place.renew()
    titles = {
        "start": ("spawn until `initialize` is answered (floor: `import mcp`)", starts),
        "first_result": ("spawn, open a notebook, insert and execute `1+1`", firsts),
    }
    return [
        {"key": key, "title": title, "results": _folded(samples)}
        for key, (title, samples) in titles.items()
    ]


def _folded(samples: dict[str, list[Sample]]) -> dict[str, Result]:
    names = [FLOOR, *(name for name in samples if name != FLOOR)]
    return {name: folded(samples[name]) for name in names}


async def _bare_first(place: Place, number: int) -> float:
    bare = Bare(place.proxy.url, place.running.token)
    began = time.perf_counter()
    await bare.use(place.path(NEW, number))
    await bare.insert("first0000")
    await bare.run(ONE)
    took = (time.perf_counter() - began) * 1000
    await bare.close()
    return took


async def _first(one: Served, number: int) -> tuple[Sample, Sample]:
    """A start, and the first result after it."""
    tools = one.contender.tools
    began = time.perf_counter()
    try:
        server = await one.start()
        start = Sample(took=server.started)
        async with asyncio.timeout(PROCESS_TIMEOUT):
            opened = await server.call(*tools.use(one.place.path(NEW, number)))
            answer = await server.call(*tools.insert_run(ONE))
    except FAILED as error:
        failed = Sample(took=0.0, problem=f"did not start: {shortened(str(error))}")
        return failed, failed
    took = (time.perf_counter() - began) * 1000
    right = not opened.refused and tools.output(answer).strip() == "2"
    return start, Sample(took=took, problem="" if right else shortened(answer.text))


async def _python(python: str, code: str) -> float:
    """Milliseconds of a Python that runs code and ends."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(python, "-P", "-c", code, env=variables)
    async with asyncio.timeout(PROCESS_TIMEOUT):
        if await process.wait():
            raise ServerEndedError(code)
    return (time.perf_counter() - began) * 1000


async def _imports(served: Sequence[Served], rounds: int) -> dict[str, float]:
    """Median milliseconds of a process that imports, in turns."""
    taken: dict[str, list[float]] = {one.name: [] for one in served}
    for number in range(rounds + 1):
        for one in served:
            with contextlib.suppress(*FAILED):  # then the page has no time of it
                took = await _python(one.environment.python, one.contender.imports)
                if number:
                    taken[one.name].append(took)
    return {name: round(statistics.median(times), 1) for name, times in taken.items() if times}


async def _facts(one: Served) -> Data:
    """What can be counted without a task."""
    names = [package.partition("==")[0] for package in one.contender.packages]
    if one.name == OURS:
        names = ["jupyter-agent-core"]
    facts: Data = {
        "versions": {name: one.environment.versions[name] for name in (*names, "mcp")},
        "imports": one.contender.imports,
        "size": one.environment.size,
        "packages": len(one.environment.versions),
    }
    try:
        server = one.mcp or await one.start()
        async with asyncio.timeout(PROCESS_TIMEOUT):
            tools = await server.tools()
    except FAILED:
        return facts
    kept = ("name", "description", "inputSchema")  # what hosts show the model
    shown = [{key: tool.get(key) for key in kept} for tool in tools]
    return facts | {
        "tools": len(tools),
        "tools_tokens": o200k_tokens(_compact(shown)),
        "tools_bytes": len(_compact(tools).encode()),
    }


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


async def _idle(served: Sequence[Served], facts: dict[str, Data]) -> None:
    """Memory and CPU of all of them while nothing is asked."""
    await asyncio.sleep(SETTLE)  # what they do after their last answer is not idling
    alive = [one for one in served if one.mcp is not None]
    before = {one.name: _cpu(one) for one in alive}
    began = time.monotonic()
    await asyncio.sleep(IDLE)
    for one in alive:
        assert one.mcp is not None
        spent = (_cpu(one) - before[one.name]) / (time.monotonic() - began)
        facts[one.name]["idle_cpu"] = round(spent, 5)
        facts[one.name]["memory"] = sum(p.memory_info().rss for p in one.mcp.processes())


def _cpu(one: Served) -> float:
    assert one.mcp is not None
    times = [process.cpu_times() for process in one.mcp.processes()]
    return sum(taken.user + taken.system for taken in times)
