# SPDX-License-Identifier: BSD-3-Clause
"""What the contents of a kernel's messages have to be, without I/O.

Kernels are programs of others, and what they send goes into a notebook: it is checked once, where
it comes in, against Jupyter messaging 5.4 and the schema of nbformat 4.5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, NotRequired, TypedDict

import msgspec

from .._stored_outputs import is_json

Content = Mapping[str, Any]

_Count = Annotated[int, msgspec.Meta(ge=0)] | None


class _Stream(TypedDict):
    name: str
    text: str


class _Transient(TypedDict):
    display_id: NotRequired[str | None]


class _Display(TypedDict):
    data: dict[str, Any]
    metadata: NotRequired[dict[str, Any] | None]
    transient: NotRequired[_Transient | None]


class _Result(_Display):
    execution_count: _Count


class _Error(TypedDict):
    ename: str
    evalue: str
    traceback: list[str]


class _Clear(TypedDict):
    wait: NotRequired[bool]


class _Status(TypedDict):
    execution_state: str


class _Input(TypedDict):
    code: str
    execution_count: _Count


class _Reply(TypedDict):
    status: str
    ename: NotRequired[str]


class _Shutdown(TypedDict):
    restart: NotRequired[bool]


class _Question(TypedDict):
    prompt: NotRequired[str]
    password: NotRequired[bool]


_SHAPES: dict[str, Any] = {
    "clear_output": _Clear,
    "display_data": _Display,
    "error": _Error,
    "execute_input": _Input,
    "execute_reply": _Reply,
    "execute_result": _Result,
    "input_request": _Question,
    "shutdown_reply": _Shutdown,
    "status": _Status,
    "stream": _Stream,
    "update_display_data": _Display,
}
_DISPLAYS = ("display_data", "execute_result", "update_display_data")


class _Completions(TypedDict):
    matches: list[str]
    cursor_start: int
    cursor_end: int


class _Inspection(TypedDict):
    found: bool
    data: NotRequired[dict[str, Any] | None]


class _Info(TypedDict):
    language_info: NotRequired[dict[str, Any]]
    supported_features: NotRequired[list[str]]


class _Subshell(TypedDict):
    subshell_id: str


_ANSWERS: dict[str, Any] = {
    "complete_request": _Completions,
    "create_subshell_request": _Subshell,
    "inspect_request": _Inspection,
    "kernel_info_request": _Info,
}


def checked(type_: str, content: Any) -> Content:
    """Return the content of a message; what it would leave in a notebook can be kept there.

    Args:
        type_: The type of the message.
        content: Its content, as JSON.

    Raises:
        msgspec.ValidationError: It is not what the protocol says, and where.
    """
    msgspec.convert(content, _SHAPES.get(type_, dict))
    return _display(content) if type_ in _DISPLAYS else content


def check_answer(request: str, content: Content) -> None:
    """Check what a kernel has answered, if it has not failed.

    Args:
        request: The type of the request.
        content: The content of the reply.

    Raises:
        msgspec.ValidationError: It is not what the protocol says, and where.
    """
    msgspec.convert(content, _ANSWERS.get(request, dict))


def _display(content: Content) -> Content:
    data = {mime: _keepable(mime, value) for mime, value in content["data"].items()}
    metadata, transient = content.get("metadata") or {}, content.get("transient") or {}
    return {**content, "data": data, "metadata": metadata, "transient": transient}


def _keepable(mime: str, value: Any) -> Any:
    """Return what a notebook can hold: of types that are no JSON, text or a list of lines."""
    is_lines = isinstance(value, list) and all(isinstance(line, str) for line in value)
    if isinstance(value, str) or is_lines or is_json(mime):
        return value
    return json.dumps(value, ensure_ascii=False)
