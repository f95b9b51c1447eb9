"""What each way of summing a month gives, to be compared number by number."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Result:
    """By channel: sums in low and high tariff, quarter-hour maximum as power with its place, missing values. By node:
    sums of the node and of its children over complete intervals, and intervals where the children measured more."""

    low: Any
    high: Any
    power: Any
    power_at: Any
    missing: Any
    parent: Any
    children: Any
    negative: Any


def require_equal(one: Result, other: Result, name: str) -> None:
    """Raises RuntimeError where a number differs."""
    for field in fields(Result):
        ours, theirs = (np.asarray(getattr(side, field.name), np.int64) for side in (one, other))
        if ours.shape != theirs.shape or not np.array_equal(ours, theirs):
            where = np.flatnonzero(ours != theirs)[:3] if ours.shape == theirs.shape else "shape"
            raise RuntimeError(f"{name} differs in {field.name} at {where}: {ours[where]} and {theirs[where]}.")
