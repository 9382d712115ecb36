# SPDX-License-Identifier: BSD-3-Clause
"""The page of the data: its tables and its plot. Nothing but the data is needed."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from .results import Result, best, median

CHECKOUT = Path(__file__).parents[2]
DATA = CHECKOUT / "benchmarks" / "results" / "rivals.json"
PAGE = CHECKOUT / "docs" / "explanation" / "comparison.md"
PLOT = CHECKOUT / "docs" / "images" / "rivals.svg"
BEGIN = "<!-- benchmarks/results/rivals.json: `python benchmarks/rivals.py --page` writes this -->"
END = "<!-- end of what is written -->"
FLOOR, OURS = "floor", "ours"
NONE = "–"

Data = dict[str, Any]


def time_of(milliseconds: float) -> str:
    """A time with two or three digits."""
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1_000:.2f} s"


def ratio_of(ratio: float) -> str:
    """A ratio with about two digits."""
    return f"{ratio:.{2 if ratio < 0.1 else 1 if ratio < 10 else 0}f}×"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def contenders_of(data: Data) -> list[str]:
    """All but the floor, in the order of the data."""
    return list(data["contenders"])


def times(data: Data) -> str:
    """Medians, and the ratio to the floor; the least of the contenders is bold."""
    names = contenders_of(data)
    rows = []
    for task in data["tasks"]:
        medians = {name: median(task["results"][name]) for name in (FLOOR, *names)}
        winner = best({name: medians[name] for name in names})
        floor = medians[FLOOR]
        cells = [task["title"], NONE if floor is None else time_of(floor)]
        for name in names:
            value = medians[name]
            if value is None:
                cells.append(_failed(task["results"][name]))
                continue
            shown = time_of(value) + ("" if floor is None else f" ({ratio_of(value / floor)})")
            cells.append(f"**{shown}**" if name == winner else shown)
        rows.append(cells)
    return markdown(["median (ratio to the floor)", FLOOR, *names], rows)


def _failed(result: Result) -> str:
    if "wrong" not in result:
        return NONE
    return f"✗ {result['wrong']} of {result['of']}"


def failures(data: Data) -> str:
    """What was wrong, task by task."""
    lines = []
    for task in data["tasks"]:
        for name, result in task["results"].items():
            if "problem" in result:
                said = result["problem"].replace("`", "'")
                count = f"{result['wrong']} of {result['of']} rounds"
                lines.append(f"- {task['title']}, **{name}**, {count}: `{said}`")
    return "\n".join(lines) if lines else "Nothing failed."


def traffic(data: Data) -> str:
    """What the Jupyter server was asked in one round."""
    return _per_task(
        data,
        "HTTP requests / websockets opened / messages sent",
        (FLOOR, *contenders_of(data)),
        lambda r: (
            f"{r['requests']} / {r['websockets']} / {r['messages']}" if "requests" in r else NONE
        ),
    )


def tokens(data: Data) -> str:
    """What an answer costs a model."""

    def shown(result: Result) -> str:
        if "tokens" not in result:
            return NONE
        structured = result["structured_tokens"]
        return f"{result['tokens']:,}" + (f" + {structured:,}" if structured else "")

    return _per_task(data, "text + structured content", contenders_of(data), shown)


def _per_task(data: Data, title: str, names: Sequence[str], shown: Callable[[Result], str]) -> str:
    rows = [
        [task["title"], *(shown(task["results"][name]) for name in names)]
        for task in data["tasks"]
        if any(shown(task["results"][name]) != NONE for name in names)
    ]
    return markdown([title, *names], rows)


FACTS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("tools", "tools", lambda value: f"{value}"),
    ("tools_tokens", "tokens of `tools/list`: names, descriptions, parameters", "{:,}".format),
    ("tools_bytes", "all of `tools/list`", lambda value: f"{value / 1e3:.1f} kB"),
    ("memory", "memory of the MCP server, notebooks open", lambda value: f"{value / 1e6:.0f} MB"),
    ("idle_cpu", "CPU of the MCP server while idle", lambda value: f"{value:.2%} of a core"),
    ("import_ms", "import", time_of),
    ("size", "installed, with bytecode", lambda value: f"{value / 1e6:.0f} MB"),
    ("packages", "packages installed", lambda value: f"{value}"),
)


def facts(data: Data) -> str:
    """What is not a time of a task; less is better but in the first row."""
    names = contenders_of(data)
    rows = []
    for key, title, shown in FACTS:
        values = {name: data["contenders"][name].get(key) for name in names}
        winner = None if key == "tools" else best(values)
        cells = [NONE if values[name] is None else shown(values[name]) for name in names]
        rows.append(
            [title] + [f"**{c}**" if n == winner else c for n, c in zip(names, cells, strict=True)]
        )
    return markdown(["", *names], rows)


def losses(data: Data) -> str:
    """Where another one has less than ours, in words."""
    names = contenders_of(data)
    lines = []
    for task in data["tasks"]:
        medians = {name: median(task["results"][name]) for name in names}
        if medians[OURS] is None:
            lines.append(f"- {task['title']}: ours fails")
        lines += _loss(task["title"], medians, time_of)
        counts = {name: task["results"][name].get("tokens") for name in names}
        right = {name: counts[name] for name in names if medians[name] is not None}
        lines += _loss(f"tokens: {task['title']}", right, "{:,.0f}".format)
    for key, title, shown in FACTS[1:]:
        values = {name: data["contenders"][name].get(key) for name in names}
        lines += _loss(title, values, shown)
    return "\n".join(lines) if lines else "- nowhere in this run"


def _loss(title: str, values: dict[str, Any], shown: Callable[[Any], str]) -> list[str]:
    winner = best(values)
    if winner in (None, OURS) or values.get(OURS) is None or values[winner] == values[OURS]:
        return []
    return [f"- {title}: {winner} {shown(values[winner])}, ours {shown(values[OURS])}"]


def circumstances(data: Data) -> str:
    """When, where and with what it was measured."""
    machine = data["machine"]
    lines = [
        (
            f"One run on {data['date']}: Python {machine['python']}, {machine['system']}, "
            f"{machine['cores']} cores, load {machine['load_before']:.1f} before and "
            f"{machine['load_after']:.1f} after it, up to {data['rounds']} rounds of each task. "
            f"The Jupyter server: {_versions(data['server'])}."
        )
    ]
    for name, one in data["contenders"].items():
        lines.append(f"- **{name}**: {_versions(one['versions'])}; import is `{one['imports']}`")
    return "\n".join((lines[0], "", *lines[1:]))


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def generated(data: Data) -> str:
    """The part of the page that comes from the data."""
    parts = [
        BEGIN,
        circumstances(data),
        "![The medians of the tasks on a logarithmic scale](../images/rivals.svg)",
        times(data),
        "✗ is not a time: so many rounds had no answer, or a wrong one.",
        failures(data),
        "What the Jupyter server is asked in one round, counted by a proxy before it:",
        traffic(data),
        "Tokens of the answers (o200k), without images, of the first round:",
        tokens(data),
        "Beside the calls:",
        facts(data),
        "**Where ours loses:**",
        losses(data),
        END,
    ]
    return "\n\n".join(parts)


def page(before: str, data: Data) -> str:
    """The page with what the data says now."""
    head, _, rest = before.partition(BEGIN)
    tail = rest.partition(END)[2]
    return head + generated(data) + tail


def load() -> Data:
    """The committed data."""
    data: Data = json.loads(DATA.read_text(encoding="utf-8"))
    return data
