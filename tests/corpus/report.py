# SPDX-License-Identifier: BSD-3-Clause
"""Print, for each item of the corpus, tokens of our answer and of the raw outputs.

    python tests/corpus/report.py

Tokens of text are counted by two real tokenizers, Tekken and OpenAI's o200k; tokens of images
are estimated. The raw outputs are the JSON of nbformat, as a tool without rendering would pass
them on.
"""

import json
import re

from recorded import NAMES, record, rendering
from tokenizer import o200k_tokens, tekken_tokens

from jupyter_agent_core.rendering import Image, Text, estimate_tokens
from jupyter_agent_core.rendering.images import Picture

_NOTICE = re.compile(
    r"\d+ (?:lines, \d+ characters|frames|outputs) omitted|\d+ more times|not shown"
)


def kept(name: str) -> str:
    """What our answer has of the outputs, in words."""
    contents = rendering(name)
    texts = [content.text for content in contents[:-1] if isinstance(content, Text)]
    images = sum(isinstance(content, Image) for content in contents)
    notices = [found[0] for text in texts for found in _NOTICE.finditer(text)]
    lines = sum(len(text.splitlines()) for text in texts)
    parts = [f"{lines} lines"] * bool(lines) + [f"{images} images"] * bool(images)
    return ", ".join(parts or ["status"]) + (f"; told: {'; '.join(notices[:3])}" if notices else "")


def main() -> None:
    print(
        f"{'item':24}{'raw o200k':>10}{'estimate':>10}{'o200k':>8}{'tekken':>8}{'images':>8}  kept"
    )
    totals = [0] * 5
    for name in NAMES:
        contents = rendering(name)
        text = "\n".join(content.text for content in contents if isinstance(content, Text))
        pictures = [Picture(c.data, c.mime_type) for c in contents if isinstance(c, Image)]
        raw = o200k_tokens(json.dumps(record(name)["outputs"], ensure_ascii=False))
        counts = [raw, estimate_tokens(text), o200k_tokens(text), tekken_tokens(text)]
        counts.append(sum(picture.tokens for picture in pictures))
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
        print(f"{name:24}{row(counts)}  {kept(name)}")
    print(f"{'sum':24}{row(totals)}")


def row(counts: list[int]) -> str:
    widths = (10, 10, 8, 8, 8)
    return "".join(f"{count:>{width}}" for count, width in zip(counts, widths, strict=True))


if __name__ == "__main__":
    main()
