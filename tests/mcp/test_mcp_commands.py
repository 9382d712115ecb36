# SPDX-License-Identifier: BSD-3-Clause
"""The commands beside the one that serves: doctor and demo."""

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import psutil
import pytest
from mcp_process import COMMAND, run_command
from servers import Proxy, RunningServer

from jupyter_agent_core import DisplayOutput, ExecuteResult, KernelSpec, Server
from jupyter_agent_core._http.auth import Token
from jupyter_mcp_server import ending
from jupyter_mcp_server.demo import DRAWING, TABLE
from jupyter_mcp_server.doctor import examine, shown
from jupyter_mcp_server.settings import Target

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


def run(
    folder: Path, variables: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    return run_command(variables, *arguments, folder=folder)


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {check["name"]: check["outcome"] for check in json.loads(done.stdout)}


def left_in(folder: Path) -> list[Path]:
    """Notebooks, and what Jupyter keeps of them."""
    return list(folder.rglob("*scratch*"))


# --- doctor


@pytest.mark.alone  # it measures round trips
def test_where_all_is_well_each_check_says_so_and_nothing_is_left(
    work: Path, on_lab: dict[str, str], lab: RunningServer
) -> None:
    with lab.http() as http:
        kernels = {kernel["id"] for kernel in http.get("/api/kernels").json()}
        done = run(work, on_lab, "doctor")
        assert done.returncode == 0, done
        lines = done.stdout.splitlines()
        assert [line[0] for line in lines] == ["✓"] * 7
        assert f"✓ connection     {lab.url}/ (the URL and the token work)" in lines
        assert any(line.startswith("✓ collaboration  notebooks are live") for line in lines)
        assert lines[-1].startswith("✓ run            a cell was run in a scratch notebook, ")
        assert lab.token not in done.stdout + done.stderr
        assert {kernel["id"] for kernel in http.get("/api/kernels").json()} <= kernels
    assert left_in(lab.root) == []


@pytest.mark.parametrize(
    ("variables", "found", "fix"),
    [
        ({"JUPYTER_TOKEN": "wrong"}, "does not accept the token (HTTP 403)", "JUPYTER_TOKEN"),
        ({"JUPYTER_URL": "http://127.0.0.1:9"}, "No Jupyter server answers at", "check that it"),
        ({"RUNTIME_URL": "http://127.0.0.1:9"}, "No Jupyter server answers at", "check that it"),
    ],
    ids=["token", "url", "runtime"],
)
def test_what_fails_is_said_in_a_line_with_what_to_do(
    variables: dict[str, str], found: str, fix: str, work: Path, on_lab: dict[str, str]
) -> None:
    done = run(work, on_lab | variables, "doctor")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    line = done.stdout.splitlines()[-1]
    assert line.startswith("✗ connection")
    said, _, advice = line.partition(" → ")
    assert found in said
    assert fix in advice


def test_a_server_without_live_documents_is_a_warning(
    work: Path, alone: dict[str, str], plain: RunningServer
) -> None:
    variables = alone | {"JUPYTER_TOKEN": plain.token}
    done = run(work, variables, "doctor", "--json", "--jupyter-url", plain.url)
    assert done.returncode == 0, done
    found = outcomes(done)
    assert found.pop("collaboration") == "warning"
    assert set(found.values()) == {"ok"}
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert "pip install jupyter-collaboration" in checks["collaboration"]["fix"]


def test_documents_and_kernels_on_different_servers_are_checked_together(
    work: Path, on_lab: dict[str, str], plain: RunningServer
) -> None:
    variables = on_lab | {"RUNTIME_URL": plain.url, "RUNTIME_TOKEN": plain.token}
    done = run(work, variables, "doctor", "--json")
    assert done.returncode == 0, done
    assert outcomes(done)["kernels"] == "ok"


def installed(folder: Path, name: str, version: str) -> str:
    """A folder where the metadata of a distribution are."""
    info = folder / "other" / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return str(info.parent)


def test_another_distribution_with_the_same_names_is_found(
    work: Path, on_lab: dict[str, str], tmp_path: Path
) -> None:
    other = installed(tmp_path, "jupyter-mcp-server", "2.2.4")
    done = run(work, on_lab | {"PYTHONPATH": other}, "doctor")
    assert done.returncode == 1
    line = done.stdout.splitlines()[0]
    assert line.startswith("✗ installation")
    assert "beside jupyter-mcp-server 2.2.4" in line
    assert "→ pip uninstall jupyter-mcp-server" in line


def test_a_fork_that_takes_the_place_of_pycrdt_is_found_before_it_does_harm(
    work: Path, on_lab: dict[str, str], tmp_path: Path
) -> None:
    other = Path(installed(tmp_path, "datalayer_pycrdt", "0.12.17"))
    (other / "pycrdt").mkdir()
    (other / "pycrdt" / "__init__.py").write_text("class Doc: ...\n")
    done = run(work, on_lab | {"PYTHONPATH": str(other)}, "doctor")
    assert done.returncode == 1
    assert done.stderr == ""
    fine, found = done.stdout.splitlines()
    assert fine.startswith("✓ installation")
    assert found.startswith("✗ pycrdt")
    assert "datalayer_pycrdt 0.12.17 is installed" in found
    assert "→ pip uninstall datalayer_pycrdt, then pip install --force-reinstall" in found


def test_without_a_server_a_private_one_is_checked_and_gone_afterwards(
    work: Path, alone: dict[str, str]
) -> None:
    done = run(work, alone, "doctor", "--json")
    assert done.returncode == 0, done
    assert outcomes(done)["run"] == "ok"
    assert left_in(work) == []
    assert list(Path(alone["JUPYTER_RUNTIME_DIR"]).glob("jpserver-*.json")) == []


def test_where_no_server_is_named_each_that_was_found_is_told_with_why(
    work: Path, alone: dict[str, str], plain: RunningServer
) -> None:
    runtime = Path(alone["JUPYTER_RUNTIME_DIR"])
    runtime.mkdir(parents=True, exist_ok=True)
    facts = {"url": f"{plain.url}/", "root_dir": str(plain.root), "token": plain.token}
    (runtime / "jpserver-1.json").write_text(json.dumps(facts | {"pid": plain.process.pid}))
    (runtime / "jpserver-2.json").write_text("{")
    done = run(plain.root, alone, "doctor", "--json")
    assert done.returncode == 0, done
    found = [check for check in json.loads(done.stdout) if check["name"] == "discovery"]
    assert [check["server"]["chosen"] for check in found] == [True, False]
    assert found[0]["server"] == {
        "url": f"{plain.url}/",
        "root_dir": str(plain.root),
        "pid": plain.process.pid,
        "chosen": True,
        "reason": f"serves {plain.root}, which holds {plain.root}",
        "runtime_file": str(runtime / "jpserver-1.json"),
    }
    assert plain.token not in done.stdout + done.stderr
    done = run(work, alone, "doctor")
    (reason,) = (line for line in done.stdout.splitlines() if plain.url in line)
    assert reason.startswith(f"✓ discovery      passed over: {plain.url}/ serves {plain.root}, ")
    assert "✓ discovery      no running server that can be joined holds the folder" in done.stdout


async def test_each_check_that_the_server_refuses_has_failed_and_the_next_one_is_made(
    lab: RunningServer,
) -> None:
    def rewrite(data: bytes) -> bytes:
        return data.replace(b"GET /api/kernelspecs", b"GET /api/kernelspexx")

    async with Proxy.before(lab.port, rewrite=rewrite) as proxy:
        checks = {c.name: c for c in await examine(Target(proxy.url, Token(lab.token)))}
    for name in ("kernelspecs", "round trip", "run"):
        assert checks[name].outcome == "failed"
        assert "404" in checks[name].found
    assert checks["connection"].outcome == checks["collaboration"].outcome == "ok"
    assert left_in(lab.root) == []


async def test_what_is_slow_or_does_not_run_is_said_with_what_to_do(
    lab: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_mcp_server.doctor._SLOW", 0.0)
    monkeypatch.setattr("jupyter_mcp_server.doctor.RUN_TIMEOUT", 0.0)
    checks = {c.name: c for c in await examine(Target(lab.url, Token(lab.token)))}
    slow, run = checks["round trip"], checks["run"]
    assert (slow.outcome, slow.found[-3:]) == ("warning", " ms")
    assert "run this command nearer to the server" in slow.fix
    assert run.outcome == "failed"
    assert run.found.startswith(("it ended as 'running': ", "it ended as 'queued': "))
    assert "look at the server's log" in run.fix
    assert left_in(lab.root) == []


async def test_a_server_that_can_start_no_kernel_has_failed(
    lab: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(_: Server) -> tuple[KernelSpec, ...]:
        return ()

    monkeypatch.setattr(Server, "list_kernelspecs", none)
    checks = {c.name: c for c in await examine(Target(lab.url, Token(lab.token)))}
    assert checks["kernelspecs"].outcome == "failed"
    assert "the server can start no kernel → pip install ipykernel" in shown(
        [checks["kernelspecs"]], as_json=False
    )


def test_flags_of_a_command_come_after_it(work: Path, on_lab: dict[str, str]) -> None:
    done = run(work, on_lab, "--username", "Ada", "doctor")
    assert done.returncode == 2
    assert "--username comes after the command: doctor" in done.stderr
    listed = run(work, on_lab, "--help").stdout
    assert "doctor  Check that everything works." in listed
    assert "demo    See it work, and what a model receives." in listed


# --- being told to end


@contextlib.contextmanager
def started(
    folder: Path, variables: dict[str, str], *arguments: str
) -> Iterator["subprocess.Popen[str]"]:
    """A command that is told to end; it is killed if it does not."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def told_to_end(process: "subprocess.Popen[str]", name: str) -> None:
    number = signal.Signals[name]
    process.send_signal(number)
    assert process.wait(20) == 128 + number
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize("moment", [b"GET /api/collaboration/room", b"/channels?"])
async def test_a_doctor_who_is_told_to_end_leaves_nothing_on_the_server(
    moment: bytes, work: Path, on_lab: dict[str, str], lab: RunningServer
) -> None:
    at_it = anyio.Event()

    def listen(data: bytes) -> bytes:
        if moment in data:
            at_it.set()
        return data

    with lab.http() as http:
        kernels = {kernel["id"] for kernel in http.get("/api/kernels").json()}
        async with Proxy.before(lab.port, rewrite=listen) as proxy:
            with started(work, on_lab | {"JUPYTER_URL": proxy.url}, "doctor") as process:
                with anyio.fail_after(30):
                    await at_it.wait()
                await anyio.to_thread.run_sync(told_to_end, process, "SIGTERM")
        assert {kernel["id"] for kernel in http.get("/api/kernels").json()} <= kernels
    assert left_in(lab.root) == []


def test_a_demo_that_is_told_to_end_leaves_nothing_in_a_running_jupyterlab(
    alone: dict[str, str], lab: RunningServer
) -> None:
    registered = next(lab.root.parent.rglob("jpserver-*.json"))
    variables = alone | {"JUPYTER_RUNTIME_DIR": str(registered.parent)}
    with started(lab.root, variables, "demo") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "the model calls insert_cell" in line)
        told_to_end(process, "SIGTERM")
    assert list(lab.root.glob("jupyter-mcp-demo-*")) == []


def test_a_demo_that_is_told_to_end_leaves_no_folder_and_no_server(
    work: Path, alone: dict[str, str], tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with started(work, alone | {"TMPDIR": str(temporary)}, "demo") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "the model calls insert_cell" in line)
        children = psutil.Process(process.pid).children(recursive=True)
        told_to_end(process, "SIGHUP")
    assert list(temporary.glob("jupyter-mcp-demo-*")) == []
    _, alive = psutil.wait_procs(children, 10)
    assert alive == []


@pytest.fixture
def _signals() -> Iterator[None]:
    """What signals do is the same afterwards."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@posix
@pytest.mark.usefixtures("_signals")
def test_a_command_that_is_told_to_end_cleans_up_and_its_code_names_the_signal() -> None:
    cleaned: list[str] = []

    async def work() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
            await anyio.sleep_forever()
        finally:
            cleaned.append("all")

    with pytest.raises(SystemExit) as ended:
        ending.run_command(work)
    assert ended.value.code == 128 + signal.SIGTERM
    assert cleaned == ["all"]


@posix
@pytest.mark.usefixtures("_signals")
def test_a_command_under_nohup_outlives_its_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def work() -> str:
        signal.raise_signal(signal.SIGHUP)
        await anyio.lowlevel.checkpoint()
        return "done"

    assert ending.run_command(work) == "done"


# --- demo


def test_the_demo_shows_what_a_model_would_receive_and_leaves_nothing(
    work: Path, alone: dict[str, str]
) -> None:
    done = run(work, alone, "demo")
    assert done.returncode == 0, done
    assert "── the model calls use_notebook(notebook_name='demo', " in done.stdout
    assert "\n285\n" in done.stdout
    assert "\n[an image, image/png, " in done.stdout
    assert "\nIndex\tID\t" in done.stdout
    assert left_in(work) == []
    assert list(Path(alone["JUPYTER_RUNTIME_DIR"]).glob("jpserver-*.json")) == []


def test_the_demo_in_a_running_jupyterlab_gives_the_link_to_look_at(
    alone: dict[str, str], lab: RunningServer
) -> None:
    registered = next(lab.root.parent.rglob("jpserver-*.json"))
    variables = alone | {"JUPYTER_RUNTIME_DIR": str(registered.parent)}
    done = run(lab.root, variables, "demo")
    assert done.returncode == 0, done
    assert lab.token not in done.stdout + done.stderr
    (link,) = re.findall(r"Look at it: (\S+)", done.stdout)
    name = link.rpartition("/")[2]
    assert link == f"{lab.url}/lab/tree/{name}"
    with lab.http() as http:
        assert http.get(f"/lab/tree/{name}").status_code == 200
        content = http.get(f"/api/contents/{name}").json()["content"]
    assert len(content["cells"]) == 3
    (lab.root / name).unlink()


def test_a_demo_that_stays_gives_the_file_and_the_command_that_shows_it(
    work: Path, alone: dict[str, str]
) -> None:
    with subprocess.Popen(
        [*COMMAND, "demo", "--stay"], cwd=work, env=alone, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            shown = next(line for line in process.stdout if line.startswith("Look at it with: "))
            command, _, file = shown.strip().rpartition(" ")
            assert command == "Look at it with: jupyter lab"
            assert len(json.loads(Path(file).read_text())["cells"]) == 3
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
    assert not Path(file).exists()


async def test_where_there_is_no_matplotlib_the_demo_draws_by_hand(server: Server) -> None:
    kernel = await server.start_kernel()
    await kernel.execute(TABLE, timeout=30)
    result = await kernel.execute(DRAWING, timeout=30)
    (output,) = result.outputs
    assert isinstance(output, DisplayOutput | ExecuteResult)
    assert base64.b64decode(output.data["image/png"]).startswith(b"\x89PNG")
