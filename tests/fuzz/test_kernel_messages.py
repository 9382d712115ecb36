# SPDX-License-Identifier: BSD-3-Clause
"""Whatever a kernel sends, its run ends, and what is recorded of it is a valid notebook."""

import json
import os
from contextlib import suppress
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jupyter_kernel_client.utils import serialize_msg_to_ws_v1

from jupyter_agent_core._document.editor import Editor
from jupyter_agent_core._document.model import NotebookDocument
from jupyter_agent_core._document.operations import InsertCell
from jupyter_agent_core._execution.conversation import Conversation
from jupyter_agent_core._execution.execution import Execution
from jupyter_agent_core._execution.recorder import Recorder
from jupyter_agent_core._execution.wire import SUBPROTOCOL, ProtocolError, Wire

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
OURS = "ours_1"

TEXT = st.text(max_size=20) | st.sampled_from(["\r", "\b\b", "\n", "a\rb", "stdout", "Ω\n"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
BUNDLE = st.dictionaries(st.sampled_from(["text/plain", "image/png", "application/json"]), JSON)
DISPLAY_IDS = st.sampled_from(["one", "two", ""])
TRANSIENT = st.fixed_dictionaries({}, optional={"display_id": DISPLAY_IDS})
STATES = st.sampled_from(["busy", "idle", "starting", "restarting", "dead"])
# the fields of all messages, each as it should be
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(["stdout", "stderr"]),
    "text": TEXT,
    "data": BUNDLE,
    "metadata": st.dictionaries(TEXT, JSON, max_size=2),
    "transient": TRANSIENT,
    "execution_count": st.integers(0, 9) | st.none(),
    "ename": TEXT,
    "evalue": TEXT,
    "traceback": st.lists(TEXT, max_size=3),
    "wait": st.booleans(),
    "execution_state": STATES,
    "code": TEXT,
    "status": st.sampled_from(["ok", "error", "aborted", "abort"]),
    "restart": st.booleans(),
    "comm_id": TEXT,
    "prompt": TEXT,
}
WELL_FORMED = st.fixed_dictionaries(FIELDS)
# one field or another is missing, or is something else
ODD = st.builds(
    lambda content, gone, other: {k: v for k, v in (content | other).items() if k not in gone},
    WELL_FORMED,
    st.sets(st.sampled_from(sorted(FIELDS)), max_size=2),
    st.dictionaries(st.sampled_from(sorted(FIELDS)), JSON, max_size=2),
)
OUTPUTS = ["stream", "display_data", "execute_result", "update_display_data", "error"]
OTHERS = ["clear_output", "status", "execute_reply", "execute_input", "shutdown_reply", "comm_msg"]
TYPES = st.sampled_from([*OUTPUTS, *OUTPUTS, *OTHERS, "input_request", "what_is_this"])
HEADERS = st.fixed_dictionaries(
    {"msg_type": TYPES, "msg_id": st.just("m"), "session": st.sampled_from(["first", "second", ""])}
)
PARENTS = st.fixed_dictionaries(
    {
        "msg_id": st.sampled_from([OURS, OURS, OURS, "theirs_1", ""]),
        "msg_type": st.sampled_from(["execute_request", ""]),
    }
)
MESSAGES = st.fixed_dictionaries(
    {
        "channel": st.sampled_from(["iopub", "iopub", "shell", "stdin", "control"]),
        "header": HEADERS | JSON,
        "parent_header": PARENTS | JSON,
        "content": WELL_FORMED | ODD | JSON,
    }
)


@settings(max_examples=EXAMPLES)
@given(st.lists(MESSAGES, max_size=20), st.booleans())
def test_any_messages_leave_a_valid_notebook_and_a_run_that_has_ended(
    messages: list[dict[str, Any]], is_contested: bool
) -> None:
    document = NotebookDocument()
    editor = Editor(document)
    editor.apply([InsertCell("code", "code", before=None)])
    wire, talk = Wire(None, "ours"), Conversation("ours", contested=is_contested)
    recorder = Recorder(document, document.ids[0], talk.displays, editor.author)
    run = Execution("code", talk.displays, cell_id=document.ids[0], listener=recorder)
    run.message_id = OURS
    run.start()
    talk.current = run
    for one in messages:
        with suppress(ProtocolError):
            talk.receive(wire.message(json.dumps(one)))
        assert (talk.current is None) == run.done.is_set()
        assert run.result().text is not None
        assert talk.state
    talk.end_all("disconnected")
    assert run.done.is_set()
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [document.nbformat_cell(document.ids[0])],
    }
    nbformat.validate(json.loads(json.dumps(notebook, allow_nan=False)))


FRAMINGS = st.sampled_from([SUBPROTOCOL, None])


@given(FRAMINGS, st.binary(max_size=80) | st.text(max_size=80))
def test_any_frame_is_a_message_or_breaks_the_protocol(
    framing: str | None, frame: bytes | str
) -> None:
    with suppress(ProtocolError):
        Wire(framing, "ours").message(frame)


@given(FRAMINGS, st.data())
def test_a_frame_that_is_cut_or_changed_is_a_message_or_breaks_the_protocol(
    framing: str | None, data: st.DataObject
) -> None:
    wire = Wire(framing, "ours")
    _, frame = wire.request("execute_request", {"code": "print('Ω')"})
    whole = frame.encode() if isinstance(frame, str) else bytes(frame)
    at, gone = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 9))
    broken = whole[:at] + data.draw(st.binary(max_size=4)) + whole[at + gone :]
    with suppress(ProtocolError):
        wire.message(broken if framing else broken.decode(errors="replace"))


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_json_does_not_have_becomes_null_as_in_browsers(constant: str) -> None:
    header = '{"msg_type": "display_data"}'
    content = f'{{"data": {{"application/json": [{constant}]}}}}'
    parts = [part.encode() for part in (header, "{}", "{}", content)]
    whole = f'"channel": "iopub", "header": {header}, "parent_header": {{}}, "content": {content}'
    frames = {SUBPROTOCOL: serialize_msg_to_ws_v1(parts, "iopub"), None: f"{{{whole}}}"}
    for framing, frame in frames.items():
        message = Wire(framing, "ours").message(frame)
        assert message.content["data"] == {"application/json": [None]}
