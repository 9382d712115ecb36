# SPDX-License-Identifier: BSD-3-Clause
"""Code that asks its user: refused at once, or answered by whoever gave the code."""

import threading

import anyio
import anyio.lowlevel
import pytest
from servers import Proxy, RunningServer

from jupyter_agent_core import (
    ConfigurationError,
    InputRequest,
    Kernel,
    Notebook,
    Server,
    StreamOutput,
    connect,
)
from jupyter_agent_core.sync import connect as connect_blocking

ASK = "name = input('Name?')\nprint('Hello', name)"


@pytest.fixture
async def kernel(notebook: Notebook) -> Kernel:
    await notebook.kernel.execute("1", timeout=30, store_history=False)
    return notebook.kernel


async def answered(request: InputRequest) -> str:
    return {"Name?": "Ada", "Password:": "s3cret"}[request.prompt]


async def test_what_code_asks_is_answered_and_shown_in_the_notebook(
    notebook: Notebook, other: Server
) -> None:
    cell = await notebook.append_cell(ASK)
    await notebook.kernel.connect()
    with anyio.fail_after(20):
        result = await cell.execute(on_input=answered)
    assert (result.status, result.text) == ("ok", "Name? Ada\nHello Ada")
    assert result.outputs == (
        StreamOutput("stdin", "Name? Ada\n"),
        StreamOutput("stdout", "Hello Ada\n"),
    )
    await notebook.flush()
    (theirs,) = await (await other.open_notebook(notebook.path)).read()
    assert theirs.outputs == result.outputs


async def test_a_password_is_told_as_one_and_shown_nowhere(
    notebook: Notebook, kernel: Kernel
) -> None:
    asked: list[InputRequest] = []

    def answer(request: InputRequest) -> str:
        asked.append(request)
        return "s3cret"

    cell = await notebook.append_cell("import getpass\nlen(getpass.getpass('Password:'))")
    with anyio.fail_after(10):
        result = await cell.execute(on_input=answer)
    assert asked == [InputRequest("Password:", password=True)]
    assert (result.status, result.text) == ("ok", "Password: ········\n6")
    await notebook.save()
    assert "s3cret" not in repr(result) + repr(await cell.read())


async def test_cells_that_are_run_one_after_the_other_ask_too(notebook: Notebook) -> None:
    for source in (ASK, "name.upper()"):
        await notebook.append_cell(source)
    await notebook.kernel.connect()
    with anyio.fail_after(20):
        results = await notebook.run_all(on_input=answered)
    assert [result.text for result in results] == ["Name? Ada\nHello Ada", "'ADA'"]


async def test_questions_come_one_after_the_other(kernel: Kernel) -> None:
    answers = iter("12")
    with anyio.fail_after(10):
        result = await kernel.execute(
            "int(input('a')) + int(input('b'))", on_input=lambda request: next(answers)
        )
    assert result.text == "a 1\nb 2\n3"


async def test_an_answer_of_none_is_the_end_of_input(kernel: Kernel) -> None:
    with anyio.fail_after(10):
        result = await kernel.execute(ASK, on_input=lambda request: None)
    assert result.status == "error"
    assert result.error is not None
    assert result.error.ename == "EOFError"
    assert (await kernel.execute("6 * 7", timeout=20)).text == "42"


async def test_what_the_callback_raises_is_raised_to_who_waits(kernel: Kernel) -> None:
    def fail(request: InputRequest) -> str:
        raise LookupError(request.prompt)

    with anyio.fail_after(10), pytest.raises(LookupError, match=r"Name\?"):
        await kernel.execute(ASK, on_input=fail)
    assert (await kernel.execute("6 * 7", timeout=20)).text == "42"


async def test_a_wait_that_ends_says_that_input_is_required(kernel: Kernel) -> None:
    asked, answer = anyio.Event(), anyio.Event()

    async def slow(request: InputRequest) -> str:
        asked.set()
        await answer.wait()
        return "Ada"

    run = await kernel.start(ASK, on_input=slow)
    with anyio.fail_after(10):
        await asked.wait()
    result = await run.wait(0)
    assert (result.status, result.run_id) == ("input_required", run.id)
    answer.set()
    with anyio.fail_after(10):
        assert (await run.wait()).text == "Name? Ada\nHello Ada"


async def test_an_interrupt_ends_the_question(kernel: Kernel) -> None:
    asked, ended = anyio.Event(), anyio.Event()

    async def never(request: InputRequest) -> str:
        asked.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()
        return ""

    run = await kernel.start(ASK, on_input=never)
    with anyio.fail_after(10):
        await asked.wait()
        assert (await run.interrupt()).status == "interrupted"
        await ended.wait()
        assert (await kernel.execute("6 * 7")).text == "42"


