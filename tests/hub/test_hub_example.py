# SPDX-License-Identifier: BSD-3-Clause
"""The example that works for several users of a Hub."""

import os
import subprocess
import sys
from pathlib import Path

import anyio
import nbformat
import pytest
from hub import Hub

pytestmark = [pytest.mark.hub, pytest.mark.timeout(120)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "jupyterhub.py"


async def test_the_example_works_on_the_servers_of_its_users_and_says_whose_it_has_not_got(
    hub: Hub, user: str
) -> None:
    users = [user, f"{user}-too"]
    for name in users:
        await hub.token(name)  # makes the user
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-W", "error", EXAMPLE, hub.url, *users, "nobody"],
            env=os.environ | {"JUPYTERHUB_API_TOKEN": hub.admin_token, "PYTHONUTF8": "1"},
            capture_output=True,
            encoding="utf-8",
            timeout=90,
        )
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name in users:
        assert f"{name}: JupyterHub is asked to start it\n" in done.stdout
        assert f"{name}: ok, {name} has Python 3." in done.stdout
        notebook = nbformat.read(hub.home(name) / "checks.ipynb", as_version=4)
        nbformat.validate(notebook)
        assert [cell.outputs[0].text for cell in notebook.cells]
    assert "nobody: JupyterHub knows no user 'nobody'" in done.stdout
    assert hub.admin_token not in done.stdout
