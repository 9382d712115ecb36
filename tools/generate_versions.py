# SPDX-License-Identifier: BSD-3-Clause
"""Write the page that says what works with which versions of servers, from what was measured.

    python tools/generate_versions.py            write it
    python tools/generate_versions.py --check    exit with 1 if it is not up to date

The measurements are `tests/matrix/results.json`, which `nox -s matrix` writes; what the rows of the
table are called are the docstrings of the tests.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
PAGE = CHECKOUT / "docs" / "reference" / "versions.md"
MATRIX = CHECKOUT / "tests" / "matrix"
WRITTEN = "<!-- Written by `python tools/generate_versions.py`: do not edit. -->"
INTRODUCTION = """\
The main job, done by `tests/matrix` on servers of these versions, each in an environment of its
own, with the library in another one; `nox -s matrix` does it again. ✓ works, ✗ does not, – does
not arise."""
# {server in the measurements: what the page calls it}
SERVERS: Mapping[str, str] = {
    "collaboration-3": "jupyter-collaboration 3",
    "collaboration-4": "jupyter-collaboration 4",
    "collaboration-5": "jupyter-collaboration 5",
    "documents-0.3": "jupyter-server-documents",
    "plain-oldest": "plain, oldest",
    "plain-newest": "plain, newest",
}
MARKS = {"works": "✓", "fails": "✗"}


class MismatchError(Exception):
    """The measurements, the tests and the table above are not of the same."""


def tests() -> dict[str, str]:
    """Return what each test is called, and what it shows."""
    tree = ast.parse((MATRIX / "test_matrix.py").read_text(encoding="utf-8"))
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {f.name: ast.get_docstring(f) or "" for f in functions if f.name.startswith("test_")}


def page() -> str:
    """Return what stands in the page.

    Raises:
        MismatchError
    """
    results = json.loads((MATRIX / "results.json").read_text(encoding="utf-8"))
    if results.keys() != SERVERS.keys():
        raise MismatchError(f"measured were {sorted(results)}, not {sorted(SERVERS)}")
    for name, row in results.items():
        if row["outcomes"].keys() != tests().keys():
            raise MismatchError(f"{name} was not measured with all tests: run nox -s matrix")
    parts = ["# Server versions", WRITTEN, INTRODUCTION, _outcomes(results)]
    return "\n\n".join([*parts, *_notes(results), "## Versions", _versions(results)]) + "\n"


def _outcomes(results: Mapping[str, Any]) -> str:
    rows = [("", *SERVERS.values()), ("---", *(":-:" for _ in SERVERS))]
    for test, shown in tests().items():
        outcomes = (results[name]["outcomes"][test] for name in SERVERS)
        rows.append((shown, *(MARKS.get(outcome, "–") for outcome in outcomes)))
    return _table(rows)


def _notes(results: Mapping[str, Any]) -> Iterator[str]:
    """Say why something does not arise."""
    for test, shown in tests().items():
        outcomes = {results[name]["outcomes"][test] for name in SERVERS}
        for reason in sorted(outcomes - MARKS.keys()):
            yield f"– {shown}: {reason}."


def _versions(results: Mapping[str, Any]) -> str:
    packages = sorted({name for row in results.values() for name in row["versions"]})
    rows = [("", *SERVERS.values()), ("---", *("---" for _ in SERVERS))]
    for package in packages:
        versions = (results[name]["versions"].get(package, "–") for name in SERVERS)
        rows.append((f"`{package}`", *versions))
    return _table(rows)


def _table(rows: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Write the page, or say that it is not up to date."""
    parser = argparse.ArgumentParser(description="Write the table of server versions.")
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    try:
        text = page()
    except MismatchError as error:
        sys.exit(f"tools/generate_versions.py: {error}")
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
        return
    if check:
        sys.exit(f"{PAGE.name}: run `python tools/generate_versions.py`")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
