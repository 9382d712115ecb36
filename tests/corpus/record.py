# SPDX-License-Identifier: BSD-3-Clause
"""Run the items of the corpus in a real kernel and record what comes of them.

    pip install -e '.[local]' --group corpus && python tests/corpus/record.py [NAME …]

The kernel runs in the environment of this script. What is recorded differs a little each time
(times, addresses of objects): look at the differences, and at those of the golden renderings,
before you commit them.
"""

import asyncio
import gzip
import json
import re
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import attrs
from items import ITEMS

from jupyter_agent_core import (
    DisplayOutput,
    ErrorOutput,
    ExecuteResult,
    ExecutionResult,
    StreamOutput,
    launch,
)
from jupyter_agent_core._values import Output

RECORDED = Path(__file__).parent / "recorded"
CHECKOUT = Path(__file__).parents[2]


def as_nbformat(output: Output) -> dict[str, Any]:
    """Return an output as an nbformat 4 cell holds it."""
    match output:
        case StreamOutput():
            return {"output_type": "stream", **attrs.asdict(output)}
        case ErrorOutput():
            return {"output_type": "error", **attrs.asdict(output)}
        case ExecuteResult():
            return {"output_type": "execute_result", **attrs.asdict(output)}
        case DisplayOutput():
            return {"output_type": "display_data", **attrs.asdict(output)}


def without_places(text: str) -> str:
    """Take the folders of this environment out of what was recorded."""
    home = str(Path.home())
    library = sysconfig.get_path("stdlib")
    for place, name in ((sys.prefix, "/env"), (library, "/usr/lib/python3"), (str(CHECKOUT), "/x")):
        for spelled in (place, place.replace(home, "~", 1)):
            text = text.replace(spelled, name)
    return re.sub(r"/tmp/ipykernel_\d+", "/tmp/ipykernel_1", text)  # noqa: S108


def write(name: str, result: ExecutionResult) -> None:
    """Write one record, the same bytes for the same record."""
    record = {
        "source": ITEMS[name],
        "status": result.status,
        "execution_count": result.execution_count,
        "outputs": [as_nbformat(output) for output in result.outputs],
    }
    text = without_places(json.dumps(record, ensure_ascii=False, indent=1)) + "\n"
    (RECORDED / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


async def main(names: list[str]) -> None:
    RECORDED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with launch(folder) as server:
            kernel = await server.start_kernel()
            for name, code in ITEMS.items():
                result = await kernel.execute(code, timeout=60)
                if not names or name in names:
                    write(name, result)
                    print(f"{name}: {result.status}, {len(result.outputs)} outputs")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
