# SPDX-License-Identifier: BSD-3-Clause
"""Tables as Markdown, or as CSV where they are large, with how many rows there really are."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from itertools import islice, repeat

import attrs

from .masking import masked_field

# what pandas and polars write beside a table of which they show a part
_SHAPES = (
    re.compile(r"(?P<rows>\d{1,18}) rows × (?P<columns>\d{1,18}) columns"),
    re.compile(r"shape: \((?P<rows>[\d_,]+), (?P<columns>[\d_,]+)\)"),
)
_GAPS = {"...", "…", "⋮", "⋯"}
MOST_MARKDOWN_CELLS = 200
MOST_CELLS = 200_000
MOST_REPEATED = 1_000_000
"""Characters that the cells of a table may fill beyond their first row and column."""


@attrs.define
class _Cell:
    is_header: bool
    span: tuple[int, int]
    text: str = ""


@attrs.define
class Row:
    """One row of a table while it is read.

    Attributes:
        in_head: It belongs to the head of the table.
    """

    in_head: bool
    _cells: list[_Cell] = attrs.field(factory=list)

    def begin(self, *, is_header: bool, span: tuple[int, int]) -> None:
        """Begin a cell that takes some columns and rows."""
        self._cells.append(_Cell(is_header, span))

    def end(self, text: str) -> None:
        """End the last cell."""
        self._cells[-1].text = text

    @property
    def cells(self) -> Sequence[_Cell]:
        """The cells."""
        return self._cells

    @property
    def is_head(self) -> bool:
        """It names the columns."""
        return self.in_head or all(cell.is_header for cell in self._cells)


@attrs.frozen
class Table:
    """A table, its spans filled in.

    Attributes:
        columns: Names of the columns.
        rows: The rows below.
        index_columns: Columns at the left that name the rows.
        is_cut: What came after about the first `MOST_CELLS` cells was left out.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    index_columns: int
    is_cut: bool = False

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Table:
        """Make a table of its rows; rows of headers become one."""
        rows = [row for row in rows if row.cells]
        grid, is_cut = _grid(rows)
        rows = rows[: len(grid)]
        heads = 0
        while heads < len(rows) and rows[heads].is_head:
            heads += 1
        width = max(map(len, grid), default=0)
        grid = [[*line, *[""] * (width - len(line))] for line in grid]
        names = [_name([grid[row][column] for row in range(heads)]) for column in range(width)]
        first = rows[heads].cells if heads < len(rows) else ()
        index = next((n for n, cell in enumerate(first) if not cell.is_header), 0)
        return cls(tuple(names), tuple(map(tuple, grid[heads:])), index, is_cut)

    @staticmethod
    def shape_in(text: str) -> tuple[str, tuple[int, int] | None]:
        """Find what pandas or polars say of the whole table.

        Returns:
            The text without it, and rows and columns, None if it says nothing.
        """
        for pattern in _SHAPES:
            if found := pattern.search(text):
                numbers = [int(re.sub(r"\D", "", found[name])) for name in ("rows", "columns")]
                rest = text[: found.start()] + text[found.end() :]
                return rest, (numbers[0], numbers[1])
        return text, None

    def text(self, shape: tuple[int, int] | None = None) -> str:
        """Return the table as text.

        Args:
            shape: Rows and columns that there are, where the table holds a part of them.
        """
        gap_columns = sum(name in _GAPS for name in self.columns)
        shown = sum(not all(cell in _GAPS for cell in row) for row in self.rows)
        width = len(self.columns) - self.index_columns - gap_columns
        rows, columns = shape or (shown, width)
        facts = f"{rows} rows × {columns} columns"
        if rows > shown:
            facts += f"; {shown} rows shown"
        if columns > width:
            facts += f"; {width} columns shown"
        if self.is_cut:
            facts += "; more were left out"
        is_small = len(self.rows) * len(self.columns) <= MOST_MARKDOWN_CELLS
        return (self._markdown() if is_small else self._csv()) + f"\n({facts})"

    def without_secrets(self) -> Table:
        """Return it with a note for each cell that its column or the cell before calls a secret."""
        return attrs.evolve(self, rows=tuple(map(self._row_without_secrets, self.rows)))

    def _row_without_secrets(self, row: tuple[str, ...]) -> tuple[str, ...]:
        masked = map(masked_field, self.columns, row)
        return (*row[:1], *map(masked_field, row, islice(masked, 1, None)))

    def _markdown(self) -> str:
        rule = tuple("---" for _ in self.columns)
        lines = [self.columns, rule, *self.rows] if any(self.columns) else [*self.rows]
        return "\n".join(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
        )

    def _csv(self) -> str:
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\n")
        writer.writerows([self.columns, *self.rows] if any(self.columns) else self.rows)
        return written.getvalue().rstrip("\n")


def _name(parts: Sequence[str]) -> str:
    """One name of a column from all the rows of headers."""
    different = dict.fromkeys(part for part in parts if part)
    return " / ".join(different)


def _grid(rows: Sequence[Row]) -> tuple[list[list[str]], bool]:
    """The texts of all cells, with spans filled in, and whether there are more."""
    grid: list[list[str]] = []
    below: dict[int, tuple[int, str]] = {}  # column: rows still to fill, text
    filled, room = 0, MOST_REPEATED
    for number, row in enumerate(rows):
        line: list[str] = []

        def fill(line: list[str] = line) -> None:
            while len(line) in below:
                left, text = below[len(line)]
                if left > 1:
                    below[len(line)] = (left - 1, text)
                else:
                    del below[len(line)]
                line.append(text)

        for cell in row.cells:
            fill()
            if filled + len(line) > MOST_CELLS:
                return [*grid, line], True
            columns, lines = cell.span[0], min(cell.span[1], len(rows) - number)
            room -= len(cell.text) * (columns * lines - 1)
            again = cell.text if room >= 0 else ""
            for text in (cell.text, *repeat(again, columns - 1)):
                if lines > 1:
                    below[len(line)] = (lines - 1, again)
                line.append(text)
        fill()
        grid.append(line)
        filled += len(line)
        if filled > MOST_CELLS and number + 1 < len(rows):
            return grid, True
    return grid, False
