# SPDX-License-Identifier: BSD-3-Clause
"""The tools of a `Workspace` for LlamaIndex. Needs the extra `llamaindex`."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from .. import ConfigurationError, ExtraNotInstalledError, JupyterAgentError
from .._workspace.registry import Tool
from .._workspace.toolsets import TOOLSETS
from ..rendering import Content, Settings, Text
from ._bound import Answer, AnyWorkspace, BoundTool, bound_tools

try:
    from llama_index.core.base.llms.types import ContentBlock, ImageBlock, TextBlock
    from llama_index.core.tools import FunctionTool, ToolMetadata, ToolOutput
    from pydantic import BaseModel, ConfigDict
    from pydantic_core import CoreSchema
except ModuleNotFoundError as _missing:
    raise ExtraNotInstalledError("llamaindex", "llama-index-core", __name__) from _missing


def notebook_tools(
    workspace: AnyWorkspace,
    *,
    toolsets: Iterable[str] = TOOLSETS,
    images: bool = True,
    max_tokens: int = 6_000,
    mask_secrets: bool = False,
) -> list[FunctionTool]:
    """Return the tools of a workspace.

    What a tool refuses or cannot do is an output with `is_error`, which the model can act on. The
    `raw_output` is the value that the method of the workspace returned.

    Args:
        workspace: What they act on. From one of `jupyter_agent_core.sync` they can be called in
            blocking and in async code, from an async one in async code on its event loop only.
        toolsets: Which of them; default: all.
        images: Show images as blocks, or a line of text in their place.
        max_tokens: Estimated tokens that one answer may take; at least 200.
        mask_secrets: Put a note in the place of likely secrets in outputs.

    Raises:
        ConfigurationError: There is no such toolset, or the budget is too small.
    """
    rendering = Settings(images=images, max_tokens=max_tokens, mask_secrets=mask_secrets)
    return [_NotebookTool(bound) for bound in bound_tools(workspace, toolsets, rendering)]


class _NotebookTool(FunctionTool):
    def __init__(self, bound: BoundTool) -> None:
        self._bound = bound
        super().__init__(
            fn=self.call,
            async_fn=self.acall,
            metadata=ToolMetadata(
                name=bound.tool.name,
                description=bound.tool.description,
                fn_schema=_arguments_of(bound.tool),
            ),
        )

    def call(self, *args: Any, **kwargs: Any) -> ToolOutput:
        try:
            answer = self._bound.call(self._by_name(args, kwargs))
        except JupyterAgentError as error:
            return self._refusal(kwargs, error)
        return self._output(kwargs, answer)

    async def acall(self, *args: Any, **kwargs: Any) -> ToolOutput:
        try:
            answer = await self._bound.acall(self._by_name(args, kwargs))
        except JupyterAgentError as error:
            return self._refusal(kwargs, error)
        return self._output(kwargs, answer)

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if args:
            raise ConfigurationError(f"{self._bound.tool.name} takes its arguments by name")
        return kwargs

    def _output(self, arguments: dict[str, Any], answer: Answer) -> ToolOutput:
        return ToolOutput(
            tool_name=self._bound.tool.name,
            blocks=[_block(content) for content in answer.contents],
            raw_input=arguments,
            raw_output=answer.value,
        )

    def _refusal(self, arguments: dict[str, Any], error: JupyterAgentError) -> ToolOutput:
        return ToolOutput(
            tool_name=self._bound.tool.name,
            content=str(error),
            raw_input=arguments,
            is_error=True,
            exception=error,
        )


def _arguments_of(tool: Tool) -> type[BaseModel]:
    """A model with the schema of the tool, which checks its arguments itself."""

    class Arguments(BaseModel):
        model_config = ConfigDict(extra="allow")

        @classmethod
        def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: Any) -> Any:
            return dict(tool.schema)

    Arguments.__name__ = tool.name
    return Arguments


def _block(content: Content) -> ContentBlock:
    if isinstance(content, Text):
        return TextBlock(text=content.text)
    return ImageBlock(image=base64.b64decode(content.data), image_mimetype=content.mime_type)
