# SPDX-License-Identifier: BSD-3-Clause
"""Looking for files in the directories of a server."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .._connect_errors import AuthenticationError
from .._errors import ConfigurationError
from .._values import FileInfo

if TYPE_CHECKING:
    from .._handles.server import Server

# directories that are visited at most
MAX_DIRECTORIES = 200


async def find_files(
    server: Server, path: str, *, max_depth: int, enough: float = math.inf
) -> tuple[list[FileInfo], int, list[FileInfo]]:
    """Walk the directories of a server, breadth first.

    Args:
        server: The server.
        path: Where to begin.
        max_depth: How many levels of directories to go down.
        enough: How many notebooks are enough.

    Returns:
        The files and directories found, how many directories were left out because
        there are too many, and the directories at the deepest level.
    """
    found: list[FileInfo] = []
    level, visited, skipped = [path], 0, 0
    directories: list[FileInfo] = []
    for _ in range(max_depth + 1):
        directories = []
        for directory in level:
            if visited == MAX_DIRECTORIES:
                skipped += 1
                continue
            visited += 1
            try:
                entries = await server.list_files(directory)
            except (ConfigurationError, AuthenticationError):
                if directory == path:
                    raise
                skipped += 1  # it has vanished meanwhile, or may not be read
                continue
            found.extend(entries)
            directories.extend(entry for entry in entries if entry.type == "directory")
            enough -= sum(entry.type == "notebook" for entry in entries)
            if enough <= 0:
                break
        level = [entry.path for entry in directories] if enough > 0 else []
    return sorted(found, key=lambda file: file.path), skipped, directories
