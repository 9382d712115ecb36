# SPDX-License-Identifier: BSD-3-Clause
"""What an agent reads of a real notebook: outlines, searches, pages."""

import re
from collections.abc import AsyncIterator

import anyio
import pytest
from rendered import text, texts
from servers import RunningServer

from jupyter_agent_core import ConfigurationError, Server, Workspace
from jupyter_agent_core.rendering import Settings, estimate_tokens, render


@pytest.fixture
async def workspace(server: Server, folder: str) -> AsyncIterator[Workspace]:
    """A workspace with a fresh notebook in use."""
    async with Workspace(server) as workspace:
        await workspace.use_notebook("nb", f"{folder}/nb.ipynb", mode="create")
        yield workspace


async def test_an_outline_tells_headings_definitions_and_how_cells_ended(
    workspace: Workspace,
) -> None:
    await workspace.insert_cell(-1, "markdown", "# Title\ntext\n## Data")
    await workspace.insert_execute_code_cell(-1, "class A:\n    pass\n\ndef f():\n    pass")
    await workspace.insert_execute_code_cell(-1, "print('x')\nA")
    await workspace.insert_execute_code_cell(-1, "1 / 0")
    answer = await workspace.read_notebook(response_format="outline")
    rows = [line.split("\t") for line in text(answer).splitlines()[2:7]]
    assert [row[3] for row in rows] == [
        "Outline",
        "# Title / ## Data",
        "class A:...(4 lines hidden); defines A, f",
        "print('x')...(1 lines hidden); outputs: 1 text, 1 result",
        "1 / 0; error ZeroDivisionError: division by zero",
    ]
    assert [row[2] for row in rows[1:]] == ["N/A", "1", "2", "3"]


async def test_a_search_finds_lines_by_the_numbers_of_read_cell(workspace: Workspace) -> None:
    source = "import time\nfor n in range(40):\n    print('Row', n)"
    ran = await workspace.insert_execute_code_cell(-1, source)
    await workspace.insert_cell(-1, "markdown", "the ROW of numbers")
    assert ran.cell is not None

    found = await workspace.search_notebook("row")
    assert [(m.index, m.place, m.line) for m in found.matches] == [
        (0, "source", 3),
        (1, "source", 1),
    ]
    everywhere = await workspace.search_notebook(r"^Row 3\d$", regex=True, in_outputs=True)
    assert (everywhere.total, {m.place for m in everywhere.matches}) == (10, {"stdout"})
    first = everywhere.matches[0]
    page = texts(await workspace.read_cell(first.index, start_line=first.line))[1]
    assert page.startswith("```stdout\nRow 30\nRow 31\n")
    rendered = text(everywhere).splitlines()
    assert rendered[0] == "10 lines match '^Row 3\\\\d$' in notebook nb, in 1 cells:"
    assert rendered[2] == f"0\t{ran.cell.id[:8]}\tstdout\t{first.line}\tRow 30"
    nothing = await workspace.search_notebook("nowhere")
    assert text(nothing) == "No line matches 'nowhere' in notebook nb."


async def test_a_search_that_is_wrong_or_would_never_end_is_refused(workspace: Workspace) -> None:
    await workspace.insert_cell(-1, "code", "x = '" + "a" * 60 + "!'")
    with pytest.raises(ConfigurationError, match="no regular expression"):
        await workspace.search_notebook("(", regex=True)
    with anyio.fail_after(10), pytest.raises(ConfigurationError, match="simpler"):
        await workspace.search_notebook(r"(a|aa|a?)+$", regex=True)
    assert (await workspace.search_notebook("(a")).matches == ()


async def test_a_long_output_is_read_on_where_its_answer_says(workspace: Workspace) -> None:
    code = "for n in range(20_000): print('line', n)"
    ran = await workspace.insert_execute_code_cell(-1, code)
    shown = texts(ran)
    assert sum(map(estimate_tokens, shown)) <= 6_000
    found = re.search(
        r"(\d+) lines, \d+ characters omitted; read on with "
        r'read_cell\(cell_id="(\w+)", start_line=(\d+)\)',
        shown[0],
    )
    assert found is not None
    last_shown = shown[0][: found.start()].splitlines()[-2]
    page = await workspace.read_cell(cell_id=found[2], start_line=int(found[3]), max_tokens=1_000)
    first_read = texts(page)[1].splitlines()[1]
    assert int(first_read.split()[1]) == int(last_shown.split()[1]) + 1
    assert sum(map(estimate_tokens, texts(page))) <= 1_000


async def test_code_without_a_cell_is_read_on_by_its_run(workspace: Workspace) -> None:
    ran = await workspace.execute_code("for n in range(20_000): print('line', n)")
    found = re.search(r'wait_run\(run_id="(\S+)", since="(\S+)"\)', texts(ran)[0])
    assert found is not None
    last_shown = texts(ran)[0][: found.start()].splitlines()[-2]
    page = texts(await workspace.wait_run(found[1], since=found[2]))
    assert int(page[0].split()[1]) == int(last_shown.split()[1]) + 1
    assert "more outputs follow" in page[-1]


async def test_a_run_is_paged_while_it_writes(
    workspace: Workspace, lab: RunningServer, folder: str
) -> None:
    code = (
        "import pathlib, time\n"
        "for n in range(3_000): print('early', n)\n"
        "print('50%', end='', flush=True)\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.01)\n"
        "print('\\r100%')\n"
        "for n in range(3_000): print('late', n)"
    )
    ran = await workspace.execute_code(code, timeout=2)
    lines: list[str] = []
    cursor: str | None = None
    run_id = ran.result.run_id
    with anyio.fail_after(30):
        for page in range(100):
            if page == 2:
                (lab.root / folder / "go").touch()
            given = cursor or (await workspace.wait_run(run_id, timeout=0)).cursor
            if cursor is None:
                given = re.sub(r".*", "0.0.000000.000000", given, count=1)
            answer = await workspace.wait_run(run_id, timeout=0 if page < 2 else 20, since=given)
            *parts, said = texts(answer, Settings(max_tokens=3_000))
            lines += [line for part in parts for line in part.splitlines()]
            following = re.search(r'(?:since="|cursor )([\d.a-f]+)"?[\];]', said)
            assert following is not None
            cursor = following[1]
            if answer.result.status == "ok" and "more outputs follow" not in said:
                break
    wanted = [f"early {n}" for n in range(3_000)] + ["100%"] + [f"late {n}" for n in range(3_000)]
    assert [line for line in lines if line != "50%"] == wanted


async def test_a_plot_of_the_kernel_is_an_image_and_never_base64(workspace: Workspace) -> None:
    code = (
        "import matplotlib.pyplot as plt\nplt.figure(figsize=(16, 5)); plt.plot([1, 2]); plt.show()"
    )
    with anyio.fail_after(50):
        ran = await workspace.insert_execute_code_cell(-1, code, timeout=45)
    kinds = [type(content).__name__ for content in render(ran)]
    assert kinds == ["Image", "Text"]
    assert all(len(shown) < 200 for shown in texts(ran))
