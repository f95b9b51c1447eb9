"""Rules between channels of one metering point: one silent beside its siblings, reactive energy without active."""

import numpy as np
from numpy.typing import NDArray

from central.readings.vee.rule import Bools, Chunk, Findings, Rule, Severity, findings_of_days


def sibling(chunk: Chunk) -> Findings:
    """A day of which this channel has nothing while another channel of the point was delivered."""
    point = _points(chunk)
    some = chunk.by_day(chunk.delivered, np.add)
    by_point = np.zeros((int(point.max(initial=-1)) + 1, some.shape[1]), np.int64)
    np.maximum.at(by_point, point, some)
    theirs = by_point[point]
    enabled = chunk.parameter("sibling", "enabled")[:, None]
    return findings_of_days(
        chunk,
        "sibling",
        (some == 0) & (theirs > 0) & (enabled > 0),
        severity=Severity.ERROR,
        measured=some,
        limit=theirs,
        evidence={"values_of_sibling": theirs},
    )


def reactive_without_active(chunk: Chunk) -> Findings:
    """Reactive energy above `floor` (varh) in at least `intervals` intervals in which the point took and gave nothing.

    Source: California's kVARh check.
    """
    reactive = np.array([direction in ("R+", "R-") for direction in chunk.facts.direction], np.bool_)
    point = _points(chunk)
    rows_of: dict[int, list[int]] = {}
    for row, (number, direction) in enumerate(zip(point.tolist(), chunk.facts.direction, strict=True)):
        if direction in ("A+", "A-"):
            rows_of.setdefault(number, []).append(row)
    idle: Bools = np.zeros(chunk.values.shape, np.bool_)
    for row in np.flatnonzero(reactive).tolist():
        active = rows_of.get(int(point[row]), [])
        if active:
            idle[row] = (chunk.values[active] == 0).all(axis=0)
    floor = chunk.in_unit(chunk.parameter("reactive_without_active", "floor"))[:, None]
    alone = idle & chunk.delivered & (chunk.values > np.nan_to_num(floor, nan=np.inf))
    count = chunk.by_day(alone, np.add)
    least = chunk.parameter("reactive_without_active", "intervals")[:, None]
    return findings_of_days(
        chunk,
        "reactive_without_active",
        (count > 0) & (count >= least),
        severity=Severity.WARNING,
        measured=count,
        limit=least,
        span=alone,
        evidence={"intervals": count, "highest": chunk.by_day(np.where(alone, chunk.values, 0), np.maximum)},
    )


def _points(chunk: Chunk) -> NDArray[np.int64]:
    """A number for each channel's point."""
    _, number = np.unique(np.array(chunk.facts.point, np.str_), return_inverse=True)
    return number


RULES = (
    Rule("sibling", sibling, parameters=("enabled",)),
    Rule("reactive_without_active", reactive_without_active, parameters=("intervals", "floor")),
)
