# SPDX-License-Identifier: BSD-3-Clause
"""Calls that take a while: progress, cancelling, and what their code asks, in both eras."""

import re
from pathlib import Path
from typing import Any

import anyio
import mcp.types as types
import pytest
from mcp_clients import (
    NAMED,
    Transport,
    answering,
    both_eras,
    call,
    create,
    everywhere,
    for_one_or_many,
    in_memory,
    said,
    session,
)
from mcp_http import Era
from mcp_process import Signal
from servers import RunningServer

ASK = "name = input('Name?')\nprint('Hello', name)"


# --- progress


@everywhere
@both_eras
async def test_while_code_runs_the_client_is_told_how_long_what_and_how_far(
    transport: Transport,
    era: Era,
    work: Path,
    on_lab: dict[str, str],
    folder: str,
    lab: RunningServer,
) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))
        if len(told) >= 2 and (message or "").endswith("45/100"):
            (lab.root / folder / "go").touch()

    code = (
        "import pathlib, sys, time\n"
        "print('\\x1b[1mreading\\x1b[0m', flush=True)\n"
        "for i in (10, 20, 45):\n"
        "    sys.stderr.write(f'\\rfit: {i:3d}%|###   | {i}/100')\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.01)\n"
    )
    async with session(transport, era, work, on_lab) as client:
        await create(client, folder)
        arguments = {"cell_index": -1, "cell_source": code, **NAMED}
        with anyio.fail_after(40):
            result = await client.call_tool(
                "insert_execute_code_cell", arguments, progress_callback=on_progress
            )
        assert not result.is_error
    assert [progress for progress, _, _ in told] == sorted({progress for progress, _, _ in told})
    assert {total for _, total, _ in told} == {None}
    assert told[-1][2] is not None
    assert told[-1][2].endswith(" s · 45 % · fit:  45%|###   | 45/100")


async def test_progress_names_the_cell_of_many_that_runs(
    work: Path, on_lab: dict[str, str], folder: str
) -> None:
    told: list[str] = []

    async def on_progress(_: float, __: float | None, message: str | None) -> None:
        told.append(message or "")

    async with session("stdio", "auto", work, on_lab) as client:
        await create(client, folder)
        for number in range(3):
            source = f"import time; print('cell {number}'); time.sleep({number})"
            await said(client, "insert_cell", cell_index=-1, cell_type="code", cell_source=source)
        await client.call_tool("notebook_run-all-cells", NAMED, progress_callback=on_progress)
    assert any("· cell 3 · cell 2" in message for message in told)


@pytest.mark.parametrize(
    ("shows", "told"), [("", r"\d+ s"), ("display('row 7')", r"\d+ s · 'row 7'")]
)
async def test_what_code_displays_is_told_and_while_there_is_nothing_only_how_long_it_runs(
    shows: str,
    told: str,
    lab: RunningServer,
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jupyter_mcp_server.progress.INTERVAL", 0.01)
    heard: list[str] = []

    async def on_progress(_: float, __: float | None, message: str | None) -> None:
        heard.append(message or "")
        if re.fullmatch(told, heard[-1]):
            (lab.root / folder / "go").touch()

    waiting = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)\n"
    async with in_memory(lab.url, lab.token, mode="legacy") as client:
        await create(client, folder)
        arguments = {"cell_index": -1, "cell_source": f"{shows}\n{waiting}1 / 0", **NAMED}
        with anyio.fail_after(30):
            result = await client.call_tool(
                "insert_execute_code_cell", arguments, progress_callback=on_progress
            )
    assert "ZeroDivisionError" in str(result.content)


