# SPDX-License-Identifier: BSD-3-Clause
"""A private server never outlives its owner, and saves what is pending."""

import os
import signal
import subprocess
import sys
import time

import anyio
import anyio.from_thread
import anyio.to_thread
import psutil
import pytest
from private_server_owner import (
    CHECKOUT,
    EDIT,
    HANGS,
    NOTEBOOK,
    SUDDEN,
    alive,
    ask,
    edit,
    http,
    open_room,
    owner,
    synchronise,
    tell,
)

from jupyter_agent_core._http import private_server as module
from jupyter_agent_core._http import private_server_child as child
from jupyter_agent_core._http.private_server import private_server

pytestmark = pytest.mark.alone

GONE = 2.0  # seconds, promised
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
NOTHING = ([], [], [])


async def test_it_ends_with_its_context_when_that_is_cancelled(folder, leftovers):
    with anyio.CancelScope() as scope:
        async with private_server(folder):
            scope.cancel()
            await anyio.sleep_forever()
    assert leftovers() == NOTHING


async def test_its_context_closes_when_it_was_killed(folder, leftovers):
    async with private_server(folder) as server:
        psutil.Process(server.pid).kill()
    assert leftovers() == NOTHING


@posix
async def test_it_is_killed_if_it_does_not_react(folder, leftovers, monkeypatch):
    monkeypatch.setattr(module, "STOP_TIMEOUT", 0.1)
    async with private_server(folder) as server:
        psutil.Process(server.pid).suspend()
    assert leftovers() == NOTHING


def waiting(before):
    """Start a process that waits for signals, after some code."""
    code = f"import signal\n{before}\nprint(flush=True)\nwhile True: signal.pause()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    return process


@posix
@pytest.mark.parametrize(
    ("before", "by"),
    [("", signal.SIGTERM), ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", signal.SIGKILL)],
)
async def test_what_does_not_end_when_it_is_asked_to_is_ended(before, by, monkeypatch):
    monkeypatch.setattr(module, "STOP_TIMEOUT", 0.5)
    process = await anyio.to_thread.run_sync(waiting, before)
    await module._stop(process)
    assert process.returncode == -by


def test_a_forked_process_does_not_keep_a_server_alive(monkeypatch):
    reading, writing = os.pipe()
    lifelines = {os.fdopen(writing, "wb")}
    monkeypatch.setattr(module, "_lifelines", lifelines)
    module._drop_lifelines()
    with os.fdopen(reading, "rb") as server:
        assert server.read() == b""
    assert not lifelines


@pytest.mark.parametrize("way", ["SIGTERM", "api/shutdown"])
async def test_stopping_it_from_elsewhere_saves_too(folder, leftovers, way):
    if way == "SIGTERM" and os.name != "posix":
        pytest.skip("there it kills")
    async with private_server(folder) as server:
        async with open_room(server) as (websocket, doc):
            await edit(websocket, doc, EDIT)
            await synchronise(websocket, doc)
            assert EDIT not in (folder / NOTEBOOK).read_text()
            if way == "SIGTERM":
                psutil.Process(server.pid).terminate()
            else:
                async with http(server) as client:
                    await client.post(way)
            left = await anyio.to_thread.run_sync(alive, [server.pid], GONE)
        assert left == []
        assert EDIT in (folder / NOTEBOOK).read_text()
    assert leftovers() == NOTHING


ENDS = ["close", "exception", "sys.exit", "os._exit"]
ENDS += (
    ["SIGTERM", "SIGKILL", "SIGINT", "sudden", "deaf kernel", "fork"] if os.name == "posix" else []
)


@pytest.mark.parametrize("end", ENDS)
def test_it_saves_and_is_gone_in_two_seconds_when_its_owner_ends(folder, leftovers, end):
    with owner(end, folder, stderr=subprocess.DEVNULL) as process:
        facts = ask(process)
        tell(process)
        assert ask(process) == {"saved": False}
        tell(process)
        began = time.perf_counter()
        if end in ("deaf kernel", "fork"):
            process.kill()
        elif end == "SIGINT":
            os.killpg(process.pid, signal.SIGINT)
        elif end.startswith("SIG"):
            process.send_signal(getattr(signal, end))
        try:
            left = alive(facts["pids"], GONE)
            took = time.perf_counter() - began
            assert left == []
        finally:
            if facts["worker"]:
                os.kill(facts["worker"], signal.SIGKILL)
        assert process.wait(HANGS) != (0 if end != "close" else None)
    text = (folder / NOTEBOOK).read_text()
    assert EDIT in text
    assert (SUDDEN in text) is (end == "sudden")
    assert leftovers() == NOTHING
    print(f"{end}: gone after {took:.2f} s")


@posix
def test_it_is_gone_in_two_seconds_even_if_it_is_stuck(folder, leftovers, on_path):
    # The loop of the server, and only that, is blocked as soon as it begins to wind up.
    on_path(
        "sitecustomize.py",
        f"import asyncio, os, time\nif {child.TOKEN_VARIABLE!r} in os.environ:\n"
        "    asyncio.wait = lambda *_, **__: time.sleep(60)\n",
    )
    path = os.pathsep.join([os.environ["PYTHONPATH"], str(CHECKOUT)])
    with owner("SIGKILL", folder, PYTHONPATH=path) as process:
        pids = ask(process)["pids"]
        process.kill()
        assert alive(pids, GONE) == []
    assert leftovers() == NOTHING


@posix
def test_it_ends_if_its_owner_dies_while_it_starts(folder, leftovers, on_path):
    fifo = folder.parent / "fifo"
    os.mkfifo(fifo)
    on_path(
        "jupyter_server.py",
        f"import os, time\nwith open({str(fifo)!r}, 'w') as f: f.write(str(os.getpid()))\n"
        "time.sleep(60)",
    )
    path = os.pathsep.join([os.environ["PYTHONPATH"], str(CHECKOUT)])
    with owner("close", folder, PYTHONPATH=path) as process:
        pid = int(fifo.read_text())
        process.kill()
        assert alive([pid], GONE) == []
    assert leftovers() == NOTHING
