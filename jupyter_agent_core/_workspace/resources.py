# SPDX-License-Identifier: BSD-3-Clause
"""The notebooks of a workspace as adapters show them beside the tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._handles.notebook import Notebook

if TYPE_CHECKING:
    from .workspace import Workspace


def names_in_use(workspace: Workspace) -> tuple[str, ...]:
    """Return the names of the notebooks in use."""
    return tuple(workspace._state.notebooks)


async def notebook_in_use(workspace: Workspace, name: str | None) -> tuple[str, Notebook]:
    """Return a notebook in use and its name.

    Args:
        workspace: Whose.
        name: Its name; None for the current one.

    Raises:
        NotebookNotInUseError: With the names in use.
    """
    named = await workspace._state.named(name)
    return named.name, named.notebook
