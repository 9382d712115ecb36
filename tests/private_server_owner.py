# SPDX-License-Identifier: BSD-3-Clause
"""Processes that own a private server, and a client of it with nothing of ours.

`python private_server_owner.py MODE FOLDER` is such a process: it says on stdout what there is,
waits on stdin to be told, and ends in the way that the mode names.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import psutil
import pycrdt
from websockets.asyncio.client import connect

from jupyter_agent_core._http import private_server as module
from jupyter_agent_core._http.private_server import private_server

CHECKOUT = Path(module.__file__).parents[2]
NOTEBOOK = "notebook.ipynb"
EDIT = "an edit that no save has seen"
SUDDEN = "an edit sent in the last moment"
HANGS = 30.0  # seconds after which something has failed


# --- a minimal client


def headers(server):
    return {"Authorization": f"token {server.token}"}


def http(server):
    return httpx.AsyncClient(base_url=server.url, headers=headers(server), timeout=HANGS)


def socket(server, path):
    url = f"ws{server.url.removeprefix('http')}{path}"
    return connect(url, additional_headers=headers(server), max_size=None)


@asynccontextmanager
async def open_room(server):
    """A notebook with one empty cell, open: its websocket and our replica."""
    cell = {"cell_type": "code", "id": "c", "metadata": {}, "outputs": [], "source": ""}
    notebook = {
        "cells": [cell | {"execution_count": None}],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    async with http(server) as client:
        body = {"type": "notebook", "format": "json", "content": notebook}
        (await client.put(f"api/contents/{NOTEBOOK}", json=body)).raise_for_status()
        reply = await client.put(f"api/collaboration/session/{NOTEBOOK}", json=body)
        at = reply.raise_for_status().json()
    room = f"{at['format']}:{at['type']}:{at['fileId']}?sessionId={at['sessionId']}"
    async with socket(server, f"api/collaboration/room/{room}") as websocket:
        doc = pycrdt.Doc()
        await synchronise(websocket, doc)
        yield websocket, doc


async def synchronise(websocket, doc):
    """Return when the server has applied what was sent before."""
    await websocket.send(pycrdt.create_sync_message(doc))
    async for message in websocket:
        if message[0] == pycrdt.YMessageType.SYNC and message[1] != 0:
            doc.apply_update(pycrdt.read_message(message[2:]))
            if message[1] == pycrdt.YSyncMessageType.SYNC_STEP2:
                return


async def edit(websocket, doc, text):
    before = doc.get_state()
    source = doc.get("cells", type=pycrdt.Array)[0]["source"]
    source += text
    await websocket.send(pycrdt.create_update_message(doc.get_update(before)))


@asynccontextmanager
async def open_kernel(server):
    async with http(server) as client:
        kernel_id = (await client.post("api/kernels")).raise_for_status().json()["id"]
    async with socket(server, f"api/kernels/{kernel_id}/channels") as websocket:
        yield websocket


async def execute(websocket, code, until="idle"):
    """What the code prints until its kernel is idle, or, with `busy`, until it has begun."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": "s"}
    header |= {"username": "", "date": "", "version": "5.3"}
    message = {"header": header, "parent_header": {}, "metadata": {}, "channel": "shell"}
    await websocket.send(json.dumps(message | {"content": {"code": code}, "buffers": []}))
    printed = ""
    async for raw in websocket:
        reply = json.loads(raw)
        if reply["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        if reply["msg_type"] == "stream":
            printed += reply["content"]["text"]
        if reply["content"].get("execution_state") == "idle":
            return printed
        if reply["msg_type"] == "execute_input" and until == "busy":
            return printed
    raise AssertionError("the kernel's websocket was closed")


# --- an owner, as a process of its own


def say(**facts):
    print(json.dumps(facts), flush=True)


async def told():
    """Wait until the test says so."""
    await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)


async def own(mode, folder):
    """Own a server with an unsaved edit and a busy kernel until told to end in some way."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(private_server(folder))
        room = await stack.enter_async_context(open_room(server))
        kernel = await stack.enter_async_context(open_kernel(server))
        kernel_pid = int(await execute(kernel, "import os; print(os.getpid())"))
        await execute(kernel, "__import__('time').sleep(60)", until="busy")
        if mode == "deaf kernel":
            psutil.Process(kernel_pid).suspend()
        worker = os.fork() if mode == "fork" else None
        if worker == 0:
            signal.pause()
        say(pids=[server.pid, kernel_pid], url=server.url, worker=worker)
        await told()
        await edit(*room, EDIT)
        await synchronise(*room)
        say(saved=EDIT in Path(folder, NOTEBOOK).read_text())
        await told()
        if mode == "exception":
            raise RuntimeError("the owner fails")
        if mode == "sys.exit":
            sys.exit(3)
        if mode == "os._exit":
            os._exit(3)
        if mode == "sudden":
            await edit(*room, SUDDEN)
            os.kill(os.getpid(), signal.SIGKILL)
        if mode != "close":
            await anyio.sleep_forever()


async def join(folder):
    await told()
    async with private_server(folder, join=True) as server:
        owned = psutil.Process(server.pid).ppid() == os.getpid()
        say(url=server.url, token=server.token, owned=owned)
        await told()


@contextmanager
def owner(mode, folder, **options):
    """Another process that owns a server; ends with the test."""
    process = subprocess.Popen(
        [sys.executable, __file__, mode, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=options.pop("stderr", None),
        text=True,
        start_new_session=os.name == "posix",  # a process group, as in a terminal
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)} | options,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=HANGS)


def tell(process):
    process.stdin.write("\n")
    process.stdin.flush()


def ask(process):
    return json.loads(process.stdout.readline())


def alive(pids, within):
    """Those of the processes that have not ended within the time."""
    if not hasattr(os, "pidfd_open"):
        processes = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
        return [process.pid for process in psutil.wait_procs(processes, timeout=within)[1]]
    # An orphan's end is not its disappearance: that waits for whoever adopts orphans here.
    deadline = time.monotonic() + within
    return [pid for pid in pids if not ends(pid, deadline - time.monotonic())]


def ends(pid, within):
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], max(within, 0))[0])
    finally:
        os.close(pidfd)


if __name__ == "__main__":
    mode, folder = sys.argv[1:]
    anyio.run(*((join, folder) if mode == "join" else (own, mode, folder)))
