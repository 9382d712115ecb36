# SPDX-License-Identifier: BSD-3-Clause
"""Pages on which a user types what no client and no model may see.

Each is there for one question, under a path that cannot be guessed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from urllib.parse import parse_qs

import anyio
import attrs
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from .listening import THIS_MACHINE

PATH = "/ask"
MAX_FORM = 64 * 2**10
"""Bytes of an answer."""
_FORM_TYPE = "application/x-www-form-urlencoded"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_DOCUMENT = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Jupyter</title>
{body}
"""
_QUESTION = """\
<h1>Code asks for {what}</h1>
<p>It runs in {where}{client}.</p>
<form method="post" autocomplete="off">
<p><label for="answer">{prompt}</label></p>
<p><input id="answer" name="answer" type="{kind}" autocomplete="off" autofocus></p>
<input name="proof" type="hidden" value="{proof}">
<p><button>Give it to the code</button></p>
</form>
<p>It goes to the kernel that runs the code, and is shown neither to the agent nor in the notebook's
outputs, unless the code itself shows it. If you do not expect this question, close the page.</p>"""


@attrs.frozen
class Question:
    """What code asks its user.

    Attributes:
        prompt: The question.
        where: The notebook or kernel that the code runs in.
        password: The answer is a secret.
        client: The name of the MCP client that runs the code, empty if it has none.
    """

    prompt: str
    where: str
    password: bool = False
    client: str = ""


@attrs.define(eq=False)
class Page:
    """The page of one question.

    Attributes:
        question: What the code asks.
        path: Where the page is; who knows it may answer.
        proof: What comes back with an answer that was typed on the page.
        answered: There is an answer.
        answer: The answer.
        left: The browser shows the form no more.
    """

    question: Question
    path: str = attrs.field(factory=lambda: f"{PATH}/{secrets.token_urlsafe(32)}", repr=False)
    proof: str = attrs.field(factory=lambda: secrets.token_urlsafe(32), repr=False)
    answered: anyio.Event = attrs.field(factory=anyio.Event, repr=False)
    answer: str | None = attrs.field(default=None, repr=False)
    left: anyio.Event = attrs.field(factory=anyio.Event, repr=False)

    def html(self) -> str:
        """Return the form."""
        question, secret = self.question, self.question.password
        return _QUESTION.format(
            what="a password" if secret else "an answer",
            where=escape(question.where),
            client=f", for the MCP client {escape(question.client)!r}" if question.client else "",
            prompt=escape(question.prompt) or "Answer:",
            kind="password" if secret else "text",
            proof=self.proof,
        )

    async def leave(self) -> None:
        """Take note that the browser shows the form no more."""
        self.left.set()


class Pages:
    """The pages of the questions that are open.

    Attributes:
        route: Where they are served.
    """

    def __init__(self) -> None:
        self._open: dict[str, Page] = {}
        self.route: Route = Route(f"{PATH}/{{key}}", self._serve, methods=["GET", "POST"])

    @contextmanager
    def opened(self, question: Question) -> Iterator[Page]:
        """Have a page for a question within the block."""
        page = Page(question)
        self._open[page.path] = page
        try:
            yield page
        finally:
            del self._open[page.path]

    async def _serve(self, request: Request) -> Response:
        if not is_this_machine(request.headers.get("host", "")):
            return _said(421, "This page is served to this machine only.")
        page = self._open.get(request.url.path)
        if page is None:
            return _said(404, "Nothing is asked here, or not any more.")
        if page.left.is_set() or (page.answered.is_set() and request.method == "POST"):
            return _said(410, "It was answered already.")
        if page.answered.is_set():
            done = _said(200, "Done: the code has it. You can close this page.")
            done.background = BackgroundTask(page.leave)
            return done
        if request.method == "POST":
            return await _answered(page, request)
        return _shown(200, page.html())


async def _answered(page: Page, request: Request) -> Response:
    """Take the answer that a form brings."""
    if not _is_from_here(request):
        return _said(403, "The answer comes from another page.")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
        return _said(415, "The answer is no form.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM:
            return _said(413, f"The answer is longer than {MAX_FORM} bytes.")
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=8)
    except ValueError:
        return _said(400, "The answer cannot be read.")
    if not secrets.compare_digest(fields.get("proof", [""])[0].encode(), page.proof.encode()):
        return _said(403, "The answer comes from another page.")
    if "answer" not in fields:
        return _said(400, "The form has no answer.")
    if page.answered.is_set():
        return _said(410, "It was answered already.")
    page.answer = fields["answer"][0]
    page.answered.set()
    # elsewhere, so that the tab does not keep the form to send it again
    return Response(status_code=303, headers={**_HEADERS, "Location": page.path})


def is_this_machine(host: str) -> bool:
    """Say whether a `Host` header is a name of this machine, whatever the port."""
    name, _, port = host.rpartition(":")
    return host in THIS_MACHINE or (name in THIS_MACHINE and port.isdecimal())


def _is_from_here(request: Request) -> bool:
    """Whether a browser, if it is one, says that the form was on a page of ours."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    # "null" is what it says under our own Referrer-Policy
    return request.headers.get("origin", "null") in ("null", f"http://{request.headers['host']}")


def _said(status: int, text: str) -> Response:
    return _shown(status, f"<p>{escape(text)}</p>")


def _shown(status: int, body: str) -> Response:
    return HTMLResponse(_DOCUMENT.format(body=body), status, _HEADERS)
