# SPDX-License-Identifier: BSD-3-Clause
"""Resources, completion, subscriptions and the prompt, with the SDK's client in both eras."""

import base64
import json
from pathlib import Path
from typing import Any

import anyio
import mcp.types as types
import nbformat
import pytest
from collaborator import collaborator
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_clients import Transport, both_eras, everywhere, in_memory, session
from mcp_http import Era
from servers import Proxy, RunningServer

from jupyter_agent_core import Server

PLOT = "%matplotlib inline\nimport matplotlib.pyplot as plt\nprint('é')\nplt.plot([1, 4, 9]);"
NAMED = {"notebook_name": "my nb"}
URI = "notebook://my%20nb"


async def said(client: Client, tool: str, /, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))


async def create(client: Client, folder: str) -> str:
    path = f"{folder}/nb.ipynb"
    await said(client, "use_notebook", **NAMED, notebook_path=path, mode="create")
    return path


async def text_of(client: Client, uri: str) -> str:
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, types.TextResourceContents)
    return content.text


# --- reading


@both_eras
async def test_notebooks_cells_and_outputs_are_read(
    era: Era, lab: RunningServer, folder: str
) -> None:
    async with in_memory(lab.url, lab.token, mode=era) as client:
        assert (await client.list_resources()).resources == []
        await create(client, folder)
        markdown = {"cell_index": 0, "cell_type": "markdown", "cell_source": "# é😀"}
        await said(client, "insert_cell", **markdown)
        await said(client, "insert_execute_code_cell", cell_index=-1, cell_source=PLOT, timeout=60)
        await said(client, "insert_execute_code_cell", cell_index=-1, cell_source="1 / 0")

        (listed,) = (await client.list_resources()).resources
        assert (listed.uri, listed.name) == (URI, "my nb")
        content = json.loads(await text_of(client, URI))
        nbformat.validate(content)
        assert [cell["cell_type"] for cell in content["cells"]] == ["markdown", "code", "code"]
        assert content["metadata"]["kernelspec"]["name"] == "python3"
        assert content["cells"][0]["source"] == "# é😀"

        plot, failed = content["cells"][1]["id"], content["cells"][2]["id"]
        cell = json.loads(await text_of(client, f"{URI}/cells/{plot}"))
        assert cell == content["cells"][1]
        assert await text_of(client, f"{URI}/cells/{plot}/outputs/0") == "é\n"
        contents = (await client.read_resource(f"{URI}/cells/{plot}/outputs/1")).contents
        kinds = {content.mime_type: content for content in contents}
        image = kinds["image/png"]
        assert isinstance(image, types.BlobResourceContents)
        assert base64.b64decode(image.blob).startswith(b"\x89PNG")
        assert "ZeroDivisionError" in await text_of(client, f"{URI}/cells/{failed}/outputs/0")


async def test_text_that_a_collaborator_wrote_line_by_line_is_read_whole(
    lab: RunningServer, folder: str
) -> None:
    async with in_memory(lab.url, lab.token) as client:
        path = await create(client, folder)
        await said(client, "insert_cell", cell_index=0, cell_type="code", cell_source="x")
        cell = json.loads(await text_of(client, URI))["cells"][0]["id"]
        data = {"text/html": ["<b>\n", "x</b>"]}
        output = {"output_type": "display_data", "data": data, "metadata": {}}
        async with collaborator(lab, path) as they:
            await they.send(lambda: they.ycell(cell)["outputs"].append(output))
            with anyio.fail_after(10):
                while not json.loads(await text_of(client, URI))["cells"][0]["outputs"]:
                    pass  # each look is a round trip
        assert await text_of(client, f"{URI}/cells/{cell}/outputs/0") == "<b>\nx</b>"


NO_RESOURCES = {
    "notebook://other": "In use: my nb",
    f"{URI}/cells/none": "'none'",
    f"{URI}/cells/{{id}}/outputs/0": "has 0 outputs",
    f"{URI}/cells/{{id}}/outputs/{'9' * 5000}": "a URI is like notebook://name/cells/id",
    f"{URI}/outputs/0": "a URI is like notebook://name/cells/id/outputs/0",
    "file:///etc/passwd": "a URI is like",
}


