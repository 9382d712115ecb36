# SPDX-License-Identifier: BSD-3-Clause
"""A server has gone back to its file: late edits are there again, once, and nothing else is."""

import random
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_ydoc import YNotebook
from replicas import Agent, Human, Room

from jupyter_agent_core._document import model
from jupyter_agent_core._document.edits import SourceSet
from jupyter_agent_core._document.operations import (
    ClearOutputs,
    DeleteCell,
    MoveCell,
    Operation,
    SetAttachments,
    SetMetadata,
    SetSource,
    SetType,
)
from jupyter_agent_core._document.replay import source_again
from jupyter_agent_core._document.text_edits import TextEdit, text_edits

ONE = {"cell_type": "code", "source": "one", "metadata": {}, "id": "one", "outputs": []}
TWO = {"cell_type": "markdown", "source": "two", "metadata": {}, "id": "two"}
SHOWN = {"output_type": "stream", "name": "stdout", "text": "shown"}
CONTENT: dict[str, Any] = {
    "cells": [{**ONE, "execution_count": 1, "outputs": [SHOWN]}, TWO],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}


class Restarted:
    """An agent and a human in a room whose server dies after a save, and goes back to that."""

    def __init__(self) -> None:
        self.agent, self.human = Agent(), Human()
        self.room = Room(self.agent, self.human, content=CONTENT)
        self.saved = self.room.written()

    def acknowledge(self) -> None:
        self.room.settle()
        self.agent.document.journal.acknowledged(self.agent.document.journal.last)

    def save(self) -> None:
        self.acknowledge()
        self.saved = self.room.written()

    def restart(self, *, with_store: bool, meanwhile: Callable[[YNotebook], None] | None = None):
        """Let the server go back to what was saved, before the agent comes back."""
        server = self.room.server if with_store else YNotebook()
        server.set(self.saved)
        if meanwhile is not None:
            meanwhile(server)
        self.agent.document.merge(server.ydoc.get_update(), restarted=True)
        self.agent.sent.clear()


@pytest.fixture
def room() -> Restarted:
    return Restarted()


with_and_without_store = pytest.mark.parametrize(
    "with_store", [True, False], ids=["with its store", "without its store"]
)


@with_and_without_store
def test_a_line_among_those_of_others_is_there_again(room: Restarted, with_store: bool) -> None:
    room.human.type("one", "\nof the human")
    room.acknowledge()
    room.agent.set("one", "one\nof the human\nof the agent")
    room.acknowledge()
    room.restart(with_store=with_store)
    assert room.agent.source("one") == "one\nof the agent"


@with_and_without_store
def test_a_line_that_was_saved_is_not_doubled_by_what_others_wrote_behind_it(
    room: Restarted, with_store: bool
) -> None:
    room.agent.set("one", "one\nof the agent")
    room.acknowledge()
    room.human.type("one", "\nof the human")
    room.save()
    room.restart(with_store=with_store)
    assert room.agent.source("one") == "one\nof the agent\nof the human"


@with_and_without_store
def test_a_line_that_others_have_removed_is_not_brought_back(
    room: Restarted, with_store: bool
) -> None:
    room.agent.set("one", "one\nof the agent")
    room.acknowledge()
    room.human.erase("one", 3, 16)
    room.acknowledge()
    room.restart(with_store=with_store)
    assert room.agent.source("one") == "one"


@with_and_without_store
def test_a_line_is_put_beside_what_others_have_made_again(
    room: Restarted, with_store: bool
) -> None:
    room.agent.set("one", "one\nof the agent")
    room.acknowledge()

    def others(server: YNotebook) -> None:
        server.ycells[0]["source"].insert(3, "\nof another")

    room.restart(with_store=with_store, meanwhile=others)
    assert room.agent.source("one") == "one\nof another\nof the agent"


OPERATIONS: dict[str, tuple[Operation, Callable[[list[dict[str, Any]]], object], object]] = {
    "type": (SetType("two", "raw"), lambda cells: cells[1]["cell_type"], "raw"),
    "metadata": (SetMetadata("one", {"a": 1}), lambda cells: cells[0]["metadata"].get("a"), 1),
    "attachments": (
        SetAttachments("two", {"a.png": {"image/png": "AA=="}}),
        lambda cells: list(cells[1].get("attachments", {})),
        ["a.png"],
    ),
    "move": (MoveCell("two", "one"), lambda cells: [c["id"] for c in cells], ["two", "one"]),
    "clear": (ClearOutputs("one"), lambda cells: cells[0]["outputs"], []),
    "delete": (DeleteCell("two"), lambda cells: [c["id"] for c in cells], ["one"]),
}


