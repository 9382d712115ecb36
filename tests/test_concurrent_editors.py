# SPDX-License-Identifier: BSD-3-Clause
"""Several agents and a human edit at once: all come to the same, and no text is lost."""

import itertools
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from jupyter_ydoc import YNotebook
from pycrdt import Map, Text
from replicas import EMPTY, Agent, Human, Room

from jupyter_agent_core._document.operations import (
    ClearOutputs,
    DeleteCell,
    MoveCell,
    SetMetadata,
    SetType,
)
from jupyter_agent_core._errors import ConfigurationError, UndoConflictError
from jupyter_agent_core._values import CellType

SHARE = st.floats(0, 1, exclude_max=True)
CELL_TYPES: tuple[CellType, ...] = ("code", "markdown", "raw")


def characters() -> Iterator[str]:
    """Characters that are all different, of 1 to 4 bytes, and what others take for line ends."""
    yield from "\r\x0b\x85\u2028"
    for number in itertools.count():
        yield chr((0x61, 0x3B1, 0x4E00, 0x1F300)[number % 4] + number // 4)


def at(share: float, count: int) -> int:
    return int(share * count)


def check_converged(room: Room) -> list[dict[str, Any]]:
    """Let everything arrive; all have the same valid notebook then. Return its cells."""
    room.settle()
    cells: list[dict[str, Any]] = room.server.ycells.to_py() or []
    for replica in room.replicas:
        assert replica.cells() == cells
        if isinstance(replica, Agent):
            read = [(cell.id, cell.source) for cell in replica.document.cells()]
            assert read == [(cell["id"], cell["source"]) for cell in cells]
    with warnings.catch_warnings(action="ignore"):  # of cells with one id
        nbformat.validate(nbformat.from_dict(room.written()))
    return cells


# --- texts

# who does it (or that something arrives), where, and whether a character is replaced
TEXT_STEPS = st.lists(
    st.tuples(st.integers(0, 4), st.lists(SHARE, min_size=2, max_size=4), SHARE, st.booleans()),
    max_size=25,
)


class Texts:
    """Two agents and a human in texts whose characters are all different."""

    def __init__(self) -> None:
        self.agents = Agent(), Agent()
        self.human = Human()
        self.room = Room(*self.agents, self.human)
        self.characters = characters()
        self.there: set[str] = set()
        for _ in range(2):
            lines = ["".join(itertools.islice(self.characters, 3)) for _ in range(4)]
            self.there.update("".join(lines))
            self.agents[0].insert("\n".join(lines))
        self.room.settle()
        self.cell_ids = self.agents[0].ids

    def new(self) -> str:
        character = next(self.characters)
        self.there.add(character)
        return character

    def edited(self, line: str, share: float, *, replace: bool) -> str:
        place = at(share, len(line) + 1)
        removed = line[place : place + replace]
        self.there.discard(removed)
        return line[:place] + self.new() + line[place + replace :]

    def edit(self, agent: Agent, cell_id: str, shares: list[float], *, replace: bool) -> None:
        """Let an agent change several lines, each in one place."""
        lines = agent.source(cell_id).split("\n")
        for number in {at(share, len(lines)) for share in shares}:
            lines[number] = self.edited(lines[number], shares[0], replace=replace)
        if len(shares) == 1 and replace:
            lines.append(self.new())
        agent.set(cell_id, "\n".join(lines))

    def type(self, cell_id: str, share: float, *, replace: bool) -> None:
        """Let the human type a character, or delete one that is no line end."""
        source = self.human.source(cell_id)
        place = at(share, len(source) + 1)
        if replace and source[place : place + 1].strip("\n"):
            self.there.discard(source[place])
            self.human.erase(cell_id, place, place + 1)
        else:
            self.human.type(cell_id, self.new(), place)


@given(TEXT_STEPS)
def test_every_text_of_three_who_edit_the_same_cells_is_there_once(
    steps: list[tuple[int, list[float], float, bool]],
) -> None:
    texts = Texts()
    for who, shares, share, replace in steps:
        cell_id = texts.cell_ids[at(share, 2)]
        if who < 2:
            texts.edit(texts.agents[who], cell_id, shares[1:], replace=replace)
        elif who == 2:
            texts.type(cell_id, shares[0], replace=replace)
        else:
            texts.room.deliver(at(share, 6))
    cells = check_converged(texts.room)
    characters = Counter("".join(cell["source"] for cell in cells))
    del characters["\n"]
    assert characters == dict.fromkeys(texts.there, 1)


@given(st.lists(st.tuples(st.integers(0, 6), SHARE), max_size=25))
def test_an_edit_made_while_a_human_replaces_the_cell_is_in_his_copy(
    steps: list[tuple[int, float]],
) -> None:
    agent, human = Agent(), Human()
    room = Room(agent, human)
    cell_id = agent.insert("one\ntwo")
    agent.insert("other")
    room.settle()
    new = (chr(0x1F300 + number) for number in itertools.count())
    written = []
    for kind, share in steps:
        if kind == 0:
            human.move(cell_id, at(share, 2))
        elif kind == 1:
            human.set_type(cell_id, CELL_TYPES[at(share, 3)])
        elif kind < 4:
            character = next(new)
            written.append(character)
            if kind == 2:
                source = human.source(cell_id)
                human.type(cell_id, character, at(share, len(source) + 1))
            else:
                source = agent.source(cell_id)
                place = at(share, len(source) + 1)
                agent.set(cell_id, source[:place] + character + source[place:])
        else:
            room.deliver(at(share, 4))
    check_converged(room)
    source = agent.source(cell_id)
    assert len(source) == len("one\ntwo") + len(written)
    assert set(written) <= set(source)


# --- cells


class Editors(RuleBasedStateMachine):
    """Two agents and a human do whatever can be done to cells."""

    @initialize()
    def begin(self) -> None:
        self.agents = Agent(), Agent()
        self.human = Human()
        self.room = Room(*self.agents, self.human)
        for number in range(4):
            self.agents[0].insert(f"cell {number}", CELL_TYPES[number % 3])
        self.room.settle()

    def cell(self, replica: Agent | Human, share: float) -> str | None:
        return replica.ids[at(share, len(replica.ids))] if replica.ids else None

    @rule(who=st.booleans(), share=SHARE, kind=st.sampled_from(CELL_TYPES))
    def agent_inserts(self, who: bool, share: float, kind: CellType) -> None:
        agent = self.agents[who]
        agent.insert("new", kind, at(share, len(agent.ids) + 1))

    @rule(who=st.booleans(), share=SHARE, text=st.text("ab\né😀", max_size=9))
    def agent_edits(self, who: bool, share: float, text: str) -> None:
        if cell_id := self.cell(self.agents[who], share):
            self.agents[who].set(cell_id, text)

    @rule(who=st.booleans(), share=SHARE, place=SHARE)
    def agent_moves(self, who: bool, share: float, place: float) -> None:
        agent = self.agents[who]
        if cell_id := self.cell(agent, share):
            agent.move(cell_id, at(place, len(agent.ids)))

    @rule(who=st.booleans(), share=SHARE, kind=st.sampled_from(CELL_TYPES))
    def agent_changes_a_type(self, who: bool, share: float, kind: CellType) -> None:
        if cell_id := self.cell(self.agents[who], share):
            self.agents[who].do(SetType(cell_id, kind, force=True))

    @rule(who=st.booleans(), share=SHARE, number=st.integers(0, 3))
    def agent_sets_metadata(self, who: bool, share: float, number: int) -> None:
        if cell_id := self.cell(self.agents[who], share):
            self.agents[who].do(SetMetadata(cell_id, {"tags": ["a"], "n": number}))

    @rule(who=st.booleans(), share=SHARE, place=SHARE)
    def agent_makes_a_batch(self, who: bool, share: float, place: float) -> None:
        agent = self.agents[who]
        first, second = self.cell(agent, share), self.cell(agent, place)
        if first and second and first != second:
            agent.do(
                SetMetadata(first, {"tags": ["batch"]}),
                MoveCell(first, second, force=True),
                DeleteCell(second, force=True),
            )

    @rule(who=st.booleans(), share=SHARE)
    def agent_clears_outputs(self, who: bool, share: float) -> None:
        agent = self.agents[who]
        cell_id = self.cell(agent, share)
        if cell_id and agent.document.cell(cell_id).cell_type == "code":
            agent.do(ClearOutputs(cell_id))

    @rule(who=st.booleans(), count=st.integers(1, 2))
    def agent_undoes(self, who: bool, count: int) -> None:
        before = self.agents[who].cells()
        try:
            self.agents[who].editor.undo(count)
        except (ConfigurationError, UndoConflictError):
            assert self.agents[who].cells() == before

    @rule(share=SHARE, text=st.text("xy\nü🦊", max_size=9))
    def human_types(self, share: float, text: str) -> None:
        if cell_id := self.cell(self.human, share):
            self.human.type(cell_id, text)

    @rule(share=SHARE, place=SHARE)
    def human_moves(self, share: float, place: float) -> None:
        if cell_id := self.cell(self.human, share):
            self.human.move(cell_id, at(place, len(self.human.ids)))

    @rule(share=SHARE, kind=st.sampled_from(CELL_TYPES))
    def human_changes_a_type(self, share: float, kind: CellType) -> None:
        if cell_id := self.cell(self.human, share):
            self.human.set_type(cell_id, kind)

    @rule(share=SHARE)
    def human_deletes(self, share: float) -> None:
        if cell_id := self.cell(self.human, share):
            self.human.delete(cell_id)

    @rule(share=SHARE)
    def human_inserts(self, share: float) -> None:
        self.human.insert(at(share, len(self.human.ids) + 1), "# human", "markdown")

    @rule()
    def human_undoes(self) -> None:
        self.human.undo()

    @rule(link=st.integers(0, 5), count=st.integers(1, 6))
    def some_updates_arrive(self, link: int, count: int) -> None:
        for _ in range(count):
            self.room.deliver(link)

    def teardown(self) -> None:
        if hasattr(self, "room"):
            check_converged(self.room)


TestWhateverThreeDoAllComeToTheSameValidNotebook = Editors.TestCase
TestWhateverThreeDoAllComeToTheSameValidNotebook.settings = settings(
    max_examples=60, stateful_step_count=30
)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), SHARE), max_size=12))
def test_cells_that_nobody_touches_are_written_as_without_us(
    steps: list[tuple[bool, int, float]],
) -> None:
    output = {"output_type": "stream", "name": "stdout", "text": "1\n"}
    image = {"output_type": "display_data", "data": {"image/png": "aGk="}, "metadata": {}}
    content = EMPTY | {
        "cells": [
            {"id": "a", "cell_type": "code", "source": "x", "metadata": {"n": 1, "tags": ["t"]}}
            | {"outputs": [output, image], "execution_count": 3},
            {"id": "b", "cell_type": "markdown", "source": "é", "metadata": {"deep": {"l": [1]}}}
            | {"attachments": {"i.png": {"image/png": "aGk="}}},
            {"id": "c", "cell_type": "raw", "source": "", "metadata": {"format": "text/x"}},
        ]
    }
    agent, human = Agent(), Human()
    room = Room(agent, human, content=content)
    without_us = YNotebook()
    without_us.ydoc.apply_update(room.first)
    mine = agent.insert("mine", index=1)
    for arrives, kind, share in steps:
        if arrives:
            room.deliver(at(share, 4))
        elif kind == 0:
            agent.set(mine, f"{share}")
        elif kind == 1:
            agent.move(mine, at(share, len(agent.ids)))
        elif kind == 2:
            agent.do(SetType(mine, CELL_TYPES[at(share, 3)]))
        elif kind == 3:
            agent.insert("another", index=at(share, len(agent.ids)))
        else:
            human.insert(at(share, len(human.ids)), "his")
    check_converged(room)
    written = {cell["id"]: cell for cell in room.written()["cells"]}
    assert [written[id_] for id_ in "abc"] == without_us.get()["cells"]


