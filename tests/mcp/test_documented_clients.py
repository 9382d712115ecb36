# SPDX-License-Identifier: BSD-3-Clause
"""The configurations in the documentation and the manifests start the server that they say."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from documented import CHECKOUT, CLIENTS, UVX, Entry, in_clients, in_manifests
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_process import served_tools

from jupyter_mcp_server.options import AGENT, SERVER, TRANSPORT

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSION = PROJECT["version"]
STARTED = [entry for entry in in_clients() if entry.values.get("command") == "uvx"]
REMOTE = [entry for entry in in_clients() if "url" in entry.values]


def read(path: str) -> dict[str, Any]:
    text = (CHECKOUT / path).read_text(encoding="utf-8")
    return tomllib.loads(text) if path.endswith(".toml") else json.loads(text)


def known_variables() -> set[str]:
    """Every environment variable of ours."""
    given = (option.envvar for option in (*SERVER, *AGENT, *TRANSPORT) if option.envvar)
    return {name for names in given for name in ([names] if isinstance(names, str) else names)}


def test_every_client_of_the_page_is_there() -> None:
    assert [entry.name for entry in in_clients()] == [
        *("claude-code", "claude-desktop", "codex", "gemini-cli", "cursor", "vs-code", "windsurf"),
        *("docker", "http", "codex-http"),
    ]


@pytest.mark.parametrize("entry", [*in_clients(), *in_manifests()], ids=lambda entry: entry.name)
def test_an_entry_gives_only_variables_that_the_server_knows(entry: Entry) -> None:
    assert set(entry.variables) <= known_variables()


@pytest.mark.parametrize("entry", STARTED, ids=lambda entry: entry.name)
async def test_a_configuration_starts_the_server(
    entry: Entry, work: Path, on_lab: dict[str, str]
) -> None:
    assert entry.command == UVX
    here = entry.for_this_machine(on_lab)
    server = StdioServerParameters(
        command=here["command"], args=here["args"], env=here["env"], cwd=work
    )
    with (work.parent / "log").open("w") as log:
        async with Client(stdio_client(server, errlog=log), read_timeout_seconds=45) as client:
            listed = await client.list_tools()
            called = await client.call_tool("list_kernels", {})
    assert [tool.name for tool in listed.tools] == served_tools()
    assert not called.is_error


@pytest.mark.parametrize("entry", REMOTE, ids=lambda entry: entry.name)
def test_an_address_is_the_one_that_the_server_has_by_default(entry: Entry) -> None:
    defaults = {option.name: option.default for option in TRANSPORT}
    assert entry.values["url"] == f"http://localhost:{defaults['port']}/mcp"


def test_the_page_says_what_to_run() -> None:
    assert (
        CLIENTS.read_text(encoding="utf-8").count('uvx --from "jupyter-agent-core[mcp,local]"') == 3
    )


def test_what_is_published_has_the_version_of_the_package() -> None:
    registry = read("server.json")
    (package,) = registry["packages"]
    assert registry["version"] == package["version"] == VERSION
    assert package["identifier"] == PROJECT["name"]
    requirement = f"{PROJECT['name']}[mcp,local]=={VERSION}"
    assert package["runtimeArguments"] == [
        {"type": "named", "name": "--from", "value": requirement},
        {"type": "positional", "value": "jupyter-mcp-server"},
    ]
    assert {variable["name"] for variable in package["environmentVariables"]} <= known_variables()
    assert read("packaging/mcpb/manifest.json")["version"] == VERSION
    bundle = read("packaging/mcpb/pyproject.toml")["project"]
    assert (bundle["version"], bundle["dependencies"]) == (VERSION, [requirement])
    assert read("plugins/claude-code/.claude-plugin/plugin.json")["version"] == VERSION
    assert f"`=={VERSION}`" in CLIENTS.read_text(encoding="utf-8")


def test_the_readme_proves_to_the_registry_whose_package_it_is() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert f"<!-- mcp-name: {read('server.json')['name']} -->" in readme


def test_every_setting_that_a_manifest_asks_for_is_handed_over() -> None:
    for asked, entry in zip(
        (
            read("packaging/mcpb/manifest.json")["user_config"],
            read("plugins/claude-code/.claude-plugin/plugin.json")["userConfig"],
        ),
        in_manifests(),
        strict=True,
    ):
        text = json.dumps(dict(entry.values))
        assert all(f"${{user_config.{name}}}" in text for name in asked)


def test_each_variable_that_stays_is_one_of_ours() -> None:
    page = (CHECKOUT / "docs" / "from-datalayer.md").read_text(encoding="utf-8")
    table = page.partition("| Variable | Here |")[2].partition("\n\n")[0]
    first = re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE)
    stay = set(re.findall(r"`(\w+)`", " ".join(first)))
    assert len(stay) == 14
    assert stay <= known_variables()
    gone = page.partition("| Theirs | Here |")[2]
    refused = set(re.findall(r"`(JUPYTER_MCP_\w+)`", gone)) - known_variables()
    assert refused == {"JUPYTER_MCP_CAPABILITIES", "JUPYTER_MCP_OTEL_FILE"}
