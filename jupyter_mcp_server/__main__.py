# SPDX-License-Identifier: BSD-3-Clause
"""Entry point: arguments first, everything that is slow to import afterwards."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; without the extra `mcp`, say how to get it."""
    try:
        from .cli import cli
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit("jupyter-mcp-server needs the extra 'mcp': pip install 'jupyter-agent-core[mcp]'")
    cli(prog_name="jupyter-mcp-server")


if __name__ == "__main__":
    main()