async def test_of_a_call_that_runs_no_code_no_progress_is_told(
    lab: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_mcp_server.progress.INTERVAL", 0.0)
    heard: list[object] = []

    async def on_progress(*what: object) -> None:
        heard.append(what)

    async with in_memory(lab.url, lab.token, mode="legacy") as client:
        result = await client.call_tool("list_kernels", {}, progress_callback=on_progress)
        assert not result.is_error
    assert heard == []


# --- cancelling


@for_one_or_many
@both_eras
async def test_a_cancelled_call_interrupts_its_own_code_and_the_next_one_works(
    transport: Transport, era: Era, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    # a client that can be asked has its calls done in the background
    asked = answering("x", []) if era == "auto" else {}
    async with (
        session(transport, era, work, on_lab, **asked) as client,
        Signal.listening() as begun,
    ):
        await create(client, folder)
        code = f"import time\n{begun.code}\ntime.sleep(60)"
        async with anyio.create_task_group() as group:
            group.start_soon(
                lambda: call(client, "insert_execute_code_cell", cell_index=-1, cell_source=code)
            )
            await begun.given()
            group.cancel_scope.cancel()
        with anyio.fail_after(10):
            assert (await said(client, "execute_code", code="6 * 7")).startswith("42\n")
            assert "KeyboardInterrupt" in await said(client, "read_cell", cell_index=0)


@for_one_or_many
async def test_a_cancelled_call_whose_code_waits_leaves_the_code_of_others_alone(
    transport: Transport, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    async with (
        session(transport, "auto", work, on_lab) as client,
        Signal.listening() as begun,
        Signal.listening() as second,
    ):
        await create(client, folder)
        code = f"import time\n{begun.code}\ntime.sleep(2); print('done')"
        answers: list[str] = []

        async def first() -> None:
            answers.append(await said(client, "execute_code", code=code))

        async with anyio.create_task_group() as group:
            group.start_soon(first)
            await begun.given()
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(lambda: call(client, "execute_code", code=second.code))
                # an answer that comes after it has been asked for
                await client.call_tool("list_kernels", {})
                waiting.cancel_scope.cancel()
        assert answers[0].startswith("done\n")
        assert (await said(client, "execute_code", code="6 * 7")).startswith("42\n")
        # it was withdrawn
        assert not second.was_given


# --- what code asks


@for_one_or_many
@both_eras
async def test_what_code_asks_is_asked_of_the_clients_user(
    transport: Transport, era: Era, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    asked: list[types.ElicitRequestParams] = []
    async with session(transport, era, work, on_lab, **answering("Ada", asked)) as client:
        await create(client, folder)
        with anyio.fail_after(30):
            text = await said(client, "insert_execute_code_cell", cell_index=-1, cell_source=ASK)
            assert "Hello Ada" in text
            code = "[input(x) for x in ('a', 'b')]"
            assert "['Ada', 'Ada']" in await said(client, "execute_code", code=code)
    assert [params.message.rpartition(": ")[2] for params in asked] == ["Name?", "a", "b"]
    (first, *_) = asked
    assert isinstance(first, types.ElicitRequestFormParams)
    assert first.requested_schema["properties"]["answer"]["type"] == "string"


@both_eras
async def test_what_the_cells_of_a_whole_notebook_ask_is_asked_too(
    era: Era, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    asked: list[types.ElicitRequestParams] = []
    async with session("memory", era, work, on_lab, **answering("Ada", asked)) as client:
        await create(client, folder)
        for source in (ASK, "print(name.upper())"):
            await said(client, "insert_cell", cell_index=-1, cell_type="code", cell_source=source)
        with anyio.fail_after(30):
            await said(client, "notebook_run-all-cells")
            assert "Hello Ada" in await said(client, "read_cell", cell_index=0)
            assert "ADA" in await said(client, "read_cell", cell_index=1)
    assert len(asked) == 1


@for_one_or_many
@both_eras
async def test_a_user_who_does_not_answer_ends_the_input(
    transport: Transport, era: Era, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    async with session(transport, era, work, on_lab, **answering(None, [])) as client:
        await create(client, folder)
        with anyio.fail_after(30):
            assert "EOFError" in await said(client, "execute_code", code=ASK)
            assert (await said(client, "execute_code", code="6 * 7")).startswith("42\n")


@both_eras
async def test_a_client_that_cannot_be_asked_gets_an_error_at_once(
    era: Era, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    async with session("memory", era, work, on_lab) as client:
        await create(client, folder)
        with anyio.fail_after(20):
            assert "StdinNotImplementedError" in await said(client, "execute_code", code=ASK)
            assert (await said(client, "execute_code", code="6 * 7")).startswith("42\n")


@for_one_or_many
@pytest.mark.parametrize("answer", [types.ErrorData(code=-32603, message="no screen"), "malformed"])
async def test_a_client_that_fails_to_ask_is_named_and_the_kernel_goes_on(
    answer: Any, transport: Transport, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    async def on_elicit(_: object, __: types.ElicitRequestParams) -> Any:
        if isinstance(answer, types.ErrorData):
            return answer
        return types.ElicitResult.model_construct(action="perhaps")

    async with session(transport, "legacy", work, on_lab, elicitation_callback=on_elicit) as client:
        await create(client, folder)
        with anyio.fail_after(30):
            refused, text = await call(client, "execute_code", code=ASK)
            assert refused
            assert text.startswith("The code asks for an answer ('Name?'), and the MCP client has")
            assert "defect" not in text
            assert (await said(client, "execute_code", code="6 * 7")).startswith("42\n")


@for_one_or_many
async def test_a_client_that_never_answers_holds_up_nobody_who_asks_what_is_going_on(
    transport: Transport, work: Path, on_lab: dict[str, str], folder: str
) -> None:
    async with session(transport, "auto", work, on_lab, **answering("x", [])) as client:
        await create(client, folder)
        asked = await client.session.call_tool(
            "execute_code", {"code": ASK, **NAMED}, allow_input_required=True
        )
        assert isinstance(asked, types.InputRequiredResult)
        with anyio.fail_after(30):
            waiting = await said(client, "execute_code", code="6 * 7", timeout=0.5)
            assert "not begun yet: it waits for the kernel, and will run" in waiting
            assert f"{ASK.splitlines()[0]!r}, which waits for its user's input" in waiting
            assert "wait_run gets the rest, interrupt_kernel ends what runs before it" in waiting
            run_id = re.findall(r"run_id (\w+)", waiting)[0]
            again = await said(client, "wait_run", run_id=run_id, timeout=0)
            assert "which waits for its user's input" in again
            assert "the kernel is free" in await said(client, "interrupt_kernel")
            assert (await said(client, "wait_run", run_id=run_id)).startswith("42\n")
        late = await client.session.call_tool(
            "execute_code",
            {"code": ASK, **NAMED},
            input_responses={"input": types.ElicitResult(action="decline")},
            request_state=asked.request_state,
            allow_input_required=True,
        )
        assert isinstance(late, types.CallToolResult)
        assert "[interrupted," in str(late.content)


async def test_an_answer_that_nobody_waits_for_is_refused(
    work: Path, on_lab: dict[str, str], folder: str
) -> None:
    async with session("memory", "auto", work, on_lab, **answering("x", [])) as client:
        await create(client, folder)
        first = await client.session.call_tool(
            "execute_code", {"code": ASK, **NAMED}, allow_input_required=True
        )
        assert isinstance(first, types.InputRequiredResult)
        assert first.request_state is not None
        answer = types.ElicitResult(action="accept", content={"answer": "Ada"})
        again = {
            "input_responses": {"input": answer},
            "request_state": first.request_state,
            "allow_input_required": True,
        }
        done = await client.session.call_tool("execute_code", {"code": ASK, **NAMED}, **again)
        assert isinstance(done, types.CallToolResult)
        with pytest.raises(Exception, match="Nothing was asked, or it was answered already"):
            await client.session.call_tool("execute_code", {"code": ASK, **NAMED}, **again)


async def test_an_answer_that_comes_too_late_is_not_taken_for_the_one_to_the_next_question(
    lab: RunningServer, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_mcp_server.asking.ANSWER_TIMEOUT", 0.3)
    code = (
        "import pathlib\ntry: input('first')\nexcept EOFError: pathlib.Path('late').touch()\n"
        "print(input('second'))"
    )
    arguments = {"code": code, **NAMED}
    async with in_memory(lab.url, lab.token, **answering("x", [])) as client:
        await create(client, folder)
        asked = await client.session.call_tool("execute_code", arguments, allow_input_required=True)
        assert isinstance(asked, types.InputRequiredResult)
        monkeypatch.setattr("jupyter_mcp_server.asking.ANSWER_TIMEOUT", 30.0)
        with anyio.fail_after(20):
            while not (lab.root / folder / "late").exists():
                await client.call_tool("list_kernels", {})  # each look is a round trip
        given = []
        for answer in ("late", "in time"):
            result = types.ElicitResult(action="accept", content={"answer": answer})
            given.append(
                await client.session.call_tool(
                    "execute_code",
                    arguments,
                    input_responses={"input": result},
                    request_state=asked.request_state,
                    allow_input_required=True,
                )
            )
            if isinstance(given[-1], types.InputRequiredResult):
                asked = given[-1]
    assert isinstance(given[0], types.InputRequiredResult)
    assert "second" in str(given[0].input_requests)
    assert "in time" in str(given[1])
