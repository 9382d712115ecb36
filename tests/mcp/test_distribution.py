# SPDX-License-Identifier: BSD-3-Clause
"""The ways to the users: the image, the bundle, the registry, the plugin, and `uvx`.

`nox -s distribution` brings the tools that check them.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import mcp.types as types
import pytest
from dockerfile import Image, build
from documented import CHECKOUT, UVX
from host_clis import CLAUDE_CODE, claude_code_model, run_agent
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_process import served_tools
from model_apis import Anthropic
from model_stand_in import Call, StandIn
from servers import RunningServer

pytestmark = [pytest.mark.distribution, pytest.mark.timeout(300)]


def tool(name: str, *arguments: str, **options: Any) -> str:
    """Run a program that checks or builds something; what it prints, if it is content."""
    program = shutil.which(name)
    if program is None:
        pytest.fail(f"{name} is not installed: run `nox -s distribution`")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def uvx(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables with which `uvx` takes our wheel as if it were published."""
    folder = tmp_path_factory.mktemp("published")
    wheel = ("-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder), str(CHECKOUT))
    subprocess.run([sys.executable, *wheel], check=True)
    network = ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "NO_PROXY")
    variables = {name: os.environ[name] for name in network if name in os.environ} | {
        "UV_FIND_LINKS": str(folder),
        "UV_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
        "UV_COMPILE_BYTECODE": "1",
    }
    # once by hand, as the documentation says: clients do not wait for downloads
    said = tool(*UVX, "--version", env=os.environ | variables)
    assert said.startswith("jupyter-mcp-server ")
    return variables


@asynccontextmanager
async def serving(
    command: list[str], folder: Path, variables: dict[str, str]
) -> AsyncIterator[Client]:
    server = StdioServerParameters(command=command[0], args=command[1:], env=variables, cwd=folder)
    with (folder.parent / "log").open("w") as log:
        async with Client(stdio_client(server, errlog=log), read_timeout_seconds=90) as client:
            yield client


# --- the image


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    folder = tmp_path_factory.mktemp("image")
    yield build(CHECKOUT, folder)
    shutil.rmtree(folder)


def in_container(image: Image, home: Path, **variables: str) -> dict[str, str]:
    """The environment of a container: nothing of this machine but what `-e` hands over."""
    return image.variables | {"HOME": str(home)} | variables


def test_the_linter_has_nothing_to_say_of_the_dockerfile() -> None:
    assert tool("hadolint", str(CHECKOUT / "Dockerfile")) == ""


def test_the_image_runs_as_nobody_special_and_serves_stdio(image: Image) -> None:
    assert image.user == "1000:1000"
    assert image.entrypoint == ["jupyter-mcp-server"]
    assert set(image.bases) == {"python:3.13-slim"}
    assert not list((image.root / "opt").rglob("pip/__main__.py"))


async def test_a_container_works_on_the_server_that_its_variables_name(
    image: Image, tmp_path: Path, lab: RunningServer, folder: str
) -> None:
    variables = in_container(
        image, tmp_path, JUPYTER_URL=lab.url, JUPYTER_TOKEN=lab.token, ALLOW_IMG_OUTPUT="false"
    )
    async with serving(image.command(), image.folder, variables) as client:
        opened = await client.call_tool(
            "use_notebook",
            {"notebook_name": "nb", "notebook_path": f"{folder}/nb.ipynb", "mode": "create"},
        )
        assert not opened.is_error, opened.content
        source = "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 4, 9]);"
        run = {"cell_index": -1, "cell_source": source}
        plotted = await client.call_tool("insert_execute_code_cell", run)
    assert not plotted.is_error, plotted.content
    assert all(isinstance(block, types.TextContent) for block in plotted.content)


