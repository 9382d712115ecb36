# SPDX-License-Identifier: BSD-3-Clause
"""What this library raises when JupyterHub cannot give it a user's server.

ConnectError
├── NotAJupyterHubError         something answers at the URL, but no JupyterHub
├── HubPermissionError          the token lacks scopes, which are named
├── HubUserNotFoundError        no such user, or none that the token may know of
└── HubSpawnError               the Hub did not start the server, and why
    ├── HubSpawnTimeoutError    not within the time that it was given; it may still come
    └── HubLimitError           too many servers run or start

Annotations are not postponed here: they are to be resolved from the public module, too.
"""

from collections.abc import Sequence
from typing import ClassVar

from ._connect_errors import ConnectError


class NotAJupyterHubError(ConnectError):
    """Something answers at the URL, but no JupyterHub."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"No JupyterHub is at {url} ({reason}): hub_url is the part before /hub/home or "
            "/user/… in the browser; a Jupyter server without a Hub is named by its own URL"
        )
        self.url = url
        self.reason = reason


class HubPermissionError(ConnectError):
    """The token is good, but may not do what is needed: it lacks scopes.

    Attributes:
        url: The Hub.
        owner: Whose the token is.
        action: What it may not do.
        scopes: The scopes that allow it.
    """

    def __init__(self, url: str, owner: str, action: str, scopes: Sequence[str]) -> None:
        super().__init__(
            f"The token of {owner} may not {action} (JupyterHub at {url}): it lacks the scope "
            f"{' and '.join(scopes)}; who has it makes a token with it at {url}hub/token"
        )
        self.url = url
        self.owner = owner
        self.action = action
        self.scopes: tuple[str, ...] = tuple(scopes)


class HubUserNotFoundError(ConnectError):
    """The Hub knows no such user, or none that the token may know of."""

    def __init__(self, url: str, user: str) -> None:
        super().__init__(
            f"JupyterHub knows no user {user!r} that this token may see (at {url}): names are "
            "spelled as in the URLs of the Hub, mostly in lower case"
        )
        self.url = url
        self.user = user


class HubSpawnError(ConnectError):
    """The Hub did not start the server.

    Attributes:
        url: The Hub.
        server: The server, as `user` or `user/server`.
        reason: Why, in the Hub's words.
    """

    _outcome: ClassVar[str] = "did not start"

    def __init__(self, url: str, server: str, reason: str, fix: str | None = None) -> None:
        fix = fix or (
            f"start it at {url}hub/home, which shows more and asks for options where the Hub "
            "wants some; they are kept for the next time, and user_options=… gives others"
        )
        super().__init__(f"JupyterHub {self._outcome} the server {server} ({reason}): {fix}")
        self.url = url
        self.server = server
        self.reason = reason


class HubSpawnTimeoutError(HubSpawnError):
    """The server was not ready in time; the Hub goes on to start it."""

    retryable = True
    _outcome = "is still starting"

    def __init__(self, url: str, server: str, timeout: float, progress: str) -> None:
        reason = f"not ready within {timeout:g} s; the last that it said: {progress}"
        super().__init__(url, server, reason, "it goes on, so try again in a while")
        self.timeout = timeout
        self.progress = progress


class HubLimitError(HubSpawnError):
    """The Hub starts no server now, as too many run or start."""

    retryable = True

    def __init__(self, url: str, server: str, reason: str) -> None:
        super().__init__(url, server, reason, "connect again later, or stop a server first")
