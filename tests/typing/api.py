# SPDX-License-Identifier: BSD-3-Clause
"""The public API as users type it: never run, but checked by mypy and pyright (`nox -s types`)."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal, assert_type

from jupyter_agent_core import (
    Auth,
    Cell,
    CellExecutionError,
    CellSnapshot,
    ConnectionLostError,
    DisplayOutput,
    ErrorOutput,
    ExecuteResult,
    ExecutionResult,
    FileInfo,
    JupyterAgentError,
    Kernel,
    KernelInfo,
    KernelRelease,
    KernelSpec,
    Notebook,
    Password,
    Run,
    Server,
    ServerInfo,
    SessionInfo,
    StreamOutput,
    TokenFile,
    connect,
    launch,
    sync,
)


class AnAuth(Auth):
    async def headers(self) -> Mapping[str, str]:
        return {"Authorization": "Bearer …"}


async def a_token() -> str:
    return "…"


def ways_to_a_server() -> list[AbstractAsyncContextManager[Server]]:
    return [
        connect(),
        connect("auto"),
        connect("http://localhost:8888", token="…", username="Ada"),
        connect("http://a:8888", token="…", runtime_url="http://b:8888", runtime_token="…"),
        connect("https://h/", auth=Password("…"), verify="ca.pem"),
        connect("https://h/", auth=TokenFile(Path("token")), verify=Path("ca.pem")),
        connect("https://h/", auth=lambda: "token", verify=False),
        connect("https://h/", auth=a_token, runtime_url="https://k/", runtime_auth=AnAuth()),
        connect("https://hub/user/ada/", verify=ssl.create_default_context(), headers={"X": "1"}),
        connect(hub_url="https://hub", token="t", user="ada", server_name="gpu", on_progress=print),
        launch(),
        launch(root_dir=Path(), join=True, pass_env=["OPENAI_API_KEY"]),
        launch("notebooks", python="/usr/bin/python3"),
    ]


async def the_main_job() -> None:
    async with connect("http://localhost:8888", token="…") as server:
        assert_type(server, Server)
        notebook = await server.open_notebook("analysis.ipynb", create=True)
        assert_type(notebook, Notebook)
        cell = await notebook.append_cell("import pandas as pd")
        assert_type(cell, Cell)
        result = await cell.execute(timeout=30)
        assert_type(result, ExecutionResult)
        print(result.status, result.text)
        for snapshot in await notebook.read():
            assert_type(snapshot, CellSnapshot)


async def a_server(server: Server) -> None:
    assert_type(server.url, str)
    assert_type(server.token, str | None)
    assert_type(server.info, ServerInfo)
    assert_type(await server.list_files("data"), tuple[FileInfo, ...])
    assert_type(await server.list_kernels(), tuple[KernelInfo, ...])
    assert_type(await server.list_kernelspecs(), tuple[KernelSpec, ...])
    assert_type(await server.list_sessions(), tuple[SessionInfo, ...])
    assert_type(
        await server.open_in_lab("analysis.ipynb"),
        Literal["opened", "unavailable", "nobody", "failed"],
    )
    assert_type(await server.start_kernel("python3", directory="data"), Kernel)
    assert_type(server.kernel("an id"), Kernel)
    await server.open_notebook("analysis.ipynb", kernel_name="ir")
    await server.open_notebook("analysis.ipynb", kernel_id="an id")


async def a_notebook(notebook: Notebook) -> None:
    assert_type(notebook.path, str)
    assert_type(notebook.kernel, Kernel)
    assert_type(notebook.cell(0), Cell)
    assert_type(notebook.cell("an id"), Cell)
    assert_type(await notebook.insert_cell(0, "# Title", "markdown"), Cell)
    assert_type(await notebook.delete_cells([0, "an id"]), tuple[CellSnapshot, ...])
    assert_type(
        await notebook.run_all(restart=True, stop_on_error=False, timeout=60),
        tuple[ExecutionResult, ...],
    )
    await notebook.restart()
    await notebook.flush()
    await notebook.save()
    assert_type(await notebook.close(), KernelRelease)


async def a_cell(cell: Cell) -> None:
    before = await cell.read()
    assert_type(await cell.set_source("2", expected_version=before.version), CellSnapshot)
    assert_type(await cell.start(), Run)
    assert_type(await cell.execute(on_timeout="interrupt"), ExecutionResult)
    assert_type(await cell.delete(), CellSnapshot)


async def a_kernel(kernel: Kernel) -> None:
    assert_type(await kernel.info(), KernelInfo)
    assert_type(await kernel.execute("1 + 1", timeout=3, store_history=False), ExecutionResult)
    assert_type(await kernel.start("1 + 1"), Run)
    await kernel.interrupt()
    await kernel.restart()
    await kernel.shutdown()


async def a_run(run: Run) -> None:
    assert_type(run.id, str)
    assert_type(await run.wait(timeout=1.5), ExecutionResult)
    assert_type(await run.interrupt(), ExecutionResult)
    for output in run.outputs:
        match output:
            case StreamOutput(name=name, text=text):
                assert_type((name, text), tuple[str, str])
            case ErrorOutput():
                assert_type(output.traceback, tuple[str, ...])
            case DisplayOutput() | ExecuteResult():
                print(output.data["image/png"])


def a_result(result: ExecutionResult) -> str:
    try:
        return result.raise_for_status().text
    except CellExecutionError as error:
        return f"{error.status} {error.ename}"


def an_error(error: JupyterAgentError) -> None:
    assert_type(error.retryable, bool)
    if isinstance(error, ConnectionLostError) and error.applied == "unknown":
        print(error.what)


def the_main_job_blocking() -> None:
    with sync.connect("http://localhost:8888", token="…") as server:
        assert_type(server, sync.Server)
        notebook = server.open_notebook("analysis.ipynb", create=True)
        assert_type(notebook, sync.Notebook)
        cell = notebook.append_cell("1 + 1")
        assert_type(cell, sync.Cell)
        assert_type(cell.execute(timeout=30), ExecutionResult)
        assert_type(cell.start().wait(1.5), ExecutionResult)
        assert_type(notebook.kernel.start("1 + 1"), sync.Run)
        assert_type(notebook.read(), tuple[CellSnapshot, ...])
        assert_type(notebook.close(), KernelRelease)
    server = sync.launch(root_dir=Path())
    server.close()


async def mistakes_that_a_checker_finds(notebook: Notebook, cell: Cell) -> None:
    await notebook.append_cell("1", "sql")  # type: ignore[arg-type]
    await cell.execute(30)  # type: ignore[call-arg]
    await cell.execute(on_timeout="explode")  # type: ignore[arg-type]
    await cell.set_source()  # type: ignore[call-arg]
    sync.connect(url="http://localhost:8888", tokn="…")  # type: ignore[call-arg]