async def test_a_container_without_a_server_has_one_of_its_own(
    image: Image, tmp_path: Path
) -> None:
    variables = in_container(image, tmp_path)
    async with serving(image.command(), image.folder, variables) as client:
        await client.call_tool(
            "use_notebook",
            {"notebook_name": "nb", "notebook_path": "nb.ipynb", "mode": "create"},
        )
        run = {"cell_index": -1, "cell_source": "6 * 7"}
        done = await client.call_tool("insert_execute_code_cell", run)
    assert isinstance(done.content[0], types.TextContent)
    assert done.content[0].text == "42"
    assert (image.folder / "nb.ipynb").is_file()


# --- uvx


async def test_uvx_starts_the_published_wheel(
    uvx: dict[str, str], work: Path, on_lab: dict[str, str]
) -> None:
    async with serving(UVX, work, on_lab | uvx) as client:
        listed = await client.list_tools()
        called = await client.call_tool("list_kernels", {})
    assert [one.name for one in listed.tools] == served_tools()
    assert not called.is_error


# --- the registry, the bundle, the plugin


def test_the_registry_entry_fits_its_schema() -> None:
    entry = json.loads((CHECKOUT / "server.json").read_text(encoding="utf-8"))
    released = resources.files("skillsaw.schemas.mcp_registry.v2025_12_11")
    schema = json.loads((released / "server.schema.json").read_text(encoding="utf-8"))
    assert entry["$schema"] == schema["$id"]
    jsonschema.validate(entry, schema, jsonschema.Draft7Validator)


def test_the_bundle_is_valid_and_can_be_packed(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(CHECKOUT / "packaging" / "mcpb", bundle)
    tool("mcpb", "validate", str(bundle / "manifest.json"))
    tool("mcpb", "pack", str(bundle), str(tmp_path / "jupyter.mcpb"))
    assert (tmp_path / "jupyter.mcpb").stat().st_size < 10_000


async def test_the_bundle_starts_as_its_manifest_says(
    uvx: dict[str, str], tmp_path: Path, work: Path, on_lab: dict[str, str]
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(CHECKOUT / "packaging" / "mcpb", bundle)
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    server = manifest["server"]["mcp_config"]
    configured = {"__dirname": str(bundle), "user_config.folder": str(work)}
    configured |= {"user_config.url": on_lab["JUPYTER_URL"]}
    configured |= {"user_config.token": on_lab["JUPYTER_TOKEN"]}

    def filled(value: str) -> str:
        for name, one in configured.items():
            value = value.replace(f"${{{name}}}", one)
        return value

    command = [server["command"], *map(filled, server["args"])]
    given = {name: filled(value) for name, value in server["env"].items()}
    async with serving(command, work, on_lab | given | uvx) as client:
        called = await client.call_tool("list_kernels", {})
    assert not called.is_error, called.content


@pytest.mark.parametrize("folder", ["plugins/claude-code", "."])
def test_claude_code_takes_the_plugin_and_the_marketplace(folder: str, tmp_path: Path) -> None:
    environment = os.environ | {"HOME": str(tmp_path)}
    tool("claude", "plugin", "validate", str(CHECKOUT / folder), "--strict", env=environment)


async def test_the_plugin_works_in_claude_code(
    uvx: dict[str, str], tmp_path: Path, lab: RunningServer
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | {"HOME": str(home)}
    settings = ("--config", f"url={lab.url}", "--config", f"token={lab.token}")
    tool("claude", "plugin", "marketplace", "add", str(CHECKOUT), env=environment)
    tool("claude", "plugin", "install", "jupyter@jupyter-agent-core", *settings, env=environment)

    name = "mcp__plugin_jupyter_jupyter"
    script = [Call("list_kernels", {})]
    async with StandIn.listening(Anthropic(f"{name}__"), script) as model:
        variables = claude_code_model(model.url) | uvx
        await run_agent("claude", [*CLAUDE_CODE, "--allowedTools", name], home, variables)
    (received,) = model.conversation.received
    assert received.text.startswith("ID\tName\t")
