# SPDX-License-Identifier: BSD-3-Clause
"""Rounds folded into the data of a task. Nothing here measures."""

import statistics
from collections.abc import Sequence
from typing import Any

import attrs

from .counting import Traffic

Result = dict[str, Any]
"""What is known of one contender at one task, as the data has it."""


@attrs.frozen(kw_only=True)
class Sample:
    """One round.

    Attributes:
        took: Milliseconds.
        problem: What was wrong with it, or nothing.
        traffic: What the Jupyter server was asked, if it was counted.
        tokens: Of the text of its answers, if they were counted.
        structured_tokens: Of their structured content.
    """

    took: float
    problem: str = ""
    traffic: Traffic | None = None
    tokens: int | None = None
    structured_tokens: int | None = None


def folded(samples: Sequence[Sample], problem: str = "") -> Result:
    """What the data has of the rounds, of which the first one only warms up.

    Args:
        samples: The rounds.
        problem: What was wrong after them.
    """
    wrong = [sample for sample in samples if sample.problem]
    result: Result = {"ms": [round(s.took, 2) for s in samples[1:] if not s.problem]}
    if wrong or problem:
        result["wrong"] = len(wrong) or len(samples)
        result["of"] = len(samples)
        result["problem"] = wrong[0].problem if wrong else problem
    counted = [sample.traffic for sample in samples[1:] if sample.traffic is not None]
    if counted:
        for name in ("requests", "websockets", "messages", "size"):
            result[name] = int(statistics.median(getattr(one, name) for one in counted))
    for name in ("tokens", "structured_tokens"):
        values = [getattr(s, name) for s in samples if getattr(s, name) is not None]
        if values:
            result[name] = values[0]
    return result


def median(result: Result) -> float | None:
    """The median of the rounds, or nothing where one was wrong: that time is none."""
    if "problem" in result or not result["ms"]:
        return None
    return statistics.median(result["ms"])


def best(medians: dict[str, float | None]) -> str | None:
    """Who has the least, if anybody has."""
    valid = {name: value for name, value in medians.items() if value is not None}
    return min(valid, key=lambda name: valid[name]) if valid else None
