# SPDX-License-Identifier: BSD-3-Clause
"""The Jupyter server behind the tools, connected in the background, and a workspace a client."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import anyio
import attrs
from anyio.abc import TaskGroup

from jupyter_agent_core import (
    ConnectError,
    ConnectionLostError,
    HubSpawnTimeoutError,
    JupyterAgentError,
    Server,
    ServerUnreachableError,
    StartProgress,
    Workspace,
    connect,
    launch,
)

from .seats import Client, Seat, Seats
from .settings import Settings, Target

_log = logging.getLogger(__name__)

CHECK_TIMEOUT = 3.0


@attrs.define(eq=False)
class _Attempt:
    """One attempt to connect, and what came of it."""

    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    done: anyio.Event = attrs.field(factory=anyio.Event)
    dropped: anyio.Event = attrs.field(factory=anyio.Event)
    ended: anyio.Event = attrs.field(factory=anyio.Event)
    progress: StartProgress | None = None
    seats: Seats | None = None
    failure: JupyterAgentError | None = None


class Connection:
    """The connection to Jupyter, made when it is first wanted and again after its server was lost.

    A failure is told to whoever waits for it, and the next call tries again. All clients share
    it: one replica a notebook, one websocket a kernel; each has a workspace of his own.

    Args:
        settings: Which server, and what the tools may do.
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
            self._group.cancel_scope.cancel()

    async def close(self) -> None:
        """Let go of everything, and return when that is done."""
        for attempt in tuple(self._attempts):
            attempt.scope.cancel()
        for attempt in tuple(self._attempts):
            await attempt.ended.wait()

    async def _serve(self, attempt: _Attempt) -> None:
        try:
            with attempt.scope:
                tell = partial(setattr, attempt, "progress")
                async with open_target(self._settings.target, tell) as server:
                    attempt.seats = Seats(server, self._settings)
                    attempt.done.set()
                    try:
                        await attempt.dropped.wait()
                    finally:
                        await attempt.seats.close()
        except JupyterAgentError as error:
            _log.warning("%s", error)
            attempt.failure = error
        except Exception as error:  # noqa: BLE001 (a defect of ours must not end the sessions)
            _log.exception("the connection to Jupyter failed")
            attempt.failure = ConnectError(
                f"The connection to Jupyter failed ({type(error).__name__}), which is a defect of "
                "this MCP server: its log tells more"
            )
        finally:
            if self._current is attempt:
                self._current = None
            self._attempts.discard(attempt)
            attempt.ended.set()
            attempt.done.set()

    @property
    def group(self) -> TaskGroup:
        """Where tasks live until the end."""
        assert self._group is not None
        return self._group

    def want(self) -> _Attempt:
        """Begin to connect, if that has not begun."""
        if self._current is None:
            self._current = _Attempt()
            self._attempts.add(self._current)
            self.group.start_soon(self._serve, self._current)
        return self._current

    @property
    def starting(self) -> str | None:
        """Say how far a JupyterHub is with starting the server, None if it is not at that."""
        attempt = self._current
        progress = attempt.progress if attempt is not None else None
        if progress is None or progress.percent == 100:
            return None
        return f"JupyterHub starts the server: {progress.percent} % · {progress.message}"

    async def _settled(self, attempt: _Attempt) -> None:
        """Wait for the outcome, but for no longer than hosts wait for a tool.

        Raises:
            HubSpawnTimeoutError: JupyterHub is still at it.
        """
        hub = self._settings.target.hub
        if hub is None:
            await attempt.done.wait()
            return
        patience = self._settings.workspace.execution_timeout
        with anyio.move_on_after(patience):
            await attempt.done.wait()
            return
        said = attempt.progress.message if attempt.progress is not None else "nothing"
        raise HubSpawnTimeoutError(hub.url, str(hub), patience, said)

    @asynccontextmanager
    async def workspace(self, client: Client) -> AsyncIterator[Workspace]:
        """Hold the workspace of a client, connecting first if need be.

        Raises:
            JupyterAgentError: Why that was not possible.
        """
        attempt = self.want()
        await self._settled(attempt)
        if attempt.failure is not None:
            raise attempt.failure
        if attempt.seats is None:
            raise ConnectionLostError("Jupyter", "the MCP server is ending", applied="no")
        async with attempt.seats.workspace(client) as workspace:
            yield workspace

    @property
    def _seats(self) -> Seats | None:
        return self._current.seats if self._current is not None else None

    def _seat(self, client: Client) -> Seat | None:
        return self._seats.of(client.id) if self._seats is not None else None

    def default_failure(self, client: Client) -> str:
        """Say why the notebook that is in use from the start is not; empty if that is not so."""
        seat = self._seat(client)
        return seat.default_failure if seat is not None and seat.wants_default else ""

    def present(self, client: Client) -> Workspace | None:
        """Return the workspace of a client if he has one by now; nothing is waited for."""
        seat = self._seat(client)
        return seat.workspace if seat is not None else None

    def while_there(self, client: Client, at_end: Callable[[], None]) -> None:
        """Have something done when a client who has a workspace leaves."""
        if (seat := self._seat(client)) is not None:
            seat.stack.callback(at_end)

    async def forget(self, client_id: str) -> None:
        """Let go of what a client who has left has in use."""
        if self._seats is not None:
            await self._seats.leave(client_id)

    async def drop_if_gone(self, workspace: Workspace) -> bool:
        """Ask a server that was found here whether it is there; if not, find another one.

        Returns:
            Whether it is gone.
        """
        if self._settings.target.is_named:
            return False  # its notebooks connect again by themselves, with what was edited
        with anyio.move_on_after(CHECK_TIMEOUT):
            try:
                await workspace.list_kernels()
                return False
            except ServerUnreachableError:
                pass
            except JupyterAgentError:
                return False
        current = self._current
        if current is not None and current.seats is not None and workspace in current.seats:
            current.dropped.set()
            self._current = None
        return True


def open_target(
    target: Target, on_progress: Callable[[StartProgress], None] | None = None
) -> AbstractAsyncContextManager[Server]:
    """Connect to the servers that are meant, or start a private one.

    Args:
        target: The servers.
        on_progress: Is told how far a JupyterHub is with starting one of them.
    """
    if not target.is_named:
        return launch(target.root_dir, join=True, username=target.username)

    def tell(progress: StartProgress) -> None:
        _log.info("JupyterHub starts the server: %d %%, %s", progress.percent, progress.message)
        if on_progress is not None:
            on_progress(progress)

    hub = target.hub
    return connect(
        target.url,
        auth=target.auth,
        runtime_url=target.runtime_url,
        runtime_auth=target.runtime_auth,
        document_provider=target.provider,
        verify=target.way.verify,
        headers=target.way.headers,
        hub_url=hub.url if hub is not None else None,
        user=hub.user if hub is not None else None,
        server_name=hub.server_name if hub is not None else "",
        on_progress=tell,
        username=target.username,
    )
