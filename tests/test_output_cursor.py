# SPDX-License-Identifier: BSD-3-Clause
"""A cursor in the outputs of a run stays valid while the run adds more."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rendered import result, texts

from jupyter_agent_core import ConfigurationError, DisplayOutput, ErrorOutput, StreamOutput
from jupyter_agent_core._answers import RunWaited
from jupyter_agent_core._output_cursor import (
    BEGIN,
    OutputPosition,
    end_of,
    outputs_from,
    position_of,
)
from jupyter_agent_core._values import Output
from jupyter_agent_core.rendering import Settings


def out(text: str) -> StreamOutput:
    return StreamOutput("stdout", text)


def since(before: tuple[Output, ...], now: tuple[Output, ...]) -> tuple[Output, ...] | None:
    """What is new for who has seen the outputs before; None if all has to be shown again."""
    position = position_of(now, end_of(before))
    return None if position is None else outputs_from(now, position)


def test_only_what_came_after_it_is_shown() -> None:
    plot = DisplayOutput({"text/plain": "plot"})
    assert since((), (out("a\n"),)) == (out("a\n"),)
    assert since((out("a\n"),), (out("a\nb\n"),)) == (out("b\n"),)
    assert since((out("a\n"),), (out("a\nb\n"), plot)) == (out("b\n"), plot)
    assert since((out("a\n"), plot), (out("a\n"), plot, out("b"))) == (out("b"),)
    assert since((plot,), (plot,)) == ()


def test_a_line_that_was_not_finished_is_shown_again_when_it_has_changed() -> None:
    assert since((out("a\n50%"),), (out("a\n50%"),)) == ()
    assert since((out("a\n50%"),), (out("a\n51%"),)) == (out("51%"),)
    assert since((out("a\n100%"),), (out("a\n7%"),)) == (out("7%"),)
    assert since((out("a\n50%"),), (out("a\n50%|##\nend\n"),)) == (out("50%|##\nend\n"),)


def test_all_is_shown_again_if_something_before_it_has_changed() -> None:
    first, second = DisplayOutput({"text/plain": "0%"}), DisplayOutput({"text/plain": "9%"})
    assert since((first, out("a\n")), (second, out("a\nb\n"))) is None
    assert since((out("a\nb\n"),), (out("other\nb\nc\n"),)) is None
    assert since((out("a\n"), first), (out("a\n"),)) is None
    assert since((out("long " * 9 + "\n"),), (out("new\n"),)) is None


@given(st.lists(st.text(alphabet="ab\n", min_size=1, max_size=8), min_size=1, max_size=8))
def test_pieces_that_are_read_as_they_come_are_all_of_it(pieces: list[str]) -> None:
    written, read, cursor = "", "", None
    for piece in pieces:
        written += piece
        outputs = (out(written),)
        position = BEGIN if cursor is None else position_of(outputs, cursor)
        assert position is not None
        for part in outputs_from(outputs, position):
            assert isinstance(part, StreamOutput)
            # from the beginning of its line on
            read = read[: read.rfind("\n") + 1] + part.text
        cursor = end_of(outputs)
    assert read == written


@pytest.mark.parametrize("cursor", ["", "x", "1", "1.2", "1.2.3", "-1.0.a.b", "1.2.3.4.5"])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(ConfigurationError, match="no cursor"):
        position_of((), cursor)


# --- pages of a run


def waited(outputs: tuple[Output, ...], start: OutputPosition | None) -> RunWaited:
    return RunWaited(result(*outputs), end_of(outputs), outputs, start)


def test_a_page_ends_with_the_cursor_of_the_next() -> None:
    lines = [f"line {number} of many\n" for number in range(2_000)]
    outputs = (out("".join(lines)), ErrorOutput("E", "v", ("E: v",)))
    position, read = BEGIN, ""
    for _ in range(50):
        page, said = texts(waited(outputs, position), Settings(max_tokens=2_000))[-2:]
        found = re.search(r'more outputs follow: read on with since="(\S+)"\]$', said)
        read += page
        if found is None:
            break
        # the run goes on meanwhile
        outputs = (out("".join(lines) + "later\n"), *outputs[1:])
        following = position_of(outputs, found[1])
        assert following is not None
        position = following
    assert read.startswith("".join(lines[:1_900]))
    assert said.endswith(f"; cursor {end_of(outputs)}]")


def test_that_outputs_have_changed_is_said() -> None:
    outputs = (out("a\n"),)
    answer = RunWaited(result(*outputs), end_of(outputs), outputs, BEGIN, changed=True)
    shown, said = texts(answer)
    assert shown == "a\n"
    assert said.startswith("[outputs before the cursor have changed, all are shown again; ok,")


def test_a_run_without_new_outputs_says_so() -> None:
    outputs = (out("a\n"),)
    (said,) = texts(waited(outputs, OutputPosition(1)))
    assert said.endswith(f"; cursor {end_of(outputs)}; no new output]")
