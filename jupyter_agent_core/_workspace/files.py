# SPDX-License-Identifier: BSD-3-Clause
"""Tools that list what is on the server."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated

from msgspec import Meta

from .._answers import FileListing, NotebookListing
from .._errors import CapabilityUnavailableError
from .arguments import part_of
from .registry import ToolHints, tool
from .state import Toolset
from .walking import find_files

DirectoryPath = Annotated[str, Meta(description="Directory, from the server's root.")]
_SEARCH_DEPTH = 3


class FileTools(Toolset):
    """Files and notebooks of the server."""

    @tool(ToolHints("List files", "files", read_only=True, idempotent=True))
    async def list_files(
        self,
        path: DirectoryPath = "",
        max_depth: Annotated[int, Meta(ge=0, le=3, description="Levels of subfolders.")] = 1,
        start_index: Annotated[int, Meta(ge=0, description="First entry to show.")] = 0,
        limit: Annotated[int, Meta(ge=0, description="Entries to show, 0 for all.")] = 25,
        pattern: Annotated[str, Meta(description="Glob on the path, such as *.csv.")] = "",
    ) -> FileListing:
        """List files and directories of the Jupyter server: path, type, size, modified."""
        path = self._state.options.check_inside(path)
        found, skipped, _ = await find_files(self._state.server, path, max_depth=max_depth)
        files = [file for file in found if not pattern or fnmatchcase(file.path, pattern)]
        part = part_of(files, start_index, limit, f"there are {len(files)} entries")
        return FileListing(path, part, start_index, len(files), pattern, skipped)

    @tool(ToolHints("List notebooks", "files", read_only=True, idempotent=True))
    async def list_notebooks(
        self,
        limit: Annotated[int, Meta(ge=1, description="Notebook files to show.")] = 50,
    ) -> NotebookListing:
        """List the notebooks in use here, others with a running session, and notebook files."""
        state = self._state
        running = [s for s in await state.server.list_sessions() if state.options.has(s.path)]
        unlisted = ""
        try:
            found, skipped, deeper = await find_files(
                state.server, state.options.root, max_depth=_SEARCH_DEPTH
            )
        except CapabilityUnavailableError as error:
            found, skipped, deeper, unlisted = [], 0, [], str(error)
        existing = {file.path for file in found}
        in_use = []
        for named in tuple(state.notebooks.values()):
            has_file = named.notebook.path in existing or await state.has_file(named.notebook)
            in_use.append(state.in_use(named, has_file=has_file))
        known = {notebook.path for notebook in in_use}
        # the session of a notebook that was renamed keeps the former path
        kernels = {notebook.kernel_id for notebook in in_use}
        known |= {s.path for s in running if s.kernel.id in kernels} - existing
        sessions = tuple(session for session in running if session.path not in known)
        known |= {session.path for session in sessions}
        files = [f for f in found if f.type == "notebook" and f.path not in known]
        incomplete = skipped + len(deeper)
        return NotebookListing(
            tuple(in_use), sessions, tuple(files[:limit]), len(files), incomplete, unlisted
        )
