# SPDX-License-Identifier: BSD-3-Clause
"""One HTTP client for one server: credentials, TLS, proxies, headers, and its websockets' too."""

from __future__ import annotations

import json
import logging
import re
import ssl
from collections.abc import Mapping
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Self

import anyio
import httpx

from .._errors import ConfigurationError, ConnectionLostError
from .addresses import base_url
from .auth import Auth, Token, combined
from .failures import has_hung_up, refused_by_proxy, unreachable
from .login import Browser, Password
from .proxies import proxy_for
from .tls import Verify, tls_context
from .websocket import WebSocketAddress

CONNECT_TIMEOUT = 4.0
PROBE_TIMEOUT = 4.5
REQUEST_TIMEOUT = 30.0

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_HALF = re.compile("[\ud800-\udfff]")


def _without_cookies(record: logging.LogRecord) -> bool:
    """At DEBUG, httpcore logs the headers of answers, and a Jupyter server's cookie is a login."""
    return "set-cookie" not in str(record.msg).lower()


class Transport:
    """One HTTP client for one server.

    Args:
        url: Base URL of the server.
        auth: Its credentials.
        verify: How TLS certificates are checked: True, False, a file with the certificates of
            authorities, or a context of the caller's.
        headers: Further headers for every request and websocket.

    Raises:
        ConfigurationError: The URL cannot be a base URL, or one of the others cannot be used.
    """

    def __init__(
        self,
        url: str,
        auth: Auth | Password,
        *,
        verify: Verify = True,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.url: str = base_url(url)
        self._headers = _checked(headers or {})
        # building a TLS context costs 40 ms: only where there is TLS
        self._tls = tls_context(verify) if self.url.startswith("https:") else None
        if self._tls is not None and self._tls.verify_mode is ssl.CERT_NONE:
            _log.warning("%s: whoever answers is trusted, without any certificate", self.url)
        self._proxy = proxy_for(self.url)
        logging.getLogger("httpcore.http11").addFilter(_without_cookies)
        self._http = httpx.AsyncClient(
            base_url=self.url,
            verify=self._tls or False,
            proxy=None if self._proxy is None else self._proxy.url,
            trust_env=False,
        )
        # what authenticates is in the credentials, and no second time in cookies
        self._http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.auth: Auth = self._bound(auth)

    def _bound(self, auth: Auth | Password) -> Auth:
        """Credentials as such: those of a browser where there is a password, or nothing."""
        if isinstance(auth, Password) or (isinstance(auth, Token) and not auth.value):
            return Browser(self._request, self.url, auth)
        return auth

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        with anyio.CancelScope(shield=True):
            await self.close()

    async def close(self) -> None:
        """Close the client's connections."""
        await self._http.aclose()

    def check_open(self) -> None:
        """Refuse what comes after `close`.

        Raises:
            ConnectionLostError
        """
        if self._http.is_closed:
            raise ConnectionLostError(self.url, "it was closed here", applied="no")

    def websocket(self, path: str, **params: str) -> WebSocketAddress:
        """Return the address of a websocket of this server."""
        url = httpx.URL("ws" + self.url.removeprefix("http") + path, params=params)
        return WebSocketAddress(str(url), self.auth, self._headers, self._tls, self._proxy)

    async def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        json: object = None,
        timeout: float = REQUEST_TIMEOUT,
    ) -> httpx.Response:
        """Send a request with the credentials; any answer is one.

        Raises:
            ServerUnreachableError, TLSError, ProxyError: There was none; `applied` says whether
                it may have an effect.
            ConnectionLostError: The client is closed.
        """
        self.check_open()
        send = partial(self._request, method, path, params=params, json=json, timeout=timeout)
        credentials = await self.auth.headers()
        response = await send(credentials)
        if response.status_code in (401, 403) and await self.auth.renew(credentials):
            response = await send(await self.auth.headers())
        return response

    async def _request(
        self,
        method: str,
        path: str,
        credentials: Mapping[str, str],
        *,
        timeout: float,
        accept: str = "application/json",
        params: Mapping[str, str] | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        send = partial(
            self._http.request,
            method,
            path,
            headers={"Accept": accept, **combined(self._headers, credentials)},
            params=params,
            json=json,
            data=form,
            timeout=httpx.Timeout(timeout, connect=CONNECT_TIMEOUT),
        )
        is_safe = method in ("GET", "HEAD")
        try:
            try:
                response = await send()
            except httpx.TransportError as error:
                if not is_safe or not has_hung_up(error):
                    raise
                # it may have been a kept connection, which the server was just closing; what only
                # asks is safe to repeat (RFC 9110, 9.2.2)
                response = await send()
        except (httpx.TransportError, ssl.SSLError) as error:  # TLS 1.3 refuses as one reads
            failure = unreachable(self.url, error, self._proxy)
            refused = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | ssl.SSLError)
            if not is_safe and not refused:
                failure.applied = "unknown"
            raise failure from error
        if response.status_code == 407 and self._proxy is not None:
            raise refused_by_proxy(self.url, self._proxy, 407)
        return response


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    """Refuse what is no header; its value may be a secret, and is not repeated."""
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ConfigurationError(
                f"The header {name!r} cannot be sent: a name is letters, digits and '-', and a "
                "value is one line in ASCII",
                name="headers",
            )
    return dict(headers)


def json_object(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer, empty where the answer is something else."""
    try:
        model = parsed(response)
    except ValueError:
        return {}
    return model if isinstance(model, dict) else {}


def parsed(response: httpx.Response) -> Any:
    """Read JSON; half a character, as of a file's name in no encoding, is replaced.

    Raises:
        ValueError: It is no JSON.
    """
    value = response.json()
    if b"\\ud" in response.content.lower():
        value = json.loads(_HALF.sub("\ufffd", json.dumps(value, ensure_ascii=False)))
    return value
