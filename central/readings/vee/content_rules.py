"""Rules on the values of a day themselves: missing, negative, pulse overflow, zero, frozen, spike, jump."""

import numpy as np
from numpy.typing import NDArray

from central.readings.vee.inputs import EXEMPT, HISTORY, History
from central.readings.vee.rule import Bools, Chunk, Findings, Floats, Rule, Severity, findings_of_days
from shared.quantities import MISSING_VALUE, Quality

LIMIT = float(2**31 - 1)


def missing(chunk: Chunk) -> Findings:
    """Values that nobody delivered: an error while they are missing, information once they are estimated.

    `most`: how many of a day are let pass.
    """
    gone = ~chunk.present
    made_up = chunk.present & ~chunk.delivered & (chunk.quality != Quality.EDITED)
    lacking, estimated = chunk.by_day(gone, np.add), chunk.by_day(made_up, np.add)
    most = chunk.parameter("missing", "most")[:, None]
    return findings_of_days(
        chunk,
        "missing",
        lacking + estimated > most,
        severity=np.where(lacking > 0, Severity.ERROR, Severity.INFO),
        measured=lacking + estimated,
        limit=most,
        span=gone | made_up,
        evidence={"expected": np.diff(chunk.offset), "missing": lacking, "estimated": estimated},
    )


def negative(chunk: Chunk) -> Findings:
    """Values below `least`, which is 0 for every channel that does not net."""
    least = chunk.parameter("negative", "least")[:, None]
    below = chunk.delivered & (chunk.values < np.nan_to_num(least, nan=-LIMIT))
    count = chunk.by_day(below, np.add)
    lowest = chunk.by_day(np.where(chunk.delivered, chunk.values, np.int32(2**31 - 1)), np.minimum)
    return findings_of_days(
        chunk,
        "negative",
        count > 0,
        severity=Severity.ERROR,
        measured=lowest,
        limit=least,
        span=below,
        evidence={"count": count, "lowest": lowest},
    )


def overflow(chunk: Chunk) -> Findings:
    """The recorder's counter of an interval at its end: value / factor >= 2^bits - 1. Unusable, never clamped."""
    bits = chunk.parameter("overflow", "bits")
    ceiling = (2.0**bits - 1) * chunk.facts.factor
    at_end = chunk.delivered & (chunk.values >= np.nan_to_num(ceiling, nan=np.inf)[:, None])
    count = chunk.by_day(at_end, np.add)
    return findings_of_days(
        chunk,
        "overflow",
        count > 0,
        severity=Severity.ERROR,
        measured=chunk.peak,
        limit=ceiling[:, None],
        span=at_end,
        evidence={"count": count, "bits": bits[:, None], "factor": chunk.facts.factor[:, None]},
    )


def zero(chunk: Chunk) -> Findings:
    """Nothing used for `days` days in a row, the judged one the last, and nobody said why (idle, outage)."""
    history: History = chunk.inputs[HISTORY]
    exempt: Bools = chunk.inputs[EXEMPT]
    known = np.concatenate([history.known, chunk.complete], axis=1)
    nothing = known & (np.concatenate([history.total, chunk.total], axis=1) == 0) & ~exempt
    place = np.arange(nothing.shape[1])
    run = (place - np.maximum.accumulate(np.where(nothing, -1, place), axis=1))[:, history.days :]
    least = chunk.parameter("zero", "days")[:, None]
    return findings_of_days(
        chunk,
        "zero",
        run >= least,
        severity=Severity.WARNING,
        measured=run,
        limit=least,
        evidence={"days_without_use": run},
    )


def frozen(chunk: Chunk) -> Findings:
    """The same value, not 0, in `intervals` or more intervals in a row that end on the judged day."""
    least = chunk.parameter("frozen", "intervals")
    same = np.zeros(chunk.values.shape, np.bool_)
    same[:, 1:] = (chunk.values[:, 1:] == chunk.values[:, :-1]) & (chunk.values[:, 1:] != 0)
    same[:, 1:] &= chunk.delivered[:, 1:] & chunk.delivered[:, :-1]
    place = np.arange(chunk.values.shape[1], dtype=np.int32)
    run = place - np.maximum.accumulate(np.where(same, 0, place), axis=1) + 1
    long = same & (run >= np.nan_to_num(least, nan=np.inf)[:, None])
    longest = chunk.by_day(np.where(long, run, 0), np.maximum)
    value = chunk.by_day(np.where(long, chunk.values, MISSING_VALUE), np.maximum)
    return findings_of_days(
        chunk,
        "frozen",
        longest > 0,
        severity=Severity.WARNING,
        measured=longest,
        limit=least[:, None],
        span=_with_beginning(chunk, long, least),
        evidence={"intervals": longest, "value": value},
    )


def _with_beginning(chunk: Chunk, long: Bools, least: Floats) -> Bools:
    """`long` marks a run from the interval on in which it became too long: mark those before it too."""
    rows = np.flatnonzero(long.any(axis=1))
    marked = long.copy()
    for row in rows.tolist():
        steps = int(least[row]) - 1
        begins = np.flatnonzero(long[row, 1:] & ~long[row, :-1]) + 1
        for begin in begins.tolist():
            marked[row, max(begin - steps, 0) : begin] = True
    return marked


