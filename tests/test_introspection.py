# SPDX-License-Identifier: BSD-3-Clause
"""What a kernel is asked leaves nothing behind, is bounded, and is answered while code runs."""

import ast
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from questions import begun, got, ok, texts
from servers import Proxy, RunningServer, install_kernelspec
from websockets.asyncio.client import connect as open_websocket

from jupyter_agent_core import (
    ConnectionLostError,
    Kernel,
    KernelBusyError,
    KernelTimeoutError,
    LanguageNotSupportedError,
    Notebook,
    Server,
    Workspace,
    connect,
)
from jupyter_agent_core import sync as blocking
from jupyter_agent_core._answers import VariableShown
from jupyter_agent_core._execution import kernel_code

SLEEP = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
# each of these is code of the user's, and ends the test if a list of variables runs it
HOSTILE = """
import time

def bad(*arguments):
    open('ran', 'w').close()
    print('hostile')
    time.sleep(600)

class Meta(type):
    __hash__ = __eq__ = __getattribute__ = __instancecheck__ = bad

class Hostile:
    __repr__ = __str__ = __len__ = __iter__ = __eq__ = __hash__ = __getattr__ = bad
    __class__ = __dict__ = shape = dtype = columns = property(bad)

class Worse(metaclass=Meta):
    __repr__ = bad

class List(list):
    __repr__ = __iter__ = __len__ = bad

objects = [Hostile(), Worse(), List([1])]
inside = {'a': objects, 'b': (objects[0],)}
one, two, three = objects
"""


@pytest.fixture
async def kernel(notebook: Notebook) -> Kernel:
    await notebook.kernel.execute("1", timeout=30, store_history=False)
    return notebook.kernel


@pytest.fixture
async def theirs(other: Server, kernel: Kernel) -> Kernel:
    """The same kernel, held by another client."""
    assert kernel.id is not None
    return other.kernel(kernel.id)


@pytest.fixture
async def old(server: Server, lab: RunningServer) -> AsyncIterator[Kernel]:
    """A kernel without subshells."""
    program = [sys.executable, str(Path(__file__).with_name("kernel_without_subshells.py"))]
    spec = install_kernelspec(lab.root.parent, "without-subshells", program)
    kernel = await server.start_kernel(spec.name)
    await kernel.execute("1", timeout=30)
    yield kernel
    await kernel.shutdown()
    shutil.rmtree(spec)


@pytest.fixture
async def bash(server: Server, lab: RunningServer) -> AsyncIterator[Kernel]:
    program = [sys.executable, "-m", "bash_kernel"]
    spec = install_kernelspec(lab.root.parent, "bash", program, "bash")
    kernel = await server.start_kernel(spec.name)
    await kernel.execute("true", timeout=30)
    yield kernel
    await kernel.shutdown()
    shutil.rmtree(spec)


# --- the rest of what can be asked


async def test_a_kernel_says_what_it_is(kernel: Kernel, lab: RunningServer, folder: str) -> None:
    facts = await kernel.facts()
    assert (facts.language, facts.implementation, facts.subshells) == ("python", "ipython", True)
    assert facts.language_version.startswith("3.")
    assert facts.executable is not None
    assert Path(facts.executable).exists()
    assert facts.working_directory == str(lab.root / folder)


async def test_a_kernel_completes_and_explains(kernel: Kernel) -> None:
    await ok(kernel, "def é_name(x):\n    'What it does.'")
    completions = await kernel.complete("y = é_na")
    assert completions.matches == ("é_name",)
    assert (completions.start, completions.end) == (4, 8)
    assert (await kernel.complete("é_na + 1", 4)).matches == ("é_name",)
    inspection = await kernel.inspect("é_name(1)", 3, detail=True)
    assert inspection.found
    assert "What it does." in inspection.text
    assert "\x1b" not in inspection.text
    assert not (await kernel.inspect("no_such_name")).found


def test_what_is_sent_to_a_kernel_is_understood_by_old_ones() -> None:
    for file in Path(kernel_code.__file__).parent.glob("*.py"):
        ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 8))


