# SPDX-License-Identifier: BSD-3-Clause
"""Heads of data frames: cut first, converted after, so that their size does not matter."""

from __future__ import annotations

import base64
import datetime
import decimal
import importlib.util
import sys
from typing import Any

from .texts import brief, cut, exact_type, library_of

ARROW = "application/vnd.apache.arrow.stream"
MAX_BYTES = 4_000_000
MAX_CELLS = 1_000_000
MAX_COLUMNS = 200
TEXT_ROWS = 10
TEXT_CELL = 60
PLAIN_CELLS = {
    *(type(None), bool, int, float, str, bytes, decimal.Decimal),
    *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta),
}


def is_table(value: object) -> bool:
    """Whether it is a frame or a table of a library that we know, and no subclass of that."""
    library = library_of(value)
    names = {"pandas": ("DataFrame", "Series"), "polars": ("DataFrame", "Series")}
    names["pyarrow"] = ("Table", "RecordBatch")
    module = sys.modules.get(library)
    return any(type(value) is getattr(module, name, None) for name in names.get(library, ()))


def columns_of(value: Any) -> list[list[str]]:
    """Name and type of the first columns."""
    table = _head(value, 0)
    if library_of(value) == "pandas":
        pairs = table.dtypes.items()
    elif library_of(value) == "polars":
        pairs = table.schema.items()
    else:
        pairs = ((field.name, field.type) for field in table.schema)
    return [[_label(name), cut(str(type_), 100)] for name, type_ in pairs]


def preview(value: Any, rows: int) -> dict[str, Any]:
    """Columns, the text of the first rows, and the head as an Arrow stream."""
    columns = columns_of(value)
    rows = min(rows, MAX_CELLS // max(1, len(columns)))
    table = _head(value, rows)
    while rows and _size(table) > MAX_BYTES:
        rows //= 2
        table = _head(value, rows)
    data: dict[str, str] = {}
    omitted: dict[str, str] = {}
    if importlib.util.find_spec("pyarrow") is None:
        omitted[ARROW] = "pyarrow is not installed in the kernel's environment"
    else:
        import pyarrow  # type: ignore[import-untyped]

        try:
            data[ARROW] = _stream(pyarrow, table)
        except (pyarrow.ArrowException, ValueError, TypeError, ArithmeticError) as error:
            omitted[ARROW] = f"pyarrow cannot convert it: {cut(str(error), 200)}"
    return {
        "columns": columns,
        "rows": rows,
        "text": _text(_head(value, min(rows, TEXT_ROWS)), columns),
        "data": data,
        "omitted": omitted,
    }


def _label(name: object) -> str:
    return cut(name, 100) if type(name) is str else brief(name, 100)


def _head(value: Any, rows: int) -> Any:
    """The first rows and columns, without copying the rest."""
    library = library_of(value)
    if library == "pandas":
        if type(value).__name__ == "Series":
            value = value.iloc[:rows].to_frame()
        return value.iloc[:rows, :MAX_COLUMNS]
    if library == "polars":
        if type(value).__name__ == "Series":
            value = value.head(rows).to_frame()
        return value.head(rows)[:, :MAX_COLUMNS]
    return value.slice(0, rows).select(list(range(min(value.num_columns, MAX_COLUMNS))))


def _size(table: Any) -> int:
    library = library_of(table)
    if library == "polars":
        return int(table.estimated_size())
    if library == "pyarrow":
        return int(table.nbytes)
    total = 0
    for index in range(table.shape[1]):
        column = table.iloc[:, index]
        if column.dtype.kind == "O":
            total += sum(len(cell) if exact_type(cell) in (str, bytes) else 8 for cell in column)
        elif hasattr(column, "cat"):
            total += column.cat.codes.nbytes
        else:
            total += column.nbytes
    return total


def _stream(pyarrow: Any, table: Any) -> str:
    library = library_of(table)
    if library == "pandas":
        table = pyarrow.Table.from_pandas(_converted(pyarrow, table))
    elif library == "polars":
        if any(str(dtype) == "Object" for dtype in table.dtypes):
            raise ValueError("it has a column of Python objects")
        table = table.to_arrow()
    elif type(table).__name__ == "RecordBatch":
        table = pyarrow.Table.from_batches([table])
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    stream = sink.getvalue().to_pybytes()
    if len(stream) > 2 * MAX_BYTES:
        raise ValueError(f"{len(stream)} bytes are too many")
    return base64.b64encode(stream).decode()


def _converted(pyarrow: Any, table: Any) -> Any:
    """A frame of pandas without what is behind its head, nor objects that Arrow does not know."""
    table = table.copy(deep=False)
    table.index = _plain_labels(_trimmed(table.index))
    table.columns = _plain_labels(table.columns)
    for index in range(table.shape[1]):
        column = table.iloc[:, index]
        if hasattr(column, "cat"):
            table.isetitem(index, column.cat.remove_unused_categories())
        elif column.dtype == object and not _fits_arrow(pyarrow, column):
            table.isetitem(index, [_cell(cell) for cell in column])
    return table


def _trimmed(labels: Any) -> Any:
    for method in ("remove_unused_levels", "remove_unused_categories"):
        if hasattr(labels, method):
            return getattr(labels, method)()
    return labels


def _plain_labels(labels: Any) -> Any:
    """The labels, as texts if Arrow would have to ask them what they are."""
    for level in getattr(labels, "levels", [labels]):
        if level.dtype == object and any(exact_type(label) not in PLAIN_CELLS for label in level):
            return [_cell(label) for label in labels]
    return labels


def _fits_arrow(pyarrow: Any, column: Any) -> bool:
    if any(exact_type(cell) not in PLAIN_CELLS for cell in column):
        return False
    try:
        pyarrow.Array.from_pandas(column)
    except (pyarrow.ArrowException, ValueError, TypeError, OverflowError):
        return False
    return True


def _text(table: Any, columns: list[list[str]]) -> str:
    """The rows as lines of a table with tabs."""
    library = library_of(table)
    if library == "pandas":
        rows = list(table.itertuples(index=True, name=None))
        names = ["", *(name for name, _ in columns)]
    elif library == "polars":
        rows, names = table.rows(), [name for name, _ in columns]
    else:
        rows = [tuple(row.values()) for row in table.to_pylist()]
        names = [name for name, _ in columns]
    lines = [names] + [[_cell(cell) for cell in row] for row in rows]
    return "\n".join("\t".join(line) for line in lines)


def _cell(cell: object) -> str:
    return cut(cell, TEXT_CELL) if type(cell) is str else brief(cell, TEXT_CELL)
