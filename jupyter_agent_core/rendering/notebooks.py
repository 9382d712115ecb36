# SPDX-License-Identifier: BSD-3-Clause
"""Notebooks: brief, as an outline, in detail, what matches, and what others have changed."""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from .. import _answers as answers
from .._values import CellSnapshot, ErrorOutput, Mode, StreamOutput, UiOpening, strip_ansi
from .budget import LEAST, NOTICE, clip, rows_within, shares
from .cells import (
    BRIEF,
    WholeCell,
    brief_row,
    count,
    first_line,
    heading,
    short_id,
)
from .content import DEFAULT, Content, Settings, Text
from .dispatch import more, one_text, render, row
from .outputs import data_text
from .tokens import count_within, estimate_tokens

_MODE: dict[Mode, str] = {
    "collaboration": "live: edits are shared at once",
    "server-documents": "live: edits are shared at once",
    "contents": "a file, written at each edit; an edit is refused if others have written it since",
    "datalayer": "live: edits are shared at once",
    "kernels": "there are no notebooks",
}
_IN_UI: dict[UiOpening, str] = {
    "opened": "Opened in the JupyterLab of your user, in a tab behind the one they look at.",
    "unavailable": "Not opened there: the server lacks jupyter-mcp-tools. Give your user the link.",
    "nobody": "Not opened there: no page of JupyterLab is open. Give your user the link.",
    "failed": "Not opened there: the page has not done it. Give your user the link.",
}
_HEADING = re.compile(r"^(#{1,6} .+)$", re.MULTILINE)
_DEFINITION = re.compile(r"^(?:async def|def|class) (\w+)", re.MULTILINE)
_CELL = 45
"""Tokens of the lines above one cell."""
_MOST_NAMES = 12
_ERROR = 120
"""Characters of an error in an outline; more are read, so that no half of a secret is shown."""
_READ_OF_ERROR = 2_000


# --- views


@render.register
def _(answer: answers.NotebookView, settings: Settings = DEFAULT) -> list[Content]:
    if answer.max_tokens is not None:
        settings = attrs.evolve(settings, max_tokens=answer.max_tokens)
    if answer.response_format == "detailed":
        return _detailed(answer, settings)
    return one_text(_rows(answer, settings.max_tokens, settings), settings)


def _rows(view: answers.NotebookView, budget: int, settings: Settings) -> list[str]:
    """The view with a line a cell, as many as fit."""
    lines = [heading(view)]
    if not view.cells:
        return lines + _cursor(view)
    if view.response_format == "outline":
        rows = [_outline_row(cell, settings) for cell in view.cells]
        columns = row("Index", "ID", "Count", "Outline")
    else:
        rows, columns = list(map(brief_row, view.cells)), BRIEF
    rows = rows_within(rows, budget)
    below = more(view.start + len(rows), view.total) + _cursor(view)
    return [*lines, "", columns, *rows, *below]


def _detailed(view: answers.NotebookView, settings: Settings) -> list[Content]:
    budget = settings.max_tokens - 2 * NOTICE
    count, cells = _shared(view.cells, view.include_outputs, budget, settings)
    below = map(Text, more(view.start + count, view.total) + _cursor(view))
    return _joined([Text(heading(view)), *cells, *below])


def _shared(
    cells: Sequence[CellSnapshot], include_outputs: bool, budget: int, settings: Settings
) -> tuple[int, list[Content]]:
    """Cells in detail, which share a budget: how many there is room for, and what they show."""
    count = max(1, count_within((_least(cell, include_outputs) for cell in cells), budget))
    parts = [WholeCell.of(c, settings, include_outputs=include_outputs) for c in cells[:count]]
    granted = shares([part.wanted(budget, settings) for part in parts], budget)
    shown = (part.within(share, settings) for part, share in zip(parts, granted, strict=True))
    return count, [content for contents in shown for content in contents]


