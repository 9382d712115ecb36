# SPDX-License-Identifier: BSD-3-Clause
"""Credentials: what goes into a request's headers, and never anywhere else."""

from __future__ import annotations

import attrs


@attrs.frozen
class Token:
    """A server's API token, sent in the `Authorization` header only.

    A token in a URL would end up in logs, and JupyterHub refuses it there.
    """

    value: str | None = attrs.field(default=None, repr=False)

    def headers(self) -> dict[str, str]:
        """Return the headers that authenticate a request or a websocket handshake."""
        return {"Authorization": f"token {self.value}"} if self.value else {}
