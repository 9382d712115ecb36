# SPDX-License-Identifier: BSD-3-Clause
"""How much of a long answer a model reads, and what it is told of the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rendered import OMISSION, SMALL, cell, result, size, texts, view

from jupyter_agent_core import (
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
from jupyter_agent_core.rendering import Text, render
from jupyter_agent_core.rendering.content import clip


@given(st.text(alphabet="a\né😀", max_size=400), st.integers(0, 300))
def test_a_clipped_text_is_head_and_tail_and_the_count_of_what_lies_between(
    whole: str, limit: int
) -> None:
    clipped = clip(whole, limit)
    if len(whole) <= limit:
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
    assert len(head) + len(tail) <= limit


def test_whole_lines_are_kept_where_there_are_lines() -> None:
    numbers = "".join(f"{number}\n" for number in range(10_000))
    head, notice, tail = clip(numbers, 1_000).partition("… ")
    assert head.endswith("\n")
    assert numbers.startswith(head)
    assert numbers.endswith("\n" + tail.partition("\n")[2])
    assert 800 < len(head + notice + tail) < 1_060


@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=8))
def test_outputs_share_one_budget_and_short_ones_stay_whole(lengths: list[int]) -> None:
    outputs = [StreamOutput("stdout", "x" * length) for length in lengths]
    *shown, _ = render(CodeRun(result(*outputs)), SMALL)
    assert size(shown) <= SMALL.max_characters + 60 * len(lengths)
    fair = SMALL.max_characters // len(lengths)
    shown_texts = [content.text for content in shown if isinstance(content, Text)]
    wanted = [output.text for output in outputs if output.text]
    assert len(shown_texts) == len(wanted)
    for got, want in zip(shown_texts, wanted, strict=True):
        if len(want) <= fair or sum(lengths) <= SMALL.max_characters:
            assert got == want
        else:
            assert OMISSION.search(got) or got == want


LONG = StreamOutput("stdout", "some words\n" * 1_000)
MANY = tuple(DisplayOutput({"text/plain": f"output {number} " + "x" * 40}) for number in range(500))
CELLS = tuple(cell(index, "y" * 500, outputs=(LONG,)) for index in range(200))
HUGE = {
    "files": FileListing(
        "", tuple(FileInfo(f"{'f' * 50}{i}", "file", 1, None) for i in range(500)), 0, 500
    ),
    "brief": view(*CELLS),
    "detailed": view(*CELLS, response_format="detailed"),
    "detailed with outputs": view(*CELLS, response_format="detailed", include_outputs=True),
    "long source": CellView(cell(0, "z\n" * 5_000, outputs=(LONG,))),
    "many outputs": CodeRun(result(*MANY)),
    "many outputs of a cell": CellView(cell(0, outputs=MANY)),
    "many failures": AllCellsRun(
        "nb", tuple(CellRun(result(LONG, status="error"), c) for c in CELLS), 200, restarted=False
    ),
    "deleted": CellsDeleted(CELLS, include_source=True),
    "overwritten": CellOverwritten(cell(0, "a\n" * 5_000), cell(0, "b\n" * 5_000)),
}


@pytest.mark.parametrize("answer", HUGE.values(), ids=HUGE)
def test_every_answer_keeps_to_its_budget_and_says_what_it_left_out(answer: object) -> None:
    contents = render(answer, SMALL)
    # the notices of what was left out come on top
    assert size(contents) <= 1.5 * SMALL.max_characters
    assert size(contents) >= 0.4 * SMALL.max_characters
    assert any("omitted …" in line or "read on with" in line for line in texts(answer, SMALL))


def test_cells_that_are_not_shown_can_be_read_on() -> None:
    shown = texts(HUGE["detailed with outputs"], SMALL)
    headers = [line for line in shown if line.startswith("=====Cell")]
    assert shown[-1] == (f"… {200 - len(headers)} more: read on with start_index={len(headers)}")
    assert headers[0].startswith("=====Cell 0 ")
    assert headers[-1].startswith(f"=====Cell {len(headers) - 1} ")


def test_of_many_outputs_the_first_and_the_last_are_shown() -> None:
    *shown, _ = texts(CodeRun(result(*MANY)), SMALL)
    assert shown[0].startswith("output 0 ")
    assert shown[-1].startswith("output 499 ")
    (notice,) = [line for line in shown if "omitted" in line]
    assert notice == f"… {500 - (len(shown) - 1)} outputs omitted …"
