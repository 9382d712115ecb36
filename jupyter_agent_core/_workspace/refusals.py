# SPDX-License-Identifier: BSD-3-Clause
"""What is wrong with an argument, in words that name its value and the valid ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from reprlib import Repr
from typing import Any

_PLACE = re.compile(r"(?P<said>.*) - at `\$(?P<path>[^`]*)`", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>\w+)|\[(?P<index>\d+)\]")
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80

Schema = Mapping[str, Any]
Step = str | int


def refusal(said: str, arguments: Mapping[str, Any], schema: Schema) -> str:
    """Say what is wrong with arguments.

    Args:
        said: What msgspec says.
        arguments: The arguments.
        schema: Their JSON Schema.
    """
    found = _PLACE.fullmatch(said)
    steps = list(_steps(found["path"])) if found is not None else []
    if found is None or not steps:
        return said
    value = _value_at(arguments, steps)
    places = list(_schemas_at(schema, steps, arguments))
    if "unknown field" in found["said"]:
        taken = _distinct(name for place in places for name in place.get("properties", ()))
        return f"{said}; it takes: {', '.join(taken)}"
    if isinstance(value, Mapping) or str(steps[-1]).endswith("token"):
        return said  # what is missing in it is said; a secret is not repeated
    valid = _distinct(repr(one) for place in places for one in place.get("enum", ()))
    shown = f"{found['path'].removeprefix('.')}={_SHORT.repr(value)}"
    if valid:
        return f"{shown} is none of {', '.join(valid)}"
    return f"{found['said']}, and {shown} was given"


def _steps(path: str) -> Iterator[Step]:
    for step in _STEP.finditer(path):
        yield step["name"] if step["name"] is not None else int(step["index"])


def _value_at(value: Any, steps: Iterable[Step]) -> Any:
    for step in steps:
        value = value[step]
    return value


def _schemas_at(schema: Schema, steps: list[Step], value: Any) -> Iterator[Schema]:
    """The schemas that a place may have, of those that the value may mean."""
    for kind in schema.get("anyOf", (schema,)):
        if not _may_be(kind, value, steps):
            continue
        if not steps:
            yield kind
            continue
        step, rest = steps[0], steps[1:]
        inner = kind.get("items") if isinstance(step, int) else kind.get("properties", {}).get(step)
        if inner is not None:
            yield from _schemas_at(inner, rest, value[step])


def _may_be(kind: Schema, value: Any, steps: list[Step]) -> bool:
    """Whether a value is of a kind of object, as its tags tell."""
    return not isinstance(value, Mapping) or all(
        value.get(name) in property_["enum"] or [name] == steps
        for name, property_ in kind.get("properties", {}).items()
        if "enum" in property_ and name in kind.get("required", ())
    )


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
