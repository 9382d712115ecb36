# SPDX-License-Identifier: BSD-3-Clause
"""What the operator decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from jupyter_agent_core import Auth, ConfigurationError, Password, TokenFile, WorkspaceOptions
from jupyter_agent_core._http.addresses import Address, address, base_url
from jupyter_agent_core._http.auth import Token
from jupyter_agent_core._http.tls import Verify
from jupyter_agent_core._values import Provider
from jupyter_agent_core._workspace.toolsets import TOOLSETS

AUTO = "auto"


Credentials = Auth | Password


@attrs.frozen
class Way:
    """How servers are reached.

    Attributes:
        verify: How TLS certificates are checked.
        headers: Further headers for every request and websocket.
    """

    verify: Verify = True
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)


@attrs.frozen
class HubTarget:
    """A user's server on a JupyterHub.

    Attributes:
        url: The Hub, or a page of it.
        user: Whose server it is; None for the owner of the token.
        server_name: Its name; empty for the default one.
    """

    url: str
    user: str | None = None
    server_name: str = ""

    def __str__(self) -> str:
        names = [self.user or "of the owner of the token", self.server_name]
        return "/".join(filter(None, names))


@attrs.frozen
class Target:
    """The servers that are worked on.

    Attributes:
        url: The server that holds the documents; None for that of a Hub, else the one that holds
            `root_dir`, else a private one started there.
        auth: Its credentials.
        runtime_url: The server that runs the kernels, if it is another one.
        runtime_auth: Its credentials.
        provider: What kind of service holds the documents.
        hub: The server on a JupyterHub that stands for the one that has no URL.
        root_dir: The folder of a private server.
        username: The name under which collaborators see the agent.
        way: How servers are reached that are not started here.
    """

    url: str | None = None
    auth: Credentials | None = None
    runtime_url: str | None = None
    runtime_auth: Credentials | None = None
    provider: Provider = "jupyter"
    hub: HubTarget | None = None
    root_dir: str = "."
    username: str = "Agent"
    way: Way = attrs.field(factory=Way)

    @property
    def is_named(self) -> bool:
        """Whether the operator has named a server."""
        return self.url is not None or self.hub is not None


@attrs.frozen
class Endpoint:
    """Where MCP is served over HTTP.

    Attributes:
        host: The address to listen on.
        port: The port; 0 for a free one.
        token: The secret that clients show; None to let everybody in.
        allowed_hosts: Names beside those of this machine under which it may be asked.
    """

    host: str = "127.0.0.1"
    port: int = 4040
    token: str | None = attrs.field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()


@attrs.frozen
class Settings:
    """All that flags and environment variables say.

    Attributes:
        target: The servers that are worked on.
        endpoint: Where MCP is served over HTTP; None for stdin and stdout.
        toolsets: Which tools are served.
        workspace: What the tools may do.
        notebook: A notebook that is in use from the start, as `default`.
        images: Show images as images, or as a line of text.
        max_output_tokens: The budget of one answer.
        mask_secrets: Put a note in the place of likely secrets in outputs.
    """

    target: Target = attrs.field(factory=Target)
    endpoint: Endpoint | None = None
    toolsets: tuple[str, ...] = TOOLSETS
    workspace: WorkspaceOptions = attrs.field(factory=WorkspaceOptions)
    notebook: str | None = None
    images: bool = True
    max_output_tokens: int = 6_000
    mask_secrets: bool = False


@attrs.frozen
class Given:
    """One kind of server as the operator gave it: its URL, its credentials, how both are called."""

    kind: str
    url: str | None = attrs.field(repr=False)
    auth: Credentials | None


def target_of(
    jupyter: Given,
    document: Given,
    runtime: Given,
    *,
    hub: HubTarget | None = None,
    provider: Provider = "jupyter",
    root_dir: str,
    username: str,
    way: Way,
    say: Callable[[str], None],
) -> Target:
    """Find out which servers are meant.

    Where documents or kernels are is said by their own URL, else by that of Jupyter or the Hub,
    else they are together.

    Args:
        jupyter: `JUPYTER_URL`, for both.
        document: `DOCUMENT_URL`, for documents.
        runtime: `RUNTIME_URL`, for kernels.
        hub: A JupyterHub in the place of `JUPYTER_URL`.
        provider: What kind of service `DOCUMENT_URL` is.
        root_dir: The folder of a private server.
        username: The name under which collaborators see the agent.
        way: How servers are reached.
        say: Is told what the operator may not expect.

    Raises:
        ConfigurationError: A URL cannot be one, or they contradict each other.
    """
    _check_provider(provider, document)
    places = {one.kind: _place(one) for one in (jupyter, document, runtime)}
    auths = {one.kind: _auth(one, places[one.kind]) for one in (jupyter, document, runtime)}
    urls = {kind: None if place is None else place.bases[-1] for kind, place in places.items()}
    if hub is not None:
        all_three = (jupyter, document, runtime)
        on_hub = _target_with_hub(hub, all_three, urls, auths, username, way)
        return attrs.evolve(on_hub, provider=provider)
    document_url = urls[document.kind] or urls[jupyter.kind] or urls[runtime.kind]
    runtime_url = urls[runtime.kind] or urls[jupyter.kind] or urls[document.kind]
    if document_url is None:
        return Target(root_dir=root_dir, username=username)
    common = auths[jupyter.kind]
    for given in (document, runtime):
        if given.url is not None and auths[given.kind] is None and common is not None:
            name = _name_of(common)
            say(f"{given.kind}_TOKEN is not set: {given.kind}_URL gets JUPYTER_{name}")
    document_auth, runtime_auth = auths[document.kind] or common, auths[runtime.kind] or common
    is_one = runtime_url == document_url
    return Target(
        url=document_url,
        auth=document_auth or (runtime_auth if is_one else None),
        runtime_url=None if is_one else runtime_url,
        runtime_auth=None if is_one else runtime_auth,
        provider=provider,
        root_dir=root_dir,
        username=username,
        way=way,
    )


def _check_provider(provider: Provider, document: Given) -> None:
    if provider == "datalayer" and document.url in (None, AUTO):
        raise ConfigurationError(
            "DOCUMENT_PROVIDER=datalayer says what kind of service DOCUMENT_URL is: set that, too",
            name="document_url",
        )


def _target_with_hub(
    hub: HubTarget,
    given: tuple[Given, Given, Given],
    urls: Mapping[str, str | None],
    auths: Mapping[str, Credentials | None],
    username: str,
    way: Way,
) -> Target:
    jupyter, document, runtime = (one.kind for one in given)
    if urls[jupyter] is not None or None not in (urls[document], urls[runtime]):
        raise ConfigurationError(
            "JUPYTER_MCP_HUB_URL says where the Jupyter server is: leave out JUPYTER_URL, and set "
            "at most one of DOCUMENT_URL and RUNTIME_URL",
            name="hub_url",
        )
    on_hub_are_kernels = urls[document] is not None
    return Target(
        url=urls[document],
        auth=auths[document] if on_hub_are_kernels else auths[jupyter],
        runtime_url=urls[runtime],
        runtime_auth=auths[jupyter] if on_hub_are_kernels else auths[runtime],
        hub=hub,
        username=username,
        way=way,
    )


def hub_target(url: str | None, user: str | None, server_name: str) -> HubTarget | None:
    """Return the server on a JupyterHub that is meant, None if there is none.

    Raises:
        ConfigurationError: The URL cannot be one, or there is none for the rest.
    """
    if url is not None:
        page = url.partition("#")[0].partition("?")[0]
        try:
            return HubTarget(base_url(page), user, server_name)
        except ConfigurationError as error:
            raise ConfigurationError(f"JUPYTER_MCP_HUB_URL: {error}", name="url") from error
    if user is None and not server_name:
        return None
    raise ConfigurationError(
        "JUPYTER_MCP_HUB_USER and JUPYTER_MCP_HUB_SERVER name a server on a JupyterHub: set "
        "JUPYTER_MCP_HUB_URL, too",
        name="hub_url",
    )


def _place(given: Given) -> Address | None:
    if given.url is None or given.url == AUTO:
        return None
    try:
        return address(given.url)
    except ConfigurationError as error:
        raise ConfigurationError(f"{given.kind}_URL: {error}", name="url") from error


def _auth(given: Given, place: Address | None) -> Credentials | None:
    """The credentials that are given, or the token that the URL carries."""
    if place is None or place.token is None:
        return given.auth
    if given.auth not in (None, Token(place.token)):
        raise ConfigurationError(
            f"{given.kind}_URL carries a token, and {given.kind}_{_name_of(given.auth)} is set, "
            "too: leave out one",
            name="url",
        )
    return Token(place.token)


def _name_of(auth: Credentials | None) -> str:
    if isinstance(auth, Password):
        return "PASSWORD"
    return "TOKEN_FILE" if isinstance(auth, TokenFile) else "TOKEN"
