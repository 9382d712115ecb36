# SPDX-License-Identifier: BSD-3-Clause
"""The Jupyter server behind the tools, connected in the background."""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager

import anyio
import attrs

from jupyter_agent_core import JupyterAgentError, Server, Workspace, connect, launch

from .settings import Settings

log = logging.getLogger(__name__)


@attrs.define
class _Attempt:
    """One attempt to connect, and what came of it."""

    done: anyio.Event = attrs.field(factory=anyio.Event)
    workspace: Workspace | None = None
    failure: JupyterAgentError | None = None


class Connection:
    """One workspace, made when it is first wanted and again after its server was lost.

    Connecting takes place in the task of `run`; a failure is told to whoever waits, and the
    next call tries again.

    Args:
        settings: Which server.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._attempt = _Attempt()
        self._wanted = anyio.Event()
        self._dropped = anyio.Event()

    async def run(self) -> None:
        """Connect whenever that is wanted, until cancelled."""
        while True:
            await self._wanted.wait()
            attempt = self._attempt
            try:
                async with self._open() as server, Workspace(server) as workspace:
                    attempt.workspace = workspace
                    attempt.done.set()
                    await self._dropped.wait()
            except JupyterAgentError as error:
                log.warning("%s", error)
                attempt.failure = error
            self._attempt = _Attempt()
            self._wanted = anyio.Event()
            self._dropped = anyio.Event()
            attempt.done.set()

    def _open(self) -> AbstractAsyncContextManager[Server]:
        settings = self._settings
        if settings.jupyter_url is None:
            return launch(settings.root_dir, join=True, username=settings.username)
        return connect(
            settings.jupyter_url, token=settings.jupyter_token, username=settings.username
        )

    def want(self) -> None:
        """Begin to connect, if that has not begun."""
        self._wanted.set()

    def drop(self) -> None:
        """The server does not answer any more: the next call connects anew."""
        self._dropped.set()

    async def workspace(self) -> Workspace:
        """Return the workspace, connecting first if need be.

        Raises:
            JupyterAgentError: Why that was not possible.
        """
        attempt = self._attempt
        self.want()
        await attempt.done.wait()
        if attempt.workspace is not None:
            return attempt.workspace
        assert attempt.failure is not None
        raise attempt.failure
