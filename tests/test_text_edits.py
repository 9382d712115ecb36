# SPDX-License-Identifier: BSD-3-Clause
"""A new source becomes the smallest edits, counted in UTF-8 bytes as pycrdt counts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Text

from jupyter_agent_core import Notebook
from jupyter_agent_core._document.text_edits import merge3, text_edits

# few different characters, so that texts have much in common; of 1, 2, 3 and 4 bytes, a
# combining one, and what `str.splitlines` takes for a line break beside "\n"
LETTERS = st.sampled_from("ab\n é€😀\r\x0b\u2028\u0301")
TEXTS = st.text(LETTERS, max_size=60)


def in_bytes(text: str, other: str) -> bytes:
    """Apply the edits that turn one text into the other."""
    data = bytearray(text.encode())
    for edit in text_edits(text, other):
        data[edit.start : edit.stop] = edit.replacement.encode()
    return bytes(data)


def in_document(text: str, other: str) -> str:
    ytext = Doc()["text"] = Text(text)
    for edit in text_edits(text, other):
        del ytext[edit.start : edit.stop]
        ytext.insert(edit.start, edit.replacement)
    return str(ytext)


@given(TEXTS, TEXTS)
def test_the_edits_of_any_text_give_the_new_text(old: str, new: str) -> None:
    assert in_bytes(old, new) == new.encode()


@given(TEXTS, TEXTS)
def test_the_edits_give_the_new_text_in_a_yjs_document(old: str, new: str) -> None:
    assert in_document(old, new) == new


@given(TEXTS)
def test_an_equal_text_needs_no_edit(text: str) -> None:
    assert text_edits(text, text) == []


@given(st.lists(st.text("ab é😀", max_size=6), min_size=2, max_size=8, unique=True), st.data())
def test_a_line_that_both_texts_have_is_not_touched(lines: list[str], data: st.DataObject) -> None:
    changed = data.draw(st.integers(0, len(lines) - 1))
    old = [line + "\n" for line in lines]
    new = [*old]
    new[changed] = data.draw(st.text("xyz", min_size=1, max_size=5)) + "\n"
    start = len("".join(old[:changed]).encode())
    stop = start + len(old[changed].encode())

    edits = text_edits("".join(old), "".join(new))

    assert edits
    assert all(start <= edit.start <= edit.stop <= stop for edit in edits)


@pytest.mark.parametrize(
    ("old", "new", "start", "stop", "replacement"),
    [
        ("é = 1\n", "é = 2\n", 5, 6, "2"),
        ("😀😀", "😀€😀", 4, 4, "€"),
        ("one\ntwo\nthree\n", "one\nthree\n", 4, 8, ""),
        ("", "x", 0, 0, "x"),
        ("aaa", "aa", 2, 3, ""),
    ],
)
def test_an_edit_holds_only_what_differs(
    old: str, new: str, start: int, stop: int, replacement: str
) -> None:
    (edit,) = text_edits(old, new)
    assert (edit.start, edit.stop, edit.replacement) == (start, stop, replacement)


@pytest.mark.parametrize(
    ("old", "new", "replaced"),
    [
        ("plot(é, color='red', lw=2)", "plot(x, color='red', lw=3)", ["é", "2"]),
        ("one\ntwo\nthree", "ONE\ntwo!\nthree", ["one", ""]),
        ("last", "last\nnew", [""]),
        ("one\nlast", "one!\nlast\nnew", ["", ""]),
        ("a\nb\nc\nd", "c\nd", ["a\nb\n"]),
        ("a\nb\nc\nd", "a\nb", ["\nc\nd"]),
        ("a\nb", "a\nnew\nb", [""]),
        (f"a{'x ' * 600}b", f"b{'x ' * 600}a", [f"a{'x ' * 600}b"]),
    ],
)
def test_what_is_between_two_changes_is_not_touched(
    old: str, new: str, replaced: list[str]
) -> None:
    edits = text_edits(old, new)[::-1]
    assert [old.encode()[edit.start : edit.stop].decode() for edit in edits] == replaced
    assert in_document(old, new) == new


@pytest.mark.parametrize(
    ("ours", "theirs", "merged"),
    [
        ("one\ntwo", "one\ntwo\nthree\nfour", "one\ntwo\nfour"),
        ("one", "one\ntwo\nnew\nthree", "one\nnew"),
        ("zero\none\ntwo\nthree", "one\ntwo\nTHREE", "zero\none\ntwo\nTHREE"),
        ("one\ntwo\nthree\nours", "one\ntwo\nthree\ntheirs", "one\ntwo\nthree\ntheirs\nours"),
        ("", "one\ntwo\nthree\n", "\n"),
        ("one\ntwo, ours\nthree", "one\ntheirs, two\nthree", "one\ntheirs, two, ours\nthree"),
        ("one\nours 1\ntwo\nthree", "one, theirs\nthree", "one, theirs\nours 1\nthree"),
        ("one\nour two\nthree", "one\ntheirs\ntwo\nthree", "one\ntheirs\nour two\nthree"),
    ],
)
def test_what_two_made_of_a_text_is_merged(ours: str, theirs: str, merged: str) -> None:
    assert merge3("one\ntwo\nthree", ours, theirs) == merged


@given(TEXTS, TEXTS)
def test_a_merge_with_nothing_is_the_other(base: str, text: str) -> None:
    assert merge3(base, text, base) == merge3(base, base, text) == merge3(base, text, text) == text


@given(TEXTS, TEXTS, TEXTS)
def test_lines_of_both_are_there_after_any_merge(base: str, ours: str, theirs: str) -> None:
    merged = merge3(base, f"{ours}\nOURS", f"THEIRS\n{theirs}")
    assert merged.count("OURS") == merged.count("THEIRS") == 1


async def test_a_source_of_many_lines_and_scripts_is_set_as_it_is(notebook: Notebook) -> None:
    cell = await notebook.append_cell("é = 'ä'\nprint(é)\n# 😀 end")
    for source in ("é = 'ö'\nprint(é)\n# 😀 end", "# 😀", "", "a\r\nb\u2028c", "x\n" * 500):
        snapshot = await cell.set_source(source)
        assert snapshot.source == source
