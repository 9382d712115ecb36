# SPDX-License-Identifier: BSD-3-Clause
"""Runs: the outputs as they are, and our words in the last line."""

from __future__ import annotations

from collections.abc import Sequence

from .. import _answers as answers
from .._output_cursor import OutputPosition, cursor_at
from .._values import CellSnapshot, ExecutionResult, Output, RunningCode, RunStatus, StreamOutput
from .budget import LEAST, NOTICE, ReadOn, clip, fit, shares
from .cells import identity, pager, short_id
from .content import DEFAULT, Content, Settings, Text
from .dispatch import render
from .outputs import Block, output_blocks
from .pages import page_of_outputs
from .tokens import estimate_tokens

_FATE: dict[RunStatus, str] = {
    "ok": "ok",
    "error": "the code raised an exception",
    "interrupted": "interrupted",
    "aborted": "not run",
    "queued": "not begun yet: it waits for the kernel, and will run",
    "running": "still running",
    "input_required": "the code asks its user for input and waits for the answer",
    "kernel_died": "the kernel died; it is being restarted, its variables are lost",
    "kernel_restarted": "the kernel was restarted while it ran, its variables are lost",
    "kernel_gone": "the kernel was shut down while it ran",
    "lost": "its end did not come through, as the connection was away or an interrupt has broken "
    "the kernel (which a restart mends): what the code did is unknown",
    "disconnected": "the connection was lost: what the code did is unknown",
}
_OTHER_KERNEL = "; on another kernel than before, without the variables of that one"
_WHAT_NEXT = "wait_run gets the rest, interrupt_kernel "
_NEXT: dict[RunStatus, str] = {
    "queued": f"{_WHAT_NEXT}ends what runs before it",
    "running": f"{_WHAT_NEXT}ends it",
    "input_required": f"{_WHAT_NEXT}ends it",
}


@render.register
def _(answer: answers.CodeRun, settings: Settings = DEFAULT) -> list[Content]:
    said = fate(answer.result, answer.behind) + _OTHER_KERNEL * answer.other_kernel
    return _run(answer.result, said, settings)


@render.register
def _(answer: answers.CellRun, settings: Settings = DEFAULT) -> list[Content]:
    what = "inserted, " if answer.inserted else ""
    said = f"{_which(answer)}: {what}{fate(answer.result, answer.behind)}"
    said += _OTHER_KERNEL * answer.other_kernel
    return _run(answer.result, said, settings, answer.cell)


@render.register
def _(answer: answers.RunWaited, settings: Settings = DEFAULT) -> list[Content]:
    result = answer.result
    became = fate(result, answer.behind)
    said = f"{became}; cursor {answer.cursor}"
    if answer.start is None:
        return _run(result, said, settings)
    if answer.changed:
        said = f"outputs before the cursor have changed, all are shown again; {said}"
    left = settings.max_tokens - estimate_tokens(said) - NOTICE
    page = page_of_outputs(answer.outputs, answer.start, left, settings)
    if page.end is not None:
        cursor = cursor_at(answer.outputs, page.end)
        goes_on = "the last line goes on; " * page.breaks_line
        said = f'{became}; {goes_on}more outputs follow: read on with since="{cursor}"'
    elif not page.contents:
        said += "; no new output"
    return [*page.contents, Text(f"[{said}]")]


@render.register
def _(answer: answers.AllCellsRun, settings: Settings = DEFAULT) -> list[Content]:
    after = "after a restart of its kernel, " if answer.restarted else ""
    ran = len(answer.runs)
    lines = [f"Notebook {answer.name!r}: {after}{ran} of {answer.total} code cells were run."]
    lines += [_OTHER_KERNEL.removeprefix("; ")] * answer.other_kernel
    lines += [f"{_which(run)}: {fate(run.result, run.behind)}" for run in answer.runs]
    report = Text(clip("\n".join(lines), settings.max_tokens // 2))
    failed = [run for run in answer.runs if run.result.status != "ok" and run.result.outputs]
    left = settings.max_tokens - estimate_tokens(report.text) - NOTICE
    shown = failed[: max(1, left // (2 * LEAST))]
    contents: list[Content] = [report]
    for run, share in zip(shown, shares([left] * len(shown), left), strict=True):
        heading = f"Outputs of {_which(run)}:"
        blocks, read_on = _readable(run.result, settings, run.cell)
        room = share - estimate_tokens(heading)
        outputs = fit(blocks, room, settings, read_on=read_on, fence=True)
        contents += [Text(heading), *outputs]
    if len(shown) < len(failed):
        contents.append(Text(f"… {len(failed) - len(shown)} more failed: see them with read_cell"))
    return contents


def _run(
    result: ExecutionResult, said: str, settings: Settings, cell: CellSnapshot | None = None
) -> list[Content]:
    """The outputs within the budget, and what is to be said of the run."""
    blocks, read_on = _readable(result, settings, cell)
    last = f"[{said}]" if blocks else f"[{said}, no output]"
    left = settings.max_tokens - estimate_tokens(last)
    return [*fit(blocks, left, settings, read_on=read_on), Text(last)]


def _readable(
    result: ExecutionResult, settings: Settings, cell: CellSnapshot | None
) -> tuple[list[Block], ReadOn]:
    """The outputs, and how to read on: in the cell, or in the run if the cell lacks some."""
    blocks = output_blocks(result.outputs, settings)
    if cell is None or cell.outputs != result.outputs:  # widgets show some outputs themselves
        return blocks, _in_run(result, blocks)
    source = Block("source", cell.source, cell.source)
    in_cell = pager(cell.id, [source, *blocks])
    return blocks, lambda block, line: in_cell(block + 1, line)


def _in_run(result: ExecutionResult, blocks: Sequence[Block]) -> ReadOn:
    def read_on(block: int, line: int) -> str:
        index = blocks[block].index
        position = OutputPosition(index, _character(result.outputs[index], blocks[block], line))
        cursor = cursor_at(result.outputs, position)
        return f'wait_run(run_id="{result.run_id}", since="{cursor}")'

    return read_on


def _character(output: Output, block: Block, line: int) -> int:
    """Where a line begins in a text; 0 if what is shown has other lines than what was written."""
    text = output.text if isinstance(output, StreamOutput) else block.full
    if text.count("\n") != block.full.count("\n"):
        return 0
    place = 0
    for _ in range(line):
        place = text.index("\n", place) + 1
    return place


def _which(run: answers.CellRun) -> str:
    if run.cell is None:
        return f"cell {short_id(run.result.cell_id or '')}, deleted meanwhile"
    return identity(run.cell).strip("[]")


def fate(result: ExecutionResult, behind: RunningCode | None = None) -> str:
    """Return what became of a run.

    Args:
        result: The run.
        behind: What the kernel runs before it.
    """
    count = "" if result.execution_count is None else f" In [{result.execution_count}],"
    missing = "; some outputs are missing, or may be" if result.outputs_lost else ""
    if result.after_restart:
        missing += "; the kernel was restarted since your last run: what was defined is gone"
    first = f"; before it runs {_named(behind)}" if behind is not None else ""
    following = _NEXT.get(result.status)
    left = f", run_id {result.run_id}{first}; {following}" if following is not None else ""
    return f"{_FATE[result.status]},{count} {result.elapsed:.2f} s{left}{missing}"


def _named(code: RunningCode) -> str:
    what = "another client's code" if code.run_id is None else f"run {code.run_id}"
    what += f" of cell {short_id(code.cell_id)}" if code.cell_id is not None else ""
    what += f" {code.first_line!r}" if code.first_line is not None else ""
    return what + ", which waits for its user's input" * code.waits_for_input
