# SPDX-License-Identifier: BSD-3-Clause
"""What an agent holds, on a real server: notebooks by name, their cells, and lists."""

import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import anyio
import pytest
from servers import SECOND_KERNEL, RunningServer, jupyter_server

from jupyter_agent_core import (
    CellNotFoundError,
    ConfigurationError,
    ConnectionChange,
    JupyterAgentError,
    KernelNotFoundError,
    KernelSpecNotFoundError,
    NotebookExistsError,
    NotebookNotFoundError,
    NotebookNotInUseError,
    Server,
    VersionConflictError,
    Workspace,
    WorkspaceClosedError,
    WorkspaceOptions,
    connect,
)
from jupyter_agent_core._answers import NotebookOpened
from jupyter_agent_core._workspace.walking import find_files


@pytest.fixture
async def workspace(server: Server) -> AsyncIterator[Workspace]:
    async with Workspace(server) as workspace:
        yield workspace


@pytest.fixture
async def opened(workspace: Workspace, folder: str) -> NotebookOpened:
    """A fresh notebook in use as `nb`."""
    return await workspace.use_notebook("nb", f"{folder}/nb.ipynb", mode="create")


async def sources(workspace: Workspace, name: str | None = None) -> list[str]:
    return [cell.source for cell in (await workspace.read_notebook(name)).cells]


async def current(workspace: Workspace) -> str | None:
    in_use = (await workspace.list_notebooks()).in_use
    return next((notebook.name for notebook in in_use if notebook.current), None)


# --- notebooks by name


async def test_a_created_notebook_is_current_live_and_has_a_kernel(
    workspace: Workspace, lab: RunningServer, folder: str
) -> None:
    answer = await workspace.use_notebook("nb", f"{folder}/a b é.ipynb", mode="create")
    assert (answer.created, answer.switched, answer.kernel_started) == (True, False, True)
    assert (answer.notebook.name, answer.notebook.path) == ("nb", f"{folder}/a b é.ipynb")
    assert (answer.notebook.mode, answer.notebook.current) == ("collaboration", True)
    assert answer.kernel_name == "python3"
    assert answer.url == f"{lab.url}/lab/tree/{folder}/a%20b%20%C3%A9.ipynb"
    assert lab.token not in str(answer)
    assert (answer.outline.total, answer.outline.cells) == (0, ())
    assert (lab.root / folder / "a b é.ipynb").exists()


async def test_a_notebook_is_let_go_although_its_server_is_down(tmp_path: Path) -> None:
    with jupyter_server(tmp_path, extensions={"jupyterlab": False}) as private:
        async with (
            connect(private.url, token=private.token) as server,
            Workspace(server) as workspace,
        ):
            await workspace.use_notebook("nb", "nb.ipynb", mode="create")
            notebook = workspace._state.notebooks["nb"].notebook
            private.kill()
            with anyio.fail_after(20):
                async for change in notebook.watch():
                    if isinstance(change, ConnectionChange):
                        break
                released = await workspace.unuse_notebook("nb")
            assert notebook.is_closed
            assert (released.remaining, released.lost_path) == ((), None)
            assert released.kernel.kernel_id == notebook.kernel.id
            assert released.kernel.reason == "its server cannot be reached"


async def test_the_notebook_used_last_is_meant_where_none_is_named(
    workspace: Workspace, folder: str
) -> None:
    await workspace.use_notebook("first", f"{folder}/1.ipynb", mode="create")
    await workspace.use_notebook("second", f"{folder}/2.ipynb", mode="create")
    await workspace.insert_cell(0, "code", "in second")
    await workspace.insert_cell(0, "code", "in first", notebook_name="first")
    # naming a notebook once does not make it current
    assert await sources(workspace) == ["in second"]

    switched = await workspace.use_notebook("first")
    assert (switched.switched, switched.created) == (True, False)
    assert [cell.source for cell in switched.outline.cells] == ["in first"]
    assert await current(workspace) == "first"
    assert await sources(workspace) == ["in first"]


async def test_the_one_before_is_current_again_when_a_notebook_is_let_go(
    workspace: Workspace, folder: str
) -> None:
    for name in ("1", "2", "3"):
        await workspace.use_notebook(name, f"{folder}/{name}.ipynb", mode="create")
    released = await workspace.unuse_notebook("1")
    assert (released.name, released.current, await current(workspace)) == ("1", "3", "3")
    assert (await workspace.unuse_notebook("3")).current == "2"
    assert await current(workspace) == "2"
    assert (await workspace.unuse_notebook("2")).current is None
    with pytest.raises(NotebookNotInUseError):
        await workspace.read_notebook()


