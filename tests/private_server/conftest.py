# SPDX-License-Identifier: BSD-3-Clause
"""A folder for a private server, and what it leaves behind."""

import tempfile

import psutil
import pytest

from jupyter_agent_core._http import discovery


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to serve, with a runtime folder and a place for state that only this test uses."""
    for name in ("folder", "runtime", "temporary", "on_path"):
        (tmp_path / name).mkdir(mode=0o700)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(discovery, "PROBE_TIMEOUT", 20.0)  # of servers that are busy starting
    return tmp_path / "folder"


@pytest.fixture
def leftovers(folder):
    """What a server has left behind: state, registration, processes."""
    others = psutil.Process().children()

    def list_them():
        temporary = [p.name for p in (folder.parent / "temporary").glob("jupyter-agent-core-*")]
        registered = [p.name for p in (folder.parent / "runtime").glob("jpserver-*")]
        processes = [process for process in psutil.Process().children() if process not in others]
        return temporary, registered, processes

    return list_them


@pytest.fixture
def on_path(folder, monkeypatch):
    """Shadow a module in the server's process."""

    def shadow(name, source):
        (folder.parent / "on_path" / name).write_text(source)
        monkeypatch.setenv("PYTHONPATH", str(folder.parent / "on_path"))

    return shadow
