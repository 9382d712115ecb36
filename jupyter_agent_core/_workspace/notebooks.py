# SPDX-License-Identifier: BSD-3-Clause
"""Tools that take notebooks into use, show them and let them go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import quote

import attrs
from msgspec import Meta

from .._answers import (
    CellsSelected,
    NotebookChanges,
    NotebookMatches,
    NotebookOpened,
    NotebookReleased,
    NotebookSaved,
    NotebookView,
    ResponseFormat,
)
from .._connect_errors import ConnectError
from .._errors import ConfigurationError
from .._handles.server import open_with_kernel
from .._values import KernelRelease
from .arguments import MaxTokens, NotebookName, part_of
from .registry import ToolHints, tool
from .search import matching_lines
from .state import Named, Toolset

if TYPE_CHECKING:
    from .._handles.notebook import Notebook

_OUTLINE = 20
_MATCHES = 500


class NotebookTools(Toolset):
    """Notebooks, by the names that the agent gives them."""

    @tool(ToolHints("Use notebook", "notebook", read_only=True, idempotent=True))
    async def use_notebook(
        self,
        notebook_name: Annotated[str, Meta(min_length=1, description="Your name for it.")],
        notebook_path: Annotated[
            str | None,
            Meta(description="From the server's root; not needed for one in use."),
        ] = None,
        mode: Annotated[
            Literal["connect", "create"], Meta(description="create: it must not exist yet.")
        ] = "connect",
        kernel_id: Annotated[
            str | None, Meta(description="A running kernel, or NEW for a new one.")
        ] = None,
        kernel_name: Annotated[
            str | None, Meta(description="Kernelspec; default: the notebook's own.")
        ] = None,
        open_in_ui: Annotated[
            bool, Meta(description="A tab in the user's JupyterLab, too.")
        ] = False,
    ) -> NotebookOpened:
        """Open or create a notebook live and make it the current one, or switch to one in use.

        Runs on the kernel that its human uses, if there is one.
        """
        server = self._state.server
        if server.hub is not None and server.hub.can_start:
            await server.start_again(timeout=self._state.options.execution_timeout)
        async with self._state.naming:
            named = self._state.notebooks.get(notebook_name)
            switched = named is not None
            if named is not None:
                _check_same(named, notebook_path, mode, kernel_id, kernel_name)
            elif notebook_path is None:
                raise ConfigurationError(
                    f"No notebook is in use as {notebook_name!r}: pass its notebook_path",
                    name="notebook_path",
                )
            else:
                notebook = await self._open(notebook_path, mode, kernel_id, kernel_name)
                named = Named(notebook_name, notebook)
            self._state.use(named)
        created = mode == "create" and not switched
        opened = await self._opened(named, created=created, switched=switched)
        if not open_in_ui:
            return opened
        in_ui = await self._state.server.open_in_lab(named.notebook.path)
        return attrs.evolve(opened, in_ui=in_ui)

    async def _open(
        self, path: str, mode: str, kernel_id: str | None, kernel_name: str | None
    ) -> Notebook:
        state = self._state
        path = state.options.check_inside(path)
        if state.options.read_only:
            return await self._looked_at(path, mode, kernel_id, kernel_name)
        if kernel_id is not None and kernel_id.upper() != "NEW":
            await state.check_kernel(kernel_id)
        return await open_with_kernel(
            state.server,
            path,
            create=mode == "create",
            kernel_name=kernel_name,
            kernel_id=kernel_id,
            check_wanted=state.check_open,
        )

    async def _looked_at(
        self, path: str, mode: str, kernel_id: str | None, kernel_name: str | None
    ) -> Notebook:
        """Open a notebook without creating anything or starting a kernel."""
        if mode == "create" or kernel_id is not None or kernel_name is not None:
            raise ConfigurationError(
                "Nothing may be changed here (read-only): no notebook is created and no kernel is "
                "chosen; leave out mode, kernel_id and kernel_name",
                name="mode" if mode == "create" else "kernel_id",
            )
        return await self._state.server.open_notebook(path)

    async def _opened(self, named: Named, *, created: bool, switched: bool) -> NotebookOpened:
        notebook, server = named.notebook, self._state.server
        named.changed_kernel()
        cells = await notebook.read()
        has_file = not switched or await self._state.has_file(notebook)
        lab = f"{server.url}lab/tree/{quote(notebook.path)}" if server.info.lab else None
        return NotebookOpened(
            notebook=self._state.in_use(named, has_file=has_file),
            created=created,
            switched=switched,
            kernel_started=notebook.kernel.started_here,
            kernel_name=notebook.kernel.name,
            url=lab,
            collaborators=notebook.collaborators(),
            outline=NotebookView(
                named.name,
                cells[:_OUTLINE],
                0,
                len(cells),
                cursor=(await notebook.changes()).cursor,
            ),
        )

    @tool(ToolHints("Unuse notebook", "notebook", read_only=True, idempotent=True))
    async def unuse_notebook(
        self, notebook_name: Annotated[str, Meta(description="Name given in use_notebook.")]
    ) -> NotebookReleased:
        """Let go of a notebook; its kernel ends if it was started here and nobody else uses it."""
        named = await self._state.named(notebook_name)
        del self._state.notebooks[named.name]
        if self._state.current == named.name:
            self._state.current = next(reversed(self._state.notebooks), None)
        notebook = named.notebook
        try:
            release = await notebook.close()
        except ConnectError:
            reason = "its server cannot be reached"
            release = KernelRelease(notebook.kernel.id, shut_down=False, reason=reason)
        has_file = await self._state.has_file(notebook)
        return NotebookReleased(
            named.name,
            release,
            self._state.current,
            remaining=tuple(self._state.notebooks),
            lost_path=None if has_file else notebook.path,
        )

    @tool(ToolHints("Read notebook", "notebook", read_only=True, idempotent=True))
    async def read_notebook(
        self,
        notebook_name: NotebookName = None,
        response_format: Annotated[
            ResponseFormat,
            Meta(description="brief: a line a cell; detailed: full sources."),
        ] = "brief",
        start_index: Annotated[int, Meta(ge=0, description="First cell to show.")] = 0,
        limit: Annotated[int, Meta(ge=0, description="Cells to show, 0 for all.")] = 20,
        include_outputs: Annotated[bool, Meta(description="With detailed: outputs, too.")] = False,
        changed_since: Annotated[
            str | None, Meta(description="Cursor of an earlier answer: only what others changed.")
        ] = None,
        max_tokens: MaxTokens = None,
    ) -> NotebookView | NotebookChanges:
        """Show the cells of a notebook: index, id, version, type, count and first line of each."""
        named = await self._state.named(notebook_name)
        changes = await named.notebook.changes(changed_since)
        cells = await named.notebook.read()
        if changed_since is not None:
            by_id = {cell.id: cell for cell in cells}
            told = tuple(
                (change, by_id.get(change.cell_id)) for change in changes.changes if not change.own
            )
            return NotebookChanges(
                named.name, told, changes.cursor, response_format, include_outputs, max_tokens
            )
        part = part_of(cells, start_index, limit, f"the notebook has {len(cells)} cells")
        return NotebookView(
            named.name,
            part,
            start_index,
            len(cells),
            response_format,
            include_outputs,
            changes.cursor,
            max_tokens,
        )

    @tool(ToolHints("Search notebook", "notebook", read_only=True, idempotent=True))
    async def search_notebook(
        self,
        query: Annotated[str, Meta(min_length=1, description="Text in a line, in any case.")],
        regex: Annotated[bool, Meta(description="It is a regular expression.")] = False,
        in_outputs: Annotated[bool, Meta(description="Look in outputs, too.")] = False,
        notebook_name: NotebookName = None,
    ) -> NotebookMatches:
        """Find cells and lines; the lines are those of read_cell."""
        named = await self._state.named(notebook_name)
        cells = await named.notebook.read()
        found = await matching_lines(cells, query, regex=regex, in_outputs=in_outputs)
        return NotebookMatches(named.name, query, found[:_MATCHES], len(found))

    @tool(
        ToolHints(
            "Get selected cell",
            "notebook",
            read_only=True,
            idempotent=True,
            name="notebook_get-selected-cell",
        )
    )
    async def get_selected_cell(self, notebook_name: NotebookName = None) -> CellsSelected:
        """Show the cell in which your user last moved the cursor or typed."""
        named = await self._state.named(notebook_name)
        selections = await named.notebook.selections()
        return CellsSelected(named.name, selections)

    @tool(ToolHints("Save notebook", "notebook", idempotent=True))
    async def save_notebook(self, notebook_name: NotebookName = None) -> NotebookSaved:
        """Save a notebook now; answers when the server confirms that it is on disk."""
        named = await self._state.named(notebook_name)
        await named.notebook.save()
        return NotebookSaved(named.name, named.notebook.path)


def _check_same(
    named: Named, path: str | None, mode: str, kernel_id: str | None, kernel_name: str | None
) -> None:
    """Refuse to give a name that is in use another meaning."""
    notebook = named.notebook
    if mode == "create" or (path is not None and path.strip("/") != notebook.path):
        raise ConfigurationError(
            f"{named.name!r} is in use for {notebook.path!r}: "
            "choose another name, or unuse_notebook first",
            name="notebook_name",
            value=named.name,
        )
    other_id = kernel_id is not None and kernel_id != notebook.kernel.id
    if other_id or (kernel_name is not None and kernel_name != notebook.kernel.name):
        raise ConfigurationError(
            f"{named.name!r} runs on kernel {notebook.kernel.id} ({notebook.kernel.name}): "
            "unuse_notebook first, then use it with another kernel",
            name="kernel_id",
            value=kernel_id or kernel_name,
        )
