# SPDX-License-Identifier: BSD-3-Clause
"""What a server has written of a notebook."""

import nbformat
from servers import RunningServer


def on_disk(server: RunningServer, path: str) -> list[str]:
    """The sources in the file, which has to be valid."""
    notebook = nbformat.read(server.root / path, as_version=4)
    nbformat.validate(notebook)
    return [cell.source for cell in notebook.cells]


def saved_by_now(server: RunningServer, path: str) -> list[str] | None:
    """The same; None while the server writes it, which it does in place."""
    try:
        return on_disk(server, path)
    except nbformat.reader.NotJSONError:
        return None
