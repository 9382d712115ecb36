# SPDX-License-Identifier: BSD-3-Clause
"""The groups of tools, in the order in which tools are listed."""

from __future__ import annotations

from typing import Literal, get_args

Toolset = Literal["files", "notebook", "cell", "run", "kernel", "connect"]
TOOLSETS: tuple[Toolset, ...] = get_args(Toolset)