# --- one cell, moved by several at once


def moved_by_all(*replicas: Agent | Human) -> tuple[Room, str]:
    """Let all move the same cell of five at once, each to another place."""
    room = Room(*replicas)
    for number in range(5):
        source = f"cell {number}"
        if isinstance(replicas[0], Agent):
            replicas[0].insert(source)
        else:
            replicas[0].insert(number, source)
    room.settle()
    cell_id = replicas[0].ids[2]
    for replica, index in zip(replicas, (0, 4, 3), strict=False):
        replica.move(cell_id, index)
    return room, cell_id


@pytest.mark.parametrize(
    "makers",
    [(Agent, Agent), (Agent, Human), (Human, Agent), (Agent, Agent, Agent), (Agent, Human, Agent)],
    ids=lambda makers: " and ".join(maker.__name__ for maker in makers),
)
@given(order=st.lists(st.integers(0, 5), max_size=8))
def test_a_cell_that_several_move_at_once_is_there_once(
    makers: tuple[type[Agent] | type[Human], ...], order: list[int]
) -> None:
    room, cell_id = moved_by_all(*(maker() for maker in makers))
    for link in order:
        room.deliver(link)
    cells = check_converged(room)
    assert len(cells) == 5
    assert sorted(cell["source"] for cell in cells) == [f"cell {number}" for number in range(5)]
    assert cell_id in [cell["id"] for cell in cells]


