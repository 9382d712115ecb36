# SPDX-License-Identifier: BSD-3-Clause
"""The tools of a `Workspace` for LangChain and LangGraph. Needs the extra `langchain`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from .. import ExtraNotInstalledError, JupyterAgentError
from .._workspace.toolsets import TOOLSETS
from ..rendering import Content, Settings, Text
from ._bound import Answer, AnyWorkspace, BoundTool, bound_tools

try:
    from langchain_core.messages import ContentBlock
    from langchain_core.messages.content import create_image_block, create_text_block
    from langchain_core.tools import BaseTool, ToolException
    from pydantic import PrivateAttr
except ModuleNotFoundError as _missing:
    raise ExtraNotInstalledError("langchain", "langchain-core", __name__) from _missing

_Shown: TypeAlias = str | list[ContentBlock]


def notebook_tools(
    workspace: AnyWorkspace,
    *,
    toolsets: Iterable[str] = TOOLSETS,
    images: bool = True,
    max_tokens: int = 6_000,
    mask_secrets: bool = False,
) -> list[BaseTool]:
    """Return the tools of a workspace.

    What a tool refuses or cannot do is a message with the status `error`, which the model can act
    on. The artifact of a message is the value that the method of the workspace returned.

    Args:
        workspace: What they act on. From one of `jupyter_agent_core.sync` they can be invoked in
            blocking and in async code, from an async one in async code on its event loop only.
        toolsets: Which of them; default: all.
        images: Show images as content blocks, or a line of text in their place.
        max_tokens: Estimated tokens that one answer may take; at least 200.
        mask_secrets: Put a note in the place of likely secrets in outputs.

    Raises:
        ConfigurationError: There is no such toolset, or the budget is too small.
    """
    rendering = Settings(images=images, max_tokens=max_tokens, mask_secrets=mask_secrets)
    return [_NotebookTool(bound) for bound in bound_tools(workspace, toolsets, rendering)]


class _NotebookTool(BaseTool):
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    _bound: BoundTool = PrivateAttr()

    def __init__(self, bound: BoundTool) -> None:
        super().__init__(
            name=bound.tool.name,
            description=bound.tool.description,
            args_schema=dict(bound.tool.schema),
            handle_tool_error=True,
        )
        self._bound = bound

    def _run(self, **arguments: Any) -> tuple[_Shown, Any]:
        try:
            return _shown(self._bound.call(arguments))
        except JupyterAgentError as error:
            raise ToolException(str(error)) from error

    async def _arun(self, **arguments: Any) -> tuple[_Shown, Any]:
        try:
            return _shown(await self._bound.acall(arguments))
        except JupyterAgentError as error:
            raise ToolException(str(error)) from error


def _shown(answer: Answer) -> tuple[_Shown, Any]:
    """The content of a message and its artifact; without images it is what all models take."""
    texts = [content.text for content in answer.contents if isinstance(content, Text)]
    if len(texts) == len(answer.contents):
        return "\n".join(texts), answer.value
    return [_block(content) for content in answer.contents], answer.value


def _block(content: Content) -> ContentBlock:
    if isinstance(content, Text):
        return create_text_block(content.text)
    return create_image_block(base64=content.data, mime_type=content.mime_type)