# --- nothing is left behind


async def test_questions_leave_nothing_behind(
    notebook: Notebook, kernel: Kernel, lab: RunningServer
) -> None:
    cell = await notebook.append_cell("import pandas\nframe = pandas.DataFrame({'a': [1]})\n'last'")
    await cell.execute(timeout=40)
    before = await notebook.read()
    state = "print(len(In), _, sorted(Out), get_ipython().execution_count, sorted(globals()))"
    shown = (await kernel.execute(state, store_history=False)).text
    assert kernel.id is not None
    address = f"{lab.url}/api/kernels/{kernel.id}/channels".replace("http", "ws", 1)
    headers = {"Authorization": f"token {lab.token}"}
    async with open_websocket(address, additional_headers=headers) as socket:
        await kernel.list_variables()
        await kernel.get_variable("frame")
        await kernel.complete("fra")
        await kernel.inspect("frame")
        await kernel.facts()
        assert (await kernel.execute(state, store_history=False)).text == shown
        heard: set[str] = set()
        with anyio.fail_after(10):
            while "stream" not in heard:
                heard.add(json.loads(await socket.recv())["msg_type"])
    # that it was busy for a moment, and the code that was run in the end
    assert heard == {"status", "execute_input", "stream"}
    assert await notebook.read() == before


async def test_a_question_takes_no_plot_from_the_cell_that_draws_it(
    kernel: Kernel, lab: RunningServer, folder: str
) -> None:
    code = """
import matplotlib.pyplot as plt, pathlib, time
plt.plot([1, 2])
print('begun', flush=True)
while not pathlib.Path('go').exists(): time.sleep(0.01)
plt.title('title')
print(len(plt.gca().lines))
"""
    # the backend is set up at the end of the first cell that draws
    await ok(kernel, "import matplotlib.pyplot as plt; plt.figure(); plt.close(); x = 1")
    run = await kernel.start(code)
    await begun(run)
    assert "x" in await texts(kernel)
    await kernel.get_variable("x")
    (lab.root / folder / "go").touch()
    result = await run.wait(20)
    assert result.status == "ok"
    assert result.text.startswith("begun\n1\n")
    assert sum("image/png" in getattr(output, "data", {}) for output in result.outputs) == 1


# --- while code runs


async def test_variables_are_listed_while_a_cell_runs(notebook: Notebook, kernel: Kernel) -> None:
    await ok(kernel, "x = 1\nclass A: pass\na = A()")
    cell = await notebook.append_cell(SLEEP)
    run = await cell.start()
    await begun(run)
    with anyio.fail_after(10):
        assert (await texts(kernel))["x"] == ("int", None, "1")
        assert (await kernel.get_variable("x")).data == {"application/json": 1}
        # what cannot be interrupted runs no code of the user's
        value = await kernel.get_variable("a")
        assert (value.text, list(value.omitted)) == ("A()", ["text/plain"])
        assert (await kernel.complete("tim")).matches
        assert (await kernel.facts()).executable is not None
        assert kernel.state == "busy"
    assert run.status == "running"
    with pytest.raises(KernelBusyError, match="'import time'") as caught:
        await kernel.set_variable("x", 2)
    assert (caught.value.run_id, caught.value.cell_id) == (run.id, cell.id)
    assert caught.value.applied == "no"
    assert (await run.interrupt()).status == "interrupted"
    await ok(kernel, "import threading")
    names = await ok(kernel, "[t.name for t in threading.enumerate()]")
    assert "subshell" not in names


async def test_questions_are_asked_beside_the_code_of_another_client(
    kernel: Kernel, theirs: Kernel
) -> None:
    await ok(kernel, "x = 1")
    run = await kernel.start(SLEEP)
    await begun(run)
    with anyio.fail_after(10):
        # the second time, the server believes that the kernel is idle, as a subshell was
        for _ in range(2):
            assert "x" in await texts(theirs)
        with pytest.raises(KernelBusyError, match="another client's code"):
            await theirs.set_variable("x", 2)
    assert (await run.interrupt()).status == "interrupted"
    assert (await theirs.set_variable("x", 3)).text == "3"
    assert await ok(kernel, "x") == "3"


