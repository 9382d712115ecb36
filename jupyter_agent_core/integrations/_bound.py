# SPDX-License-Identifier: BSD-3-Clause
"""The tools of one workspace, as every agent framework needs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import anyio.to_thread
import attrs

from .. import ConfigurationError, Workspace, sync
from .._workspace.registry import Tool, offered, tools_of
from ..rendering import Content, Settings, render

AnyWorkspace = Workspace | sync.Workspace


@attrs.frozen
class Answer:
    """What a tool has returned.

    Attributes:
        value: The value of the library.
        contents: What a model is shown of it.
    """

    value: Any
    contents: list[Content]


@attrs.frozen
class BoundTool:
    """A tool, the workspace that it acts on, and how its answers are rendered."""

    tool: Tool
    workspace: AnyWorkspace
    rendering: Settings

    def call(self, arguments: Mapping[str, Any]) -> Answer:
        """Call it and wait.

        Raises:
            ConfigurationError: The arguments are wrong, or the workspace is an async one.
            JupyterAgentError: It could not do what it was asked for.
        """
        if not isinstance(self.workspace, sync.Workspace):
            raise ConfigurationError(
                f"{self.tool.name} acts on an async Workspace: call it from async code, or make "
                "the tools from a jupyter_agent_core.sync.Workspace",
                name="workspace",
            )
        call = self.workspace._portal.call
        return self._rendered(call(self.tool.call, self.workspace._core, arguments))

    async def acall(self, arguments: Mapping[str, Any]) -> Answer:
        """Call it; when this is cancelled, so is the tool.

        Raises:
            ConfigurationError: The arguments are wrong.
            JupyterAgentError: It could not do what it was asked for.
        """
        if isinstance(self.workspace, sync.Workspace):
            call = self.workspace._portal.call_async
            value = await call(self.tool.call, self.workspace._core, arguments)
        else:
            value = await self.tool.call(self.workspace, arguments)
        # in a thread: megabytes of output or large images take a while
        return await anyio.to_thread.run_sync(self._rendered, value)

    def _rendered(self, value: Any) -> Answer:
        return Answer(value, render(value, self.rendering))


def bound_tools(
    workspace: AnyWorkspace, toolsets: Iterable[str], rendering: Settings
) -> list[BoundTool]:
    """Bind the tools of some toolsets that the options of the workspace let an agent have.

    Raises:
        ConfigurationError: There is no such toolset.
    """
    tools = offered(tools_of(Workspace), toolsets, read_only=workspace.options.read_only)
    return [BoundTool(tool, workspace, rendering) for tool in tools.values()]
