# SPDX-License-Identifier: BSD-3-Clause
"""The blocking API in a script: run a notebook with other values, and fail if it fails.

Run it with `python examples/in_a_script.py`. No other server is needed; the notebook stays.
"""

import tempfile

from jupyter_agent_core import CellExecutionError
from jupyter_agent_core.sync import Notebook, launch


def main() -> None:
    folder = tempfile.mkdtemp(prefix="script-")
    with launch(folder) as server:
        notebook = server.open_notebook("interest.ipynb", create=True)
        parameters = notebook.append_cell("rate, years = 0.03, 10")
        notebook.append_cell("factor = (1 + rate) ** years\nprint(f'{rate:.0%}: {factor:.2f}')")

        for rate in (0.03, 0.05, 0.07):
            parameters.set_source(f"rate, years = {rate}, 10")
            print(run(notebook))

        parameters.set_source("rate, years = 'seven', 10")
        try:
            run(notebook)
        except CellExecutionError as error:
            print(f"failed as it should: {error.ename}: {error.evalue}")
        notebook.save()
    print(f"Saved in {folder}")


def run(notebook: Notebook) -> str:
    """Run all cells, and return what the last one says."""
    results = notebook.run_all(timeout=60)
    for result in results:
        result.raise_for_status()
    return results[-1].text.strip()


if __name__ == "__main__":
    main()
