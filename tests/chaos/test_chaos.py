# SPDX-License-Identifier: BSD-3-Clause
"""Everything breaks in any order, while three collaborators edit and run.

`CHAOS_SEED` and `CHAOS_SECONDS` set what is done and for how long. The choices follow the seed;
when exactly something breaks is up to the machine.
"""

import os
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import nbformat
import pytest
from chaos.actors import BOUND, Agent, Human
from chaos.faults import Faults
from chaos.ledger import Ledger
from collaborator import collaborator
from servers import Proxy, Restartable, restartable_server

from jupyter_agent_core import connect

SECONDS = float(os.environ.get("CHAOS_SECONDS", "120"))
SEED = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(10**6))
PATH = "shared.ipynb"
AGENTS = ("alpha", "beta")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Restartable]:
    async with restartable_server(tmp_path) as place:
        yield place


@pytest.mark.chaos
@pytest.mark.timeout(SECONDS + 600)
async def test_whatever_breaks_no_acknowledged_edit_is_lost_or_doubled(place: Restartable) -> None:
    print(f"CHAOS_SEED={SEED} CHAOS_SECONDS={SECONDS:g}")
    ledger = Ledger()
    async with AsyncExitStack() as stack:
        proxies, agents = [], []
        for name in AGENTS:
            proxy = await stack.enter_async_context(Proxy.before(place.server.port))
            token = place.server.token
            server = await stack.enter_async_context(connect(proxy.url, token=token, username=name))
            notebook = await server.open_notebook(PATH, create=not agents)
            if not agents:
                for number in range(3):
                    await notebook.append_cell(f"# shared {number}")
                await notebook.save()
            chance = random.Random(f"{SEED} {name}")  # noqa: S311
            agents.append(Agent(name, server, notebook, ledger, chance))
            proxies.append(proxy)
        place.proxies.extend(proxies)
        human = Human("human", place, PATH, ledger, random.Random(f"{SEED} human"))  # noqa: S311
        chance = random.Random(f"{SEED} faults")  # noqa: S311
        faults = Faults(place, proxies, human, PATH, ledger, chance)
        await break_things(agents, human, faults)
        for agent in agents:
            await agent.finish()
        await check_converged(place, agents, ledger)
    print(*ledger.story, sep="\n")
    for outcome, count in sorted(ledger.outcomes.items()):
        print(f"{count:5} {outcome}")
    assert not ledger.defects, "\n".join(ledger.defects)


async def break_things(agents: list[Agent], human: Human, faults: Faults) -> None:
    """Let all work, and something break all the time."""
    deadline = anyio.current_time() + SECONDS

    def over() -> bool:
        return anyio.current_time() > deadline

    async def work(agent: Agent) -> None:
        while not over():
            await agent.act()

    async with anyio.create_task_group() as group:
        for agent in agents:
            group.start_soon(work, agent)
        group.start_soon(human.type_until, over)
        while not over():
            await faults.strike()
            await anyio.sleep(3)  # some work gets done between two faults


async def check_converged(place: Restartable, agents: list[Agent], ledger: Ledger) -> None:
    """See that all have the same valid notebook, that nothing is lost and nothing doubled."""
    for agent in agents:
        await agent.notebook.save()
    async with collaborator(place.server, PATH) as newcomer:
        await newcomer.pull()
        cells = newcomer.cells()
        for agent in agents:
            with anyio.fail_after(BOUND):
                while [cell["source"] for cell in cells] != await sources(agent):
                    await anyio.sleep(0.1)
                    await newcomer.pull()
                    cells = newcomer.cells()
    ids = [cell["id"] for cell in cells]
    assert len(set(ids)) == len(ids)
    ledger.check(cells)
    written = nbformat.read(place.server.root / PATH, as_version=4)
    nbformat.validate(written)
    assert [cell.source for cell in written.cells] == [cell["source"] for cell in cells]


async def sources(agent: Agent) -> list[Any]:
    return [cell.source for cell in await agent.notebook.read()]
