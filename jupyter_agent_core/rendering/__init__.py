# SPDX-License-Identifier: BSD-3-Clause
"""From values to what a model reads: text and images, within a budget. Pure functions."""

from __future__ import annotations

from . import cells, lists, live, notebooks, runs
from .content import Content, Image, Settings, Text
from .dispatch import render
from .tokens import estimate_tokens

__all__ = ["Content", "Image", "Settings", "Text", "estimate_tokens", "render"]

# each of them registers how its answers are rendered
_REGISTERED = (cells, lists, live, notebooks, runs)
