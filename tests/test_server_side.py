# SPDX-License-Identifier: BSD-3-Clause
"""What becomes of runs that a server executes and does not tell enough of, without the server."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest

from jupyter_agent_core import (
    AuthenticationError,
    ConnectionLostError,
    InputRequest,
    JupyterAgentError,
    KernelInfo,
    KernelNotFoundError,
    KernelUnavailableError,
    RequestError,
    ServerUnreachableError,
)
from jupyter_agent_core._document.editor import Editor
from jupyter_agent_core._document.model import NotebookDocument
from jupyter_agent_core._document.operations import InsertCell
from jupyter_agent_core._execution import server_side
from jupyter_agent_core._execution.channels import KernelChannels
from jupyter_agent_core._execution.detached import DetachedExecution, DetachedRun
from jupyter_agent_core._execution.server_side import CellExecution, ServerSideRuns
from jupyter_agent_core._handles.cell_run import _start_server_side
from jupyter_agent_core._handles.run import RunLog
from jupyter_agent_core._http.server_runs import RunRequest

SILENT = ServerUnreachableError("http://test", "it is silent")
NO_KERNEL = RequestError("POST", "api/kernels/k/execute", 400, "the document has no kernel")
IDLE = KernelInfo("k", "python3", "idle", 1, None)
BUSY = attrs.evolve(IDLE, state="busy")
INTERRUPTED = {"output_type": "error", "ename": "KeyboardInterrupt", "evalue": "", "traceback": []}


def nothing() -> None:
    pass


@attrs.define
class Room:
    """A notebook whose server acknowledges what it is sent, or fails to."""

    document: NotebookDocument
    path: str = "n.ipynb"
    file_id: str = "f"
    lost: str | None = None
    failure: JupyterAgentError | None = None
    on_acknowledge: Callable[[], object] = nothing

    async def acknowledge(self) -> None:
        await anyio.lowlevel.checkpoint()
        if self.failure is not None:
            raise self.failure
        self.on_acknowledge()


class Rest:
    """A server that answers as it is told to, one time after the other."""

    def __init__(self) -> None:
        self.runs: list[bool | JupyterAgentError] = []
        self.looks: list[KernelInfo | JupyterAgentError] = []
        self.attached: list[str] = []

    async def run_cell(self, *_: str) -> bool:
        return await self._next(self.runs)

    async def kernel(self, kernel_id: str) -> KernelInfo:
        return await self._next(self.looks)

    async def session(self, path: str) -> None:
        await anyio.lowlevel.checkpoint()

    async def start_session(self, path: str, *, kernel_id: str) -> None:
        await anyio.lowlevel.checkpoint()
        self.attached.append(kernel_id)

    async def _next(self, answers: list[Any]) -> Any:
        await anyio.lowlevel.checkpoint()
        answer = answers.pop(0)
        if isinstance(answer, JupyterAgentError):
            raise answer
        return answer


@pytest.fixture
def room() -> Room:
    document = NotebookDocument()
    Editor(document).apply([InsertCell(source, "code", before=None) for source in "12"])
    return Room(document)


@pytest.fixture
def rest() -> Rest:
    return Rest()


@pytest.fixture
async def runs(room: Any, rest: Any, monkeypatch: pytest.MonkeyPatch) -> ServerSideRuns:
    for name in ("LISTEN_TIMEOUT", "WATCH_INTERVAL", "COUNT_TIMEOUT"):
        monkeypatch.setattr(server_side, name, 0.01)
    return ServerSideRuns(room, rest, "k")


def added(runs: ServerSideRuns, room: Room, number: int = 0) -> CellExecution:
    run = CellExecution(room.document, room.document.cell(room.document.ids[number]))
    runs.add(run)
    return run


def write(room: Room, *outputs: dict[str, Any], **fields: Any) -> None:
    """Let the server write into the first cell."""
    cell_id = room.document.ids[0]
    ycell, youtputs = room.document.ycell(cell_id), room.document.youtputs(cell_id)
    assert ycell is not None
    assert youtputs is not None
    youtputs.extend(outputs)
    for name, value in fields.items():
        ycell[name] = value


# --- `jupyter-server-documents`


async def test_a_run_of_which_nothing_comes_from_a_kernel_that_is_idle_is_given_up(
    runs: ServerSideRuns, room: Room, rest: Rest, caplog: pytest.LogCaptureFixture
) -> None:
    run, behind = added(runs, room), added(runs, room, 1)
    idle = [IDLE] * (server_side.LOOKS - 1)
    rest.runs, rest.looks = [True], [*idle, BUSY, *idle, SILENT, IDLE]
    assert (runs.pending, runs.state, runs.running) == (2, "idle", None)
    with anyio.fail_after(5):
        await runs.work()
    assert (run.status, behind.status) == ("disconnected", "aborted")
    assert (runs.pending, rest.looks) == (0, [])
    assert "does not tell of its end" in caplog.text
    # the document waits for a process that is no more, until it is attached to the next one
    again = added(runs, room)
    rest.runs, rest.looks = [True], [KernelNotFoundError("k", [])]
    with anyio.fail_after(5):
        await runs.work()
    assert (again.status, rest.attached) == ("kernel_gone", ["k"])


async def test_who_waits_for_a_run_that_the_server_will_not_be_given_goes_on(
    runs: ServerSideRuns, room: Room
) -> None:
    run = CellExecution(room.document, room.document.cell(room.document.ids[0]))
    assert runs.add(run)
    await runs.close()
    assert (run.status, run.given.is_set()) == ("aborted", True)
    # who works on the queue has not ended
    behind = CellExecution(room.document, run.cell)
    assert not runs.add(behind)
    assert runs.withdraw(behind)
    with anyio.fail_after(5):
        await runs.work()
    assert runs.pending == 0
    assert runs.add(run)


@pytest.mark.parametrize("has_it", [False, True], ids=["waiting", "at the server"])
async def test_a_call_that_is_cancelled_before_its_run_begins_withdraws_it_or_keeps_it_known(
    has_it: bool, runs: ServerSideRuns, room: Room
) -> None:
    cell = room.document.cell(room.document.ids[0])
    background = SimpleNamespace(start_soon=lambda _: None)
    connections: Any = SimpleNamespace(background=background, runs=RunLog(), rest=None)
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(_start_server_side, runs, connections, room.document, cell)
            await anyio.wait_all_tasks_blocked()
            if has_it:
                runs._current = runs._queue.popleft()
            scope.cancel()
    assert runs.pending == has_it
    assert len(connections.runs._runs) == has_it


async def test_the_end_of_a_run_that_is_seen_as_one_looks_is_its_end(
    runs: ServerSideRuns, room: Room, rest: Rest
) -> None:
    run = added(runs, room)
    rest.runs, rest.looks = [True], [IDLE]

    def count() -> None:
        if not rest.looks:
            write(room, execution_count=7)

    room.on_acknowledge = count
    with anyio.fail_after(5):
        await runs.work()
    assert (run.status, run.result().execution_count) == ("ok", 7)


@pytest.mark.parametrize(
    ("answers", "status"),
    [([NO_KERNEL, True], "disconnected"), ([NO_KERNEL, NO_KERNEL], "aborted")],
)
async def test_a_document_without_a_kernel_gets_one_once(
    runs: ServerSideRuns,
    room: Room,
    rest: Rest,
    answers: list[bool | JupyterAgentError],
    status: str,
) -> None:
    run = added(runs, room)
    rest.runs, room.lost = answers, "it was closed"
    with anyio.fail_after(5):
        await runs.work()
    assert (run.status, rest.attached) == (status, ["k"])
    assert isinstance(run.refused, KernelUnavailableError) == (status == "aborted")


@pytest.mark.parametrize("failure", [None, SILENT])
@pytest.mark.parametrize(
    ("outputs", "status"), [([INTERRUPTED], "kernel_restarted"), ([], "kernel_died")]
)
async def test_a_kernel_that_interrupts_first_was_restarted_and_did_not_die(
    runs: ServerSideRuns,
    room: Room,
    rest: Rest,
    failure: JupyterAgentError | None,
    outputs: list[dict[str, Any]],
    status: str,
) -> None:
    await runs._on_end_of_kernel("kernel_died")  # nothing of ours runs
    run = added(runs, room)
    rest.runs, rest.looks = [True], [BUSY] * 500
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(runs.work)
            await run.given.wait()
            write(room, *outputs)
            room.failure = failure
            await runs._on_end_of_kernel("kernel_died")
    assert run.status == status


# --- `jupyter-server-nbmodel`


@attrs.define
class Told:
    """What such a server tells of one run, one time after the other."""

    answers: list[RunRequest | JupyterAgentError]
    failure: JupyterAgentError | None = None
    given: list[str] = attrs.field(factory=list)

    async def request(self, *_: str) -> RunRequest:
        await anyio.lowlevel.checkpoint()
        answer = self.answers.pop(0)
        if isinstance(answer, JupyterAgentError):
            raise answer
        return answer

    async def answer(self, kernel_id: str, answer: str) -> None:
        await anyio.lowlevel.checkpoint()
        self.given.append(answer)
        if self.failure is not None:
            raise self.failure


def detached(room: Any, rest: Any, server: Any) -> DetachedRun:
    rest.looks = [BUSY] * len(server.answers)
    run = DetachedRun(room, rest, KernelChannels(rest, "k"))
    run._server = server
    return run


PENDING = RunRequest(True, None, None, None, (), None)
DONE = RunRequest(False, "ok", None, None, (), 3)
ASKED = attrs.evolve(PENDING, asked=InputRequest("Name?", password=False))
REFUSED = AuthenticationError("http://test", 403, "refuses the token", "give another one")


@pytest.mark.parametrize(
    ("answers", "lost", "status"),
    [
        ([PENDING, SILENT, DONE], None, "ok"),
        ([PENDING, SILENT], "it was closed", "disconnected"),
        ([PENDING, REFUSED], None, "disconnected"),
    ],
)
async def test_a_server_that_does_not_answer_is_asked_again_as_long_as_that_makes_sense(
    room: Room,
    rest: Rest,
    answers: list[RunRequest | JupyterAgentError],
    lost: str | None,
    status: str,
) -> None:
    room.lost = lost
    server = Told(list(answers))
    run = DetachedExecution(room.document.cell(room.document.ids[0]), None)
    followed = detached(room, rest, server)
    with anyio.fail_after(5):
        await followed.follow(run)
    assert (run.status, server.answers) == (status, [])
    assert not followed.withdraw(run)
    assert (followed.state, followed.running) == ("reconnecting", None)


@pytest.mark.parametrize("failure", [None, ConnectionLostError("the server", "it broke", "no")])
async def test_an_answer_that_does_not_reach_the_server_ends_no_run(
    room: Room, rest: Rest, failure: JupyterAgentError | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(request: InputRequest) -> str:
        return "Ada"

    server = Told([ASKED, ASKED, DONE], failure)
    run = DetachedExecution(room.document.cell(room.document.ids[0]), answer)
    with anyio.fail_after(5):
        await detached(room, rest, server).follow(run)
    assert (run.status, server.given) == ("ok", ["Ada"])
    assert ("its question is not answered" in caplog.text) == (failure is not None)


async def test_a_question_that_the_code_takes_back_is_not_answered(room: Room, rest: Rest) -> None:
    async def answer(request: InputRequest) -> str:
        await anyio.sleep_forever()
        return "too late"

    server = Told([ASKED, PENDING, DONE])
    run = DetachedExecution(room.document.cell(room.document.ids[0]), answer)
    with anyio.fail_after(5):
        await detached(room, rest, server).follow(run)
    assert (run.status, server.given) == ("ok", [])