def _least(cell: CellSnapshot, include_outputs: bool) -> int:
    outputs = min(len(cell.outputs), 2) if include_outputs else 0
    return _CELL + LEAST * outputs + min(LEAST, estimate_tokens(cell.source[:500]))


def _joined(contents: Sequence[Content]) -> list[Content]:
    """Put texts together that follow each other."""
    joined: list[Content] = []
    for content in contents:
        last = joined[-1] if joined else None
        if isinstance(content, Text) and isinstance(last, Text):
            gap = "\n\n" if content.text.startswith("=====Cell ") else "\n"
            joined[-1] = Text(last.text + gap + content.text)
        else:
            joined.append(content)
    return joined


def _cursor(answer: answers.NotebookView | answers.NotebookChanges) -> list[str]:
    return [f"[cursor {answer.cursor}]"] if answer.cursor else []


def _outline_row(cell: CellSnapshot, settings: Settings) -> str:
    """What a cell is about: headings or first line, what it defines, how it ended."""
    if cell.cell_type == "markdown":
        headings = _HEADING.findall(cell.source)
        about = " / ".join(headings) if headings else first_line(cell)
    else:
        names = _DEFINITION.findall(cell.source)
        about = first_line(cell)
        if names:
            more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
            about += f"; defines {', '.join(names[:_MOST_NAMES])}{more}"
        about += _ended(cell, settings)
    return row(cell.index, short_id(cell.id), count(cell), about)


def _ended(cell: CellSnapshot, settings: Settings) -> str:
    for output in cell.outputs:
        if isinstance(output, ErrorOutput):
            said = strip_ansi(f"{output.ename}: {output.evalue[:_READ_OF_ERROR]}")
            return f"; error {data_text(said, settings)[:_ERROR]}"
    if cell.execution_state != "idle":
        return f"; {cell.execution_state}"
    texts = sum(isinstance(output, StreamOutput) for output in cell.outputs)
    images = sum(
        any(mime.startswith("image/") for mime in output.data)
        for output in cell.outputs
        if not isinstance(output, StreamOutput | ErrorOutput)
    )
    others = len(cell.outputs) - texts - images
    kinds = [(texts, "text"), (images, "image"), (others, "result")]
    told = [f"{n} {kind}{'s' * (n > 1)}" for n, kind in kinds if n]
    return f"; outputs: {', '.join(told)}" if told else ""


# --- search


@render.register
def _(answer: answers.NotebookMatches, settings: Settings = DEFAULT) -> list[Content]:
    what = f"{answer.query!r} in notebook {answer.name}"
    if not answer.matches:
        return one_text([f"No line matches {what}."], settings)
    rows = [
        row(m.index, short_id(m.cell_id), m.place, m.line, data_text(m.text, settings))
        for m in answer.matches
    ]
    shown = rows_within(rows, settings.max_tokens)
    cells = len({match.cell_id for match in answer.matches})
    lines = [f"{answer.total} lines match {what}, in {cells} cells:"]
    lines += [row("Index", "ID", "Place", "Line", "Text"), *shown]
    if len(shown) < answer.total:
        lines.append(f"… {answer.total - len(shown)} more: narrow the query")
    return one_text(lines, settings)


# --- changes


@render.register
def _(answer: answers.NotebookChanges, settings: Settings = DEFAULT) -> list[Content]:
    if not answer.changes:
        text = f"Nobody else has changed notebook {answer.name} since."
        return one_text([text, *_cursor(answer)], settings)
    if answer.max_tokens is not None:
        settings = attrs.evolve(settings, max_tokens=answer.max_tokens)
    lines = [f"Changes in notebook {answer.name} by others:"]
    lines.append(row("Index", "ID", "Version", "Change", "By", "First Line"))
    rows = []
    for change, cell in answer.changes:
        version, first = (cell.version, first_line(cell)) if cell else (None, None)
        index, short = change.index, short_id(change.cell_id)
        rows.append(row(index, short, version, change.kind, change.by or "unknown", first))
    is_detailed = answer.response_format == "detailed"
    budget = settings.max_tokens // (2 if is_detailed else 1)
    shown = rows_within(rows, budget)
    if len(shown) < len(rows):
        shown.append(f"… {len(rows) - len(shown)} more: see the cells with read_notebook")
    table = Text(clip("\n".join([*lines, *shown, *_cursor(answer)]), budget))
    cells = {cell.id: cell for _, cell in answer.changes if cell}
    if not is_detailed or not cells:
        return [table]
    left = settings.max_tokens - estimate_tokens(table.text)
    return [table, *_changed(list(cells.values()), answer, left, settings)]


