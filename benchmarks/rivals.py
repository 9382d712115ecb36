# SPDX-License-Identifier: BSD-3-Clause
"""The MCP server against others and against the bare protocol, in one run.

    python benchmarks/rivals.py [--rounds N] [--page]

Each contender is installed in an environment of its own (kept in the user's cache), and has a real
JupyterLab with live documents for itself, of the same versions for all, behind a proxy that counts.
They do each task in turns, A B C A B C …. An answer that is wrong is no time. The data goes to
`benchmarks/results/rivals.json`, and from there to `docs/explanation/comparison.md`; `--page` only
writes that page anew.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from comparison.page import DATA, PAGE, PLOT, load, page, times
from comparison.plot import svg


def write_page() -> None:
    """Write the page and the plot from the data."""
    data = load()
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), data), encoding="utf-8")
    PLOT.write_text(svg(data), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="of each task, at most")
    parser.add_argument("--page", action="store_true", help="only write the page")
    chosen = parser.parse_args()
    if not chosen.page:
        from comparison.measuring import measured

        data = asyncio.run(measured(chosen.rounds))
        DATA.parent.mkdir(exist_ok=True)
        DATA.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(times(data))
    write_page()
