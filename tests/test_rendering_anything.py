# SPDX-License-Identifier: BSD-3-Clause
"""Whatever a kernel sends, an answer comes of it, within its budget."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rendered import cell, result, texts, tokens, view

from jupyter_agent_core import DisplayOutput, ErrorOutput, ExecuteResult, StreamOutput
from jupyter_agent_core._answers import CellsDeleted, CellView, CodeRun, RunWaited
from jupyter_agent_core._output_cursor import BEGIN, end_of, position_of
from jupyter_agent_core.rendering import Settings, render

ANY_TEXT = st.text(st.characters(), max_size=300) | st.text(
    "<>/tabledrh \n\x1b[A\r|`…", max_size=200
)
LONG = st.builds(lambda text, times: text * times, ANY_TEXT, st.integers(1, 200))
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


def dumped(fields: dict[str, Any]) -> dict[str, str]:
    return {"layout": "null"} | {name: json.dumps(value) for name, value in fields.items()}


def part(*names: str, of: Any = JSON) -> Any:
    """An object with some of these fields, or any other JSON."""
    return JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(names, of))


# charts as libraries make them, in which any part may have any shape
NUMBERS = JSON | part("bdata", "array", "dtype", "shape", of=JSON | st.just("f8") | st.just("AAAA"))
TITLE = JSON | part("text", of=JSON)
TRACE = part("x", "y", "z", "labels", "values", "type", "name", of=NUMBERS)
PLOTLY = st.fixed_dictionaries(
    {"data": JSON | st.lists(TRACE, max_size=3)},
    optional={"layout": part("title", "xaxis", "yaxis2", of=TITLE | part("title", of=TITLE))},
)
VIEW = st.fixed_dictionaries(
    {"mark": part("type") | st.just("bar")},
    optional={
        "encoding": part("x", "y", of=part("field", "type", "aggregate", "title", "value")),
        "data": part("values", "url", "name", of=JSON | st.lists(part("a", "b"), max_size=2)),
        "datasets": part("d", of=JSON | st.lists(part("a"), max_size=2)),
        "title": TITLE,
    },
)
VEGA_LITE = st.recursive(
    VIEW, lambda view: part("layer", "hconcat", "spec", "facet", of=st.lists(view) | view)
)
VEGA = part("marks", "data", "title", of=TITLE | st.lists(part("type", "name", "values")))
MODEL = st.recursive(
    JSON,
    lambda inner: st.fixed_dictionaries(
        {"type": st.just("object"), "name": st.sampled_from(["GlyphRenderer", "Axis", "Title"])},
        optional={
            "id": JSON | st.just("p1"),
            "attributes": part("glyph", "data_source", "data", "axis_label", "text", of=inner),
            "entries": JSON | st.lists(JSON | st.tuples(JSON, NUMBERS).map(list), max_size=3),
        },
    ),
    max_leaves=4,
)
SCRIPTS = st.one_of(
    st.builds('Plotly.newPlot("a", {0[data]}, {0[layout]})'.format, PLOTLY.map(dumped)),
    st.builds("}})({0[spec]}, vega".format, st.fixed_dictionaries({"spec": VEGA_LITE}).map(dumped)),
    st.builds(
        "docs_json = {0[docs]}".format,
        st.fixed_dictionaries({"docs": part("id", of=part("roots", of=st.lists(MODEL)))}).map(
            dumped
        ),
    ),
)
CHARTS = st.one_of(
    st.fixed_dictionaries({"application/vnd.plotly.v1+json": PLOTLY}),
    st.fixed_dictionaries({"application/vnd.vegalite.v5+json": VEGA_LITE}),
    st.fixed_dictionaries({"application/vnd.vega.v5+json": VEGA}),
    SCRIPTS.map(lambda script: {"text/html": f"<script>{script}</script>", "text/plain": "twin"}),
)
MIMES = st.sampled_from(
    [
        *("text/plain", "text/html", "text/markdown", "text/latex", "application/javascript"),
        *("image/png", "image/jpeg", "image/svg+xml", "image/webp", "image/gif", "x/\ny"),
        *("application/json", "application/vnd.plotly.v1+json", "application/vnd.vega.v5+json"),
        *("application/vnd.vegalite.v5+json", "application/vnd.jupyter.widget-view+json"),
    ]
)
BUNDLES = st.dictionaries(MIMES, LONG | JSON, max_size=4)
OUTPUTS = st.lists(
    st.builds(StreamOutput, st.sampled_from(["stdout", "stderr"]), LONG)
    | st.builds(DisplayOutput, BUNDLES | CHARTS)
    | st.builds(ExecuteResult, BUNDLES)
    | st.builds(ErrorOutput, ANY_TEXT, LONG, st.lists(LONG, max_size=4).map(tuple)),
    max_size=6,
)


@given(OUTPUTS, LONG, st.integers(200, 3_000))
@example([DisplayOutput({"text/plain": "\ud800"}), StreamOutput("stdout", "\udfff")], "", 200)
def test_whatever_a_kernel_sends_an_answer_comes_of_it(
    outputs: list[Any], source: str, budget: int
) -> None:
    settings = Settings(max_tokens=budget, mask_secrets=True)
    snapshot = cell(0, source, outputs=tuple(outputs))
    run = result(*outputs)
    cursor = end_of(run.outputs)
    assert position_of(run.outputs, cursor) is not None
    answers = [
        CodeRun(run),
        RunWaited(run, cursor, run.outputs, BEGIN),
        CellView(snapshot),
        CellView(snapshot, True, start_line=1),
        CellView(snapshot, True, start_line=1_000_000),
        CellsDeleted((snapshot, snapshot), include_source=True),
        view(snapshot, response_format="detailed", include_outputs=True),
        view(snapshot, response_format="outline"),
    ]
    for answer in answers:
        contents = render(answer, settings)
        assert contents
        assert any(text.strip() for text in texts(answer, settings))
        assert tokens(contents) <= budget
    for text in texts(CodeRun(run), settings):
        text.encode()


@given(CHARTS)
def test_a_chart_of_any_shape_is_told_without_its_reader_failing(bundle: dict[str, Any]) -> None:
    told = "".join(texts(CodeRun(result(DisplayOutput(bundle)))))
    assert "cannot be rendered" not in told


HOSTILE = {
    "a word with hyphens": "a-" * 125_000,
    "dots": "a." * 125_000,
    "spaces": "x" + " " * 250_000 + "x",
    "digits": "1" * 250_000,
    "line ends": "\n" * 125_000,
    "many beginnings of keys": "-----BEGIN PRIVATE KEY-----" * 10_000,
    "many beginnings of tokens": "-eyJaaaaaaaaa" * 20_000,
    "almost base64": ("aB1" * 133 + " ") * 625,
    "many escapes": "\x1b]" * 125_000,
    "many tags": "<table><tr><td>" * 5_000,
    "colons": "File a:1" * 25_000,
    "blanks before a bar": "x" + " " * 125_000 + "%|\n" * 2,
    "a long line that is begun again": "a" * 125_000 + "\rx" * 62_500,
    "a long line that is gone back in": "a" * 125_000 + "\bx" * 62_500,
    "a long line whose beginning is deleted": "a" * 125_000 + "\r" + "\x1b[P" * 40_000,
    "a long line whose beginning is erased": "a" * 125_000 + "\x1b[1K" * 30_000,
    "many rows that are erased": "\n" * 125_000 + "\x1b[1J" * 30_000,
    "a screen that is erased": "\n" * 125_000 + "\x1b[2J" * 30_000,
    "blanks before ends of bars": (" " * 490 + "%|\n") * 500,
    "bars": "\x1b[1A\x1b[2K|\n" * 15_000,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_takes_for_ever(text: str) -> None:
    outputs = (
        StreamOutput("stdout", text),
        DisplayOutput({"text/html": f"<pre>{text}</pre>"}),
        ErrorOutput("E", "v", (text,)),
    )
    contents = render(CodeRun(result(*outputs)), Settings(mask_secrets=True))
    assert tokens(contents) <= 6_000
