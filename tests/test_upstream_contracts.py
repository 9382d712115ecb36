# SPDX-License-Identifier: BSD-3-Clause
"""What we rely on in packages of others that they do not promise.

A failure here says which upper bound in `pyproject.toml` may not be raised yet, and why.
"""

import json
import time
from typing import Any

import pycrdt
import pytest
from jupyter_kernel_client.utils import (
    deserialize_msg_from_ws_default,
    deserialize_msg_from_ws_v1,
    serialize_msg_to_ws_json,
    serialize_msg_to_ws_v1,
)
from jupyter_server.services.kernels.kernelmanager import MappingKernelManager
from jupyter_ydoc import YNotebook
from pycrdt import Array, ArrayEvent, Awareness, Doc, Map, MapEvent, Text, TextEvent

from jupyter_agent_core._execution.wire import SUBPROTOCOL, Wire
from jupyter_agent_core._http.rest import KERNEL_START_TIMEOUT

HEADER = {"msg_id": "m1", "msg_type": "stream", "session": "s", "version": "5.4"}
PARENT = {"msg_id": "p1"}
CONTENT = {"name": "stdout", "text": "é😀"}


# --- jupyter_ydoc


def test_a_notebook_is_made_of_shared_types() -> None:
    doc = Doc[Any]()
    awareness = Awareness(doc)
    notebook = YNotebook(doc, awareness)
    assert notebook.ydoc is doc
    assert isinstance(notebook.ycells, Array)
    assert isinstance(notebook.ystate, Map)
    assert isinstance(notebook._ymeta, Map)
    assert notebook.awareness is awareness
    assert len(notebook.ycells) == 0