async def test_the_notebook_used_before_is_current_again_even_if_others_were_opened_later(
    workspace: Workspace, folder: str
) -> None:
    for name in ("1", "2", "3"):
        await workspace.use_notebook(name, f"{folder}/{name}.ipynb", mode="create")
    await workspace.use_notebook("1")
    await workspace.use_notebook("2")
    assert (await workspace.unuse_notebook("2")).current == "1"


async def test_an_unknown_name_is_refused_with_the_names_and_the_notebooks_that_exist(
    server: Server, folder: str
) -> None:
    # the lab has hundreds of folders by now, and each refusal looks into those that it may tell of
    async with Workspace(server, WorkspaceOptions(root=folder)) as workspace:
        await workspace.use_notebook("nb", f"{folder}/nb.ipynb", mode="create")
        await every_call_is_refused(workspace)


async def every_call_is_refused(workspace: Workspace) -> None:
    """Call each tool that takes the name of a notebook with an unknown one."""
    calls: list[Awaitable[object]] = [
        workspace.read_notebook("other"),
        workspace.read_cell(0, notebook_name="other"),
        workspace.insert_cell(0, "code", "", notebook_name="other"),
        workspace.delete_cell([0], notebook_name="other"),
        workspace.overwrite_cell_source("", 0, notebook_name="other"),
        workspace.execute_cell(0, notebook_name="other"),
        workspace.insert_execute_code_cell(0, "", notebook_name="other"),
        workspace.execute_code("1", notebook_name="other"),
        workspace.run_all_cells("other"),
        workspace.restart_notebook("other"),
        workspace.list_variables("other"),
        workspace.unuse_notebook("other"),
    ]
    for call in calls:
        with pytest.raises(NotebookNotInUseError) as caught:
            await call
        assert (caught.value.name, caught.value.known) == ("other", ("nb",))
        assert caught.value.existing
        assert "'other': call use_notebook first. In use: nb." in str(caught.value)
    assert await sources(workspace) == []


async def test_without_any_notebook_the_first_call_lists_those_that_exist(
    workspace: Workspace, lab: RunningServer, folder: str
) -> None:
    content = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    # sorts before what other tests leave
    (lab.root / "0 first.ipynb").write_text(json.dumps(content))
    with pytest.raises(NotebookNotInUseError, match=r"Notebooks on the server: 0 first\.ipynb"):
        await workspace.read_notebook()


async def test_a_name_in_use_is_not_given_to_another_notebook(
    workspace: Workspace, opened: NotebookOpened, folder: str, lab: RunningServer
) -> None:
    for path, mode in ((f"{folder}/other.ipynb", "create"), (f"{folder}/other.ipynb", "connect")):
        with pytest.raises(ConfigurationError, match="choose another name, or unuse_notebook"):
            await workspace.use_notebook("nb", path, mode)  # type: ignore[arg-type]
    assert not (lab.root / folder / "other.ipynb").exists()
    same = await workspace.use_notebook("nb", f"/{opened.notebook.path}")
    assert same.switched


async def test_a_kernel_other_than_the_one_in_use_is_refused_for_a_name_in_use(
    workspace: Workspace, opened: NotebookOpened
) -> None:
    kernel_id = opened.notebook.kernel_id
    assert kernel_id is not None
    for arguments in ({"kernel_id": "NEW"}, {"kernel_name": SECOND_KERNEL}):
        with pytest.raises(ConfigurationError, match="unuse_notebook first"):
            await workspace.use_notebook("nb", **arguments)  # type: ignore[arg-type]
    same = await workspace.use_notebook("nb", kernel_id=kernel_id, kernel_name="python3")
    assert same.notebook.kernel_id == kernel_id


async def test_a_new_name_needs_a_path(workspace: Workspace) -> None:
    with pytest.raises(ConfigurationError, match="'nb': pass its notebook_path"):
        await workspace.use_notebook("nb")


