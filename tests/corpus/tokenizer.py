# SPDX-License-Identifier: BSD-3-Clause
"""Real tokenizers, whose vocabularies come with their packages."""

import functools
import importlib.resources
import warnings
from collections.abc import Iterable

from mistral_common.tokens.tokenizers.tekken import Tekkenizer

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of how it reads its files
    import bpe_openai

_PART = 100_000  # the tokenizer takes no more at once


@functools.cache
def _tekken() -> Tekkenizer:
    vocabulary = importlib.resources.files("mistral_common") / "data" / "tekken_240911.json"
    with importlib.resources.as_file(vocabulary) as path:
        return Tekkenizer.from_file(str(path))


def tekken_tokens(text: str) -> int:
    """Tokens of Mistral's Tekken: 130,000 pieces, each digit a token of its own."""
    return len(_tekken().encode(text, bos=False, eos=False))


def o200k_tokens(text: str) -> int:
    """Tokens of OpenAI's o200k: 200,000 pieces, up to three digits in one."""
    encoding = bpe_openai.get_encoding("o200k_base")
    parts = (text[start : start + _PART] for start in range(0, len(text), _PART))
    return sum(len(encoding.encode(part)) for part in parts)


def tekken_vocabulary() -> list[str]:
    """The tokens of Tekken that are whole characters."""
    tokenizer = _tekken()
    ids = range(tokenizer.num_special_tokens, tokenizer.n_words)
    return _texts(map(tokenizer.id_to_byte_piece, ids))


def o200k_vocabulary() -> list[str]:
    """The tokens of o200k that are whole characters."""
    return _texts(bpe_openai.get_encoding("o200k_base").token_byte_values())


def _texts(tokens: Iterable[bytes]) -> list[str]:
    texts = (token.decode(errors="replace") for token in tokens)
    return [text for text in texts if "\ufffd" not in text]
