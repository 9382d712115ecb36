# SPDX-License-Identifier: BSD-3-Clause
"""Notebooks that are larger than people write them."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import anyio
import pytest
from collaborator import collaborator
from servers import RunningServer

from jupyter_agent_core import Server, StreamOutput
from jupyter_agent_core._document import room

MIB = 1024 * 1024


def code(source: str, *outputs: dict[str, Any], id_: str) -> dict[str, Any]:
    return {
        "id": id_,
        "cell_type": "code",
        "source": source,
        "metadata": {},
        "execution_count": None,
        "outputs": list(outputs),
    }


def write(path: Path, cells: list[dict[str, Any]]) -> None:
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.alone)])
async def test_many_cells_are_opened_read_edited_and_saved(
    server: Server, lab: RunningServer, folder: str, count: int
) -> None:
    path = f"{folder}/many.ipynb"
    write(lab.root / path, [code(f"x = {n}", id_=f"cell{n:05}") for n in range(count)])
    with anyio.fail_after(120):
        notebook = await server.open_notebook(path)
        cells = await notebook.read()
        assert [cell.source for cell in cells] == [f"x = {n}" for n in range(count)]
        cursor = (await notebook.changes()).cursor
        middle = await notebook.insert_cell(count // 2, "# new", "markdown")
        await notebook.cell(count - 1).set_source("x = 'é😀'")
        await notebook.move_cell(0, count)
        await notebook.delete_cells([5, 6])
        told = await notebook.changes(cursor)
        assert [(change.kind, change.index) for change in told.changes] == [
            ("inserted", count // 2 - 3),
            ("edited", count - 4),
            ("moved", count - 2),
            ("deleted", None),
            ("deleted", None),
        ]
        await notebook.save()
    saved = json.loads((lab.root / path).read_text())["cells"]
    assert len(saved) == count - 1
    assert saved[count // 2 - 3]["id"] == middle.id


@pytest.fixture
def patient_with_large_messages(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ANSWER_TIMEOUT", 30.0)


@pytest.mark.usefixtures("patient_with_large_messages")
@pytest.mark.timeout(180)
async def test_a_cell_with_20_mib_of_output_is_read_edited_and_moved(
    server: Server, lab: RunningServer, folder: str
) -> None:
    path = f"{folder}/heavy.ipynb"
    line = "0123456789abcde\n"
    stream = {"output_type": "stream", "name": "stdout", "text": line * (20 * MIB // len(line))}
    write(lab.root / path, [code("heavy", stream, id_="heavy"), code("light", id_="light")])
    with anyio.fail_after(120):
        notebook = await server.open_notebook(path)
        (output,) = (await notebook.cell("heavy").read()).outputs
        assert isinstance(output, StreamOutput)
        assert len(output.text) == 20 * MIB
        await notebook.cell("heavy").set_source("heavier")
        await notebook.cell("light").set_source("lighter")
        moved = await notebook.move_cell("heavy", 1)
        assert len(moved.text) == 20 * MIB - 1
        await notebook.save()
        async with collaborator(lab, path) as human:
            assert [cell["source"] for cell in human.cells()] == ["lighter", "heavier"]
    assert (lab.root / path).stat().st_size > 20 * MIB


@pytest.mark.usefixtures("patient_with_large_messages")
@pytest.mark.timeout(180)
async def test_a_message_of_more_than_16_mib_goes_both_ways(
    server: Server, other: Server, folder: str
) -> None:
    path = f"{folder}/long.ipynb"
    text = "é" * (9 * MIB)
    with anyio.fail_after(120):
        notebook = await server.open_notebook(path, create=True)
        cell = await notebook.append_cell(text, "raw")
        theirs = await other.open_notebook(path)
        assert (await theirs.cell(cell.id).read()).source == text
        await theirs.cell(cell.id).set_source(text + "!")
        await notebook.flush()
        assert (await cell.read()).source == text + "!"


async def test_a_read_copies_nothing_and_an_edit_reads_its_own_cell_only(
    server: Server, lab: RunningServer, folder: str
) -> None:
    path = f"{folder}/lean.ipynb"
    output = {"output_type": "stream", "name": "stdout", "text": "x" * 10_000}
    write(lab.root / path, [code("x", output, id_=f"cell{n:05}") for n in range(1_000)])
    notebook = await server.open_notebook(path)
    before = await notebook.read()
    tracemalloc.start()
    try:
        await notebook.cell(500).set_source("y")
        after = await notebook.read()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MIB
    assert [one is other for one, other in zip(before, after, strict=True)].count(False) == 1
