# SPDX-License-Identifier: BSD-3-Clause
"""The Jupyter servers of this user that run on this machine, found by their runtime files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

import anyio
import anyio.to_thread
import attrs
import httpx
from jupyter_core.paths import jupyter_runtime_dir

from .._connect_errors import NoRunningServerError

WILDCARDS = ("", "*", "0.0.0.0", "::")  # noqa: S104
PROBE_TIMEOUT = 2.0

Folder = str | os.PathLike[str]
State = Literal["usable", "occupied", "gone"]
"""`occupied`: a server is there, but not one that can be joined with what its file says."""


@attrs.frozen
class RunningServer:
    """A Jupyter server that answers, with what is needed to connect to it."""

    url: str
    token: str = attrs.field(repr=False)
    root_dir: str
    pid: int


@attrs.frozen
class Finding:
    """What became of one runtime file."""

    server: RunningServer
    written: float
    state: State
    reason: str = ""


async def running_servers(timeout: float = PROBE_TIMEOUT) -> list[RunningServer]:
    """List every Jupyter server of this user that answers and accepts its own token.

    Args:
        timeout: Seconds that a server has to answer; all are asked at once.

    Returns:
        The servers, newest first.
    """
    findings = await _examine(await _registered(), timeout)
    return [finding.server for finding in findings if finding.state == "usable"]


async def find_server(folder: Folder) -> RunningServer:
    """Find the running server whose root holds a folder.

    Of several, the one with the nearest root is taken, of equally near ones the newest.

    Args:
        folder: The folder; symbolic links are resolved, here and in the servers' roots.

    Returns:
        The server.

    Raises:
        NoRunningServerError: No server holds the folder, or none that can be joined.
    """
    path = await anyio.to_thread.run_sync(os.path.realpath, folder)
    registered = await _registered()
    near = await anyio.to_thread.run_sync(_nearest_first, path, registered)
    holding = await _examine(near, PROBE_TIMEOUT)
    for finding in holding:
        if finding.state == "usable":
            return finding.server
    others = await _examine([r for r in registered if r not in near], PROBE_TIMEOUT)
    raise NoRunningServerError(
        path,
        [f"{finding.server.url} {finding.reason}" for finding in holding]
        + [f"{f.server.url} serves {f.server.root_dir}" for f in others if f.state == "usable"],
    )


async def holders(folder: Folder) -> list[Finding]:
    """The servers whose root holds a folder, nearest root first, joinable or not."""
    near = await anyio.to_thread.run_sync(_nearest_first, folder, await _registered())
    return [f for f in await _examine(near, PROBE_TIMEOUT) if f.state != "gone"]


def folder_identity(folder: Folder) -> tuple[int, int] | str:
    """What is the same for all names of a folder, whatever links and letter case they use."""
    path = os.path.realpath(folder)
    status = os.stat(path)
    # Some file systems number nothing.
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.normcase(path)


def _nearest_first(folder: Folder, registered: Sequence[Finding]) -> list[Finding]:
    """Those whose root holds the folder: nearest root first, in the given order where equal."""
    path = Path(os.path.realpath(folder))
    distances: dict[tuple[int, int] | str, int] = {}
    for distance, ancestor in enumerate((path, *path.parents)):
        if ancestor.exists():
            distances.setdefault(folder_identity(ancestor), distance)
    near: list[tuple[int, Finding]] = []
    for candidate in registered:
        root = candidate.server.root_dir
        if os.path.isdir(root) and (identity := folder_identity(root)) in distances:
            near.append((distances[identity], candidate))
    return [candidate for _, candidate in sorted(near, key=lambda pair: pair[0])]


async def _registered() -> list[Finding]:
    """What the runtime files say, newest first; nothing is known yet of who still runs."""
    found = await anyio.to_thread.run_sync(lambda: list(_runtime_files()))
    return sorted(found, key=lambda finding: finding.written, reverse=True)


def _runtime_files() -> Iterator[Finding]:
    for path in Path(jupyter_runtime_dir()).glob("jpserver-*.json"):
        try:
            info = json.loads(path.read_bytes())
            yield Finding(_described(info), path.stat().st_mtime, "gone", "was not asked")
        except (OSError, ValueError, TypeError, KeyError):
            continue  # removed or written at this moment, or not what a Jupyter server writes


def _described(info: Any) -> RunningServer:
    if not isinstance(info, dict):
        raise TypeError("not an object")
    if info.get("sock"):
        raise ValueError("a server on a Unix socket has no URL")
    url = str(info["url"])
    if info.get("hostname") in WILDCARDS:  # the URL then has the host's name, which may not resolve
        parts = urlsplit(url)
        url = parts._replace(netloc=f"127.0.0.1:{int(info['port'])}").geturl()
    return RunningServer(
        url=url if url.endswith("/") else url + "/",
        token=str(info.get("token") or ""),
        root_dir=str(info["root_dir"]),
        pid=int(info["pid"]),
    )


async def _examine(registered: Sequence[Finding], timeout: float) -> list[Finding]:
    """Ask each server whether it is there, all at once; the order is kept."""
    if not registered:
        return []
    findings = list(registered)
    secure = any(finding.server.url.startswith("https:") for finding in registered)
    # No proxy from the environment: it would be handed tokens of this machine's servers.
    async with (
        httpx.AsyncClient(verify=secure, trust_env=False, timeout=None) as client,  # noqa: S113
        anyio.create_task_group() as tasks,
    ):

        async def ask(index: int) -> None:
            state, reason = await _state(client, findings[index].server, timeout)
            findings[index] = attrs.evolve(findings[index], state=state, reason=reason)

        for index in range(len(findings)):
            tasks.start_soon(ask, index)
    return findings


async def _state(
    client: httpx.AsyncClient, server: RunningServer, timeout: float
) -> tuple[State, str]:
    """Whether a server can be joined, is there but cannot be, or is gone."""
    reason = f"did not answer within {timeout:g} s"
    with anyio.move_on_after(timeout):
        try:
            response = await client.get(
                urljoin(server.url, "api/status"),
                headers={"Authorization": f"token {server.token}"} if server.token else {},
            )
        except httpx.ConnectError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                return "occupied", "has a certificate that cannot be verified"
            return "gone", "is gone"
        except httpx.HTTPError as error:
            return "gone", f"does not speak HTTP ({error})"
        if response.status_code == httpx.codes.OK and _is_status(response):
            return "usable", ""
        if response.status_code not in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            return "gone", f"is not a Jupyter server (HTTP {response.status_code})"
        reason = f"refuses the token of its runtime file (HTTP {response.status_code})"
    # Silent or refusing: if its process is gone, that is somebody else on the same port.
    return ("occupied", reason) if _is_process(server.pid) else ("gone", "is gone")


def _is_status(response: httpx.Response) -> bool:
    try:
        return "kernels" in response.json()
    except (ValueError, TypeError):
        return False


def _is_process(pid: int) -> bool:
    if sys.platform == "win32":
        import ctypes  # there, `os.kill` with 0 ends the process

        kernel32 = ctypes.windll.kernel32
        handle = kernel32.OpenProcess(0x1000, False, pid)
        if handle:
            kernel32.CloseHandle(handle)
        return bool(handle)
    else:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except (PermissionError, OverflowError):
            return True
        return True
