# SPDX-License-Identifier: BSD-3-Clause
"""Questions to kernels, as tests ask them."""

import anyio
import anyio.lowlevel

from jupyter_agent_core import (
    Kernel,
    Run,
    VariableValue,
)


async def begun(run: Run) -> None:
    """Wait until the code of the run has printed that it has begun."""
    with anyio.fail_after(20):
        while "begun" not in (await run.wait(0.02)).text:
            assert run.status in ("queued", "running")


async def texts(kernel: Kernel) -> dict[str, tuple[str, tuple[int, ...] | None, str]]:
    listing = await kernel.list_variables()
    return {v.name: (v.type, v.shape, v.text) for v in listing.variables}


async def ok(kernel: Kernel, code: str) -> str:
    result = (await kernel.execute(code, timeout=40)).raise_for_status()
    return result.text


async def got(kernel: Kernel, name: str, code: str) -> VariableValue:
    await ok(kernel, code)
    return await kernel.get_variable(name)
