# SPDX-License-Identifier: BSD-3-Clause
"""What the operator decides."""

from __future__ import annotations

import attrs


@attrs.frozen
class Settings:
    """Settings of the server, from flags and environment variables.

    Attributes:
        jupyter_url: The Jupyter server; None for the one that holds `root_dir`, else a
            private one started there.
        jupyter_token: Its API token.
        root_dir: The folder of a private server.
        images: Show images as images, or as a line of text.
        username: The name under which collaborators see the agent.
    """

    jupyter_url: str | None = None
    jupyter_token: str | None = attrs.field(default=None, repr=False)
    root_dir: str = "."
    images: bool = True
    username: str = "Agent"
