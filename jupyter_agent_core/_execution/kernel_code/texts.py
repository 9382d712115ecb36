# SPDX-License-Identifier: BSD-3-Clause
"""Short texts of Python objects, without running any code of their classes.

An object may have a `repr` that is slow, prints, raises, or is huge; a class may lie about its
objects' type. So what is shown is decided by exact types, and read past the classes.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import itertools
import pathlib
import types
import uuid
from typing import Any

CONTAINERS: dict[Any, str] = {
    list: "[]",
    tuple: "()",
    dict: "{}",
    set: "{}",
    frozenset: "{}",
}
CONSTANTS = (type(None), bool, float, complex, type(Ellipsis), type(NotImplemented), range)
VALUES = (
    datetime.date,
    datetime.timedelta,
    decimal.Decimal,
    fractions.Fraction,
    pathlib.PosixPath,
    pathlib.PurePosixPath,
    pathlib.WindowsPath,
    pathlib.PureWindowsPath,
    uuid.UUID,
)
CLOCKS = (datetime.datetime, datetime.time)
LIBRARIES = ("numpy", "pandas", "polars", "pyarrow", "scipy", "torch", "xarray")
HUGE_INT = 2000  # bits


def exact_type(value: object) -> Any:
    """An object's class; that of classes with metaclasses, which may lie, is just `object`."""
    cls = type(value)
    return cls if type(cls) is type else object


def library_of(value: object) -> str:
    """The package of numbers and tables that an object belongs to, empty for others."""
    module = type.__getattribute__(type(value), "__module__")
    root = str(module).partition(".")[0] if type(module) is str else ""
    return root if root in LIBRARIES else ""


def type_name(value: object) -> str:
    """The name of an object's class, with its module where it says something."""
    cls = type(value)
    module = type.__getattribute__(cls, "__module__")
    name = type.__getattribute__(cls, "__qualname__")
    if type(module) is not str or module in ("builtins", "__main__"):
        return str(name)
    return f"{library_of(value) or module}.{name}"


def brief(value: Any, limit: int, depth: int = 2) -> str:
    """A text of about `limit` characters at most."""
    cls = exact_type(value)
    if cls is str or cls is bytes or cls is bytearray:
        return _brief_string(value, limit)
    if cls is int:
        bits = value.bit_length()
        return repr(value) if bits <= HUGE_INT else f"<int of {bits} bits>"
    if cls in CONSTANTS:
        return repr(value)
    if cls in VALUES:
        return cut(str(value), limit)
    if cls in CLOCKS:
        zone = "" if value.tzinfo is None else f" {type_name(value.tzinfo)}"
        return f"{value.replace(tzinfo=None)}{zone}"
    if cls in CONTAINERS:
        return _brief_container(value, limit, depth)
    if library_of(value):
        return _brief_scalar(value, limit)
    return _brief_object(value, limit, depth)


def cut(text: str, limit: int) -> str:
    """The beginning of a text, and how long it is if that is not all."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def _brief_string(value: Any, limit: int) -> str:
    unit = "characters" if type(value) is str else "bytes"
    text = repr(value[:limit])
    return text if len(value) <= limit else f"{text}… ({len(value)} {unit})"


def _brief_container(value: Any, limit: int, depth: int) -> str:
    brackets = CONTAINERS[type(value)]
    items = value.items() if type(value) is dict else value
    try:
        inside = _brief_items(items, len(value), limit, depth, type(value) is dict)
    except RuntimeError:  # other threads change it
        inside = f"{len(value)} items, changing"
    if type(value) in (set, frozenset):
        name = type_name(value)
        return f"{name}()" if not value else inside.join(brackets)
    if type(value) is tuple and len(value) == 1:
        inside += ","
    return inside.join(brackets)


def _brief_items(items: Any, count: int, limit: int, depth: int, pairs: bool) -> str:
    """As many items as fit; the work is bounded by the limit, however many there are."""
    if count and depth == 0:
        return f"… {count} items"
    parts, room = [], limit
    for item in itertools.islice(items, limit):
        if room <= 0:
            break
        if pairs:
            key, item = item
            part = f"{brief(key, room, depth - 1)}: {brief(item, room, depth - 1)}"
        else:
            part = brief(item, room, depth - 1)
        parts.append(part)
        room -= len(part) + 2
    if len(parts) < count:
        parts.append(f"… {count - len(parts)} more")
    return ", ".join(parts)


def _brief_scalar(value: Any, limit: int) -> str:
    """Numbers and times of libraries; of their containers, the type and shape tell enough."""
    shape = getattr(value, "shape", None)
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if shape == () and type(kind) is str and kind in "biufcmM":
        return cut(str(value), limit)
    if library_of(value) == "pandas" and shape is None and type(value).__name__ in _PANDAS:
        return cut(str(value), limit)
    return f"<{type_name(value)}>"


_PANDAS = ("Timestamp", "Timedelta", "Period", "NaTType", "NAType")


def _brief_object(value: object, limit: int, depth: int) -> str:
    """An object by its attributes, as far as they lie in its `__dict__`."""
    attributes = _instance_dict(value)
    if attributes is None or depth == 0:
        return f"<{type_name(value)}>"
    public = [(n, v) for n, v in list(attributes.items()) if type(n) is str and n[:1] != "_"]
    parts: list[str] = []
    room = limit
    for name, item in public:
        if room <= 0:
            parts.append(f"… {len(public) - len(parts)} more")
            break
        parts.append(f"{name}={brief(item, room, depth - 1)}")
        room -= len(parts[-1]) + 2
    return f"{type_name(value)}({', '.join(parts)})"


def _instance_dict(value: object) -> dict[Any, Any] | None:
    for cls in type.__dict__["__mro__"].__get__(type(value)):
        descriptor = type.__dict__["__dict__"].__get__(cls).get("__dict__")
        if descriptor is not None:
            if type(descriptor) is not types.GetSetDescriptorType:
                return None
            attributes = object.__getattribute__(value, "__dict__")
            return attributes if type(attributes) is dict else None
    return None
