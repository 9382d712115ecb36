# SPDX-License-Identifier: BSD-3-Clause
"""Real AI agents of the command line, each with a loopback stand-in for its model.

They are programs of npm packages (`nox -s hosts` installs them), and get a home of their own.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest
from documented import client
from model_apis import Anthropic, Gemini, OpenAI
from model_stand_in import Api

PROMPT = "Do it."
CLAUDE_CODE = ["-p", PROMPT, "--output-format", "json"]
TIMEOUT = 120.0
NO_KEY = "stand-in"
"""What is shown to the stand-in, which does not look at it."""

Entry = Mapping[str, Any]
"""A server in an agent's configuration: `command`, `args` and `env`."""


@attrs.frozen
class Host:
    """An agent.

    Attributes:
        program: Its name on the path.
        entry: The name of its configuration in `docs/clients.md`.
        api: What its model speaks.
        configured: Writes its configuration into its home, and returns its arguments and
            environment variables; is given the home, the model's URL, and our server's entry.
    """

    program: str
    entry: str
    api: Api
    configured: Callable[[Path, str, Entry], tuple[list[str], dict[str, str]]]

    async def run(self, home: Path, model_url: str, variables: Mapping[str, str]) -> str:
        """Let it do what its model says, without questions; return what it prints.

        Args:
            home: An empty folder for all that it knows.
            model_url: Where its model is.
            variables: The environment for our server.
        """
        given = {n: v for n, v in variables.items() if os.environ.get(n) != v}
        token = {"JUPYTER_TOKEN": given.pop("JUPYTER_TOKEN")}  # comes as the documentation says
        server = client(self.entry).for_this_machine(given)
        arguments, own = self.configured(home, model_url, server)
        return await run_agent(self.program, arguments, home, own | token)


async def run_agent(
    program: str, arguments: list[str], home: Path, variables: Mapping[str, str]
) -> str:
    """Run an agent in an empty folder of its home until it is done; return what it prints."""
    found = shutil.which(program)
    if found is None:
        pytest.fail(f"{program} is not installed: run `nox -s hosts`")
    work = home / "work"
    work.mkdir(parents=True)
    # proxies and accounts of whoever runs the tests are none of its business
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "COMSPEC", "PATHEXT")
    own = {name: os.environ[name] for name in kept if name in os.environ}
    with anyio.fail_after(TIMEOUT):
        done = await anyio.run_process(
            [found, *arguments],
            cwd=work,
            env=own | {"HOME": str(home), "USERPROFILE": str(home)} | dict(variables),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            check=False,
        )
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said
    return said


def _claude_code(home: Path, model_url: str, server: Entry) -> tuple[list[str], dict[str, str]]:
    configuration = home / "mcp.json"
    configuration.write_text(json.dumps({"mcpServers": {"jupyter": server}}))
    arguments = [
        *("--mcp-config", str(configuration), "--strict-mcp-config"),
        *("--allowedTools", "mcp__jupyter"),
    ]
    return CLAUDE_CODE + arguments, claude_code_model(model_url)


def claude_code_model(model_url: str) -> dict[str, str]:
    """The variables that tell Claude Code where its model is, and to stay at home."""
    return {
        "ANTHROPIC_BASE_URL": model_url,
        "ANTHROPIC_API_KEY": NO_KEY,
        "ENABLE_TOOL_SEARCH": "false",  # all tools at once, not those that a search finds
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        # no question before the tools are there, however long a loaded machine takes: it waits for
        # a server to start, and for all of them 5 s unless it is told otherwise
        "MCP_CONNECTION_NONBLOCKING": "false",
        "MCP_TIMEOUT": f"{1000 * TIMEOUT:.0f}",
        "MCP_CONNECT_TIMEOUT_MS": f"{1000 * TIMEOUT:.0f}",
    }


def _codex(home: Path, model_url: str, server: Entry) -> tuple[list[str], dict[str, str]]:
    folder = home / ".codex"
    folder.mkdir()
    entry = "\n".join(f"{name} = {_toml(value)}" for name, value in server.items())
    (folder / "config.toml").write_text(
        f"""\
model = "stand-in"
model_provider = "stand-in"
check_for_update_on_startup = false
[model_providers.stand-in]
name = "stand-in"
base_url = {json.dumps(model_url + "/v1")}
wire_api = "responses"
env_key = "STAND_IN_KEY"
[mcp_servers.jupyter]
{entry}
"""
    )
    arguments = [
        *("exec", "--strict-config", "--skip-git-repo-check"),
        # else it asks before each call; the work folder is the test's own
        *("--dangerously-bypass-approvals-and-sandbox", PROMPT),
    ]
    return arguments, {"STAND_IN_KEY": NO_KEY}


def _toml(value: object) -> str:
    """A value as TOML has it; strings, numbers and lists of them are as in JSON."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_toml(one)}" for name, one in value.items()) + " }"
    return json.dumps(value)


def _gemini_cli(home: Path, model_url: str, server: Entry) -> tuple[list[str], dict[str, str]]:
    folder = home / ".gemini"
    folder.mkdir()
    settings = {
        "mcpServers": {"jupyter": server},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
        "security": {"auth": {"selectedType": "gemini-api-key"}},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    trusted = {str(home / "work"): "TRUST_FOLDER"}
    (folder / "trustedFolders.json").write_text(json.dumps(trusted))
    arguments = ["-m", "gemini-2.5-flash", "--approval-mode", "yolo", "-p", PROMPT]
    return arguments, {"GEMINI_API_KEY": NO_KEY, "GOOGLE_GEMINI_BASE_URL": model_url}


HOSTS = {
    "Claude Code": Host("claude", "claude-code", Anthropic(), _claude_code),
    "Codex": Host("codex", "codex", OpenAI(), _codex),
    "Gemini CLI": Host("gemini", "gemini-cli", Gemini(), _gemini_cli),
}