@with_and_without_store
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_kind_of_edit_is_there_again(room: Restarted, with_store: bool, name: str) -> None:
    operation, look, wanted = OPERATIONS[name]
    room.agent.do(operation)
    room.acknowledge()
    room.restart(with_store=with_store)
    assert look(room.agent.cells()) == wanted
    # and after another death before the first save
    room.restart(with_store=False)
    assert look(room.agent.cells()) == wanted


@with_and_without_store
def test_a_cell_that_others_have_deleted_is_not_brought_back(
    room: Restarted, with_store: bool
) -> None:
    three = room.agent.insert("three")
    room.acknowledge()
    room.human.delete(three)
    room.acknowledge()
    room.restart(with_store=with_store)
    assert room.agent.ids == ["one", "two"]


HEXADECIMAL = st.text("0123456789abcdef", min_size=8, max_size=8)


@with_and_without_store
@given(st.lists(HEXADECIMAL, min_size=1, max_size=4), st.data())
def test_a_source_that_was_replaced_is_there_as_a_whole(
    with_store: bool, sources: list[str], data: st.DataObject
) -> None:
    """The server dies when its file has some of the edits, and its store others."""
    room = Restarted()
    saved, stored = [room.room.written()], [room.room.server.ydoc.get_update()]
    for source in sources:
        room.agent.set("one", source)
        room.acknowledge()
        saved.append(room.room.written())
        stored.append(room.room.server.ydoc.get_update())
    server = YNotebook()
    if with_store:
        server.ydoc.apply_update(data.draw(st.sampled_from(stored)))
    server.set(data.draw(st.sampled_from(saved)))
    if with_store:  # who has come before us has brought what he had of our edits
        server.ydoc.apply_update(data.draw(st.sampled_from(stored)))
    room.agent.document.merge(server.ydoc.get_update(), restarted=True)
    assert room.agent.source("one") == sources[-1]
    room.agent.do(SetSource("one", "next"))  # the server has written there, and nobody has typed


def test_a_line_of_a_human_that_is_in_the_file_and_not_in_the_store_comes_once(
    room: Restarted,
) -> None:
    server = YNotebook()
    server.ydoc.apply_update(room.room.server.ydoc.get_update())
    room.human.type("one", "\nof the human")
    room.save()
    server.set(room.saved)
    room.agent.document.merge(server.ydoc.get_update(), restarted=True)
    assert room.agent.source("one") == "one\nof the human"


@pytest.mark.parametrize(
    "sources", [("one\nof the human", "one"), ("one", "one\nof the human"), ("one", "one")]
)
def test_copies_of_a_cell_that_a_server_has_keep_what_others_wrote(
    room: Restarted, sources: tuple[str, str]
) -> None:
    """A server has two if two have moved the cell, until it saves."""
    room.agent.set("one", "one\nof the agent")
    room.acknowledge()

    def others(server: YNotebook) -> None:
        server.ycells[0]["source"].insert(3, sources[0].removeprefix("one"))
        server.ycells.insert(1, server.create_ycell({**ONE, "source": sources[1]}))

    room.restart(with_store=True, meanwhile=others)
    written = "\n".join(cell["source"] for cell in room.agent.cells())
    human = "".join(sources).count("of the human")
    assert (written.count("of the agent"), written.count("of the human")) == (1, human)


def test_a_copy_that_comes_of_the_file_is_no_second_cell(room: Restarted) -> None:
    """What the server makes of a cell that its store does not have is another one of that id."""
    stored = room.room.server.ydoc.get_update()
    three = room.agent.insert("three")
    room.save()
    room.agent.set(three, "of the agent")
    room.acknowledge()
    server = YNotebook()
    server.ydoc.apply_update(stored)
    server.set(room.saved)
    room.agent.document.merge(server.ydoc.get_update(), restarted=True)
    assert room.agent.ids == ["one", "two", three]
    assert room.agent.source(three) == "of the agent"


def test_a_cell_without_an_id_stands_in_nobodys_way(room: Restarted) -> None:
    """Who undoes a deletion may bring back a cell without the id that it was given meanwhile."""
    room.agent.set("one", "of the agent")
    room.acknowledge()

    def others(server: YNotebook) -> None:
        del server.ycells[1]["id"]

    room.restart(with_store=True, meanwhile=others)
    assert room.agent.source("one") == "of the agent"


def test_what_was_there_before_a_source_that_was_torn_can_be_had_back(room: Restarted) -> None:
    stored = room.room.server.ydoc.get_update()
    for source in ("272d1371", "c17149d4"):
        room.agent.set("one", source)
        room.acknowledge()
    server = YNotebook()
    server.ydoc.apply_update(stored)
    server.set(room.room.written())
    room.agent.document.merge(server.ydoc.get_update(), restarted=True)
    room.agent.editor.undo(1)
    assert room.agent.source("one") == "272d1371"


