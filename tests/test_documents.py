# SPDX-License-Identifier: BSD-3-Clause
"""Edits of a live notebook: what they change, what they leave alone, what is refused."""

import json
from pathlib import Path
from typing import Any

import anyio
import nbformat
import pytest
from collaborator import collaborator
from pycrdt import Text
from servers import RunningServer

from jupyter_agent_core import (
    Cell,
    CellNotFoundError,
    CellTypeError,
    ConfigurationError,
    Notebook,
    NotebookClosedError,
    Server,
    VersionConflictError,
)


async def fill(notebook: Notebook, *sources: str) -> list[Cell]:
    return [await notebook.append_cell(source) for source in sources]


async def sources(notebook: Notebook) -> list[str]:
    return [cell.source for cell in await notebook.read()]


def write(path: Path, cells: list[dict[str, Any]], minor: int = 5, **metadata: Any) -> None:
    content = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}
    path.write_text(json.dumps(content))


async def test_cells_are_added_where_they_are_wanted(notebook: Notebook) -> None:
    await notebook.append_cell("last")
    first = await notebook.insert_cell(0, "# first", "markdown")
    await notebook.insert_cell(1, "middle", "raw")
    end = await notebook.insert_cell(3, "end")

    cells = await notebook.read()
    assert [(cell.index, cell.source, cell.cell_type) for cell in cells] == [
        (0, "# first", "markdown"),
        (1, "middle", "raw"),
        (2, "last", "code"),
        (3, "end", "code"),
    ]
    assert (cells[0].id, cells[3].id) == (first.id, end.id)


async def test_a_new_notebook_has_no_cells_and_no_outputs(notebook: Notebook) -> None:
    assert await notebook.read() == ()


async def test_a_cell_is_found_by_index_id_and_unique_prefix(notebook: Notebook) -> None:
    first, second = await fill(notebook, "1", "2")
    assert notebook.cell(1).id == second.id
    assert notebook.cell(first.id).id == first.id
    assert notebook.cell(first.id[:8]).id == first.id


async def test_a_cell_keeps_its_identity_when_others_come_and_go(notebook: Notebook) -> None:
    _, kept = await fill(notebook, "gone", "kept")
    await notebook.insert_cell(0, "new")
    await notebook.delete_cells([1])
    assert (await kept.read()).index == 1
    assert (await kept.set_source("still kept")).source == "still kept"


@pytest.mark.parametrize("ref", [-1, 2, 99, "", "no-such-id", "0000"])
async def test_a_cell_that_does_not_exist_is_refused_and_nothing_changes(
    notebook: Notebook, ref: int | str
) -> None:
    await fill(notebook, "1", "2")
    before = await notebook.read()
    with pytest.raises(CellNotFoundError) as caught:
        notebook.cell(ref)
    assert caught.value.ref == ref
    with pytest.raises(CellNotFoundError):
        await notebook.delete_cells([0, ref])
    assert await notebook.read() == before


async def test_a_prefix_that_is_short_or_ambiguous_is_refused_with_the_candidates(
    server: Server, lab: RunningServer, folder: str
) -> None:
    cells = [
        {"id": id_, "cell_type": "raw", "source": id_, "metadata": {}}
        for id_ in ("abcd-1", "abcd-2", "xyz-3456")
    ]
    write(lab.root / folder / "ids.ipynb", cells)
    notebook = await server.open_notebook(f"{folder}/ids.ipynb")

    with pytest.raises(CellNotFoundError, match="2 ids begin with it") as caught:
        notebook.cell("abcd")
    assert caught.value.candidates == ("0: abcd-1", "1: abcd-2")
    with pytest.raises(CellNotFoundError, match="at least 4") as caught:
        notebook.cell("xyz")
    assert caught.value.candidates == ("2: xyz-3456",)
    assert notebook.cell("xyz-").id == "xyz-3456"
    # an id is an id, also where others begin with it or it is short
    assert notebook.cell("abcd-1").id == "abcd-1"


async def test_cells_are_deleted_together_or_not_at_all(notebook: Notebook) -> None:
    first, second, third, _ = await fill(notebook, "1", "2", "3", "4")
    for refs in ([0, 0], [0, first.id], [first.id, first.id[:8]], [1, 4], [third.id, "missing"]):
        with pytest.raises(CellNotFoundError):
            await notebook.delete_cells(refs)
        assert await sources(notebook) == ["1", "2", "3", "4"]

    deleted = await notebook.delete_cells([third.id, 0])
    assert [cell.source for cell in deleted] == ["3", "1"]
    assert await sources(notebook) == ["2", "4"]
    assert await notebook.delete_cells([]) == ()
    assert (await second.delete()).source == "2"
    assert await sources(notebook) == ["4"]


