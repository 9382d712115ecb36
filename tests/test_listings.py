# SPDX-License-Identifier: BSD-3-Clause
"""What a server lists: kernels, kernelspecs, files."""

import pytest
from servers import SECOND_KERNEL

from jupyter_agent_core import ConfigurationError, Notebook, Server


async def test_kernels_are_listed_with_the_notebook_that_they_serve(
    server: Server, notebook: Notebook
) -> None:
    await notebook.kernel.execute("1", timeout=30)
    free = await server.start_kernel(SECOND_KERNEL)
    listed = {kernel.id: kernel for kernel in await server.list_kernels()}
    assert notebook.kernel.id is not None
    assert free.id is not None
    assert listed[notebook.kernel.id].path == notebook.path
    assert listed[notebook.kernel.id].connections == 1
    assert listed[free.id].path is None
    assert listed[free.id].name == SECOND_KERNEL
    assert [s.kernel.id for s in await server.list_sessions() if s.path == notebook.path] == [
        notebook.kernel.id
    ]


async def test_kernelspecs_are_listed_with_the_default_first(server: Server) -> None:
    specs = await server.list_kernelspecs()
    assert [(spec.name, spec.default) for spec in specs] == [
        ("python3", True),
        (SECOND_KERNEL, False),
    ]
    assert {spec.language for spec in specs} == {"python"}


async def test_files_are_listed_and_a_missing_directory_is_refused(
    server: Server, notebook: Notebook, folder: str
) -> None:
    (file,) = await server.list_files(folder)
    assert (file.path, file.type) == (notebook.path, "notebook")
    with pytest.raises(ConfigurationError, match="nowhere"):
        await server.list_files("nowhere")
