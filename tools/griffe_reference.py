# SPDX-License-Identifier: BSD-3-Clause
"""What a reader of the reference would otherwise have to look up in the code.

- What an error means, where a docstring only names it: under `Raises` docstrings list what needs no
  word at the place by name, several in a line. Griffe takes `Name: reason` alone, so such a line
  becomes one entry for each, with the class's summary.
- The values of defaults that have names of our own.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Iterator
from typing import Any

import griffe

_SECTION = re.compile(r"^Raises:\n((?: {4}.*(?:\n|\Z))+)", re.MULTILINE)
_NAMES = re.compile(r" {4}(\w+(?:, \w+)*)(?:: (.+))?")


class Reference(griffe.Extension):
    """Completes the functions of a package."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Complete all functions of the package.

        Args:
            pkg: The package, loaded as a whole.
            kwargs: What else griffe knows.

        Raises:
            KeyError: A docstring names an error that is none of the package's.
        """
        summaries: dict[str, str] = {}
        functions: list[griffe.Function] = []
        for found in _inside(pkg):
            if isinstance(found, griffe.Function):
                functions.append(found)
            elif found.name.endswith("Error") and found.docstring is not None:
                summaries[found.name] = found.docstring.value.partition("\n")[0]
        for function in functions:
            _show_defaults(function)
            if function.docstring is not None and (named := _named(function.docstring)):
                _let_be_found(named.intersection(summaries), function.module, pkg.path)
                text = function.docstring.value
                function.docstring.value = _SECTION.sub(
                    lambda section: _spelled_out(section[1], summaries), text
                )


def _show_defaults(function: griffe.Function) -> None:
    for parameter in function.parameters:
        named = function.module.members.get(str(parameter.default))
        if isinstance(named, griffe.Alias):
            named = named.final_target if named.target_path.startswith("jupyter_") else None
        if isinstance(named, griffe.Attribute) and isinstance(named.value, str):  # a literal
            parameter.default = named.value


def _named(docstring: griffe.Docstring) -> set[str]:
    """The errors in the section, and other words that stand where they do."""
    section = _SECTION.search(docstring.value)
    lines = section[1].splitlines() if section else ()
    matches = filter(None, map(_NAMES.fullmatch, lines))
    return {name for match in matches for name in match[1].split(", ")}


def _let_be_found(names: Iterable[str], module: griffe.Module, package: str) -> None:
    """Let names be links, although the module of the docstring does not import them all."""
    for name in names:
        if name not in module.members:
            module.set_member(name, griffe.Alias(name, f"{package}.{name}"))


def _inside(parent: griffe.Module | griffe.Class) -> Iterator[griffe.Class | griffe.Function]:
    for member in parent.members.values():
        if isinstance(member, griffe.Module):
            yield from _inside(member)
        elif isinstance(member, griffe.Class):
            yield member
            yield from _inside(member)
        elif isinstance(member, griffe.Function):
            yield member


def _spelled_out(section: str, summaries: dict[str, str]) -> str:
    lines = ["Raises:"]
    for line in section.splitlines():
        named = _NAMES.fullmatch(line)
        if named is None or named[1] in vars(builtins):
            lines.append(line)
            continue
        for name in named[1].split(", "):
            lines.append(f"    {name}: {named[2] or summaries[name]}")
    return "\n".join(lines) + "\n"
