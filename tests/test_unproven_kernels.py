# SPDX-License-Identifier: BSD-3-Clause
"""Requests and runs that wait for the next process of a kernel, or for a socket that is full."""

from typing import Any

import anyio
import pytest
from websockets.exceptions import ConnectionClosedError

from jupyter_agent_core import ConnectionLostError
from jupyter_agent_core._execution import introspection
from jupyter_agent_core._execution.channels import KernelChannels
from jupyter_agent_core._execution.execution import Execution
from jupyter_agent_core._execution.wire import SUBPROTOCOL, Message


class Socket:
    """A websocket that takes what it is given, or fails when a test says so."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.full = anyio.Event()
        self.failed: anyio.Event | None = None

    async def send(self, frame: Any) -> None:
        self.sent.append(frame)
        if self.failed is not None:
            self.full.set()
            await self.failed.wait()
            raise ConnectionClosedError(None, None)


@pytest.fixture
async def socket() -> Socket:
    return Socket()


@pytest.fixture
async def channels(socket: Socket) -> KernelChannels:
    rest: Any = None
    live: Any = socket
    channels = KernelChannels(rest, "k")
    channels._wire.subprotocol = SUBPROTOCOL
    channels._socket = live
    return channels


async def test_a_request_waits_for_the_process_after_the_last_of_two_restarts(
    channels: KernelChannels, socket: Socket
) -> None:
    talk = channels._talk
    talk.process.doubt()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(channels.request, "kernel_info_request", {})
            await anyio.wait_all_tasks_blocked()
            talk.process.doubt()
            assert socket.sent == []
            idle = {"execution_state": "idle"}
            talk.receive(Message("iopub", "status", "m", "", "", "", "next", idle))
    assert len(socket.sent) == 1


async def test_a_request_that_waits_ends_with_the_connection(channels: KernelChannels) -> None:
    channels._talk.process.doubt()
    with anyio.fail_after(5), pytest.RaisesGroup(ConnectionLostError):
        async with anyio.create_task_group() as group:
            group.start_soon(channels.request, "kernel_info_request", {})
            await anyio.wait_all_tasks_blocked()
            channels._lose("the kernel was shut down", "kernel_gone")


async def test_a_kernel_that_is_not_heard_is_deaf_and_not_waited_for(
    channels: KernelChannels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introspection, "PROBE_TIMEOUT", 0.01)
    channels._talk.process.doubt()
    with anyio.fail_after(5):
        assert await introspection.Introspection(channels, channels._rest)._is_deaf()


async def test_a_run_that_ended_while_it_was_being_sent_is_not_sent_again(
    channels: KernelChannels, socket: Socket
) -> None:
    socket.failed = anyio.Event()
    run = Execution("1", channels.displays)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(channels.submit, run)
            await socket.full.wait()
            channels._talk.note_restart("before")
            channels._talk.end_all("kernel_restarted")
            socket.failed.set()
    assert run.status == "kernel_restarted"
    assert channels.pending == 0


async def test_the_next_process_of_a_kernel_is_not_waited_for_on_a_connection_that_has_ended(
    channels: KernelChannels, socket: Socket
) -> None:
    socket.failed = anyio.Event()
    socket.failed.set()
    channels._talk.process.doubt()
    live: Any = socket
    with anyio.fail_after(5):
        await channels._prove(live)
    assert len(socket.sent) == 1
    assert channels._talk.process.unproven.is_set()
