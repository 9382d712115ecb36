# SPDX-License-Identifier: BSD-3-Clause
"""What a terminal shows in the end, repeated lines, and tracebacks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rendered import result, texts

from jupyter_agent_core import ErrorOutput, StreamOutput
from jupyter_agent_core._answers import CodeRun
from jupyter_agent_core.rendering.terminal import collapsed, displayed
from jupyter_agent_core.rendering.tracebacks import shortened


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain\ntext\n", "plain\ntext\n"),
        ("\x1b[1;32mPASS\x1b[0m a\n", "PASS a\n"),
        ("10%\r50%\r100%\ndone", "100%\ndone"),
        ("long line\rshort", "shortline"),
        ("long line\r\x1b[Kshort", "short"),
        ("abc\b\bX", "aXc"),
        ("one\ntwo\x1b[1A\rONE", "ONE\ntwo"),
        ("a\nb\nc\x1b[2A\r\x1b[2KA\n\x1b[2KB\n\x1b[2KC", "A\nB\nC"),
        ("a\nb\nc\x1b[2A\r\x1b[J" + "only", "only"),
        ("a\nb\x1b[2J\x1b[Hfresh", "fresh\n"),
        ("\x1b[3Cindented", "   indented"),
        ("left\x1b[10Gright", "left     right"),
        ("\x1b7saved\x1b8S", "Saved"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"),
        ("\x1b]0;title\x1b\\text", "text"),
        ("\x1b[?25lhidden cursor\x1b[?25h", "hidden cursor"),
        ("tab\tstays", "tab\tstays"),
        ("bell\x07 null\x00", "bell null"),
        ("broken \x1b[999999999A end", "broken  end"),
        ("abcdef\x1b[3D\x1b[2P", "abcf"),
        ("abcdef\x1b[3D\x1b[2X", "abc  f"),
        ("gone\ntoo\x1bckept", "kept\n"),
        ("one\ntwo\x1bMX", "oneX\ntwo"),
        ("three\ntwo\x1b[1dX", "thrXe\ntwo"),
        ("abc\x1b[sdef\x1b[uX", "abcXef"),
        ("abc\x1b[5nd", "abcd"),
        ("abc\x1b[3Kd", "abcd"),
        ("saved\x1b[s at\x1b[<u the end", "saved at the end"),
        ("abc\x1b[?2Kd", "abcd"),
    ],
)
def test_a_terminal_shows_what_is_left_in_the_end(written: str, shown: str) -> None:
    assert displayed(written) == shown


@given(st.text(alphabet="ab\n\r\b\t\x1b[]0123;ABCDHJKmhlsu é█\x07", max_size=200))
def test_whatever_is_written_no_control_character_is_left(written: str) -> None:
    shown = displayed(written)
    assert not {c for c in shown if ord(c) < 32} - {"\n", "\t"}


@given(st.text(alphabet="ab \n\té█", max_size=200))
def test_text_without_control_characters_stays_as_it_is(written: str) -> None:
    assert displayed(written) == written


def test_many_bars_below_each_other_are_shown_once() -> None:
    frames = [f"\x1b[2Kfirst {n}%\n\x1b[2Ksecond {n}%\x1b[1A\r" for n in range(100)]
    assert displayed("".join(frames)) == "first 99%\nsecond 99%"


def test_lines_that_repeat_are_counted() -> None:
    text = "a\n" + "warn\n" * 100 + "b\nb\nb\n" + "\n" * 5 + "end"
    assert collapsed(text) == (
        "a\nwarn\n… the line above 99 more times\nb\nb\nb\n" + "\n" * 5 + "end"
    )


def test_streams_of_a_run_are_shown_as_a_terminal_does() -> None:
    progress = StreamOutput("stderr", "".join(f"\r{n}%" for n in range(101)) + "\n")
    assert texts(CodeRun(result(progress)))[0] == "100%\n"


# --- tracebacks

HEAD = "-" * 75 + "\nKeyError" + " " * 34 + "Traceback (most recent call last)\n"


def frames(count: int) -> str:
    return "".join(
        f"File /lib/pandas/core.py:{n}, in inner(x)\n----> {n} inner(x)\n\n" for n in range(count)
    )


def test_frames_of_libraries_are_left_out_but_for_the_last() -> None:
    traceback = f"{HEAD}Cell In[3], line 1\n----> 1 work()\n\n{frames(6)}KeyError: 'x'"
    assert shortened(traceback) == (
        f"{HEAD.splitlines()[1]}\n"
        "Cell In[3], line 1\n----> 1 work()\n\n"
        "… 5 frames omitted …\n\n"
        "File /lib/pandas/core.py:5, in inner(x)\n----> 5 inner(x)\n\n"
        "KeyError: 'x'"
    )


def test_each_exception_of_a_chain_keeps_its_message_and_the_users_frames() -> None:
    one = f"{HEAD}Cell In[3], line 1\n----> 1 first()\n\n{frames(4)}KeyError: 'x'"
    two = f"{HEAD}Cell In[3], line 3\n----> 3 second()\n\n{frames(4)}ValueError: y"
    shown = shortened(f"{one}\n\nDuring handling of the above exception, …\n\n{two}")
    for kept in ("first()", "KeyError: 'x'", "During handling", "second()", "ValueError: y"):
        assert kept in shown
    assert shown.count("… 3 frames omitted …") == 2


def test_a_recursion_is_shown_by_its_ends() -> None:
    recursion = "".join(f"Cell In[1], line {n}, in f(n)\n----> {n} f(n)\n\n" for n in range(900))
    shown = shortened(f"{HEAD}{recursion}RecursionError: too deep")
    assert "… 894 frames omitted …" in shown
    assert "line 0," in shown
    assert "line 899," in shown


def test_plain_python_tracebacks_are_shortened_too() -> None:
    inner = "".join(f'  File "/lib/x.py", line {n}, in f\n    f()\n' for n in range(5))
    traceback = (
        f'Traceback (most recent call last):\n  File "<stdin>", line 1, in <module>\n{inner}'
        "ValueError: bad"
    )
    shown = shortened(traceback)
    assert '  File "<stdin>", line 1' in shown
    assert "… 4 frames omitted …" in shown
    assert shown.endswith('  File "/lib/x.py", line 4, in f\n    f()\nValueError: bad')


def test_each_exception_of_a_group_keeps_its_message_and_the_users_frames() -> None:
    def raised(margin: str, message: str) -> str:
        library = "".join(
            f'{margin}  File "/lib/anyio/loop{n}.py", line {n}, in run\n{margin}    step({n})\n'
            for n in range(9)
        )
        return (
            f"{margin}Traceback (most recent call last):\n"
            f'{margin}  File "/tmp/ipykernel_1/12.py", line 3, in <module>\n{margin}    main()\n'
            f"{library}{margin}{message}\n"
        )

    group = (
        raised("  | ", "ExceptionGroup: several (2 sub-exceptions)")
        + f"  +-+{'-' * 16} 1 {'-' * 16}\n{raised('    | ', 'ValueError: first')}"
        + f"    +{'-' * 16} 2 {'-' * 16}\n{raised('    | ', 'TypeError: second')}    +{'-' * 36}"
    )
    shown = shortened(group)
    assert shown.count("… 8 frames omitted …") == 3
    assert shown.count("main()") == shown.count("loop8.py") == 3
    assert "loop7" not in shown
    assert all(f"{message}\n" in shown for message in ("exceptions)", "first", "second"))


def test_of_a_traceback_that_is_only_a_rule_nothing_is_left() -> None:
    assert shortened("-" * 75) == ""


def test_a_message_of_any_length_is_bounded_and_other_texts_stay() -> None:
    shown = shortened("ValueError: " + "x" * 100_000)
    assert len(shown) < 2_200
    assert "… 98012 characters of this line omitted …" in shown
    assert shortened("Error in f(x) : object 'x' not found") == (
        "Error in f(x) : object 'x' not found"
    )


def test_a_shortened_traceback_says_how_to_see_all_of_it() -> None:
    error = ErrorOutput("KeyError", "x", (f"{HEAD}{frames(9)}KeyError: 'x'",))
    shown = texts(CodeRun(result(error, status="error")))[0]
    assert '… all of it: wait_run(run_id="run", since="' in shown


def test_a_progress_bar_that_begins_is_left_out_where_it_went_on() -> None:
    begun, done = (
        "epochs:   0%|     | 0/3 [00:00<?, ?it/s]",
        "epochs: 100%|#####| 3/3 [00:01<00:00]",
    )
    other = "steps:   0%|     | 0/3 [00:00<?, ?it/s]"
    assert collapsed(f"{begun}\n{other}\n{done}\n") == f"{other}\n{done}\n"
    assert collapsed(f"{begun}\n{other}\n") == f"{begun}\n{other}\n"
    half = "epochs:  50%|##   | 1/2 [00:00<00:00]"
    assert collapsed(f"{half}\n{begun}\n{half}\n") == f"{half}\n{begun}\n{half}\n"


def test_a_bar_that_goes_on_in_the_bars_below_is_shown_as_it_ended() -> None:
    def bar(name: str, percent: int) -> str:
        return f"{name}: {percent:3}%|███| {percent}/100 [00:00<00:00, 9.1it/s]"

    outer = [bar("out", percent) for percent in (14, 30, 100)]
    assert collapsed("\n".join([*outer, "done"])) == f"{outer[-1]}\ndone"
    nested = [bar("out", 14), bar("in", 100), bar("out", 30), bar("in", 100)]
    assert collapsed("\n".join(nested)) == "\n".join(nested[1:])
    # of other loops, each is shown
    apart = [bar("out", 14), "stopped early", bar("out", 100), bar("out", 100), bar("out", 50)]
    assert collapsed("\n".join(apart)) == "\n".join(apart)