async def test_a_cancelled_call_takes_its_question_back(kernel: Kernel) -> None:
    asked = anyio.Event()

    async def never(request: InputRequest) -> str:
        asked.set()
        await anyio.sleep_forever()
        return ""

    async with anyio.create_task_group() as group:

        async def ask() -> None:
            await kernel.execute(ASK, on_input=never)

        group.start_soon(ask)
        with anyio.fail_after(10):
            await asked.wait()
        group.cancel_scope.cancel()
    with anyio.fail_after(10):
        assert (await kernel.execute("6 * 7")).text == "42"


async def test_an_answer_arrives_although_the_connection_broke_meanwhile(
    lab: RunningServer, folder: str
) -> None:
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        cell = await notebook.append_cell(ASK)

        async def break_and_answer(request: InputRequest) -> str:
            proxy.cut()
            return "Ada"

        with anyio.fail_after(30):
            result = await cell.execute(on_input=break_and_answer)
        assert (result.status, result.text) == ("ok", "Name? Ada\nHello Ada")


async def test_one_client_is_asked_and_not_the_other(kernel: Kernel, other: Server) -> None:
    assert kernel.id is not None
    theirs = other.kernel(kernel.id)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for client, name in ((kernel, "Ada"), (theirs, "Bob")):

                async def ask(client: Kernel = client, name: str = name) -> None:
                    result = await client.execute(ASK, on_input=lambda request: name)
                    assert result.text == f"Name? {name}\nHello {name}"

                group.start_soon(ask)


def test_a_blocking_callback_answers_in_the_blocking_api(lab: RunningServer, folder: str) -> None:
    threads: list[threading.Thread] = []

    def answer(request: InputRequest) -> str:
        threads.append(threading.current_thread())
        return "Ada"

    with connect_blocking(lab.url, token=lab.token) as server:
        notebook = server.open_notebook(f"{folder}/n.ipynb", create=True)
        cell = notebook.append_cell(ASK)
        assert cell.execute(timeout=30, on_input=answer).text == "Name? Ada\nHello Ada"
    assert "jupyter_agent_core.sync" not in threads[0].name


TWO = "a = input('a?')\nb = input('b?')\nprint('a =', a, 'b =', b)"


async def test_an_answer_is_never_given_to_another_question_after_a_broken_connection(
    lab: RunningServer, folder: str
) -> None:
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        reconnected = anyio.Event()

        async def answer(request: InputRequest) -> str:
            if request.prompt == "b?":
                proxy.cut()
                with anyio.fail_after(20):
                    while notebook.kernel.state != "reconnecting":
                        await anyio.lowlevel.checkpoint()
                    while notebook.kernel.state == "reconnecting":
                        await anyio.lowlevel.checkpoint()
                reconnected.set()
            return request.prompt.upper()

        with anyio.fail_after(40):
            result = await notebook.kernel.execute(TWO, on_input=answer)
        assert reconnected.is_set()
        assert result.text.endswith("a = A? b = B?")


async def test_an_answer_that_comes_late_is_for_no_later_question(kernel: Kernel) -> None:
    late, second = anyio.Event(), anyio.Event()

    async def answer(request: InputRequest) -> str:
        if request.prompt == "a?":
            with anyio.CancelScope(shield=True):  # a callback that does not let itself be stopped
                await second.wait()
            late.set()
            return "for a"
        second.set()
        await late.wait()
        return "for b"

    code = f"try: input('a?')\nexcept KeyboardInterrupt: pass\n{TWO.splitlines()[1]}\nb"
    run = await kernel.start(code, on_input=answer)
    with anyio.fail_after(10):
        while run.status != "input_required":
            await anyio.lowlevel.checkpoint()
        await kernel.interrupt(timeout=0.1)
        assert (await run.wait()).text.endswith("'for b'")


@pytest.mark.parametrize("answer", [5, b"x", ["x"]], ids=["int", "bytes", "list"])
async def test_an_answer_that_is_no_text_is_refused(kernel: Kernel, answer: object) -> None:
    async def given(request: InputRequest) -> object:
        return answer

    for on_input in (given, lambda request: answer):
        name = type(answer).__name__
        with anyio.fail_after(10), pytest.raises(TypeError, match=f"not {name}"):
            await kernel.execute(ASK, on_input=on_input)  # type: ignore[arg-type]
    assert (await kernel.execute("6 * 7", timeout=20)).text == "42"


async def test_a_callback_that_wants_to_exit_ends_the_question_first(kernel: Kernel) -> None:
    def leave(request: InputRequest) -> str:
        raise SystemExit(3)

    with anyio.fail_after(10), pytest.raises(SystemExit):
        await kernel.execute(ASK, on_input=leave)
    assert (await kernel.execute("6 * 7", timeout=20)).text == "42"


async def test_what_cannot_be_called_is_refused_before_anything_runs(kernel: Kernel) -> None:
    with pytest.raises(ConfigurationError, match="on_input='Ada' cannot be called"):
        await kernel.execute("x = 1", on_input="Ada")  # type: ignore[arg-type]
    assert (await kernel.execute("'x' in globals()", timeout=20)).text == "False"
