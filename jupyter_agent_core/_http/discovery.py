# SPDX-License-Identifier: BSD-3-Clause
"""The Jupyter servers of this user that run on this machine, found by their runtime files."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin, urlsplit

import anyio
import anyio.to_thread
import attrs
import httpx

from .._connect_errors import NoRunningServerError
from .._values import FoundServer
from .runtime_files import RunningServer, RuntimeFile, is_process, runtime_files

PROBE_TIMEOUT = 2.0
PROBES = 50
"""How many servers are asked at a time."""
STATUS_SIZE = 64 * 1024
"""More bytes than a Jupyter server's status has."""

Folder = str | os.PathLike[str]
State = Literal["usable", "occupied", "gone"]
"""`occupied`: a server is there, but not one that can be joined with what its file says."""


@attrs.frozen
class Finding:
    """What became of one runtime file that describes a server.

    Attributes:
        server: The server.
        file: The file.
        state: Whether the server can be joined.
        reason: Why not, as what follows the name of the server.
    """

    server: RunningServer
    file: RuntimeFile
    state: State
    reason: str = ""


@attrs.frozen
class _Search:
    """What the runtime files say of a folder.

    Attributes:
        path: The folder, without links.
        near: The servers whose root holds it, nearest root first.
        others: The other servers, newest first.
        unknown: The files that describe no server.
    """

    path: str
    near: list[Finding]
    others: list[Finding]
    unknown: list[RuntimeFile]


async def find_servers(
    root_dir: Folder | None = None, *, timeout: float = PROBE_TIMEOUT
) -> tuple[FoundServer, ...]:
    """List the Jupyter servers that runtime files of this user name, and which one is chosen.

    Args:
        root_dir: The folder that the chosen one has to hold; default: the working directory.
        timeout: Seconds that it may take to ask them, all at once.

    Returns:
        Those that hold the folder first, nearest root first, newest first where equally near.
        The first of them that can be joined is chosen, as `connect("auto")` does.
    """
    search = await _searched(os.curdir if root_dir is None else root_dir)
    findings = await _examine([*search.near, *search.others], timeout)
    holding = len(search.near)
    told = _judged(search.path, findings[:holding], findings[holding:])
    unknown = (
        FoundServer(None, None, file.pid, False, file.problem, file.path) for file in search.unknown
    )
    return (*told, *unknown)


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
    search = await _searched(folder)
    holding = await _examine(search.near, PROBE_TIMEOUT)
    for finding in holding:
        if finding.state == "usable":
            return finding.server
    others = await _examine(search.others, PROBE_TIMEOUT)
    usable = [finding for finding in others if finding.state == "usable"]
    raise NoRunningServerError(
        search.path,
        [f"{found.url} {found.reason}" for found in _judged(search.path, holding, usable)]
        + [f"process {file.pid} {file.problem}" for file in search.unknown],
    )


async def holders(folder: Folder) -> list[Finding]:
    """The servers whose root holds a folder, nearest root first, joinable or not."""
    search = await _searched(folder)
    return [f for f in await _examine(search.near, PROBE_TIMEOUT) if f.state != "gone"]


def folder_identity(folder: Folder) -> tuple[int, int] | str:
    """What is the same for all names of a folder, whatever links and letter case they use."""
    path = os.path.realpath(folder)
    status = os.stat(path)
    # Some file systems number nothing.
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.normcase(path)


def _nearest_first(path: str, registered: Sequence[Finding]) -> list[Finding]:
    """Those whose root holds the folder: nearest root first, in the given order where equal."""
    distances: dict[tuple[int, int] | str, int] = {}
    for distance, ancestor in enumerate((Path(path), *Path(path).parents)):
        if ancestor.exists():
            distances.setdefault(folder_identity(ancestor), distance)
    near: list[tuple[int, Finding]] = []
    for candidate in registered:
        root = candidate.server.root_dir
        if os.path.isdir(root) and (identity := folder_identity(root)) in distances:
            near.append((distances[identity], candidate))
    return [candidate for _, candidate in sorted(near, key=lambda pair: pair[0])]


async def _searched(folder: Folder) -> _Search:
    """Read the runtime files; nobody is asked yet."""

    def search() -> _Search:
        path = os.path.realpath(folder)
        files = runtime_files()
        registered = _registered(files)
        near = _nearest_first(path, registered)
        others = [finding for finding in registered if finding not in near]
        return _Search(path, near, others, [file for file in files if file.problem])

    return await anyio.to_thread.run_sync(search)


def _registered(files: Sequence[RuntimeFile]) -> list[Finding]:
    """What the files say of servers; a port that several name is that of the newest process."""
    findings: list[Finding] = []
    owners: dict[str, int] = {}
    for file in files:
        if file.server is None:
            continue
        server, reason = file.server, ""
        place = urlsplit(server.url).netloc
        if is_process(server.pid):
            owner = owners.setdefault(place, server.pid)
            if owner != server.pid:
                reason = f"is gone (its port is that of the newer process {owner})"
        findings.append(Finding(server, file, "gone", reason))
    return findings


