# SPDX-License-Identifier: BSD-3-Clause
"""Which kernel serves which notebook, remembered here for a server that does not.

Such is a kernel gateway: its kernels are bare ones. Other clients do not know of what is
remembered here, so each has a kernel of its own for a notebook.
"""

from __future__ import annotations

import uuid
from contextlib import suppress

import anyio
import attrs

from .._errors import KernelNotFoundError, KernelUnavailableError
from .._values import KernelInfo, SessionInfo
from .rest import JupyterRest


class OwnSessions:
    """The sessions of one client, with the methods that `JupyterRest` has for them.

    Args:
        rest: The server of the kernels.
    """

    def __init__(self, rest: JupyterRest) -> None:
        self._rest = rest
        self._by_path: dict[str, SessionInfo] = {}
        self._changing = anyio.Lock()

    async def kernels(self) -> list[KernelInfo]:
        """Return the running kernels, each with the notebook that it serves."""
        paths = {session.kernel.id: path for path, session in self._by_path.items()}
        return [attrs.evolve(k, path=paths.get(k.id)) for k in await self._rest.running_kernels()]

    async def sessions(self) -> list[SessionInfo]:
        """Return the sessions whose kernel lives."""
        found = [await self.session(path) for path in tuple(self._by_path)]
        return [session for session in found if session is not None]

    async def session(self, path: str) -> SessionInfo | None:
        """Return the session of a notebook, if it has one whose kernel lives."""
        session = self._by_path.get(path)
        if session is None:
            return None
        try:
            return self._keep(session, await self._rest.kernel(session.kernel.id))
        except KernelNotFoundError:
            if self._by_path.get(path) == session:
                del self._by_path[path]
            return None

    def _keep(self, session: SessionInfo, kernel: KernelInfo) -> SessionInfo:
        kept = attrs.evolve(session, kernel=attrs.evolve(kernel, path=session.path))
        self._by_path[session.path] = kept
        return kept

    async def start_session(
        self, path: str, *, kernel_name: str | None = None, kernel_id: str | None = None
    ) -> SessionInfo:
        """Start a session, with a new kernel or a running one; an existing one is returned.

        Raises:
            KernelNotFoundError, KernelUnavailableError
        """
        async with self._changing:
            session = await self.session(path)
            if session is not None:
                return session
            kernel = await self._kernel(path, kernel_name, kernel_id)
            return self._keep(SessionInfo(str(uuid.uuid4()), path, kernel), kernel)

    async def change_session_kernel(
        self, session_id: str, *, kernel_name: str | None = None, kernel_id: str | None = None
    ) -> SessionInfo:
        """Give a session another kernel, and end the old one, as a server does.

        Raises:
            KernelNotFoundError, KernelUnavailableError
        """
        async with self._changing:
            session = self._with_id(session_id)
            if session is None:
                kernel = kernel_id or kernel_name or "(default)"
                raise KernelUnavailableError(kernel, "the session that it was for has just ended")
            old = session.kernel.id
            changed = self._keep(session, await self._kernel(session.path, kernel_name, kernel_id))
            if changed.kernel.id != old:
                await self._end_kernel(old)
            return changed

    async def end_session(self, session_id: str) -> None:
        """End a session and its kernel. One that is gone already is no error."""
        async with self._changing:
            session = self._with_id(session_id)
            if session is not None:
                del self._by_path[session.path]
                await self._end_kernel(session.kernel.id)

    def _with_id(self, session_id: str) -> SessionInfo | None:
        return next((s for s in self._by_path.values() if s.id == session_id), None)

    async def _kernel(self, path: str, name: str | None, kernel_id: str | None) -> KernelInfo:
        """A running kernel, or a new one in the folder of that name, where the server has one."""
        if kernel_id is not None:
            return await self._rest.kernel(kernel_id)
        return await self._rest.start_kernel(name, path.rpartition("/")[0])

    async def _end_kernel(self, kernel_id: str) -> None:
        with suppress(KernelNotFoundError):  # it is gone already
            await self._rest.shut_down_kernel(kernel_id)
