# SPDX-License-Identifier: BSD-3-Clause
"""The configurations that the documentation and the manifests give to users."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
from mcp_process import COMMAND

CHECKOUT = Path(__file__).parent.parent
CLIENTS = CHECKOUT / "docs" / "clients.md"
MANIFESTS = (
    CHECKOUT / "packaging" / "mcpb" / "manifest.json",
    CHECKOUT / "plugins" / "claude-code" / ".mcp.json",
)
UVX = ["uvx", "--from", "jupyter-agent-core[mcp,local]", "jupyter-mcp-server"]
_BLOCK = re.compile(r"^<!-- configuration: (\S+) -->\n```(json|toml)\n(.*?)^```$", re.M | re.S)
_ANY_BLOCK = re.compile(r"^```(?:json|toml)\n", re.M)


@attrs.frozen
class Entry:
    """Our server in one client's configuration.

    Attributes:
        name: Which one.
        values: What stands there: `command`, `args` and `env`, or a URL.
    """

    name: str
    values: Mapping[str, Any]

    @property
    def command(self) -> list[str]:
        return [self.values["command"], *self.values["args"]]

    @property
    def variables(self) -> list[str]:
        """The environment variables that it gives."""
        return [*self.values.get("env", {}), *self.values.get("env_vars", [])]

    def for_this_machine(self, variables: Mapping[str, str]) -> dict[str, Any]:
        """The same, with what is installed here in place of `uvx`, and variables of its own."""
        assert self.command[: len(UVX)] == UVX
        command = [*COMMAND, *self.command[len(UVX) :]]
        return {
            **self.values,
            "command": command[0],
            "args": command[1:],
            "env": {**self.values["env"], **variables},
        }


def in_clients() -> Iterator[Entry]:
    """Each configuration of `docs/clients.md`."""
    text = CLIENTS.read_text(encoding="utf-8")
    blocks = _BLOCK.findall(text)
    assert len(blocks) == len(_ANY_BLOCK.findall(text))
    for name, language, block in blocks:
        yield Entry(
            name, _server(tomllib.loads(block) if language == "toml" else json.loads(block))
        )


def in_manifests() -> Iterator[Entry]:
    """What the bundle and the plugin start."""
    for path in MANIFESTS:
        values = json.loads(path.read_text(encoding="utf-8"))
        server = values["server"]["mcp_config"] if "server" in values else _server(values)
        yield Entry(str(path.relative_to(CHECKOUT)), server)


def client(name: str) -> Entry:
    """The configuration of one client."""
    return next(entry for entry in in_clients() if entry.name == name)


def _server(configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    (servers,) = (
        configuration[key]
        for key in ("mcpServers", "mcp_servers", "servers")
        if key in configuration
    )
    server: Mapping[str, Any] = servers["jupyter"]
    return server
