# SPDX-License-Identifier: BSD-3-Clause
"""The MCP server: each method of `jupyter_agent_core.Workspace` is one tool."""
