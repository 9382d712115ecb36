# SPDX-License-Identifier: BSD-3-Clause
"""How long a private server takes to be ready, against the bare server process.

The bare process is `jupyter server` with the same two extensions and no others, until its runtime
file says that it listens. `bare, blocked` is the same without `rfc3987_syntax`, whose import a
private server avoids. All are started in turn, so that each meets the same machine.

    python benchmarks/private_server.py [--rounds N]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import anyio

from jupyter_agent_core._http.private_server import private_server

LIMIT = 1.5  # times the bare process
TIMEOUT = 60.0

BARE = """
import sys
if {blocked}:
    sys.modules["rfc3987_syntax"] = None
from jupyter_server.serverapp import ServerApp
app = ServerApp.instance(
    jpserver_extensions={{"jupyter_server_fileid": True, "jupyter_server_ydoc": True}}
)
app.initialize(sys.argv[1:], find_extensions=False)
app.start()
"""


@contextmanager
def runtime_folder():
    """A runtime folder and a folder to serve, both empty."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["JUPYTER_RUNTIME_DIR"] = os.path.join(folder, "runtime")
        root = Path(folder, "root")
        root.mkdir()
        yield root, Path(folder, "runtime")


def bare(blocked: bool) -> float:
    """Seconds from the start of the bare process to its registration."""
    with runtime_folder() as (root, runtime):
        command = [sys.executable, "-P", "-c", BARE.format(blocked=blocked)]
        command += [f"--ServerApp.root_dir={root}", "--ServerApp.port=0"]
        command += ["--ServerApp.open_browser=False", "--ServerApp.allow_root=True"]
        command += [f"--BaseFileIdManager.db_path={root}/fileid.db"]
        began = time.perf_counter()
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            while not list(runtime.glob("jpserver-*.json")):
                if time.perf_counter() - began > TIMEOUT or process.poll() is not None:
                    raise SystemExit("the bare server did not start")
                time.sleep(0.001)
            return time.perf_counter() - began
        finally:
            process.kill()
            process.wait()


async def private() -> tuple[float, float]:
    """Seconds from the call to the server's readiness, and for closing it again."""
    with runtime_folder() as (root, _):
        began = time.perf_counter()
        async with private_server(root):
            ready = time.perf_counter()
        return ready - began, time.perf_counter() - ready


def main(rounds: int) -> None:
    stops: list[float] = []

    def start_private() -> float:
        took, stop = anyio.run(private)
        stops.append(stop)
        return took

    ways: dict[str, Callable[[], float]] = {
        "bare": lambda: bare(blocked=False),
        "bare, blocked": lambda: bare(blocked=True),
        "private": start_private,
    }
    for start in ways.values():  # compiles, and fills the caches of the disk
        start()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, start in ways.items():
            times[name].append(start())
    floor = statistics.median(times["bare"])
    print(f"{f'until ready, {rounds} rounds':24} {'median':>8} {'p95':>8} {'ratio':>8}")
    for name, taken in times.items():
        median = statistics.median(taken)
        p95 = statistics.quantiles(taken, n=20, method="inclusive")[-1]
        print(f"{name:24} {median:7.3f}s {p95:7.3f}s {median / floor:8.2f}")
    print(f"{'private, closed again':24} {statistics.median(stops):7.3f}s")
    if statistics.median(times["private"]) > LIMIT * floor:
        raise SystemExit(f"a private server takes more than {LIMIT} times the bare process")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, choices=range(2, 1_000), metavar="N", default=15)
    main(parser.parse_args().rounds)
