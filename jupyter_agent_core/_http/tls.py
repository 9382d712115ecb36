# SPDX-License-Identifier: BSD-3-Clause
"""How a server proves who it is, and how we do."""

from __future__ import annotations

import os
import ssl

import httpx

from .._errors import ConfigurationError

Verify = bool | str | os.PathLike[str] | ssl.SSLContext
"""True for the usual authorities, the path of a file with one, a context of the caller's; False
to accept whoever answers."""


def tls_context(
    verify: Verify,
    *,
    client_cert: str | os.PathLike[str] | None = None,
    client_key: str | os.PathLike[str] | None = None,
) -> ssl.SSLContext:
    """Make the context in which TLS is spoken with a server.

    Args:
        verify: How the server's certificate is checked.
        client_cert: A file with the certificate that we show, and those above it.
        client_key: A file with its key, if that is not in the same file.

    Raises:
        ConfigurationError: A file cannot be read, or holds something else.
    """
    if isinstance(verify, ssl.SSLContext):
        context = verify
    elif isinstance(verify, bool):
        context = httpx.create_ssl_context(verify)
    else:
        context = _trusting(verify)
    if client_cert is not None:
        try:
            context.load_cert_chain(client_cert, client_key, password=_no_password)
        except (OSError, ValueError) as error:
            files = " and ".join(repr(str(f)) for f in (client_cert, client_key) if f is not None)
            raise ConfigurationError(
                f"{files} cannot be used as client certificate and key ({_why(error)})",
                name="client_cert",
            ) from error
    return context


def _trusting(file: str | os.PathLike[str]) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:
        raise ConfigurationError(
            f"{os.fspath(file)!r} cannot be used as the certificates of authorities, in PEM "
            f"({_why(error)})",
            name="verify",
            value=os.fspath(file),
        ) from error


def _no_password() -> str:
    """Nobody can be asked at a terminal: a key that is encrypted is refused."""
    raise ValueError("the key is encrypted: decrypt it")


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no PEM").lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error)