async def test_a_busy_kernel_without_subshells_refuses_at_once(old: Kernel, other: Server) -> None:
    assert old.id is not None
    theirs = other.kernel(old.id)
    assert not (await theirs.facts()).subshells
    await ok(old, "x = 1")
    run = await old.start(SLEEP)
    await begun(run)
    started = time.monotonic()
    with pytest.raises(KernelBusyError, match="'import time'") as caught:
        await old.list_variables()
    assert (caught.value.run_id, caught.value.retryable) == (run.id, True)
    with pytest.raises(KernelBusyError, match="another client's code"):
        await theirs.list_variables()
    with pytest.raises(KernelBusyError):
        await old.complete("x")
    assert (await old.facts()).language == "python"
    assert time.monotonic() - started < 3
    assert (await run.interrupt()).status == "interrupted"
    assert "x" in await texts(old)
    assert "x" in await texts(theirs)


async def test_two_clients_ask_and_run_at_once(kernel: Kernel, theirs: Kernel) -> None:
    await ok(kernel, "x = 1")
    sums: list[str] = []

    async def ask(kernel: Kernel) -> None:
        for _ in range(10):
            assert "x" in await texts(kernel)

    async def run(kernel: Kernel) -> None:
        for number in range(10):
            sums.append(await ok(kernel, f"import time; time.sleep(0.02); {number} + {number}"))

    with anyio.fail_after(40):
        async with anyio.create_task_group() as group:
            for task in (ask, run):
                group.start_soon(task, kernel)
                group.start_soon(task, theirs)
    assert sorted(sums, key=int) == sorted([str(2 * n) for n in range(10)] * 2, key=int)


# --- hostile objects


async def test_a_list_of_variables_runs_no_code_of_the_objects(
    kernel: Kernel, lab: RunningServer, folder: str
) -> None:
    await ok(kernel, HOSTILE)
    with anyio.fail_after(10):
        listed = await texts(kernel)
        assert "objects" in listed
        assert (await kernel.get_variable("inside")).text
    assert listed["one"][0] == "Hostile"
    assert listed["two"][0] == "Worse"
    assert listed["three"][0] == "List"
    assert not (lab.root / folder / "ran").exists()


async def test_a_repr_that_never_ends_is_interrupted(kernel: Kernel) -> None:
    await ok(kernel, HOSTILE + "\nclass Spin:\n    def __repr__(self):\n        while True: pass")
    await ok(kernel, "spin = Spin()")
    for name in ("one", "spin"):
        started = time.monotonic()
        with pytest.raises(KernelTimeoutError, match=name) as caught:
            await kernel.get_variable(name, timeout=0.5)
        assert time.monotonic() - started < 4
        assert caught.value.retryable
        assert await ok(kernel, "1 + 1") == "2"


async def test_a_cancelled_question_leaves_the_kernel_free(kernel: Kernel) -> None:
    await ok(kernel, HOSTILE)
    with anyio.move_on_after(0.5) as scope:
        await kernel.get_variable("one")
    assert scope.cancelled_caught
    with anyio.fail_after(10):
        assert await ok(kernel, "1 + 1") == "2"


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("raise ValueError('no')", "<Odd: its repr raises ValueError>"),
        ("return 7", "<Odd: its repr raises TypeError>"),
        ("return 'x' * 50_000_000", "(50000000 characters)"),
        ("print('noise' * 100_000); return 'quiet'", "quiet"),
    ],
)
async def test_an_odd_repr_is_borne(kernel: Kernel, method: str, text: str) -> None:
    code = f"class Odd:\n    def __repr__(self):\n        {method}\nodd = Odd()"
    with anyio.fail_after(20):
        value = await got(kernel, "odd", code)
    assert value.text.endswith(text)
    assert len(value.text) < 21_000


