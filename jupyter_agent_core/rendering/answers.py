# SPDX-License-Identifier: BSD-3-Clause
"""Answers of the tools as a model reads them.

Some of these texts are what users' prompts and scripts look for (see the tool
reference); they stay as they are.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import singledispatch

from .. import _answers as answers
from .._values import CellSnapshot, ErrorOutput, ExecutionResult, RunStatus
from .content import DEFAULT, Content, Settings, Text, clip
from .outputs import LEAST, contents_of, fit, render_outputs

_FATE: dict[RunStatus, str] = {
    "ok": "ok",
    "error": "the code raised an exception",
    "interrupted": "interrupted",
    "aborted": "not run",
    "queued": "not begun yet: it waits for the kernel, and will run",
    "running": "still running: its outputs go on landing in the notebook",
    "kernel_died": "the kernel died; it is being restarted, its variables are lost",
    "kernel_restarted": "the kernel was restarted while it ran, its variables are lost",
    "kernel_gone": "the kernel was shut down while it ran",
    "disconnected": "the connection was lost: what the code did is unknown",
}
_FIRST_LINE = 100
_UUID_LENGTH = 36


@singledispatch
def render(answer: object, settings: Settings = DEFAULT) -> list[Content]:
    """Return text and images that say what an answer says.

    Args:
        answer: What a tool method returned.
        settings: Whether images are shown, and the budget.

    Raises:
        TypeError: Nothing is known of this kind of answer.
    """
    raise TypeError(f"{type(answer).__name__} is no answer of a tool")


@render.register
def _(answer: answers.FileListing, settings: Settings = DEFAULT) -> list[Content]:
    if not answer.files:
        what = f"matching {answer.pattern!r} " if answer.pattern else ""
        return [Text(f"No files {what}found in path {answer.path or '/'!r}.")]
    last = answer.start + len(answer.files)
    lines = [f"Showing {answer.start + 1}-{last} of {answer.total} files", ""]
    lines.append(_row("Path", "Type", "Size", "Last_Modified"))
    lines += [_row(f.path, f.type, _size(f.size), f.last_modified) for f in answer.files]
    if last < answer.total:
        lines.append(f"… {answer.total - last} more: read on with start_index={last}")
    return _text([*lines, *_incomplete(answer.incomplete)], settings)


@render.register
def _(answer: answers.KernelListing, settings: Settings = DEFAULT) -> list[Content]:
    specs = {spec.name: spec for spec in answer.specs}
    columns = ("ID", "Name", "Display_Name", "Language", "State", "Connections", "Last_Activity")
    lines = [_row(*columns, "Environment", "Notebook")]
    for kernel in answer.kernels:
        spec = specs.get(kernel.name)
        display_name, language = (spec.display_name, spec.language) if spec else (None, None)
        activity = (kernel.state, kernel.connections, kernel.last_activity)
        row = (kernel.id, kernel.name, display_name, language, *activity, None, kernel.path)
        lines.append(_row(*row))
    if not answer.kernels:
        lines.append("(no kernel is running)")
    lines += ["", "Kernels that can be started:", _row("Name", "Display_Name", "Language")]
    for spec in answer.specs:
        default = " (default)" if spec.default else ""
        lines.append(_row(spec.name, spec.display_name + default, spec.language))
    return _text(lines, settings)


@render.register
def _(answer: answers.NotebookListing, settings: Settings = DEFAULT) -> list[Content]:
    lines = [_row("Name", "Path", "Kernel_ID", "Kernel_Status", "Mode", "Activate")]
    for notebook in answer.in_use:
        mark = "✓" if notebook.current else ""
        kernel = (notebook.kernel_id, notebook.kernel_state)
        lines.append(_row(notebook.name, notebook.path, *kernel, notebook.mode, mark))
    if not answer.in_use:
        lines.append("(none is in use: call use_notebook)")
    if answer.sessions:
        lines += ["", "Others with a running session:", _row("Path", "Kernel_ID", "Kernel_Status")]
        lines += [_row(s.path, s.kernel.id, s.kernel.state) for s in answer.sessions]
    lines += ["", "Other notebook files:" if answer.files else "No other notebook files."]
    lines += [file.path for file in answer.files]
    if answer.total_files > len(answer.files):
        lines.append(f"… {answer.total_files - len(answer.files)} more")
    return _text([*lines, *_incomplete(answer.incomplete)], settings)


@render.register
def _(answer: answers.NotebookOpened, settings: Settings = DEFAULT) -> list[Content]:
    notebook = answer.notebook
    verb = "Created" if answer.created else "Switched to" if answer.switched else "Opened"
    kernel = "started for it" if answer.kernel_started else "adopted, others may use it"
    lines = [
        f"{verb} {notebook.path!r}; it is now the current notebook, {notebook.name!r}.",
        f"Mode: {notebook.mode} (live: edits are shared at once).",
        f"Kernel: {notebook.kernel_id} ({answer.kernel_name}), {kernel}.",
    ]
    if answer.url is not None:
        lines.append(f"In a browser: {answer.url}")
    if answer.collaborators:
        lines.append(f"Also here: {', '.join(map(repr, answer.collaborators))}.")
    return _text([*lines, "", *_view(answer.outline)], settings)


@render.register
def _(answer: answers.NotebookReleased, settings: Settings = DEFAULT) -> list[Content]:
    current = "No notebooks remaining."
    if answer.current is not None:
        current = f"Current notebook switched to {answer.current!r}."
    lines = [f"Notebook {answer.name!r} unused successfully. {current}"]
    kernel = answer.kernel
    if kernel.shut_down:
        lines.append(f"Kernel {kernel.kernel_id} was shut down.")
    elif kernel.kernel_id is not None:
        lines.append(f"Kernel {kernel.kernel_id} was left running: {kernel.reason}.")
    return _text(lines, settings)


@render.register
def _(answer: answers.KernelRestarted, settings: Settings = DEFAULT) -> list[Content]:
    text = (
        f"Notebook {answer.name!r} kernel restarted successfully. "
        "Memory state and imported packages have been cleared."
    )
    return [Text(text)]


@render.register
def _(answer: answers.NotebookView, settings: Settings = DEFAULT) -> list[Content]:
    if answer.response_format == "brief" or not answer.include_outputs:
        return _text(_view(answer), settings)
    contents: list[Content] = [Text(_heading(answer))]
    shown = answer.cells[: _most(settings.max_characters)]
    share = settings.max_characters // max(1, len(shown))
    for cell in shown:
        contents += _cell(cell, include_outputs=True, settings=Settings(settings.images, share))
    return [*contents, *map(Text, _more(answer, len(shown)))]


@render.register
def _(answer: answers.CellView, settings: Settings = DEFAULT) -> list[Content]:
    return _cell(answer.cell, include_outputs=answer.include_outputs, settings=settings)


@render.register
def _(answer: answers.CellInserted, settings: Settings = DEFAULT) -> list[Content]:
    cell = answer.cell
    lines = [
        f"Cell inserted successfully at index {cell.index} ({cell.cell_type})!",
        _identity(cell),
        "",
        *_view(answer.neighbours),
    ]
    return _text(lines, settings)


@render.register
def _(answer: answers.CellsDeleted, settings: Settings = DEFAULT) -> list[Content]:
    parts = []
    for cell in answer.cells:
        part = f"Cell {cell.index} ({cell.cell_type}) deleted successfully. {_identity(cell)}"
        if answer.include_source:
            part += f"\ndeleted cell source:\n{cell.source}"
        parts.append(part)
    return _text(["\n---\n".join(parts)], settings)


@render.register
def _(answer: answers.CellOverwritten, settings: Settings = DEFAULT) -> list[Content]:
    before, after = answer.before, answer.after
    diff = list(
        difflib.unified_diff(before.source.splitlines(), after.source.splitlines(), lineterm="")
    )
    said = f"Cell {after.index} overwritten successfully"
    if before.source == after.source:
        return [Text(f"{said} - no changes detected\n{_identity(after)}")]
    lines = [f"{said}!", "", "```diff", *(diff or ["@@ line ends changed @@"]), "```"]
    return _text([*lines, _identity(after)], settings)


@render.register
def _(answer: answers.CodeRun, settings: Settings = DEFAULT) -> list[Content]:
    outputs = render_outputs(answer.result.outputs, settings)
    return [*outputs, Text(f"[{_fate(answer.result)}]")]


@render.register
def _(answer: answers.CellRun, settings: Settings = DEFAULT) -> list[Content]:
    outputs = render_outputs(answer.result.outputs, settings)
    what = "inserted, " if answer.inserted else ""
    return [*outputs, Text(f"[{_which(answer)}: {what}{_fate(answer.result)}]")]


@render.register
def _(answer: answers.AllCellsRun, settings: Settings = DEFAULT) -> list[Content]:
    after = "after a restart of its kernel, " if answer.restarted else ""
    ran = len(answer.runs)
    lines = [f"Notebook {answer.name!r}: {after}{ran} of {answer.total} code cells were run."]
    lines += [f"{_which(run)}: {_fate(run.result)}" for run in answer.runs]
    half = Settings(settings.images, settings.max_characters // 2)
    contents = _text(lines, half)
    failed = [run for run in answer.runs if run.result.status != "ok"]
    shown = failed[: _most(half.max_characters)]
    for run in shown:
        heading = f"Outputs of {_which(run)}:"
        share = half.max_characters // len(shown) - len(heading)
        outputs = render_outputs(run.result.outputs, Settings(settings.images, share))
        contents += [Text(heading), *outputs]
    if len(shown) < len(failed):
        contents.append(Text(f"… {len(failed) - len(shown)} more failed: see them with read_cell"))
    return contents


# --- the pieces


def _text(lines: Iterable[str], settings: Settings) -> list[Content]:
    return [Text(clip("\n".join(lines), settings.max_characters))]


def _row(*fields: object) -> str:
    """One line of a table; a tab or a line break in a field would break it."""
    texts = ("-" if field is None else str(field) for field in fields)
    return "\t".join(" ".join(text.splitlines()).replace("\t", " ") for text in texts)


def _size(size: int | None) -> str:
    if size is None:
        return "-"
    if size < 1024:
        return f"{size}B"
    if size < 1024 * 1024:
        return f"{size / 1024:.1f}KB"
    return f"{size / 1024 / 1024:.1f}MB"


def _incomplete(directories: int) -> list[str]:
    return [f"({directories} directories were not searched)"] if directories else []


def _heading(view: answers.NotebookView) -> str:
    return f"Notebook {view.name} has {view.total} cells."


def _view(view: answers.NotebookView) -> list[str]:
    lines = [_heading(view)]
    if view.response_format == "detailed":
        for cell in view.cells:
            lines += ["", _header(cell), cell.source]
    elif view.cells:
        lines += ["", _row("Index", "ID", "Version", "Type", "Count", "First Line", "State")]
        lines += [_brief(cell) for cell in view.cells]
    return lines + _more(view, len(view.cells))


def _more(view: answers.NotebookView, shown: int) -> list[str]:
    end = view.start + shown
    return [f"… {view.total - end} more: read on with start_index={end}"] * (end < view.total)


def _most(budget: int) -> int:
    """How many cells with their outputs a budget is enough for."""
    return max(1, budget // (2 * LEAST))


def _brief(cell: CellSnapshot) -> str:
    lines = cell.source.splitlines() or [""]
    first = lines[0][:_FIRST_LINE] + ("…" if len(lines[0]) > _FIRST_LINE else "")
    if len(lines) > 1:
        first += f"...({len(lines) - 1} lines hidden)"
    failed = any(isinstance(output, ErrorOutput) for output in cell.outputs)
    state = "error" if failed else cell.execution_state
    count = "N/A" if cell.execution_count is None else cell.execution_count
    return _row(cell.index, _short(cell.id), cell.version, cell.cell_type, count, first, state)


def _header(cell: CellSnapshot) -> str:
    count = "N/A" if cell.execution_count is None else cell.execution_count
    return f"=====Cell {cell.index} | type: {cell.cell_type} | execution count: {count}====="


def _identity(cell: CellSnapshot) -> str:
    return f"[cell {cell.index}, id {_short(cell.id)}, version {cell.version}]"


def _short(cell_id: str) -> str:
    """The beginning of an id that is a UUID; what people or tools chose is shown whole."""
    return cell_id[:8] if len(cell_id) == _UUID_LENGTH else cell_id


def _cell(cell: CellSnapshot, *, include_outputs: bool, settings: Settings) -> list[Content]:
    heading = f"{_header(cell)}\n{_identity(cell)}"
    outputs = contents_of(cell.outputs, settings) if include_outputs else []
    left = max(0, settings.max_characters - len(heading))
    return [Text(heading), *fit([Text(cell.source), *outputs], left)]


def _which(run: answers.CellRun) -> str:
    if run.cell is None:
        return f"cell {_short(run.result.cell_id or '')}, deleted meanwhile"
    return _identity(run.cell).strip("[]")


def _fate(result: ExecutionResult) -> str:
    count = "" if result.execution_count is None else f" In [{result.execution_count}],"
    return f"{_FATE[result.status]},{count} {result.elapsed:.2f} s"
