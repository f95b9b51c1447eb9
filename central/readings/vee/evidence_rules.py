"""Rules on the blocks that a day was made of, judged by consolidation, which alone sees them.

conflict: one interval measured twice, with different values (identical repetition is nothing). interval_length: a block
whose step is not the channel's. clock, meter_flag: what the meter itself said of its values.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from central.readings.assemble import Assembled
from central.readings.calendar import Ints
from central.readings.vee.rule import Findings, Severity
from shared.quantities import Flag

CLOCK = int(Flag.CLOCK_INVALID | Flag.CLOCK_ADJUSTED)
OTHER = int(Flag.DATA_INVALID | Flag.CRITICAL | Flag.INCOMPLETE | Flag.POWER_DOWN)
SERIOUS = int(Flag.CLOCK_INVALID | Flag.DATA_INVALID | Flag.CRITICAL)
NAMES = ("conflict", "interval_length", "clock", "meter_flag")


def judge_evidence(whole: Assembled, rows: Ints) -> list[Findings]:
    """What these rules find in the days at these places (ascending) of `whole`."""
    judged = np.zeros(len(whole.days), np.bool_)
    judged[rows] = True
    found = [
        _conflicts(whole, judged),
        _interval_length(whole, judged),
        _flags(whole, judged, "clock", CLOCK),
        _flags(whole, judged, "meter_flag", OTHER),
    ]
    return [each for each in found if len(each)]


def _conflicts(whole: Assembled, judged: NDArray[np.bool_]) -> Findings:
    place = whole.conflicts.place
    row = np.searchsorted(whole.offset, place, side="right") - 1
    keep = judged[row] if len(row) else np.zeros(0, np.bool_)
    place, row, value = place[keep], row[keep], whole.conflicts.value[keep]
    if not len(place):
        return Findings.none("conflict")
    # Sorted by place: the first of a day is the day's earliest interval, with its lowest value.
    rows, begin, count = np.unique(row, return_index=True, return_counts=True)
    last = place[begin + count - 1]
    intervals = np.add.reduceat(np.concatenate([[1], place[1:] != place[:-1]]).astype(np.int64), begin)
    documents = []
    for first, size, number in zip(begin.tolist(), count.tolist(), intervals.tolist(), strict=True):
        at = int(place[first])
        values = value[first : first + size][place[first : first + size] == at].tolist()
        documents.append({"intervals": number, "kept": int(whole.values[at]), "values": values})
    kept = whole.values[place[begin]].astype(np.float64)
    other = np.array([next(v for v in each["values"] if v != each["kept"]) for each in documents], np.float64)
    offset = whole.offset[rows]
    return _findings(
        whole, "conflict", rows, place[begin] - offset, last - offset, Severity.ERROR, kept, other, documents
    )


def _interval_length(whole: Assembled, judged: NDArray[np.bool_]) -> Findings:
    table = whole.other_steps[judged[whole.other_steps[:, 0]]] if len(whole.other_steps) else whole.other_steps
    if not len(table):
        return Findings.none("interval_length")
    rows, begin = np.unique(table[:, 0], return_index=True)
    step, wanted = table[begin, 1], whole.days.step_ms[rows]
    documents = [
        {"step_s": ms / 1000, "expected_s": right / 1000}
        for ms, right in zip(step.tolist(), wanted.tolist(), strict=True)
    ]
    last = whole.days.length[rows] - 1
    return _findings(
        whole, "interval_length", rows, last * 0, last, Severity.ERROR, step / 1000, wanted / 1000, documents
    )


def _flags(whole: Assembled, judged: NDArray[np.bool_], rule: str, mask: int) -> Findings:
    if whole.flags is None:
        return Findings.none(rule)
    place = np.flatnonzero(whole.flags & mask)
    row = np.searchsorted(whole.offset, place, side="right") - 1
    keep = judged[row]
    place, row = place[keep], row[keep]
    if not len(place):
        return Findings.none(rule)
    rows, begin, count = np.unique(row, return_index=True, return_counts=True)
    said = np.bitwise_or.reduceat(whole.flags[place] & mask, begin)
    documents = [
        {"intervals": number, "flags": [str(flag.name) for flag in Flag(bits)]}
        for number, bits in zip(count.tolist(), said.tolist(), strict=True)
    ]
    severity = np.where((said & SERIOUS) != 0, int(Severity.ERROR), int(Severity.INFO))
    offset = whole.offset[rows]
    return _findings(
        whole,
        rule,
        rows,
        place[begin] - offset,
        place[begin + count - 1] - offset,
        severity,
        count.astype(np.float64),
        np.zeros(len(rows)),
        documents,
    )


def _findings(
    whole: Assembled,
    rule: str,
    rows: Ints,
    first: Ints,
    last: Ints,
    severity: Any,
    measured: NDArray[np.float64],
    limit: NDArray[np.float64],
    evidence: list[dict[str, Any]],
) -> Findings:
    return Findings(
        rule,
        whole.days.channel[rows],
        whole.days.number[rows],
        first,
        last,
        np.broadcast_to(np.asarray(severity, np.int64), rows.shape),
        measured,
        limit,
        evidence,
    )