async def test_a_deleted_cell_can_neither_be_read_nor_edited_nor_run(notebook: Notebook) -> None:
    (cell,) = await fill(notebook, "1")
    await cell.delete()
    with pytest.raises(CellNotFoundError, match="deleted"):
        await cell.read()
    with pytest.raises(CellNotFoundError):
        await cell.set_source("2")
    with pytest.raises(CellNotFoundError):
        await cell.delete()
    with pytest.raises(CellNotFoundError):
        await cell.execute(timeout=5)
    assert await notebook.read() == ()


@pytest.mark.parametrize("index", [-1, 2, 100])
async def test_a_cell_cannot_be_inserted_outside_of_the_notebook(
    notebook: Notebook, index: int
) -> None:
    await fill(notebook, "1")
    with pytest.raises(CellNotFoundError, match=r"0 … 1"):
        await notebook.insert_cell(index, "x")
    assert await sources(notebook) == ["1"]


async def test_an_unknown_cell_type_is_refused_with_those_that_there_are(
    notebook: Notebook,
) -> None:
    with pytest.raises(ConfigurationError, match="code, markdown, raw") as caught:
        await notebook.append_cell("x", "heading")  # type: ignore[arg-type]
    assert caught.value.value == "heading"
    assert await notebook.read() == ()


async def test_only_code_can_be_run(notebook: Notebook) -> None:
    cell = await notebook.append_cell("# title", "markdown")
    with pytest.raises(CellTypeError, match="markdown"):
        await cell.execute(timeout=5)
    assert notebook.kernel.id is None


async def test_an_edit_of_an_older_version_is_refused_with_the_current_source(
    notebook: Notebook, other: Server
) -> None:
    (cell,) = await fill(notebook, "x = 1")
    read = await cell.read()
    theirs = await other.open_notebook(notebook.path)
    now = await theirs.cell(cell.id).set_source("x = 2")
    await notebook.flush()

    stale = read.version
    for edit in (
        cell.set_source("x = 3", expected_version=stale),
        cell.edit_source("x", "y", expected_version=stale),
        cell.set_type("raw", expected_version=stale),
        cell.set_metadata({"tags": ["new"]}, expected_version=stale),
        cell.set_attachments({}, expected_version=stale),
    ):
        with pytest.raises(VersionConflictError, match="x = 2") as caught:
            await edit
        assert caught.value.source == "x = 2"
        assert caught.value.current == now.version
        assert caught.value.applied == "no"
    with pytest.raises(VersionConflictError):
        await cell.delete(expected_version=read.version)
    assert await sources(notebook) == ["x = 2"]

    await cell.set_source("x = 3", expected_version=now.version, force=True)
    assert await sources(notebook) == ["x = 3"]


async def test_a_run_does_not_change_the_version_that_an_edit_is_based_on(
    notebook: Notebook,
) -> None:
    (cell,) = await fill(notebook, "1 + 1")
    before = await cell.read()
    await cell.execute(timeout=30)
    after = await cell.set_source("1 + 2", expected_version=before.version)
    assert after.version != before.version


async def test_edits_of_different_lines_by_two_clients_both_survive(
    notebook: Notebook, other: Server
) -> None:
    (cell,) = await fill(notebook, "a = 1\né = '😀'\nc = 3\n")
    theirs = (await other.open_notebook(notebook.path)).cell(cell.id)
    async with anyio.create_task_group() as group:
        group.start_soon(cell.set_source, "a = 100\né = '😀'\nc = 3\n")
        group.start_soon(theirs.set_source, "a = 1\né = '😀'\nc = 300\nd = 4\n")
    await notebook.flush()
    assert (await cell.read()).source == "a = 100\né = '😀'\nc = 300\nd = 4\n"


