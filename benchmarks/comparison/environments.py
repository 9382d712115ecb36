# SPDX-License-Identifier: BSD-3-Clause
"""An environment for each contender, kept from one run to the next."""

import hashlib
import json
import subprocess
import sys
import venv
from pathlib import Path

import attrs
import platformdirs

from .contenders import CHECKOUT, OURS, Contender

MEASURE = """
import importlib.metadata, json
found = [d for d in importlib.metadata.distributions() if d.name not in ("pip", "setuptools")]
files = {file.locate() for one in found for file in one.files or ()}
size = sum(file.stat().st_size for file in files if file.is_file())
versions = {one.name.lower().replace("_", "-"): one.version for one in found}
print(json.dumps({"size": size, "versions": versions}))
"""
INSTALL_TIMEOUT = 600


@attrs.frozen
class Environment:
    """Where a contender is installed.

    Attributes:
        folder: Of the programs.
        size: Bytes of all packages, bytecode included.
        versions: Of all packages.
    """

    folder: Path
    size: int
    versions: dict[str, str]

    @property
    def python(self) -> str:
        return str(self.folder / "python")


def environment(contender: Contender) -> Environment:
    """Make the environment of a contender, or find it again; ours gets the code of today."""
    key = hashlib.sha256(" ".join(contender.packages).encode()).hexdigest()[:12]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    cache = platformdirs.user_cache_path("jupyter-agent-core") / "benchmarks"
    folder = cache / f"{contender.name}-{version}-{key}"
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    installed = folder / "installed"
    state = _state() if contender.name == OURS else ""
    if not installed.exists():
        print(f"installing {', '.join(contender.packages)}", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        _pip_install(python, *contender.packages)
    elif installed.read_text() != state:
        _pip_install(python, "--force-reinstall", "--no-deps", str(CHECKOUT))
    installed.write_text(state)
    measured = subprocess.run(
        [python, "-c", MEASURE], capture_output=True, text=True, check=True, timeout=60
    )
    found = json.loads(measured.stdout)
    return Environment(python.parent, found["size"], found["versions"])


def _state() -> str:
    """What changes when our code does."""
    digest = hashlib.sha256((CHECKOUT / "pyproject.toml").read_bytes())
    for package in ("jupyter_agent_core", "jupyter_mcp_server"):
        for path in sorted((CHECKOUT / package).rglob("*.py")):
            digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


def _pip_install(python: Path, *what: str) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    subprocess.run(command, check=True, timeout=INSTALL_TIMEOUT)
