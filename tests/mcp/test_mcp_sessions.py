# SPDX-License-Identifier: BSD-3-Clause
"""Several clients of one endpoint: each has its own notebooks, and all share what is costly."""

import random
from pathlib import Path
from typing import Any

import anyio
import mcp.types as types
import pytest
from mcp import Client
from mcp_http import VERSIONS, Era, mcp_http
from mcp_process import mcp_process
from servers import RunningServer

both_eras = pytest.mark.parametrize("era", list(VERSIONS))
CLIENTS = 4
CALLS = 1_000


async def call(client: Client, tool: str, /, **arguments: Any) -> tuple[bool, str]:
    result = await client.call_tool(tool, arguments)
    texts = [block.text for block in result.content if isinstance(block, types.TextContent)]
    return bool(result.is_error), "\n".join(texts)


async def said(client: Client, tool: str, /, **arguments: Any) -> str:
    refused, text = await call(client, tool, **arguments)
    assert not refused, text
    return text


async def refusal(client: Client, tool: str, /, **arguments: Any) -> str:
    refused, text = await call(client, tool, **arguments)
    assert refused, text
    return text


async def kernels(client: Client) -> list[str]:
    listed = (await said(client, "list_kernels")).split("\n\n")[0].splitlines()[1:]
    return [line.split("\t")[0] for line in listed if line != "(no kernel is running)"]


class Agent:
    """A client at work on a notebook of its own, which knows what has to be in it."""

    def __init__(self, era: Era, client: Client, number: int, folder: str) -> None:
        self.client = client
        self.name = f"nb{number}" if era == "auto" else "nb"
        self.named = {"notebook_name": self.name} if era == "auto" else {}
        self.path = f"{folder}/{number}.ipynb"
        self.number = number
        self.sources: list[str] = []
        self.undoable = False

    async def begin(self) -> None:
        await said(
            self.client,
            "use_notebook",
            notebook_name=self.name,
            notebook_path=self.path,
            mode="create",
        )
        await said(self.client, "execute_code", code=f"mine = {self.number}", **self.named)

    async def work(self, chance: random.Random) -> None:
        """Make a call at random, and check its answer."""
        what = chance.choice(["insert", "insert", "read", "read", "look", "undo", "run", "list"])
        if what == "insert":
            source = f"{self.number}: {chance.random()}"
            index = chance.randint(0, len(self.sources))
            place = {"cell_index": index, "cell_type": "raw", "cell_source": source}
            await said(self.client, "insert_cell", **place, **self.named)
            self.sources.insert(index, source)
            self.last, self.undoable = index, True
        elif what == "undo" and self.undoable:
            await said(self.client, "undo_edits", **self.named)
            del self.sources[self.last]
            self.undoable = False
        elif what == "look" and self.sources:
            index = chance.randrange(len(self.sources))
            text = await said(self.client, "read_cell", cell_index=index, **self.named)
            assert self.sources[index] in text.splitlines()
        elif what == "run":
            text = await said(self.client, "execute_code", code="mine", **self.named)
            assert text.splitlines()[0] == str(self.number)
        elif what == "list":
            text = await said(self.client, "list_notebooks")
            assert f"{self.name}\t{self.path}\t" in text
        else:
            await self.check()

    async def check(self) -> None:
        text = await said(self.client, "read_notebook", limit=0, **self.named)
        shown = [line.split("\t") for line in text.splitlines() if line.split("\t")[0].isdecimal()]
        assert [next(cell for cell in row if ": 0." in cell) for row in shown] == self.sources


