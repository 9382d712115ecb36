# SPDX-License-Identifier: BSD-3-Clause
"""Lines that somebody else has just changed are not overwritten; a cursor alone refuses nothing."""

from collections.abc import Callable

import anyio
import pytest
from clock import Clock, stopped
from collaborator import collaborator
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Awareness, create_awareness_message
from replicas import Agent, Human, Room
from servers import RunningServer

from jupyter_agent_core import CollaboratorTypingError, Notebook, Server
from jupyter_agent_core._document import typing_guard
from jupyter_agent_core._document.operations import (
    ClearOutputs,
    DeleteCell,
    EditSource,
    MoveCell,
    Operation,
    SetMetadata,
    SetSource,
    SetType,
)
from jupyter_agent_core._document.text_edits import lines_at, overwritten_lines

BASE = "one\ntwo\nthree"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped(monkeypatch, typing_guard)


class Pair:
    """An agent and a human with one cell."""

    def __init__(self, source: str = BASE) -> None:
        self.agent, self.human = Agent(), Human()
        self.room = Room(self.agent, self.human)
        self.agent.insert("other")
        self.cell_id = self.agent.insert(source)
        self.room.settle()

    def type(self, text: str, at: int | None = None) -> None:
        self.human.type(self.cell_id, text, at)
        self.room.settle()

    def erase(self, start: int, stop: int) -> None:
        self.human.erase(self.cell_id, start, stop)
        self.room.settle()

    def set(self, source: str, *, force: bool = False) -> None:
        self.agent.do(SetSource(self.cell_id, source, force=force))
        self.room.settle()

    @property
    def source(self) -> str:
        return self.agent.source(self.cell_id)


@pytest.fixture
def pair(clock: Clock) -> Pair:
    assert clock
    return Pair()


def refuse(pair: Pair, *operations: Operation) -> CollaboratorTypingError:
    before, marks = pair.agent.cells(), pair.agent.document.changes.last
    with pytest.raises(CollaboratorTypingError) as caught:
        pair.agent.do(*operations)
    assert pair.agent.cells() == before
    assert pair.agent.document.changes.last == marks
    return caught.value


def test_the_line_that_somebody_has_just_changed_is_not_overwritten(pair: Pair) -> None:
    pair.type("😀", 5)
    error = refuse(pair, SetSource(pair.cell_id, "one\nTWO\nthree"))
    assert (error.line, error.source, error.cell_id) == (1, pair.source, pair.cell_id)
    assert (error.current, error.by) == (pair.agent.document.cell(pair.cell_id).version, None)
    assert (error.retryable, error.applied) == (True, "no")
    refuse(pair, EditSource(pair.cell_id, "wo", "WO"))
    refuse(pair, SetSource(pair.cell_id, ""))


def test_other_lines_are_overwritten(pair: Pair) -> None:
    pair.type("😀", 5)
    pair.set("ONE\nt😀wo\nTHREE\nfour")
    pair.set("zero\nt😀wo")
    assert pair.source == pair.human.source(pair.cell_id) == "zero\nt😀wo"


def test_a_line_is_free_again_after_two_seconds(pair: Pair, clock: Clock) -> None:
    pair.type("x", 5)
    clock.now += typing_guard.WINDOW - 0.01
    refuse(pair, SetSource(pair.cell_id, ""))
    clock.now += 0.02
    pair.set("")
    assert pair.source == ""


def test_each_keystroke_renews_it_for_its_own_line(pair: Pair, clock: Clock) -> None:
    pair.type("x", 5)
    clock.now += 1.5
    pair.type("y")
    clock.now += 1
    pair.set("one\nTWO\nthreey")
    error = refuse(pair, SetSource(pair.cell_id, "one\nTWO\nTHREE"))
    assert error.line == 2


def test_who_forces_it_overwrites(pair: Pair) -> None:
    pair.type("x", 5)
    pair.set("all new", force=True)
    assert pair.source == "all new"


