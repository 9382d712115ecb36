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
import string
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib.resources import files
from itertools import accumulate
from operator import itemgetter

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
_TOKEN = 1_200
"""Parts of a token: costs are whole numbers of them, which add up to the same in any order."""
_COMMON, _UNCOMMON = 48, 1_296
"""Parts for a character after one that it often follows, and after another one."""
_FAR = 600
"""Parts for it in a word that is longer than most tokens."""
_LONG = 8
_BEGIN = " "
"""What may stand before a word, and is a part of it."""
_WORD = 24
"""Characters of a piece that is worth remembering."""
_REST = {1: 0, 2: _TOKEN, 3: 2 * _TOKEN, 4: 3_480}
"""Parts for the bytes behind the first, of a character that is no token."""

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


def _steps(piece: str) -> Iterator[int]:
    """Yield what each character of a piece costs, in parts of a token."""
    known = _known()
    common = 0
    previous = ""
    for character in piece:
        if not previous:
            parts = _TOKEN
        elif previous == character and character in _REPEATED:
            parts = _TOKEN // _REPEATED[character]
        elif previous == _BEGIN and not character.isspace():
            parts = 0
        elif previous + character in known.pairs:
            common += 1
            parts = _COMMON if common <= _LONG else _FAR
        else:
            parts = _UNCOMMON
        if character > "\x7f" and character not in known.whole:
            parts += _REST[len(character.encode(errors="surrogatepass"))]
        yield parts
        previous = character


@lru_cache(10_000)
def _word(piece: str) -> int:
    return sum(_steps(piece))


def _cost(piece: str) -> int:
    return _word(piece) if len(piece) <= _WORD else sum(_steps(piece))


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text is."""
    counts = Counter(map(itemgetter(0), _PIECE.finditer(text)))
    return -(-sum(count * _cost(piece) for piece, count in counts.items()) // _TOKEN)


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
    end, left = 0, tokens * _TOKEN
    for found in _PIECE.finditer(text[: max(0, tokens) * MOST_CHARACTERS]):
        cost = _cost(found[0])
        if cost > left:
            # a long piece (a line of signs) is cut where the tokens end
            return end + count_within(_steps(found[0]), left)
        end, left = found.end(), left - cost
    return end


def suffix_within(text: str, tokens: int) -> int:
    """Return where the end of a text begins that a number of tokens is enough for."""
    end, left = len(text), tokens * _TOKEN
    start = max(0, end - max(0, tokens) * MOST_CHARACTERS)
    ends = [found.end() for found in _PIECE.finditer(text, start)]
    for begin in reversed([start, *ends[:-1]] if ends else []):
        cost = _cost(text[begin:end])
        if cost > left:
            # what is left of it has a first character, too
            return end - count_within(reversed([*_steps(text[begin:end])]), left - _TOKEN)
        end, left = begin, left - cost
    return end


def count_within(costs: Iterable[float], budget: float) -> int:
    """Return for how many of the first ones a budget is enough."""
    return sum(spent <= budget for spent in accumulate(costs))
