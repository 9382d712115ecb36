# SPDX-License-Identifier: BSD-3-Clause
"""One Jupyter server."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, final

import anyio

from .._errors import (
    ConfigurationError,
    ConnectionLostError,
    JupyterAgentError,
    NotebookConflictError,
    NotebookExistsError,
    NotebookNotFoundError,
)
from .._http.addresses import checked_path
from .._http.lab import open_document
from .._hub_values import HubServer
from .._values import (
    FileInfo,
    KernelInfo,
    KernelRelease,
    KernelSpec,
    ServerInfo,
    SessionInfo,
    UiOpening,
)
from .connections import Connections
from .editing import Editing
from .kernel import Kernel
from .kernel_release import LeftKernel, end_if_ours, release
from .notebook import Notebook
from .notebook_kernel import is_new
from .run import Run

if TYPE_CHECKING:
    from .._document.provider import DocumentProvider

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
    def runtime_url(self) -> str:
        """Base URL of the server of the kernels; the same unless another one was named."""
        return self._connections.kernels.url

    @property
    def token(self) -> str | None:
        """The API token."""
        return self._token

    @property
    def info(self) -> ServerInfo:
        """What the server said of itself when it was connected."""
        return self._info

    @property
    def hub(self) -> HubServer | None:
        """The server on a JupyterHub that `hub_url` meant, None if there was none."""
        hub = self._connections.hub
        return hub.value if hub is not None else None

    async def start_again(self, *, timeout: float | None = None) -> None:
        """Start a server again that JupyterHub has stopped; one that runs is left alone.

        Notebooks connect again by themselves, with what was edited meanwhile. Kernels are gone.

        Args:
            timeout: Seconds within which it has to be ready; default: `start_timeout` of `connect`.

        Raises:
            ConfigurationError: It was not connected with `hub_url`.
            HubPermissionError, HubSpawnError, ConnectError
        """
        hub = self._connections.hub
        if hub is None:
            raise ConfigurationError(
                f"{self.url} was not connected through a JupyterHub, which could start it: "
                "connect with hub_url=…",
                name="hub_url",
            )
        if not await hub.start_again(timeout):
            await self._connections.forget_kernels()

    async def open_notebook(
        self,
        path: str,
        *,
        create: bool = False,
        kernel_name: str | None = None,
        kernel_id: str | None = None,
    ) -> Notebook:
        """Open a notebook, live beside whoever else has it open where the server can do that.

        `Notebook.mode` tells; a server with files only is written to at once, and where somebody
        else has written in between, with nothing changed but a `NotebookConflictError`.

        Args:
            path: Path below the server's root.
            create: Create it; it must not exist. Where that fails or is cancelled, it does not.
            kernel_name: Kernelspec to run it on; default: that of its session, else of its
                metadata, else the server's default one.
            kernel_id: A running kernel to run it on, or `"NEW"` for a new one.

        Returns:
            The notebook, with its content here.

        Raises:
            NotebookNotFoundError, NotebookExistsError, NotANotebookError
            KernelSpecNotFoundError, KernelNotFoundError
            NotSyncedError, ConnectError
            CapabilityUnavailableError: The server has no documents, or none that can be created.
        """
        path = checked_path(path)
        if not path:
            raise ConfigurationError(
                "Name the notebook: its path is empty", name="path", value=path
            )
        rest, kernels = self._connections.rest, self._connections.kernels
        rest.check_open()
        rest.require("documents")
        if kernel_id is not None and not is_new(kernel_id):
            await kernels.kernel(kernel_id)
        if create:
            await self._create_notebook(path, kernel_name)
        elif kernel_name is not None:
            await kernels.kernelspec(kernel_name)
        async with AsyncExitStack() as stack:
            if create:
                stack.push_async_callback(self._take_back, path)
            try:
                provider = await self._connections.documents.acquire(path)
            except NotebookNotFoundError as error:
                raise NotebookNotFoundError(path, await self._notebooks_beside(path)) from error
            notebook = Notebook(self._connections, Editing.on(provider), kernel_name, kernel_id)
            self._notebooks = [other for other in self._notebooks if not other.is_closed]
            self._notebooks.append(notebook)
            stack.pop_all()
            stack.push_async_callback(self._give_up, notebook, created=create)
            if create:
                await _empty(provider)
            stack.pop_all()
        return notebook

    async def _give_up(self, notebook: Notebook, *, created: bool) -> None:
        """Let go of a notebook that its caller does not get, though he may be cancelled.

        One that was created for him is deleted, unless somebody else has found it by then. What
        goes wrong here is not told: nothing has been written, and he gets his own error.
        """
        with (
            anyio.move_on_after(CLOSE_TIMEOUT, shield=True),
            contextlib.suppress(JupyterAgentError),
        ):
            cells = await notebook.read()
            is_unknown = not notebook.collaborators() and not any(cell.source for cell in cells)
            released = await notebook.close()
            if created and is_unknown:
                kernel_id = released.kernel_id
                if kernel_id is not None and kernel_id in self._connections.started_kernels:
                    # it was never connected to
                    await self._connections.end_kernel(kernel_id)
                await self._take_back(notebook.path)

    async def _take_back(self, path: str) -> None:
        """Delete a notebook that was created for a caller who does not get it."""
        with (
            anyio.move_on_after(CLOSE_TIMEOUT, shield=True),
            contextlib.suppress(JupyterAgentError),
        ):
            await self._connections.rest.delete_file(path)

    async def _create_notebook(self, path: str, kernel_name: str | None) -> None:
        rest = self._connections.rest
        rest.require("files")
        spec = await self._connections.kernels.kernelspec(kernel_name)
        if not path.endswith(".ipynb"):
            raise ConfigurationError(
                f"{path!r} is no name for a notebook: it ends in .ipynb", name="path", value=path
            )
        if await rest.contents(path, content=False) is not None:
            raise NotebookExistsError(path)
        folder = path.rpartition("/")[0]
        if await rest.contents(folder, content=False) is None:
            raise NotebookNotFoundError(path, missing_folder=folder)
        # a caller who is cancelled meanwhile could not know whether it was made
        with anyio.CancelScope(shield=True):
            await rest.write_notebook(path, _empty_notebook(spec))

    async def _notebooks_beside(self, path: str) -> list[str]:
        rest = self._connections.rest
        if "files" in rest.lacks:
            return []
        files = await rest.list_directory(path.rpartition("/")[0])
        return [file.path for file in files or () if file.type == "notebook"][:10]

    async def list_files(self, path: str = "") -> tuple[FileInfo, ...]:
        """Return what a directory of the server holds, sorted by path.

        Args:
            path: Below the server's root; default: the root.

        Raises:
            ConfigurationError: There is no such directory.
            CapabilityUnavailableError: The server has no files.
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
            CapabilityUnavailableError: A kernel gateway does not tell, unless it is told to.
            ConnectError
        """
        return tuple(await self._connections.sessions.kernels())

    async def list_kernelspecs(self) -> tuple[KernelSpec, ...]:
        """Return the kernels that can be started, the default one first.

        Raises:
            ConnectError
        """
        return tuple(await self._connections.kernels.kernelspecs())

    async def list_sessions(self) -> tuple[SessionInfo, ...]:
        """Return the server's sessions: which kernel serves which file.

        A kernel gateway has none: those of this client are returned then.

        Raises:
            ConnectError
        """
        return tuple(await self._connections.sessions.sessions())

    async def open_in_lab(self, path: str) -> UiOpening:
        """Have the JupyterLab of the human open a document, without taking them to it.

        Args:
            path: The document, below the server's root.

        Returns:
            `opened`; `unavailable` where the server has no `jupyter-mcp-tools`; `nobody` where no
            page of JupyterLab is open; `failed` where a page has not done it.

        Raises:
            ConnectError
        """
        rest = self._connections.rest
        return "unavailable" if "files" in rest.lacks else await open_document(rest, path)

    async def start_kernel(self, kernel_name: str | None = None, *, directory: str = "") -> Kernel:
        """Start a kernel that belongs to no notebook; it ends with the connection.

        Args:
            kernel_name: Kernelspec; default: the server's default one.
            directory: Its working directory, below the server's root; a kernel gateway decides for
                itself.

        Returns:
            The kernel, connected.

        Raises:
            KernelSpecNotFoundError, KernelUnavailableError, ConnectError
        """
        connections = self._connections
        spec = await connections.kernels.kernelspec(kernel_name)

        async def start() -> KernelInfo:
            # a caller who is cancelled meanwhile must not leave a kernel that nobody ends
            with anyio.CancelScope(shield=True):
                info = await connections.kernels.start_kernel(spec.name, directory)
                connections.started_kernels[info.id] = None
            return info

        channels = await connections.reach_kernel(start, may_start=True)
        kernel = self.kernel(channels.kernel_id)
        try:
            await kernel.connect()
        finally:
            if connections.channels.release(channels):
                await channels.close()
        return kernel

    def kernel(self, kernel_id: str) -> Kernel:
        """Return a running kernel; it is looked up when it is first used.

        Args:
            kernel_id: Its id, as in `list_kernels`.
        """

        async def locate() -> KernelInfo:
            return await self._connections.kernels.kernel(kernel_id)

        if kernel_id not in self._kernels:
            self._kernels[kernel_id] = Kernel(self._connections, locate, locate)
        return self._kernels[kernel_id]

    def run(self, run_id: str) -> Run:
        """Return a run that was started over this connection, by its id.

        Finished runs are kept for an hour, 200 at most.

        Args:
            run_id: Its id, as in `Run.id` and `ExecutionResult.run_id`.

        Raises:
            RunNotFoundError
        """
        return self._connections.runs.run(run_id)

    async def close(self) -> None:
        """Deliver what is left, close everything that is open, end what was started here.

        Raises:
            ConnectionLostError: The last changes of a notebook may not have arrived.
            NotebookConflictError: They were not made, as others had written the file before.
        """
        errors: list[JupyterAgentError] = []

        async def end(closing: Awaitable[KernelRelease | None]) -> None:
            try:
                await closing
            except JupyterAgentError as error:
                errors.append(error)

        with anyio.move_on_after(CLOSE_TIMEOUT, shield=True) as patience:
            async with anyio.create_task_group() as group:
                for notebook in self._notebooks:
                    group.start_soon(end, notebook.close())
                for kernel in self._kernels.values():
                    group.start_soon(end, release(kernel))
            # what a cancelled call or a closed handle has left
            for provider in self._connections.documents.take_all():
                await end(provider.close())
            for channels in self._connections.channels.take_all():
                await channels.close()
            for kernel_id in tuple(self._connections.started_kernels):
                left = LeftKernel(kernel_id, unused=True)
                await end(end_if_ours(self._connections, left, at_end=True))
        self._notebooks.clear()
        self._kernels.clear()
        lost = [
            error
            for error in errors
            if error.applied == "unknown" or isinstance(error, NotebookConflictError)
        ]
        if lost:
            raise lost[0]
        if patience.cancelled_caught:
            reason = f"not closed within {CLOSE_TIMEOUT:g} s"
            raise ConnectionLostError(self.url, reason, applied="unknown")


def connections_of(server: Server) -> Connections:
    """Return what the handles of a server share, for the tools that are built on them."""
    return server._connections


async def open_with_kernel(
    server: Server,
    path: str,
    *,
    create: bool,
    kernel_name: str | None,
    kernel_id: str | None,
    check_wanted: Callable[[], None],
) -> Notebook:
    """Open a notebook and connect its kernel, where there are kernels: both, or neither.

    Args:
        server: The server.
        path: As for `Server.open_notebook`, like what follows.
        create: The same.
        kernel_name: The same.
        kernel_id: The same.
        check_wanted: Raises if nobody wants the notebook by now.

    Raises:
        JupyterAgentError: As `Server.open_notebook`, `Kernel.connect` and `check_wanted`.
    """
    notebook = await server.open_notebook(
        path, create=create, kernel_name=kernel_name, kernel_id=kernel_id
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server._give_up, notebook, created=create)
        if "kernels" not in server._connections.kernels.lacks:
            await notebook.kernel.connect()
        check_wanted()
        stack.pop_all()
    return notebook


async def _empty(provider: DocumentProvider) -> None:
    """See to it that the document of a notebook that was just created has no cells."""
    if any(cell.source for cell in provider.document.cells()):
        # of a file that was deleted; saving makes its room take over the new one
        await provider.save()
        await provider.current()
    provider.document.drop_placeholder()
    await provider.acknowledge()


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
