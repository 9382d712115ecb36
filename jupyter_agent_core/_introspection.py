# SPDX-License-Identifier: BSD-3-Clause
"""What a kernel says of itself and of its variables: frozen values.

Annotations are not postponed here: they are to be resolved from the public module, too.
"""

import base64
from collections.abc import Mapping
from typing import Any

import attrs

from ._errors import ConfigurationError
from ._values import strip_ansi

ARROW = "application/vnd.apache.arrow.stream"


@attrs.frozen
class KernelFacts:
    """What a kernel says of itself.

    Attributes:
        language: Programming language, in lower case as `"python"`, or as the kernel spells it.
        language_version: Its version.
        implementation: The kernel's program, as `"ipython"`.
        implementation_version: Its version.
        protocol_version: Version of the Jupyter messaging protocol.
        subshells: It can be asked about its variables while it runs code.
        executable: The interpreter, where it can be asked for that.
        working_directory: Where its code runs, where it can be asked for that.
    """

    language: str
    language_version: str
    implementation: str
    implementation_version: str
    protocol_version: str
    subshells: bool
    executable: str | None = None
    working_directory: str | None = None


@attrs.frozen
class Completions:
    """How code can go on at a place.

    Attributes:
        matches: The texts that may stand there.
        start: Offset of the first character that they replace.
        end: Offset behind the last one.
    """

    matches: tuple[str, ...]
    start: int
    end: int


@attrs.frozen
class Inspection:
    """What the kernel knows of the name at a place.

    Attributes:
        found: It knows something.
        data: MIME type to representation.
    """

    found: bool
    data: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The documentation as plain text."""
        return strip_ansi(str(self.data.get("text/plain", "")))


@attrs.frozen
class Variable:
    """A variable, as a list of them shows it.

    Attributes:
        name: Its name.
        type: The class of its value.
        shape: Lengths of its dimensions, None for what has none.
        text: Its value in short; columns of a table, element type of an array.
    """

    name: str
    type: str
    shape: tuple[int, ...] | None
    text: str


@attrs.frozen
class VariableListing:
    """The variables of a kernel by name.

    Attributes:
        variables: The first of them.
        total: How many there are.
    """

    variables: tuple[Variable, ...]
    total: int


@attrs.frozen
class VariableValue:
    """The value of a variable, as far as it was sent.

    Attributes:
        name: Name of the variable.
        type: The class of its value.
        shape: Lengths of its dimensions, None for what has none.
        text: Its value as text; the first rows of a table. What is cut says so.
        data: MIME type to representation: `application/json` for values that JSON has, an Arrow
            stream in base64 for tables, what the object shows in a notebook for others.
        omitted: MIME type to why it is not in `data`.
        columns: Name and type of the first columns of a table.
        rows: How many rows of a table are in `data`, None for what is no table.
    """

    name: str
    type: str
    shape: tuple[int, ...] | None
    text: str
    data: Mapping[str, Any]
    omitted: Mapping[str, str] = attrs.field(factory=dict)
    columns: tuple[tuple[str, str], ...] = ()
    rows: int | None = None

    def to_arrow(self) -> Any:
        """Return the rows of a table that were sent, as a `pyarrow.Table`.

        Its `to_pandas()` gives the index back. Columns of objects that Arrow does not know have
        become texts.

        Raises:
            ConfigurationError: It is no table, or could not be sent as one.
        """
        if ARROW not in self.data:
            reason = self.omitted.get(ARROW, f"a {self.type} is no table")
            raise ConfigurationError(
                f"{self.name} cannot be had as a table ({reason}); see its text", name="name"
            )
        import pyarrow  # type: ignore[import-untyped]

        stream = base64.b64decode(self.data[ARROW])
        return pyarrow.ipc.open_stream(stream).read_all()
