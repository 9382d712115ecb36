# SPDX-License-Identifier: BSD-3-Clause
"""What may be wrong with an installation, and what to do about it."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from importlib import metadata
from typing import Any, Literal

import attrs

from jupyter_agent_core import (
    ConfigurationError,
    ConnectError,
    FoundServer,
    HubServer,
    JupyterAgentError,
    Server,
    find_servers,
)
from jupyter_agent_core._workspace.scratch import scratch_notebook

from .connection import open_target
from .settings import Target

Outcome = Literal["ok", "warning", "failed"]
RUN_TIMEOUT = 60.0
FORK_CHECK = "pycrdt"
_RIVAL, _FORK = "jupyter-mcp-server", "datalayer_pycrdt"
_ROUND_TRIPS = 5
_SLOW = 0.25
_MARKS: dict[Outcome, str] = {"ok": "✓", "warning": "!", "failed": "✗"}


@attrs.frozen
class Check:
    """What came of one check.

    Attributes:
        name: What was checked.
        outcome: How it is.
        found: What was found.
        fix: What to do, empty if nothing.
        server: The server of this machine that it is about, if it is about one.
    """

    name: str
    outcome: Outcome
    found: str
    fix: str = ""
    server: FoundServer | None = None


async def examine(target: Target) -> list[Check]:
    """Check an installation, as far as it works.

    Args:
        target: The servers that are to be worked on.
    """
    checks = check_installation()
    if checks[-1].name == FORK_CHECK:
        return checks  # no notebook can be opened with it
    if not target.is_named:
        checks += await _check_discovery(target)
    try:
        async with open_target(target) as server:
            checks += await _examine_server(server, target)
    except (ConfigurationError, ConnectError) as error:
        checks.append(_failed("connection" if target.hub is None else "JupyterHub", error))
    except JupyterAgentError as error:
        checks.append(_failed("end", error))
    return checks


def check_installation() -> list[Check]:
    """Look for other distributions that have modules or scripts of the same names."""
    version = metadata.version("jupyter-agent-core")
    checks = [Check("installation", "ok", f"jupyter-agent-core {version}")]
    if (rival := _installed(_RIVAL)) is not None:
        checks = [
            Check(
                "installation",
                "failed",
                f"jupyter-agent-core {version} beside {_RIVAL} {rival}: both have the package "
                "jupyter_mcp_server and the script jupyter-mcp-server, "
                "and one overwrites the other",
                f"pip uninstall {_RIVAL}, then "
                "pip install --force-reinstall --no-deps jupyter-agent-core",
            )
        ]
    if (fork := _installed(_FORK)) is not None:
        checks.append(
            Check(
                FORK_CHECK,
                "failed",
                f"{_FORK} {fork} is installed: it overwrites pycrdt by an older one, with which "
                "neither this library nor jupyter-collaboration opens a live notebook",
                f"pip uninstall {_FORK}, then pip install --force-reinstall --no-deps pycrdt",
            )
        )
    return checks


def _installed(distribution: str) -> str | None:
    """Return the version of a distribution that is installed here."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


async def _check_discovery(target: Target) -> list[Check]:
    """Say of each server of this machine why it is the one that is worked on, or why not."""
    found = await find_servers(target.root_dir)
    if not any(server.chosen for server in found):
        said = "no running server that can be joined holds the folder"
        return [*map(_described, found), Check("discovery", "ok", said)]
    return list(map(_described, found))


def _described(server: FoundServer) -> Check:
    name = server.url or f"process {server.pid}"
    chosen = "chosen" if server.chosen else "passed over"
    return Check("discovery", "ok", f"{chosen}: {name} {server.reason}", server=server)


async def _examine_server(server: Server, target: Target) -> list[Check]:
    checks = [_check_hub(server.hub)] if server.hub is not None else []
    checks.append(_check_connection(server, target))
    if server.info.version:
        checks.append(Check("version", "ok", f"Jupyter Server {server.info.version}"))
    checks.append(_check_mode(server))
    if target.way.verify is False and "https:" in (server.url[:6], server.runtime_url[:6]):
        found = "whoever answers is trusted, without any certificate"
        checks.append(Check("certificate", "warning", found, "--ca-file in place of --no-verify"))
    if server.runtime_url != server.url:
        checks.append(Check("kernels", "ok", f"run on {server.runtime_url}"))
    for check in (_check_kernelspecs, _check_round_trip, _check_run):
        try:
            checks.append(await check(server))
        except JupyterAgentError as error:
            checks.append(_failed(check.__name__.removeprefix("_check_").replace("_", " "), error))
    return checks


