# SPDX-License-Identifier: BSD-3-Clause
"""What this library raises when a server cannot be reached or used at all.

JupyterAgentError
└── ConnectError
    ├── ServerUnreachableError
    ├── ServerStoppedError          JupyterHub answers for a server that does not run
    ├── NotAJupyterServerError
    ├── AuthenticationError
    ├── CredentialsUnavailableError what gives the credentials has failed
    ├── TLSError                    its certificate, or ours, is not accepted
    ├── ProxyError                  an HTTP proxy on the way refuses
    ├── ServerMovedError            it redirects to another server
    ├── HostRefusedError            Jupyter does not know itself by the name in the URL
    ├── NoRunningServerError        discovery found nothing
    ├── ServerAlreadyRunningError   a private server would be a second writer
    ├── ServerStartError            the private server did not start
    └── …                           what may go wrong with a JupyterHub: `_hub_errors`

Annotations are not postponed here: they are to be resolved from the public module, too.
"""

from collections.abc import Sequence

from ._errors import JupyterAgentError


class ConnectError(JupyterAgentError):
    """A Jupyter server could not be reached or used at all."""


class ServerUnreachableError(ConnectError):
    """Nothing answers at the URL."""

    retryable = True

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"No Jupyter server answers at {url} ({reason}): check that it runs and that the URL "
            "is right"
        )
        self.url = url
        self.reason = reason


class ServerStoppedError(ConnectError):
    """JupyterHub answers in place of a user's server, which does not run."""

    retryable = True

    def __init__(self, url: str, fix: str | None = None) -> None:
        fix = fix or "start it on the page of JupyterHub, or connect with hub_url=…"
        super().__init__(f"The server at {url} does not run (JupyterHub answers for it): {fix}")
        self.url = url


class NotAJupyterServerError(ConnectError):
    """Something answers at the URL, but not a Jupyter server."""

    def __init__(self, url: str, reason: str, fix: str | None = None) -> None:
        fix = fix or "it is the part before /lab or /tree in the browser"
        super().__init__(f"{url} is not the base URL of a Jupyter server ({reason}): {fix}")
        self.url = url
        self.reason = reason


class AuthenticationError(ConnectError):
    """The server does not accept the credentials."""

    def __init__(self, url: str, status: int, refusal: str, advice: str) -> None:
        super().__init__(f"{url} {refusal} (HTTP {status}): {advice}")
        self.url = url
        self.status = status


class CredentialsUnavailableError(ConnectError):
    """The file, function or object that gives the credentials gives none, for now perhaps."""

    retryable = True

    def __init__(self, what: str, reason: str, advice: str) -> None:
        super().__init__(f"{what} ({reason}): {advice}")
        self.reason = reason


class TLSError(ConnectError):
    """No encrypted connection to the server comes about, or not to the right one."""

    def __init__(self, url: str, reason: str, advice: str) -> None:
        super().__init__(f"{url} cannot be reached over TLS ({reason}): {advice}")
        self.url = url
        self.reason = reason


class ProxyError(ConnectError):
    """The HTTP proxy on the way to the server refuses to let requests through."""

    def __init__(self, url: str, proxy: str, reason: str, advice: str) -> None:
        super().__init__(f"The HTTP proxy {proxy} does not lead to {url} ({reason}): {advice}")
        self.url = url
        self.proxy = proxy
        self.reason = reason


class ServerMovedError(ConnectError):
    """The server is elsewhere, by its own word."""

    def __init__(self, url: str, location: str) -> None:
        super().__init__(
            f"{url} redirects to {location} (another server, to which no credentials are sent): "
            "pass that URL if it is the right one"
        )
        self.url = url
        self.location = location


class HostRefusedError(ConnectError):
    """The server refuses to be asked by the name that the URL has for it."""

    def __init__(self, url: str, host: str) -> None:
        super().__init__(
            f"{url} refuses whoever asks for {host!r} (HTTP 403), as Jupyter does with names that "
            "are not its machine's own: start it with --ServerApp.allow_remote_access=True, or "
            "use a name or address that it listens on"
        )
        self.url = url
        self.host = host


class NoRunningServerError(ConnectError):
    """No running server holds the folder."""

    retryable = True

    def __init__(self, folder: str, considered: Sequence[str] = ()) -> None:
        seen = "; ".join(considered) if considered else "no running server was found"
        super().__init__(
            f"No running Jupyter server holds {folder} ({seen}): start one there, "
            "pass its URL, or use jupyter_agent_core.launch()"
        )
        self.folder = folder
        self.considered: tuple[str, ...] = tuple(considered)


class ServerAlreadyRunningError(ConnectError):
    """A running server already holds the folder; a second one would write to the same files.

    Attributes:
        folder: The folder.
        url: The server.
        reason: Why that one cannot be joined, empty if it can be.
    """

    def __init__(self, folder: str, url: str, reason: str = "") -> None:
        known, fix = "", 'join it with connect("auto")'
        if reason:
            known = f", but {reason}"
            fix = "stop it, or connect to its URL with the credentials that it asks for"
        super().__init__(
            f"A Jupyter server at {url} already holds {folder}{known}, and two servers would "
            f"overwrite each other's edits: {fix}"
        )
        self.folder = folder
        self.url = url
        self.reason = reason


class ServerStartError(ConnectError):
    """The private server did not start."""

    def __init__(self, reason: str, log: str = "") -> None:
        tail = f"\n{log}" if log else ""
        super().__init__(f"The private Jupyter server did not start: {reason}{tail}")
        self.reason = reason
        self.log = log
