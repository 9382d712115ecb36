# SPDX-License-Identifier: BSD-3-Clause
"""What becomes of a kernel, by other ways than its own words: events, and looks at it."""

import anyio
import pytest
from servers import Proxy, RunningServer

from jupyter_agent_core import KernelNotFoundError
from jupyter_agent_core._execution import opening
from jupyter_agent_core._execution.kernel_events import _who_restarted, follow_kernel
from jupyter_agent_core._execution.opening import open_kernel
from jupyter_agent_core._http.auth import Token
from jupyter_agent_core._http.rest import JupyterRest
from jupyter_agent_core._values import RunStatus


async def test_a_server_that_refuses_to_tell_events_is_not_asked_again(lab: RunningServer) -> None:
    told: list[str] = []

    async def on_end(status: RunStatus) -> None:
        told.append(status)

    async with JupyterRest(lab.url, Token("wrong")) as rest:
        with anyio.fail_after(5):
            await follow_kernel(rest, "k", on_end, lambda: told.append("open"))
    assert told == []


async def test_a_kernel_that_is_gone_by_the_time_its_restart_is_told_is_gone(
    lab: RunningServer,
) -> None:
    async with JupyterRest(lab.url, Token(lab.token)) as rest:
        assert await _who_restarted(rest, "k") == "kernel_gone"


async def test_a_look_that_is_not_answered_does_not_end_the_wait_for_a_kernel(
    lab: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "LOOK_INTERVAL", 0.02)
    looks, seen = 0, anyio.Event()

    def rewrite(data: bytes) -> bytes:
        nonlocal looks
        if b"/channels" in data:
            return b""
        looks += 1
        if looks == 1:
            return data.replace(lab.token.encode(), b"0" * len(lab.token))
        seen.set()
        return data

    async with (
        Proxy.before(lab.port, rewrite=rewrite) as proxy,
        JupyterRest(proxy.url, Token(lab.token)) as rest,
    ):
        with lab.http() as http:
            kernel_id = http.post("/api/kernels").json()["id"]
            with anyio.fail_after(20), pytest.RaisesGroup(KernelNotFoundError):
                async with anyio.create_task_group() as group:
                    group.start_soon(open_kernel, rest, kernel_id, "session")
                    try:
                        await seen.wait()
                    finally:
                        http.delete(f"/api/kernels/{kernel_id}")
