# SPDX-License-Identifier: BSD-3-Clause
"""The plot of the data: a row for each task, a dot for each median, on a logarithmic scale."""

import math
from typing import Any
from xml.sax.saxutils import escape

from .page import FLOOR, contenders_of, time_of
from .results import median

COLORS = ("#1f5fd0", "#c2571a", "#7a3fa0", "#2f7d4f")
GREY = "#6b7484"
WIDTH, LEFT, RIGHT, TOP, ROW = 1070, 370, 30, 66, 30
TICKS = (1, 10, 100, 1_000, 10_000, 60_000)
LEAST, MOST = 1.0, 60_000.0


def x_of(milliseconds: float) -> float:
    """Where a time is; what is out of the scale is at its end."""
    share = math.log(max(milliseconds, LEAST) / LEAST) / math.log(MOST / LEAST)
    return round(LEFT + min(share, 1.0) * (WIDTH - LEFT - RIGHT), 1)


def svg(data: dict[str, Any]) -> str:
    """The whole plot."""
    tasks = data["tasks"]
    names = [FLOOR, *contenders_of(data)]
    colors = dict(zip(names, (GREY, *COLORS), strict=False))
    height = TOP + ROW * len(tasks) + 14
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
            'font-family="system-ui, sans-serif" font-size="13">'
        ),
        "  <title>Medians of each task on a logarithmic scale; the table has the numbers</title>",
        f'  <rect width="{WIDTH}" height="{height}" rx="8" fill="#f6f8fc"/>',
    ]
    for number, name in enumerate(names):
        parts += _key(LEFT + 120 * number, name, colors[name])
    for tick in TICKS:
        parts.append(
            f'  <path d="M{x_of(tick)} {TOP - 8}V{height - 10}" stroke="#d4dae6"/>'
            f'<text x="{x_of(tick)}" y="{TOP - 14}" text-anchor="middle" font-size="11.5" '
            f'fill="#3c465c">{_tick(tick)}</text>'
        )
    for number, task in enumerate(tasks):
        parts += _row(TOP + ROW * number + ROW // 2, task, names, colors)
    return "\n".join([*parts, "</svg>", ""])


def _tick(milliseconds: int) -> str:
    return f"{milliseconds} ms" if milliseconds < 1_000 else f"{milliseconds // 1_000} s"


def _key(x: int, name: str, color: str) -> list[str]:
    return [
        (
            f'  <circle cx="{x}" cy="22" r="6" fill="{color}"/>'
            f'<text x="{x + 12}" y="26" fill="#1d2433">{escape(name)}</text>'
        )
    ]


def _row(y: int, task: dict[str, Any], names: list[str], colors: dict[str, str]) -> list[str]:
    title = task["title"].replace("`", "")
    parts = [
        (
            f'  <text x="{LEFT - 16}" y="{y + 4}" text-anchor="end" fill="#1d2433">'
            f"{escape(title)}</text>"
        )
    ]
    medians = {name: median(task["results"][name]) for name in names}
    shown = {name: value for name, value in medians.items() if value is not None}
    if shown:
        least, most = x_of(min(shown.values())), x_of(max(shown.values()))
        parts.append(f'  <path d="M{least} {y}H{most}" stroke="#b9c2d3" stroke-width="2"/>')
    for name, value in shown.items():
        parts.append(
            f'  <circle cx="{x_of(value)}" cy="{y}" r="6" fill="{colors[name]}">'
            f"<title>{escape(name)}: {time_of(value)}</title></circle>"
        )
    failed = [name for name in names if "problem" in task["results"][name]]
    for number, name in enumerate(failed):
        x = WIDTH - RIGHT - 4 - 14 * number
        parts.append(
            f'  <text x="{x}" y="{y + 5}" text-anchor="middle" fill="{colors[name]}">✗'
            f"<title>{escape(name)} failed</title></text>"
        )
    return parts
