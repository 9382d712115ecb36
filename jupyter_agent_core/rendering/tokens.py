# SPDX-License-Identifier: BSD-3-Clause
"""How many tokens a model reads, estimated without its vocabulary.

The text is split as byte-pair tokenizers split it before they merge: into words with the blank or
sign before them, digits, signs, blanks. Such a piece is one token, and more for what tokenizers
seldom merge: a character that follows another one as it does in few tokens, and characters that
are no tokens themselves, of which each byte may cost. `pairs.json` is what is known of two real
vocabularies; `tools/generate_pairs.py` writes it.

Both tokenizers read at most a tenth more than is estimated, of whatever script and also of random
characters; of prose, code and tables an estimate is 10 to 40 % too high. Only long lists of
invented words that could be words (`therestion`) cost more.
"""

from __future__ import annotations

import json
import math
import string
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib.resources import files
from itertools import accumulate

import attrs
import regex

_PIECE = regex.compile(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
    r"|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)

MOST_CHARACTERS = 24
"""Characters that one token may stand for: no text is cheaper."""
# how often a sign is repeated in one token, at most
_REPEATED = {
    **dict.fromkeys(string.punctuation, 2),
    **dict.fromkeys(" -=", MOST_CHARACTERS),
    **dict.fromkeys("*#/.\t", 16),
    **dict.fromkeys("_", 8),
    **dict.fromkeys("\n─", 4),
}
_COMMON, _UNCOMMON = 0.04, 1.08
"""Tokens for a character after one that it often follows, and after another one."""
_FAR = 0.5
"""Tokens for it in a word that is longer than most tokens."""
_LONG = 8
_BEGIN = " "
"""What may stand before a word, and is a part of it."""
_WORD = 24
"""Characters of a piece that is worth remembering."""
_REST = {1: 0.0, 2: 1.0, 3: 2.0, 4: 2.9}
"""Tokens for the bytes behind the first, of a character that is no token."""

PIXELS_PER_TOKEN = 750
IMAGE_TOKENS = 1_600
"""An image of unknown size, and the most that one costs: hosts scale larger ones down."""


@attrs.frozen
class _Known:
    """What is known of vocabularies.

    Attributes:
        whole: Characters beyond ASCII that are one token.
        pairs: Pairs of characters that are common in tokens.
    """

    whole: frozenset[str]
    pairs: frozenset[str]


@cache
def _known() -> _Known:
    table = json.loads((files(__package__) / "pairs.json").read_text(encoding="utf-8"))
    pairs = (one + other for one, others in table["pairs"].items() for other in others)
    return _Known(frozenset(table["whole"]), frozenset(pairs))


def _steps(piece: str) -> Iterator[float]:
    """Yield what each character of a piece costs."""
    known = _known()
    common = 0
    previous = ""
    for character in piece:
        if not previous:
            tokens = 1.0
        elif previous == character and character in _REPEATED:
            tokens = 1 / _REPEATED[character]
        elif previous == _BEGIN and not character.isspace():
            tokens = 0.0
        elif previous + character in known.pairs:
            common += 1
            tokens = _COMMON if common <= _LONG else _FAR
        else:
            tokens = _UNCOMMON
        if character > "\x7f" and character not in known.whole:
            tokens += _REST[len(character.encode(errors="surrogatepass"))]
        yield tokens
        previous = character


@lru_cache(10_000)
def _word(piece: str) -> float:
    return sum(_steps(piece))


def _cost(piece: str) -> float:
    return _word(piece) if len(piece) <= _WORD else sum(_steps(piece))


def _pieces(text: str) -> Iterator[tuple[int, float]]:
    """Yield where each piece ends and what it costs."""
    for found in _PIECE.finditer(text):
        yield found.end(), _cost(found[0])


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text is."""
    return math.ceil(sum(cost for _, cost in _pieces(text)))


def image_tokens(size: tuple[int, int] | None) -> int:
    """Return about how many tokens an image is.

    Args:
        size: Width and height in pixels, None if they are not known.
    """
    if size is None:
        return IMAGE_TOKENS
    return min(IMAGE_TOKENS, 1 + size[0] * size[1] // PIXELS_PER_TOKEN)


def prefix_within(text: str, tokens: int) -> int:
    """Return how many characters at the beginning of a text a number of tokens is enough for."""
    end, left = 0, float(tokens)
    for stop, cost in _pieces(text[: max(0, tokens) * MOST_CHARACTERS]):
        if cost > left:
            # a long piece (a line of signs) is cut where the tokens end
            return end + _count_within(_steps(text[end:stop]), left)
        end, left = stop, left - cost
    return end


def suffix_within(text: str, tokens: int) -> int:
    """Return where the end of a text begins that a number of tokens is enough for."""
    end, left = len(text), float(tokens)
    start = max(0, end - max(0, tokens) * MOST_CHARACTERS)
    ends = [found.end() for found in _PIECE.finditer(text, start)]
    for begin in reversed([start, *ends[:-1]] if ends else []):
        cost = _cost(text[begin:end])
        if cost > left:
            # what is left of it has a first character, too
            return end - _count_within(reversed([*_steps(text[begin:end])]), left - 1)
        end, left = begin, left - cost
    return end


def _count_within(costs: Iterable[float], budget: float) -> int:
    return sum(spent <= budget for spent in accumulate(costs))