def test_metadata_is_where_we_read_it() -> None:
    notebook = YNotebook()
    notebook.set(
        {
            "cells": [],
            "metadata": {"kernelspec": {"name": "k"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )
    assert notebook._ymeta.to_py()["metadata"]["kernelspec"]["name"] == "k"


def test_a_cell_is_made_of_shared_types() -> None:
    notebook = YNotebook()
    plain = {
        "id": "c",
        "cell_type": "code",
        "source": "x",
        "metadata": {"trusted": True},
        "outputs": [],
        "execution_count": None,
    }
    notebook.ycells.append(notebook.create_ycell(plain))
    cell = notebook.ycells[0]
    assert isinstance(cell, Map)
    assert isinstance(cell["source"], Text)
    assert isinstance(cell["metadata"], Map)
    assert isinstance(cell["outputs"], Array)
    assert cell.to_py() == {**plain, "execution_state": "idle"}


def test_outputs_are_made_of_shared_types() -> None:
    notebook = YNotebook()
    stream = {"output_type": "stream", "name": "stdout", "text": ["a", "b"]}
    error = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": []}
    cell = {"id": "c", "cell_type": "code", "source": "", "outputs": []}
    notebook.ycells.append(notebook.create_ycell(cell))
    youtputs = notebook.ycells[0]["outputs"]
    youtputs.extend(notebook._create_youtputs([stream, error]))
    assert isinstance(youtputs[0]["text"], Text)
    assert youtputs.to_py() == [{**stream, "text": "ab"}, error]


def test_the_cells_as_json_are_the_cells_as_values() -> None:
    notebook = YNotebook()
    for source in ('a\n"b"\\', "é😀\u2028\x00"):
        notebook.ycells.append(
            notebook.create_ycell({"id": source, "cell_type": "raw", "source": source})
        )
    assert json.loads(str(notebook.ycells)) == notebook.ycells.to_py()


# --- jupyter_kernel_client


def test_the_framing_of_the_new_protocol_is_symmetric() -> None:
    parts = [json.dumps(part).encode() for part in (HEADER, PARENT, {}, CONTENT)]
    frame = serialize_msg_to_ws_v1(parts, "iopub")
    assert isinstance(frame, bytes)
    channel, read = deserialize_msg_from_ws_v1(frame)
    assert channel == "iopub"
    assert [json.loads(part) for part in read[:4]] == [HEADER, PARENT, {}, CONTENT]


def test_the_framing_of_the_old_protocol_is_symmetric() -> None:
    message: dict[str, Any] = {
        "header": HEADER,
        "parent_header": PARENT,
        "metadata": {},
        "content": CONTENT,
        "channel": "iopub",
        "buffers": [],
    }
    read = deserialize_msg_from_ws_default(serialize_msg_to_ws_json(message))
    assert {key: read[key] for key in message} == message


@pytest.mark.parametrize("subprotocol", [SUBPROTOCOL, None])
def test_a_request_of_ours_is_read_back_in_both_framings(subprotocol: str | None) -> None:
    wire = Wire(subprotocol, "session")
    message_id, frame = wire.request("execute_request", {"code": "'é😀'"})
    other_id, _ = wire.request("execute_request", {"code": ""})
    message = wire.message(frame)
    assert (message.channel, message.type) == ("shell", "execute_request")
    assert message.content == {"code": "'é😀'"}
    assert message.parent == ""
    assert message_id != other_id


# --- pycrdt


def test_text_counts_utf8_bytes() -> None:
    text = Doc()["t"] = Text("é😀x")
    assert len(text) == 7
    text.insert(2, "-")
    assert str(text) == "é-😀x"
    del text[3:7]
    assert str(text) == "é-x"


def test_deep_events_say_where_and_what() -> None:
    doc: Doc[Any] = Doc()
    cells = doc["cells"] = Array([Map({"id": str(n), "source": Text("")}) for n in range(3)])
    seen: list[Any] = []
    subscription = cells.observe_deep(
        lambda events: seen.extend(
            (type(e), list(e.path), getattr(e, "delta", None), list(getattr(e, "keys", {})))
            for e in events
        )
    )
    source = cells[1]["source"]
    source += "x"
    cells[2]["id"] = "new"
    with doc.transaction():
        del cells[0]
        cells.append(Map({"id": "3"}))
    text, map_, array = seen
    assert (text[0], text[1]) == (TextEvent, [1, "source"])
    assert (map_[0], map_[1], map_[3]) == (MapEvent, [2], ["id"])
    assert array[:2] == (ArrayEvent, [])
    assert [next(iter(change)) for change in array[2]] == ["delete", "retain", "insert"]
    assert (array[2][0]["delete"], array[2][1]["retain"], len(array[2][2]["insert"])) == (1, 2, 1)
    cells.unobserve(subscription)


def test_paths_of_deep_events_are_those_after_the_change() -> None:
    doc: Doc[Any] = Doc()
    cells = doc["cells"] = Array([Map({"n": n}) for n in range(3)])
    paths: list[list[Any]] = []
    subscription = cells.observe_deep(lambda events: paths.extend(list(e.path) for e in events))
    with doc.transaction():
        cells[2]["n"] = 20
        del cells[0]
    assert sorted(paths) == [[], [1]]
    cells.unobserve(subscription)


def test_a_transaction_that_changes_nothing_has_an_empty_update() -> None:
    doc: Doc[Any] = Doc()
    doc["t"] = Text("x")
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    other: Doc[Any] = Doc()
    other.apply_update(doc.get_update())
    doc.apply_update(other.get_update())
    with doc.transaction():
        pass
    assert all(update == b"\x00\x00" for update in updates)
    doc.unobserve(subscription)


def test_an_observer_is_called_before_the_block_of_its_transaction_ends() -> None:
    doc: Doc[Any] = Doc()
    text = doc["t"] = Text("")
    order: list[str] = []
    subscription = doc.observe(lambda _: order.append("observed"))
    with doc.transaction(origin="remote"):
        text += "x"
        order.append("changed")
    order.append("after")
    assert order == ["changed", "observed", "after"]
    doc.unobserve(subscription)


def test_merged_updates_are_one_update() -> None:
    one: Doc[Any] = Doc()
    text = one["t"] = Text("")
    updates: list[bytes] = [one.get_update()]
    subscription = one.observe(lambda event: updates.append(event.update))
    for part in "abc":
        text += part
    one.unobserve(subscription)
    other: Doc[Any] = Doc()
    other.apply_update(pycrdt.merge_updates(*updates))
    assert str(other.get("t", type=Text)) == "abc"


def test_a_goodbye_is_an_awareness_state_of_none() -> None:
    one, other = Awareness(Doc()), Awareness(Doc())
    one.set_local_state({"user": {"name": "A"}})
    other.apply_awareness_update(one.encode_awareness_update([one.client_id]), "remote")
    assert other.states[one.client_id]["user"]["name"] == "A"
    assert abs(other.meta[one.client_id]["lastUpdated"] / 1000 - time.time()) < 1
    one.set_local_state(None)
    other.apply_awareness_update(one.encode_awareness_update([one.client_id]), "remote")
    assert one.client_id not in other.states


def test_a_kernel_may_take_as_long_to_start_as_the_server_lets_it() -> None:
    traits = MappingKernelManager.class_traits()
    assert traits["kernel_info_timeout"].default_value < KERNEL_START_TIMEOUT
