# SPDX-License-Identifier: BSD-3-Clause
"""The README's commands are the ones that the gate runs, and its samples are not fiction."""

import ast
import importlib
import json
import re
import subprocess
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def command(name: str) -> str:
    (block,) = re.findall(rf"^<!-- command: {name} -->\n```sh\n(.*?)^```$", README, re.M | re.S)
    return block.rstrip("\n")


def test_the_gate_runs_the_readmes_commands():
    printed = subprocess.run(
        ["bash", ".ci/run", "--print"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    sessions = [f".venv/bin/nox -s {name}" for name in ("browser", "proxies")]
    assert printed == [command("test"), *sessions, command("quickstart")]


def test_each_command_is_one_line():
    assert [block.count("\n") for block in blocks("sh")] == [1, 1]


def test_commands_name_extras_and_files_that_exist():
    extras = {e for group in re.findall(r"'\.\[([\w,]+)\]'", README) for e in group.split(",")}
    assert extras
    assert extras <= PROJECT["optional-dependencies"].keys()
    (script,) = re.findall(r"python (\S+\.py)", command("quickstart"))
    assert (CHECKOUT / script).is_file()


def test_the_client_configuration_names_our_script():
    (configuration,) = map(json.loads, blocks("json"))
    (server,) = configuration["mcpServers"].values()
    assert server["command"] in PROJECT["scripts"]


def test_samples_are_python_and_import_public_names():
    imports = [
        (node.module, alias.name)
        for block in blocks("python")
        for node in ast.walk(compile(block, "README.md", "exec", flags=TOP_LEVEL_AWAIT))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert {module for module, _ in imports} == {"jupyter_agent_core", "jupyter_agent_core.sync"}
    missing = [
        (module, name)
        for module, name in imports
        if name not in importlib.import_module(module).__all__
    ]
    assert not missing
