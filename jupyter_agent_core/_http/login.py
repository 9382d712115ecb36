# SPDX-License-Identifier: BSD-3-Clause
"""Cookies and XSRF tokens, as a browser has them: with a password, or where none is wanted."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Protocol

import anyio
import attrs
import httpx

from .._connect_errors import AuthenticationError, ConnectError, ServerUnreachableError
from .auth import Auth, Token, refused
from .failures import moved, stranger

OPEN_TIMEOUT = 4.5
"""Seconds for the first answer of all: whether anybody is there."""
LOGIN_TIMEOUT = 15.0
"""Seconds for the page and for the password, whose hash is slow to check by design."""
_OPEN = "api"
"""What every Jupyter server answers to whoever asks."""
_SESSION = "api/status"
"""What it answers to whoever is logged in."""
_LOGIN = "login"
_XSRF = "_xsrf"


@attrs.frozen
class Password:
    """The password of a Jupyter server. Its login page takes the server's token in its place.

    Attributes:
        value: The password, or the token.
    """

    value: str = attrs.field(repr=False)


class Send(Protocol):
    """Sends a request with nothing but these credentials."""

    def __call__(
        self,
        method: str,
        path: str,
        credentials: Mapping[str, str],
        *,
        timeout: float,
        accept: str = ...,
        form: Mapping[str, str] | None = None,
    ) -> Awaitable[httpx.Response]:
        """Send it; any answer is one."""
        ...


class Browser(Auth):
    """What a browser sends: the cookies that the server has set, and its XSRF token.

    A server without any authentication wants the XSRF token, too, for what changes something.

    Args:
        send: How the server is asked.
        url: Its base URL.
        given: A password, which is given once for each session of the server, or no token.
    """

    def __init__(self, send: Send, url: str, given: Password | Token) -> None:
        self._send = send
        self._url = url
        self._password = given if isinstance(given, Password) else None
        self._credentials: Mapping[str, str] = {}
        self._failure: int | None = None
        self._lock = anyio.Lock()
        if isinstance(given, Token):
            self.refusal = "wants a token, and none was given"
            self.advice = given.advice
        else:
            self.refusal = "does not accept the session for which it took the password"
            self.advice = "open it in a browser, and pass the server's token if that works there"

    def __repr__(self) -> str:
        return f"<Browser at {self._url}>"

    async def headers(self) -> Mapping[str, str]:
        """Return the cookies and the XSRF token, logging in first where there is a password."""
        async with self._lock:
            if self._password is not None and not self._credentials:
                self._credentials = await self._log_in(self._password)
            return self._credentials

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Log in again if the session is over, or get an XSRF token if there was none."""
        async with self._lock:
            if self._credentials != refused:
                return True
            if self._password is None:
                if not refused:
                    self._credentials = _credentials((await self._ask("GET", _LOGIN)).cookies)
            elif (await self._ask("GET", _SESSION, refused)).status_code != 200:
                self._credentials = {}
                self._credentials = await self._log_in(self._password)
            return self._credentials != refused

    async def _log_in(self, password: Password) -> Mapping[str, str]:
        if self._failure is not None:  # what was refused once is not tried again
            raise self._wrong(self._failure)
        elsewhere = moved(self._url, await self._ask("GET", _OPEN, timeout=OPEN_TIMEOUT), _OPEN)
        if elsewhere is not None:  # which is to have the password
            raise elsewhere
        # where there is no page, its absence sets an XSRF token, too
        page = await self._ask("GET", _LOGIN)
        if page.status_code == 401:
            raise refused(self._url, self, 401, page.headers.get("www-authenticate", ""))
        if page.status_code != 200 or _XSRF not in page.cookies:
            what = "has no page to log in with a password"
            raise AuthenticationError(self._url, page.status_code, what, "pass a token")
        form = {"password": password.value, _XSRF: page.cookies[_XSRF]}
        answer = await self._ask("POST", _LOGIN, _credentials(page.cookies), form)
        if not answer.is_redirect:
            self._failure = answer.status_code
            raise self._wrong(self._failure)
        cookies = httpx.Cookies(page.cookies)
        cookies.update(answer.cookies)
        return _credentials(cookies)

    def _wrong(self, status: int) -> AuthenticationError:
        what = "does not accept the password"
        advice = (
            "it is the one that its login page takes in a browser; pass it as auth=Password(…) or "
            "in JUPYTER_PASSWORD, that of a server of kernels alone as runtime_auth or in "
            "RUNTIME_PASSWORD"
        )
        return AuthenticationError(self._url, status, what, advice)

    async def _ask(
        self,
        method: str,
        path: str,
        credentials: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        *,
        timeout: float = LOGIN_TIMEOUT,
    ) -> httpx.Response:
        send = partial(self._send, accept="text/html", form=form, timeout=timeout)
        try:
            with anyio.fail_after(timeout):  # the whole of it: httpx bounds each read
                response = await send(method, path, credentials or {})
        except TimeoutError as error:
            raise ServerUnreachableError(self._url, f"no answer within {timeout:g} s") from error
        except ConnectError as error:
            error.applied = "no"  # what the credentials are wanted for has not begun
            raise
        if response.status_code >= 500:
            raise stranger(self._url, path, response)
        return response


def _credentials(cookies: httpx.Cookies) -> Mapping[str, str]:
    values = {cookie.name: cookie.value or "" for cookie in cookies.jar}
    if not values:
        return {}
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in values.items())}
    return {**headers, "X-XSRFToken": values[_XSRF]} if _XSRF in values else headers
