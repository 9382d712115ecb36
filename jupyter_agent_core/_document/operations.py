# SPDX-License-Identifier: BSD-3-Clause
"""What a caller can ask to be done to cells, with what may forbid it.

Each operation checks itself against a draft of the notebook and adds its edits to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import attrs

from .._errors import CellTypeError, ConfigurationError, SourceMatchError
from .._values import CELL_TYPES, CellType
from .edits import (
    AttachmentsSet,
    Deleted,
    Inserted,
    MetadataSet,
    Moved,
    OutputsCleared,
    SourceSet,
    TypeSet,
)

if TYPE_CHECKING:
    from .draft import Draft

# beyond that pycrdt has a type of its own, which JSON in a browser has not
_LARGEST = 2**53 - 1


class Operation(Protocol):
    """Something to be done to a notebook."""

    def plan(self, draft: Draft) -> None:
        """Add what is to be done to the draft, or refuse."""


@attrs.frozen
class InsertCell:
    """Insert a cell.

    Attributes:
        source: Its text.
        cell_type: Its type.
        before: The cell before which it goes, None for the end.
        cell_id: The id that it gets.
    """

    source: str
    cell_type: CellType
    before: str | None
    cell_id: str = attrs.field(factory=lambda: str(uuid4()))

    def plan(self, draft: Draft) -> None:
        """Refuse an unknown type, and half characters."""
        _check_type(self.cell_type)
        _check_text(self.source)
        cell: dict[str, Any] = {
            "id": self.cell_id,
            "cell_type": self.cell_type,
            "source": self.source,
            "metadata": {},
        }
        if self.cell_type == "code":
            # JupyterLab reads trust when a cell appears, and never again
            cell |= {"metadata": {"trusted": True}, "outputs": [], "execution_count": None}
        draft.add(Inserted(cell, draft.before(self.before)))


@attrs.frozen
class DeleteCell:
    """Delete a cell."""

    cell_id: str
    expected_version: str | None = None
    force: bool = False

    def plan(self, draft: Draft) -> None:
        """Refuse if it has changed, or somebody types in it."""
        draft.check_version(self.cell_id, self.expected_version)
        draft.check_nobody_types(self.cell_id, None, force=self.force)
        draft.add(Deleted(self.cell_id))


@attrs.frozen
class MoveCell:
    """Move a cell before another, None for the end."""

    cell_id: str
    before: str | None
    force: bool = False

    def plan(self, draft: Draft) -> None:
        """Refuse while somebody types in it: what he types goes to the cell in its old place."""
        draft.cell(self.cell_id)
        after = draft.before(self.before)
        if self.cell_id in (self.before, after):
            return  # it is there
        draft.check_nobody_types(self.cell_id, None, force=self.force)
        draft.add(Moved(self.cell_id, after))


@attrs.frozen
class SetSource:
    """Turn the source of a cell into another."""

    cell_id: str
    source: str
    expected_version: str | None = None
    force: bool = False

    def plan(self, draft: Draft) -> None:
        """Refuse if the cell has changed, or lines in which somebody types would be replaced."""
        _check_text(self.source)
        draft.check_version(self.cell_id, self.expected_version)
        draft.check_nobody_types(self.cell_id, self.source, force=self.force)
        draft.add(SourceSet(self.cell_id, draft.cell(self.cell_id).source, self.source))


@attrs.frozen
class EditSource:
    """Replace a piece of a cell's source by another."""

    cell_id: str
    old: str
    new: str
    replace_all: bool = False
    expected_version: str | None = None
    force: bool = False

    def plan(self, draft: Draft) -> None:
        """Refuse a piece that is not there, or there more than once."""
        source = draft.cell(self.cell_id).source
        if not self.old:
            raise ConfigurationError("The text to replace is empty", name="old", value=self.old)
        first = source.find(self.old)
        is_ambiguous = source.find(self.old, first + 1) >= 0 and not self.replace_all
        if first < 0 or is_ambiguous:
            raise SourceMatchError(self.cell_id, self.old, source)
        source = source.replace(self.old, self.new)
        SetSource(self.cell_id, source, self.expected_version, self.force).plan(draft)


@attrs.frozen
class SetType:
    """Make a cell one of another type."""

    cell_id: str
    cell_type: CellType
    expected_version: str | None = None
    force: bool = False

    def plan(self, draft: Draft) -> None:
        """Refuse an unknown type, and a cell that has changed or in which somebody types."""
        _check_type(self.cell_type)
        draft.check_version(self.cell_id, self.expected_version)
        if draft.cell(self.cell_id).cell_type != self.cell_type:
            draft.check_nobody_types(self.cell_id, None, force=self.force)
            draft.add(TypeSet(self.cell_id, self.cell_type))


