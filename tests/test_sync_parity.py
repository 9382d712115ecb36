# SPDX-License-Identifier: BSD-3-Clause
"""The blocking API beside the async one, and the generator that writes it."""

import asyncio
import importlib.util
import inspect
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import get_args
from unittest.mock import create_autospec

import pytest

import jupyter_agent_core
from jupyter_agent_core import sync
from jupyter_agent_core.sync._portal import Handle, HeldHandle

CHECKOUT = Path(__file__).parent.parent
HANDLES = ("Batch", "Cell", "Kernel", "Notebook", "Run", "Server", "Workspace")

# Public names that only one of the two APIs has.
NO_TWIN = {"Workspace.close": "an async Workspace is left by `async with` alone"}


def public(cls: type) -> dict[str, object]:
    return {name: value for name, value in inspect.getmembers(cls) if not name.startswith("_")}


def shape(function: Callable[..., object]) -> list[tuple[object, ...]]:
    """Parameters, with handles by name, as the two APIs have handles of their own."""
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    return [
        (p.name, p.kind, p.default, getattr(p.annotation, "__name__", p.annotation))
        for p in parameters
    ]


def answers(function: Callable[..., object]) -> object:
    returned = inspect.signature(function, eval_str=True).return_annotation
    name = getattr(returned, "__name__", "")
    if name == "AsyncIterator":
        return Iterator[get_args(returned)]
    return name if name in HANDLES else returned


@pytest.mark.parametrize("name", HANDLES)
def test_every_class_has_the_same_members_as_its_async_twin(name: str):
    blocking, twin = public(getattr(sync, name)), public(getattr(jupyter_agent_core, name))
    assert {f"{name}.{member}" for member in blocking.keys() ^ twin.keys()} <= NO_TWIN.keys()
    for member in blocking.keys() & twin.keys():
        one, other = blocking[member], twin[member]
        assert isinstance(one, property) == isinstance(other, property), member
        assert inspect.getdoc(one) == inspect.getdoc(other)
        one, other = getattr(one, "fget", one), getattr(other, "fget", other)
        assert not inspect.iscoroutinefunction(one), member
        assert (member, shape(one)) == (member, shape(other))
        assert (member, answers(one)) == (member, answers(other))


def test_exceptions_from_parity_are_needed():
    members = {
        f"{name}.{member}"
        for name in HANDLES
        for member in public(getattr(sync, name)).keys() ^ public(getattr(jupyter_agent_core, name))
    }
    assert members == NO_TWIN.keys()


@pytest.mark.parametrize("name", ["connect", "launch"])
def test_functions_take_what_their_async_twins_take(name: str):
    blocking, twin = getattr(sync, name), getattr(jupyter_agent_core, name)
    assert shape(blocking) == shape(twin)
    assert answers(blocking) == "Server"
    assert inspect.getdoc(blocking) == inspect.getdoc(twin).replace(
        "Yields:\n    The server.",
        "Returns:\n    The server, to use in a `with` statement or to `close()`; "
        "the end of the process closes\n    it, too.",
    )


def test_no_signature_hides_its_parameters():
    for cls in map(sync.__dict__.get, HANDLES):
        for name, member in public(cls).items():
            kinds = {kind for _, kind, *_ in shape(getattr(member, "fget", member))}
            assert not kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}, (
                name
            )


class AtOnce:
    """The way to a loop that runs what it is given."""

    def call(self, function: Callable[..., Coroutine], *args: object, **options: object) -> object:
        return asyncio.run(function(*args, **options))

    def iterate(self, function: Callable[..., object], *args: object, **options: object) -> object:
        return function(*args, **options)


@pytest.mark.parametrize(
    ("name", "member"),
    [
        (name, member)
        for name in HANDLES
        for member in public(getattr(sync, name))
        if member != "close"  # which leaves what was entered
    ],
)
def test_every_member_passes_on_what_it_is_given_and_what_it_gets(name: str, member: str):
    cls = getattr(sync, name)
    twin = create_autospec(getattr(jupyter_agent_core, name), instance=True)
    held = SimpleNamespace(value=twin, closed=False) if issubclass(cls, HeldHandle) else twin
    handle = cls.__new__(cls)
    (HeldHandle if issubclass(cls, HeldHandle) else Handle).__init__(handle, held, AtOnce())
    got = getattr(handle, member)
    expected = getattr(twin, member)
    if not isinstance(inspect.getattr_static(cls, member), property):
        given = {name: object() for name in inspect.signature(got).parameters}
        got = got(**given)
        expected.assert_called_once_with(**given)
        expected = expected.return_value
    assert got is None or (got._core if isinstance(got, Handle) else got) is expected


# --- the generator


@pytest.fixture
def generator() -> ModuleType:
    path = CHECKOUT / "tools" / "generate_sync.py"
    spec = importlib.util.spec_from_file_location("generate_sync", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def generate(generator: ModuleType) -> str:
    written = generator.Generator()
    text = written.generated()
    written.check_used()
    return text


def test_the_generator_refuses_rules_that_nothing_needs(
    generator: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    generate(generator)
    monkeypatch.setattr(generator, "READ_DIRECTLY", {*generator.READ_DIRECTLY, "Cell.colour"})
    with pytest.raises(generator.NoRuleError, match=r"not needed any more: 'Cell\.colour'"):
        generate(generator)


@pytest.mark.parametrize(
    ("written", "instead", "reason"),
    [
        ("-> Cell:", "-> tuple[Cell, ...]:", r"no rule to wrap tuple\[Cell, \.\.\.\]"),
        ("self, ref: int | str)", "self, *refs: int | str)", r"no rule for \*args"),
        ("self, ref: int | str)", "self, ref)", "not fully annotated"),
        ("self, ref: int | str)", "self, ref: Reference)", "'Reference' is unknown"),
        ('"""Return the cell at', 'f"""Return the cell at', "cell has no docstring"),
    ],
)
def test_the_generator_refuses_what_it_has_no_rule_for(
    generator: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    written: str,
    instead: str,
    reason: str,
):
    for file in generator.PACKAGE.rglob("*.py"):
        copy = tmp_path / file.relative_to(generator.PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text())
    changed = tmp_path / "_handles" / "notebook.py"
    assert written in changed.read_text()
    changed.write_text(changed.read_text().replace(written, instead, 1))
    monkeypatch.setattr(generator, "PACKAGE", tmp_path)
    with pytest.raises(generator.NoRuleError, match=reason):
        generate(generator)
