# SPDX-License-Identifier: BSD-3-Clause
"""Cells: one, or some after an edit."""

from __future__ import annotations

import difflib

import attrs

from .. import _answers as answers
from .._values import CellSnapshot, ErrorOutput
from .budget import FENCE, NOTICE, ReadOn, clip, cost, costs_of, fit, shares
from .content import DEFAULT, Content, Settings, Text
from .dispatch import more, one_text, render, row
from .outputs import Block, cell_blocks
from .pages import LinePage, page_of_lines
from .provenance import fenced
from .tokens import estimate_tokens

_FIRST_LINE = 100
_UUID_LENGTH = 36
BRIEF = row("Index", "ID", "Version", "Type", "Count", "First Line", "State")


# --- what names a cell


def short_id(cell_id: str) -> str:
    """Return the beginning of an id that is a UUID; what people or tools chose is whole."""
    return cell_id[:8] if len(cell_id) == _UUID_LENGTH else cell_id


def identity(cell: CellSnapshot) -> str:
    """Return the line that names a cell and its version."""
    return f"[cell {cell.index}, id {short_id(cell.id)}, version {cell.version}]"


def header(cell: CellSnapshot) -> str:
    """Return the line that users look for above a cell."""
    return f"=====Cell {cell.index} | type: {cell.cell_type} | execution count: {count(cell)}====="


def count(cell: CellSnapshot) -> str:
    """Return the `n` of `In [n]`."""
    return "N/A" if cell.execution_count is None else str(cell.execution_count)


def state(cell: CellSnapshot) -> str:
    """Return what the cell does, or that it has failed."""
    failed = any(isinstance(output, ErrorOutput) for output in cell.outputs)
    return "error" if failed else cell.execution_state


def first_line(cell: CellSnapshot) -> str:
    """Return the first line of the source, and how many more there are."""
    lines = cell.source.splitlines() or [""]
    first = lines[0][:_FIRST_LINE] + ("…" if len(lines[0]) > _FIRST_LINE else "")
    return first + (f"...({len(lines) - 1} lines hidden)" if len(lines) > 1 else "")


def brief_row(cell: CellSnapshot) -> str:
    """Return the line of the cell in a brief listing."""
    named = (cell.index, short_id(cell.id), cell.version, cell.cell_type)
    return row(*named, count(cell), first_line(cell), state(cell))


def pager(cell_id: str, blocks: list[Block]) -> ReadOn:
    """Return how to read on in a cell: by the line, counted from 1 over source and outputs."""
    starts = [1]
    for block in blocks:
        starts.append(starts[-1] + block.lines)

    def read_on(block: int, line: int) -> str:
        where = starts[block] + (blocks[block].place(line) if line else 0)
        return _read_cell(cell_id, where)

    return read_on


def _read_cell(cell_id: str, line: int, tokens: int | None = None) -> str:
    more = "" if tokens is None else f", max_tokens={tokens}"
    return f'read_cell(cell_id="{short_id(cell_id)}", start_line={line}{more})'


@attrs.frozen
class WholeCell:
    """Header, source and outputs of a cell, at full length.

    Attributes:
        heading: The lines above.
        blocks: The source and the outputs.
        read_on: How to see what is left out.
    """

    heading: str
    blocks: list[Block]
    read_on: ReadOn

    @classmethod
    def of(cls, cell: CellSnapshot, settings: Settings, *, include_outputs: bool) -> WholeCell:
        """Take all that is shown of a cell."""
        blocks = cell_blocks(cell, settings, include_outputs=include_outputs)
        return cls(f"{header(cell)}\n{identity(cell)}", blocks, pager(cell.id, blocks))

    def wanted(self, most: int, settings: Settings) -> int:
        """Return the estimated tokens of all of it; of long texts, that they are more than most."""
        costs = costs_of(self.blocks, most, settings, read_on=self.read_on, fence=True)
        return estimate_tokens(self.heading) + sum(costs)

    def within(self, budget: int, settings: Settings) -> list[Content]:
        """Return it within a budget."""
        left = budget - estimate_tokens(self.heading)
        shown = fit(self.blocks, left, settings, read_on=self.read_on, fence=True)
        return [Text(self.heading), *shown]


# --- answers


