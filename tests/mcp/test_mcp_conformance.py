# SPDX-License-Identifier: BSD-3-Clause
"""What the official conformance runner and the official inspector say of the server."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp_http import SECRET, mcp_http
from mcp_process import COMMAND, served_tools

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180)]

BASELINE = Path(__file__).parent / "conformance.yml"
ENTRY = re.compile(r"  - ([a-z0-9-]+)( # \S.*)?")
ERAS = ("legacy", "modern")
# What the runner asks in each revision, and what it must find without a fault: an entry of the
# baseline says the same of what fails, and a runner that has run nothing finds no fault, too.
SUITES = {
    "2026-07-28": ("--requirements", "2026-07-28"),
    "2025-11-25": ("--suite", "all", "--spec-version", "2025-11-25"),
}
PASSED = {
    "2026-07-28": {
        "caching",
        "completion-complete",
        "dns-rebinding-protection",
        "http-header-validation",
        "input-required-result-unsupported-methods",
        "input-required-result-validate-input",
        "prompts-list",
        "resources-list",
        "sep-2164-resource-not-found",
        "server-sse-multiple-streams",
        "tasks-status-notifications",
        "tools-list",
    },
    "2025-11-25": {
        "completion-complete",
        "dns-rebinding-protection",
        "ping",
        "prompts-list",
        "resources-list",
        "server-initialize",
        "server-session-lifecycle",
        "server-sse-multiple-streams",
        "tools-list",
    },
}


def baseline() -> dict[str, str]:
    """The scenarios that we do not pass, each with the reason."""
    lines = BASELINE.read_text(encoding="utf-8").splitlines()
    entries = [match for line in lines if (match := ENTRY.fullmatch(line))]
    assert len(entries) == sum(line.lstrip().startswith("- ") for line in lines)
    return {entry[1]: (entry[2] or "").removeprefix(" # ") for entry in entries}


async def run(
    program: str, *arguments: str, folder: Path, variables: dict[str, str]
) -> subprocess.CompletedProcess[bytes]:
    found = shutil.which(program)
    if found is None:
        pytest.fail(f"{program} is not installed: run `nox -s conformance`")
    with anyio.fail_after(120):
        return await anyio.run_process(
            [found, *arguments],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            check=False,
        )


def test_each_entry_of_the_baseline_has_its_reason():
    assert all(baseline().values())


@pytest.mark.parametrize("revision", SUITES)
async def test_the_official_suite_finds_no_fault_but_those_with_a_reason(
    revision: str, work: Path, on_lab: dict[str, str]
) -> None:
    # the runner has no way to show a secret
    async with mcp_http(work, on_lab, "--insecure-mcp-noauth") as server:
        suite = (*SUITES[revision], "--expected-failures", str(BASELINE))
        done = await run(
            "conformance",
            *("server", "--url", server.url, "--output-dir", "results", *suite),
            folder=work,
            variables=on_lab,
        )
    said = done.stdout.decode()
    assert done.returncode == 0, said + done.stderr.decode()
    summary = said.partition("=== SUMMARY ===")[2]
    passed = set(re.findall(r"^✓ ([\w-]+): ", summary, re.MULTILINE))
    assert passed - baseline().keys() == PASSED[revision]


async def inspected(
    *arguments: str, folder: Path, variables: dict[str, str]
) -> tuple[int, Any, str]:
    """What the inspector's command line says: its exit code, its JSON, and its complaints."""
    done = await run(
        "mcp-inspector",
        *("--cli", *arguments, "--format", "json"),
        folder=folder,
        variables=variables,
    )
    said = done.stdout.decode()
    return done.returncode, json.loads(said) if said else None, done.stderr.decode()


def stdio(variables: dict[str, str], era: str) -> Sequence[str]:
    """The server as a target of the inspector, which hands over no variable by itself."""
    handed = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
    return (*COMMAND, *handed, "--protocol-era", era)


@pytest.mark.parametrize("era", ERAS)
async def test_the_inspector_finds_every_schema_portable(
    era: str, work: Path, on_lab: dict[str, str]
) -> None:
    code, listed, complaints = await inspected(
        *(*stdio(on_lab, era), "--method", "tools/list", "--strict"), folder=work, variables=on_lab
    )
    assert (code, complaints) == (0, "")
    assert [tool["name"] for tool in listed["result"]["tools"]] == served_tools()


@pytest.mark.parametrize("era", ERAS)
async def test_the_inspector_calls_a_tool(era: str, work: Path, on_lab: dict[str, str]) -> None:
    arguments = ("--method", "tools/call", "--tool-name", "list_kernels")
    code, called, complaints = await inspected(
        *(*stdio(on_lab, era), *arguments), folder=work, variables=on_lab
    )
    assert (code, complaints) == (0, "")
    (block,) = called["result"]["content"]
    assert block["text"].startswith("ID\tName\tDisplay_Name\t")


@pytest.mark.parametrize("era", ERAS)
async def test_the_inspector_comes_in_over_http_with_the_secret_only(
    era: str, work: Path, on_lab: dict[str, str]
) -> None:
    async with mcp_http(work, on_lab) as server:
        where = ("--server-url", server.url, "--transport", "http", "--protocol-era", era)
        question = (*where, "--stored-auth-only", "--method", "tools/list", "--strict")
        secret = ("--header", f"Authorization: Bearer {SECRET}")
        code, listed, complaints = await inspected(
            *question, *secret, folder=work, variables=on_lab
        )
        assert (code, complaints) == (0, "")
        assert len(listed["result"]["tools"]) == len(served_tools())
        code, _, _ = await inspected(*question, folder=work, variables=on_lab)
        assert code != 0
