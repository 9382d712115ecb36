# SPDX-License-Identifier: BSD-3-Clause
"""How kernels of a language are asked for their variables, and how their answers are read."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from .._errors import ConfigurationError, KernelUnavailableError
from .._introspection import Variable, VariableListing, VariableValue
from .._kernel_errors import VariableNotFoundError

LANGUAGES = ("python",)
# a request larger than 10 MiB ends the connection (Tornado's limit of a websocket message)
MAX_REQUEST = 8_000_000

_QUESTION = "answer"
_TABLES = {"pandas": "DataFrame", "polars": "DataFrame", "pyarrow": "Table"}


def execute_request(request: str, **arguments: Any) -> dict[str, Any]:
    """Return the content of an `execute_request` that leaves no trace in the kernel.

    The code is silent and keeps figures of a running cell out of it (see `kernel_code.figures`);
    the answer is the value of a user expression, which is part of the reply, so that nothing is
    broadcast.

    Raises:
        ConfigurationError: It is too large to be sent.
    """
    question = json.dumps({"request": request, **arguments})
    if len(question) > MAX_REQUEST:
        raise ConfigurationError(
            f"{len(question)} characters are too many to be sent to a kernel at once "
            f"(limit: {MAX_REQUEST}): write a file and let the kernel read it",
            name="value",
        )
    scope = f"{{'__name__': 'jupyter_agent_core', 'request': {question!r}}}"
    execute = "__import__('builtins').exec"
    asked = _source("figures", "texts", "tables", "variables")
    return {
        "code": f"{execute}({_source('figures') + 'set_aside()'!r}, {{}})",
        "silent": True,
        "store_history": False,
        "user_expressions": {
            _QUESTION: f"(lambda scope: ({execute}({asked!r}, scope), "
            f"scope['answer'](globals(), scope['request']))[1])({scope})"
        },
        "allow_stdin": False,
        # the requests behind ours are other people's
        "stop_on_error": False,
    }


@cache
def _source(*modules: str) -> str:
    """The source of modules of `kernel_code` as one, which need not import each other."""
    future = "from __future__ import annotations\n"
    parts = [future]
    for module in modules:
        source = (files(__package__) / "kernel_code" / f"{module}.py").read_text(encoding="utf-8")
        lines = source.replace(future, "").splitlines(keepends=True)
        parts += [line for line in lines if not line.startswith("from .")]
    return "".join(parts)


def answer(kernel_id: str, reply: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the kernel has answered.

    Raises:
        KernelUnavailableError: It could not.
    """
    asked = reply.get("user_expressions", {}).get(_QUESTION, reply)
    if asked.get("status") != "ok":
        said = f"{asked.get('ename', 'error')}: {asked.get('evalue', 'no reason given')}"
        raise KernelUnavailableError(kernel_id, f"its variables cannot be looked at ({said})")
    content: Mapping[str, Any] = asked["data"]["application/json"]
    return content


def variable(content: Mapping[str, Any]) -> Variable:
    """Read one variable of a list."""
    return Variable(content["name"], content["type"], _shape(content), content["text"])


def listing(content: Mapping[str, Any]) -> VariableListing:
    """Read a list of variables."""
    return VariableListing(tuple(map(variable, content["variables"])), content["total"])


def value(name: str, content: Mapping[str, Any]) -> VariableValue:
    """Read the value of a variable.

    Raises:
        VariableNotFoundError
    """
    if "missing" in content:
        raise VariableNotFoundError(name, content["missing"])
    return VariableValue(
        name=content["name"],
        type=content["type"],
        shape=_shape(content),
        text=content["text"],
        data=content["data"],
        omitted=content["omitted"],
        columns=tuple((column, type_) for column, type_ in content["columns"]),
        rows=content["rows"],
    )


def _shape(content: Mapping[str, Any]) -> tuple[int, ...] | None:
    return None if content["shape"] is None else tuple(content["shape"])


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a variable.

    Raises:
        ConfigurationError
    """
    if not name.isidentifier():
        raise ConfigurationError(
            f"{name!r} is no name of a variable; for an expression, execute code",
            name="name",
            value=name,
        )


def encoded(value: object) -> tuple[str, str]:
    """Return how a value is sent, and its text.

    Raises:
        ConfigurationError: There is no way to send it as it is.
    """
    library = type(value).__module__.partition(".")[0]
    if _TABLES.get(library) == type(value).__name__:
        return library, _stream(library, value)
    if not _is_plain(value):
        raise ConfigurationError(
            f"A {type(value).__qualname__} cannot be sent to a kernel as it is: send None, bool, "
            "int, float, str, lists and dicts (with str as keys) of these, a DataFrame of pandas "
            "or polars or a Table of pyarrow; or execute code that makes it",
            name="value",
        )
    return "json", json.dumps(value)


def _is_plain(value: object) -> bool:
    if type(value) is list:
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(type(key) is str and _is_plain(item) for key, item in value.items())
    return type(value) in (type(None), bool, int, float, str)


def _stream(library: str, frame: Any) -> str:
    import pyarrow  # type: ignore[import-untyped]

    try:
        if library == "pandas":
            frame = pyarrow.Table.from_pandas(frame)
        elif library == "polars":
            # to_arrow() would take their addresses
            objects = [name for name, kind in frame.schema.items() if str(kind) == "Object"]
            if objects:
                raise TypeError(f"Python objects in {', '.join(objects)}")
            frame = frame.to_arrow()
    except (pyarrow.ArrowException, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"The DataFrame has columns that Arrow does not know ({error}): convert or drop them",
            name="value",
        ) from error
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, frame.schema) as writer:
        writer.write_table(frame)
    return base64.b64encode(sink.getvalue()).decode()