async def test_create_on_an_existing_path_and_connect_to_a_missing_one_change_nothing(
    workspace: Workspace, opened: NotebookOpened, lab: RunningServer, folder: str
) -> None:

    def files() -> list[str]:
        # without those that a save renames in a moment
        return sorted(path.name for path in (lab.root / folder).glob("[!.]*.ipynb"))

    assert files() == ["nb.ipynb"]
    with pytest.raises(NotebookExistsError):
        await workspace.use_notebook("again", opened.notebook.path, mode="create")
    with pytest.raises(NotebookNotFoundError) as caught:
        await workspace.use_notebook("missing", f"{folder}/missing.ipynb")
    assert caught.value.existing == (opened.notebook.path,)
    with pytest.raises(NotebookNotFoundError):
        await workspace.use_notebook("nowhere", f"{folder}/no/where.ipynb", mode="create")
    assert files() == ["nb.ipynb"]
    listing = await workspace.list_notebooks()
    assert [notebook.name for notebook in listing.in_use] == ["nb"]
    assert await current(workspace) == "nb"


async def test_a_notebook_that_opens_while_the_workspace_is_left_is_let_go_of(
    server: Server, folder: str
) -> None:
    refused: list[WorkspaceClosedError] = []

    async def use(workspace: Workspace) -> None:
        try:
            await workspace.use_notebook("late", f"{folder}/late.ipynb", mode="create")
        except WorkspaceClosedError as error:
            refused.append(error)

    async with anyio.create_task_group() as group, Workspace(server) as workspace:
        group.start_soon(use, workspace)
        with anyio.fail_after(20):
            while not await server.list_files(folder):
                pass  # its kernel starts after it
    assert refused
    assert await server.list_files(folder) == ()
    sessions = await server.list_sessions()
    assert [session for session in sessions if session.path.startswith(folder)] == []


async def test_an_unknown_kernel_is_refused_and_no_notebook_is_left(
    workspace: Workspace, lab: RunningServer, folder: str
) -> None:
    path = f"{folder}/nb.ipynb"
    with pytest.raises(KernelSpecNotFoundError) as caught:
        await workspace.use_notebook("nb", path, mode="create", kernel_name="cobol")
    assert set(caught.value.available) == {"python3", SECOND_KERNEL}
    with pytest.raises(KernelNotFoundError):
        await workspace.use_notebook("nb", path, mode="create", kernel_id="no-such-kernel")
    assert not (lab.root / path).exists()
    assert (await workspace.list_notebooks()).in_use == ()
    # the name is free
    again = await workspace.use_notebook("nb", path, mode="create", kernel_name=SECOND_KERNEL)
    assert again.kernel_name == SECOND_KERNEL


async def test_two_calls_for_one_name_open_it_once(workspace: Workspace, folder: str) -> None:
    answers: list[NotebookOpened | JupyterAgentError] = []

    async def use() -> None:
        try:
            answers.append(await workspace.use_notebook("nb", f"{folder}/n.ipynb", mode="create"))
        except JupyterAgentError as error:
            answers.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(use)
        group.start_soon(use)
    refusals = [answer for answer in answers if isinstance(answer, JupyterAgentError)]
    assert len(refusals) == 1
    assert "is in use for" in str(refusals[0])


# --- cells


async def test_index_and_id_must_agree_and_one_is_needed(
    workspace: Workspace, opened: NotebookOpened
) -> None:
    first = (await workspace.insert_cell(-1, "code", "first")).cell
    second = (await workspace.insert_cell(-1, "code", "second")).cell
    assert (await workspace.read_cell(1, second.id[:8])).cell.id == second.id
    with pytest.raises(CellNotFoundError) as caught:
        await workspace.overwrite_cell_source("changed", 0, second.id)
    assert f"is not at index 0: that is {first.id}" in str(caught.value)
    with pytest.raises(ConfigurationError, match="pass cell_index or cell_id"):
        await workspace.overwrite_cell_source("changed")
    for arguments in ({}, {"cell_indices": [0], "cell_ids": [second.id]}, {"cell_indices": []}):
        with pytest.raises(ConfigurationError, match="pass either cell_indices or cell_ids"):
            await workspace.delete_cell(**arguments)  # type: ignore[arg-type]
    assert await sources(workspace) == ["first", "second"]


