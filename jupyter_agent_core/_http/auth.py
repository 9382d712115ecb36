# SPDX-License-Identifier: BSD-3-Clause
"""Credentials: what goes into a request's headers, and never anywhere else."""

from __future__ import annotations

import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import attrs

from .._connect_errors import AuthenticationError, CredentialsUnavailableError
from .._errors import ConfigurationError, JupyterAgentError

CALL_TIMEOUT = 30.0
"""Seconds that the caller's code has to give credentials."""

TokenFunction = Callable[[], str | Awaitable[str]]


class Auth(ABC):
    """What authenticates the requests and websockets to one server.

    Derive from it for a way of your own: `headers` is all that it needs.

    Attributes:
        refusal: What a server does that refuses them, as errors say it.
        advice: What to do then.
    """

    refusal: str = "does not accept the credentials"
    advice: str = "pass others as auth=…"

    @abstractmethod
    async def headers(self) -> Mapping[str, str]:
        """Return the headers that authenticate a request or a websocket handshake."""

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Get other credentials after the server has refused some (HTTP 401 or 403).

        Args:
            refused: The headers that it has refused.

        Returns:
            Whether `headers` now returns others.
        """
        return False


@attrs.frozen
class Token(Auth):
    """A server's API token, sent in the `Authorization` header only.

    A token in a URL would end up in logs, and JupyterHub refuses it there.

    Attributes:
        value: The token; None if there is none.
        argument: The argument that it is for: `token`, or `runtime_token`.

    Raises:
        ConfigurationError: It is no word that a header can carry; it is not repeated.
    """

    value: str | None = attrs.field(default=None, repr=False)
    argument: str = attrs.field(default="token", repr=False, eq=False)
    advice: str = attrs.field(init=False, repr=False, eq=False)

    refusal = "does not accept the token"

    @advice.default
    def _name_what_takes_it(self) -> str:
        of_kernels = self.argument == "runtime_token"
        auth, variable = ("runtime_auth", "RUNTIME") if of_kernels else ("auth", "JUPYTER")
        return (
            "`jupyter server list` shows the token of a running server; pass it as "
            f"{self.argument}=… or in {variable}_TOKEN, and a password as {auth}=Password(…) or in "
            f"{variable}_PASSWORD"
        )

    def __attrs_post_init__(self) -> None:
        if self.value and not is_word(self.value):
            raise ConfigurationError(
                "The token has a blank, a line break, or a character that is not ASCII, which no "
                "token of Jupyter has: copy it again, without what is around it",
                name="token",
            )

    async def headers(self) -> Mapping[str, str]:
        """Return the header with the token, if there is one."""
        return _with_token(self.value) if self.value else {}


class RenewedToken(Auth):
    """A token that can be asked for again; what was got is kept until a server refuses it."""

    def __init__(self) -> None:
        self._headers: Mapping[str, str] | None = None
        self._lock = anyio.Lock()

    @abstractmethod
    async def _token(self) -> str:
        """Get the token."""

    async def headers(self) -> Mapping[str, str]:
        """Return the header with the token."""
        async with self._lock:
            if self._headers is None:
                self._headers = _with_token(await self._token())
            return self._headers

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Get the token again, once for all who were refused with the same one.

        Args:
            refused: The headers that the server has refused.

        Returns:
            Whether there is another token now.
        """
        async with self._lock:
            if self._headers in (None, refused):
                self._headers = _with_token(await self._token())
            return self._headers != refused


class TokenFile(RenewedToken):
    """A token in a file, which is read again when the server refuses the token.

    Args:
        path: The file; it holds the token and nothing else.
    """

    advice: str = "write the one of the server into it"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.path: Path = Path(path)
        self.refusal: str = f"does not accept the token in {str(self.path)!r}"

    def __repr__(self) -> str:
        return f"TokenFile({str(self.path)!r})"

    def read(self) -> str:
        """Read the token.

        Returns:
            The token, without the blanks around it.

        Raises:
            CredentialsUnavailableError: The file cannot be read, or holds no token.
        """
        shown = repr(str(self.path))
        try:
            token = self.path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            what = f"{shown} cannot be read"
            raise CredentialsUnavailableError(what, str(reason), self.advice) from None
        return _one_word(token, f"{shown} holds no token", self.advice)

    async def _token(self) -> str:
        return self.read()