@render.register
def _(answer: answers.CellView, settings: Settings = DEFAULT) -> list[Content]:
    if answer.max_tokens is not None:
        settings = attrs.evolve(settings, max_tokens=answer.max_tokens)
    cell = WholeCell.of(answer.cell, settings, include_outputs=answer.include_outputs)
    if answer.start_line is None:
        return cell.within(settings.max_tokens, settings)
    total = sum(block.lines for block in cell.blocks)
    longest = _lines(answer.cell.id, total, LinePage([], total, breaks_line=True), total)
    room = estimate_tokens(cell.heading) + estimate_tokens(longest)

    def with_more(line: int, tokens: int) -> str:
        return _read_cell(answer.cell.id, line + 1, tokens + room)

    first, left = answer.start_line - 1, settings.max_tokens - room
    page = page_of_lines(cell.blocks, first, left, settings, with_more)
    if not page.contents:
        return [Text(f"{cell.heading}\n[lines 1-{total} are all that it has]")]
    said = _lines(answer.cell.id, answer.start_line, page, total)
    return [Text(cell.heading), *page.contents, Text(said)]


def _lines(cell_id: str, first: int, page: LinePage, total: int) -> str:
    """The line that says what a page shows, and how to read on."""
    if page.next_line is None:
        return f"[lines {first}-{total} of {total}]"
    goes_on = ", of which the last goes on" if page.breaks_line else ""
    call = _read_cell(cell_id, page.next_line + 1)
    return f"[lines {first}-{page.next_line} of {total}{goes_on}; read on with {call}]"


@render.register
def _(answer: answers.CellInserted, settings: Settings = DEFAULT) -> list[Content]:
    cell = answer.cell
    said = f"Cell inserted successfully at index {cell.index} ({cell.cell_type})!"
    return one_text([said, identity(cell), "", *around(answer.neighbours)], settings)


@render.register
def _(answer: answers.CellMoved, settings: Settings = DEFAULT) -> list[Content]:
    cell = answer.cell
    said = f"Cell moved successfully from index {answer.start} to index {cell.index}!"
    return one_text([said, identity(cell), "", *around(answer.neighbours)], settings)


@render.register
def _(answer: answers.CellsDeleted, settings: Settings = DEFAULT) -> list[Content]:
    budget = settings.max_tokens - NOTICE * len(answer.cells)
    wanted = [cost(cell.source, budget) + FENCE for cell in answer.cells]
    parts = []
    for cell, share in zip(answer.cells, shares(wanted, budget), strict=True):
        part = f"Cell {cell.index} ({cell.cell_type}) deleted successfully. {identity(cell)}"
        if answer.include_source:
            source = clip(cell.source, share - FENCE)
            part += f"\ndeleted cell source:\n{fenced(source, 'source')}"
        parts.append(part)
    return one_text(["\n---\n".join(parts)], settings)


@render.register
def _(answer: answers.CellOverwritten, settings: Settings = DEFAULT) -> list[Content]:
    before, after = answer.before, answer.after
    diff = list(
        difflib.unified_diff(before.source.splitlines(), after.source.splitlines(), lineterm="")
    )
    said = f"Cell {after.index} overwritten successfully"
    if before.source == after.source:
        return [Text(f"{said} - no changes detected\n{identity(after)}")]
    room = settings.max_tokens - 2 * NOTICE - FENCE
    shown = clip("\n".join(diff or ["@@ line ends changed @@"]), room)
    return one_text([f"{said}!", "", fenced(shown, "diff"), identity(after)], settings)


@render.register
def _(answer: answers.OutputsCleared, settings: Settings = DEFAULT) -> list[Content]:
    lines = [f"Outputs of {len(answer.cells)} code cells cleared."]
    return one_text([*lines, *map(identity, answer.cells)], settings)


@render.register
def _(answer: answers.EditsApplied, settings: Settings = DEFAULT) -> list[Content]:
    lines = [f"{len(answer.edits)} edits made as one:"]
    return one_text([*lines, *(f"{kind}: {identity(c)}" for kind, c in answer.edits)], settings)


@render.register
def _(answer: answers.EditsUndone, settings: Settings = DEFAULT) -> list[Content]:
    done = f"{answer.count} of your edits undone."
    if not answer.cells:
        return one_text([f"{done} No cell of the notebook is different by it."], settings)
    lines = [f"{done} Cells that are different now:", *map(identity, answer.cells)]
    return one_text(lines, settings)


def around(view: answers.NotebookView) -> list[str]:
    """Return the lines that show the cells around an edit."""
    rows = ["", BRIEF, *map(brief_row, view.cells)] if view.cells else []
    return [heading(view), *rows, *more(view.start + len(view.cells), view.total)]


def heading(view: answers.NotebookView) -> str:
    """Return the line above the cells of a notebook."""
    return f"Notebook {view.name} has {view.total} cells."
