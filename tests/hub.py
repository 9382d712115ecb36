# SPDX-License-Identifier: BSD-3-Clause
"""A real JupyterHub for tests: its proxy, its users, their servers and tokens."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import quote

import anyio
import attrs
import httpx
from ports import reserved_port

PREFIX = "/hubroot/"
_UNWANTED = {"PYTHONDONTWRITEBYTECODE", *(k for k in os.environ if k.startswith("JUPYTER"))}
START_TIMEOUT = 45.0
STOP_TIMEOUT = 20.0

_CONFIG = """\
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{proxy_port}{prefix}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie-secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [{{"name": "tests", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [
    {{"name": "tests", "services": ["tests"], "scopes": ["admin-ui", "admin:users",
     "admin:servers", "tokens", "access:servers"]}}
]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.ConfigurableHTTPProxy.command = {proxy!r}
c.ConfigurableHTTPProxy.pid_file = "{folder}/proxy.pid"
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/homes/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root", "--ServerApp.jpserver_extensions={{'jupyterlab': False}}"]
# a server with an open room does not end when it is asked to
c.LocalProcessSpawner.interrupt_timeout = 1
c.LocalProcessSpawner.term_timeout = 1
c.LocalProcessSpawner.kill_timeout = 5
"""


@attrs.frozen
class Token:
    """An API token of a user.

    Attributes:
        value: What is sent.
        user: Whose it is.
        id: By which it is revoked.
    """

    value: str = attrs.field(repr=False)
    user: str
    id: str


@attrs.define
class Hub:
    """A JupyterHub of our own. Whoever is named as a user is made one.

    Attributes:
        url: Where it is, with a slash at its end.
        folder: Where all of its state is, and the homes of its users.
        log: What it and its users' servers have logged, line by line.
        admin_token: That of a service which may do everything.
    """

    url: str
    folder: Path
    log: list[str] = attrs.field(repr=False)
    admin_token: str = attrs.field(repr=False)
    _users: set[str] = attrs.field(factory=set)

    def server_url(self, user: str) -> str:
        """The base URL of a user's server."""
        return f"{self.url}user/{quote(user)}/"

    def home(self, user: str) -> Path:
        """The folder that a user's server serves."""
        return self.folder / "homes" / user

    @asynccontextmanager
    async def api(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client for the Hub's REST API that may do everything."""
        headers = {"Authorization": f"token {self.admin_token}"}
        url = f"{self.url}hub/api/"
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
            yield client

    async def token(self, user: str, *scopes: str) -> Token:
        """Make a token; without scopes it may do what the user may."""
        path = await self._user(user)
        async with self.api() as api:
            body = {"scopes": list(scopes)} if scopes else {}
            model = (await api.post(f"{path}/tokens", json=body)).raise_for_status().json()
        return Token(model["token"], user, model["id"])

    async def revoke(self, token: Token) -> None:
        """Take a token back."""
        async with self.api() as api:
            path = f"{await self._user(token.user)}/tokens/{token.id}"
            (await api.delete(path)).raise_for_status()

    async def start_server(self, user: str) -> str:
        """Start a user's server, and return its base URL when it is ready."""
        path = await self._user(user)
        with anyio.fail_after(START_TIMEOUT):
            async with self.api() as api:
                (await api.post(f"{path}/server")).raise_for_status()
                async with api.stream("GET", f"{path}/server/progress") as events:
                    async for line in events.aiter_lines():
                        if '"ready": true' in line:
                            return self.server_url(user)
                        assert '"failed": true' not in line, line
        raise RuntimeError(f"the server of {user} did not start:\n" + "".join(self.log))

    async def stop_server(self, user: str, name: str = "") -> None:
        """Stop a user's server, as culling does, and return when it has ended."""
        path = await self._user(user)
        with anyio.fail_after(STOP_TIMEOUT):
            async with self.api() as api:
                server = f"servers/{name}" if name else "server"
                (await api.delete(f"{path}/{server}")).raise_for_status()
                running = True
                while running:  # the Hub tells of no end of a server, it can only be asked
                    running = name in (await api.get(path)).raise_for_status().json()["servers"]

    async def _user(self, name: str) -> str:
        path = f"users/{quote(name)}"
        if name not in self._users:
            async with self.api() as api:
                (await api.post(path)).raise_for_status()
            self._users.add(name)
        return path

    async def stop_all_servers(self) -> None:
        """Stop the servers of all users."""
        async with self.api() as api:
            users = (await api.get("users")).raise_for_status().json()
        async with anyio.create_task_group() as group:
            for user in users:
                self._users.add(user["name"])
                for name in user["servers"]:
                    group.start_soon(self.stop_server, user["name"], name)


@contextmanager
def jupyter_hub(folder: Path, settings: str = "") -> Iterator[Hub]:
    """Start a JupyterHub on ports that the system chooses; at the end everything of it is gone.

    Args:
        folder: An empty folder, for all of its state.
        settings: Further lines of its configuration file.
    """
    admin = os.urandom(16).hex()
    (folder / "homes").mkdir()
    with ExitStack() as stack:
        proxy_port, hub_port, api_port = (stack.enter_context(reserved_port()) for _ in range(3))
        config = folder / "config.py"
        config.write_text(
            _CONFIG.format(
                proxy_port=proxy_port,
                hub_port=hub_port,
                api_port=api_port,
                prefix=PREFIX,
                folder=folder,
                token=admin,
                proxy=_proxy_command(),
                python=sys.executable,
            )
            + settings
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(config)],
            env={k: v for k, v in os.environ.items() if k not in _UNWANTED},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        log: list[str] = []
        ready = threading.Event()
        reader = threading.Thread(target=_read_log, args=(process, log, ready), daemon=True)
        reader.start()
        hub = Hub(f"http://127.0.0.1:{proxy_port}{PREFIX}", folder, log, admin)
        stack.callback(_end, process, reader)
        if not ready.wait(START_TIMEOUT) or process.poll() is not None:
            raise RuntimeError("JupyterHub did not start:\n" + "".join(log))
        yield hub
        anyio.run(hub.stop_all_servers)


def _proxy_command() -> list[str]:
    program = shutil.which("configurable-http-proxy")
    assert program, "there is no configurable-http-proxy on the PATH: `nox -s hub` installs it"
    # `node` may be a script, and JupyterHub would end that but not what it runs
    asked = ["node", "-p", "process.execPath"]
    node = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    return [node, program]


def _read_log(process: "subprocess.Popen[str]", log: list[str], ready: threading.Event) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            log.append(line)
            if "JupyterHub is now running" in line:
                ready.set()
    ready.set()


def _end(process: "subprocess.Popen[str]", reader: threading.Thread) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    reader.join(STOP_TIMEOUT)
    assert not reader.is_alive(), "something that JupyterHub has started is left behind"