def test_own_edits_refuse_nothing_but_those_of_another_agent_do(clock: Clock) -> None:
    assert clock
    agent, other = Agent(), Agent()
    room = Room(agent, other)
    cell_id = agent.insert(BASE)
    for source in ("a", "b", "", BASE):
        agent.do(SetSource(cell_id, source))
    room.settle()
    with pytest.raises(CollaboratorTypingError):
        other.do(SetSource(cell_id, "TWO"))


def test_deleting_is_typing(pair: Pair) -> None:
    pair.erase(4, 6)
    refuse(pair, SetSource(pair.cell_id, "one\nTWO\nthree"))
    pair.set("ONE\no\nTHREE")


def test_a_line_that_was_joined_or_split_is_his(pair: Pair) -> None:
    pair.erase(3, 4)
    refuse(pair, SetSource(pair.cell_id, "ONE\nthree"))
    pair.type("\n", 3)
    refuse(pair, SetSource(pair.cell_id, "ONE\ntwo\nthree"))
    pair.set("one\ntwo\nTHREE")


def test_the_line_behind_the_end_that_he_has_typed_is_not_his(pair: Pair) -> None:
    pair.type("new\n", 4)
    pair.set("one\nnew\nTWO\nthree")
    refuse(pair, SetSource(pair.cell_id, "one\nNEW\nTWO\nthree"))


@pytest.mark.parametrize(
    "make",
    [
        DeleteCell,
        lambda cell_id: SetType(cell_id, "raw"),
        lambda cell_id: MoveCell(cell_id, None),
    ],
    ids=["delete", "set_type", "move"],
)
def test_a_cell_in_which_somebody_types_is_not_taken_away(
    pair: Pair, clock: Clock, make: Callable[[str], Operation]
) -> None:
    pair.agent.insert("last")
    pair.type("x")
    operation = make(pair.cell_id)
    refuse(pair, operation)
    clock.now += 2.1
    pair.agent.do(operation)


def test_what_takes_nothing_of_a_text_is_not_refused(pair: Pair) -> None:
    pair.type("x")
    pair.agent.do(SetMetadata(pair.cell_id, {"tags": ["t"]}), ClearOutputs(pair.cell_id))
    pair.agent.do(SetType(pair.cell_id, "code"), MoveCell(pair.cell_id, None))
    pair.agent.do(SetSource(pair.cell_id, pair.source))
    pair.agent.do(DeleteCell(pair.agent.ids[0]))


# --- where the text is


def test_a_line_added_behind_his_last_one_leaves_it_alone(pair: Pair) -> None:
    pair.type("x")
    for number in range(3):
        pair.set(f"{pair.source}\nnew {number}")
    pair.set(pair.source.replace("new 1", "new 😀"))
    assert pair.source.startswith(f"{BASE}x\nnew")
    refuse(pair, SetSource(pair.cell_id, pair.source.replace("threex", "three")))


def test_his_line_is_followed_while_others_come_and_go_above_it(pair: Pair) -> None:
    pair.type("x", 5)
    pair.set(pair.source.replace("one\n", "é😀\nnew\none\n"))
    assert refuse(pair, SetSource(pair.cell_id, pair.source.replace("txwo", ""))).line == 3
    pair.set(pair.source.replace("é😀\nnew\n", ""))
    assert refuse(pair, SetSource(pair.cell_id, pair.source.replace("txwo", ""))).line == 1
    pair.set(pair.source.replace("one", "ONE").replace("three", "THREE"))


@pytest.mark.parametrize("odd", ["\r", "\u2028", "\x0b", "\x85", "\u2029", "\x1c", "é😀"])
def test_only_a_newline_ends_a_line(clock: Clock, odd: str) -> None:
    assert clock
    pair = Pair(f"{odd}a{odd}\n{odd}b{odd}\nc{odd}")
    pair.type("x", 4 + len(odd))
    error = refuse(pair, SetSource(pair.cell_id, pair.source.replace("b", "B")))
    assert error.line == 1
    pair.set(pair.source.replace("a", "A").replace("c", "C"))


