# SPDX-License-Identifier: BSD-3-Clause
"""Folders and environments for MCP servers, so that none sees the servers of another test."""

from pathlib import Path

import pytest
from mcp_process import environment
from servers import RunningServer


@pytest.fixture(scope="session")
def matplotlib_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Building the font cache takes seconds: once is enough."""
    return tmp_path_factory.mktemp("matplotlib")


@pytest.fixture
def alone(tmp_path: Path, matplotlib_cache: Path) -> dict[str, str]:
    """The environment of a process that no server is named to."""
    return environment(tmp_path / "state", MPLCONFIGDIR=str(matplotlib_cache))


@pytest.fixture
def on_lab(alone: dict[str, str], lab: RunningServer) -> dict[str, str]:
    """The environment of a process that works on the lab."""
    return alone | {"JUPYTER_URL": lab.url, "JUPYTER_TOKEN": lab.token}
