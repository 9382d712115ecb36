# SPDX-License-Identifier: BSD-3-Clause
"""Kernel messages on the websocket, in both framings that servers speak.

The framing is that of `jupyter_kernel_client`; this module is the only one that touches
it. Protocol: Jupyter messaging 5.4, `v1.kernel.websocket.jupyter.org` or the older JSON.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Mapping
from typing import Any, Literal

import attrs
import msgspec
from jupyter_kernel_client.utils import (  # type: ignore[import-untyped]
    deserialize_msg_from_ws_default,
    deserialize_msg_from_ws_v1,
    serialize_msg_to_ws_json,
    serialize_msg_to_ws_v1,
)

from .contents import checked

SUBPROTOCOL = "v1.kernel.websocket.jupyter.org"
PROTOCOL_VERSION = "5.4"

_encode = json.JSONEncoder(separators=(",", ":")).encode


@attrs.frozen
class Message:
    """One message from a kernel.

    Attributes:
        channel: `"shell"`, `"iopub"`, `"stdin"` or `"control"`.
        type: The message type.
        id: Its id.
        parent: Id of the request that caused it, empty if there is none.
        parent_type: Type of that request.
        subshell: Id of the subshell that the request was for, empty for the main shell.
        session: Id of its sender's session: a kernel that is restarted has another one.
        content: Its content.
        date: When it was made, by the kernel's clock, in a form that sorts; empty if not told.
    """

    channel: str
    type: str
    id: str
    parent: str
    parent_type: str
    subshell: str
    session: str
    content: Mapping[str, Any]
    date: str = ""


class ProtocolError(Exception):
    """A frame from a kernel breaks the protocol."""


class _Header(msgspec.Struct):
    msg_type: str
    msg_id: str = ""
    session: str = ""
    date: object = ""


class _Parent(msgspec.Struct):
    msg_id: str = ""
    msg_type: str = ""
    subshell_id: str | None = None


class Wire:
    """The framing of a connection, and the numbering of our requests on it.

    Attributes:
        subprotocol: What the server chose in the handshake, None for the older framing; a new
            connection of the session may have another one.

    Args:
        subprotocol: The same.
        session: Id of our session with the kernel.
    """

    def __init__(self, subprotocol: str | None, session: str) -> None:
        self.subprotocol: str | None = subprotocol
        self._session = session
        self._sent = 0

    def request(
        self,
        type_: str,
        content: Mapping[str, Any],
        channel: str = "shell",
        subshell: str | None = None,
        answers: Message | None = None,
    ) -> tuple[str, bytes | str]:
        """Return the id of a new request, or of an answer to one of the kernel's, and its frame."""
        self._sent += 1
        message_id = f"{self._session}_{os.getpid()}_{self._sent}"
        header = {
            "msg_id": message_id,
            "msg_type": type_,
            "username": "agent",
            "session": self._session,
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "version": PROTOCOL_VERSION,
        }
        if subshell is not None:
            header["subshell_id"] = subshell
        parent: dict[str, str] = {}
        if answers is not None:
            parent = {
                "msg_id": answers.id,
                "msg_type": answers.type,
                "session": answers.session,
            }
        if self.subprotocol == SUBPROTOCOL:
            parts = [_encode(part).encode() for part in (header, parent, {}, content)]
            return message_id, serialize_msg_to_ws_v1(parts, channel)
        message = {
            "header": header,
            "parent_header": parent,
            "metadata": {},
            "content": content,
            "channel": channel,
            "buffers": [],
        }
        return message_id, serialize_msg_to_ws_json(message)

    def message(self, frame: bytes | str) -> Message:
        """Read one frame.

        Raises:
            ProtocolError: It is none, or its message is not what the protocol says.
        """
        try:
            return self._read(frame)
        except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
            raise ProtocolError(f"{type(error).__name__}: {error}") from error

    def _read(self, frame: bytes | str) -> Message:
        if self.subprotocol == SUBPROTOCOL:
            channel, parts = deserialize_msg_from_ws_v1(_bounded(frame, 8, "little"))
            header, parent, content = (_parsed(parts[i]) for i in (0, 1, 3))
        else:
            whole = deserialize_msg_from_ws_default(_bounded(frame, 4, "big"))
            channel, header = whole["channel"], whole["header"]
            parent, content = whole["parent_header"], _without_halves(whole["content"])
        header, parent = msgspec.convert(header, _Header), msgspec.convert(parent or {}, _Parent)
        return Message(
            channel,
            header.msg_type,
            header.msg_id,
            parent.msg_id,
            parent.msg_type,
            parent.subshell_id or "",
            header.session,
            checked(header.msg_type, content),
            header.date if isinstance(header.date, str) else "",
        )


def _bounded(frame: bytes | str, size: int, order: Literal["little", "big"]) -> bytes | str:
    """Return a frame that does not claim to have more parts than it can have.

    Args:
        frame: In one of the framings, which both begin with how many parts there are.
        size: Bytes of that number, and of the place of each part.
        order: Their order.
    """
    if isinstance(frame, bytes) and int.from_bytes(frame[:size], order) > len(frame) // size:
        raise ValueError(f"a frame of {len(frame)} bytes that claims to have more parts")
    return frame


def _parsed(part: bytes) -> Any:
    """Read JSON; what is no text (a file name in no encoding, say) becomes question marks."""
    text = bytes(part).decode(errors="replace")
    value = json.loads(text, parse_constant=_null)
    return _without_halves(value) if "\\ud" in text.lower() else value


def _without_halves(value: Any) -> Any:
    """Return JSON with question marks for half characters, which no document can hold."""
    text = json.dumps(value, ensure_ascii=False).encode(errors="replace")
    return json.loads(text, parse_constant=_null)


def _null(constant: str) -> None:
    """Stand for NaN and infinities, which JSON does not have: as browsers write them."""


def new_session() -> str:
    """Return the id of a new session with a kernel."""
    return uuid.uuid4().hex
