# SPDX-License-Identifier: BSD-3-Clause
"""From values to what a model reads: text and images, within a budget. Pure functions."""

from __future__ import annotations

from .answers import render
from .content import Content, Image, Text

__all__ = ["Content", "Image", "Text", "render"]
