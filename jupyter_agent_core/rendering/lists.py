# SPDX-License-Identifier: BSD-3-Clause
"""Lists of files, kernels, notebooks and variables.

Some of these texts are what users' prompts and scripts look for (see the tool reference); they
stay as they are.
"""

from __future__ import annotations

import attrs

from .. import _answers as answers
from .._values import DisplayOutput
from .budget import clip, fit, rows_within
from .content import DEFAULT, Content, Settings, Text
from .dispatch import more, one_text, render, row
from .notebooks import no_file
from .outputs import data_text, output_blocks
from .tokens import estimate_tokens


@render.register
def _(answer: answers.FileListing, settings: Settings = DEFAULT) -> list[Content]:
    if not answer.files:
        what = f"matching {answer.pattern!r} " if answer.pattern else ""
        return [Text(f"No files {what}found in path {answer.path or '/'!r}.")]
    rows = [row(f.path, f.type, _size(f.size), f.last_modified) for f in answer.files]
    rows = rows_within(rows, settings.max_tokens)
    last = answer.start + len(rows)
    lines = [f"Showing {answer.start + 1}-{last} of {answer.total} files", ""]
    lines += [row("Path", "Type", "Size", "Last_Modified"), *rows, *more(last, answer.total)]
    return one_text([*lines, *_incomplete(answer.incomplete)], settings)


@render.register
def _(answer: answers.KernelListing, settings: Settings = DEFAULT) -> list[Content]:
    specs = {spec.name: spec for spec in answer.specs}
    columns = ("ID", "Name", "Display_Name", "Language", "State", "Connections", "Last_Activity")
    lines = [row(*columns, "Environment", "Notebook")]
    for kernel in answer.kernels:
        spec = specs.get(kernel.name)
        display_name, language = (spec.display_name, spec.language) if spec else (None, None)
        activity = (kernel.state, kernel.connections, kernel.last_activity)
        fields = (kernel.id, kernel.name, display_name, language, *activity, None, kernel.path)
        lines.append(row(*fields))
    if not answer.kernels:
        lines.append(answer.unlisted or "(no kernel is running)")
    lines += ["", "Kernels that can be started:", row("Name", "Display_Name", "Language")]
    for spec in answer.specs:
        default = " (default)" if spec.default else ""
        lines.append(row(spec.name, spec.display_name + default, spec.language))
    return one_text(lines, settings)


@render.register
def _(answer: answers.NotebookListing, settings: Settings = DEFAULT) -> list[Content]:
    lines = [row("Name", "Path", "Kernel_ID", "Kernel_Status", "Mode", "Activate")]
    for notebook in answer.in_use:
        mark = "✓" if notebook.current else ""
        kernel = (notebook.kernel_id, notebook.kernel_state)
        lines.append(row(notebook.name, notebook.path, *kernel, notebook.mode, mark))
    lines += [no_file(notebook.path) for notebook in answer.in_use if not notebook.has_file]
    if not answer.in_use:
        lines.append("(none is in use: call use_notebook)")
    if answer.sessions:
        lines += ["", "Others with a running session:", row("Path", "Kernel_ID", "Kernel_Status")]
        lines += [row(s.path, s.kernel.id, s.kernel.state) for s in answer.sessions]
    none = answer.unlisted or "No other notebook files."
    lines += ["", "Other notebook files:" if answer.files else none]
    lines += [row(file.path) for file in answer.files]
    if answer.total_files > len(answer.files):
        lines.append(f"… {answer.total_files - len(answer.files)} more")
    return one_text([*lines, *_incomplete(answer.incomplete)], settings)


@render.register
def _(answer: answers.VariablesListed, settings: Settings = DEFAULT) -> list[Content]:
    variables, total = answer.listing.variables, answer.listing.total
    if not variables:
        return [Text(f"The kernel of notebook {answer.name!r} has no variables.")]
    rows = [row(v.name, v.type, _shape(v.shape), data_text(v.text, settings)) for v in variables]
    rows = rows_within(rows, settings.max_tokens)
    lines = [row("Name", "Type", "Shape", "Value"), *rows]
    if len(rows) < total:
        lines.append(f"… {total - len(rows)} more: ask for one by its name")
    return one_text(lines, settings)


@render.register
def _(answer: answers.VariableShown, settings: Settings = DEFAULT) -> list[Content]:
    value = answer.value
    shape = "" if value.shape is None else f", shape {_shape(value.shape)}"
    heading = f"{value.name}: {value.type}{shape}"
    if value.columns:
        columns = ", ".join(f"{name} ({type_})" for name, type_ in value.columns)
        heading += "\n" + row(f"Columns: {columns}") + "\nFirst rows:"
    # JSON would say the text again, and objects that show themselves do so better than by it
    shown = {mime: item for mime, item in value.data.items() if mime != "application/json"}
    data = {"text/plain": value.text} if value.columns else {**shown, "text/plain": value.text}
    heading = clip(heading, settings.max_tokens // 2)
    blocks = output_blocks([DisplayOutput(data)], settings)
    blocks = [attrs.evolve(block, kind="value") for block in blocks]
    left = settings.max_tokens - estimate_tokens(heading)
    return [Text(heading), *fit(blocks, left, settings, fence=True)]


def _shape(shape: tuple[int, ...] | None) -> str | None:
    return None if shape is None else "×".join(map(str, shape)) or "scalar"


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
