# SPDX-License-Identifier: BSD-3-Clause
"""How a client's user is asked what code asks: in a form of the client, or on a page of ours.

A form is read by the client, and perhaps by its model: a password is typed on a page.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import mcp.types as types
from mcp.shared.exceptions import MCPError
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from starlette.applications import Starlette

from jupyter_agent_core import ConfigurationError

from .listening import on_loopback
from .pages import Page, Pages, Question, is_this_machine
from .sessions import Context

Put = Callable[[types.ElicitRequestParams], Awaitable[types.ElicitResult | None]]

ANSWER_TIMEOUT = 600.0
"""Seconds within which a user answers; then the input ends."""
LAST_LOOK = 1.0
"""Seconds that a browser has to fetch what takes the place of the form."""
_ADVICE = (
    "let it read the password from an environment variable or a file, or let your user run the "
    "cell in JupyterLab"
)
_OTHER_WAYS = "set the value in the code, or let your user run the cell in JupyterLab"


def can_be_asked(ctx: Context) -> bool:
    """Say whether there is any way to ask the client's user."""
    return _takes_forms(ctx) or _takes_urls(ctx)


def name_of_client(ctx: Context) -> str:
    """Return the name by which a client goes."""
    params = ctx.session.client_params
    return params.client_info.title or params.client_info.name if params is not None else ""


async def ask(ctx: Context, question: Question, put: Put, pages: Pages) -> str | None:
    """Ask the user of a client.

    Args:
        ctx: The request of the call whose code asks.
        question: What it asks.
        put: Puts the question to the client, and returns what it says, None if nothing.
        pages: Where there is one for a password.

    Returns:
        The answer, None if there is none.

    Raises:
        ConfigurationError: The client cannot be asked for it, or has failed to ask.
    """
    try:
        with anyio.move_on_after(ANSWER_TIMEOUT):
            if _takes_forms(ctx) and not question.password:
                return _answer_in(await put(_form(question)))
            _check_takes_urls(ctx, question)
            with pages.opened(question) as page:
                async with _served(ctx, question, pages) as base:
                    return await _typed(ctx, page, f"{base}{page.path}", put)
    except MCPError as error:
        raise ConfigurationError(
            f"The code asks for an answer ({question.prompt!r}), and the MCP client has failed to "
            f"ask its user for it ({error}): {_ADVICE if question.password else _OTHER_WAYS}",
            name="input",
        ) from error
    return None


async def _typed(ctx: Context, page: Page, url: str, put: Put) -> str | None:
    """Send the user to a page, and wait until he has typed the answer."""
    is_modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
    number = None if is_modern else secrets.token_urlsafe(16)
    question = page.question
    what = "for a password" if question.password else "your user"
    response = await put(
        types.ElicitRequestURLParams(
            message=f"The code that runs in {question.where} asks {what}: "
            f"{question.prompt or '(nothing)'}\n"
            "The answer is typed on a page of this machine, and goes to the kernel only.",
            url=url,
            elicitation_id=number,
        )
    )
    if response is None or response.action != "accept":
        return None
    # that is consent only: he may still be typing
    await page.answered.wait()
    with anyio.move_on_after(LAST_LOOK):
        await page.left.wait()
    if number is not None:
        await ctx.session.send_elicit_complete(number, ctx.request_id)
    return page.answer


@asynccontextmanager
async def _served(ctx: Context, question: Question, pages: Pages) -> AsyncIterator[str]:
    """Serve the pages as long as one is needed, and say under which address.

    Raises:
        ConfigurationError: Only a connection that others can read leads here.
    """
    if ctx.request is None:
        async with on_loopback(Starlette(routes=[pages.route])) as base:
            yield base
        return
    # under the name and port by which the client has come, which may lead through a container
    host = ctx.request.headers.get("host", "")
    if not is_this_machine(host):
        raise ConfigurationError(
            f"The code asks for an answer ({question.prompt!r}) that is typed on a page, which "
            f"this MCP server shows to its own machine only, and not at {host!r}: {_ADVICE}",
            name="password",
        )
    yield f"http://{host}"


def _capability(ctx: Context) -> types.ElicitationCapability | None:
    capabilities = ctx.session.client_capabilities
    return capabilities.elicitation if capabilities is not None else None


def _takes_forms(ctx: Context) -> bool:
    capability = _capability(ctx)
    # a client that names no kind takes forms
    return capability is not None and (capability.form is not None or capability.url is None)


def _takes_urls(ctx: Context) -> bool:
    capability = _capability(ctx)
    return capability is not None and capability.url is not None


def _check_takes_urls(ctx: Context, question: Question) -> None:
    """Refuse to ask for a password in a form, which a client may show to its model.

    Raises:
        ConfigurationError
    """
    if not _takes_urls(ctx):
        raise ConfigurationError(
            f"The code asks for a password ({question.prompt!r}), which must not pass through "
            f"here, and this MCP client opens no page for it: {_ADVICE}",
            name="password",
        )


def _form(question: Question) -> types.ElicitRequestFormParams:
    """Ask for one line of text."""
    return types.ElicitRequestFormParams(
        message=f"The code that runs in {question.where} asks: {question.prompt or '(nothing)'}",
        requested_schema={
            "type": "object",
            "properties": {"answer": {"type": "string", "title": question.prompt or "Answer"}},
            "required": ["answer"],
        },
    )


def _answer_in(response: types.ElicitResult | None) -> str | None:
    """What the user has written into a form, None if he would not."""
    if response is None or response.action != "accept":
        return None
    return str((response.content or {}).get("answer", ""))
