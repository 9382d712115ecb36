# SPDX-License-Identifier: BSD-3-Clause
"""The recorded corpus, and how it is rendered for the golden renderings."""

import base64
import gzip
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

from jupyter_agent_core import CellSnapshot, ExecutionResult
from jupyter_agent_core._answers import CellRun
from jupyter_agent_core._stored_outputs import output_from_nbformat
from jupyter_agent_core._values import ErrorOutput
from jupyter_agent_core.rendering import Content, Settings, Text, render

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"
GOLDEN = HERE / "golden"
NAMES = sorted(path.name.removesuffix(".json.gz") for path in RECORDED.glob("*.json.gz"))


def record(name: str) -> dict[str, Any]:
    """Return what was recorded of an item."""
    loaded: dict[str, Any] = json.loads(
        gzip.decompress((RECORDED / f"{name}.json.gz").read_bytes())
    )
    return loaded


def run(name: str) -> CellRun:
    """Return the answer of `execute_cell` for an item."""
    found = record(name)
    outputs = tuple(map(output_from_nbformat, found["outputs"]))
    error = next((output for output in outputs if isinstance(output, ErrorOutput)), None)
    count, id_ = found["execution_count"], f"corpus-{name}"
    cell = CellSnapshot(id_, 0, "code", found["source"], outputs, count, "idle", {}, "abcd1234")
    return CellRun(
        ExecutionResult(found["status"], outputs, count, "run-1", id_, 0.25, error), cell
    )


def as_text(contents: list[Content]) -> str:
    """Return a rendering as the text of a golden file; of images, what they are."""
    parts = []
    for content in contents:
        if isinstance(content, Text):
            parts.append(f"--- text\n{content.text}")
        else:
            with Pillow.open(io.BytesIO(base64.b64decode(content.data))) as image:
                parts.append(f"--- {content.mime_type} {image.width}×{image.height}")
    return "\n".join(parts) + "\n"


def rendering(name: str, settings: Settings | None = None) -> list[Content]:
    """Return an item as a model reads it."""
    return render(run(name), settings or Settings(mask_secrets=name == "secrets"))
