# SPDX-License-Identifier: BSD-3-Clause
"""Variables of kernels: listed, looked at, taken out and set."""

import time
from typing import Any

import pandas
import polars
import pyarrow
import pytest
from questions import got, ok, texts

from jupyter_agent_core import (
    ConfigurationError,
    Kernel,
    KernelUnavailableError,
    Notebook,
    VariableNotFoundError,
)


@pytest.fixture
async def kernel(notebook: Notebook) -> Kernel:
    await notebook.kernel.execute("1", timeout=30, store_history=False)
    return notebook.kernel


# --- variables


async def test_variables_are_listed_with_type_shape_and_a_short_value(kernel: Kernel) -> None:
    code = """
import datetime, decimal, pathlib, enum
import numpy as np, pandas as pd, polars as pl
number, flag, nothing = 42, True, None
text, data = 'é😀' * 200, b'x'
items, pair, mapping, group = [1, 'a', [2]], (1,), {'k': {'deep': {'deeper': 1}}}, {7}
big, moment, money = 10**5000, datetime.datetime(2026, 1, 2, 3), decimal.Decimal('1.5')
array, scalar = np.zeros((3, 4)), np.float64(2.5)
frame = pd.DataFrame({'a': [1, 2], 'é': ['x', 'y']})
other = pl.DataFrame({'p': [1]})
class Point:
    def __init__(self): self.x, self._hidden = 1, 2
point = Point()
def function(): ...
_private = 1
"""
    await ok(kernel, code)
    listed = await texts(kernel)
    assert listed["number"] == ("int", None, "42")
    assert listed["nothing"] == ("NoneType", None, "None")
    assert listed["text"][2].endswith("(400 characters)")
    assert listed["items"] == ("list", (3,), "[1, 'a', [2]]")
    assert listed["pair"] == ("tuple", (1,), "(1,)")
    assert listed["mapping"] == ("dict", (1,), "{'k': {'deep': {… 1 items}}}")
    assert listed["group"] == ("set", (1,), "{7}")
    assert listed["big"] == ("int", None, "<int of 16610 bits>")
    assert listed["moment"] == ("datetime.datetime", None, "2026-01-02 03:00:00")
    assert listed["money"] == ("decimal.Decimal", None, "1.5")
    assert listed["array"] == ("numpy.ndarray", (3, 4), "float64")
    assert listed["scalar"] == ("numpy.float64", (), "2.5")
    assert listed["frame"][:2] == ("pandas.DataFrame", (2, 2))
    assert listed["frame"][2].startswith("a: int64, é: ")
    assert listed["other"] == ("polars.DataFrame", (1, 1), "p: Int64")
    assert listed["point"] == ("Point", None, "Point(x=1)")
    hidden = {"function", "Point", "pd", "_private", "In", "Out", "exit", "quit", "get_ipython"}
    assert not hidden & listed.keys()
    assert list(listed) == sorted(listed)


async def test_a_list_of_variables_has_a_limit_and_says_how_many_there_are(kernel: Kernel) -> None:
    await ok(
        kernel, "for n in range(3000): globals()[f'v{n:04}'] = 'x' * 10_000_000 if not n else n"
    )
    listing = await kernel.list_variables(limit=10)
    assert [v.name for v in listing.variables[:2]] == ["n", "v0000"]
    assert (len(listing.variables), listing.total) == (10, 3001)


async def test_a_value_of_json_comes_as_it_is(kernel: Kernel) -> None:
    value = await got(kernel, "v", "v = {'a': [1, 2.5, None, True, 'é😀\\ud800']}")
    assert value.data["application/json"] == {"a": [1, 2.5, None, True, "é😀?"]}
    assert (value.type, value.shape) == ("dict", (1,))
    value = await got(kernel, "v", "v = list(range(1_000_000))")
    assert value.data == {}
    assert len(value.text) < 21_000
    assert value.text.endswith(" more]")


