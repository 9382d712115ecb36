# SPDX-License-Identifier: BSD-3-Clause
"""How long edits are kept that the server has, but perhaps not on its disk."""

import nbformat
import pytest
from clock import Clock, stopped
from jupyter_ydoc import YNotebook

from jupyter_agent_core._document import journal
from jupyter_agent_core._document.editor import Editor
from jupyter_agent_core._document.edits import Deleted
from jupyter_agent_core._document.journal import RETENTION, SAVING, SILENCE, Journal
from jupyter_agent_core._document.model import NotebookDocument
from jupyter_agent_core._document.operations import InsertCell


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped(monkeypatch, journal)


def kept(edits: Journal) -> list[int]:
    """The numbers of the edits that are kept, once the server has all of them."""
    edits.acknowledged(edits.last)
    return [entry.number for entry in edits._entries]


@pytest.fixture
def edits(clock: Clock) -> Journal:
    """An edit, with the server for long by now."""
    edits = Journal()
    edits.loaded("as loaded")
    edits.note(Deleted("a"))
    assert kept(edits) == [1]
    clock.now += RETENTION + 1
    return edits


def test_an_edit_is_kept_until_the_server_has_saved(edits: Journal, clock: Clock) -> None:
    assert kept(edits) == [1]
    edits.saved("as loaded")
    assert kept(edits) == [1]
    edits.saved("with it")
    assert kept(edits) == []


def test_an_edit_is_kept_for_a_while_after_the_server_has_saved(clock: Clock) -> None:
    edits = Journal()
    edits.loaded("as loaded")
    edits.note(Deleted("a"))
    assert kept(edits) == [1]
    clock.now += SAVING + 1
    edits.saved("with it")
    assert kept(edits) == [1]
    clock.now += RETENTION
    assert kept(edits) == []


def test_an_edit_at_the_moment_of_a_save_may_not_be_in_it(edits: Journal, clock: Clock) -> None:
    edits.note(Deleted("b"))
    clock.now += 0.1
    edits.saved("with the first, and perhaps the second")
    clock.now += RETENTION
    assert kept(edits) == [2]


def test_an_edit_of_long_ago_that_arrives_now_is_in_no_file_yet(clock: Clock) -> None:
    edits = Journal()
    edits.loaded("as loaded")
    edits.note(Deleted("a"))
    clock.now += RETENTION + 1
    edits.saved("what others did while the connection was broken")
    assert kept(edits) == [1]
    clock.now += RETENTION + 1
    assert kept(edits) == [1]
    edits.saved("with it")
    assert kept(edits) == []


def test_a_server_that_has_begun_anew_with_its_file_has_saved_nothing(edits: Journal) -> None:
    edits.saved("with it")
    edits.loaded("an older file")
    assert kept(edits) == [1]


def test_some_servers_say_when_they_have_written_and_not_what(clock: Clock) -> None:
    edits = Journal()
    edits.loaded(None)
    edits.note(Deleted("a"))
    edits.written()
    assert kept(edits) == [1]
    clock.now += SILENCE
    assert kept(edits) == [1]
    edits.written()
    assert kept(edits) == []


def test_a_server_that_has_read_its_file_anew_has_not_saved(clock: Clock) -> None:
    """As jupyter-server-ydoc 3.0 does, which then forgets the hash of what it has written."""
    edits = Journal()
    edits.loaded(None)
    edits.saved("before")
    edits.note(Deleted("a"))
    clock.now += RETENTION + SAVING + 1
    edits.saved(None)
    assert kept(edits) == [1]
    edits.saved("with it")
    clock.now += RETENTION + 1
    assert kept(edits) == [1]  # it arrived when that was written
    edits.saved("with it, too")
    assert kept(edits) == []


def test_a_save_while_the_connection_was_broken_may_be_of_before_the_edit(
    edits: Journal, clock: Clock
) -> None:
    edits.saved("at some time", just_now=False)
    assert kept(edits) == [1]
    edits.saved("at some time")
    assert kept(edits) == [1]
    edits.saved("with it")
    assert kept(edits) == []


def test_a_server_that_began_with_its_file_and_has_not_saved_since_may_lose_all(
    clock: Clock,
) -> None:
    edits = Journal()
    edits.loaded(None)
    edits.note(Deleted("a"))
    assert kept(edits) == [1]
    clock.now += SILENCE - 1
    edits.saved(None)
    assert kept(edits) == [1]
    clock.now += 2
    assert kept(edits) == []  # it says nothing of saves


def test_a_document_knows_a_save_of_just_now_from_one_while_it_was_not_connected(
    clock: Clock,
) -> None:
    server = YNotebook()
    server.set(nbformat.v4.new_notebook())
    document = NotebookDocument()
    document.merge(server.ydoc.get_update())
    Editor(document).apply([InsertCell("x", "code", None)])
    server.ydoc.apply_update(document.ydoc.get_update())
    assert kept(document.journal) == [1]
    clock.now += RETENTION + SAVING
    server.hash = "at some time"
    document.merge(server.ydoc.get_update())
    assert kept(document.journal) == [1]
    server.hash = "just now"
    document.apply_remote(server.ydoc.get_update())
    assert kept(document.journal) == []
