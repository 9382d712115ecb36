# SPDX-License-Identifier: BSD-3-Clause
"""Notebooks as an outline, what matches a query, and what others have changed."""

import attrs
import pytest
from rendered import UUID, cell, text, texts, tokens, view

from jupyter_agent_core import Change, StreamOutput
from jupyter_agent_core._answers import LineMatch, NotebookChanges, NotebookMatches
from jupyter_agent_core.rendering import Settings, render

HEADER = "Index\tID\tVersion\tChange\tBy\tFirst Line"
LONG = "a = 1\n" * 300


def changes(*sources: str) -> NotebookChanges:
    """Cells that Ada has edited."""
    cells = [cell(n, source, id=f"{n:08}{UUID[8:]}") for n, source in enumerate(sources)]
    made = tuple((Change("edited", c.id, c.index, "Ada", own=False), c) for c in cells)
    return NotebookChanges("nb", made, "c-2")


def test_an_outline_tells_of_a_cell_that_runs() -> None:
    outline = view(cell(0, "x = 1", execution_state="running"), response_format="outline")
    assert text(outline).splitlines()[-1] == "0\t0f9b7a1c\tN/A\tx = 1; running"


def test_of_many_lines_that_match_those_are_told_that_fit_and_how_many_more_there_are() -> None:
    matches = tuple(LineMatch(n, UUID, "source", 1, f"total {n} " + "x " * 40) for n in range(100))
    found = NotebookMatches("nb", "total", matches, 500)
    lines = text(found, Settings(max_tokens=500)).splitlines()
    assert lines[0] == "500 lines match 'total' in notebook nb, in 1 cells:"
    assert lines[-1] == f"… {500 - len(lines[2:-1])} more: narrow the query"
    assert text(attrs.evolve(found, matches=matches[:2], total=2)).splitlines()[2:] == [
        f"{n}\t0f9b7a1c\tsource\t1\ttotal {n} {'x ' * 40}" for n in range(2)
    ]


def test_changes_are_a_line_each_with_the_cell_as_it_is_now() -> None:
    gone = Change("deleted", UUID, None, None, own=False)
    answer = changes("x = 1\ny")
    assert text(attrs.evolve(answer, changes=(*answer.changes, (gone, None)))).splitlines() == [
        "Changes in notebook nb by others:",
        HEADER,
        "0\t00000000\tabcd1234\tedited\tAda\tx = 1...(1 lines hidden)",
        "-\t0f9b7a1c\t-\tdeleted\tunknown\t-",
        "[cursor c-2]",
    ]


def test_changes_in_detail_come_with_the_cells_that_are_still_there() -> None:
    answer = attrs.evolve(changes("x = 1"), response_format="detailed", include_outputs=True)
    (change, changed), *_ = answer.changes
    assert changed is not None
    printed = attrs.evolve(changed, outputs=(StreamOutput("stdout", "1\n"),))
    table, cells = texts(attrs.evolve(answer, changes=((change, printed),)))
    assert table.endswith("\n[cursor c-2]")
    assert cells == (
        "=====Cell 0 | type: code | execution count: N/A=====\n"
        "[cell 0, id 00000000, version abcd1234]\n"
        "```source\nx = 1\n```\n```stdout\n1\n```"
    )
    gone = attrs.evolve(answer, changes=((Change("deleted", UUID, None, None, own=False), None),))
    assert text(gone).endswith("\n[cursor c-2]")


@pytest.mark.parametrize("response_format", ["brief", "detailed"])
def test_changes_keep_to_the_budget_of_the_call(response_format: str) -> None:
    many = attrs.evolve(changes(*[LONG] * 200), response_format=response_format, max_tokens=800)
    told = "\n".join(texts(many))
    assert tokens(render(many)) <= 800
    rows = [line for line in told.splitlines() if "\tedited\tAda\t" in line]
    assert f"\n… {200 - len(rows)} more: see the cells with read_notebook\n[cursor c-2]" in told
    shown = told.count("=====Cell ")
    assert (f"\n… {200 - shown} more: see them with read_cell" in told) == (shown > 0)
    assert (shown > 0) == (response_format == "detailed")