@pytest.mark.parametrize("index", [2, 99, -1])
async def test_an_index_out_of_range_is_refused_by_every_tool_and_nothing_changes(
    workspace: Workspace, opened: NotebookOpened, index: int
) -> None:
    await workspace.insert_cell(-1, "code", "1")
    await workspace.insert_cell(-1, "code", "2")
    calls: list[Awaitable[object]] = [
        workspace.read_cell(index),
        workspace.overwrite_cell_source("x", index),
        workspace.delete_cell([0, index]),
        workspace.execute_cell(index),
    ]
    if index > 2:
        calls += [
            workspace.insert_cell(index, "code", "x"),
            workspace.insert_execute_code_cell(index, "x"),
        ]
    for call in calls:
        with pytest.raises(CellNotFoundError):
            await call
    assert await sources(workspace) == ["1", "2"]


async def test_cells_are_edited_and_each_answer_says_what_it_touched(
    workspace: Workspace, opened: NotebookOpened
) -> None:
    inserted = await workspace.insert_cell(-1, "markdown", "# Title")
    assert (inserted.cell.index, inserted.cell.cell_type) == (0, "markdown")
    second = await workspace.insert_cell(1, "code", "a = 1\nb = 2")
    assert [cell.index for cell in second.neighbours.cells] == [0, 1]
    edited = await workspace.overwrite_cell_source("a = 1\nb = 3", cell_id=second.cell.id)
    assert (edited.before.source, edited.after.source) == ("a = 1\nb = 2", "a = 1\nb = 3")
    assert edited.before.version == second.cell.version != edited.after.version
    with pytest.raises(VersionConflictError):
        await workspace.overwrite_cell_source("lost", 1, expected_version=edited.before.version)
    gone = await workspace.delete_cell(cell_ids=[second.cell.id[:8], inserted.cell.id])
    assert [cell.source for cell in gone.cells] == ["a = 1\nb = 3", "# Title"]
    assert await sources(workspace) == []


async def test_a_notebook_is_read_in_parts(workspace: Workspace, opened: NotebookOpened) -> None:
    for number in range(5):
        await workspace.insert_cell(-1, "code", str(number))
    part = await workspace.read_notebook(start_index=1, limit=2)
    assert ([cell.index for cell in part.cells], part.total) == ([1, 2], 5)
    assert len((await workspace.read_notebook(limit=0)).cells) == 5
    with pytest.raises(ConfigurationError, match="start_index=5 is out of range"):
        await workspace.read_notebook(start_index=5)


# --- lists


async def test_files_are_listed_by_depth_pattern_and_part(
    workspace: Workspace, lab: RunningServer, folder: str
) -> None:
    deep = lab.root / folder / "a" / "b" / "c"
    deep.mkdir(parents=True)
    for path in (deep / "deep.csv", deep.parents[1] / "near.csv", deep.parents[2] / "top.txt"):
        path.write_text("12345")

    async def paths(**arguments: object) -> list[str]:
        listing = await workspace.list_files(folder, **arguments)  # type: ignore[arg-type]
        return [file.path.removeprefix(f"{folder}/") for file in listing.files]

    assert await paths(max_depth=0) == ["a", "top.txt"]
    assert await paths() == ["a", "a/b", "a/near.csv", "top.txt"]
    assert await paths(max_depth=3, pattern="*.csv") == ["a/b/c/deep.csv", "a/near.csv"]
    assert await paths(max_depth=3, start_index=1, limit=2) == ["a/b", "a/b/c"]
    assert len(await paths(max_depth=3, limit=0)) == 6
    (top,) = (await workspace.list_files(folder, pattern="*top*")).files
    assert (top.type, top.size) == ("file", 5)
    assert (await workspace.list_files(folder, pattern="*.none")).total == 0
    with pytest.raises(ConfigurationError, match="There is no directory 'no/where'"):
        await workspace.list_files("no/where")
    with pytest.raises(ConfigurationError, match="start_index=9 is out of range: there are 6"):
        await workspace.list_files(folder, max_depth=3, start_index=9)


