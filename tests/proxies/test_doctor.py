# SPDX-License-Identifier: BSD-3-Clause
"""The MCP server and its doctor where there are proxies and certificates between it and Jupyter."""

import base64
from pathlib import Path

import anyio
import pytest
from forward_proxy import forward_proxy
from front import HOST, PASSWORD, USER, Front
from mcp_process import environment, mcp_process, run_command
from servers import RunningServer

pytestmark = pytest.mark.proxies


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that no server is named to."""
    return environment(tmp_path / "state", JUPYTER_TOKEN="any")


def examined(folder: Path, variables: dict[str, str]) -> list[str]:
    """What the doctor says, line by line."""
    done = run_command(variables, "doctor", folder=folder)
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("kind", "found", "fix"),
    [
        ("good", "its certificate is not accepted: ", "--ca-file"),
        ("expired", "certificate has expired)", "renew it on the server"),
        ("misnamed", "not valid for '127.0.0.1'", "use a name that the certificate has"),
        ("mutual", "it wants a client certificate", "--client-cert, --client-key"),
        ("down", "a proxy before it answers HTTP 502", "check that it runs"),
        ("guarded", "wants the user name and password of a proxy", "--header"),
    ],
)
def test_what_is_between_is_said_with_what_to_do(
    kind: str, found: str, fix: str, front: Front, alone: dict[str, str], tmp_path: Path
) -> None:
    url = front.http(kind) if kind in ("down", "guarded") else front.https(kind)
    trusted = {} if kind == "good" else {"JUPYTER_MCP_CA_FILE": str(front.ca)}
    line = examined(tmp_path, alone | trusted | {"JUPYTER_URL": url})[-1]
    said, _, advice = line.partition(" → ")
    assert said.startswith("✗ connection")
    assert found in said
    assert fix in advice


async def test_a_proxy_that_wants_a_password_is_said(
    front: Front, alone: dict[str, str], tmp_path: Path
) -> None:
    async with forward_proxy({}, "ada:s3cret") as proxy:
        variables = alone | {
            "JUPYTER_URL": f"https://{HOST}/",
            "HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}",
        }
        lines = await anyio.to_thread.run_sync(examined, tmp_path, variables)
    said, _, advice = lines[-1].partition(" → ")
    assert "(HTTP 407)" in said
    assert "HTTPS_PROXY=http://user:password@host:port" in advice


def test_a_server_whose_certificate_is_not_looked_at_is_a_warning(
    front: Front, alone: dict[str, str], lab: RunningServer, tmp_path: Path
) -> None:
    variables = {"JUPYTER_URL": front.https("expired"), "JUPYTER_TOKEN": lab.token}
    lines = examined(tmp_path, alone | variables | {"JUPYTER_MCP_NO_VERIFY": "1"})
    (warning,) = [line for line in lines if line[0] != "✓"]
    said, _, advice = warning.partition(" → ")
    assert said == "! certificate    whoever answers is trusted, without any certificate"
    assert advice == "--ca-file in place of --no-verify"


async def test_certificates_and_headers_are_settings(
    front: Front, alone: dict[str, str], lab: RunningServer, folder: str, tmp_path: Path
) -> None:
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    mutual = alone | {
        "JUPYTER_URL": front.https("mutual"),
        "JUPYTER_TOKEN": lab.token,
        "JUPYTER_MCP_CA_FILE": str(front.ca),
        "JUPYTER_MCP_CLIENT_CERT": str(front.client_cert),
        "JUPYTER_MCP_CLIENT_KEY": str(front.client_key),
    }
    guarded = {name: value for name, value in alone.items() if name != "JUPYTER_TOKEN"} | {
        "JUPYTER_URL": front.http("guarded"),
        "JUPYTER_MCP_HEADERS": f"Authorization: Basic {basic}\n",
    }
    for number, variables in enumerate((mutual, guarded)):
        async with mcp_process(tmp_path, variables) as server:
            await server.initialize()
            path = f"{folder}/{number}.ipynb"
            new = {"notebook_name": "nb", "mode": "create", "notebook_path": path}
            await server.answer("use_notebook", **new)
            said = await server.answer(
                "insert_execute_code_cell", cell_index=-1, cell_source="6 * 7"
            )
            assert said.splitlines()[0] == "42"
            for secret in (basic, lab.token):
                assert secret.encode() not in server.written