def spike(chunk: Chunk) -> Findings:
    """(P1 - P3) / P3 > `ratio`: the day's highest interval against its third highest; not below `floor` (base units).

    Source: Oracle MDM's interval spike check; 180 % is California's default.
    """
    ratio = chunk.parameter("spike", "ratio")[:, None]
    floor = chunk.in_unit(chunk.parameter("spike", "floor"))[:, None]
    # P3 can only be below the threshold where at most two values are above it: it is looked up there alone.
    threshold = np.where(chunk.peak > 0, chunk.peak / (1 + ratio), np.inf)
    near = chunk.delivered & (chunk.values >= chunk.by_interval(np.nan_to_num(threshold, nan=np.inf)))
    enough = chunk.by_day(chunk.delivered, np.add) >= 3
    found = (chunk.by_day(near, np.add) <= 2) & enough & (chunk.peak > 0) & (chunk.peak >= floor) & (ratio > 0)
    third = _third(chunk, found)
    with np.errstate(divide="ignore", invalid="ignore"):
        measured = (chunk.peak - third) / third
    return findings_of_days(
        chunk,
        "spike",
        found & (measured > ratio),
        severity=Severity.WARNING,
        measured=measured,
        limit=ratio,
        span=chunk.delivered & (chunk.values == chunk.by_interval(chunk.peak)),
        evidence={"highest": chunk.peak, "third_highest": third},
    )


def _third(chunk: Chunk, found: Bools) -> NDArray[np.int64]:
    third = np.zeros(found.shape, np.int64)
    for row, day in zip(*(place.tolist() for place in np.nonzero(found & chunk.target)), strict=True):
        part = slice(int(chunk.offset[day]), int(chunk.offset[day + 1]))
        third[row, day] = np.sort(chunk.values[row, part][chunk.delivered[row, part]])[-3]
    return third


def jump(chunk: Chunk) -> Findings:
    """(x - previous) / previous > `ratio` against the last value before it that is there; not below `floor`. A fall
    is never more than the whole: it is not a jump.

    Source: Itron's tolerance of consecutive intervals.
    """
    ratio = chunk.parameter("jump", "ratio")[:, None]
    floor = chunk.in_unit(chunk.parameter("jump", "floor"))[:, None]
    before = _previous(chunk)
    high = chunk.delivered & (chunk.values >= np.nan_to_num(floor, nan=np.inf)) & (before > 0)
    if np.nan_to_num(ratio, nan=np.inf).min(initial=np.inf) >= 1:
        # Almost nothing is that high and that much above: the exact comparison is made for those only.
        high &= chunk.values // 2 >= before
    rows, places = np.nonzero(high)
    step = (chunk.values[rows, places] - before[rows, places].astype(np.float64)) / before[rows, places]
    found = step > ratio[rows, 0]
    rows, places, step = rows[found], places[found], step[found]
    jumped = np.zeros(chunk.values.shape, np.bool_)
    jumped[rows, places] = True
    days = np.searchsorted(chunk.offset, places, side="right") - 1
    count, most = np.zeros(chunk.target.shape, np.int64), np.zeros(chunk.target.shape, np.float64)
    np.add.at(count, (rows, days), 1)
    np.maximum.at(most, (rows, days), step)
    return findings_of_days(
        chunk,
        "jump",
        count > 0,
        severity=Severity.WARNING,
        measured=most,
        limit=ratio,
        span=jumped,
        evidence={"count": count, "highest": chunk.peak},
    )


def _previous(chunk: Chunk) -> NDArray[np.int32]:
    """The last delivered value before each interval, -1 where none is."""
    before = np.full(chunk.values.shape, -1, np.int32)
    before[:, 1:] = np.where(chunk.delivered[:, :-1], chunk.values[:, :-1], -1)
    # Where values begin again after a gap; the first beginning of a row has nothing before it.
    again = np.count_nonzero(chunk.delivered[:, 1:] & ~chunk.delivered[:, :-1], axis=1)
    holed = np.flatnonzero(again > ~chunk.delivered[:, 0])
    if len(holed):
        there = chunk.delivered[holed]
        place = np.maximum.accumulate(np.where(there, np.arange(there.shape[1]), -1), axis=1)
        filled = np.take_along_axis(chunk.values[holed], np.maximum(place, 0), axis=1)
        before[holed, 1:] = np.where(place >= 0, filled, -1)[:, :-1]
    return before


RULES = (
    Rule("missing", missing, parameters=("most",)),
    Rule("negative", negative, parameters=("least",)),
    Rule("overflow", overflow, parameters=("bits",)),
    Rule("zero", zero, (HISTORY, EXEMPT), parameters=("days",)),
    Rule("frozen", frozen, parameters=("intervals",)),
    Rule("spike", spike, parameters=("ratio", "floor")),
    Rule("jump", jump, parameters=("ratio", "floor")),
)
