# SPDX-License-Identifier: BSD-3-Clause
"""Every check of this project. `nox` alone needs nothing but Python; `nox -l` lists the rest."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types", "tests", "docs", "secrets"]
nox.options.error_on_missing_interpreters = True

PROJECT = nox.project.load_toml("pyproject.toml")
PACKAGES = ("jupyter_agent_core", "jupyter_mcp_server")
ELSEWHERE = (
    "browser",
    "chaos",
    "conformance",
    "distribution",
    "enterprise_gateway",
    "hosts",
    "hub",
    "matrix",
    "proxies",
    "server_documents",
    "server_runs",
    "soak",
)
OFFICIAL = (
    "@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "@modelcontextprotocol/inspector@2.12.0",
)
# AI agents that change within days: what the tests know of them is true of these
AGENTS = ("@anthropic-ai/claude-code@2.1.330", "@openai/codex@0.169.0", "@google/gemini-cli@0.61.0")
HUB_PROXY = "configurable-http-proxy@5"
# what cannot live in the environment of the tests, by the marker of those that need it
SERVERS = {
    "server_documents": ("jupyter-server-documents>=0.3.3", "ipykernel>=7.0"),
    "server_runs": (
        *("jupyter-server-nbmodel>=0.2.9", "jupyter-collaboration>=5.0"),
        "ipykernel>=7.0",
    ),
    "enterprise_gateway": ("jupyter-enterprise-gateway>=3.3", "ipykernel>=6.29"),
}
# servers that the tests drive, each with the packages of its time
MATRIX = {
    "collaboration-3": (
        *("jupyter-collaboration==3.1.*", "jupyter-server==2.15.*", "jupyter-ydoc==3.0.*"),
        *("pycrdt==0.12.15", "ipykernel==6.29.*"),
    ),
    "collaboration-4": (
        *("jupyter-collaboration==4.1.*", "jupyter-server==2.17.*", "jupyter-ydoc==3.2.*"),
        "ipykernel==6.30.*",
    ),
    "collaboration-5": ("jupyter-collaboration>=5.0.4", "ipykernel>=7.0"),
    "documents-0.3": ("jupyter-server-documents>=0.3.3", "ipykernel>=7.0"),
    "plain-oldest": ("jupyter-server==2.0.*", "ipykernel==6.29.*"),
    "plain-newest": ("jupyter-server>=2.21", "ipykernel>=7.0"),
}
BENCHMARKS = ("run", "documents", "execution", "mcp_server", "private_server")
RIVALS = "rivals"  # only when asked for: it installs others, and writes a page of the docs
# each process has servers of its own, for which it often waits: three keep two cores busy
IN_PARALLEL = ("-n", "3", "--dist", "worksteal")
IN_ONE_ENVIRONMENT = " and ".join(f"not {name}" for name in ELSEWHERE)
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

    For tests, bytecode is compiled, whatever the environment says: without it every Jupyter server
    that they start costs seconds more.
    """
    project = [f".[{extras}]"] if extras else []
    requirements = nox.project.dependency_groups(PROJECT, *groups)
    if "test" in groups:
        session.env["UV_COMPILE_BYTECODE"] = "1"
        session.env["PYTHONDONTWRITEBYTECODE"] = None
    session.install(*project, *requirements)


def _pytest(session: nox.Session, *arguments: str, env: dict[str, str] | None = None) -> None:
    """Run pytest on what is installed: `-P` keeps the checkout off the path."""
    session.run("python", "-P", "-m", "pytest", *arguments, *session.posargs, env=env)


