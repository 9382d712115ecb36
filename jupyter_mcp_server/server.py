# SPDX-License-Identifier: BSD-3-Clause
"""The MCP server, whatever it is spoken to over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Any

import mcp.types as types
from mcp.server import InitializationOptions, NotificationOptions, Server
from mcp.shared.exceptions import MCPError

from jupyter_agent_core import JupyterAgentError, Workspace
from jupyter_agent_core._workspace.calling import Caller
from jupyter_agent_core._workspace.instructions import INSTRUCTIONS

from . import prompts, resources
from .adapter import Adapter
from .calls import Answer, Calls
from .connection import Connection
from .pages import Pages
from .sessions import Context, client_of
from .settings import Settings
from .subscriptions import Subscriptions

# what gives notebooks names, and takes them
_NAMING = ("use_notebook", "unuse_notebook", "connect_to_jupyter")


class McpServer(Server[Any]):
    """Says, in the handshake, that it tells changes of the list of resources."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """Say what is served."""
        told = notification_options or NotificationOptions(resources_changed=True)
        return super().create_initialization_options(told, experimental_capabilities, extensions)


class Handlers:
    """Answers the requests of clients.

    Args:
        connection: Their workspaces.
        settings: What is served.
        pages: Where users type passwords.
    """

    def __init__(self, connection: Connection, settings: Settings, pages: Pages) -> None:
        self._connection = connection
        self.adapter: Adapter = Adapter(connection, settings)
        self.subscriptions: Subscriptions = Subscriptions(connection)
        self._calls = Calls(lambda: connection.group, pages, lambda: connection.starting)

    async def list_tools(
        self, _: Context, __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """List the tools."""
        # the client has got its first answer: Jupyter can be connected meanwhile
        self._connection.want()
        return types.ListToolsResult(tools=self.adapter.list_tools())

    async def call_tool(self, ctx: Context, params: types.CallToolRequestParams) -> Answer:
        """Call a tool."""
        self.adapter.check(params.name)
        client = client_of(ctx)

        async def work(by: Caller) -> types.CallToolResult:
            return await self.adapter.call_tool(params.name, params.arguments, client, by)

        answer = await self._calls.call(ctx, params, work)
        if params.name in _NAMING:
            await self.subscriptions.names_changed(ctx)
        return answer

    @asynccontextmanager
    async def _workspace(self, ctx: Context) -> AsyncIterator[Workspace]:
        try:
            async with self._connection.workspace(client_of(ctx)) as workspace:
                yield workspace
        except JupyterAgentError as error:
            raise MCPError(types.INTERNAL_ERROR, str(error)) from error

    async def list_resources(
        self, ctx: Context, _: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        """List the notebooks in use."""
        # hosts ask for it when they start: it does not wait for Jupyter
        workspace = self._connection.present(client_of(ctx))
        listed = resources.list_resources(workspace) if workspace is not None else []
        return types.ListResourcesResult(resources=listed)

    async def list_templates(
        self, _: Context, __: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        """List what else can be read."""
        return types.ListResourceTemplatesResult(resource_templates=list(resources.TEMPLATES))

    async def read_resource(
        self, ctx: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """Read a notebook, a cell or an output."""
        async with self._workspace(ctx) as workspace:
            return await resources.read_resource(workspace, str(params.uri))

    async def complete(
        self, ctx: Context, params: types.CompleteRequestParams
    ) -> types.CompleteResult:
        """Complete names, ids and numbers of outputs."""
        known = (params.context.arguments if params.context else None) or {}
        async with self._workspace(ctx) as workspace:
            argument = params.argument
            values = await resources.complete(workspace, argument.name, argument.value, known)
        shown = values[: resources.MAX_COMPLETIONS]
        return types.CompleteResult(
            completion=types.Completion(
                values=shown, total=len(values), has_more=len(shown) < len(values)
            )
        )

    async def list_prompts(
        self, _: Context, __: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        """List the prompts."""
        return types.ListPromptsResult(prompts=[prompts.CITE])

    async def get_prompt(
        self, ctx: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        """Make a prompt."""
        async with self._workspace(ctx) as workspace:
            return await prompts.get_prompt(workspace, params.name, params.arguments or {})


def build(connection: Connection, settings: Settings, pages: Pages) -> Server[Any]:
    """Make the MCP server for a connection."""
    handlers = Handlers(connection, settings, pages)
    return McpServer(
        "jupyter",
        title="Jupyter",
        version=metadata.version("jupyter-agent-core"),
        instructions=INSTRUCTIONS,
        get_tool_input_schema=handlers.adapter.schema,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=handlers.read_resource,
        on_subscribe_resource=handlers.subscriptions.subscribe,
        on_unsubscribe_resource=handlers.subscriptions.unsubscribe,
        on_subscriptions_listen=handlers.subscriptions.listen,
        on_list_prompts=handlers.list_prompts,
        on_get_prompt=handlers.get_prompt,
        on_completion=handlers.complete,
    )
