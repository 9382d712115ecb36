# SPDX-License-Identifier: BSD-3-Clause
"""Values to render, and what came of them."""

import re
from typing import Any

import attrs

from jupyter_agent_core import (
    CellSnapshot,
    ExecutionResult,
)
from jupyter_agent_core._answers import (
    NotebookView,
)
from jupyter_agent_core.rendering import Content, Image, Text, estimate_tokens, render
from jupyter_agent_core.rendering.content import Settings
from jupyter_agent_core.rendering.images import MOST_BASE64, MOST_IMAGES, Picture

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJ"
UUID = "0f9b7a1c-4a55-4c5e-9d51-8d6d6f7a2b11"
SMALL = Settings(max_tokens=800)
OMISSION = re.compile(r"… (\d+) lines, (\d+) characters omitted(?:; read on with [^…]*)? …\n")


def cell(index: int = 0, source: str = "1+1", **changes: Any) -> CellSnapshot:
    snapshot = CellSnapshot(
        id=UUID,
        index=index,
        cell_type="code",
        source=source,
        outputs=(),
        execution_count=None,
        execution_state="idle",
        metadata={},
        version="abcd1234",
    )
    return attrs.evolve(snapshot, **changes)


def view(*cells: CellSnapshot, **changes: Any) -> NotebookView:
    return attrs.evolve(NotebookView("nb", cells, 0, len(cells)), **changes)


def result(*outputs: Any, status: Any = "ok", count: int | None = 3) -> ExecutionResult:
    return ExecutionResult(status, outputs, count, "run", UUID, 0.25)


def texts(answer: object, settings: Settings | None = None) -> list[str]:
    contents = render(answer, settings) if settings else render(answer)
    return [content.text for content in contents if isinstance(content, Text)]


def text(answer: object, settings: Settings | None = None) -> str:
    (only,) = texts(answer, settings)
    return only


def tokens(contents: list[Content]) -> int:
    """Estimated tokens of an answer, texts and images; all its base64 is within its bound."""
    images = [content for content in contents if isinstance(content, Image)]
    assert sum(len(image.data) for image in images) <= MOST_BASE64
    assert len(images) <= MOST_IMAGES
    text = sum(estimate_tokens(content.text) for content in contents if isinstance(content, Text))
    return text + sum(Picture(image.data, image.mime_type).tokens for image in images)