@both_eras
async def test_what_is_no_resource_is_refused(era: Era, lab: RunningServer, folder: str) -> None:
    async with in_memory(lab.url, lab.token, mode=era) as client:
        await create(client, folder)
        await said(client, "insert_cell", cell_index=0, cell_type="code", cell_source="x")
        cell = json.loads(await text_of(client, URI))["cells"][0]["id"]
        for uri, reason in NO_RESOURCES.items():
            with pytest.raises(MCPError) as caught:
                await client.read_resource(uri.format(id=cell))
            assert caught.value.error.code == types.INVALID_PARAMS
            assert reason in caught.value.error.message


async def test_listing_does_not_wait_for_jupyter() -> None:
    async with in_memory("http://127.0.0.1:9", "") as client:
        assert (await client.list_resources()).resources == []
        assert len((await client.list_resource_templates()).resource_templates) == 3


@both_eras
async def test_names_ids_and_outputs_are_completed(
    era: Era, lab: RunningServer, folder: str
) -> None:
    async with in_memory(lab.url, lab.token, mode=era) as client:
        await create(client, folder)
        await said(client, "insert_execute_code_cell", cell_index=-1, cell_source="6 * 7")
        cell = json.loads(await text_of(client, URI))["cells"][0]["id"]
        templates = (await client.list_resource_templates()).resource_templates
        template = types.ResourceTemplateReference(uri=templates[-1].uri_template)
        known: dict[str, str] = {}
        for name, begun, value in (("name", "my", "my nb"), ("cell_id", "", cell), ("n", "", "0")):
            result = await client.complete(
                template, {"name": name, "value": begun}, context_arguments=known
            )
            assert result.completion.values == [value]
            known[name] = value
        prompt = types.PromptReference(name="jupyter-cite")
        result = await client.complete(prompt, {"name": "notebook_name", "value": "z"})
        assert result.completion.values == []
        for name, known in (("cell_id", {"name": "not in use"}), ("n", {}), ("other", {})):
            result = await client.complete(
                template, {"name": name, "value": ""}, context_arguments=known
            )
            assert result.completion.values == []


# --- the prompt


@both_eras
async def test_cells_are_cited_from_the_live_document(
    era: Era, lab: RunningServer, folder: str, other: Server
) -> None:
    async with in_memory(lab.url, lab.token, mode=era) as client:
        path = await create(client, folder)
        for source in ("a = 1", "b = 2", "c = 3"):
            await said(client, "insert_cell", cell_index=-1, cell_type="code", cell_source=source)
        theirs = await other.open_notebook(path)
        await theirs.cell(1).set_source("b = 'theirs'")
        (prompt,) = (await client.list_prompts()).prompts
        assert prompt.description
        arguments = {"prompt": "Explain.", "cell_indices": "1-", "notebook_name": "my nb"}
        with anyio.fail_after(5):
            while "theirs" not in (text := await cited(client, arguments)):
                pass  # each look is a round trip
        assert text == (
            "USER Cite cells [1, 2] from notebook my nb, here are the cells:\n"
            "=====Cell 1 | type: code | execution count: N/A=====\nb = 'theirs'\n\n"
            "=====Cell 2 | type: code | execution count: N/A=====\nc = 3\n\n"
            "=====End of Cited Cells=====\nUSER's Instruction are follow: Explain."
        )
        arguments["cell_indices"] = "0, 0-1"
        assert "Cite cells [0, 1]" in await cited(client, arguments)
        for wrong, reason in (
            ({"cell_indices": "3"}, "out of range, the notebook has 3 cells"),
            ({"cell_indices": "a"}, "cannot be read"),
            ({"cell_indices": "9" * 5000}, "cannot be read"),
            ({"notebook_name": "other"}, "In use: my nb"),
            ({"cells": "1"}, "it takes: prompt, cell_indices, notebook_name"),
        ):
            with pytest.raises(MCPError, match=reason):
                await cited(client, arguments | wrong)
        with pytest.raises(MCPError, match="jupyter-cite needs the argument 'cell_indices'"):
            await cited(client, {"prompt": "Explain."})
        with pytest.raises(MCPError, match="no prompt 'other'; there is: jupyter-cite"):
            await client.get_prompt("other", arguments)


