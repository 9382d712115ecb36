# SPDX-License-Identifier: BSD-3-Clause
"""What the operator of an agent lets it do."""

from __future__ import annotations

import attrs

from .._errors import ConfigurationError
from .._http.addresses import checked_path

DEFAULT_TIMEOUT = 45.0


@attrs.frozen
class WorkspaceOptions:
    """What the tools of a `Workspace` may do, and how.

    Attributes:
        read_only: Start no kernel and create no notebook. (Tools that change something are
            refused by whoever offers the tools.)
        root: The folder of the server outside which no path is touched; empty for all of it.
        execution_timeout: Seconds that a call waits for its code unless it says otherwise.
        connect_hosts: The hosts that `connect_to_jupyter` may go to, `*` for any; none by default.
        idle_timeout: Seconds without use after which a notebook is let go; None for never.
        keeps_current: A call that names no notebook means the one used last; else it is refused.
    """

    read_only: bool = False
    root: str = ""
    execution_timeout: float = DEFAULT_TIMEOUT
    connect_hosts: tuple[str, ...] = ()
    idle_timeout: float | None = None
    keeps_current: bool = True

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "root", checked_path(self.root))
        if not self.execution_timeout > 0:
            raise ConfigurationError(
                f"execution_timeout={self.execution_timeout} is no number of seconds above 0",
                name="execution_timeout",
                value=self.execution_timeout,
            )

    def check_inside(self, path: str) -> str:
        """Return a path below the server's root in its one spelling; empty means the root folder.

        Args:
            path: The path.

        Raises:
            ConfigurationError: It lies outside of the folder that is served.
        """
        path = checked_path(path) or self.root
        if not self.has(path):
            raise ConfigurationError(
                f"{path!r} is outside of {self.root!r}, the folder that is served: "
                f"paths begin with {self.root + '/'!r}",
                name="path",
                value=path,
            )
        return path

    def has(self, path: str) -> bool:
        """Say whether a path is inside of the folder that is served.

        Args:
            path: In the spelling that `check_inside` returns.
        """
        return not self.root or path == self.root or path.startswith(f"{self.root}/")