class CalledForToken(RenewedToken):
    """A token that a function gives, which is asked again when the server refuses the token."""

    refusal = "does not accept the token that the function passed as auth returns"
    advice = "have it return one of the server"

    def __init__(self, function: TokenFunction) -> None:
        super().__init__()
        self._function = function

    async def _token(self) -> str:
        what = "The function passed as auth"
        with _callers_code(what):
            token = await self._call()
        return _one_word(token, f"{what} has returned no token", self.advice)

    async def _call(self) -> object:
        if inspect.iscoroutinefunction(self._function):
            return await self._function()
        # it may block: nothing else is to wait for it
        given = await anyio.to_thread.run_sync(self._function, abandon_on_cancel=True)
        return await given if inspect.isawaitable(given) else given


class OwnAuth(Auth):
    """An `Auth` of the caller's, whose errors are not to end what is connected."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self.refusal, self.advice = auth.refusal, auth.advice

    async def headers(self) -> Mapping[str, str]:
        """Return what it returns."""
        with _callers_code("The object passed as auth"):
            return await self._auth.headers()

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Have it renew what it has."""
        with _callers_code("The object passed as auth"):
            return await self._auth.renew(refused)


@contextmanager
def _callers_code(what: str) -> Iterator[None]:
    """Bound the caller's code, and say what it raises: a reconnect has nobody else to tell."""
    advice = "see the cause of this error"
    try:
        with anyio.fail_after(CALL_TIMEOUT):
            yield
    except JupyterAgentError:
        raise
    except TimeoutError as error:
        reason = f"no answer within {CALL_TIMEOUT:g} s, or a timeout of its own"
        raise CredentialsUnavailableError(f"{what} has failed", reason, advice) from error
    except Exception as error:
        reason = type(error).__name__
        raise CredentialsUnavailableError(f"{what} has failed", reason, advice) from error


def _one_word(token: object, otherwise: str, advice: str) -> str:
    """Return a token that can be sent; anything else is not repeated."""
    if not isinstance(token, str) or not token or not is_word(token):
        raise CredentialsUnavailableError(otherwise, "one word is expected", advice)
    return token


def is_word(text: str) -> bool:
    """Say whether a header can carry it as a token."""
    return all("!" <= character <= "~" for character in text)


def _with_token(token: str) -> Mapping[str, str]:
    return {"Authorization": f"token {token}"}


def combined(headers: Mapping[str, str], credentials: Mapping[str, str]) -> dict[str, str]:
    """Put the caller's headers and credentials together; cookies of both are sent.

    Raises:
        ConfigurationError: Both have a header that there can be once only.
    """
    merged = {name.title(): value for name, value in headers.items()}
    for name, value in credentials.items():
        other = merged.get(name.title())
        if other is not None and name.title() != "Cookie":
            raise ConfigurationError(
                f"There are two values for the header {name}, of headers and of the credentials: "
                "leave out one; where a proxy wants that header, Password(token) logs in with "
                "the token and cookies",
                name="headers",
            )
        merged[name.title()] = value if other is None else f"{other}; {value}"
    return merged


def refused(url: str, auth: Auth, status: int, challenge: str) -> AuthenticationError:
    """The error for what a server has answered to a request with credentials, or without.

    Args:
        url: Its URL.
        auth: Where the credentials are from.
        status: What it has answered.
        challenge: Its header `WWW-Authenticate`.
    """
    if challenge.lower().startswith("basic"):
        return AuthenticationError(
            url,
            status,
            "wants the user name and password of a proxy before it",
            'pass headers={"Authorization": "Basic …"} (jupyter-mcp-server: --header)',
        )
    return AuthenticationError(url, status, auth.refusal, auth.advice)