def _tests(session: nox.Session) -> None:
    """Run what needs one environment: first in parallel, then what measures time.

    Two minutes of the same faults are among the first: they wait more than they work.
    """
    if session.posargs:
        _pytest(session, "-m", IN_ONE_ENVIRONMENT)
        return
    faults = {"CHAOS_SEED": os.environ.get("CHAOS_SEED", "9")}
    in_parallel = f"({IN_ONE_ENVIRONMENT} and not alone) or chaos"
    _pytest(session, *IN_PARALLEL, "-m", in_parallel, env=faults)
    _pytest(session, "-m", f"{IN_ONE_ENVIRONMENT} and alone")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format, generated code that is up to date, and the changelog to come."""
    _install(session, "lint", "changelog")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("python", "tools/generate_sync.py", "--check")
    session.run("python", "tools/generate_versions.py", "--check")
    session.run("towncrier", "build", "--draft", "--version", "next", silent=True)


@nox.session
def secrets(session: nox.Session) -> None:
    """No key, token or password in the repository; those in the tests are made up."""
    _install(session, "security")
    files = str(session.run("git", "ls-files", silent=True, external=True)).splitlines()
    made_up = (
        "--exclude-files",
        r"^tests/|pairs\.json$|\.png$",
        "--exclude-lines",
        "//user:password@",
    )
    session.run("detect-secrets-hook", *made_up, *files)


@nox.session(default=False)
def audit(session: nox.Session) -> None:
    """Known weaknesses of the dependencies, as PyPI tells of them (which not every index does)."""
    _install(session, "security", extras="all")
    session.run("pip-audit", "--strict", "--skip-editable", "--progress-spinner", "off")


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
    _install(session, "test", extras="all")
    _tests(session)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation site, with warnings as errors, and its links, without asking others."""
    _install(session, "docs")
    said = session.run("zensical", "build", "--clean", "--strict", silent=True)
    if "griffe:" in str(said):  # what it cannot read of a docstring it leaves out, and goes on
        session.error(str(said))
    site = Path("site").absolute()
    pages = ("README.md", "CONTRIBUTING.md", f"{site}/**/*.html")
    session.run("lychee", "--offline", "--include-fragments", "--root-dir", str(site), *pages)


@nox.session(python=OTHERS, default=False)
def pythons(session: nox.Session) -> None:
    """The tests on each other supported Python that is installed."""
    _install(session, "test", extras="all")
    _tests(session)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """The tests that look at JupyterLab in a headless Chromium (which is not installed by this)."""
    _install(session, "test", "browser", extras="all")
    _pytest(session, "-m", "browser")


