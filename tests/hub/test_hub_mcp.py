# SPDX-License-Identifier: BSD-3-Clause
"""The MCP server on the server of a user on JupyterHub, which it starts when that is wanted."""

import json
import subprocess
from pathlib import Path

import anyio
import pytest
from hub import Hub
from mcp_clients import NAMED, said, session
from mcp_process import COMMAND, mcp_process
from servers import RunningServer

pytestmark = [pytest.mark.hub, pytest.mark.timeout(120)]


async def test_a_start_is_told_as_progress_or_told_to_be_under_way(
    hub: Hub, number: int, work: Path, on_hub: dict[str, str]
) -> None:
    user = f"slow-{number}"
    token = (await hub.token(user)).value
    told: list[str] = []

    async def on_progress(_: float, __: float | None, message: str | None) -> None:
        told.append(message or "")

    variables = on_hub | {"JUPYTER_TOKEN": token, "JUPYTER_MCP_EXECUTION_TIMEOUT": "2"}
    async with session("stdio", "legacy", work, variables) as client:
        result = await client.call_tool("list_kernels", {}, progress_callback=on_progress)
        assert result.is_error
        text = str(result.content[0])
        assert "not ready within 2 s" in text
        assert "it goes on, so try again" in text
        assert told[0].startswith("JupyterHub starts the server: ")
        with anyio.fail_after(30):
            while result.is_error:
                result = await client.call_tool("list_kernels", {})
        # it is culled, and the tool that the error names starts it again
        await client.call_tool(
            "use_notebook", NAMED | {"notebook_path": "n.ipynb", "mode": "create"}
        )
        told.clear()
        await hub.stop_server(user)
        result = await client.call_tool("list_kernels", {})
        assert "so does the tool use_notebook" in str(result.content[0])
        with anyio.fail_after(30):
            result = await client.call_tool("use_notebook", NAMED, progress_callback=on_progress)
            assert "is still starting the server" in str(result.content[0])
            assert told[-1].startswith("JupyterHub starts the server: ")
            while result.is_error:
                result = await client.call_tool("use_notebook", NAMED)
        shown = await said(client, "insert_execute_code_cell", cell_index=-1, cell_source="6 * 7")
        assert shown.startswith("42\n")


async def test_a_named_server_of_a_user_holds_the_documents_of_a_split_pair(
    hub: Hub, user: str, work: Path, on_hub: dict[str, str], plain: RunningServer
) -> None:
    await hub.token(user)  # which makes the user
    variables = on_hub | {
        "JUPYTER_TOKEN": hub.admin_token,
        "JUPYTER_MCP_HUB_USER": user,
        "JUPYTER_MCP_HUB_SERVER": "gpu",
        "RUNTIME_URL": plain.url,
        "RUNTIME_TOKEN": plain.token,
    }
    async with mcp_process(work, variables) as server:
        await server.initialize()
        new = NAMED | {"notebook_path": "n.ipynb", "mode": "create"}
        await server.answer("use_notebook", **new)
        shown = await server.answer("insert_execute_code_cell", cell_index=-1, cell_source="6 * 7")
        assert shown.startswith("42\n")
    assert hub.admin_token.encode() not in server.written


async def test_the_doctor_names_the_hub_the_server_and_what_a_token_lacks(
    hub: Hub, user: str, work: Path, on_hub: dict[str, str]
) -> None:
    async def checks(token: str, *flags: str) -> dict[str, dict[str, str]]:
        done = await anyio.run_process(
            [*COMMAND, "doctor", "--json", *flags],
            env=on_hub | {"JUPYTER_TOKEN": token},
            cwd=work,
            check=False,
            stderr=subprocess.PIPE,
        )
        assert token.encode() not in done.stdout + done.stderr
        return {check["name"]: check for check in json.loads(done.stdout)}

    access = f"access:servers!user={user}"
    found = await checks((await hub.token(user, f"servers!user={user}")).value)
    assert found["JupyterHub"]["outcome"] == "failed"
    assert f"lacks the scope {access}" in found["JupyterHub"]["fix"]
    found = await checks((await hub.token(user)).value, "--hub-user", user)
    assert {check["outcome"] for check in found.values()} == {"ok"}
    assert found["JupyterHub"]["found"].startswith(f"{hub.url}: the server {user} runs, and")
    found = await checks((await hub.token(user, access)).value)
    assert found["JupyterHub"]["outcome"] == "warning"
    assert f"the scope servers!user={user}" in found["JupyterHub"]["fix"]
