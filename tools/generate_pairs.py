# SPDX-License-Identifier: BSD-3-Clause
"""Write what the estimate of tokens knows of real tokenizers: `rendering/pairs.json`.

    python tools/generate_pairs.py

`whole`: characters beyond ASCII that two tokenizers, Mistral's Tekken and OpenAI's o200k, both
have as one token. `pairs`: for a character, those that often follow it inside of tokens, in both.
It needs the packages of the group `test`.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "jupyter_agent_core" / "rendering" / "pairs.json"
LEAST_TOKENS = 10
"""Tokens that hold a pair, at least."""
LEAST_PART = 0.015
"""Of all pairs in tokens that begin with the same character, the part that one has at least."""


def main() -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from corpus.tokenizer import o200k_vocabulary, tekken_vocabulary

    vocabularies = [set(tekken_vocabulary()), set(o200k_vocabulary())]
    whole = {token for token in set.intersection(*vocabularies) if len(token) == 1}
    first, second = map(pairs_in, vocabularies)
    counts = first & second  # the smaller count of each
    beginning: Counter[str] = Counter()
    for pair, count in counts.items():
        beginning[pair[0]] += count
    followers: dict[str, str] = {}
    for pair, count in sorted(counts.items()):
        if count >= max(LEAST_TOKENS, LEAST_PART * beginning[pair[0]]):
            followers[pair[0]] = followers.get(pair[0], "") + pair[1]
    table = {"whole": "".join(sorted(c for c in whole if not c.isascii())), "pairs": followers}
    TABLE.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def pairs_in(tokens: Iterable[str]) -> Counter[str]:
    """Count the pairs of characters that follow each other in tokens."""
    return Counter(a + b for token in tokens for a, b in pairwise(token))


if __name__ == "__main__":
    main()
