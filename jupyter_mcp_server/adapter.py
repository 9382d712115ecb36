# SPDX-License-Identifier: BSD-3-Clause
"""From the tools of the workspace to those of MCP, and from their answers to content."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import anyio.to_thread
import mcp.types as types
from mcp.shared.exceptions import MCPError

from jupyter_agent_core import (
    ConnectionLostError,
    JupyterAgentError,
    NotebookNotInUseError,
    ServerUnreachableError,
    Workspace,
)
from jupyter_agent_core._workspace.calling import NOBODY, Caller
from jupyter_agent_core._workspace.registry import Tool, offered, tools_of
from jupyter_agent_core.rendering import Content, Image, render
from jupyter_agent_core.rendering import Settings as Rendering

from .connection import Connection
from .seats import ONLY, Client
from .settings import Settings

_log = logging.getLogger(__name__)


class Adapter:
    """The tools, as MCP lists and calls them.

    Args:
        connection: The workspaces that they act on.
        settings: Which tools are served, and how their answers are rendered.
    """

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._rendering = Rendering(
            images=settings.images,
            max_tokens=settings.max_output_tokens,
            mask_secrets=settings.mask_secrets,
        )
        read_only = settings.workspace.read_only
        self._tools = offered(tools_of(Workspace), settings.toolsets, read_only=read_only)
        self._listed = [_described(tool) for tool in self._tools.values()]

    def list_tools(self) -> list[types.Tool]:
        """Describe all tools."""
        return self._listed

    def schema(self, name: str) -> Mapping[str, Any] | None:
        """Return the schema of a tool's arguments, None if there is no such tool."""
        tool = self._tools.get(name)
        return tool.schema if tool is not None else None

    def check(self, name: str) -> None:
        """Refuse what is no tool.

        Raises:
            MCPError
        """
        if name not in self._tools:
            known = ", ".join(self._tools)
            raise MCPError(types.INVALID_PARAMS, f"There is no tool {name!r}; there are: {known}")

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None,
        client: Client = ONLY,
        by: Caller = NOBODY,
    ) -> types.CallToolResult:
        """Call one tool; what it refuses or cannot do is an answer for the model."""
        try:
            async with self._connection.workspace(client) as workspace:
                return await self._called(self._tools[name], workspace, arguments, by)
        except NotebookNotInUseError as error:
            return _refusal(f"{error} {self._connection.default_failure(client)}".rstrip())
        except JupyterAgentError as error:
            return _refusal(str(error))
        except Exception as error:  # noqa: BLE001 (a defect of ours must not end the session)
            _log.exception("%s failed", name)
            kind = type(error).__name__
            return _refusal(f"{name} failed ({kind}), which is a defect of it: the log tells more")

    async def _called(
        self, tool: Tool, workspace: Workspace, arguments: Mapping[str, Any] | None, by: Caller
    ) -> types.CallToolResult:
        try:
            answer = await tool.call(workspace, arguments, by)
        except (ConnectionLostError, ServerUnreachableError) as error:
            said = str(error)
            if await self._connection.drop_if_gone(workspace):
                said += ". The next call connects anew: begin with use_notebook"
            return _refusal(said)
        # in a thread: megabytes of output or large images take a while, and pings go on
        contents = await anyio.to_thread.run_sync(render, answer, self._rendering)
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
    return types.CallToolResult(content=[_text(text)], is_error=True)


def _text(text: str) -> types.TextContent:
    """Half a character, from whoever has named something so, would end the whole connection."""
    return types.TextContent(text=text.encode(errors="replace").decode())


def _block(content: Content) -> types.TextContent | types.ImageContent:
    if isinstance(content, Image):
        return types.ImageContent(data=content.data, mime_type=content.mime_type)
    return _text(content.text)
