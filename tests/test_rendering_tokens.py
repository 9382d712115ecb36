# SPDX-License-Identifier: BSD-3-Clause
"""The estimate of tokens, held to two real tokenizers."""

import base64
import string
from pathlib import Path
from random import Random

import pytest
from corpus.recorded import NAMES, record
from corpus.tokenizer import o200k_tokens, tekken_tokens
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_agent_core.rendering.tokens import (
    MOST_CHARACTERS,
    estimate_tokens,
    image_tokens,
    prefix_within,
    suffix_within,
)

TOO_LOW = 0.1
"""The part by which real tokens may be more than estimated ones."""

PROSE = {
    "English": "They study computer science at the university and write a lot of code. " * 20,
    "Polish": "Zażółć gęślą jaźń i pójdź w świat, żeby zobaczyć łąkę. " * 20,
    "Russian": "Они изучают информатику в университете и каждый день пишут код. " * 20,
    "Chinese": "他们在大学里学习计算机科学,并且每天都写很多代码。" * 20,
    "Japanese": "彼らは大学でコンピュータサイエンスを学び、毎日コードを書いています。" * 20,
    "numbers": "0.125730 -0.132105 0.640423 0.104900 -0.535669\n" * 20,
    "code": Path(__file__).read_text(encoding="utf-8"),
}


def real_tokens(text: str) -> int:
    return max(o200k_tokens(text), tekken_tokens(text))


@pytest.mark.parametrize("text", PROSE.values(), ids=PROSE)
def test_the_estimate_is_rather_too_high_than_too_low(text: str) -> None:
    assert 1 / (1 + TOO_LOW) <= estimate_tokens(text) / real_tokens(text) <= 1.6


DRAW = Random(5)  # noqa: S311
LETTERS = string.ascii_lowercase


def drawn(letters: str, count: int = 2_000) -> str:
    return "".join(DRAW.choices(letters, k=count))


def words(letters: str, least: int, most: int) -> str:
    return " ".join(drawn(letters, DRAW.randint(least, most)) for _ in range(300))


def between(first: int, last: int) -> str:
    return "".join(map(chr, range(first, last + 1)))


UNUSUAL = {
    "one word of letters": drawn(LETTERS),
    "one word of capital letters": drawn(LETTERS.upper()),
    "words of 1 to 8 letters": words(LETTERS, 1, 8),
    "words of 9 to 20 letters": words(LETTERS, 9, 20),
    "words of 9 to 20 capital letters": words(LETTERS.upper(), 9, 20),
    "words of mixed letters": words(string.ascii_letters, 3, 15),
    "letters and digits": words(LETTERS + string.digits, 5, 12),
    "punctuation": drawn(string.punctuation),
    "words of punctuation": words(string.punctuation, 1, 6),
    "all that a keyboard has": drawn(string.printable),
    "blanks": drawn(string.whitespace),
    "digits": drawn(string.digits),
    "hexadecimal": DRAW.randbytes(1_000).hex(),
    "base64": base64.b64encode(DRAW.randbytes(1_500)).decode(),
    "URL-safe base64": base64.urlsafe_b64encode(DRAW.randbytes(1_500)).decode(),
    "Cyrillic": words(between(0x430, 0x44F), 3, 12),
    "all of Cyrillic": drawn(between(0x400, 0x4FF)),
    "Greek": words(between(0x3B1, 0x3C9), 3, 12),
    "Hebrew": words(between(0x5D0, 0x5EA), 3, 8),
    "Arabic": words(between(0x627, 0x64A), 3, 8),
    "Devanagari": words(between(0x904, 0x94D), 3, 8),
    "Thai": drawn(between(0xE01, 0xE4E)),
    "Lao": words(between(0xE81, 0xEDD), 3, 8),
    "Ethiopic": drawn(between(0x1200, 0x137F)),
    "Vietnamese": words("ạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ", 3, 8),
    "extended Latin": words(between(0xC0, 0x24F), 3, 8),
    "phonetic letters": words(between(0x250, 0x2AF), 3, 8),
    "letters with marks": "".join(f"{letter}\u0301\u0323" for letter in drawn(LETTERS, 500)),
    "Chinese": drawn(between(0x4E00, 0x9FFF)),
    "rare Chinese": drawn(between(0x3400, 0x4DBF)),
    "Korean": drawn(between(0xAC00, 0xD7A3)),
    "Japanese": drawn(between(0x3041, 0x30FF)),
    "Braille": drawn(between(0x2800, 0x28FF)),
    "boxes": drawn("┌┐└┘├┤┬┴┼╭╮╯╰█▏▎▍▌▋▊▉"),
    "a progress bar": "█" * 1_000,
    "signs of mathematics": drawn(between(0x2200, 0x22FF)),
    "private use": drawn(between(0xE000, 0xF8FF)),
    "emoji": drawn(between(0x1F600, 0x1F64F)),
    "joined emoji": "👩\u200d👩\u200d👧\u200d👦❤️🏳️\u200d🌈👍🏽" * 50,
    "old scripts": drawn(between(0x10000, 0x1FFFF)),
    "control characters": drawn(between(0, 0x1F)),
    "one letter": "a" * 1_000,
    "one capital letter": "A" * 1_000,
    "genes": drawn("ACGT"),
    **{f"lines of {sign!r}": sign * 960 for sign in "-=._*#/+~\t\n\r ─│━═░,;:!%0"},
}


@pytest.mark.parametrize("text", UNUSUAL.values(), ids=UNUSUAL)
def test_the_estimate_of_unusual_text_is_not_too_low(text: str) -> None:
    assert real_tokens(text) <= (1 + TOO_LOW) * estimate_tokens(text)


def test_a_single_long_word_has_a_tail() -> None:
    assert 0 < suffix_within("a" * 10_000, 100) < 10_000


def test_over_all_that_libraries_print_the_estimate_is_near_the_truth() -> None:
    estimated = real = 0
    for name in NAMES:
        for output in record(name)["outputs"]:
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            estimated += estimate_tokens(text[:20_000])
            real += real_tokens(text[:20_000])
    assert 1 <= estimated / real <= 1.2


@given(st.text(max_size=300), st.integers(0, 100))
def test_what_is_cut_off_for_a_number_of_tokens_costs_no_more(text: str, tokens: int) -> None:
    assert estimate_tokens(text[: prefix_within(text, tokens)]) <= tokens + 1
    assert estimate_tokens(text[suffix_within(text, tokens) :]) <= tokens + 1


@given(st.text(max_size=300) | st.text("\r\n \t-a", max_size=300))
@example("\r\n" * 200)
def test_no_text_is_cheaper_than_the_bound_that_lets_long_ones_be_skipped(text: str) -> None:
    assert estimate_tokens(text) * MOST_CHARACTERS >= len(text)


def test_all_of_a_text_is_kept_where_the_tokens_are_enough() -> None:
    text = "some words\n" * 50
    enough = estimate_tokens(text)
    assert prefix_within(text, enough) == len(text)
    assert suffix_within(text, enough) == 0


def test_an_image_costs_by_its_pixels_and_no_more_than_hosts_let_it() -> None:
    assert image_tokens((300, 250)) == 101
    assert image_tokens((5_000, 5_000)) == image_tokens(None) == 1_600
