# SPDX-License-Identifier: BSD-3-Clause
"""List, show and set the variables of a Python kernel."""

from __future__ import annotations

import base64
import binascii
import difflib
import importlib
import json
import os
import sys
import types
from typing import Any

from .figures import bring_back
from .tables import columns_of, is_table, preview
from .texts import CONTAINERS, HUGE_INT, brief, cut, exact_type, library_of, type_name

LISTED_TEXT = 200
SHOWN_TEXT = 20_000
SHOWN_DEPTH = 6
MAX_REPRESENTATION = 1_000_000
MAX_NODES = 100_000
NO_VARIABLES = (
    type,
    types.BuiltinFunctionType,
    types.FunctionType,
    types.MethodType,
    types.MethodWrapperType,
    types.ModuleType,
    types.TracebackType,
)


class Answer:
    """What goes back, in the way in which IPython sends values."""

    def __init__(self, content: dict[str, Any]) -> None:
        # half of a surrogate pair, which is no text, would end the reply
        text = json.dumps(content, ensure_ascii=False).encode(errors="replace")
        self.content = json.loads(text)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"application/json": self.content}


def answer(namespace: dict[str, Any], request: str) -> Answer:
    """Do what a request says."""
    bring_back()
    arguments = json.loads(request)
    return Answer(REQUESTS[arguments.pop("request")](namespace, **arguments))


def list_variables(namespace: dict[str, Any], limit: int) -> dict[str, Any]:
    """The variables by name, without what IPython puts there, modules, functions and classes."""
    hidden = getattr(_shell(), "user_ns_hidden", {})
    names = sorted(
        name
        for name, value in list(namespace.items())
        if type(name) is str
        and name[:1] != "_"
        and not (name in hidden and hidden[name] is value)
        and not issubclass(type(value), NO_VARIABLES)
    )
    listed = [_described(name, namespace[name]) for name in names[:limit] if name in namespace]
    return {"variables": listed, "total": len(names)}


def get_variable(namespace: dict[str, Any], name: str, rows: int, safe: bool) -> dict[str, Any]:
    """One variable in full, as far as the limits go; where `safe`, without its own `repr`."""
    if name not in namespace:
        return {"missing": difflib.get_close_matches(name, list(filter(_is_text, namespace)))}
    value = namespace[name]
    shown = {**_described(name, value), "data": {}, "omitted": {}, "columns": [], "rows": None}
    if is_table(value):
        shown.update(preview(value, rows))
    elif library_of(value) == "numpy" and type(value).__name__ == "ndarray":
        shown["text"] = _array_text(value)
    elif _speaks_for_itself(value):
        shown["text"] = brief(value, SHOWN_TEXT, SHOWN_DEPTH)
        plain = _plain(value)
        if plain is not None:
            shown["data"]["application/json"] = plain
    elif safe:
        shown["text"] = brief(value, SHOWN_TEXT, SHOWN_DEPTH)
        shown["omitted"]["text/plain"] = "the kernel is busy, and the repr of an object may block"
    else:
        shown["text"] = _text_of(value)
        shown["data"], shown["omitted"] = _representations(value)
    return shown


def set_variable(namespace: dict[str, Any], name: str, kind: str, value: str) -> dict[str, Any]:
    """Set a variable to a value of JSON, or to a table from an Arrow stream."""
    if kind == "json":
        namespace[name] = json.loads(value)
        return _described(name, namespace[name])
    try:
        pyarrow, library = map(importlib.import_module, ("pyarrow", kind))
    except ImportError as error:
        return {"lacking": error.name}
    table = pyarrow.ipc.open_stream(base64.b64decode(value)).read_all()
    if kind == "pandas":
        table = table.to_pandas()
    elif kind == "polars":
        table = library.from_arrow(table)
    namespace[name] = table
    return _described(name, table)


def facts(namespace: dict[str, Any]) -> dict[str, Any]:
    """Where the kernel runs."""
    try:
        folder = os.getcwd()
    except OSError:  # it has been removed
        folder = None
    return {"executable": sys.executable, "working_directory": folder}


REQUESTS: Any = {
    "list": list_variables,
    "get": get_variable,
    "set": set_variable,
    "facts": facts,
}


