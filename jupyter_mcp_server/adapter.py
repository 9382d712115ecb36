# SPDX-License-Identifier: BSD-3-Clause
"""From the tools of the workspace to those of MCP, and from their answers to content."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import mcp.types as types
from mcp.shared.exceptions import MCPError

from jupyter_agent_core import (
    ConnectionLostError,
    JupyterAgentError,
    ServerUnreachableError,
    Workspace,
)
from jupyter_agent_core._workspace.registry import Tool, tools_of
from jupyter_agent_core.rendering import Content, Image, render
from jupyter_agent_core.rendering.content import Settings

from .connection import Connection

_log = logging.getLogger(__name__)


class Adapter:
    """The tools, as MCP lists and calls them.

    Args:
        connection: The workspace that they act on.
        rendering: How answers are rendered.
    """

    def __init__(self, connection: Connection, rendering: Settings) -> None:
        self._connection = connection
        self._rendering = rendering
        self._tools = tools_of(Workspace)

    def list_tools(self) -> list[types.Tool]:
        """Describe all tools."""
        return [_described(tool) for tool in self._tools.values()]

    async def call_tool(
        self, name: str, arguments: Mapping[str, Any] | None
    ) -> types.CallToolResult:
        """Call one tool; what it refuses or cannot do is an answer for the model.

        Raises:
            MCPError: There is no such tool.
        """
        tool = self._tools.get(name)
        if tool is None:
            known = ", ".join(self._tools)
            raise MCPError(types.INVALID_PARAMS, f"There is no tool {name!r}; there are: {known}")
        try:
            workspace = await self._connection.workspace()
        except JupyterAgentError as error:
            return _refusal(str(error))
        try:
            answer = await tool.call(workspace, arguments)
            contents = render(answer, self._rendering)
        except (ConnectionLostError, ServerUnreachableError) as error:
            said = str(error)
            if await self._connection.drop_if_gone(workspace):
                said += ". The next call connects anew: begin with use_notebook"
            return _refusal(said)
        except JupyterAgentError as error:
            return _refusal(str(error))
        except Exception as error:  # noqa: BLE001 (a defect of ours must not end the session)
            _log.exception("%s failed", name)
            kind = type(error).__name__
            return _refusal(f"{name} failed ({kind}), which is a defect of it: the log tells more")
        return types.CallToolResult(content=[_block(content) for content in contents])


def _described(tool: Tool) -> types.Tool:
    hints = tool.hints
    return types.Tool(
        name=tool.name,
        title=hints.title,
        description=tool.description,
        input_schema=dict(tool.schema),
        annotations=types.ToolAnnotations(
            title=hints.title,
            read_only_hint=hints.read_only,
            destructive_hint=hints.destructive,
            idempotent_hint=hints.idempotent or hints.read_only,
            open_world_hint=hints.open_world,
        ),
    )


def _refusal(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)


def _block(content: Content) -> types.TextContent | types.ImageContent:
    if isinstance(content, Image):
        return types.ImageContent(data=content.data, mime_type=content.mime_type)
    return types.TextContent(text=content.text)
