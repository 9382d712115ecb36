# SPDX-License-Identifier: BSD-3-Clause
"""A notebook file before a stand-in for its server: others are faster, or it cannot be written."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from httpx import Response
from stand_in import StandIn, stand_in

from jupyter_agent_core import (
    ConnectionLostError,
    NotebookConflictError,
    NotebookNotFoundError,
    RequestError,
)
from jupyter_agent_core._document import contents
from jupyter_agent_core._document.contents import ContentsFile
from jupyter_agent_core._document.editor import Editor
from jupyter_agent_core._document.operations import MoveCell, SetSource
from jupyter_agent_core._http.auth import Token
from jupyter_agent_core._http.rest import JupyterRest

READ = "GET /api/contents/a.ipynb"
WRITE = "PUT /api/contents/a.ipynb"


def file_with(sources: dict[str, str], version: str) -> Response:
    """A version of the file, with raw cells by their ids."""
    cells = [
        {"id": cell_id, "cell_type": "raw", "source": source, "metadata": {}}
        for cell_id, source in sources.items()
    ]
    content: dict[str, Any] = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return Response(200, json={"content": content, "hash": version, "last_modified": version})


def written(version: str) -> Response:
    return Response(200, json={"last_modified": version})


ABC = {"a": "a", "b": "b", "c": "c"}
BEFORE = file_with(ABC, "before")
THEIRS = file_with(ABC | {"a": "theirs"}, "theirs")
OURS = file_with(ABC | {"b": "ours"}, "ours")


@asynccontextmanager
async def opened(
    reads: Sequence[Response], writes: Sequence[Response] = ()
) -> AsyncIterator[tuple[ContentsFile, StandIn]]:
    """The notebook, on a server that answers so."""
    async with (
        stand_in({READ: reads, WRITE: writes or Response(500)}) as standing,
        JupyterRest(standing.url, Token("t")) as rest,
    ):
        file = ContentsFile("a.ipynb", rest, "Agent")
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                await group.start(file.run)
                yield file, standing
                group.cancel_scope.cancel()


def edit(file: ContentsFile, cell_id: str = "b") -> None:
    Editor(file.document).apply([SetSource(cell_id, "ours")])


def sources(file: ContentsFile) -> list[str]:
    return [cell.source for cell in file.document.cells()]


async def test_a_server_that_fails_to_read_the_file_is_not_said_to_have_no_notebook() -> None:
    answers = {READ: Response(500, json={"message": "disk full"})}
    async with stand_in(answers) as standing, JupyterRest(standing.url, Token("t")) as rest:
        with pytest.raises(RequestError, match="disk full"):
            await ContentsFile("a.ipynb", rest, "Agent").run()


async def test_an_edit_that_the_server_could_not_write_this_time_is_written_the_next_time() -> None:
    unavailable = Response(503, json={"message": "restarting"})
    async with opened([BEFORE, BEFORE, BEFORE, OURS], [unavailable, written("ours")]) as (file, at):
        edit(file)
        with pytest.raises(ConnectionLostError, match="restarting") as caught:
            await file.acknowledge()
        assert caught.value.applied == "unknown"
        assert sources(file) == ["a", "ours", "c"]
        await file.acknowledge()
        assert at.asked.count(WRITE) == 2


async def test_who_writes_right_after_us_is_noticed_with_the_next_edit() -> None:
    both = file_with(ABC | {"a": "theirs", "b": "ours"}, "both")
    async with opened([BEFORE, BEFORE, both], [written("ours")]) as (file, at):
        edit(file)
        await file.acknowledge()
        edit(file, "c")
        with pytest.raises(NotebookConflictError, match="'theirs'") as caught:
            await file.acknowledge()
        assert caught.value.changes == (("edited", "a"),)
        assert at.asked.count(WRITE) == 1
        assert sources(file) == ["theirs", "ours", "c"]


async def test_of_many_cells_that_others_have_changed_some_are_shown() -> None:
    many = {f"cell-{number}": str(number) for number in range(13)}
    theirs = {cell_id: f"theirs {source}" for cell_id, source in many.items()}
    async with opened([file_with(many, "before"), file_with(theirs, "theirs")]) as (file, _):
        edit(file, "cell-0")
        with pytest.raises(NotebookConflictError) as caught:
            await file.acknowledge()
        assert len(caught.value.changes) == 13
        said = str(caught.value)
        assert "'theirs 9'" in said
        assert "'theirs 10'" not in said
        assert "… 3 more" in said


@pytest.mark.parametrize(
    ("cell_id", "before", "merged"),
    [("c", "a", "cab"), ("a", None, "bca"), ("b", "a", "bac")],
)
async def test_a_move_that_was_refused_is_made_on_what_others_have_written(
    cell_id: str, before: str | None, merged: str
) -> None:
    async with opened([BEFORE, THEIRS]) as (file, _):
        Editor(file.document).apply([MoveCell(cell_id, before)])
        with pytest.raises(NotebookConflictError):
            await file.acknowledge()
        assert list(file.document.ids) == list("abc")
        file.document.make_refused_again()
        assert list(file.document.ids) == list(merged)
        assert file.document.cell("a").source == "theirs"


# --- nobody waits


async def test_a_refusal_of_what_nobody_waits_for_is_logged_and_kept_for_who_asks(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(contents, "WRITE_DELAY", 0.0)
    async with opened([BEFORE, THEIRS]) as (file, at):
        edit(file)
        while "'theirs'" not in caplog.text:
            await anyio.wait_all_tasks_blocked()
        assert file.lost is None
        assert WRITE not in at.asked
        with pytest.raises(NotebookConflictError, match="'theirs'"):
            await file.acknowledge()
        await file.acknowledge()


async def test_what_nobody_waits_for_and_cannot_be_written_ends_the_notebook(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(contents, "WRITE_DELAY", 0.0)
    async with opened([BEFORE, Response(404)]) as (file, _):
        edit(file)
        while file.lost is None:
            await anyio.wait_all_tasks_blocked()
        assert file.lost == str(NotebookNotFoundError("a.ipynb"))
        assert f"not written yet: {file.lost}" in caplog.text
