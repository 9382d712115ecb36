# SPDX-License-Identifier: BSD-3-Clause
"""What is not in the document: other servers, interrupts, and where people are."""

from __future__ import annotations

from .. import _answers as answers
from .budget import LEAST, NOTICE, clip
from .content import DEFAULT, Content, Settings
from .dispatch import one_text, render
from .provenance import fenced


@render.register
def _(answer: answers.ServerConnected, settings: Settings = DEFAULT) -> list[Content]:
    lines = [
        f"Successfully connected to Jupyter server: {answer.url}",
        f"Version {answer.version}, notebooks are kept in step by: {answer.mode}.",
        "No notebook is in use there yet: call use_notebook.",
    ]
    return one_text(lines, settings)


@render.register
def _(answer: answers.KernelInterrupted, settings: Settings = DEFAULT) -> list[Content]:
    interrupt = answer.interrupt
    if interrupt.kernel_id is None:
        return one_text([f"Notebook {answer.name!r} has no kernel, so nothing runs."], settings)
    ran = interrupt.interrupted
    what = "Nothing is known to have run"
    if ran is not None:
        where = f" of cell {ran.cell_id}" if ran.cell_id is not None else ""
        what = f"Interrupted {ran.first_line or 'code of another client'!r}{where}"
    end = (
        "the kernel is free."
        if interrupt.stopped
        else ("it has not stopped: only restart_notebook ends it.")
    )
    return one_text([f"{what}; {end}"], settings)


@render.register
def _(answer: answers.CellsSelected, settings: Settings = DEFAULT) -> list[Content]:
    if not answer.selections:
        return one_text([f"Nobody has the cursor in a cell of {answer.name!r}."], settings)
    lines: list[str] = []
    room = max(LEAST, settings.max_tokens // len(answer.selections) - 2 * NOTICE)
    for by, cell in answer.selections:
        lines += [f"{by!r} is in cell {cell.index}, id {cell.id}, version {cell.version}:"]
        lines += [fenced(clip(cell.source, room), "source"), ""]
    return one_text(lines[:-1], settings)
