# SPDX-License-Identifier: BSD-3-Clause
"""What `benchmarks/rivals.py` makes of its rounds, and that the page says what the data says."""

import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
sys.path.append(str(CHECKOUT / "benchmarks"))

from comparison.contenders import COMMON, TOOLKIT  # noqa: E402 (a script's module)
from comparison.counting import Asked, Traffic  # noqa: E402
from comparison.page import PAGE, PLOT, load, losses, page, time_of, times  # noqa: E402
from comparison.plot import LEFT, svg, x_of  # noqa: E402
from comparison.results import Sample, folded, median  # noqa: E402
from comparison.stdio import Answer  # noqa: E402


def data_of(**results: dict[str, object]) -> dict[str, object]:
    """The data of one task."""
    facts = {"tools": 1, "tools_tokens": 1, "size": 1}
    return {
        "contenders": {name: facts for name in results if name != "floor"},
        "tasks": [{"key": "run", "title": "run", "results": results}],
    }


def test_the_first_round_only_warms_up():
    assert folded([Sample(took=900.0), Sample(took=1.0), Sample(took=3.0)])["ms"] == [1.0, 3.0]


def test_a_task_with_a_wrong_answer_has_no_time():
    result = folded([Sample(took=1.0), Sample(took=1.0, problem="wrong"), Sample(took=2.0)])
    assert (result["wrong"], result["of"], result["problem"]) == (1, 3, "wrong")
    assert median(result) is None


def test_a_notebook_that_lacks_what_was_answered_spoils_every_round():
    result = folded([Sample(took=1.0), Sample(took=1.0)], "lost")
    assert (result["wrong"], result["of"], result["problem"]) == (2, 2, "lost")
    assert median(result) is None


def test_traffic_is_the_median_of_the_rounds_that_count():
    rounds = [Sample(took=1.0, traffic=Traffic(requests=n)) for n in (50, 1, 2, 9)]
    assert folded(rounds)["requests"] == 2


def test_a_row_has_the_ratio_to_the_floor_and_the_least_in_bold():
    data = data_of(floor={"ms": [2.0]}, ours={"ms": [4.0]}, other={"ms": [1_500.0]})
    assert times(data).splitlines()[-1] == "| run | 2.0 ms | **4.0 ms (2.0×)** | 1.50 s (750×) |"


def test_a_wrong_answer_never_wins_a_row():
    wrong = {"ms": [1.0], "wrong": 1, "of": 2, "problem": "wrong"}
    data = data_of(floor={"ms": [2.0]}, ours={"ms": [4.0]}, other=wrong)
    assert times(data).splitlines()[-1] == "| run | 2.0 ms | **4.0 ms (2.0×)** | ✗ 1 of 2 |"


def test_what_ours_loses_is_said():
    data = data_of(floor={"ms": [1.0]}, ours={"ms": [4.0]}, other={"ms": [3.0]})
    assert losses(data) == "- run: other 3.0 ms, ours 4.0 ms"


@pytest.mark.parametrize(
    ("milliseconds", "shown"), [(1.26, "1.3 ms"), (35.4, "35 ms"), (1_080.0, "1.08 s")]
)
def test_times_are_short(milliseconds: float, shown: str):
    assert time_of(milliseconds) == shown


def test_the_scale_of_the_plot_is_logarithmic_and_has_ends():
    assert x_of(0.1) == x_of(1) == LEFT
    assert x_of(10) - x_of(1) == pytest.approx(x_of(100) - x_of(10), abs=0.2)
    assert x_of(10**9) == x_of(60_000)


def test_the_output_is_found_in_each_kind_of_answer():
    assert COMMON.output(Answer(False, "2\n[cell 3, id abcd: ok]")) == "2"
    assert TOOLKIT.output(Answer(False, '{"stdout": "", "formatted_output": "2"}')) == "2"
    assert TOOLKIT.output(Answer(False, "no JSON")) == "no JSON"


def test_an_error_of_the_protocol_is_a_refusal():
    assert Answer.of({"error": {"code": -32603, "message": "broken"}}) == Answer(True, "broken")


def test_an_answer_has_its_text_its_images_and_its_structured_content():
    blocks = [
        {"type": "text", "text": "a"},
        {"type": "image", "mimeType": "image/png", "data": ""},
        {"type": "text", "text": "b"},
    ]
    message = {"result": {"content": blocks, "structuredContent": {"c": 1}}}
    assert Answer.of(message) == Answer(False, "a\nb", ("image/png",), '{"c": 1}')


REQUESTS = (
    b"POST /api/kernels HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /"
    b"PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n"
    b"GET /channels HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
    b"\x82\x85mask12345"  # a message of five bytes
    b"\x8a\x80mask"  # a pong
    b"\x82\xfe\x00\x7emask" + bytes(126)
)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_requests_and_messages_are_counted_however_they_are_cut(size: int):
    asked, traffic = Asked(), Traffic()
    for start in range(0, len(REQUESTS), size):
        asked.feed(REQUESTS[start : start + size], traffic)
    assert (traffic.requests, traffic.websockets, traffic.messages) == (2, 1, 2)


def test_the_page_and_the_plot_fit_the_data():
    data = load()
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, data) == text, "run `python benchmarks/rivals.py --page`"
    assert svg(data) == PLOT.read_text(encoding="utf-8")
