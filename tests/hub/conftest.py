# SPDX-License-Identifier: BSD-3-Clause
"""One JupyterHub for all tests that need one; each test has users of its own."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub import Hub, jupyter_hub
from mcp_process import environment

from jupyter_agent_core import StartProgress

_numbers = itertools.count()

# users whose names begin so have servers that start slowly, not at all, or for who chooses only
_SETTINGS = """
async def before_spawn(spawner):
    import asyncio
    match spawner.user.name.partition("-")[0]:
        case "slow":
            await asyncio.sleep(3)
        case "broken":
            raise RuntimeError("there is no such image")
        case "choosy":
            raise RuntimeError(f"no such profile: {spawner.user_options.get('profile')}")

c.Spawner.pre_spawn_hook = before_spawn
c.JupyterHub.load_groups = {"agents": {"users": ["broken-group"]}}
c.JupyterHub.services += [{"name": "agents", "api_token": "of-the-group-0123456789"}]
c.JupyterHub.load_roles += [{
    "name": "agents",
    "services": ["agents"],
    "scopes": ["servers!group=agents", "access:servers"],
}]
c.JupyterHub.allow_named_servers = True
c.JupyterHub.concurrent_spawn_limit = 1
c.JupyterHub.tornado_settings = {
    "slow_spawn_timeout": 1,
    "spawn_throttle_retry_range": (1, 1),
}
"""


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with jupyter_hub(tmp_path_factory.mktemp("hub"), _SETTINGS) as hub:
        yield hub


@pytest.fixture
def number() -> int:
    """One that no other test has."""
    return next(_numbers)


@pytest.fixture
def user(number: int) -> str:
    """The name of a user that nobody has used before."""
    return f"ada-{number}"


@pytest.fixture
def told() -> list[StartProgress]:
    """What the Hub tells of a start."""
    return []


@pytest.fixture
def on_hub(hub: Hub, tmp_path: Path) -> dict[str, str]:
    """The environment of an MCP server that works through the Hub."""
    return environment(tmp_path / "state", JUPYTER_MCP_HUB_URL=hub.url)


_CULLING = f"""
c.JupyterHub.active_server_limit = 2
# a proxy that does not count traffic, so that servers have to tell that they are used
c.JupyterHub.last_activity_interval = 0
c.Spawner.environment = {{"JUPYTERHUB_ACTIVITY_INTERVAL": "1"}}
c.JupyterHub.services += [{{
    "name": "culler",
    "command": [
        {sys.executable!r}, "-m", "jupyterhub_idle_culler", "--timeout=6", "--cull-every=1"
    ],
}}]
c.JupyterHub.load_roles += [{{
    "name": "culler",
    "services": ["culler"],
    "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
}}]
"""


@pytest.fixture
def culling_hub(tmp_path: Path) -> Iterator[Hub]:
    """A Hub with room for two servers, which stops those that look idle for 6 s."""
    with jupyter_hub(tmp_path, _CULLING) as hub:
        yield hub