@both_eras
@pytest.mark.timeout(240)
async def test_four_clients_and_a_thousand_interleaved_calls_never_meet(
    era: Era, work: Path, on_lab: dict[str, str], folder: str, lab: RunningServer
) -> None:
    # lists are of the folder alone: the lab has hundreds by now
    here = on_lab | {"JUPYTER_MCP_ROOT": folder}
    async with (
        mcp_http(work, here) as server,
        server.client(era) as first,
        server.client(era) as second,
        server.client(era) as third,
        server.client(era) as fourth,
    ):
        clients = (first, second, third, fourth)
        agents = [Agent(era, client, number, folder) for number, client in enumerate(clients)]

        async def run(agent: Agent) -> None:
            await agent.begin()
            chance = random.Random(agent.number)  # noqa: S311 (a test that can be repeated)
            for _ in range(CALLS // CLIENTS):
                await agent.work(chance)
            await agent.check()

        with anyio.fail_after(200):
            async with anyio.create_task_group() as group:
                for agent in agents:
                    group.start_soon(run, agent)
        assert b"Traceback" not in server.written
        for agent in agents:
            assert agent.sources


async def test_a_session_has_its_own_names_current_notebook_and_undo(
    work: Path, on_lab: dict[str, str], folder: str
) -> None:
    path = f"{folder}/nb.ipynb"
    async with (
        mcp_http(work, on_lab) as server,
        server.client("legacy") as first,
        server.client("legacy") as second,
    ):
        await said(first, "use_notebook", notebook_name="nb", notebook_path=path, mode="create")
        assert "No notebook is in use: call use_notebook" in await refusal(second, "read_notebook")
        other = f"{folder}/other.ipynb"
        await said(second, "use_notebook", notebook_name="nb", notebook_path=other, mode="create")
        await said(second, "use_notebook", notebook_name="same", notebook_path=path)
        await said(first, "insert_cell", cell_index=0, cell_type="code", cell_source="first")
        assert "\tfirst" in await said(second, "read_notebook")
        assert "there is none to undo" in await refusal(second, "undo_edits")
        assert "\tfirst" in await said(second, "read_notebook", notebook_name="same")
        # it is one kernel, and the last one to let go of it ends it
        await said(first, "execute_code", code="x = 6")
        assert (await said(second, "execute_code", code="x * 7")).startswith("42\n")
        assert "was left running: it is in use here" in await said(
            first, "unuse_notebook", notebook_name="nb"
        )
        assert "was shut down" in await said(second, "unuse_notebook", notebook_name="same")


async def test_without_sessions_a_call_names_its_notebook_and_names_are_shared(
    work: Path, on_lab: dict[str, str], folder: str
) -> None:
    path = f"{folder}/nb.ipynb"
    async with mcp_http(work, on_lab) as server:
        async with server.client("auto") as first:
            answer = await said(
                first, "use_notebook", notebook_name="nb", notebook_path=path, mode="create"
            )
            assert "in use as 'nb': pass that as notebook_name in every call" in answer
            text = await refusal(
                first, "insert_cell", cell_index=0, cell_type="code", cell_source=""
            )
            assert text.endswith("In use: nb")
            named = {"notebook_name": "nb"}
            await said(
                first, "insert_cell", cell_index=0, cell_type="code", cell_source="x", **named
            )
        async with server.client("auto") as second:
            # what is remembered belongs to the name
            cursor = (await said(second, "read_notebook", **named)).rpartition("cursor ")[2]
            assert cursor
            assert "another name" in await refusal(
                second, "use_notebook", **named, notebook_path=f"{folder}/other.ipynb"
            )
            await said(second, "undo_edits", **named)
            assert "\tx\t" not in await said(second, "read_notebook", **named)


async def test_a_session_that_ends_lets_go_of_its_notebooks_and_kernels(
    work: Path, on_lab: dict[str, str], folder: str, lab: RunningServer
) -> None:
    async with mcp_http(work, on_lab) as server, server.client("legacy") as watcher:
        before = set(await kernels(watcher))
        async with server.client("legacy") as client:
            use = {"notebook_name": "nb", "notebook_path": f"{folder}/nb.ipynb", "mode": "create"}
            await said(client, "use_notebook", **use)
            [started] = set(await kernels(watcher)) - before
        with anyio.fail_after(10):
            while started in await kernels(watcher):
                pass  # each look is a round trip


async def test_over_stdin_and_stdout_both_eras_remember_the_current_notebook(
    work: Path, on_lab: dict[str, str], folder: str
) -> None:
    async with mcp_process(work, on_lab) as server:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        use = {"notebook_name": "nb", "notebook_path": f"{folder}/nb.ipynb", "mode": "create"}
        for tool, arguments in (("use_notebook", use), ("read_notebook", {})):
            result = await server.request("tools/call", name=tool, arguments=arguments, _meta=meta)
            assert not result["isError"], result
