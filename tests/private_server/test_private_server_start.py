# SPDX-License-Identifier: BSD-3-Clause
"""A private server: how it starts, and what it may touch."""

import json
import os
import stat
import sys
import venv
from pathlib import Path

import anyio
import anyio.from_thread
import httpx
import psutil
import pytest
from private_server_owner import (
    HANGS,
    NOTEBOOK,
    ask,
    execute,
    headers,
    http,
    open_kernel,
    open_room,
    owner,
    tell,
)

from jupyter_agent_core import _http
from jupyter_agent_core._connect_errors import ServerAlreadyRunningError, ServerStartError
from jupyter_agent_core._errors import ConfigurationError, ExtraNotInstalledError
from jupyter_agent_core._http import private_server_child as child
from jupyter_agent_core._http.private_server import private_server

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
NOTHING = ([], [], [])


# --- start


async def test_it_answers_on_the_loopback_address_to_its_token_only(folder):
    async with private_server(folder) as server, httpx.AsyncClient(base_url=server.url) as client:
        assert server.url.startswith("http://127.0.0.1:")
        assert server.root_dir == str(folder)
        assert (await client.get("api/status")).status_code == 403
        assert (await client.get("api/status", headers=headers(server))).status_code == 200


async def test_it_listens_on_no_other_address(folder):
    async with private_server(folder) as server:
        listening = [
            connection.laddr.ip
            for connection in psutil.Process(server.pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening == ["127.0.0.1"]


async def test_its_token_is_neither_in_its_repr_nor_in_its_command_line(folder):
    async with private_server(folder) as server:
        assert server.token not in repr(server)
        assert server.token not in " ".join(psutil.Process(server.pid).cmdline())


async def test_it_has_live_documents_and_no_other_extension(folder):
    async with private_server(folder) as server, http(server) as client:
        assert (await client.get("api/collaboration/session/x")).status_code == 405
        assert (await client.get("api/fileid/id?path=x")).status_code == 404
        assert (await client.get("lab")).status_code == 404
        assert (await client.get("api/terminals")).status_code == 404


async def test_it_serves_the_working_directory_by_default(folder, monkeypatch):
    monkeypatch.chdir(folder)
    async with private_server() as server:
        assert server.root_dir == str(folder)


async def test_modules_in_its_folder_do_not_shadow_what_it_imports(folder, monkeypatch):
    (folder / "json.py").write_text("raise RuntimeError('shadowed')")
    monkeypatch.chdir(folder)
    async with private_server("."):
        pass


async def test_what_others_print_on_stdout_does_not_disturb_its_start(folder, on_path):
    on_path("sitecustomize.py", "print('a stray line'); print('half of one', end='', flush=True)")
    async with private_server(folder) as server:
        assert server.url


def test_a_synchronous_owner_runs_it_from_a_thread(folder, leftovers):
    with (
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(private_server(folder)) as server,
    ):
        assert httpx.get(server.url + "api/status", headers=headers(server)).status_code == 200
    assert leftovers() == NOTHING


async def test_websockets_are_sent_without_delay(monkeypatch):
    from tornado.websocket import WebSocketHandler

    class Stream:
        nodelay = False

        def set_nodelay(self, value):
            self.nodelay = value

    monkeypatch.setattr(WebSocketHandler, "_detach_stream", lambda self: Stream())
    child.send_without_delay()
    assert WebSocketHandler._detach_stream(None).nodelay is True


# --- what it may touch


async def test_the_users_configuration_is_neither_read_nor_written(folder, tmp_path, monkeypatch):
    home = tmp_path / "home"
    configuration = home / ".jupyter"
    (home / ".ipython").mkdir(parents=True)  # what Jupyter would migrate
    configuration.mkdir()
    read = tmp_path / "read"
    code = f"open({str(read)!r}, 'w')\nc.ServerApp.base_url = '/elsewhere/'\n"
    for name in ("jupyter_config", "jupyter_server_config", "jupyter_server_ydoc_config"):
        (configuration / f"{name}.py").write_text(code)
    before = sorted(home.rglob("*"))
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    async with private_server(folder) as server, http(server) as client:
        await client.put("api/config/anything", json={"a": 1})
        assert (await client.get("api/config/anything")).json() == {"a": 1}
    assert not read.exists()
    assert sorted(home.rglob("*")) == before


async def test_its_state_is_private_outside_the_folder_and_removed_at_the_end(folder, leftovers):
    async with private_server(folder) as server:
        async with open_room(server), open_kernel(server) as kernel:
            await execute(kernel, "1")
            (state,) = (folder.parent / "temporary").glob("jupyter-agent-core-*")
            assert stat.S_IMODE(state.stat().st_mode) == 0o700 or os.name != "posix"
            assert list(state.rglob("kernel-*.json"))
            assert (state / "ystore.db").exists()
        # The checkpoints are the user's, as with every Jupyter server.
        assert {path.name for path in folder.iterdir()} == {NOTEBOOK, ".ipynb_checkpoints"}
    assert leftovers() == NOTHING


async def test_kernelspecs_are_found_where_the_user_has_them(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "path"))
    for place, name in (("data", "of-the-user"), ("path", "on-the-path")):
        spec = tmp_path / place / "kernels" / name
        spec.mkdir(parents=True)
        spec.joinpath("kernel.json").write_text(
            json.dumps({"argv": ["true"], "display_name": name, "language": "none"})
        )
    async with private_server(folder) as server, http(server) as client:
        specs = (await client.get("api/kernelspecs")).json()["kernelspecs"]
    assert specs.keys() >= {"python3", "of-the-user", "on-the-path"}
    assert Path(specs["python3"]["spec"]["argv"][0]).stem.startswith("python")


async def test_kernels_inherit_the_environment_without_secrets(folder, monkeypatch):
    secrets = ("MY_TOKEN", "Client_Secret", "OPENAI_API_KEY", "db_password", "JUPYTER_TOKEN")
    for name in (*secrets, "WANTED_TOKEN", "HARMLESS"):
        monkeypatch.setenv(name, "value")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", "as the user has it")
    async with (
        private_server(folder, pass_env=["WANTED_TOKEN"]) as server,
        open_kernel(server) as kernel,
    ):
        code = "import json, os; print(json.dumps(dict(os.environ)))"
        environment = json.loads(await execute(kernel, code))
        assert not environment.keys() & set(secrets)
        assert environment["WANTED_TOKEN"] == environment["HARMLESS"] == "value"
        assert environment["JUPYTER_CONFIG_DIR"] == "as the user has it"
        assert server.token not in environment.values()


async def test_no_output_is_dropped_however_fast_it_comes(folder):
    async with private_server(folder) as server, open_kernel(server) as kernel:
        with anyio.fail_after(HANGS):
            printed = await execute(kernel, "for _ in range(80): print('x' * 99_999, flush=True)")
        assert len(printed) == 8_000_000


# --- registration


async def test_others_find_it_in_the_runtime_folder_of_its_owner(folder, leftovers):
    async with private_server(folder) as server:
        file = folder.parent / "runtime" / f"jpserver-{server.pid}.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600 or os.name != "posix"
        command = [sys.executable, "-m", "jupyter_server", "list", "--json"]
        listed = json.loads((await anyio.run_process(command)).stdout)
        assert (listed["url"], listed["token"]) == (server.url, server.token)
        assert listed["root_dir"] == str(folder)
    assert leftovers() == NOTHING


@pytest.mark.parametrize("place", ["", "below/it"])
async def test_a_folder_that_a_server_holds_gets_no_second_one(folder, leftovers, place):
    (folder / "below" / "it").mkdir(parents=True)
    async with private_server(folder) as server:
        link = folder.parent / "link"
        link.symlink_to(folder / place, target_is_directory=True)
        for wanted in (folder / place, link):
            with pytest.raises(ServerAlreadyRunningError) as caught:
                async with private_server(wanted):
                    pass
            assert caught.value.url == server.url
        assert [process.pid for process in leftovers()[2]] == [server.pid]
    assert leftovers() == NOTHING


async def test_other_folders_get_servers_of_their_own(folder):
    other = folder.parent / "folder with a longer name"
    other.mkdir()
    async with private_server(folder) as first, private_server(other) as second:
        assert first.url != second.url


async def test_a_second_one_in_the_folder_joins_the_first_ones_server(folder, leftovers):
    async with private_server(folder, join=True) as first:
        async with private_server(folder, join=True) as second:
            assert (second.url, second.token, second.pid) == (first.url, first.token, first.pid)
        async with http(first) as client:
            assert (await client.get("api/status")).status_code == 200
    assert leftovers() == NOTHING


async def test_tasks_that_start_at_the_same_moment_end_with_one_server(folder, leftovers):
    urls = []
    everybody = anyio.Event()

    async def use():
        async with private_server(folder, join=True) as server:
            urls.append(server.url)
            if len(urls) == 4:
                everybody.set()
            await everybody.wait()

    with anyio.fail_after(HANGS):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(use)
    assert len(set(urls)) == 1
    assert leftovers() == NOTHING


def test_processes_that_start_at_the_same_moment_end_with_one_server(folder, leftovers):
    with owner("join", folder) as one, owner("join", folder) as two:
        tell(one)
        tell(two)
        facts = [ask(one), ask(two)]
        assert facts[0]["url"] == facts[1]["url"]
        assert sorted(fact["owned"] for fact in facts) == [False, True]
        last = sorted(zip(facts, (one, two), strict=True), key=lambda pair: not pair[0]["owned"])
        for _, process in reversed(last):
            tell(process)
            assert process.wait(HANGS) == 0
    assert leftovers() == NOTHING


async def test_a_server_that_cannot_be_joined_is_not_ignored(folder):
    async with private_server(folder) as server:
        file = folder.parent / "runtime" / f"jpserver-{server.pid}.json"
        file.write_text(file.read_text().replace(server.token, "wrong"))
        for join in (False, True):
            with pytest.raises(ServerAlreadyRunningError):
                async with private_server(folder, join=join):
                    pass


# --- no start


async def test_a_package_that_is_not_installed_is_named_at_once(folder, tmp_path, leftovers):
    venv.create(tmp_path / "bare", with_pip=False, symlinks=os.name == "posix")
    scripts = "bin" if os.name == "posix" else "Scripts"
    with pytest.raises(ExtraNotInstalledError, match=r"'jupyter-server'.*\[local\]") as caught:
        async with private_server(folder, python=str(tmp_path / "bare" / scripts / "python")):
            pass
    assert caught.value.missing == "jupyter-server"
    assert leftovers() == NOTHING


async def test_the_extra_is_named_if_its_lock_is_not_installed(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(ExtraNotInstalledError, match="filelock"):
        async with private_server(folder):
            pass


@pytest.mark.parametrize(
    "arguments",
    [{"root_dir": "not there"}, {"python": "not there"}, {"pass_env": "MY_TOKEN"}],
    ids=lambda arguments: next(iter(arguments)),
)
async def test_an_argument_that_cannot_work_is_named(folder, leftovers, arguments):
    with pytest.raises(ConfigurationError) as caught:
        async with private_server(**{"root_dir": folder} | arguments):
            pass
    assert {caught.value.name: caught.value.value} == arguments
    assert leftovers() == NOTHING


async def test_a_failed_start_shows_the_end_of_the_log_without_the_token(
    folder, on_path, leftovers
):
    on_path(
        "sitecustomize.py",
        f"import os, sys\ntoken = os.environ.get({child.TOKEN_VARIABLE!r})\n"
        "if token: print('the token is', token, file=sys.stderr)\n",
    )
    on_path("jupyter_server.py", "raise RuntimeError('broken on purpose')")
    with pytest.raises(ServerStartError, match="exit code 1") as caught:
        async with private_server(folder):
            pass
    assert "broken on purpose" in caught.value.log
    assert "the token is …" in caught.value.log
    assert leftovers() == NOTHING


async def test_a_start_that_takes_too_long_is_given_up(folder, on_path, leftovers, monkeypatch):
    on_path("jupyter_server.py", "import time; time.sleep(60)")
    monkeypatch.setattr(_http.private_server, "START_TIMEOUT", 0.5)
    with pytest.raises(ServerStartError, match=r"not ready within 0\.5 s"):
        async with private_server(folder):
            pass
    assert leftovers() == NOTHING


async def test_a_start_by_somebody_else_that_takes_too_long_is_waited_for_no_longer(
    folder, leftovers, monkeypatch
):
    launch = _http.private_server._launch(folder, (), sys.executable)
    async with _http.private_server._lock(launch):
        monkeypatch.setattr(_http.private_server, "START_TIMEOUT", 0.3)
        with pytest.raises(ServerStartError, match=r"another process .* for 0\.3 s"):
            async with private_server(folder):
                pass
    assert leftovers() == NOTHING
    async with _http.private_server._lock(launch):
        pass  # who has given up holds nothing


async def test_a_registration_that_cannot_be_written_is_no_start(folder, leftovers, monkeypatch):
    file = folder.parent / "file"
    file.touch()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(file / "runtime"))
    with pytest.raises(ServerStartError, match="registered"):
        async with private_server(folder):
            pass
    assert leftovers() == NOTHING


async def test_a_server_that_could_not_register_is_no_start(folder, on_path, leftovers):
    on_path(
        "sitecustomize.py",
        f"import os, shutil\nif {child.TOKEN_VARIABLE!r} in os.environ:\n"
        "    shutil.rmtree(os.environ['JUPYTER_RUNTIME_DIR'])\n",
    )
    with pytest.raises(ServerStartError, match="exit code 1") as caught:
        async with private_server(folder):
            pass
    assert "Failed to write server-info" in caught.value.log
    assert leftovers() == NOTHING


async def test_cancelling_the_start_leaves_nothing_behind(folder, on_path, leftovers):
    on_path("jupyter_server.py", "import time; time.sleep(60)")
    with anyio.move_on_after(0.3) as scope:
        async with private_server(folder):
            pass
    assert scope.cancelled_caught
    assert leftovers() == NOTHING