async def test_it_is_told_how_many_of_too_many_directories_were_not_searched(
    workspace: Workspace, lab: RunningServer, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_agent_core._workspace.walking.MAX_DIRECTORIES", 3)
    for name in "abcd":
        (lab.root / folder / name).mkdir()
        (lab.root / folder / name / "file.csv").touch()
    listing = await workspace.list_files(folder, pattern="*.csv")
    assert [file.path for file in listing.files] == [f"{folder}/{name}/file.csv" for name in "ab"]
    assert listing.incomplete == 2


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, names are Unicode")
async def test_names_in_no_encoding_are_listed_and_hide_no_others(tmp_path: Path) -> None:
    with jupyter_server(tmp_path, extensions={"jupyterlab": False}) as running:
        root = os.fsencode(running.root)
        os.mkdir(root + b"/caf\xe9")
        for name in (b"caf\xe9/inside.csv", b"latin\xe9.ipynb", "ünïcode 😀.csv".encode()):
            Path(os.fsdecode(root + b"/" + name)).write_text("{}")
        async with (
            connect(running.url, token=running.token) as server,
            Workspace(server) as workspace,
        ):
            listed = [file.path for file in (await workspace.list_files(max_depth=2)).files]
            assert "latin\ufffd.ipynb" in listed
            assert "ünïcode 😀.csv" in listed
            found = (await workspace.list_notebooks()).files
            assert [file.path for file in found] == ["latin\ufffd.ipynb"]
            with pytest.raises(NotebookNotFoundError):
                await workspace.use_notebook("nb", found[0].path)
            with pytest.raises(ConfigurationError, match="holds half a character"):
                await workspace.use_notebook("nb", "latin\udce9.ipynb")


async def test_notebooks_are_listed_in_use_running_and_on_disk(tmp_path: Path) -> None:
    # on a server of its own: a listing visits 200 directories, and the lab has more by now
    with jupyter_server(tmp_path, extensions={"jupyterlab": False}) as running:
        (running.root / "folder").mkdir()
        async with (
            connect(running.url, token=running.token) as server,
            connect(running.url, token=running.token) as other,
            Workspace(server) as workspace,
        ):
            theirs = await other.open_notebook("folder/theirs.ipynb", create=True)
            await theirs.kernel.connect()
            await (await other.open_notebook("folder/asleep.ipynb", create=True)).close()
            await (await other.open_notebook("awake.ipynb", create=True)).close()
            opened = await workspace.use_notebook("nb", "folder/nb.ipynb", mode="create")
            listing = await workspace.list_notebooks()
            assert [notebook.path for notebook in listing.in_use] == [opened.notebook.path]
            assert listing.in_use[0].kernel_id == opened.notebook.kernel_id
            assert [session.path for session in listing.sessions] == [theirs.path]
            files = [file.path for file in listing.files]
            assert files == ["awake.ipynb", "folder/asleep.ipynb"]
            assert (listing.total_files, listing.incomplete) == (2, 0)
            # its session keeps the former path
            with running.http() as http:
                renamed = {"path": "folder/renamed.ipynb"}
                http.patch("api/contents/folder/nb.ipynb", json=renamed).raise_for_status()
            after = await workspace.list_notebooks()
            assert [session.path for session in after.sessions] == [theirs.path]
            first = await workspace.list_notebooks(limit=1)
            assert [file.path for file in first.files] == files[:1]


async def test_kernels_are_listed_with_the_notebook_that_each_serves(
    workspace: Workspace, opened: NotebookOpened
) -> None:
    listing = await workspace.list_kernels()
    serving = {kernel.id: kernel.path for kernel in listing.kernels}
    assert serving[opened.notebook.kernel_id or ""] == opened.notebook.path
    assert [spec.name for spec in listing.specs] == ["python3", SECOND_KERNEL]
    assert listing.specs[0].default


async def test_a_server_without_the_extension_opens_nothing_for_the_human(
    workspace: Workspace, folder: str
) -> None:
    path = f"{folder}/nb.ipynb"
    opened = await workspace.use_notebook("nb", path, mode="create", open_in_ui=True)
    assert opened.in_ui == "unavailable"
    again = await workspace.use_notebook("nb")
    assert again.in_ui is None


async def test_who_looks_for_a_few_notebooks_stops_when_they_are_found(
    server: Server, lab: RunningServer, folder: str
) -> None:
    content = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    for directory in ("", "/near", "/near/far"):
        (lab.root / f"{folder}{directory}").mkdir(exist_ok=True)
        for number in range(2):
            file = lab.root / f"{folder}{directory}/{number}.ipynb"
            file.write_text(json.dumps(content))
    for enough, seen in ((1, 2), (2, 2), (3, 4), (5, 6), (7, 6)):
        found, _, _ = await find_files(server, folder, max_depth=3, enough=enough)
        assert len([file for file in found if file.type == "notebook"]) == seen
