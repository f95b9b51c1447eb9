"""Stretches of days of many supply points as columns: cut where anything changes, and what holds on each.

Days are counted from the first of the month looked at; nothing lies outside of [0, days).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from central.checks.frame import MISSING, Frame, Numbers, match

_WIDTH = 1024


def within(frame: Frame, low: int, high: int) -> Frame:
    """The rows that hold on a day of [low, high), their [first, end_) cut to it and counted from `low`; a missing
    border is open."""
    first, end = frame["first"], frame["end_"]
    first = np.where(first == MISSING, low, np.clip(first, low, high)) - low
    end = np.where(end == MISSING, high, np.clip(end, low, high)) - low
    return Frame({**frame.columns, "first": first, "end_": end}, frame.words).take(np.flatnonzero(first < end))


def cut(base: Frame, others: Sequence[Frame], days: Sequence[int] = ()) -> Frame:
    """The days of `base` (supply_point, first, end_), cut where a row of the others begins or ends and at `days`."""
    points = np.unique(base["supply_point"])
    keys = [_key(frame["supply_point"], frame[name]) for frame in (base, *others) for name in ("first", "end_")]
    keys += [_key(points, np.full(len(points), day)) for day in days]
    borders = np.unique(np.concatenate(keys)) if keys else np.zeros(0, dtype=np.int64)
    first, end = borders[:-1], borders[1:]
    inside = first // _WIDTH == end // _WIDTH
    cuts = Frame({"supply_point": first // _WIDTH, "first": first % _WIDTH, "end_": end % _WIDTH}).take(inside)
    return cuts.take(holding(cuts, base) >= 0)


def holding(segments: Frame, frame: Frame) -> NDArray[np.intp]:
    """The row of `frame` that holds on the first day of each segment, -1: none; one holds at a time."""
    if not len(frame):
        return np.full(len(segments), -1, dtype=np.intp)
    keys = _key(frame["supply_point"], frame["first"])
    order = np.argsort(keys)
    at = np.searchsorted(keys[order], _key(segments["supply_point"], segments["first"]), "right") - 1
    row = order[np.maximum(at, 0)]
    holds = (
        (at >= 0)
        & (frame["supply_point"][row] == segments["supply_point"])
        & (frame["end_"][row] > segments["first"])
    )  # fmt: skip
    return np.where(holds, row, -1)


def masks(segments: Frame, covers: Frame) -> Numbers:
    """The bits of all `covers` (supply_point, first, end_, mask) that hold on each segment."""
    places, others = match([segments["supply_point"]], [covers["supply_point"]])
    over = (covers["first"][others] <= segments["first"][places]) & (covers["end_"][others] > segments["first"][places])
    found = np.zeros(len(segments), dtype=np.int64)
    np.bitwise_or.at(found, places[over], covers["mask"][others[over]])
    return found


def taken(column: Numbers, places: NDArray[np.intp], otherwise: int = MISSING) -> Numbers:
    """The values at places; `otherwise` below 0."""
    return np.append(column, otherwise)[places]


def _key(points: Numbers, days: Numbers) -> Numbers:
    return points * _WIDTH + days