async def test_an_object_comes_as_it_shows_itself(kernel: Kernel) -> None:
    code = """
class Page:
    def __repr__(self): return 'a page'
    def _repr_html_(self): return '<b>page</b>'
    def _repr_markdown_(self): raise ValueError('no')
    def _repr_latex_(self): return 'x' * 2_000_000
    def _repr_png_(self): return b'\\x89PNG'
page = Page()
class Bundle:
    def _repr_mimebundle_(self, include=None, exclude=None): return {'text/x': 'y'}
bundle = Bundle()
"""
    page = await got(kernel, "page", code)
    assert page.text == "a page"
    assert page.data == {"text/html": "<b>page</b>", "image/png": "iVBORw=="}
    assert page.omitted == {
        "text/markdown": "it raises ValueError",
        "text/latex": "it is too large, or no text",
    }
    assert (await kernel.get_variable("bundle")).data == {"text/x": "y"}
    # a traceback of ours would be the one that `%debug` shows
    assert await ok(kernel, "import sys; hasattr(sys, 'last_value')") == "False"


async def test_a_variable_that_is_not_there_is_refused_with_similar_names(kernel: Kernel) -> None:
    await ok(kernel, "counter = 1")
    with pytest.raises(VariableNotFoundError) as caught:
        await kernel.get_variable("countre")
    assert caught.value.similar == ("counter",)
    with pytest.raises(ConfigurationError, match="no name of a variable"):
        await kernel.get_variable("counter + 1")


# --- tables


async def test_a_frame_of_pandas_comes_as_arrow_with_its_index(kernel: Kernel) -> None:
    code = """
import pandas as pd
frame = pd.DataFrame(
    {'a': range(1000), 'b': ['é'] * 1000, 'c': pd.Categorical(['x', 'y'] * 500)},
    index=pd.date_range('2026-01-01', periods=1000),
)
"""
    value = await got(kernel, "frame", code)
    assert (value.type, value.shape, value.rows) == ("pandas.DataFrame", (1000, 3), 100)
    assert [name for name, _ in value.columns] == ["a", "b", "c"]
    assert value.text.splitlines()[:2] == ["\ta\tb\tc", "2026-01-01 00:00:00\t0\té\tx"]
    table = value.to_arrow()
    assert isinstance(table, pyarrow.Table)
    frame = table.to_pandas()
    assert frame.shape == (100, 3)
    assert frame.index[1] == pandas.Timestamp("2026-01-02")
    assert list(frame["c"][:2]) == ["x", "y"]
    assert (await kernel.get_variable("frame", rows=3)).to_arrow().num_rows == 3


@pytest.mark.parametrize(
    ("code", "columns"),
    [
        ("import polars; t = polars.DataFrame({'a': [1, 2]})", ["a"]),
        ("import polars; t = polars.Series('s', [1, 2])", ["s"]),
        ("import pyarrow; t = pyarrow.table({'a': [1, 2]})", ["a"]),
        ("import pandas; t = pandas.Series([1, 2], name='s')", ["s"]),
        ("import pandas; t = pandas.DataFrame({'a': [1, 2]}).groupby('a').sum()", ["a"]),
    ],
)
async def test_tables_of_other_kinds_come_as_arrow(
    kernel: Kernel, code: str, columns: list[str]
) -> None:
    table = (await got(kernel, "t", code)).to_arrow()
    assert (table.num_rows, table.column_names[:1]) == (2, columns)


async def test_objects_in_a_frame_become_texts_without_running_their_code(kernel: Kernel) -> None:
    code = """
import pandas, time
class Slow:
    def __repr__(self): time.sleep(600)
f = pandas.DataFrame({'o': [Slow(), 1], 'm': [1, 'x']})
"""
    table = (await got(kernel, "f", code)).to_arrow()
    assert table.to_pydict() == {"o": ["Slow()", "1"], "m": ["1", "x"]}


@pytest.mark.alone
async def test_a_big_frame_costs_no_more_than_a_small_one(kernel: Kernel) -> None:
    code = """
import numpy as np, pandas as pd
small = pd.DataFrame({'x': [1.0]})
big = pd.DataFrame(np.zeros((2_500_000, 5)))
wide = pd.DataFrame(np.zeros((100, 20_000)))
long = pd.DataFrame({'t': ['x' * 1_000_000] * 100})
"""
    await got(kernel, "small", code)
    started = time.monotonic()
    value = await kernel.get_variable("big")
    assert (value.shape, value.to_arrow().num_rows) == ((2_500_000, 5), 100)
    wide = await kernel.get_variable("wide")
    assert (wide.shape, wide.to_arrow().num_columns) == ((100, 20_000), 200)
    long = await kernel.get_variable("long")
    assert long.rows == long.to_arrow().num_rows == 3
    await kernel.list_variables()
    # generous: the machine is shared; 100 MB as JSON take many seconds
    assert time.monotonic() - started < 3
    for sent in (value, wide, long):
        assert len(sent.data["application/vnd.apache.arrow.stream"]) < 6_000_000
        assert len(sent.text) < 100_000


