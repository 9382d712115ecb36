# SPDX-License-Identifier: BSD-3-Clause
"""The Jupyter server behind the tools, connected in the background."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio
import attrs
from anyio.abc import TaskGroup

from jupyter_agent_core import (
    ConnectionLostError,
    JupyterAgentError,
    Server,
    ServerUnreachableError,
    Workspace,
    connect,
    launch,
)

from .settings import Settings

_log = logging.getLogger(__name__)

CHECK_TIMEOUT = 3.0


@attrs.define(eq=False)
class _Attempt:
    """One attempt to connect, and what came of it."""

    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    done: anyio.Event = attrs.field(factory=anyio.Event)
    dropped: anyio.Event = attrs.field(factory=anyio.Event)
    ended: anyio.Event = attrs.field(factory=anyio.Event)
    workspace: Workspace | None = None
    failure: JupyterAgentError | None = None


class Connection:
    """One workspace, made when it is first wanted and again after its server was lost.

    A failure is told to whoever waits for the workspace, and the next call tries again.

    Args:
        settings: Which server.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._current: _Attempt | None = None
        self._attempts: set[_Attempt] = set()
        self._group: TaskGroup | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connect when that is wanted; at the end let go of everything."""
        async with anyio.create_task_group() as self._group:
            yield
            await self.close()

    async def close(self) -> None:
        """Let go of everything, and return when that is done."""
        for attempt in tuple(self._attempts):
            attempt.scope.cancel()
        for attempt in tuple(self._attempts):
            await attempt.ended.wait()

    async def _serve(self, attempt: _Attempt) -> None:
        try:
            with attempt.scope:
                async with self._open() as server, Workspace(server) as workspace:
                    attempt.workspace = workspace
                    attempt.done.set()
                    await attempt.dropped.wait()
        except JupyterAgentError as error:
            _log.warning("%s", error)
            attempt.failure = error
        finally:
            if self._current is attempt:
                self._current = None
            self._attempts.discard(attempt)
            attempt.ended.set()
            attempt.done.set()

    def _open(self) -> AbstractAsyncContextManager[Server]:
        settings = self._settings
        if settings.jupyter_url is None:
            return launch(settings.root_dir, join=True, username=settings.username)
        return connect(
            settings.jupyter_url, token=settings.jupyter_token, username=settings.username
        )

    def want(self) -> _Attempt:
        """Begin to connect, if that has not begun."""
        if self._current is None:
            assert self._group is not None
            self._current = _Attempt()
            self._attempts.add(self._current)
            self._group.start_soon(self._serve, self._current)
        return self._current

    async def workspace(self) -> Workspace:
        """Return the workspace, connecting first if need be.

        Raises:
            JupyterAgentError: Why that was not possible.
        """
        attempt = self.want()
        await attempt.done.wait()
        if attempt.workspace is not None:
            return attempt.workspace
        if attempt.failure is None:
            raise ConnectionLostError("Jupyter", "the MCP server is ending", applied="no")
        raise attempt.failure

    async def drop_if_gone(self, workspace: Workspace) -> bool:
        """Ask a server that was found here whether it is there; if not, find another one.

        Returns:
            Whether it is gone.
        """
        if self._settings.jupyter_url is not None:
            return False  # its notebooks connect again by themselves, with what was edited
        with anyio.move_on_after(CHECK_TIMEOUT):
            try:
                await workspace.list_kernels()
                return False
            except ServerUnreachableError:
                pass
            except JupyterAgentError:
                return False
        if self._current is not None and self._current.workspace is workspace:
            self._current.dropped.set()
            self._current = None
        return True