@pytest.mark.parametrize("source", ["", "\n", "\n\n", "x", "x\n"])
@pytest.mark.parametrize("typed", ["y", "\n", "é😀\n"])
def test_texts_of_hardly_anything(clock: Clock, source: str, typed: str) -> None:
    assert clock
    for at in range(len(source) + 1):
        pair = Pair(source)
        pair.type(typed, at)
        refuse(pair, DeleteCell(pair.cell_id))
        if typed == "y":
            refuse(pair, SetSource(pair.cell_id, source))
        pair.set(f"{pair.source}\nz")
        pair.set(f"a\n{pair.source}")
        assert pair.source == f"a\n{source[:at]}{typed}{source[at:]}\nz"


LETTERS = st.text("ab\n\r\u2028é😀", max_size=12)


@given(LETTERS, st.integers(0, 12), st.text("xyü🦊\n", min_size=1, max_size=3), LETTERS, LETTERS)
def test_no_agent_takes_away_what_was_just_typed(
    source: str, place: int, typed: str, between: str, then: str
) -> None:
    pair = Pair(source)
    marked = "".join(chr(0x1F400 + number) for number in range(len(typed)))
    pair.type(marked, place)
    for wanted in (between, then):
        at = min(place, len(wanted))
        for new in (wanted, wanted[:at] + marked + wanted[at:]):
            try:
                pair.set(new)
            except CollaboratorTypingError:
                continue
    assert set(marked) <= set(pair.source)


@given(LETTERS, st.integers(0, 40), st.integers(0, 40))
def test_the_lines_of_any_bytes_are_lines_of_the_text(text: str, start: int, length: int) -> None:
    lines = lines_at(text, start, start + length)
    assert 0 <= lines.start < lines.stop <= len(text.split("\n"))


@given(LETTERS, LETTERS)
def test_lines_that_are_not_overwritten_are_there_in_the_new_text(old: str, new: str) -> None:
    overwritten = overwritten_lines(old, new)
    kept = [line for number, line in enumerate(old.split("\n")) if number not in overwritten]
    remaining = iter(new.split("\n"))
    assert all(line in remaining for line in kept)


# --- on a server


async def test_it_is_told_who_types(notebook: Notebook, other: Server, clock: Clock) -> None:
    cell = await notebook.append_cell(BASE)
    theirs = await other.open_notebook(notebook.path)
    await theirs.cell(0).set_source("one\ntwo, theirs\nthree")
    await notebook.flush()
    with pytest.raises(CollaboratorTypingError, match="Other has just changed line 2") as caught:
        await cell.set_source("one\nTWO\nthree")
    assert caught.value.by == "Other"
    await cell.set_source("one\ntwo, theirs\nTHREE")
    await cell.set_source("mine", force=True)
    assert (await theirs.cell(0).read()).id == cell.id


async def test_a_cursor_alone_refuses_nothing(notebook: Notebook, lab: RunningServer) -> None:
    cell = await notebook.append_cell(BASE)
    await notebook.append_cell("other")
    with anyio.fail_after(20):
        async with collaborator(lab, notebook.path) as human:
            place = human.ycell(cell.id)["source"].sticky_index(5).to_json()
            awareness = Awareness(human.notebook.ydoc)
            awareness.set_local_state(
                {
                    "user": {"display_name": "Human"},
                    "cursors": [{"anchor": place, "head": place, "primary": True, "empty": True}],
                }
            )
            update = awareness.encode_awareness_update([awareness.client_id])
            await human._socket.send(create_awareness_message(update))
            await human.pull()
            await notebook.flush()
            assert notebook.collaborators() == ("Human",)
            await cell.set_source("one\nTWO\nthree")
            await cell.set_type("markdown")
            await cell.move(1)
            await cell.delete()
