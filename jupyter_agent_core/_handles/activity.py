# SPDX-License-Identifier: BSD-3-Clause
"""Being seen at work while code runs, so that nobody stops the server as an idle one.

A server counts what kernels say and what it is asked for, and tells JupyterHub of it every five
minutes; code that prints nothing is silence to it. Hubs whose proxy counts the traffic on open
websockets (configurable-http-proxy) need none of this, those with another proxy (Traefik) do.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

import anyio

from .._errors import JupyterAgentError
from .._http.rest import JupyterRest
from .run import RunLog

_log = logging.getLogger(__name__)

INTERVAL = 60.0


async def stay_active(servers: Collection[JupyterRest], runs: RunLog) -> None:
    """Ask the servers for something now and then while a run is on, until cancelled."""
    while True:
        await anyio.sleep(INTERVAL)
        if not runs.has_unfinished:
            continue
        for server in servers:
            try:
                await server.touch()
            except JupyterAgentError as error:
                _log.info("%s: not seen at work: %s", server.url, error)