def _changed(
    cells: Sequence[CellSnapshot], answer: answers.NotebookChanges, left: int, settings: Settings
) -> list[Content]:
    """The cells that have changed, as many as fit."""
    include = answer.include_outputs
    count, contents = _shared(cells, include, left - NOTICE, settings)
    if count < len(cells):
        contents.append(Text(f"… {len(cells) - count} more: see them with read_cell"))
    return _joined(contents)


# --- in use, saved, let go


def no_file(path: str) -> str:
    """Say that nothing but the document holds the cells of a notebook."""
    return (
        f"There is no file at {path!r} any more: somebody has deleted or moved it, "
        "and what was edited since is saved nowhere. Tell your user."
    )


@render.register
def _(answer: answers.NotebookOpened, settings: Settings = DEFAULT) -> list[Content]:
    notebook = answer.notebook
    verb = "Created" if answer.created else "Switched to" if answer.switched else "Opened"
    kernel = "started for it" if answer.kernel_started else "adopted, others may use it"
    meaning = f"in use as {notebook.name!r}: pass that as notebook_name in every call"
    if notebook.current:
        meaning = f"it is now the current notebook, {notebook.name!r}"
    lines = [
        f"{verb} {notebook.path!r}; {meaning}.",
        f"Mode: {notebook.mode} ({_MODE[notebook.mode]}).",
        f"Kernel: {notebook.kernel_id} ({answer.kernel_name}), {kernel}."
        if notebook.kernel_id is not None
        else "Kernel: none is used here.",
    ]
    if answer.url is not None:
        lines.append(f"In a browser: {answer.url}")
    if not notebook.has_file:
        lines.append(no_file(notebook.path))
    if answer.in_ui is not None:
        lines.append(_IN_UI[answer.in_ui])
    if answer.collaborators:
        lines.append(f"Also here: {', '.join(map(repr, answer.collaborators))}.")
    left = settings.max_tokens - estimate_tokens("\n".join(lines))
    return one_text([*lines, "", *_rows(answer.outline, left, settings)], settings)


@render.register
def _(answer: answers.NotebookSaved, settings: Settings = DEFAULT) -> list[Content]:
    return one_text([f"Notebook {answer.name!r} is saved as {answer.path!r}."], settings)


@render.register
def _(answer: answers.NotebookReleased, settings: Settings = DEFAULT) -> list[Content]:
    current = "No notebooks remaining."
    if answer.current is not None:
        current = f"Current notebook switched to {answer.current!r}."
    elif answer.remaining:
        current = f"Still in use: {', '.join(map(repr, answer.remaining))}."
    lines = [f"Notebook {answer.name!r} unused successfully. {current}"]
    kernel = answer.kernel
    if kernel.shut_down:
        lines.append(f"Kernel {kernel.kernel_id} was shut down.")
    elif kernel.kernel_id is not None:
        lines.append(f"Kernel {kernel.kernel_id} was left running: {kernel.reason}.")
    if answer.lost_path is not None:
        lines.append(no_file(answer.lost_path))
    return one_text(lines, settings)


@render.register
def _(answer: answers.KernelRestarted, settings: Settings = DEFAULT) -> list[Content]:
    text = (
        f"Notebook {answer.name!r} kernel restarted successfully. "
        "Memory state and imported packages have been cleared."
    )
    return one_text([text], settings)