async def test_what_is_no_table_cannot_be_had_as_one(kernel: Kernel) -> None:
    with pytest.raises(ConfigurationError, match="a int is no table"):
        (await got(kernel, "x", "x = 1")).to_arrow()


# --- setting variables


@pytest.mark.parametrize("value", [None, 1, 2.5, "é😀\\'\"\n{}", [1, [None]], {"a": {"b": [True]}}])
async def test_a_value_is_set_as_it_is(kernel: Kernel, value: Any) -> None:
    variable = await kernel.set_variable("v", value)
    assert variable.name == "v"
    assert variable.type == type(value).__name__
    assert await ok(kernel, f"v == {value!r}") == "True"


@pytest.mark.parametrize(
    "table",
    [
        pandas.DataFrame({"a": [1, 2]}, index=["x", "y"]),
        polars.DataFrame({"a": [1, 2]}),
        pyarrow.table({"a": [1, 2]}),
    ],
    ids=["pandas", "polars", "pyarrow"],
)
async def test_a_table_is_set_as_one(kernel: Kernel, table: Any) -> None:
    variable = await kernel.set_variable("t", table)
    assert (variable.shape, variable.text.split(":")[0]) == ((2, 1), "a")
    back = (await kernel.get_variable("t")).to_arrow()
    assert back.column("a").to_pylist() == [1, 2]
    if isinstance(table, pandas.DataFrame):
        assert back.to_pandas().equals(table)


@pytest.mark.parametrize("value", [(1,), {1: 2}, object(), float, [{3}]])
async def test_a_value_that_would_change_on_its_way_is_refused(kernel: Kernel, value: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot be sent"):
        await kernel.set_variable("v", value)
    assert "v" not in await texts(kernel)


async def test_a_value_that_would_end_the_connection_is_refused(kernel: Kernel) -> None:
    with pytest.raises(ConfigurationError, match="write a file"):
        await kernel.set_variable("v", "x" * 20_000_000)
    assert await ok(kernel, "1 + 1") == "2"


@pytest.mark.parametrize(
    "frame",
    [
        pandas.DataFrame({"a": [1, "x"]}),
        pandas.DataFrame({"a": [object()]}),
        polars.DataFrame({"a": [object()]}, schema={"a": polars.Object}),
    ],
    ids=["mixed", "objects of pandas", "objects of polars"],
)
async def test_a_frame_with_columns_that_arrow_does_not_know_is_refused(
    kernel: Kernel, frame: Any
) -> None:
    with pytest.raises(ConfigurationError, match="columns that Arrow does not know"):
        await kernel.set_variable("v", frame)
    assert "v" not in await texts(kernel)


@pytest.mark.parametrize(
    ("library", "frame"),
    [("pandas", pandas.DataFrame({"a": [1]})), ("polars", polars.DataFrame({"a": [1]}))],
)
async def test_a_frame_is_refused_where_its_library_is_not_installed(
    kernel: Kernel, library: str, frame: Any
) -> None:
    await ok(kernel, f"import sys; sys.modules[{library!r}] = None")
    with pytest.raises(KernelUnavailableError, match=f"{library} is not installed"):
        await kernel.set_variable("v", frame)
    assert "v" not in await texts(kernel)


async def test_why_variables_cannot_be_looked_at_is_said(kernel: Kernel) -> None:
    await ok(kernel, "import json; x, loads, json.loads = 1, json.loads, None")
    with pytest.raises(KernelUnavailableError, match="cannot be looked at \\(TypeError: "):
        await kernel.list_variables()
    await ok(kernel, "json.loads = loads")
    assert "x" in await texts(kernel)
