# SPDX-License-Identifier: BSD-3-Clause
"""What everybody has written, what they were told of it, and whether that was true."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import anyio
import attrs

Fate = Literal["there", "gone", "unknown", "twice at most"]
# how often a mark may be there
COUNTS: Mapping[Fate, tuple[int, ...]] = {
    "there": (1,),
    "gone": (0,),
    "unknown": (0, 1),
    "twice at most": (1, 2),
}


@attrs.define
class Ledger:
    """The marks that have been written, each once, and what must have become of them.

    Attributes:
        fates: By mark.
        alone: Marks that are all of a cell's source, as a string, as long as they are there.
        outcomes: How often each kind of call ended in which way.
        defects: What has been found wrong already.
        story: What happened, with the seconds since the beginning.
    """

    fates: dict[str, Fate] = attrs.field(factory=dict)
    alone: set[str] = attrs.field(factory=set)
    outcomes: Counter[str] = attrs.field(factory=Counter)
    defects: list[str] = attrs.field(factory=list)
    story: list[str] = attrs.field(factory=list)
    _began: float = attrs.field(factory=anyio.current_time)
    _numbers: "itertools.count[int]" = attrs.field(factory=itertools.count)

    def mark(self, who: str) -> str:
        """Return a text that is nowhere else."""
        mark = f"<{who}-{next(self._numbers)}>"
        self.fates[mark] = "unknown"
        self.note(f"{who}: writes {mark}")
        return mark

    def note(self, event: str) -> None:
        """Remember what happened when."""
        self.story.append(f"{anyio.current_time() - self._began:7.2f} {event}")

    def settle(self, fate: Fate, marks: Iterable[str]) -> None:
        """Note what must have become of some marks."""
        marks = tuple(marks)
        self.fates.update(dict.fromkeys(marks, fate))
        self.note(f"{', '.join(marks)}: {fate}")

    def check(self, cells: Iterable[Mapping[str, Any]]) -> None:
        """Compare what was promised with the sources of a notebook."""
        sources = [cell["source"] for cell in cells]
        text = "\n".join(sources)
        for mark, fate in self.fates.items():
            count = text.count(mark)
            if count not in COUNTS[fate]:
                self.defects.append(f"{mark} is there {count} times; it should be: {fate}")
            elif fate == "there" and mark in self.alone and f"'{mark}'" not in sources:
                torn = [source for source in sources if mark in source]
                self.defects.append(f"{mark} is not all of its cell: {torn}")
