# SPDX-License-Identifier: BSD-3-Clause
"""The examples run as they are, and leave what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

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


def test_the_quickstart_leaves_a_valid_notebook_with_a_text_an_exception_and_a_plot(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / "quickstart.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=55,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
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
