# SPDX-License-Identifier: BSD-3-Clause
"""What users import: sorted, complete, and shown under its public name."""

import inspect
import typing
from types import ModuleType

import pytest

import jupyter_agent_core
import jupyter_agent_core.sync
from jupyter_agent_core import _connect_errors, _errors, _kernel_errors

PUBLIC = [jupyter_agent_core, jupyter_agent_core.sync]
both = pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)


def classes(module: ModuleType) -> dict[str, type]:
    public = {name: getattr(module, name) for name in module.__all__}
    return {name: value for name, value in public.items() if inspect.isclass(value)}


@both
def test_names_are_sorted_and_unique(module: ModuleType):
    assert list(module.__all__) == sorted(set(module.__all__))


@both
def test_each_name_exists_and_is_listed_by_dir(module: ModuleType):
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert set(module.__all__) <= set(dir(module))


@both
def test_a_name_that_does_not_exist_is_an_attribute_error(module: ModuleType):
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = module.no_such_name


@both
def test_classes_are_shown_under_their_public_name(module: ModuleType):
    ours = classes(jupyter_agent_core)
    wrong = {
        name: f"{cls.__module__}.{cls.__qualname__}"
        for name, cls in classes(module).items()
        if (cls.__module__, cls.__qualname__)
        != ("jupyter_agent_core" if cls is ours.get(name) else module.__name__, name)
    }
    assert wrong == {}


@both
def test_annotations_of_classes_can_be_resolved(module: ModuleType):
    """As msgspec, cattrs and pydantic do, from the public module that a class claims to be of."""
    for cls in classes(module).values():
        typing.get_type_hints(cls)


def test_every_error_is_public():
    errors = {
        name
        for module in (_connect_errors, _errors, _kernel_errors)
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, BaseException) and name[0] != "_"
    }
    assert errors
    assert errors - set(jupyter_agent_core.__all__) == set()


def test_both_apis_have_the_same_names():
    assert jupyter_agent_core.__all__ == jupyter_agent_core.sync.__all__
