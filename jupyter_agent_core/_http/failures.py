# SPDX-License-Identifier: BSD-3-Clause
"""Why a server was not reached, or somebody else answered in its place."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import httpx
from websockets.exceptions import InvalidProxyStatus

from .._connect_errors import (
    ConnectError,
    NotAJupyterServerError,
    ProxyError,
    ServerMovedError,
    ServerUnreachableError,
    TLSError,
)
from .proxies import Proxy

_CLIENT_CERTIFICATE = (
    "pass it in an ssl.SSLContext as verify=… (jupyter-mcp-server: --client-cert, --client-key)"
)
# what OpenSSL calls it (X509_V_ERR_*), and what to do
_ADVICE = {
    9: "check the clocks of both machines",
    10: "renew it on the server, and restart that",
    18: (
        "it is signed by itself, so pass it as verify='cert.pem' (jupyter-mcp-server: --ca-file), "
        "or verify=False (--no-verify) where nobody can listen in"
    ),
    62: "use a name that the certificate has",
    64: "use a name that the certificate has",
}
_UNKNOWN = (
    "pass the certificate of its authority as verify='ca.pem' (jupyter-mcp-server: --ca-file), or "
    "verify=False (--no-verify) where nobody can listen in"
)
_HUB = (
    "JupyterHub answers there, so pass the URL as hub_url=… (jupyter-mcp-server: --hub-url), which "
    "finds the user's server and starts it"
)
_BROKEN_OFF = ssl.SSLEOFError | ssl.SSLWantReadError


def unreachable(url: str, error: Exception, proxy: Proxy | None) -> ConnectError:
    """The error for a request or a handshake to which there was no answer of the server.

    Args:
        url: The server's.
        error: What was raised.
        proxy: The one on the way, if there is one.
    """
    causes = list(_causes(error))
    failures = [refusal for cause in causes if (refusal := _of_tls(url, cause)) is not None]
    if failures:
        return failures[0]
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.LocalProtocolError):  # it quotes what was sent, perhaps a secret
        reason = "the request is not valid HTTP: a header has a value that it cannot have"
    if url.startswith("http:") and has_hung_up(error):
        reason = "it hangs up without an answer, as one does that ends or speaks TLS; is it http?"
    began = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
    if began and any(isinstance(cause, _BROKEN_OFF) for cause in causes):
        # so it is with a server that restarts, and with one that speaks plain HTTP
        reason = "TLS does not begin; is it https?"
    if proxy is None:
        return ServerUnreachableError(url, reason)
    status = _status_of_proxy(error)
    if status is not None and status < 500:
        return refused_by_proxy(url, proxy, status)
    return ServerUnreachableError(url, f"{reason}; through the HTTP proxy {proxy.shown}")


def has_hung_up(error: Exception) -> bool:
    """Say whether a connection was closed before there was an answer, or reset."""
    said_nothing = isinstance(error, httpx.RemoteProtocolError) and "without sending" in str(error)
    return said_nothing or isinstance(error, httpx.ReadError)


def _status_of_proxy(error: Exception) -> int | None:
    """What a proxy has answered to CONNECT."""
    if isinstance(error, InvalidProxyStatus):
        return error.response.status_code
    status = re.match(r"\d{3} ", str(error)) if isinstance(error, httpx.ProxyError) else None
    return int(status[0]) if status is not None else None


def refused_by_proxy(url: str, proxy: Proxy, status: int) -> ProxyError:
    """The error for what a proxy answers in its own name."""
    advice = (
        "it wants a user name and a password, as in HTTPS_PROXY=http://user:password@host:port"
        if status == 407
        else "have it let the host through, or name the host in NO_PROXY"
    )
    return ProxyError(url, proxy.shown, f"HTTP {status}", advice)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _of_tls(url: str, error: BaseException) -> TLSError | None:
    """The error for what only a human changes, None for what may be a broken connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = f"its certificate is not accepted: {error.verify_message}"
        return TLSError(url, reason, _ADVICE.get(error.verify_code, _UNKNOWN))
    reason = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):  # OpenSSL 3.0, 3.2
        return TLSError(url, "what answers there speaks no TLS", "try http://")
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return TLSError(url, "it wants a client certificate that it knows", _CLIENT_CERTIFICATE)
    return None


def stranger(url: str, path: str, response: httpx.Response) -> ConnectError:
    """The error for an answer that is not one of a Jupyter server.

    Args:
        url: The base URL at which it was looked for.
        path: What was asked for below it.
        response: The answer.
    """
    elsewhere = moved(url, response, path)
    if elsewhere is not None:
        return elsewhere
    status = response.status_code
    if status in (502, 503, 504):
        return ServerUnreachableError(url, f"a proxy before it answers HTTP {status}")
    if status == 400 and "SSL certificate" in response.text:  # nginx's words
        return TLSError(url, "it wants a client certificate that it knows", _CLIENT_CERTIFICATE)
    if status == 400 and "sent to HTTPS port" in response.text:  # nginx's and Apache's
        return TLSError(url, "what answers there speaks TLS only", "try https://")
    answer = f"answers HTTP {status}"
    if response.has_redirect_location:
        page = urljoin(str(response.request.url), response.headers["location"]).partition("?")[0]
        answer = f"is redirected to {page}"
    fix = _HUB if "x-jupyterhub-version" in response.headers else None
    return NotAJupyterServerError(url, f"GET {path} {answer}", fix)


def is_of_hub(response: httpx.Response) -> bool:
    """Say whether JupyterHub answers in place of a server that does not run."""
    to = urlsplit(response.headers.get("location", "")).path
    return response.status_code == 424 or (response.is_redirect and "/hub/user/" in to)


def moved(url: str, response: httpx.Response, path: str) -> ServerMovedError | None:
    """The error for a redirect to the same path below another base URL, None if it is no such."""
    if not response.has_redirect_location or is_of_hub(response):
        return None
    location = urlsplit(urljoin(str(response.request.url), response.headers["location"]))
    if not location.path.endswith(f"/{path}") or location.scheme not in ("http", "https"):
        return None
    base = location._replace(
        netloc=location.netloc.rpartition("@")[2],
        path=location.path.removesuffix(path),
        query="",
        fragment="",
    ).geturl()
    return None if base == url else ServerMovedError(url, base)