@pytest.mark.parametrize("place", [0, 2])
def test_no_copy_with_a_text_of_its_own_is_removed(place: int) -> None:
    agent, other, human = Agent(), Agent(), Human()
    room = Room(agent, other, human)
    agent.insert("before")
    cell_id = agent.insert("moved")
    agent.insert("after")
    room.settle()
    agent.move(cell_id, 2 - place)
    human.type(cell_id, " and typed in")
    human.move(cell_id, place)
    cells = check_converged(room)
    everything = ["after", "before", "moved", "moved and typed in"]
    assert sorted(cell["source"] for cell in cells) == everything
    assert agent.source(cell_id) == agent.cells()[agent.ids.index(cell_id)]["source"]
    # the server gives the other one another id when it saves
    with pytest.warns(UserWarning, match="Non-unique cell ID"):
        human.notebook.get()
    room.settle()
    assert len(set(agent.ids)) == 4


def test_a_cell_that_has_lost_its_id_can_be_read() -> None:
    agent, human = Agent(), Human()
    room = Room(agent, human)
    cell_id = agent.insert("text")
    room.settle()
    with human.ydoc.transaction():
        del human.ycell(cell_id)["id"]
    human.notebook.ycells.append(Map({"source": Text("new"), "cell_type": "raw"}))
    room.settle()
    assert [(cell.id, cell.source) for cell in agent.document.cells()] == [
        ("", "text"),
        ("", "new"),
    ]


def test_cells_that_have_had_one_id_before_are_left_alone() -> None:
    raw = {"id": "same", "cell_type": "raw", "source": "twice", "metadata": {}}
    agent, human = Agent(), Human()
    room = Room(agent, human, content=EMPTY | {"cells": [raw, raw]})
    human.insert(1, "new")
    agent.insert("mine", index=0)
    room.settle()
    assert [cell["source"] for cell in agent.cells()] == ["mine", "twice", "new", "twice"]
    assert agent.cells() == human.cells()


def test_the_outputs_of_a_cell_that_two_move_at_once_are_kept() -> None:
    output = {"output_type": "stream", "name": "stdout", "text": "kept\n"}
    code = {"id": "code", "cell_type": "code", "source": "print('kept')", "metadata": {}}
    content = EMPTY | {
        "cells": [
            code | {"outputs": [output], "execution_count": 1},
            {"id": "text", "cell_type": "markdown", "source": "text", "metadata": {}},
        ]
    }
    agent, other = Agent(), Agent()
    room = Room(agent, other, content=content)
    agent.move("code", 1)
    other.move("code", 1)
    cells = check_converged(room)
    assert [cell["id"] for cell in cells] == ["text", "code"]
    assert cells[1]["outputs"] == [output]