def _check_hub(hub: HubServer) -> Check:
    found = f"{hub.hub_url}: the server {hub} runs"
    if hub.can_start:
        return Check(
            "JupyterHub", "ok", f"{found}, and the token starts it again when it is stopped"
        )
    fix = f"make a token with the scope servers!user={hub.user}, too, at {hub.hub_url}hub/token"
    return Check("JupyterHub", "warning", f"{found}, but the token may not start it", fix)


def _check_connection(server: Server, target: Target) -> Check:
    if server.info.mode == "datalayer":
        found = f"{server.url}: Datalayer is not asked before a notebook is opened"
        return Check("connection", "warning", found, "open one to see that URL and token work")
    named = "the URL and the token work" if target.is_named else "found or started here"
    return Check("connection", "ok", f"{server.url} ({named})")


def _check_mode(server: Server) -> Check:
    if server.info.mode == "kernels":
        return Check(
            "collaboration",
            "warning",
            "there are no notebooks: the server runs kernels only, as a kernel gateway does",
            "name a server of documents in DOCUMENT_URL, and this one in RUNTIME_URL",
        )
    if server.info.mode != "contents":
        return Check("collaboration", "ok", f"notebooks are live ({server.info.mode})")
    return Check(
        "collaboration",
        "warning",
        "notebooks are files only: people see changes when they reload",
        "pip install jupyter-collaboration in the environment of the server, and restart it",
    )


async def _check_kernelspecs(server: Server) -> Check:
    specs = await server.list_kernelspecs()
    if not specs:
        fix = "pip install ipykernel in the environment of the server"
        return Check("kernelspecs", "failed", "the server can start no kernel", fix)
    return Check("kernelspecs", "ok", ", ".join(spec.name for spec in specs))


async def _check_round_trip(server: Server) -> Check:
    times = []
    for _ in range(_ROUND_TRIPS):
        started = time.perf_counter()
        await server.list_kernelspecs()
        times.append(time.perf_counter() - started)
    median = statistics.median(times)
    found = f"{median * 1000:.0f} ms"
    if median < _SLOW:
        return Check("round trip", "ok", found)
    fix = "every call takes as long: run this command nearer to the server"
    return Check("round trip", "warning", found, fix)


async def _check_run(server: Server) -> Check:
    started = time.perf_counter()
    if "files" in server.info.offers:
        what = "a cell was run in a scratch notebook"
        async with scratch_notebook(server) as notebook:
            cell = await notebook.append_cell("6 * 7")
            result = await cell.execute(timeout=RUN_TIMEOUT)
    else:
        what = "code was run in a new kernel"
        kernel = await server.start_kernel()
        result = await kernel.execute("6 * 7", timeout=RUN_TIMEOUT)
        await kernel.shutdown()
    took = time.perf_counter() - started
    if (result.status, result.text) == ("ok", "42"):
        return Check("run", "ok", f"{what}, {took:.1f} s in all")
    fix = "run a cell in JupyterLab there, and look at the server's log"
    return Check("run", "failed", f"it ended as {result.status!r}: {result.text[:200]}", fix)


def _failed(name: str, error: JupyterAgentError) -> Check:
    """What our errors say after the colon is what to do."""
    found, _, fix = str(error).partition("): ")
    return Check(name, "failed", f"{found})" if fix else found, fix)


def shown(checks: Sequence[Check], *, as_json: bool) -> str:
    """Write the checks, a line each, or as JSON."""
    if as_json:
        return json.dumps([attrs.asdict(check, filter=_is_told) for check in checks], indent=2)
    width = max(len(check.name) for check in checks)
    return "\n".join(
        f"{_MARKS[check.outcome]} {check.name:{width}}  {check.found}"
        + (f" → {check.fix}" if check.fix else "")
        for check in checks
    )


def _is_told(attribute: attrs.Attribute[Any], value: object) -> bool:
    """Leave out secrets, and the server of checks that are about none."""
    return bool(attribute.repr) and (attribute.name, value) != ("server", None)
