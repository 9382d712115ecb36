# SPDX-License-Identifier: BSD-3-Clause
"""What the bundle starts."""

from jupyter_mcp_server.__main__ import main

if __name__ == "__main__":
    main()