async def test_what_a_human_types_survives_edits_of_other_lines(
    notebook: Notebook, lab: RunningServer
) -> None:
    (cell,) = await fill(notebook, "one = 0\ntwo = 'é'\n")
    typed = "  # être 😀 là"
    with anyio.fail_after(20):
        async with collaborator(lab, notebook.path) as human:
            ytext: Text = human.ycell(cell.id)["source"]

            async def type_at_the_end_of_the_second_line() -> None:
                for count in range(len(typed)):
                    line = "two = 'é'" + typed[:count]
                    source = str(ytext)
                    end = len(source[: source.index(line) + len(line)].encode())
                    key = typed[count]
                    await human.send(lambda end=end, key=key: ytext.insert(end, key))
                    await human.pull()

            async def count_in_the_first_line() -> None:
                for count in range(len(typed)):
                    source = (await cell.read()).source
                    await cell.set_source(
                        source.replace(f"one = {count}\n", f"one = {count + 1}\n")
                    )

            async with anyio.create_task_group() as group:
                group.start_soon(type_at_the_end_of_the_second_line)
                group.start_soon(count_in_the_first_line)
            await human.pull()
            await notebook.flush()
            both = f"one = {len(typed)}\ntwo = 'é'{typed}\n"
            assert human.cell(cell.id)["source"] == both
            assert (await cell.read()).source == both


async def test_cells_that_nobody_touches_stay_as_they_were_on_disk(
    server: Server, lab: RunningServer, folder: str
) -> None:
    path = lab.root / folder / "rich.ipynb"
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # noqa: E501
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["a\n", "b\n"]},
        {
            "output_type": "display_data",
            "data": {"image/png": png, "text/plain": "<img>"},
            "metadata": {"image/png": {"width": 10}},
        },
        {
            "output_type": "execute_result",
            "execution_count": 3,
            "data": {"application/json": {"a": [1, 2.5, None, "x"]}, "text/plain": ["1\n", "2"]},
            "metadata": {},
        },
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[31mred", "x"]},
    ]
    cells: list[dict[str, Any]] = [
        {
            "id": "code-1",
            "cell_type": "code",
            "source": ["x = 1\n", "# é😀"],
            "metadata": {"tags": ["a"], "n": 1, "deep": {"list": [1, {"b": True}]}},
            "outputs": outputs,
            "execution_count": 3,
        },
        {
            "id": "text-1",
            "cell_type": "markdown",
            "source": "![i](attachment:i.png)",
            "metadata": {},
            "attachments": {"i.png": {"image/png": png}},
        },
        {"id": "raw-1", "cell_type": "raw", "source": "raw", "metadata": {"format": "text/x"}},
    ]
    write(path, cells, custom={"kept": [1, 2]})
    before = nbformat.read(path, as_version=4)

    notebook = await server.open_notebook(f"{folder}/rich.ipynb")
    added = await notebook.insert_cell(1, "new = 1")
    await added.set_source("new = 2")
    await notebook.append_cell("# end", "markdown")
    await notebook.save()

    after = nbformat.read(path, as_version=4)
    nbformat.validate(after)
    assert [cell for cell in after.cells if cell.id in ("code-1", "text-1", "raw-1")] == (
        before.cells
    )
    assert after.metadata["custom"] == {"kept": [1, 2]}


async def test_a_notebook_without_cell_ids_can_be_used(
    server: Server, lab: RunningServer, folder: str
) -> None:
    path = lab.root / folder / "old.ipynb"
    code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    write(path, [code | {"source": "1 + 1"}, code | {"source": "2 + 2"}], minor=4)

    notebook = await server.open_notebook(f"{folder}/old.ipynb")
    first, second = await notebook.read()
    assert first.id != second.id
    result = await notebook.cell(second.id).execute(timeout=30)
    assert result.text == "4"
    await notebook.cell(first.id[:8]).set_source("1 + 2")
    await notebook.save()

    on_disk = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(on_disk)
    assert [cell.source for cell in on_disk.cells] == ["1 + 2", "2 + 2"]
    assert on_disk.cells[1].outputs[0]["data"]["text/plain"] == "4"


async def test_a_closed_notebook_is_refused(notebook: Notebook) -> None:
    await fill(notebook, "1")
    await notebook.close()
    with pytest.raises(NotebookClosedError):
        await notebook.read()
    with pytest.raises(NotebookClosedError):
        await notebook.append_cell("2")
    with pytest.raises(NotebookClosedError):
        notebook.cell(0)


async def test_a_cell_of_a_closed_notebook_says_so(notebook: Notebook) -> None:
    (cell,) = await fill(notebook, "1")
    await notebook.close()
    for use in (cell.read(), cell.set_source("2"), cell.delete(), cell.execute(timeout=5)):
        with pytest.raises(Exception, match="closed") as caught:
            await use
        assert caught.value.applied == "no"  # type: ignore[attr-defined]
