# SPDX-License-Identifier: BSD-3-Clause
"""HTML beside its plain twin, and files packed into text."""

import base64
from random import Random

import pytest
from rendered import cell, result, texts

from jupyter_agent_core import DisplayOutput, StreamOutput
from jupyter_agent_core._answers import CellView, CodeRun, VariableShown
from jupyter_agent_core._introspection import VariableValue
from jupyter_agent_core.rendering import Settings
from jupyter_agent_core.rendering.outputs import data_text

FILE = Random(7).randbytes(3_000)  # noqa: S311


def shown(page: str, twin: str) -> str:
    return texts(CodeRun(result(DisplayOutput({"text/html": page, "text/plain": twin}))))[0]


def test_a_page_that_says_more_than_a_short_twin_is_shown_with_it() -> None:
    assert shown("<b>Model score 0.93</b>", "Model(x)") == "Model(x)\nModel score 0.93"


def test_a_page_that_says_the_same_as_its_twin_is_not_shown() -> None:
    assert shown("<pre>ok {'a': 1}</pre>", "ok {'a': 1}") == "ok {'a': 1}"
    assert shown("<pre>ok 1</pre>", "\x1b[32mok\x1b[0m \x1b[1;36m1\x1b[0m") == "ok 1"


def test_a_table_of_any_class_is_shown_with_its_size() -> None:
    page = "<table class='simpletable'><tr><th>a</th></tr><tr><td>1</td></tr></table>"
    assert shown(page, "a\n1") == "| a |\n| --- |\n| 1 |\n(1 rows × 1 columns)"
    assert shown(page, "Fit(a)") == "Fit(a)\n| a |\n| --- |\n| 1 |\n(1 rows × 1 columns)"


@pytest.mark.parametrize("twin", ["Model(x)", "\n".join(f"line {n} of it" for n in range(40))])
def test_a_long_page_that_explains_its_twin_is_named_and_read_page_by_page(twin: str) -> None:
    words = "".join(f"<p>parameter{number} explained</p>" for number in range(200))
    output = DisplayOutput({"text/html": f"<pre>{twin}</pre>{words}", "text/plain": twin})
    brief = texts(CellView(cell(0, "model", outputs=(output,))))[2]
    assert twin in brief
    assert "parameter7" not in brief
    assert "HTML" in brief
    assert 'read_cell(cell_id="0f9b7a1c", start_line=2)' in brief
    whole = "".join(texts(CellView(cell(0, "model", outputs=(output,)), True, start_line=2)))
    assert "parameter199 explained" in whole
    assert twin in whole


def test_a_long_page_is_named_also_where_it_cannot_be_read() -> None:
    page = "<p>x(1)</p>" + "<p>explained at length</p>" * 500
    value = VariableValue("x", "X", None, "x(1)", {"text/html": page})
    told = "".join(texts(VariableShown(value)))
    assert "x(1)" in told
    assert "HTML" in told


def test_a_page_on_which_there_is_nothing_is_no_output() -> None:
    blank = DisplayOutput({"text/html": "<pre style='color: red'>\n</pre>\n", "text/plain": "\n"})
    assert texts(CodeRun(result(blank))) == ["[ok, In [3], 0.25 s, no output]"]
    filled = DisplayOutput({"text/html": "<div id='p1'></div>", "text/plain": ""})
    assert "text/html (19 characters)" in texts(CodeRun(result(filled)))[0]
    drawn = DisplayOutput({"text/html": "<canvas id='x'></canvas>", "text/plain": ""})
    assert texts(CodeRun(result(drawn)))[0] == (
        "[output without a text form: text/html (24 characters)]"
    )


PACKED = {
    "a line": base64.b64encode(FILE).decode(),
    "URL-safe": base64.urlsafe_b64encode(FILE).decode(),
    "76 columns": base64.encodebytes(FILE).decode().rstrip(),
    "76 columns in a literal": repr(base64.encodebytes(FILE).decode())[1:-1],
    "64 indented columns": "\n".join(
        "    " + base64.b64encode(FILE).decode()[place : place + 64]
        for place in range(0, 4_000, 64)
    ),
    "zeros": base64.b64encode(b"\x93NUMPY\x01" + bytes(2_000)).decode(),
}


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
def test_a_file_that_is_packed_into_text_is_told_by_its_length(packed: str) -> None:
    told = texts(CodeRun(result(StreamOutput("stdout", f"before {packed} behind\n"))))[0]
    assert told.startswith("before ")
    assert told.endswith(" behind\n")
    assert "[base64, " in told
    assert len(told) < 120


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
def test_a_file_in_a_data_uri_is_told_by_its_type_and_length(packed: str) -> None:
    if packed.startswith(" "):
        packed = packed.lstrip()
    told = data_text(f"url(data:image/png;base64,{packed}) no-repeat, and so on", Settings())
    assert told.startswith("url([image/png, ")
    assert told.endswith(") no-repeat, and so on")
    assert len(told) < 120


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(
            f"/usr/lib/python3/dist-packages/Some/Package{n}/tests/data/expected/Results"
            for n in range(20)
        ),
        "\n".join(
            "MKVLAAGIVGLCAKAYLEHHHHHHMKVLAAGIVGLCAKAYLEMKVLAAGIVGLCAKAYLE" for _ in range(20)
        ),
        "\n".join("0123456789abcdef" * 4 for _ in range(20)),
        "data:text/plain;base64,aGVsbG8= and then many words follow that are no part of it",
        "-" * 1_000,
        "a_long_name_" * 50,
    ],
)
def test_what_is_no_packed_file_stays(text: str) -> None:
    told = data_text(text, Settings())
    assert "[base64" not in told
    assert told == text or told.endswith(" and then many words follow that are no part of it")
