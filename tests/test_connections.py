# SPDX-License-Identifier: BSD-3-Clause
"""What handles share goes with the last who lets go of it, whatever happens meanwhile."""

import gc
from functools import partial
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus
from httpx import Response
from stand_in import stand_in

from jupyter_agent_core import ConnectionLostError, NotebookNotFoundError, connect
from jupyter_agent_core._document.model import NotebookDocument
from jupyter_agent_core._handles import kernel_release
from jupyter_agent_core._handles.connections import Background, Counted
from jupyter_agent_core._http.auth import Token
from jupyter_agent_core._http.rest import JupyterRest


class Things:
    """Makes things, whose key is looked at for as long as a test says so.

    Attributes:
        closed: The things that were closed.
        answer: What is said of the key of a thing, or raised.
    """

    def __init__(self) -> None:
        self.closed: list[str] = []
        self.answer: bool | Exception = True
        self.looking = anyio.Event()
        self.looked_at = anyio.Event()
        self.counted: Counted[str] = Counted(
            self._make, self.closed.__contains__, self._close, self._is_for
        )
        self._made = 0

    async def _make(self, key: str) -> str:
        self._made += 1
        return f"{key} {self._made}"

    async def _close(self, thing: str) -> None:
        self.closed.append(thing)

    async def _is_for(self, thing: str, key: str) -> bool:
        self.looking.set()
        await self.looked_at.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def acquired_while_the_other_lets_go(self) -> str:
        """Return what a second user gets whose first one lets go while it is looked at."""
        first = await self.counted.acquire("a")
        got: list[str] = []

        async def acquire(*, task_status: TaskStatus[None]) -> None:
            task_status.started()
            got.append(await self.counted.acquire("a"))

        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                await group.start(acquire)
                await self.looking.wait()
                assert not self.counted.release(first)
                self.looked_at.set()
        return got[0]


@pytest.fixture
def things() -> Things:
    return Things()


async def test_a_thing_that_is_looked_at_stays_for_who_wants_it(things: Things) -> None:
    assert await things.acquired_while_the_other_lets_go() == "a 1"
    assert things.closed == []
    assert things.counted.release(things.counted.things[0])
    assert things.counted.things == []


async def test_a_thing_that_nobody_has_after_it_was_looked_at_is_closed(things: Things) -> None:
    things.answer = False
    assert await things.acquired_while_the_other_lets_go() == "a 2"
    assert things.closed == ["a 1"]
    assert things.counted.things == ["a 2"]


async def test_a_thing_that_cannot_be_looked_at_is_closed_if_nobody_has_it(things: Things) -> None:
    things.answer = ConnectionLostError("a", "no answer", applied="no")
    with pytest.RaisesGroup(ConnectionLostError):
        await things.acquired_while_the_other_lets_go()
    assert things.closed == ["a 1"]
    assert things.counted.things == []


async def test_a_lock_goes_with_the_last_who_wants_its_thing(things: Things) -> None:
    for key in ("a", "b"):
        await things.counted.acquire(key)
    assert not things.counted._locks


# --- tasks in the background


async def test_what_begins_when_everything_is_being_closed_ends_at_once() -> None:
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            background = Background(group)
            background.cancel()
            background.start_soon(anyio.sleep_forever)
            with pytest.raises(ConnectionLostError, match="everything is being closed"):
                await background.start_uncut(never_started)


async def never_started(*, task_status: TaskStatus[None]) -> None:
    await anyio.sleep_forever()


async def test_a_fault_of_a_task_is_told_to_who_waits_for_its_start_or_to_all() -> None:
    async def fails(at_once: bool, *, task_status: TaskStatus[None]) -> None:
        if not at_once:
            task_status.started()
        raise NotebookNotFoundError("a.ipynb")

    with pytest.RaisesGroup(NotebookNotFoundError):
        async with anyio.create_task_group() as group:
            background = Background(group)
            with pytest.raises(NotebookNotFoundError):
                await background.start_uncut(partial(fails, True))
            await background.start_uncut(partial(fails, False))


# --- kernels


def counted_as(connections: int) -> Response:
    model = {"id": "k", "name": "python3", "execution_state": "idle", "connections": connections}
    return Response(200, json=model)


@pytest.mark.parametrize("ends", [True, False], ids=["it ends", "it does not"])
async def test_a_connection_that_nobody_waits_for_is_not_taken_for_somebody_elses_if_it_ends(
    ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_release, "ENDED_WITHIN", 5.0 if ends else 0.0)
    answers = {"GET /api/kernels/k": [counted_as(1), counted_as(0 if ends else 1)]}
    ended, shut_down = anyio.Event(), []

    async def end_kernel(kernel_id: str) -> None:
        shut_down.append(kernel_id)

    async def end() -> None:
        ended.set()

    def abandoned_at(kernel_id: str) -> list[Any]:
        if ends:
            group.start_soon(end)
        return [SimpleNamespace(ended=ended)]

    async with stand_in(answers) as standing, JupyterRest(standing.url, Token("t")) as rest:
        shared: Any = SimpleNamespace(
            kernels=rest,
            kernel_mode="collaboration",
            started_kernels={"k": None},
            detached_kernels=set(),
            abandoned_at=abandoned_at,
            is_used=lambda _: False,
            end_kernel=end_kernel,
        )
        async with anyio.create_task_group() as group:
            left = kernel_release.LeftKernel("k", unused=True)
            release = await kernel_release.end_if_ours(shared, left)
    assert release.shut_down is ends
    assert shut_down == ["k"] * ends
    assert ends or release.reason == "1 other client(s) are connected to it"


async def test_connections_that_were_cut_as_they_were_made_are_not_subtracted_from_the_others() -> (
    None
):
    answers = {"GET /api/kernels/k": [counted_as(number) for number in (0, -2, 0, 1, -1)]}
    async with stand_in(answers) as standing, JupyterRest(standing.url, Token("t")) as rest:
        counted = [(await rest.kernel("k")).connections for _ in range(5)]
    assert counted == [0, 0, 2, 3, 1]


# --- notebooks


@pytest.mark.parametrize("kind", ["lab", "plain"])
async def test_a_notebook_that_cannot_be_opened_leaves_nothing_behind(
    kind: str, request: pytest.FixtureRequest
) -> None:
    running = request.getfixturevalue(kind)
    async with connect(running.url, token=running.token) as server:
        await anyio.wait_all_tasks_blocked()
        scopes = server._connections.background._scopes
        known, before = documents(), len(scopes)
        with pytest.raises(NotebookNotFoundError):
            await server.open_notebook("missing.ipynb")
        # one of an earlier test may be gone by now
        assert [new for new in documents() if not any(new is old for old in known)] == []
        assert len(scopes) == before


def documents() -> list[NotebookDocument]:
    """The documents that are in memory."""
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, NotebookDocument)]