# --- other ends


async def test_a_question_ends_when_the_kernel_dies(kernel: Kernel) -> None:
    code = "import os\nclass Fatal:\n    def __repr__(self): os._exit(1)\nfatal = Fatal()"
    await ok(kernel, code)
    with (
        anyio.fail_after(10),
        pytest.raises(ConnectionLostError, match="it died and is being restarted"),
    ):
        await kernel.get_variable("fatal")
    assert await ok(kernel, "1 + 1") == "2"
    assert await texts(kernel) == {}


async def test_questions_that_a_language_has_no_answer_for_are_refused(bash: Kernel) -> None:
    facts = await bash.facts()
    assert (facts.language, facts.executable, facts.subshells) == ("bash", None, False)
    await ok(bash, "name_of_mine=1")
    assert "name_of_mine" in "".join((await bash.complete("echo $name_of_mi")).matches)
    assert not (await bash.inspect("name_of_mine")).found
    for question in (
        bash.list_variables(),
        bash.get_variable("name_of_mine"),
        bash.set_variable("name_of_mine", 1),
    ):
        with pytest.raises(LanguageNotSupportedError, match="'bash'") as caught:
            await question
        assert caught.value.supported == ("python",)


async def test_a_busy_kernel_of_another_language_is_left_alone(bash: Kernel) -> None:
    # it offers subshells, and would type a completion into what runs
    run = await bash.start("echo begun; sleep 600")
    await begun(run)
    with anyio.fail_after(5):
        with pytest.raises(KernelBusyError, match="echo begun"):
            await bash.complete("ech")
        with pytest.raises(LanguageNotSupportedError):
            await bash.list_variables()
    assert run.status == "running"
    await run.interrupt()


async def test_questions_go_on_when_the_connection_is_made_again(
    lab: RunningServer, kernel: Kernel
) -> None:
    await ok(kernel, "x = 1")
    assert kernel.id is not None
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        theirs = server.kernel(kernel.id)
        assert "x" in await texts(theirs)
        run = await kernel.start(SLEEP)
        await begun(run)
        proxy.cut()
        with anyio.fail_after(10):
            while (listed := await asked_again(theirs)) is None:
                await anyio.lowlevel.checkpoint()
        assert "x" in listed
        await run.interrupt()


async def asked_again(kernel: Kernel) -> set[str] | None:
    """The names of the variables, None while the connection is being made again."""
    try:
        return set(await texts(kernel))
    except ConnectionLostError:
        return None


# --- the blocking API and the tool


def test_questions_can_be_asked_without_a_loop(lab: RunningServer) -> None:
    with blocking.connect(lab.url, token=lab.token) as server:
        kernel = server.start_kernel()
        kernel.set_variable("x", [1, 2])
        assert [v.name for v in kernel.list_variables().variables] == ["x"]
        assert kernel.get_variable("x").text == "[1, 2]"


async def test_the_tool_lists_variables_and_shows_one(
    server: Server, folder: str, other: Server
) -> None:
    async with Workspace(server) as workspace:
        await workspace.use_notebook("nb", f"{folder}/nb.ipynb", mode="create")
        await workspace.execute_code("import pandas; f = pandas.DataFrame({'a': [1]}); x = 1")
        listed = await workspace.list_variables()
        assert not isinstance(listed, VariableShown)
        assert [v.name for v in listed.listing.variables] == ["f", "x"]
        shown = await workspace.list_variables(name="f")
        assert isinstance(shown, VariableShown)
        assert shown.value.columns == (("a", "int64"),)
        assert (await workspace.read_notebook()).cells == ()


async def test_a_kernel_of_another_language_is_interrupted(bash: Kernel) -> None:
    await ok(bash, "echo ready")
    run = await bash.start("echo begun; sleep 600")
    await begun(run)
    with anyio.fail_after(10):
        assert (await run.interrupt()).status == "interrupted"
        assert await ok(bash, "echo again") == "again"
