# SPDX-License-Identifier: BSD-3-Clause
"""A stand-in for any server: what it answers to each request is written down before."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import attrs
import httpx

Answers = httpx.Response | Sequence[httpx.Response | None] | None
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)\r\n")


@attrs.define(eq=False)
class StandIn:
    """What answers, to everything that it does not know with 404.

    Attributes:
        answers: What it says by method and path, without a query; of several the last one stays.
            None is silence.
        asked: What it was asked for, by method and path.
        heads: The heads of the requests.
        url: Where it is.
    """

    answers: dict[str, deque[httpx.Response | None]]
    asked: list[str] = attrs.field(factory=list)
    heads: list[str] = attrs.field(factory=list)
    url: str = ""
    _tasks: set["asyncio.Task[None]"] = attrs.field(factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        await reader.readexactly(int(length[1]) if length else 0)
        answer = self._answer_to(head.decode())
        if answer is None:
            await reader.read()
        else:
            writer.write(_encoded(answer))
            await writer.drain()

    def _answer_to(self, head: str) -> httpx.Response | None:
        method, target, _ = head.split(" ", 2)
        request = f"{method} {target.partition('?')[0]}"
        self.heads.append(head)
        self.asked.append(request)
        known = self.answers.get(request)
        if known is None:
            return httpx.Response(404)
        return known.popleft() if len(known) > 1 else known[0]

    async def ended(self) -> None:
        """Wait for the end of all connections."""
        await asyncio.gather(*self._tasks)


def _encoded(answer: httpx.Response) -> bytes:
    given = [f"{name}: {value}" for name, value in answer.headers.items()]
    lines = [f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}", *given, "Connection: close"]
    if "content-length" not in answer.headers:
        lines.append(f"Content-Length: {len(answer.content)}")
    return "\r\n".join([*lines, "", ""]).encode() + answer.content


@asynccontextmanager
async def stand_in(answers: Mapping[str, Answers]) -> AsyncIterator[StandIn]:
    """Answer until the end of the block."""
    several = {
        request: deque([answer] if answer is None or isinstance(answer, httpx.Response) else answer)
        for request, answer in answers.items()
    }
    standing = StandIn(several)
    listener = await asyncio.start_server(standing.serve, "127.0.0.1", 0)
    standing.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield standing
    finally:
        listener.close()
        await standing.ended()
