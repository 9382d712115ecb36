# SPDX-License-Identifier: BSD-3-Clause
"""The examples run as they are, and leave what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.timeout(180)
EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a user without any Jupyter of their own."""
    inherited = {name: value for name, value in os.environ.items() if "JUPYTER" not in name}
    (tmp_path / "tmp").mkdir()
    return inherited | {
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "MPLCONFIGDIR": str(tmp_path / "matplotlib"),
        "TMPDIR": str(tmp_path / "tmp"),
        "TEMP": str(tmp_path / "tmp"),
        # what it prints is not ASCII
        "PYTHONUTF8": "1",
    }


def run(
    name: str, folder: Path, environment: dict[str, str], *options: str
) -> "subprocess.CompletedProcess[str]":
    """Run an example, with warnings as errors, and see that it ends well and says nothing of it."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *options, EXAMPLES / name],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done


def test_the_quickstart_leaves_a_valid_notebook_with_a_text_an_exception_and_a_plot(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    done = run("quickstart.py", tmp_path, environment)
    assert "→ hello world\n" in done.stdout
    assert "→ hello Jupyter\n" in done.stdout
    assert "→ error: division by zero\n" in done.stdout
    assert re.search(r"→ ok: .*image/png", done.stdout)

    saved = re.search(r"Saved and valid: (.+)\n", done.stdout)
    assert saved is not None
    path = Path(saved[1])
    assert path.is_relative_to(tmp_path)
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    title, greeting, failing, plot = notebook.cells
    assert (title.cell_type, title.source) == ("markdown", "# A first look")
    assert greeting.source == "name = 'Jupyter'\nprint(f'hello {name}')"
    assert [output.text for output in greeting.outputs] == ["hello Jupyter\n"]
    assert [output.ename for output in failing.outputs] == ["ZeroDivisionError"]
    assert "image/png" in plot.outputs[-1].data
    assert [cell.execution_count for cell in (greeting, failing, plot)] == [2, 3, 4]

    # the private server is gone, with its registration and its state
    assert list((tmp_path / "runtime").glob("jpserver-*.json")) == []
    assert [entry.name for entry in (tmp_path / "tmp").iterdir()] == [path.parent.name]


# what each says, in this order
SAYS = {
    "agent_loop.py": (
        "name 'n' is not defined",
        "+sum(range(10))",
        "→ 45",
        "→ refused: Cell 5 is out of range",
        "→ Notebook a has 1 cells",
    ),
    "in_a_script.py": ("3%: 1.34", "5%: 1.63", "7%: 1.97", "failed as it should: TypeError"),
    "langchain_agent.py": ("inserted, ok", "(image, text)", "ai: The squares are in plots.ipynb."),
    "llama_index_agent.py": ("inserted, ok", "(image, text)", "The squares are in plots.ipynb."),
    "long_run.py": (" s it is ", "epoch 1", "half of what we need", "interrupted: epoch 1"),
    "mcp_over_http.py": ("step", "step 5", "inserted, ok"),
    "refactoring.py": (
        "data → heights: done",
        "heights → lambda: taken back (SyntaxError",
        "heights = [3, 4, 8]",
    ),
    "report.py": ("sensor-0.ipynb: failed after 2 cells: ZeroDivisionError", "5.ipynb: ok"),
    "watch_a_human.py": ("Ada: cell 0 was edited", "values = [2, 3, 13]", "→ 6.0"),
}
# the framework warns of itself
OPTIONS = {"llama_index_agent.py": ("-W", "ignore::DeprecationWarning")}


@pytest.mark.parametrize("name", SAYS)
def test_an_example_says_what_it_promises(
    name: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    said = run(name, tmp_path, environment, *OPTIONS.get(name, ())).stdout
    for words in SAYS[name]:
        _, found, said = said.partition(words)
        assert found, words


def test_every_example_is_short_and_is_run() -> None:
    examples = {path.name: path for path in EXAMPLES.glob("*.py")}
    elsewhere = {"jupyterhub.py"}  # tests/hub
    assert set(examples) == {*SAYS, "quickstart.py", *elsewhere}
    assert [n for n, p in examples.items() if len(p.read_text("utf-8").splitlines()) >= 60] == []
