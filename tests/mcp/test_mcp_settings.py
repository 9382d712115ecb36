# SPDX-License-Identifier: BSD-3-Clause
"""Flags and environment variables: what they do, and that none is ignored in silence."""

import subprocess
from pathlib import Path

import pytest
from mcp_process import McpProcess, mcp_process, run_command
from servers import Proxy, RunningServer

from jupyter_agent_core import Password
from jupyter_agent_core._http.auth import Token
from jupyter_mcp_server.cli import cli
from jupyter_mcp_server.configuration import settings_from

SECRET = "swordfish-0123456789"
NEW = {"notebook_name": "nb", "mode": "create"}


def run(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Start a process that has to end by itself."""
    return run_command(variables, *arguments, timeout=30)


def refused(variables: dict[str, str], *arguments: str) -> str:
    """What is said where the process must not start; it never names a secret."""
    done = run(variables, *arguments)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert SECRET not in done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("JUPYTER_URL", "localhost:8888", "JUPYTER_URL: 'localhost:8888' is not a server's URL"),
        ("DOCUMENT_URL", "ftp://host", "DOCUMENT_URL: 'ftp://host' is not a server's URL"),
        ("RUNTIME_URL", "http://", "RUNTIME_URL: 'http://' is not a server's URL"),
        ("JUPYTER_URL", f"http://host/?t={SECRET}", "JUPYTER_URL: The URL carries more than"),
        ("JUPYTER_URL", f"http://ada:{SECRET}@host/", "JUPYTER_URL: The URL carries a user name"),
        ("JUPYTER_MCP_CA_FILE", "/no/such/file", "'JUPYTER_MCP_CA_FILE'): File '/no/such/file'"),
        ("JUPYTER_MCP_CA_FILE", __file__, "cannot be used as the certificates of authorities"),
        ("JUPYTER_MCP_CLIENT_CERT", __file__, "cannot be used as client certificate and key"),
        ("JUPYTER_MCP_CLIENT_KEY", __file__, "add --client-cert"),
        ("JUPYTER_MCP_NO_VERIFY", "perhaps", "(env var: 'JUPYTER_MCP_NO_VERIFY'): 'perhaps'"),
        ("JUPYTER_MCP_HEADERS", SECRET, "a header is written as 'NAME: VALUE', one a line."),
        ("JUPYTER_TOKEN_FILE", "/no/such/file", "'/no/such/file' cannot be read (No such file"),
        (
            "ALLOW_IMG_OUTPUT",
            "maybe",
            "'--allow-img-output' (env var: 'ALLOW_IMG_OUTPUT'): 'maybe'",
        ),
        ("DOCUMENT_PROVIDER", "drive", "(env var: 'DOCUMENT_PROVIDER'): 'drive' is not one of"),
        ("DOCUMENT_PROVIDER", "datalayer", "what kind of service DOCUMENT_URL is: set that, too"),
        ("JUPYTER_MCP_TRANSPORT", "sse", "(env var: 'JUPYTER_MCP_TRANSPORT'): 'sse' is not one of"),
        ("JUPYTER_MCP_PORT", "70000", "(env var: 'JUPYTER_MCP_PORT'): 70000 is not in the range"),
        ("JUPYTER_MCP_TOOLSETS", "cells", "'cells' is none of files, notebook, cell, run, kernel"),
        ("JUPYTER_MCP_TOOLSETS", ",", "name at least one of files, notebook, cell, run, kernel"),
        ("JUPYTER_MCP_READ_ONLY", "perhaps", "(env var: 'JUPYTER_MCP_READ_ONLY'): 'perhaps'"),
        ("JUPYTER_MCP_ROOT", "a/../b", "'a/../b' is no path below the server's root"),
        ("JUPYTER_MCP_MAX_OUTPUT_TOKENS", "many", "'JUPYTER_MCP_MAX_OUTPUT_TOKENS'): 'many'"),
        ("JUPYTER_MCP_EXECUTION_TIMEOUT", "0", "'JUPYTER_MCP_EXECUTION_TIMEOUT'): 0.0 is not in"),
        ("JUPYTER_MCP_EXECUTION_TIMEOUT", "nan", "execution_timeout=nan is no number of seconds"),
        ("JUPYTER_MCP_TOOLSET", "cell", "no setting JUPYTER_MCP_TOOLSET; did you mean JUPYTER_MCP"),
        ("JUPYTER_MCP_HUB_URL", "hub", "JUPYTER_MCP_HUB_URL: 'hub' is not a server's URL"),
        ("JUPYTER_MCP_HUB_USER", "ada", "name a server on a JupyterHub: set JUPYTER_MCP_HUB_URL"),
        ("JUPYTER_MCP_HUB", "http://hub", "no setting JUPYTER_MCP_HUB; did you mean JUPYTER_MCP_"),
        ("JUPYTER_MCP_XYZ", "", "There is no setting JUPYTER_MCP_XYZ; there are: JUPYTER_MCP_USER"),
    ],
)
def test_a_variable_that_is_unknown_or_malformed_stops_the_start_and_is_named(
    name: str, value: str, said: str, alone: dict[str, str]
) -> None:
    assert said in refused(alone | {name: value})


@pytest.mark.parametrize("names", [("JUPYTER_URL",), ("DOCUMENT_URL", "RUNTIME_URL")])
def test_a_jupyterhub_beside_the_server_that_it_would_name_is_refused(
    names: tuple[str, ...], alone: dict[str, str]
) -> None:
    urls = dict.fromkeys(("JUPYTER_MCP_HUB_URL", *names), "http://host")
    assert "leave out JUPYTER_URL, and set at most one of DOCUMENT_URL" in refused(alone | urls)


def test_a_password_that_is_a_flag_wins_over_a_token_that_is_a_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JUPYTER_TOKEN", SECRET)
    for flags, auth in (
        (["--jupyter-password", "known"], Password("known")),
        (["--jupyter-password", "known", "--jupyter-token", "both"], Token("both")),
        ([], Token(SECRET)),
    ):
        with cli.make_context("test", ["--jupyter-url", "http://host", *flags]) as ctx:
            assert settings_from(ctx, ctx.params).target.auth == auth


@pytest.mark.parametrize("flag", ["--hub=http://hub", "--ca=x", "--no-check", "--jupyter"])
def test_an_unknown_flag_is_refused(flag: str, alone: dict[str, str]) -> None:
    assert "No such option" in refused(alone, flag)


def test_a_token_that_is_given_twice_is_refused(alone: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(SECRET)
    both = alone | {"JUPYTER_TOKEN": SECRET, "JUPYTER_TOKEN_FILE": str(file)}
    assert "JUPYTER_TOKEN and JUPYTER_TOKEN_FILE are both set" in refused(both)
    file.write_text("two words")
    assert "holds no token" in refused(alone | {"JUPYTER_TOKEN_FILE": str(file)})


def test_http_does_not_start_without_a_secret_unless_told_to(alone: dict[str, str]) -> None:
    http = ["--transport", "streamable-http"]
    assert "set MCP_TOKEN" in refused(alone, *http)
    said = refused(alone | {"MCP_TOKEN": SECRET}, *http, "--insecure-mcp-noauth")
    assert "exclude each other" in said


@pytest.mark.parametrize("secret", ["", " ", f"{SECRET} ", f"{SECRET}\n", f"{SECRET}é"])
def test_http_does_not_start_with_a_secret_that_no_client_can_show(
    secret: str, alone: dict[str, str]
) -> None:
    flags = ["--transport", "streamable-http", "--port", "0", "--mcp-token", secret]
    assert "MCP_TOKEN is no secret that a client can show" in refused(alone, *flags)


def test_help_shows_every_setting_with_its_variable_and_no_value(alone: dict[str, str]) -> None:
    done = run(alone | {"JUPYTER_TOKEN": SECRET, "MCP_TOKEN": SECRET}, "--help")
    assert done.returncode == 0
    assert SECRET not in done.stdout
    text = " ".join(done.stdout.split())
    for variable in ("JUPYTER_URL", "RUNTIME_URL, CODE_SANDBOX_URL", "JUPYTER_MCP_ALLOWED_HOSTS"):
        assert f"[env var: {variable}" in text
    for heading in ("Jupyter:", "What the agent gets:", "How MCP is spoken:"):
        assert f"\n{heading}\n" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("as_flag", [True, False])
async def test_the_token_comes_from_a_file(
    as_flag: bool, work: Path, alone: dict[str, str], lab: RunningServer, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{lab.token}\n")
    variables, flags = alone | {"JUPYTER_URL": lab.url}, []
    if as_flag:
        # a flag wins over the environment
        variables, flags = (
            variables | {"JUPYTER_TOKEN": SECRET},
            ["--jupyter-token-file", str(file)],
        )
    else:
        variables = variables | {"JUPYTER_TOKEN_FILE": str(file)}
    async with mcp_process(work, variables, *flags) as server:
        await server.initialize()
        assert (await server.answer("list_kernels")).startswith("ID\tName\t")
    assert lab.token.encode() not in server.written


async def in_split_notebook(server: McpProcess, path: str) -> str:
    """Create a notebook and run a cell in it; what the cell printed first."""
    await server.initialize()
    await server.answer("use_notebook", **NEW, notebook_path=path)
    source = "import os; print(os.getcwd())"
    said = await server.answer("insert_execute_code_cell", cell_index=-1, cell_source=source)
    return said.splitlines()[0]


@pytest.mark.parametrize("names", [("RUNTIME_URL", "RUNTIME_TOKEN"), ("CODE_SANDBOX_URL", "")])
async def test_documents_and_kernels_are_on_different_servers(
    names: tuple[str, str],
    work: Path,
    alone: dict[str, str],
    lab: RunningServer,
    plain: RunningServer,
    folder: str,
) -> None:
    variables = alone | {"DOCUMENT_URL": lab.url, "DOCUMENT_TOKEN": lab.token, names[0]: plain.url}
    # without a token of its own it gets that of Jupyter
    variables |= {names[1] or "JUPYTER_TOKEN": plain.token}
    async with mcp_process(work, variables) as server:
        assert await in_split_notebook(server, f"{folder}/split.ipynb") == str(plain.root)
        await server.close_stdin()
        await server.ended()
    assert (lab.root / folder / "split.ipynb").exists()
    fallback = b"RUNTIME_TOKEN is not set: RUNTIME_URL gets JUPYTER_TOKEN"
    assert (fallback in server.written) == (not names[1])
    for secret in (lab.token, plain.token):
        assert secret.encode() not in server.written


async def test_the_same_server_named_as_both_is_one_server(
    work: Path, alone: dict[str, str], lab: RunningServer, folder: str
) -> None:
    variables = alone | {
        "DOCUMENT_URL": lab.url,
        "DOCUMENT_TOKEN": lab.token,
        "RUNTIME_URL": f"{lab.url}/",
        "RUNTIME_TOKEN": lab.token,
    }
    async with mcp_process(work, variables) as server:
        assert await in_split_notebook(server, f"{folder}/one.ipynb") == str(lab.root / folder)


async def test_a_notebook_is_in_use_from_the_start(
    work: Path, on_lab: dict[str, str], folder: str
) -> None:
    path = f"{folder}/nb.ipynb"
    async with mcp_process(work, on_lab) as server:
        await server.initialize()
        await server.answer("use_notebook", **NEW, notebook_path=path)
        await server.answer("insert_cell", cell_index=0, cell_type="code", cell_source="x = 6")
    async with mcp_process(work, on_lab | {"DOCUMENT_ID": path}) as server:
        await server.initialize()
        assert "\tx = 6\t" in await server.answer("read_notebook")
        assert f"default\t{path}\t" in await server.answer("list_notebooks")
    async with mcp_process(work, on_lab | {"DOCUMENT_ID": f"{folder}/missing.ipynb"}) as server:
        await server.initialize()
        assert "call use_notebook first" in await server.refusal("read_notebook")
        assert b"DOCUMENT_ID: There is no notebook at" in server.written


async def test_only_the_chosen_toolsets_are_served(work: Path, on_lab: dict[str, str]) -> None:
    async with mcp_process(work, on_lab, "--toolsets", "files,kernel") as server:
        await server.initialize()
        tools = {tool["name"] for tool in (await server.request("tools/list"))["tools"]}
        assert {"list_files", "list_kernels"} <= tools
        assert not {"use_notebook", "execute_code", "read_cell"} & tools


async def test_read_only_serves_what_changes_nothing_and_starts_no_kernel(
    work: Path, on_lab: dict[str, str], lab: RunningServer, folder: str
) -> None:
    path = f"{folder}/nb.ipynb"
    async with mcp_process(work, on_lab) as server:
        await server.initialize()
        await server.answer("use_notebook", **NEW, notebook_path=path)
        await server.answer("insert_execute_code_cell", cell_index=0, cell_source="6 * 7")
        await server.close_stdin()
        await server.ended()
    with lab.http() as http:
        before = {kernel["id"] for kernel in http.get("/api/kernels").json()}
    async with mcp_process(work, on_lab | {"JUPYTER_MCP_READ_ONLY": "true"}) as server:
        await server.initialize()
        tools = (await server.request("tools/list"))["tools"]
        assert all(tool["annotations"]["readOnlyHint"] for tool in tools)
        for wrong in ({"mode": "create"}, {"kernel_id": "NEW"}, {"kernel_name": "python3"}):
            said = await server.refusal(
                "use_notebook", notebook_name="nb", notebook_path=path, **wrong
            )
            assert "read-only" in said
        said = await server.answer("use_notebook", notebook_name="nb", notebook_path=path)
        assert "Kernel: none is used here." in said
        assert (await server.answer("read_cell", cell_index=0)).endswith(
            "```source\n6 * 7\n```\n```result\n42\n```"
        )
        with lab.http() as http:
            # one that was told to end may have ended meanwhile
            assert {kernel["id"] for kernel in http.get("/api/kernels").json()} <= before


async def test_no_path_outside_of_the_root_is_touched(
    work: Path, on_lab: dict[str, str], lab: RunningServer, folder: str
) -> None:
    for name in ("inside", "inside-not"):
        (lab.root / folder / name).mkdir()
    outside = f"{folder}/inside-not/nb.ipynb"
    async with mcp_process(work, on_lab) as server:
        await server.initialize()
        await server.answer("use_notebook", **NEW, notebook_path=outside)
        with lab.http() as http:
            kernels = {s["path"]: s["kernel"]["id"] for s in http.get("/api/sessions").json()}
        async with mcp_process(work, on_lab, "--root", f"/{folder}/inside/") as bound:
            await bound.initialize()
            for path in (outside, "nb.ipynb", f"{folder}/nb.ipynb", f"{folder}/inside/../x.ipynb"):
                await bound.refusal("use_notebook", **NEW, notebook_path=path)
            said = await bound.refusal("list_files", path=f"{folder}/inside-not")
            assert f"outside of '{folder}/inside', the folder that is served" in said
            own = f"{folder}/inside/nb.ipynb"
            await bound.answer("use_notebook", **NEW, notebook_path=own)
            files = await bound.answer("list_files")
            assert own in files
            for tool in ("list_notebooks", "list_kernels"):
                said = await bound.answer(tool)
                assert own in said
                assert "inside-not" not in said
            said = await bound.refusal("execute_code", code="1", kernel_id=kernels[outside])
            assert "serves a notebook outside of" in said


async def test_the_default_of_the_timeout_is_the_operators(
    work: Path, on_lab: dict[str, str], folder: str
) -> None:
    async with mcp_process(work, on_lab | {"JUPYTER_MCP_EXECUTION_TIMEOUT": "0.5"}) as server:
        await server.initialize()
        await server.answer("use_notebook", **NEW, notebook_path=f"{folder}/nb.ipynb")
        source = "import time; time.sleep(60)"
        said = await server.answer("insert_execute_code_cell", cell_index=0, cell_source=source)
        assert "run_id" in said


async def test_the_budget_of_an_answer_is_the_operators(
    work: Path, on_lab: dict[str, str], folder: str
) -> None:
    async with mcp_process(work, on_lab, "--max-output-tokens", "300") as server:
        await server.initialize()
        await server.answer("use_notebook", **NEW, notebook_path=f"{folder}/nb.ipynb")
        said = await server.answer(
            "insert_execute_code_cell", cell_index=0, cell_source="print('word ' * 10_000)"
        )
        assert len(said) < 2_000


async def test_likely_secrets_in_outputs_are_masked_if_the_operator_wishes(
    work: Path, on_lab: dict[str, str], folder: str
) -> None:
    code = "print('API_KEY=' + 'sk-' + 'a1' * 20)"
    async with mcp_process(work, on_lab | {"JUPYTER_MCP_MASK_SECRETS": "true"}) as server:
        await server.initialize()
        await server.answer("use_notebook", **NEW, notebook_path=f"{folder}/nb.ipynb")
        said = await server.answer("insert_execute_code_cell", cell_index=0, cell_source=code)
        assert "API_KEY=[masked: API key, 43 characters]" in said


@pytest.mark.parametrize("word", ["enabled", "ON", "1", "disable", "off", "False"])
async def test_images_are_switched_in_the_words_of_other_servers(
    word: str, alone: dict[str, str]
) -> None:
    assert run(alone | {"ALLOW_IMG_OUTPUT": word}, "--version").returncode == 0


async def test_variables_that_are_not_needed_are_said_to_be_so(
    work: Path, on_lab: dict[str, str]
) -> None:
    variables = on_lab | {"JUPYTERHUB_ALLOW_TOKEN_IN_URL": "1", "JUPYTER_PASSWORD": SECRET}
    async with mcp_process(work, variables) as server:
        await server.initialize()
        await server.answer("list_kernels")
    assert b"JUPYTERHUB_ALLOW_TOKEN_IN_URL is not needed" in server.written
    assert b"JUPYTER_PASSWORD is not used: JUPYTER_TOKEN is set" in server.written
    assert SECRET.encode() not in server.written


async def test_a_password_logs_in(
    work: Path, alone: dict[str, str], lab: RunningServer, folder: str
) -> None:
    # the login page takes the token for one, and so needs no server of its own here
    variables = alone | {"JUPYTER_URL": lab.url, "JUPYTER_PASSWORD": lab.token}
    async with mcp_process(work, variables) as server:
        path = f"{folder}/password.ipynb"
        assert await in_split_notebook(server, path) == str(lab.root / folder)
    variables |= {"JUPYTER_PASSWORD": SECRET}
    async with mcp_process(work, variables) as server:
        await server.initialize()
        assert "does not accept the password" in await server.refusal("list_kernels")
    assert SECRET.encode() not in server.written


@pytest.mark.parametrize("name", ["JUPYTER_TOKEN", "JUPYTER_PASSWORD"])
async def test_a_url_with_a_token_is_enough_and_no_second_credentials_are_taken(
    name: str, work: Path, alone: dict[str, str], lab: RunningServer
) -> None:
    variables = alone | {"JUPYTER_URL": f"{lab.url}/lab/tree/a.ipynb?token={lab.token}"}
    async with mcp_process(work, variables) as server:
        await server.initialize()
        assert (await server.answer("list_kernels")).startswith("ID\tName\t")
    assert lab.token.encode() not in server.written
    said = refused(variables | {name: SECRET})
    assert f"JUPYTER_URL carries a token, and {name} is set, too" in said
    assert lab.token not in said


def test_settings_of_tls_that_contradict_each_other_are_refused(alone: dict[str, str]) -> None:
    said = refused(alone, "--no-verify", "--ca-file", __file__)
    assert "--no-verify and --ca-file exclude each other" in said


async def test_further_headers_are_sent_with_requests_and_websockets(
    work: Path, on_lab: dict[str, str], lab: RunningServer, folder: str
) -> None:
    async with Proxy.before(lab.port) as proxy:
        variables = on_lab | {
            "JUPYTER_URL": proxy.url,
            "JUPYTER_MCP_HEADERS": f"X-Team: red, blue\nX-Key: {SECRET}",
        }
        async with mcp_process(work, variables) as server:
            await in_split_notebook(server, f"{folder}/n.ipynb")
        heard = bytes(proxy.heard).lower()
        assert SECRET.encode() not in server.written
    sockets = [part for part in heard.split(b"get /")[1:] if b"upgrade: websocket" in part]
    assert len(sockets) >= 2
    for part in (*sockets, *heard.split(b"put /")[1:]):
        assert b"x-team: red, blue\r\n" in part
        assert b"x-key: " + SECRET.encode() in part


async def test_going_to_other_servers_is_off_and_goes_to_allowed_hosts_only(
    work: Path, on_lab: dict[str, str], plain: RunningServer, lab: RunningServer
) -> None:
    there = {"jupyter_url": plain.url, "jupyter_token": plain.token}
    async with mcp_process(work, on_lab) as server:
        await server.initialize()
        tools = {tool["name"] for tool in (await server.request("tools/list"))["tools"]}
        assert "connect_to_jupyter" not in tools
    flags = ["--toolsets", "kernel,connect"]
    async with mcp_process(work, on_lab, *flags, "--connect-host", "jupyter.example") as server:
        await server.initialize()
        said = await server.refusal("connect_to_jupyter", **there)
        assert "has not allowed to go to '127.0.0.1'; allowed: jupyter.example" in said
    async with mcp_process(work, on_lab, *flags) as server:
        await server.initialize()
        said = await server.answer("connect_to_jupyter", **there, document_provider="jupyter")
        assert said.startswith(f"Successfully connected to Jupyter server: {plain.url}/\n")
        said = await server.refusal("connect_to_jupyter", jupyter_url=lab.url)
        assert "none was given" in said
        await server.close_stdin()
        await server.ended(timeout=5)
    for secret in (lab.token, plain.token):
        assert secret.encode() not in server.written
