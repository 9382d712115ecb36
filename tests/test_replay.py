# SPDX-License-Identifier: BSD-3-Clause
"""A server has gone back to its file: late edits are there again, once, and nothing else is."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_ydoc import YNotebook
from replicas import Agent, Human, Room

from jupyter_agent_core._document.edits import SourceSet
from jupyter_agent_core._document.operations import (
    ClearOutputs,
    DeleteCell,
    MoveCell,
    Operation,
    SetAttachments,
    SetMetadata,
    SetType,
)
from jupyter_agent_core._document.replay import source_again

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


WORDS = st.lists(st.sampled_from(["a", "b", "c", "\n", "é😀"]), max_size=8).map("".join)


@given(WORDS, WORDS)
def test_an_edit_is_made_where_it_is_missing_and_not_where_it_is(before: str, after: str) -> None:
    edit = SourceSet("one", before, after)
    assert source_again(edit, before, after) == after
    assert source_again(edit, after, after) == after
