# SPDX-License-Identifier: BSD-3-Clause
"""Outputs that real libraries made, as a model reads them.

`corpus/record.py` records them, `corpus/golden.py` writes the golden renderings.
"""

import re

import pytest
from corpus.items import ITEMS
from corpus.recorded import GOLDEN, NAMES, as_text, record, rendering, run
from corpus.tokenizer import tekken_tokens

from jupyter_agent_core._answers import CellView, CodeRun, RunWaited
from jupyter_agent_core._output_cursor import BEGIN, end_of, position_of
from jupyter_agent_core.rendering import Content, Image, Settings, Text, estimate_tokens, render
from jupyter_agent_core.rendering.images import Picture
from jupyter_agent_core.rendering.outputs import LONGEST_LINE, output_blocks

EVERY_ITEM = pytest.mark.parametrize("name", NAMES)
BASE64 = re.compile(r"(?=[a-z0-9+/]*[A-Z])(?=[A-Z0-9+/]*[a-z])[A-Za-z0-9+/]{120,}")


def texts_of(contents: list[Content]) -> list[str]:
    return [content.text for content in contents if isinstance(content, Text)]


def estimated(contents: list[Content]) -> int:
    images = (Picture(c.data, c.mime_type).tokens for c in contents if isinstance(c, Image))
    return sum(map(estimate_tokens, texts_of(contents))) + sum(images)


def test_all_items_are_recorded() -> None:
    assert set(NAMES) == set(ITEMS)
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(NAMES)
    assert [name for name in NAMES if record(name)["source"] != ITEMS[name]] == []


@EVERY_ITEM
def test_an_output_is_rendered_as_its_golden_rendering(name: str) -> None:
    assert as_text(rendering(name)) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@EVERY_ITEM
@pytest.mark.parametrize("budget", [400, 1_500, 6_000])
def test_an_answer_keeps_to_its_budget_also_by_a_real_tokenizer(name: str, budget: int) -> None:
    contents = rendering(name, Settings(max_tokens=budget))
    assert estimated(contents) <= budget
    text = "\n".join(texts_of(contents))
    assert tekken_tokens(text) <= 1.15 * budget


@EVERY_ITEM
def test_no_answer_is_empty_or_has_base64_or_escape_sequences_in_its_text(name: str) -> None:
    answer = run(name)
    views = [answer, CodeRun(answer.result), CellView(answer.cell), CellView(answer.cell, True, 1)]
    for view in views:
        shown = "\n".join(texts_of(render(view)))
        assert shown.strip()
        assert BASE64.search(shown) is None
        assert "\x1b" not in shown
        assert "\r" not in shown


def page_size(text: str) -> int:
    """Tokens of which the longest text takes few pages: each costs a look at the whole of it."""
    return max(12_000, len(text) // 8)


@EVERY_ITEM
def test_the_pages_of_a_cell_are_all_of_it(name: str) -> None:
    cell = run(name).cell
    assert cell is not None
    whole = render(CellView(cell, True, 1, max_tokens=10_000_000))
    size = page_size(cell.text)
    line, pages, images = 1, [], 0
    for _ in range(500):
        contents = render(CellView(cell, True, line, max_tokens=size))
        assert estimated(contents) <= size
        *parts, last = texts_of(contents)[1:]
        pages += parts
        images += sum(isinstance(content, Image) for content in contents)
        found = re.search(r"read on with read_cell\(cell_id=\S+, start_line=(\d+)\)\]$", last)
        if found is None:
            break
        assert int(found[1]) > line
        line = int(found[1])
    else:
        raise AssertionError("the pages do not end")
    lines = [line for page in pages for line in page.split("\n")[1:-1]]
    wanted = [line for text in texts_of(whole)[1:-1] for line in text.split("\n")[1:-1]]
    if any(len(line) > LONGEST_LINE for line in wanted):  # it may go on on the next page
        assert "".join(lines) == "".join(wanted)
    else:
        assert lines == wanted
    blocks = output_blocks(cell.outputs, Settings())
    assert images == sum(block.picture is not None for block in blocks)


@EVERY_ITEM
def test_the_pages_of_a_run_are_all_of_it(name: str) -> None:
    result = run(name).result
    size = page_size(result.text)
    start = BEGIN
    shown: list[str] = []
    for _ in range(500):
        waited = RunWaited(result, end_of(result.outputs), result.outputs, start)
        contents = render(waited, Settings(max_tokens=size))
        assert estimated(contents) <= size
        *parts, last = texts_of(contents)
        shown += parts
        found = re.search(r'more outputs follow: read on with since="(\S+)"\]$', last)
        if found is None:
            break
        position = position_of(result.outputs, found[1])
        assert position is not None
        assert (position.index, position.character) > (start.index, start.character)
        start = position
    else:
        raise AssertionError("the pages do not end")
    if name in ("megabyte", "one_long_line", "large_dict", "help"):
        plain = result.text.rstrip("\n")
        assert "".join(shown).replace("\n", "") == plain.replace("\n", "")
