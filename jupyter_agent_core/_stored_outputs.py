# SPDX-License-Identifier: BSD-3-Clause
"""Outputs as nbformat 4 stores them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ._values import DisplayOutput, ErrorOutput, ExecuteResult, Output, StreamOutput

_JSON = re.compile(r"application/(.*\+)?json")


def is_json(mime: str) -> bool:
    """Whether a representation is a JSON value, and not text."""
    return _JSON.fullmatch(mime) is not None


def output_from_nbformat(output: Mapping[str, Any]) -> Output:
    """Return the value of one output of an nbformat 4 code cell.

    Raises:
        ValueError: nbformat 4 knows no such `output_type`.
    """
    kind = output["output_type"]
    if kind == "stream":
        return StreamOutput(output["name"], _text(output["text"]))
    if kind == "error":
        return ErrorOutput(output["ename"], output["evalue"], tuple(output["traceback"]))
    data = {mime: representation(mime, value) for mime, value in output["data"].items()}
    if kind == "display_data":
        return DisplayOutput(data, output.get("metadata", {}))
    if kind == "execute_result":
        count = as_count(output.get("execution_count"))
        return ExecuteResult(data, output.get("metadata", {}), count)
    raise ValueError(f"nbformat 4 has no output_type {kind!r}")


def representation(mime: str, value: Any) -> Any:
    """Return a value of a MIME bundle: nbformat stores text, but no JSON, as a list of lines."""
    return value if is_json(mime) else _text(value)


def _text(value: Any) -> str:
    """Join a list of lines; what is no text, against nbformat, is told as JSON."""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_count(value: object) -> int | None:
    """Return an execution count as an integer: numbers written by Yjs clients are floats."""
    return int(value) if isinstance(value, int | float) else None