async def cited(client: Client, arguments: dict[str, str]) -> str:
    (message,) = (await client.get_prompt("jupyter-cite", arguments)).messages
    assert isinstance(message.content, types.TextContent)
    return message.content.text


# --- subscriptions


class Seen:
    """What a client has been told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._more = anyio.Event()

    def add(self, what: str) -> None:
        self.told.append(what)
        self._more.set()

    async def until(self, wanted: str) -> None:
        with anyio.fail_after(10):
            while wanted not in self.told:
                self._more = anyio.Event()
                await self._more.wait()


@pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed as of 2026-07-28")
@everywhere
async def test_subscribers_of_the_handshake_era_are_told_of_changes(
    transport: Transport, work: Path, on_lab: dict[str, str], folder: str, other: Server
) -> None:
    seen = Seen()

    async def on_message(message: Any) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            seen.add(str(message.params.uri))
        elif isinstance(message, types.ResourceListChangedNotification):
            seen.add("list")

    async def check(client: Client) -> None:
        assert client.server_capabilities is not None
        assert client.server_capabilities.resources is not None
        assert client.server_capabilities.resources.subscribe
        assert client.server_capabilities.resources.list_changed
        await client.subscribe_resource(URI)  # before it is in use
        path = await create(client, folder)
        await seen.until("list")
        theirs = await other.open_notebook(path)
        cell = await theirs.append_cell("x")
        await seen.until(URI)
        uri = f"{URI}/cells/{cell.id}"
        await client.subscribe_resource(uri)
        await said(client, "read_cell", cell_id=cell.id)
        seen.told.clear()
        await theirs.append_cell("y")
        await seen.until(URI)
        assert uri not in seen.told
        await cell.set_source("x = 1")
        await seen.until(uri)
        await client.unsubscribe_resource(URI)
        seen.told.clear()
        await cell.set_source("x = 2")
        await seen.until(uri)
        assert URI not in seen.told

    async with session(transport, "legacy", work, on_lab, message_handler=on_message) as client:
        await check(client)


@pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed as of 2026-07-28")
async def test_a_subscription_outlives_its_connection_and_tells_that_the_notebook_is_let_go(
    lab: RunningServer, folder: str, other: Server
) -> None:
    seen = Seen()

    async def on_message(message: Any) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            seen.add(str(message.params.uri))

    async with (
        Proxy.before(lab.port) as proxy,
        in_memory(proxy.url, lab.token, mode="legacy", message_handler=on_message) as client,
    ):
        path = await create(client, folder)
        await client.subscribe_resource(URI)
        await said(client, "read_notebook")
        proxy.cut()
        theirs = await other.open_notebook(path)
        await theirs.append_cell("x")
        await seen.until(URI)
        seen.told.clear()
        await said(client, "unuse_notebook", **NAMED)
        await seen.until(URI)


@pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed as of 2026-07-28")
async def test_a_subscription_while_jupyter_is_away_is_refused_with_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with in_memory("http://127.0.0.1:9", "", mode="legacy") as client:
        with pytest.raises(MCPError, match=r"No Jupyter server answers at http://127\.0\.0\.1:9/"):
            await client.subscribe_resource(URI)
    assert "Traceback" not in caplog.text


@everywhere
async def test_listeners_of_the_era_without_sessions_are_told_of_changes(
    transport: Transport, work: Path, on_lab: dict[str, str], folder: str, other: Server
) -> None:
    async def check(client: Client) -> None:
        seen = Seen()

        async def hear(subscription: Any) -> None:
            async for event in subscription:
                seen.add(getattr(event, "uri", type(event).__name__))

        async with (
            client.listen(resources_list_changed=True, resource_subscriptions=[URI]) as heard,
            anyio.create_task_group() as group,
        ):
            group.start_soon(hear, heard)
            path = await create(client, folder)
            await seen.until("ResourcesListChanged")
            theirs = await other.open_notebook(path)
            await theirs.append_cell("x")
            await seen.until(URI)
            group.cancel_scope.cancel()

    async with session(transport, "auto", work, on_lab) as client:
        await check(client)
