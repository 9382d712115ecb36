# SPDX-License-Identifier: BSD-3-Clause
"""What JupyterHub tells of a user's server: frozen values, without any connection behind them.

Annotations are not postponed here: they are to be resolved from the public module, too.
"""

import attrs


@attrs.frozen
class HubServer:
    """A server that was found or started through JupyterHub.

    Attributes:
        hub_url: The Hub, with a slash at its end.
        user: Whose server it is.
        server_name: Its name; empty for the user's default server.
        url: Its base URL.
        can_start: Whether the token may start it again.
    """

    hub_url: str
    user: str
    server_name: str
    url: str
    can_start: bool

    def __str__(self) -> str:
        return f"{self.user}/{self.server_name}" if self.server_name else self.user


@attrs.frozen
class StartProgress:
    """How far JupyterHub is with starting a server.

    Attributes:
        percent: From 0 to 100, as the Hub guesses.
        message: What it does.
    """

    percent: int
    message: str