def _environment(session: nox.Session, name: str, *packages: str) -> str:
    """Make an environment for servers that cannot live in that of the tests; its interpreter."""
    environment = Path(session.create_tmp()).absolute() / name
    session.run("python", "-m", "venv", "--clear", str(environment), silent=True)
    python = str(environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    session.run(python, "-m", "pip", "install", "--quiet", *packages, external=True)
    return python


def _server(session: nox.Session, name: str) -> tuple[str, str]:
    """Make the environment of one of the servers; the variable that tells the tests, and where."""
    return f"{name.upper()}_PYTHON", _environment(session, name, *SERVERS[name])


def _on_server(session: nox.Session, name: str) -> None:
    _install(session, "test", extras="all")
    _pytest(session, "-m", name, env=dict([_server(session, name)]))


@nox.session(default=False)
def server_documents(session: nox.Session) -> None:
    """The tests on a server with jupyter-server-documents, in an environment of its own."""
    _on_server(session, "server_documents")


@nox.session(default=False)
def server_runs(session: nox.Session) -> None:
    """The tests on a server with jupyter-server-nbmodel, in an environment of its own."""
    _on_server(session, "server_runs")


@nox.session(default=False)
def enterprise_gateway(session: nox.Session) -> None:
    """The tests on Jupyter Enterprise Gateway, in an environment of its own."""
    _on_server(session, "enterprise_gateway")


@nox.session(default=False)
@nox.parametrize("server", [nox.param(name, id=name) for name in MATRIX])
def matrix(session: nox.Session, server: str) -> None:
    """The main job on servers of other versions, which writes `tests/matrix/results.json`."""
    _install(session, "test", extras="all")
    python = _environment(session, server, *MATRIX[server])
    variables = {"MATRIX_PYTHON": python, "MATRIX_SERVER": server}
    _pytest(session, "-m", "matrix", "tests/matrix", env=variables)


def _install_from_npm(session: nox.Session, *packages: str) -> None:
    """Install programs beside the Node.js that PyPI has; the group `node` brings that."""
    where = ("--global", "--prefix", session.virtualenv.location)
    session.run_install("npm", "install", "--silent", *where, *packages)


@nox.session(default=False)
def hub(session: nox.Session) -> None:
    """The tests on a real JupyterHub, with its proxy from npm and Node.js from PyPI."""
    _install(session, "test", "hub", extras="all")
    _install_from_npm(session, HUB_PROXY)
    _pytest(session, "-m", "hub")


@nox.session(default=False)
def chaos(session: nox.Session) -> None:
    """Faults in random order for `CHAOS_SECONDS` (120), which `CHAOS_SEED` repeats; see `tests`."""
    _install(session, "test", extras="all")
    _pytest(session, "-s", "-m", "chaos")


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """Edits and runs for `SOAK_SECONDS` (1,800), in which nothing may grow."""
    _install(session, "test", extras="all")
    _pytest(session, "-s", "-p", "no:logging", "-m", "soak", "tests/soak")


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Far more odd arguments, messages and frames than in `tests`; `FUZZ_SEED` chooses frames."""
    _install(session, "test", extras="all")
    many = {"FUZZ_EXAMPLES": "2000", "FUZZ_ROUNDS": "100", "FUZZ_SEED": "1,2,3,4,5,6,7,8"}
    env = {name: os.environ.get(name, value) for name, value in many.items()}
    _pytest(session, "-o", "timeout=1200", "tests/fuzz", env=env)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Which lines and branches the tests run, in all of their processes, on servers of all kinds.

    Measuring takes its time: a test that only then is too slow is no failure of this.
    """
    _install(session, "test", "coverage", "hub", extras="all")
    _install_from_npm(session, HUB_PROXY)
    env = dict(_server(session, name) for name in SERVERS)
    run = ("python", "-P", "-m", "coverage", "run", "-m", "pytest", "-o", "timeout=240")
    session.run("coverage", "erase")
    for arguments in (
        (*IN_PARALLEL, "-m", f"{IN_ONE_ENVIRONMENT} and not alone"),
        ("-m", " or ".join(("alone", "hub", "proxies", *SERVERS))),
    ):
        session.run(*run, *arguments, env=env, success_codes=[0, 1])
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report", "--fail-under=95")


@nox.session(default=False)
def proxies(session: nox.Session) -> None:
    """The tests with TLS, reverse and forward proxies; needs nginx (`apt install nginx-light`)."""
    _install(session, "test", extras="all")
    _pytest(session, *IN_PARALLEL, "-m", "proxies")


@nox.session(default=False)
def conformance(session: nox.Session) -> None:
    """The MCP server before the official conformance runner and the official inspector."""
    _install(session, "test", "node", extras="all")
    _install_from_npm(session, *OFFICIAL)
    _pytest(session, "-m", "conformance")


def _check_issue_templates(session: nox.Session) -> None:
    """Check that GitHub will understand them, by the schemas that the program brings along."""
    folder = Path(".github", "ISSUE_TEMPLATE")
    config = folder / "config.yml"
    forms = sorted(path for path in folder.glob("*.yml") if path != config)
    for schema, paths in (("issue-forms", forms), ("issue-config", [config])):
        names = map(str, paths)
        session.run("check-jsonschema", "--builtin-schema", f"vendor.github-{schema}", *names)


@nox.session(default=False)
def distribution(session: nox.Session) -> None:
    """The image, the bundle, the registry entry, the plugin and `uvx`, as tools check them."""
    _install(session, "test", "distribution", extras="all")
    _install_from_npm(session, AGENTS[0], "@anthropic-ai/mcpb@2.1.2")
    _check_issue_templates(session)
    _pytest(session, "-m", "distribution")


@nox.session(default=False)
def hosts(session: nox.Session) -> None:
    """The tests with real AI agents from npm, whose models are played by a script."""
    _install(session, "test", "node", extras="all")
    _install_from_npm(session, *AGENTS)
    _pytest(session, "-m", "hosts")


@nox.session(default=False)
def benchmarks(session: nox.Session) -> None:
    """Measure what the project promises about speed; `-- NAME ARGUMENTS` runs one of it."""
    _install(session, "test", extras="all")
    if session.posargs and session.posargs[0] not in (*BENCHMARKS, RIVALS):
        session.error(f"{session.posargs[0]!r} is none of {', '.join((*BENCHMARKS, RIVALS))}")
    chosen = session.posargs[:1] or BENCHMARKS
    for name in chosen:
        session.run("python", f"benchmarks/{name}.py", *session.posargs[1:])


@nox.session(default=False, venv_backend="none")
def full(session: nox.Session) -> None:
    """Everything, on every installed Python, but for the measurements and the audit."""
    pythons = (f"pythons-{v}" for v in OTHERS)
    servers = (f"matrix({name})" for name in MATRIX)
    others = (name for name in ELSEWHERE if name != "matrix")
    for name in (*nox.options.sessions, *pythons, "fuzz", *others, *servers):
        session.notify(name)
