# SPDX-License-Identifier: BSD-3-Clause
"""Which of the runs that have ended are kept, for who asks for them by their id."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_agent_core import Notebook, RunNotFoundError, Server
from jupyter_agent_core._handles import run as run_module


async def test_of_finished_runs_as_many_are_kept_as_their_outputs_allow(
    notebook: Notebook, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "KEPT_TEXT", 2_500)
    runs = []
    for code in ("print('x' * 1_000)", "print('x' * 1_000)", "1 / 0", "print('x' * 3_000)", "1"):
        runs.append(await notebook.kernel.start(code))
        await runs[-1].wait()
    assert server.run(runs[3].id) is runs[3]  # the last one that had ended, large as it is
    for run in runs[:3]:
        with pytest.raises(RunNotFoundError, match=run.id):
            server.run(run.id)
    for _ in range(2):
        runs.append(
            await notebook.kernel.start("from IPython.display import HTML; HTML('x' * 900)")
        )
        await runs[-1].wait()
    with pytest.raises(RunNotFoundError, match=runs[3].id):
        server.run(runs[3].id)
    assert [server.run(run.id) for run in runs[4:]] == runs[4:]


def test_the_run_that_has_ended_last_is_kept_though_others_were_started_later() -> None:
    def run(name: str, ended_at: float | None, size: int) -> Any:
        return SimpleNamespace(id=name, _execution=SimpleNamespace(ended_at=ended_at, size=size))

    log, now = run_module.RunLog(), time.monotonic()
    long = log.keep(run("long", None, 0))
    for number in range(3):
        log.keep(run(f"short {number}", now + number, run_module.KEPT_TEXT // 3))
    long._execution.ended_at, long._execution.size = now + 3, run_module.KEPT_TEXT // 2
    log.keep(run("next", None, 0))
    assert list(log._runs) == ["long", "short 2", "next"]