@attrs.frozen
class SetMetadata:
    """Set and remove entries of a cell's metadata."""

    cell_id: str
    values: Mapping[str, Any]
    remove: Sequence[str] = ()
    expected_version: str | None = None

    def plan(self, draft: Draft) -> None:
        """Refuse what nbformat does not allow."""
        draft.check_version(self.cell_id, self.expected_version)
        values = _as_json("metadata", self.values)
        _check_metadata(values)
        known = {**draft.cell(self.cell_id).metadata, **values}
        for key in self.remove:
            if key not in known:
                raise ConfigurationError(
                    f"The cell has no metadata {key!r}; it has: {', '.join(known) or 'none'}",
                    name="remove",
                    value=key,
                )
        draft.add(MetadataSet(self.cell_id, values, tuple(dict.fromkeys(self.remove))))


@attrs.frozen
class SetAttachments:
    """Replace the attachments of a markdown or raw cell."""

    cell_id: str
    attachments: Mapping[str, Mapping[str, Any]]
    expected_version: str | None = None

    def plan(self, draft: Draft) -> None:
        """Refuse code cells, which have none, and what nbformat does not allow."""
        draft.check_version(self.cell_id, self.expected_version)
        attachments = _as_json("attachments", self.attachments)
        cell = draft.cell(self.cell_id)
        if cell.cell_type == "code":
            raise CellTypeError(self.cell_id, cell.cell_type, "a markdown or raw cell")
        for name, bundle in attachments.items():
            if not _is_mime_bundle(bundle):
                raise ConfigurationError(
                    f"The attachment {name!r} is no MIME bundle: it is a mapping such as "
                    '{"image/png": "…base64…"}',
                    name="attachments",
                    value=name,
                )
        draft.add(AttachmentsSet(self.cell_id, attachments))


@attrs.frozen
class ClearOutputs:
    """Remove the outputs and the execution count of a code cell."""

    cell_id: str

    def plan(self, draft: Draft) -> None:
        """Refuse cells that have none by their type."""
        cell = draft.cell(self.cell_id)
        if cell.cell_type != "code":
            raise CellTypeError(self.cell_id, cell.cell_type, "a code cell")
        draft.add(OutputsCleared(self.cell_id))


def _check_type(cell_type: str) -> None:
    if cell_type not in CELL_TYPES:
        raise ConfigurationError(
            f"There is no cell type {cell_type!r}: it is one of {', '.join(CELL_TYPES)}",
            name="cell_type",
            value=cell_type,
        )


def _check_text(source: str) -> None:
    """Refuse what cannot be written as UTF-8."""
    try:
        source.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            f"The source holds half a character at position {error.start} (a lone surrogate)",
            name="source",
        ) from error


def _as_json(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a notebook, which is JSON, will hold; refuse what it cannot hold."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
        plain = json.loads(text, parse_int=_whole_number)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"The {name} cannot be written as JSON: {error}", name=name) from (
            error
        )
    if not isinstance(plain, dict):
        raise ConfigurationError(f"The {name} are a mapping, not {value!r}", name=name)
    return plain


def _whole_number(digits: str) -> int:
    number = int(digits)
    if abs(number) > _LARGEST:
        raise ValueError(f"{digits} is more than JavaScript can hold; make it a string")
    return number


def _check_metadata(values: Mapping[str, Any]) -> None:
    """Refuse what nbformat does not allow in the metadata of a cell of any type."""
    for name, (is_allowed, wanted) in _METADATA.items():
        if name in values and not is_allowed(values[name]):
            raise ConfigurationError(
                f"The metadata {name!r} cannot be {values[name]!r}: it is {wanted}",
                name=name,
                value=values[name],
            )


def _are_tags(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(tag, str) and tag and "," not in tag for tag in value)
        and len(set(value)) == len(value)
    )


def _are_times(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(time, str) for time in value.values())


def _is_mime_bundle(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(data, str) or re.fullmatch(r"application/(.*\+)?json", mime_type)
        for mime_type, data in value.items()
    )


# names that nbformat 4.5 reserves in the metadata of cells, with what they may be
_METADATA: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "tags": (_are_tags, "a list of different strings without commas"),
    "name": (lambda value: isinstance(value, str) and bool(value.strip("\n")), "a string"),
    "format": (lambda value: isinstance(value, str), "a MIME type"),
    "collapsed": (lambda value: isinstance(value, bool), "true or false"),
    "scrolled": (lambda value: isinstance(value, bool) or value == "auto", 'true, false or "auto"'),
    "jupyter": (lambda value: isinstance(value, dict), "a mapping"),
    "execution": (_are_times, "a mapping of strings"),
}
