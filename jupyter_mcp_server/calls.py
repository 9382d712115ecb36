# SPDX-License-Identifier: BSD-3-Clause
"""One call of a tool: what is told while it works, and what its client can be asked.

Up to 2025-11-25 the server asks the client while the call is open. From 2026-07-28 on it cannot:
the call is answered with the question, goes on in the background, and the client comes back for
the result with the answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

import anyio
import attrs
import mcp.types as types
from anyio.abc import TaskGroup
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from jupyter_agent_core import InputRequest
from jupyter_agent_core._workspace.calling import Caller

from .asking import ANSWER_TIMEOUT, Put, ask, can_be_asked, name_of_client
from .pages import Pages, Question
from .progress import Progress
from .sessions import Context, client_of

Work = Callable[[Caller], Awaitable[types.CallToolResult]]
Answer = types.CallToolResult | types.InputRequiredResult
Ask = Callable[[str, InputRequest], Awaitable[str | None]]

_KEY = "input"


@attrs.define(eq=False)
class _Call:
    """A call that may be asked about while it works.

    Attributes:
        client: Whose call it is.
        ctx: The request that waits for it.
        scope: Cancels it.
        ended: It is over.
        result: Its result, once it has one.
        moved: It has a result or a question.
        question: What the client is asked.
        answered: The client has come back with an answer.
        answer: What it says, None if nothing.
        asked_at: When it was asked.
    """

    client: str
    ctx: Context
    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    ended: anyio.Event = attrs.field(factory=anyio.Event)
    result: types.CallToolResult | None = None
    moved: anyio.Event = attrs.field(factory=anyio.Event)
    question: types.ElicitRequestParams | None = None
    answered: anyio.Event = attrs.field(factory=anyio.Event)
    answer: types.ElicitResult | None = attrs.field(default=None, repr=False)
    asked_at: float = 0.0

    async def put(self, question: types.ElicitRequestParams) -> types.ElicitResult | None:
        """Let the client be asked the next time that it hears of the call."""
        self.question, self.answer, self.answered = question, None, anyio.Event()
        self.asked_at = anyio.current_time()
        self.moved.set()
        await self.answered.wait()
        self.question = None
        return self.answer


class Calls:
    """The calls at work.

    Args:
        group: Where calls live that are longer than one request.
        pages: Where users type passwords.
        starting: Says how far the server is that is being started, None if none is.
    """

    def __init__(
        self,
        group: Callable[[], TaskGroup],
        pages: Pages,
        starting: Callable[[], str | None],
    ) -> None:
        self._group = group
        self._pages = pages
        self._starting = starting
        self._waiting: dict[str, tuple[_Call, types.ElicitRequestParams]] = {}

    async def call(self, ctx: Context, params: types.CallToolRequestParams, work: Work) -> Answer:
        """Do the work of a call, and answer with what has come of it, or what it asks.

        Args:
            ctx: The request.
            params: What is called; the second time, with the answers to what was asked.
            work: Does it.

        Raises:
            MCPError: The client answers what nobody has asked.
        """
        if params.request_state is not None:
            call = self._taken_up(ctx, params)
        elif ctx.protocol_version in MODERN_PROTOCOL_VERSIONS and can_be_asked(ctx):
            call = _Call(client_of(ctx).id, ctx)
            self._group().start_soon(self._work, call, work)
        else:
            put = _putting_at_once(ctx)
            return await self._with_progress(lambda: ctx, work, self._asking(lambda: ctx, put))
        try:
            await call.moved.wait()
        except anyio.get_cancelled_exc_class():
            call.scope.cancel()
            with anyio.CancelScope(shield=True):  # an interrupt has its own bound
                await call.ended.wait()
            raise
        if call.result is not None:
            return call.result
        if call.question is None:
            raise MCPError(types.INTERNAL_ERROR, "The MCP server is ending")
        state = secrets.token_urlsafe(16)
        self._forget_left()
        self._waiting[state] = call, call.question
        call.moved = anyio.Event()
        return types.InputRequiredResult(
            input_requests={_KEY: types.ElicitRequest(params=call.question)},
            request_state=state,
        )

    async def _work(self, call: _Call, work: Work) -> None:
        try:
            with call.scope:
                asking = self._asking(lambda: call.ctx, call.put)
                call.result = await self._with_progress(lambda: call.ctx, work, asking)
        finally:
            call.ended.set()
            call.moved.set()

    async def _with_progress(
        self,
        ctx: Callable[[], Context],
        work: Work,
        asking: Ask | None,
    ) -> types.CallToolResult:
        """Do the work, and tell the client how it goes if it wants to know."""
        if "progress_token" not in (ctx().meta or {}):
            return await work(Caller(on_input=asking))

        async def report(elapsed: float, text: str) -> None:
            await ctx().session.report_progress(elapsed, None, text)

        progress = Progress(report, self._starting)
        async with anyio.create_task_group() as group:
            group.start_soon(progress.tell)
            result = await work(Caller(progress.add, asking))
            group.cancel_scope.cancel()
        return result

    def _asking(self, ctx: Callable[[], Context], put: Put) -> Ask | None:
        """Return what asks the user of a call, None if he cannot be asked."""
        if not can_be_asked(ctx()):
            return None

        async def asking(where: str, request: InputRequest) -> str | None:
            question = Question(request.prompt, where, request.password, name_of_client(ctx()))
            return await ask(ctx(), question, put, self._pages)

        return asking

    def _forget_left(self) -> None:
        """Forget calls whose clients have not come back in time."""
        since = anyio.current_time() - 2 * ANSWER_TIMEOUT
        self._waiting = {k: v for k, v in self._waiting.items() if v[0].asked_at > since}

    def _taken_up(self, ctx: Context, params: types.CallToolRequestParams) -> _Call:
        call, question = self._waiting.get(params.request_state or "", (None, None))
        if call is None or call.client != client_of(ctx).id:
            raise MCPError(types.INVALID_PARAMS, "Nothing was asked, or it was answered already")
        del self._waiting[params.request_state or ""]
        call.ctx = ctx
        if call.question is question:  # not the next one, which was asked after this ran out
            response = (params.input_responses or {}).get(_KEY)
            call.answer = response if isinstance(response, types.ElicitResult) else None
            call.answered.set()
        return call


def _putting_at_once(ctx: Context) -> Put:
    async def put(question: types.ElicitRequestParams) -> types.ElicitResult:
        try:
            return await ctx.session.send_request(
                types.ElicitRequest(params=question),
                types.ElicitResult,
                metadata=ServerMessageMetadata(related_request_id=ctx.request_id),
            )
        except ValueError as error:
            raise MCPError(types.INVALID_PARAMS, "what it answered fits no schema") from error

    return put
