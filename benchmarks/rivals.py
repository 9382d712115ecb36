# SPDX-License-Identifier: BSD-3-Clause
"""The MCP server against others and against the bare protocol, in one run.

    python benchmarks/rivals.py [--rounds N] [--only TASK ...] [--page]

Each contender is installed in an environment of its own (kept in the user's cache), and has a real
JupyterLab with live documents for itself, of the same versions for all, behind a proxy that counts.
They do each task in turns, in another order in each round. An answer that is wrong is no time. The
data goes to `benchmarks/results/rivals.json`, and from there to `docs/explanation/comparison.md`;
`--page` only writes that page anew. `--only` does some tasks and writes nothing.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from comparison.page import DATA, PAGE, PLOT, load, page, times, tokens, traffic
from comparison.plot import svg


def write_page() -> None:
    """Write the page and the plot from the data."""
    data = load()
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), data), encoding="utf-8")
    PLOT.write_text(svg(data), encoding="utf-8")


def main(rounds: int, only: Sequence[str] | None) -> None:
    """Measure; write the data and the page if it is all of it."""
    from comparison.measuring import measured, some  # needs what `--page` does without

    data = asyncio.run(some(only, rounds) if only else measured(rounds))
    for part in (times, traffic, tokens):
        print(f"\n{part(data)}")
    if not only:
        DATA.parent.mkdir(exist_ok=True)
        DATA.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        write_page()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="of each task, at most")
    parser.add_argument("--only", nargs="+", metavar="TASK", help="do these, and write nothing")
    parser.add_argument("--page", action="store_true", help="only write the page")
    chosen = parser.parse_args()
    if chosen.page:
        write_page()
    else:
        main(chosen.rounds, chosen.only)