def _is_text(name: object) -> bool:
    return type(name) is str


def _shell() -> Any:
    get = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get() if get is not None else None


def _described(name: str, value: Any) -> dict[str, Any]:
    text = _columns_text(value) if is_table(value) else brief(value, LISTED_TEXT)
    if library_of(value) in ("numpy", "torch") and getattr(value, "shape", ()) != ():
        text = str(value.dtype)
    return {"name": name, "type": type_name(value), "shape": _shape(value), "text": text}


def _columns_text(value: object) -> str:
    columns = ", ".join(f"{name}: {type_}" for name, type_ in columns_of(value))
    return cut(columns, LISTED_TEXT)


def _shape(value: Any) -> list[int] | None:
    if exact_type(value) in CONTAINERS:
        return [len(value)]
    if not library_of(value):
        return None
    try:
        return [int(length) for length in value.shape]
    except (AttributeError, TypeError, ValueError):  # not every object has one, nor knows it
        return None


def _speaks_for_itself(value: object) -> bool:
    """Whether `brief` says everything: no object of a class of the user's."""
    cls = exact_type(value)
    return cls is not object and cls.__module__ in (
        "builtins",
        "datetime",
        "decimal",
        "fractions",
        "uuid",
    )


def _array_text(value: Any) -> str:
    if value.dtype.kind not in "biufcmM":
        return f"{value.dtype}"
    numpy = sys.modules["numpy"]
    return cut(numpy.array2string(value, threshold=200, edgeitems=3), SHOWN_TEXT)


def _text_of(value: object) -> str:
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - code of the user's
        return f"<{type_name(value)}: its repr raises {type_name(error)}>"
    return cut(text, SHOWN_TEXT)


def _representations(value: object) -> tuple[dict[str, Any], dict[str, str]]:
    """What an object shows in a notebook, beside its text, and what is left out of that."""
    data: dict[str, Any] = {}
    omitted: dict[str, str] = {}
    formatter = getattr(_shell(), "display_formatter", None)
    shown = {}
    for mime_type, one in getattr(formatter, "formatters", {}).items():
        if mime_type != "text/plain" and one.enabled:
            shown[mime_type] = _shown_by(one, value, omitted, mime_type)
    if formatter is not None:
        bundle = _shown_by(formatter.mimebundle_formatter, value, omitted, "a MIME bundle")
        shown.update(bundle if type(bundle) is dict else {})
    for mime_type, one in shown.items():
        if type(one) is bytes:
            one = binascii.b2a_base64(one, newline=False).decode()
        plain = _plain(one)
        if plain is not None:
            data[mime_type] = plain
        elif one is not None:
            omitted[mime_type] = "it is too large, or no text"
    data.pop("text/plain", None)
    return data, omitted


def _shown_by(formatter: Any, value: object, omitted: dict[str, str], what: str) -> Any:
    """What one formatter of IPython makes of an object, without IPython's trace of a failure."""
    try:
        try:
            show = formatter.lookup(value)
        except KeyError:
            show = getattr(type(value), str(formatter.print_method), None)
        shown = None if show is None else show(value)
    except Exception as error:  # noqa: BLE001 - code of the user's
        omitted[what] = f"it raises {type_name(error)}"
        return None
    return shown[0] if type(shown) is tuple and shown else shown


def _plain(value: Any) -> Any:
    """A value of JSON as it is, None for others and for what is too large."""
    left = [MAX_NODES, MAX_REPRESENTATION]
    return value if _is_plain(value, left, 20) else None


def _is_plain(value: Any, left: list[int], depth: int) -> bool:
    left[0] -= 1
    cls = exact_type(value)
    if cls is str:
        left[1] -= len(value)
    if min(left) < 0 or depth < 0:
        return False
    if cls is int:
        return bool(value.bit_length() <= HUGE_INT)
    if cls is float:
        return bool(value - value == 0)  # JSON has no infinity and no nan
    if cls is list:
        return all(_is_plain(item, left, depth - 1) for item in value)
    if cls is dict:
        return all(
            type(key) is str and _is_plain(key, left, 0) and _is_plain(item, left, depth - 1)
            for key, item in value.items()
        )
    return cls in (str, bool, type(None))
