# SPDX-License-Identifier: BSD-3-Clause
"""A real nginx for tests, on ports that the system has chosen."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

START_TIMEOUT = 10.0

_CONFIG = """\
{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log info;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_http_version 1.1;
    proxy_buffering off;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    {servers}
}}
"""
PASSED_ON = """
    proxy_set_header Host $proxy_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
"""
"""What each place that leads to a Jupyter server needs for its websockets."""


@attrs.frozen
class Nginx:
    """A running nginx.

    Attributes:
        ports: Where it listens, in the order of its servers.
        folder: Where its logs are.
    """

    ports: tuple[int, ...]
    folder: Path

    def requests(self) -> str:
        """What it has been asked for, a line each."""
        return (self.folder / "access.log").read_text()


@contextmanager
def nginx(folder: Path, number: int, servers: Callable[[Sequence[int]], str]) -> Iterator[Nginx]:
    """Run an nginx until the end of the block.

    Args:
        folder: An empty folder, for all of its state.
        number: How many ports it has.
        servers: Gives the `server` blocks of its configuration for these ports.
    """
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise RuntimeError("there is no nginx: apt-get install nginx-light")
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)
        ]
        ports = tuple(one.getsockname()[1] for one in sockets)
        config = folder / "nginx.conf"
        # a worker that root starts would be another user, who sees nothing of the folder
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "access.log").touch()  # it takes requests, which wait, before it has begun
        config.write_text(_CONFIG.format(user=user, folder=folder, servers=servers(ports)))
        for one in sockets:
            one.setblocking(False)
        numbers = [one.fileno() for one in sockets]
        # as in an upgrade of a running one: it takes over sockets that listen already
        process = subprocess.Popen(
            [program, "-c", str(config), "-e", str(folder / "error.log"), "-p", str(folder)],
            env={"NGINX": "".join(f"{number};" for number in numbers)},
            pass_fds=numbers,
            stdin=subprocess.DEVNULL,
        )
        stack.callback(_end, process)
        yield Nginx(ports, folder)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    process.wait(START_TIMEOUT)
