# SPDX-License-Identifier: BSD-3-Clause
"""What was done to a notebook, in terms that outlive the Yjs document.

Cells are named by id and places by the cell before them, so that an edit can be made again
on another document of the same notebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from .._values import CellType


@attrs.frozen
class Inserted:
    """A cell was inserted.

    Attributes:
        cell: The cell as nbformat has it.
        after: Id of the cell before it, None at the start of the notebook.
    """

    cell: Mapping[str, Any]
    after: str | None

    @property
    def cell_id(self) -> str:
        """The id of the new cell."""
        return str(self.cell["id"])


@attrs.frozen
class Deleted:
    """A cell was deleted."""

    cell_id: str


@attrs.frozen
class Moved:
    """A cell was moved behind another, None for the start of the notebook."""

    cell_id: str
    after: str | None


@attrs.frozen
class SourceSet:
    """The source of a cell was changed."""

    cell_id: str
    before: str
    after: str


@attrs.frozen
class TypeSet:
    """A cell became one of another type: a code cell without outputs, or one of text."""

    cell_id: str
    cell_type: CellType

    def metadata(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Return the metadata that the cell has then; code that is made here is trusted."""
        return {**before, "trusted": True} if self.cell_type == "code" else dict(before)


@attrs.frozen
class MetadataSet:
    """Entries of a cell's metadata were set and removed."""

    cell_id: str
    values: Mapping[str, Any]
    removed: Sequence[str] = ()


@attrs.frozen
class AttachmentsSet:
    """The attachments of a cell were replaced."""

    cell_id: str
    attachments: Mapping[str, Any]


@attrs.frozen
class OutputsCleared:
    """The outputs and the execution count of a cell were removed."""

    cell_id: str


@attrs.frozen
class RunRecorded:
    """A run of a cell was recorded to its end.

    Attributes:
        cell_id: The cell.
        outputs: Its outputs as nbformat has them.
        execution_count: Its count.
    """

    cell_id: str
    outputs: Sequence[Mapping[str, Any]]
    execution_count: int | None


Edit = (
    Inserted
    | Deleted
    | Moved
    | SourceSet
    | TypeSet
    | MetadataSet
    | AttachmentsSet
    | OutputsCleared
    | RunRecorded
)
