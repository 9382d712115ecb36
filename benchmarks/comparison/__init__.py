# SPDX-License-Identifier: BSD-3-Clause
"""The same tasks through several MCP servers, in one run: see `benchmarks/rivals.py`."""