def _judged(path: str, near: Sequence[Finding], others: Sequence[Finding]) -> list[FoundServer]:
    """Say of each why it was chosen or not: those that hold the folder, and the others."""
    usable = [finding for finding in near if finding.state == "usable"]
    told = []
    for finding in (*near, *others):
        server, reason = finding.server, finding.reason
        if finding.state != "usable":
            pass
        elif finding not in usable:
            reason = f"serves {server.root_dir}, which does not hold {path}"
        elif finding is usable[0]:
            reason = f"serves {server.root_dir}, which holds {path}"
        elif os.path.realpath(server.root_dir) == os.path.realpath(usable[0].server.root_dir):
            reason = f"serves {server.root_dir}, too, but {usable[0].server.url} is newer"
        else:
            reason = f"serves {server.root_dir}, but {usable[0].server.url} is nearer to {path}"
        told.append(
            FoundServer(
                url=server.url,
                root_dir=server.root_dir,
                pid=server.pid,
                chosen=bool(usable) and finding is usable[0],
                reason=reason,
                runtime_file=finding.file.path,
                token=server.token or None,
            )
        )
    return told


async def _examine(registered: Sequence[Finding], timeout: float) -> list[Finding]:
    """Ask each server whether it is there, all at once; the order is kept."""
    findings = list(registered)
    asked = [index for index, finding in enumerate(findings) if not finding.reason]
    if not asked:
        return findings
    secure = any(findings[index].server.url.startswith("https:") for index in asked)
    room = anyio.CapacityLimiter(PROBES)
    # No proxy from the environment: it would be handed tokens of this machine's servers.
    async with (
        httpx.AsyncClient(verify=secure, trust_env=False, timeout=None) as client,  # noqa: S113
        anyio.create_task_group() as tasks,
    ):

        async def ask(index: int) -> None:
            probe = _Probe(client, findings[index])
            await probe.ask(room, timeout)
            findings[index] = attrs.evolve(findings[index], state=probe.state, reason=probe.reason)

        for index in asked:
            tasks.start_soon(ask, index)
    return findings


class _Probe:
    """One server that is asked whether it is there, and what came of it.

    Args:
        client: Asks it.
        finding: What its file says.
    """

    def __init__(self, client: httpx.AsyncClient, finding: Finding) -> None:
        self._client = client
        self._server = finding.server
        self._has_password = finding.file.has_password
        self._lives = is_process(finding.server.pid)
        self.state: State = "gone"
        self.reason: str = ""

    async def ask(self, room: anyio.CapacityLimiter, timeout: float) -> None:
        """Ask it, within a bound that includes the wait for those that are asked before."""
        silence = f"was not asked within {timeout:g} s, as others did not answer"
        with anyio.move_on_after(timeout):
            async with room:
                silence = f"did not answer within {timeout:g} s"
                await self._ask()
                return
        self._is_there(silence)

    async def _ask(self) -> None:
        try:
            answer = await self._answer(self._server.token)
            if answer is None and not self._lives:
                # who takes any token may be another one, which serves another folder
                proof = self._server.token and await self._answer("")
                answer = None if proof else "another Jupyter server"
        except httpx.ConnectError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                self._is_there("has a certificate that cannot be verified")
            else:
                self._is_gone()
        except httpx.HTTPError as error:
            self._is_gone(f"something that does not speak HTTP: {error}")
        else:
            if answer is None:
                self.state = "usable"
            elif isinstance(answer, int):
                self._refuses(answer)
            else:
                self._is_gone(answer)

    async def _answer(self, token: str) -> int | str | None:
        """Ask for the status: None if it is given, else that of a refusal, or what is there."""
        headers = {"Authorization": f"token {token}"} if token else {}
        address = urljoin(self._server.url, "api/status")
        async with self._client.stream("GET", address, headers=headers) as response:
            if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
                return response.status_code
            if response.status_code == httpx.codes.OK and _is_status(await _beginning(response)):
                return None
            return f"something else: HTTP {response.status_code}"

    def _refuses(self, status: int) -> None:
        if self._has_password and not self._server.token:
            self._is_there("asks for a password, which is in no file")
        else:
            self._is_there(f"refuses the token of its runtime file (HTTP {status})")

    def _is_there(self, reason: str) -> None:
        """Note a server that cannot be joined: if its process is gone, that is somebody else."""
        if self._lives:
            self.state, self.reason = "occupied", reason
        else:
            self._is_gone("something else")

    def _is_gone(self, other: str = "") -> None:
        """Note a server that is no more, and what has its port instead."""
        ended = "" if self._lives else f"process {self._server.pid} has ended"
        at_port = f"at its port is {other}" if other else ""
        reasons = [ended, at_port] if ended or at_port else ["nothing listens at its port"]
        self.state, self.reason = "gone", f"is gone ({'; '.join(filter(None, reasons))})"


async def _beginning(response: httpx.Response) -> bytes:
    """Read as much as a status may have."""
    read = b""
    async for chunk in response.aiter_bytes():
        read += chunk
        if len(read) > STATUS_SIZE:
            break
    return read


def _is_status(body: bytes) -> bool:
    try:
        return "kernels" in json.loads(body)
    except (ValueError, TypeError):
        return False
