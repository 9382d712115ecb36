# SPDX-License-Identifier: BSD-3-Clause
"""One Jupyter server, and the two ways to get hold of it."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, final

import anyio

from .._errors import (
    CollaborationUnavailableError,
    ConfigurationError,
    JupyterAgentError,
    NotebookExistsError,
    NotebookNotFoundError,
)
from .._http.rest import JupyterRest, checked_path
from .._values import FileInfo, KernelInfo, KernelRelease, KernelSpec, ServerInfo, SessionInfo
from .connections import Background, Connections
from .kernel import Kernel, LeftKernel, end_if_ours, release
from .notebook import Notebook

if TYPE_CHECKING:
    from .._http.discovery import RunningServer
    from .._http.private_server import PrivateServer

DEFAULT_USERNAME = "Agent"
CLOSE_TIMEOUT = 10.0


@final
class Server:
    """A Jupyter server; made by `connect` and `launch`."""

    def __init__(self, connections: Connections, info: ServerInfo, token: str | None) -> None:
        self._connections = connections
        self._info = info
        self._token = token
        self._notebooks: list[Notebook] = []
        self._kernels: dict[str, Kernel] = {}

    def __repr__(self) -> str:
        return f"<Server {self.url}>"

    @property
    def url(self) -> str:
        """Base URL, with a slash at its end."""
        return self._info.url

    @property
    def token(self) -> str | None:
        """The API token."""
        return self._token

    @property
    def info(self) -> ServerInfo:
        """What the server said of itself when it was connected."""
        return self._info

    async def open_notebook(
        self,
        path: str,
        *,
        create: bool = False,
        kernel_name: str | None = None,
        kernel_id: str | None = None,
    ) -> Notebook:
        """Open a notebook live, beside whoever else has it open.

        Args:
            path: Path below the server's root.
            create: Create it; it must not exist.
            kernel_name: Kernelspec to run it on; default: that of its session, else of its
                metadata, else the server's default one.
            kernel_id: A running kernel to run it on, or `"NEW"` for a new one.

        Returns:
            The notebook, with its content here.

        Raises:
            NotebookNotFoundError, NotebookExistsError, NotANotebookError
            KernelSpecNotFoundError, KernelNotFoundError
            CollaborationUnavailableError: The server has no live documents.
            NotSyncedError, ConnectError
        """
        path = checked_path(path)
        if not self._info.collaboration:
            raise CollaborationUnavailableError(self.url)
        rest = self._connections.rest
        rest.check_open()
        if kernel_id is not None and kernel_id.upper() != "NEW":
            await rest.kernel(kernel_id)
        if create:
            await self._create_notebook(path, kernel_name)
        elif kernel_name is not None:
            await rest.kernelspec(kernel_name)
        try:
            room = await self._connections.rooms.acquire(path)
        except NotebookNotFoundError as error:
            raise NotebookNotFoundError(path, await self._notebooks_beside(path)) from error
        notebook = Notebook(self._connections, room, kernel_name, kernel_id)
        self._notebooks = [other for other in self._notebooks if not other.is_closed]
        self._notebooks.append(notebook)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(notebook.close)
            if create:
                room.document.drop_placeholder()
                await room.acknowledge()
            stack.pop_all()
        return notebook

    async def _create_notebook(self, path: str, kernel_name: str | None) -> None:
        rest = self._connections.rest
        spec = await rest.kernelspec(kernel_name)
        if not path.endswith(".ipynb"):
            raise ConfigurationError(
                f"{path!r} is no name for a notebook: it ends in .ipynb", name="path", value=path
            )
        if await rest.contents(path, content=False) is not None:
            raise NotebookExistsError(path)
        folder = path.rpartition("/")[0]
        if await rest.contents(folder, content=False) is None:
            raise NotebookNotFoundError(path, ["(there is no such folder)"])
        await rest.write_notebook(path, _empty_notebook(spec))

    async def _notebooks_beside(self, path: str) -> list[str]:
        files = await self._connections.rest.list_directory(path.rpartition("/")[0])
        return [file.path for file in files or () if file.type == "notebook"][:10]

    async def list_files(self, path: str = "") -> tuple[FileInfo, ...]:
        """Return what a directory of the server holds, sorted by path.

        Raises:
            ConfigurationError: There is no such directory.
            ConnectError
        """
        files = await self._connections.rest.list_directory(path)
        if files is None:
            raise ConfigurationError(
                f"There is no directory {path!r} on the server", name="path", value=path
            )
        return tuple(files)

    async def list_kernels(self) -> tuple[KernelInfo, ...]:
        """Return the running kernels, each with the notebook that it serves.

        Raises:
            ConnectError
        """
        return tuple(await self._connections.rest.kernels())

    async def list_kernelspecs(self) -> tuple[KernelSpec, ...]:
        """Return the kernels that can be started, the default one first.

        Raises:
            ConnectError
        """
        return tuple(await self._connections.rest.kernelspecs())

    async def list_sessions(self) -> tuple[SessionInfo, ...]:
        """Return the server's sessions: which kernel serves which file.

        Raises:
            ConnectError
        """
        return tuple(await self._connections.rest.sessions())

    async def start_kernel(self, kernel_name: str | None = None, *, directory: str = "") -> Kernel:
        """Start a kernel that belongs to no notebook; it ends with the connection.

        Args:
            kernel_name: Kernelspec; default: the server's default one.
            directory: Its working directory, below the server's root.

        Raises:
            KernelSpecNotFoundError, KernelUnavailableError, ConnectError
        """
        spec = await self._connections.rest.kernelspec(kernel_name)
        # a caller who is cancelled meanwhile must not leave a kernel that nobody ends
        with anyio.CancelScope(shield=True):
            info = await self._connections.rest.start_kernel(spec.name, directory)
            self._connections.started_kernels[info.id] = None
        kernel = self.kernel(info.id)
        await kernel.connect()
        return kernel

    def kernel(self, kernel_id: str) -> Kernel:
        """Return a running kernel; it is looked up when it is first used."""

        async def locate() -> KernelInfo:
            return await self._connections.rest.kernel(kernel_id)

        if kernel_id not in self._kernels:
            self._kernels[kernel_id] = Kernel(self._connections, locate)
        return self._kernels[kernel_id]

    async def close(self) -> None:
        """Deliver what is left, close everything that is open, end what was started here.

        Raises:
            ConnectionLostError: The last changes of a notebook may not have arrived.
        """
        errors: list[JupyterAgentError] = []

        async def end(closing: Awaitable[KernelRelease | None]) -> None:
            try:
                await closing
            except JupyterAgentError as error:
                errors.append(error)

        with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
            async with anyio.create_task_group() as group:
                for notebook in self._notebooks:
                    group.start_soon(end, notebook.close())
                for kernel in self._kernels.values():
                    group.start_soon(end, release(kernel))
            # what a cancelled call or a closed handle has left
            for room in self._connections.rooms.take_all():
                await end(room.close())
            for channels in self._connections.channels.take_all():
                await channels.close()
            for kernel_id in tuple(self._connections.started_kernels):
                await end(end_if_ours(self._connections, LeftKernel(kernel_id, unused=True)))
        self._notebooks.clear()
        self._kernels.clear()
        lost = [error for error in errors if error.applied == "unknown"]
        if lost:
            raise lost[0]


def _empty_notebook(spec: KernelSpec) -> dict[str, Any]:
    kernelspec = {
        "name": spec.name,
        "display_name": spec.display_name,
        "language": spec.language,
    }
    return {
        "cells": [],
        "metadata": {"kernelspec": kernelspec, "language_info": {"name": spec.language}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@asynccontextmanager
async def connect(
    url: str | None = None,
    *,
    token: str | None = None,
    verify: bool | ssl.SSLContext = True,
    headers: Mapping[str, str] | None = None,
    username: str = DEFAULT_USERNAME,
) -> AsyncIterator[Server]:
    """Connect to a running Jupyter server.

    Args:
        url: Base URL, the part before `/lab` or `/tree`; `"auto"` for the running server
            whose root holds the working directory; default: `JUPYTER_URL`, with the token
            in `JUPYTER_TOKEN`.
        token: Its API token.
        verify: Check TLS certificates: True, False, or a context of your own.
        headers: Further headers for every request and websocket.
        username: The name under which collaborators see this client.

    Yields:
        The server. At the end what was opened is closed, and kernels that were started here
        and that nobody else uses are ended.

    Raises:
        ConfigurationError: There is no URL, or one that cannot be right.
        ServerUnreachableError, NotAJupyterServerError, AuthenticationError
        NoRunningServerError: `"auto"` found none.
    """
    if url is None:
        url = os.environ.get("JUPYTER_URL")
        token = token or os.environ.get("JUPYTER_TOKEN")
    if url is None:
        raise ConfigurationError(
            "No server is named: pass a URL or set JUPYTER_URL; "
            'url="auto" finds the running server that holds the working directory, '
            "and jupyter_agent_core.launch() starts a private one",
            name="url",
        )
    if url == "auto":
        from .._http.discovery import find_server

        found = await find_server(os.getcwd())
        url, token = found.url, found.token
    async with _connected(url, token, verify=verify, headers=headers, username=username) as server:
        yield server


@asynccontextmanager
async def launch(
    root_dir: str | os.PathLike[str] = ".",
    *,
    join: bool = False,
    pass_env: Collection[str] = (),
    python: str = sys.executable,
    username: str = DEFAULT_USERNAME,
) -> AsyncIterator[Server]:
    """Start a private Jupyter server and connect to it. Needs the extra `local`.

    It listens on a free loopback port with a random token, touches nothing of the user's
    Jupyter configuration, and is gone when this process is gone, however that ends.

    Args:
        root_dir: The folder that it serves.
        join: If a running server already holds the folder, join that one instead.
        pass_env: Names of environment variables that its kernels may have although they
            look like secrets (`*TOKEN*`, `*SECRET*`, `*API_KEY*`, `*PASSWORD*`).
        python: The interpreter that runs it.
        username: The name under which collaborators see this client.

    Yields:
        The server.

    Raises:
        ServerAlreadyRunningError: A running server holds the folder, and `join` is False.
        ServerStartError, ExtraNotInstalledError
    """
    from .._http.private_server import found_or_private_server, private_server

    start = found_or_private_server if join else private_server
    async with AsyncExitStack() as stack:
        found: PrivateServer | RunningServer = await stack.enter_async_context(
            start(root_dir, pass_env=pass_env, python=python)
        )
        yield await stack.enter_async_context(_connected(found.url, found.token, username=username))


@asynccontextmanager
async def _connected(
    url: str,
    token: str | None,
    *,
    verify: bool | ssl.SSLContext = True,
    headers: Mapping[str, str] | None = None,
    username: str,
) -> AsyncIterator[Server]:
    rest = JupyterRest(url, token, verify=verify, headers=headers)
    try:
        info = await rest.probe()
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            background = Background(group)
            server = Server(Connections(rest, background, username), info, token)
            try:
                yield server
            except Exception as error:  # noqa: BLE001 (whatever the caller's body raised)
                failure = error
            finally:
                try:
                    await server.close()
                except JupyterAgentError as error:
                    failure = failure or error
                finally:
                    background.cancel()
        if failure is not None:
            # raised outside of the group, which would wrap it
            raise failure
    finally:
        with anyio.CancelScope(shield=True):
            await rest.close()
