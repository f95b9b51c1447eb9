"""Bases and lines of received invoices that meet in time: who overlaps whom, who covers whom exactly."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from central.checks.cover import covered_days
from central.checks.frame import Frame, Numbers, group, match


@dataclass(frozen=True)
class Meeting:
    """Bases (with `sort`: what is added together) and lines, all with `supply_point`, `key`, `first`, `end_`; the pairs
    of the same point and key whose days overlap, those of a basis together, lines of other days than its own first."""

    bases: Frame
    lines: Frame
    places: NDArray[np.intp]
    others: NDArray[np.intp]

    @property
    def met(self) -> NDArray[np.bool_]:
        """Bases that overlap some line."""
        met = np.zeros(len(self.bases), dtype=np.bool_)
        met[self.places] = True
        return met

    def first_pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Bases that overlap some line, and the first such line."""
        places, first = np.unique(self.places, return_index=True)
        return places, self.others[first]


def meet(bases: Frame, lines: Frame) -> Meeting:
    """Pair them; lines of points without a basis are left out."""
    points = np.unique(bases["supply_point"])
    lines = lines.take(np.isin(lines["supply_point"], points))
    keys = np.unique(np.concatenate((bases["key"], lines["key"])))
    coded = [
        Frame({**each.columns, "code": _place(points, each["supply_point"]) * len(keys) + _place(keys, each["key"])})
        for each in (bases, lines)
    ]
    places, others = match([coded[0]["code"]], [coded[1]["code"]])
    over = (bases["first"][places] < lines["end_"][others]) & (lines["first"][others] < bases["end_"][places])
    places, others = places[over], others[over]
    same = (bases["first"][places] == lines["first"][others]) & (bases["end_"][places] == lines["end_"][others])
    order = np.lexsort((same, places)) if not same.all() else np.arange(len(places))
    return Meeting(coded[0], coded[1], places[order], others[order])


def equal(meeting: Meeting) -> NDArray[np.bool_]:
    """Bases that overlap lines, all of their very days."""
    bases, lines = meeting.bases, meeting.lines
    other = (bases["first"][meeting.places] != lines["first"][meeting.others]) | (
        bases["end_"][meeting.places] != lines["end_"][meeting.others]
    )
    found = meeting.met
    found[meeting.places[other]] = False
    return found


def exact(meeting: Meeting, asked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the bases asked about cover, with others of their sort, exactly the days of the lines that they overlap.

    No day of a basis lies outside the lines, no day of such a line outside the bases, and no other basis that overlaps
    such a line reaches beyond the lines.
    """
    found = np.zeros(len(asked), dtype=np.bool_)
    if not asked.any():
        return found
    bases, lines = meeting.bases, meeting.lines
    width = int(bases["sort"].max()) + 1
    codes = bases["code"] * width + bases["sort"]
    some = np.flatnonzero(np.isin(codes, codes[asked]))
    near = bases.take(some)
    inside = np.zeros(len(asked), dtype=np.bool_)
    length = near["end_"] - near["first"]
    inside[some] = covered_days([near["code"]], near, [lines["code"]], lines) == length
    pairs = np.isin(meeting.places, some)
    places, others = meeting.places[pairs], meeting.others[pairs]
    # a line by itself for every sort of bases that it meets
    number, first = group([others.astype(np.int64), bases["sort"][places]])
    each = lines.take(others[first])
    sorts = each["code"] * width + bases["sort"][places[first]]
    covered = covered_days([sorts], each, [codes[some]], near) == each["end_"] - each["first"]
    np.logical_and.at(covered, number, inside[places])
    found[some] = inside[some]
    np.logical_and.at(found, places, covered[number])
    return found & asked


def together(bases: Frame, lines: Frame) -> tuple[NDArray[np.bool_], NDArray[np.intp], NDArray[np.intp]]:
    """Of point and sort, whatever the key: bases that overlap some line; pairs (place of a basis that stands for the
    point and sort, place of a line that overlaps some basis of it), each once."""
    points = np.unique(bases["supply_point"])
    width = int(bases["sort"].max()) + 1 if len(bases) else 1
    of_base = _place(points, bases["supply_point"]) * width + bases["sort"]
    spans, span = group([of_base, bases["first"], bases["end_"]])
    terms, term = group([lines["supply_point"], lines["first"], lines["end_"]])
    left, right = match([bases["supply_point"][span]], [lines["supply_point"][term]])
    over = (bases["first"][span][left] < lines["end_"][term][right]) & (
        lines["first"][term][right] < bases["end_"][span][left]
    )
    left, right = left[over], right[over]
    met = np.zeros(len(span), dtype=np.bool_)
    met[left] = True
    _, once = group([of_base[span][left], right.astype(np.int64)])
    some, which = span[left[once]], right[once]
    place, other = match([which.astype(np.int64)], [terms.astype(np.int64)])
    return met[spans], some[place], other


def _place(known: Numbers, values: Numbers) -> Numbers:
    return np.searchsorted(known, values).astype(np.int64)
