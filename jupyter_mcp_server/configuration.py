# SPDX-License-Identifier: BSD-3-Clause
"""From flags and environment variables to settings."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

import click

from jupyter_agent_core import (
    ConfigurationError,
    CredentialsUnavailableError,
    Password,
    TokenFile,
    WorkspaceOptions,
)
from jupyter_agent_core._http.auth import Token, is_word
from jupyter_agent_core._http.tls import tls_context

from .options import is_flag
from .settings import Credentials, Endpoint, Given, Settings, Target, Way, hub_target, target_of

_log = logging.getLogger(__name__)


def settings_from(ctx: click.Context, given: Mapping[str, Any]) -> Settings:
    """Put together what the flags and variables say.

    Raises:
        ConfigurationError: They contradict each other, or one cannot work.
    """
    _say_what_is_not_needed()
    return Settings(
        target=target_from(ctx, given),
        endpoint=_endpoint(given) if given["transport"] == "streamable-http" else None,
        toolsets=given["toolsets"],
        workspace=WorkspaceOptions(
            read_only=given["read_only"],
            root=given["root"],
            execution_timeout=given["execution_timeout"],
            connect_hosts=given["connect_hosts"] if "connect" in given["toolsets"] else (),
        ),
        notebook=given["document_id"],
        images=given["allow_img_output"],
        max_output_tokens=given["max_output_tokens"],
        mask_secrets=given["mask_secrets"],
    )


def target_from(ctx: click.Context, given: Mapping[str, Any]) -> Target:
    """Find out which servers the flags and variables mean.

    Raises:
        ConfigurationError: A URL cannot be one, or a token cannot be read.
    """
    return target_of(
        Given("JUPYTER", given["jupyter_url"], _jupyter_auth(ctx, given)),
        Given("DOCUMENT", given["document_url"], _auth(ctx, given, "document")),
        Given("RUNTIME", given["runtime_url"], _auth(ctx, given, "runtime")),
        hub=hub_target(given["hub_url"], given["hub_user"], given["hub_server"]),
        provider=given["document_provider"],
        root_dir=given["root_dir"],
        username=given["username"],
        way=_way(given),
        say=_log.info,
    )


def _jupyter_auth(ctx: click.Context, given: Mapping[str, Any]) -> Credentials | None:
    token, file = given["jupyter_token"], given["jupyter_token_file"]
    if token is not None and file is not None:
        as_flags = is_flag(ctx, "jupyter_token"), is_flag(ctx, "jupyter_token_file")
        if as_flags[0] == as_flags[1]:
            raise ConfigurationError(
                "The token is given twice: JUPYTER_TOKEN and JUPYTER_TOKEN_FILE are both set, "
                "leave out one",
                name="jupyter_token_file",
            )
        file = None if as_flags[0] else file
    if file is None:
        return _auth(ctx, given, "jupyter")
    token_file = TokenFile(file)
    try:
        token_file.read()
    except CredentialsUnavailableError as error:
        raise ConfigurationError(str(error), name="jupyter_token_file") from error
    return token_file


def _auth(ctx: click.Context, given: Mapping[str, Any], kind: str) -> Credentials | None:
    token, password = given[f"{kind}_token"], given[f"{kind}_password"]
    if token is not None and password is not None:
        name = f"{kind.upper()}_PASSWORD"
        if is_flag(ctx, f"{kind}_password") and not is_flag(ctx, f"{kind}_token"):
            return Password(password)
        _log.warning("%s is not used: %s_TOKEN is set", name, kind.upper())
    if token is not None:
        return Token(token)
    return None if password is None else Password(password)


def _way(given: Mapping[str, Any]) -> Way:
    ca_file, cert, key = given["ca_file"], given["client_cert"], given["client_key"]
    if given["no_verify"] and ca_file is not None:
        raise ConfigurationError(
            "--no-verify and --ca-file exclude each other: leave out one", name="no_verify"
        )
    if key is not None and cert is None:
        raise ConfigurationError(
            "--client-key is the key of a certificate: add --client-cert", name="client_key"
        )
    verify = ca_file or not given["no_verify"]
    if ca_file is not None or cert is not None:
        verify = tls_context(verify, client_cert=cert, client_key=key)
    return Way(verify, given["headers"])


def _endpoint(given: Mapping[str, Any]) -> Endpoint:
    token, is_open = given["mcp_token"], given["insecure_mcp_noauth"]
    if token is None and not is_open:
        raise ConfigurationError(
            "MCP over HTTP needs a secret, as who reaches it runs code as you: set MCP_TOKEN "
            "(python -c 'import secrets; print(secrets.token_urlsafe())' makes one), "
            "or pass --insecure-mcp-noauth",
            name="mcp_token",
        )
    if token is not None and not (token and is_word(token)):
        raise ConfigurationError(
            "MCP_TOKEN is no secret that a client can show: it is one word of ASCII, and not empty",
            name="mcp_token",
        )
    if token is not None and is_open:
        raise ConfigurationError(
            "--insecure-mcp-noauth and MCP_TOKEN exclude each other: leave out one",
            name="insecure_mcp_noauth",
        )
    return Endpoint(given["host"], given["port"], token, given["allowed_hosts"])


def _say_what_is_not_needed() -> None:
    if os.environ.get("JUPYTERHUB_ALLOW_TOKEN_IN_URL"):
        _log.info(
            "JUPYTERHUB_ALLOW_TOKEN_IN_URL is not needed: tokens go in the Authorization header"
        )
