# SPDX-License-Identifier: BSD-3-Clause
"""Frames that no server sends, between those that one does, on websockets of rooms and kernels."""

import json
import os
import random
from typing import Any

import anyio
import pytest
from collaborator import collaborator
from pycrdt import Array, Awareness, Doc, Encoder, Map, create_awareness_message
from servers import Proxy, RunningServer

from jupyter_agent_core import connect
from jupyter_agent_core._execution.wire import SUBPROTOCOL, Wire

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "30"))
SEEDS = [int(seed) for seed in os.environ.get("FUZZ_SEED", "1,2").split(",")]
TEXT, BINARY, PING, PONG = 1, 2, 9, 10
# those that RFC 6455 reserves end the connection
RESERVED = (3, 7, 11, 15)
LONGEST = 125  # of a frame with one byte of length


class Oddities:
    """Payloads of frames, chosen by a seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 (it is to be repeated)
        ydoc = Doc[Any]()
        ydoc["cells"] = Array([Map({"id": "odd"})])
        self._update = b"\0\2" + bytes([len(ydoc.get_update())]) + ydoc.get_update()

    def frame(self, *opcodes: int) -> tuple[int, bytes]:
        opcode = self._chance.choice((TEXT, BINARY, BINARY, BINARY, PING, PONG, *opcodes))
        if opcode == TEXT:
            return opcode, json.dumps(self._json()).encode()[:LONGEST]
        kinds = (self._noise, self._cut, self._awareness, self._raw, self._of_a_kernel)
        return opcode, self._chance.choice(kinds)()[:LONGEST]

    def _noise(self) -> bytes:
        kind = self._chance.choice([b"", b"\0\0", b"\0\2", b"\0\1", b"\1", b"\2"])
        return kind + self._chance.randbytes(self._chance.randrange(20))

    def _cut(self) -> bytes:
        return self._update[: self._chance.randrange(1, len(self._update))]

    def _awareness(self) -> bytes:
        awareness = Awareness(Doc())
        awareness.set_local_state({"user": self._json(), "cursors": self._json()})
        return create_awareness_message(awareness.encode_awareness_update([awareness.client_id]))

    def _raw(self) -> bytes:
        encoder = Encoder()
        encoder.write_var_uint(2)
        encoder.write_var_string(json.dumps(self._json()))
        return encoder.to_bytes()

    def _of_a_kernel(self) -> bytes:
        kinds = ("status", "stream", "execute_reply", "error")
        _, frame = Wire(SUBPROTOCOL, "s").request(self._chance.choice(kinds), {"x": self._json()})
        return bytes(frame)[: self._chance.choice((30, LONGEST))]

    def _json(self) -> Any:
        return self._chance.choice(
            [
                *(None, 1, "text", [], [1], {}, {"name": 3}, {"type": "save"}, {"type": 4}),
                {"type": "save", "responseTo": 99, "status": "success"},
                {"header": []},
            ]
        )


@pytest.mark.parametrize("seed", SEEDS)
async def test_odd_frames_harm_neither_a_document_nor_a_run(
    lab: RunningServer, folder: str, seed: int
) -> None:
    path, oddities, lines = f"{folder}/n.ipynb", Oddities(seed), []
    async with (
        Proxy.before(lab.port) as proxy,
        connect(proxy.url, token=lab.token) as server,
    ):
        notebook = await server.open_notebook(path, create=True)
        text, code = await notebook.append_cell("", "markdown"), await notebook.append_cell("6 * 7")
        assert (await code.execute(timeout=30)).text == "42"
        async with collaborator(lab, path) as human:
            with anyio.fail_after(30 + ROUNDS):
                for number in range(ROUNDS):
                    for _ in range(8):
                        proxy.say(*oddities.frame())
                    lines.append(f"line {number}\n")
                    await text.set_source("".join(lines))
                    if number % 5 == 0:
                        assert (await code.execute(timeout=20)).text == "42"
                    notebook.collaborators()
                    await notebook.selections()
                await notebook.flush()
                await human.until(lambda: human.cell(text.id)["source"] == "".join(lines))


@pytest.mark.parametrize("seed", SEEDS)
async def test_frames_that_end_the_connection_cost_no_edit(
    lab: RunningServer, folder: str, seed: int
) -> None:
    path, oddities, lines = f"{folder}/n.ipynb", Oddities(seed), []
    async with Proxy.before(lab.port) as proxy, connect(proxy.url, token=lab.token) as server:
        notebook = await server.open_notebook(path, create=True)
        text = await notebook.append_cell("", "markdown")
        async with collaborator(lab, path) as human:
            with anyio.fail_after(30 + ROUNDS):
                for number in range(6):
                    proxy.say(*oddities.frame(*RESERVED * 3))
                    lines.append(f"line {number}\n")
                    await text.set_source("".join(lines))
                    await notebook.flush()
                await human.until(lambda: human.cell(text.id)["source"] == "".join(lines))
