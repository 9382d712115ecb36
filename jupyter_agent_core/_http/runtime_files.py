# SPDX-License-Identifier: BSD-3-Clause
"""The files in which Jupyter servers of this machine say where they are, true or not."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
from jupyter_core.paths import jupyter_runtime_dir

WILDCARDS = ("", "*", "0.0.0.0", "::")  # noqa: S104
_NAME = re.compile(r"jpserver-(\d+)\.json")


@attrs.frozen
class RunningServer:
    """A Jupyter server, with what is needed to connect to it."""

    url: str
    token: str = attrs.field(repr=False)
    root_dir: str
    pid: int


@attrs.frozen
class RuntimeFile:
    """One file, and what it says.

    Attributes:
        path: Where it is.
        written: When it was written.
        pid: The process by its name, None if that has none.
        server: The server that it describes, None if it describes none.
        has_password: That server lets in whoever knows a password.
        problem: Why it describes none, as what follows the name of the server.
    """

    path: str
    written: float
    pid: int | None = None
    server: RunningServer | None = None
    has_password: bool = False
    problem: str = ""


def runtime_files() -> list[RuntimeFile]:
    """Read all of this user's, newest first; nothing is known yet of who still runs."""
    read = (_read(path) for path in Path(jupyter_runtime_dir()).glob("jpserver-*.json"))
    files = [file for file in read if file is not None]
    return sorted(files, key=lambda file: file.written, reverse=True)


def is_process(pid: int) -> bool:
    """Say whether there is a process with this id, whosever it is."""
    if sys.platform == "win32":
        import ctypes  # there, `os.kill` with 0 ends the process

        kernel32 = ctypes.windll.kernel32
        handle = kernel32.OpenProcess(0x1000, False, pid)
        if handle:
            kernel32.CloseHandle(handle)
        return bool(handle)
    else:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except (PermissionError, OverflowError):
            return True
        return True


def _read(path: Path) -> RuntimeFile | None:
    """Read one file; None if it is removed at this moment."""
    named = _NAME.fullmatch(path.name)
    pid = int(named[1]) if named else None
    file = RuntimeFile(str(path), 0.0, pid)
    try:
        file = attrs.evolve(file, written=path.stat().st_mtime)
        info = json.loads(path.read_bytes())
        return attrs.evolve(file, server=_described(info), has_password=bool(info.get("password")))
    except FileNotFoundError:
        return None
    except OSError as error:
        return attrs.evolve(file, problem=f"has a runtime file that cannot be read ({_why(error)})")
    except _NoUrlError:
        return attrs.evolve(file, problem="listens on a Unix socket, which has no URL")
    except (ValueError, TypeError, KeyError):  # or it is being written
        problem = "has a runtime file that is not what Jupyter servers write"
        return attrs.evolve(file, problem=problem)


class _NoUrlError(Exception):
    """The server is on a Unix socket."""


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _described(info: Any) -> RunningServer:
    if not isinstance(info, dict):
        raise TypeError("not an object")
    if info.get("sock"):
        raise _NoUrlError
    url = str(info["url"])
    if info.get("hostname") in WILDCARDS:  # the URL then has the host's name, which may not resolve
        parts = urlsplit(url)
        url = parts._replace(netloc=f"127.0.0.1:{int(info['port'])}").geturl()
    return RunningServer(
        url=url if url.endswith("/") else url + "/",
        token=str(info.get("token") or ""),
        root_dir=str(info["root_dir"]),
        pid=int(info["pid"]),
    )
