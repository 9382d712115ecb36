# SPDX-License-Identifier: BSD-3-Clause
"""How much of a long answer a model reads, and what it is told of the rest."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rendered import OMISSION, SMALL, cell, result, text, texts, tokens, view

from jupyter_agent_core import (
    ConfigurationError,
    DisplayOutput,
    FileInfo,
    StreamOutput,
)
from jupyter_agent_core._answers import (
    AllCellsRun,
    CellOverwritten,
    CellRun,
    CellsDeleted,
    CellView,
    CodeRun,
    FileListing,
)
from jupyter_agent_core._values import Output
from jupyter_agent_core.rendering import Settings, Text, estimate_tokens, render
from jupyter_agent_core.rendering.budget import clip
from jupyter_agent_core.rendering.outputs import Block, output_block


@given(st.text(alphabet="a\né😀 1", max_size=600), st.integers(40, 200))
def test_a_clipped_text_is_head_and_tail_and_the_count_of_what_lies_between(
    whole: str, limit: int
) -> None:
    clipped = clip(whole, limit)
    if estimate_tokens(whole) <= limit:
        assert clipped == whole
        return
    found = OMISSION.search(clipped)
    assert found is not None
    before, tail = clipped[: found.start()], clipped[found.end() :]
    lines, characters = int(found[1]), int(found[2])
    # the notice is on a line of its own, so that a line break may be ours
    (head,) = [
        head
        for head in {before, before.removesuffix("\n")}
        if whole.startswith(head) and len(head) + characters + len(tail) == len(whole)
    ]
    assert whole.endswith(tail)
    assert lines == whole[len(head) : len(whole) - len(tail)].count("\n")
    assert estimate_tokens(clipped) <= limit


def test_whole_lines_are_kept_where_there_are_lines() -> None:
    numbers = "".join(f"{number}\n" for number in range(10_000))
    head, notice, tail = clip(numbers, 400).partition("… ")
    assert head.endswith("\n")
    assert numbers.startswith(head)
    assert numbers.endswith("\n" + tail.partition("\n")[2])
    assert 300 < estimate_tokens(head + notice + tail) <= 400


def test_the_line_that_is_left_out_first_is_the_one_to_read_on_with() -> None:
    lines = "".join(f"line {number}\n" for number in range(10_000))
    clipped = clip(lines, 500, lambda line: f"read({line})")
    head, _, rest = clipped.partition("…")
    assert f"read on with read({head.count(chr(10))}) …" in rest


@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=8))
def test_outputs_share_one_budget_and_short_ones_stay_whole(lengths: list[int]) -> None:
    outputs = [StreamOutput("stdout", "so " * length) for length in lengths]
    settings = Settings(max_tokens=2_000)
    shown = render(CodeRun(result(*outputs)), settings)
    assert tokens(shown) <= settings.max_tokens
    fair = (settings.max_tokens - tokens(shown[-1:])) // len(lengths)
    shown_texts = [content.text for content in shown[:-1] if isinstance(content, Text)]
    wanted = [output.text for output in outputs if output.text]
    assert len(shown_texts) == len(wanted)
    for got, want in zip(shown_texts, wanted, strict=True):
        assert got == want or (OMISSION.search(got) and estimate_tokens(want) > fair)


MANY = tuple(
    DisplayOutput({"text/plain": f"output {number} " + "xy " * 20}) for number in range(500)
)
NUMBERED = StreamOutput("stdout", "".join(f"some words {number}\n" for number in range(1_000)))
CELLS = tuple(cell(index, "yes " * 200, outputs=(NUMBERED,)) for index in range(200))
HUGE = {
    "files": FileListing(
        "", tuple(FileInfo(f"{'f' * 50}{i}", "file", 1, None) for i in range(500)), 0, 500
    ),
    "brief": view(*CELLS),
    "outline": view(*CELLS, response_format="outline"),
    "detailed": view(*CELLS, response_format="detailed"),
    "detailed with outputs": view(*CELLS, response_format="detailed", include_outputs=True),
    "long source": CellView(cell(0, "z\n" * 5_000, outputs=(NUMBERED,))),
    "many outputs": CodeRun(result(*MANY)),
    "many outputs of a cell": CellView(cell(0, outputs=MANY)),
    "many failures": AllCellsRun(
        "nb",
        tuple(CellRun(result(NUMBERED, status="error"), c) for c in CELLS),
        200,
        restarted=False,
    ),
    "deleted": CellsDeleted(CELLS, include_source=True),
    "overwritten": CellOverwritten(cell(0, "a\n" * 5_000), cell(0, "b\n" * 5_000)),
}


@pytest.mark.parametrize("answer", HUGE.values(), ids=HUGE)
def test_every_answer_keeps_to_its_budget_and_says_what_it_left_out(answer: object) -> None:
    contents = render(answer, SMALL)
    assert 0.4 * SMALL.max_tokens <= tokens(contents) <= SMALL.max_tokens
    assert any(re.search(r"omitted.* …|read on with", line) for line in texts(answer, SMALL))


def test_a_budget_of_one_call_takes_the_place_of_the_usual_one() -> None:
    long = cell(0, "x = 1", outputs=(NUMBERED,))
    usual = tokens(render(CellView(long)))
    assert tokens(render(CellView(long, max_tokens=500))) <= 500 < usual
    detailed = view(*CELLS, response_format="detailed", include_outputs=True)
    assert tokens(render(view(*CELLS, max_tokens=400))) <= 400
    assert 2_000 < tokens(render(detailed)) <= 6_000


def test_cells_that_are_not_shown_can_be_read_on() -> None:
    shown = text(HUGE["detailed with outputs"], SMALL)
    headers = [line for line in shown.splitlines() if line.startswith("=====Cell")]
    assert shown.endswith(f"\n… {200 - len(headers)} more: read on with start_index={len(headers)}")
    assert headers[0].startswith("=====Cell 0 ")
    assert headers[-1].startswith(f"=====Cell {len(headers) - 1} ")


def test_of_many_outputs_the_first_and_the_last_are_shown() -> None:
    *shown, _ = texts(CodeRun(result(*MANY)), SMALL)
    assert shown[0].startswith("output 0 ")
    assert shown[-1].startswith("output 499 ")
    (notice,) = [line for line in shown if "omitted" in line]
    assert notice.startswith(f"… {500 - (len(shown) - 1)} outputs omitted; read on with wait_run(")


def test_what_a_widget_shows_instead_of_the_cell_is_read_on_in_the_run() -> None:
    before = StreamOutput("stderr", "one\n")
    run = result(before, NUMBERED)
    for outputs, call in (((before,), "wait_run("), (run.outputs, "read_cell(")):
        shown = "".join(texts(CellRun(run, cell(0, outputs=outputs)), SMALL))
        assert f"read on with {call}" in shown


@pytest.mark.parametrize("number", [199, 0, -1])
def test_a_budget_in_which_nothing_can_be_said_is_refused(number: int) -> None:
    with pytest.raises(
        ConfigurationError, match=f"max_tokens is {number}.* at least 200"
    ) as caught:
        Settings(max_tokens=number)
    assert (caught.value.name, caught.value.value) == ("max_tokens", number)
    with pytest.raises(ConfigurationError, match="at least 200"):
        render(CellView(cell(0), max_tokens=number))


def test_outputs_of_cells_in_detail_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []

    def block(output: Output, settings: Settings) -> Block | None:
        read.append(output)
        return output_block(output, settings)

    monkeypatch.setattr("jupyter_agent_core.rendering.outputs.output_block", block)
    cells = [cell(index, outputs=(NUMBERED,)) for index in range(3)]
    render(view(*cells, response_format="detailed", include_outputs=True))
    assert len(read) == 3
