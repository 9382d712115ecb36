# SPDX-License-Identifier: BSD-3-Clause
"""Every check of this project. `nox` alone needs nothing but Python; `nox -l` lists the rest."""

import shutil
import subprocess
import sys

import nox

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.error_on_missing_interpreters = True

PROJECT = nox.project.load_toml("pyproject.toml")
PACKAGES = ("jupyter_agent_core", "jupyter_mcp_server")
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


def _starts(version: str) -> bool:
    """Whether `pythonX.Y` is on the PATH and really is one (pyenv's shims may not be)."""
    program = shutil.which(f"python{version}")
    return (
        program is not None and subprocess.run([program, "-V"], capture_output=True).returncode == 0
    )


OTHERS = [v for v in nox.project.python_versions(PROJECT) if v != RUNNING and _starts(v)]


def _install(session: nox.Session, *groups: str, extras: str = "") -> None:
    """Install dependency groups and, with `extras`, the package as users get it: as a wheel.

    Bytecode is compiled, whatever the environment says: without it every Jupyter server that the
    tests start costs seconds more.
    """
    project = [f".[{extras}]"] if extras else []
    requirements = nox.project.dependency_groups(PROJECT, *groups)
    session.env["UV_COMPILE_BYTECODE"] = "1"
    session.env["PYTHONDONTWRITEBYTECODE"] = None
    session.install(*project, *requirements)


def _pytest(session: nox.Session, *arguments: str) -> None:
    """Run pytest on what is installed: `-P` keeps the checkout off the path."""
    session.run("python", "-P", "-m", "pytest", *arguments, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format, and generated code that is up to date."""
    _install(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("python", "tools/generate_sync.py", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """`mypy --strict`, and every public name fully typed for users of pyright."""
    _install(session, "types", extras="all")
    session.run("mypy")
    session.run("pyright", "--warnings", "tests/typing")
    for package in PACKAGES:
        session.run("pyright", "--verifytypes", package, "--ignoreexternal")


@nox.session
def tests(session: nox.Session) -> None:
    """The tests, with real servers and kernels, on the Python that runs nox."""
    _install(session, "test", extras="mcp,local")
    _pytest(session, "-m", "not browser")


@nox.session(python=OTHERS, default=False)
def pythons(session: nox.Session) -> None:
    """The tests on each other supported Python that is installed."""
    _install(session, "test", extras="mcp,local")
    _pytest(session, "-m", "not browser")


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """The tests that look at JupyterLab in a headless Chromium (which is not installed by this)."""
    _install(session, "test", "browser", extras="mcp,local")
    _pytest(session, "-m", "browser")


@nox.session(default=False)
def benchmarks(session: nox.Session) -> None:
    """Measure what the project promises about speed; arguments go to `benchmarks/run.py`."""
    _install(session, "test", extras="mcp,local")
    session.run("python", "benchmarks/run.py", *session.posargs)


@nox.session(default=False, venv_backend="none")
def full(session: nox.Session) -> None:
    """Everything: lint, types, tests on every installed Python, browser."""
    for name in ("lint", "types", "tests", *(f"pythons-{v}" for v in OTHERS), "browser"):
        session.notify(name)
