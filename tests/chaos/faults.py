# SPDX-License-Identifier: BSD-3-Clause
"""What breaks: connections, the server, kernels."""

import random
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial

import anyio
import anyio.to_thread
import httpx
import psutil
from chaos.actors import BOUND, Human
from chaos.ledger import Ledger
from servers import Proxy, Restartable


class Faults:
    """Breaks something, and mends it again.

    Args:
        place: The server.
        proxies: Before it, one for each agent.
        human: Loses what the server has not written.
        path: The notebook.
        ledger: Where is noted what was done.
        chance: What decides.
    """

    def __init__(
        self,
        place: Restartable,
        proxies: Sequence[Proxy],
        human: Human,
        path: str,
        ledger: Ledger,
        chance: random.Random,
    ) -> None:
        self._place = place
        self._proxies = proxies
        self._human = human
        self._file = place.server.root / path
        self._ledger = ledger
        self._chance = chance

    async def strike(self) -> None:
        """Break something; when this returns, it works again or will by itself."""
        faults: list[Callable[[], Awaitable[None]]] = [
            *(self._cut, self._reset, self._stall, self._close, self._truncate, self._slow_down),
            *(self._kernel_killed, self._kernel_interrupted, self._kernel_restarted),
            *(self._kernel_shut_down, self._server_killed_with_store),
            self._server_killed_without_store,
        ]
        fault = self._chance.choice(faults)
        self._ledger.outcomes[f"fault: {fault.__name__.strip('_')}"] += 1
        self._ledger.note(f"fault: {fault.__name__.strip('_')} …")
        await fault()
        self._ledger.note("… is over")

    def _proxy(self) -> Proxy:
        return self._chance.choice(self._proxies)

    async def _cut(self) -> None:
        self._proxy().cut()

    async def _reset(self) -> None:
        self._proxy().reset()

    async def _truncate(self) -> None:
        self._proxy().truncate()

    async def _close(self) -> None:
        self._proxy().close_websockets(self._chance.choice([1000, 1001, 1003, 1011]))

    async def _stall(self) -> None:
        proxy = self._proxy()
        proxy.stall()
        await anyio.sleep(self._chance.uniform(0.5, 6))
        proxy.resume()

    async def _slow_down(self) -> None:
        proxy = self._proxy()
        proxy.delay = 0.1
        await anyio.sleep(2)
        proxy.delay = 0.0

    # --- kernels

    async def _kernels(self, method: str, action: str) -> None:
        server = self._place.server
        async with httpx.AsyncClient(
            base_url=server.url, headers={"Authorization": f"token {server.token}"}, timeout=BOUND
        ) as http:
            for kernel in (await http.get("/api/kernels")).json():
                await http.request(method, f"/api/kernels/{kernel['id']}{action}")

    async def _kernel_interrupted(self) -> None:
        await self._kernels("POST", "/interrupt")

    async def _kernel_restarted(self) -> None:
        await self._kernels("POST", "/restart")

    async def _kernel_shut_down(self) -> None:
        await self._kernels("DELETE", "")

    async def _kernel_killed(self) -> None:
        for child in psutil.Process(self._place.server.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # it has just ended
                if "ipykernel" in " ".join(child.cmdline()):
                    child.kill()

    # --- the server

    async def _server_killed_with_store(self) -> None:
        await self._restart(with_store=True)

    async def _server_killed_without_store(self) -> None:
        await self._restart(with_store=False)

    async def _restart(self, *, with_store: bool) -> None:
        await anyio.to_thread.run_sync(partial(self._place.kill, with_store=with_store))
        self._recover()
        self._forget()
        await anyio.sleep(self._chance.uniform(0, 3))
        await anyio.to_thread.run_sync(self._place.start)

    def _recover(self) -> None:
        """Put the copy back that a server makes of a file which it is about to write.

        The next server does that itself, when it cannot read the file; but if it is asked for it
        twice at once, it takes the copy for the unreadable file, and leaves none
        (`_read_notebook` of jupyter_server 2.21).
        """
        copy = self._file.with_name(f".~{self._file.name}")
        if copy.exists():
            copy.replace(self._file)

    def _forget(self) -> None:
        """The server goes back to its file, and takes with it what it has told the human.

        A line that is in its file and not yet in its store comes twice: from the file, and with
        the history of everybody else (jupyter-server-ydoc 3.0 writes one over the other).
        """
        written = self._file.read_text("utf-8")
        lost = [mark for mark in self._human.promised if mark not in written]
        self._ledger.settle("unknown", lost)
        for history in self._histories():
            kept = [mark for mark in self._human.promised if mark in written]
            late = [mark for mark in kept if mark.encode() not in history]
            self._ledger.settle("twice at most", late)
        self._human.promised.clear()

    def _histories(self) -> Iterator[bytes]:
        """Yield what the store of the server holds, if it has one."""
        for store in self._place.folder.rglob(".jupyter_ystore.db"):
            with closing(sqlite3.connect(store)) as database:
                yield b"".join(row[0] for row in database.execute("SELECT yupdate FROM yupdates"))