def test_cells_that_are_as_they_were_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """To look all cells of a big notebook up, one by one, takes seconds."""
    cells = [{**ONE, "id": f"cell{n}", "execution_count": None} for n in range(5)]
    agent = Agent()
    room = Room(agent, content=CONTENT | {"cells": cells})
    agent.set("cell3", "of the agent")
    room.settle()
    compared: list[str] = []

    def compare(old: str, new: str) -> list[TextEdit]:
        compared.append(old)
        return text_edits(old, new)

    monkeypatch.setattr(model, "text_edits", compare)
    agent.document.merge(room.server.ydoc.get_update(), restarted=True)
    assert compared == []


WORDS = st.lists(st.sampled_from(["a", "b", "c", "\n", "é😀"]), max_size=8).map("".join)


@given(WORDS, WORDS)
def test_an_edit_is_made_where_it_is_missing_and_not_where_it_is(before: str, after: str) -> None:
    edit = SourceSet("one", before, after)
    assert source_again(edit, before, after) == after
    assert source_again(edit, after, after) == after


LINES = "\n".join(f"line {number}" for number in range(6))


class Party:
    """Two agents and a human write in one cell, each his own words, until the server dies.

    Attributes:
        words: What the agents have written.
    """

    def __init__(self, chance: random.Random) -> None:
        self.agents, self.human = (Agent(), Agent()), Human()
        content = CONTENT | {"cells": [ONE | {"source": LINES, "execution_count": None}]}
        self.room = Room(*self.agents, self.human, content=content)
        self.server = self.room.server
        self.words: list[str] = []
        self._chance = chance

    def write(self) -> None:
        """Let somebody write a line, or a word into a line of anybody's."""
        number = len(self.words)
        writer = self._chance.choice([*self.agents, self.human])
        if isinstance(writer, Human):
            self.human.type("one", f"\nh{number}z")
            return
        word = f"a{number}z"
        self.words.append(word)
        lines = writer.source("one").split("\n")
        # a line of the human goes with the server: what was put into that may be torn
        place = self._chance.choice([n for n, line in enumerate(lines) if "h" not in line])
        match self._chance.choice(["line", "end", "start"]):
            case "line":
                lines.insert(place, f"new {word}")
            case "end":
                lines[place] += f" {word}"
            case _:
                lines[place] = f"{word} {lines[place]}"
        writer.set("one", "\n".join(lines))

    def written(self) -> dict[str, Any]:
        """The file as the server would write it."""
        return self.server.get()

    def acknowledge(self) -> None:
        """The server says that it has what was written."""
        for agent in self.agents:
            agent.document.journal.acknowledged(agent.document.journal.last)

    def restart(self, saved: dict[str, Any], *, with_store: bool) -> str:
        """Let the server go back to what was saved, and all agents come back; the source then."""
        server = self.server = self.server if with_store else YNotebook()
        server.set(saved)
        for agent in self._chance.sample(self.agents, 2):
            agent.document.merge(server.ydoc.get_update(), restarted=True)
            server.ydoc.apply_update(agent.document.ydoc.get_update())
        for agent in self.agents:
            agent.receive(server.ydoc.get_update())
        one, other = (agent.source("one") for agent in self.agents)
        assert one == other
        return one


@with_and_without_store
@pytest.mark.parametrize("stored", [True, False], ids=["all stored", "the last ones not stored"])
@pytest.mark.parametrize("seed", range(60))
def test_every_word_of_two_agents_is_there_once(seed: int, stored: bool, with_store: bool) -> None:
    chance = random.Random(seed)  # noqa: S311 (a test that can be repeated)
    party = Party(chance)
    for _ in range(chance.randint(0, 12)):
        party.write()
        party.room.settle()
    saved = party.room.written()
    for _ in range(chance.randint(1, 12)):
        party.write()
        if chance.random() < 0.7:
            party.room.settle()
    party.room.settle()
    if not stored:  # the server has them, and dies before it writes them anywhere
        for _ in range(chance.randint(1, 3)):
            party.write()
    party.acknowledge()
    source = party.restart(saved, with_store=with_store)
    assert Counter(re.findall(r"a\d+z", source)) == Counter(party.words)
    # and after another death, of a server that has saved what the first one left, or has not
    saved = chance.choice([saved, party.written()])
    source = party.restart(saved, with_store=False)
    assert Counter(re.findall(r"a\d+z", source)) == Counter(party.words)


@with_and_without_store
def test_a_word_in_the_line_above_does_not_hide_a_line(room: Restarted, with_store: bool) -> None:
    room.agent.set("one", "one\nline")
    room.agent.set("one", "one word\nline")
    room.acknowledge()
    room.restart(with_store=with_store)
    assert room.agent.source("one") == "one word\nline"
