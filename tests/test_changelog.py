# SPDX-License-Identifier: BSD-3-Clause
"""The fragments of the changelog have names that towncrier takes; others it leaves out."""

import re
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
SETTINGS = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["tool"]["towncrier"]
FRAGMENTS = [p for p in (CHECKOUT / SETTINGS["directory"]).iterdir() if p.name != "README.md"]


def test_fragments_are_named_by_words_and_kind() -> None:
    kinds = "|".join(kind["directory"] for kind in SETTINGS["type"])
    wrong = [p.name for p in FRAGMENTS if not re.fullmatch(rf"\+[\w-]+\.({kinds})\.md", p.name)]
    assert wrong == []


def test_fragments_are_sentences() -> None:
    texts = {path.name: path.read_text("utf-8") for path in FRAGMENTS}
    assert [name for name, text in texts.items() if not re.search(r"[.)]\n\Z", text)] == []
    assert [name for name, text in texts.items() if text.lstrip().startswith(("-", "#"))] == []


def test_the_changelog_has_the_place_where_releases_go() -> None:
    changelog = (CHECKOUT / SETTINGS["filename"]).read_text("utf-8")
    assert changelog.count(SETTINGS["start_string"]) == 1
