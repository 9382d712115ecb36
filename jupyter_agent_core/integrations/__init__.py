# SPDX-License-Identifier: BSD-3-Clause
"""The tools of a `Workspace` for agent frameworks: `langchain` and `llama_index`."""

from .._workspace.instructions import INSTRUCTIONS

__all__ = ["INSTRUCTIONS"]
