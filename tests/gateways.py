# SPDX-License-Identifier: BSD-3-Clause
"""Servers that run kernels and hold no documents: a real kernel gateway, and half a Jupyter."""

import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ports import reserved_port
from servers import START_TIMEOUT, RunningServer, end_process

LISTING = "--JupyterWebsocketPersonality.list_kernels=True"
KERNELS_ONLY = """
from jupyter_server.serverapp import ServerApp

c = get_config()
c.ServerApp.terminals_enabled = False
c.ServerApp.jpserver_extensions = {
    name: False
    for name in ("jupyter_server_ydoc", "jupyter_server_fileid", "jupyterlab", "jupyter_lsp")
}
ServerApp.default_services = tuple(
    name for name in ServerApp.default_services if name not in ("contents", "files", "view")
)
"""
"""A configuration file of a Jupyter server without contents and terminals."""


@contextmanager
def kernel_gateway(
    folder: Path,
    *settings: str,
    with_token: bool = True,
    module: str = "kernel_gateway",
    python: str = sys.executable,
) -> Iterator[RunningServer]:
    """Start a kernel gateway, whose kernels live in `root` below the folder.

    Args:
        folder: An empty folder.
        *settings: Further arguments of its command line.
        with_token: It wants a token.
        module: What is run: `kernel_gateway` or `enterprise_gateway`.
        python: The interpreter that runs it and its kernels.
    """
    app = {"kernel_gateway": "KernelGatewayApp", "enterprise_gateway": "EnterpriseGatewayApp"}[
        module
    ]
    root = folder / "root"
    root.mkdir()
    token = secrets.token_hex(16) if with_token else ""
    with reserved_port() as port:
        process = subprocess.Popen(
            [
                *(python, "-m", module),
                f"--{app}.ip=127.0.0.1",
                f"--{app}.port={port}",
                f"--{app}.port_retries=0",
                *settings,
            ],
            env=_environment(folder, token),
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        log: list[str] = []
        ready = threading.Event()
        reader = threading.Thread(target=_read_log, args=(process, log, ready), daemon=True)
        reader.start()
        try:
            if not ready.wait(START_TIMEOUT) or process.poll() is not None:
                raise RuntimeError("the kernel gateway did not start:\n" + "".join(log))
            yield RunningServer(f"http://127.0.0.1:{port}", token, root, log, process)
        finally:
            end_process(process, reader)


def has_kernel(gateway: RunningServer, kernel_id: str | None) -> bool:
    """Whether a kernel is there."""
    with gateway.http() as http:
        status = http.get(f"/api/kernels/{kernel_id}").status_code
    assert status in (200, 404)
    return status == 200


def _environment(folder: Path, token: str) -> dict[str, str]:
    theirs = ("JUPYTER", "KG_", "EG_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment | {
        "KG_AUTH_TOKEN": token,
        "EG_AUTH_TOKEN": token,
        "EG_UNAUTHORIZED_USERS": "nobody",  # and not root, as tests may run as that
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "IPYTHONDIR": str(folder / "ipython"),
    }


def _read_log(process: "subprocess.Popen[str]", log: list[str], ready: threading.Event) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        log.append(line)
        if "is available at" in line:
            ready.set()
    ready.set()
