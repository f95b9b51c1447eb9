"""Active edits laid over what was delivered, as consolidation assembles days: before the digest, under estimates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from central.readings.assemble import Assembled, day_keys
from central.readings.calendar import date_of, number_of
from central.readings.method import Method
from central.readings.vee.findings import store
from central.readings.vee.rule import Findings, Severity
from shared.quantities import MISSING_VALUE, Quality

RULE = "edit_contradicted"
"""Name of the finding that data which came after an edit differ from it and from what it replaced."""

_ACTIVE = text("""
    SELECT e.id, e.channel, e.day, lower(e.intervals) AS first, e."values", e.before, e.contradicted_at
    FROM (SELECT DISTINCT id FROM unnest(CAST(:channels AS integer[])) AS given (id)) wanted
    JOIN profile_edit e ON e.channel = wanted.id AND e.state = 'active' AND e.day BETWEEN :first AND :last
    ORDER BY e.channel, e.day, e.id
""")
_CONTRADICTED = text("""
    UPDATE profile_edit SET contradicted_at = CASE WHEN id = ANY(:wrong) THEN coalesce(contradicted_at, :now) END
    WHERE id = ANY(:edits) AND (contradicted_at IS NOT NULL) <> (id = ANY(:wrong))
""")


@dataclass(frozen=True, slots=True)
class Laid:
    """An edit in its day: the place of the day, the edit's number, and where something else was measured since."""

    place: int
    edit: int
    noted: bool
    contradicted: NDArray[np.int64]


def overlay_edits(connection: Connection, whole: Assembled, now: datetime) -> int:
    """Put the active edits of these days into them: quality EDITED, method MANUAL; returns how many there are.

    An edit stands whatever comes later. Measured values that differ from it and from what it replaced give a finding.
    """
    days = whole.days
    if not len(days):
        return 0
    first, last = date_of(days.number.min()), date_of(days.number.max())
    channels = np.unique(days.channel).tolist()
    rows = connection.execute(_ACTIVE, {"channels": channels, "first": first, "last": last}).all()
    keys = days.keys
    laid: list[Laid] = []
    for row in rows:
        key = day_keys(np.array([row.channel], np.int64), np.array([number_of(row.day)], np.int64))
        place = int(np.searchsorted(keys, key[0]))
        if place < len(days) and keys[place] == key[0]:
            contradicted = lay(whole, place, row.first, row.values, row.before)
            laid.append(Laid(place, row.id, row.contradicted_at is not None, contradicted))
    if laid:
        _note(connection, whole, laid, now)
    return len(laid)


def lay(whole: Assembled, place: int, first: int, values: Sequence[int], before: Sequence[int]) -> NDArray[np.int64]:
    """One edit into the day at this place, from interval `first` on. Pure but for `whole`.

    Returns the intervals in which something was delivered that is neither the edit nor what it replaced (`before`).
    """
    begin, end = int(whole.offset[place]), int(whole.offset[place + 1])
    part = slice(begin + first, begin + first + len(values))
    entered, delivered = np.array(values, np.int32), whole.values[part].copy()
    differs = (delivered != MISSING_VALUE) & (delivered != entered) & (delivered != np.array(before, np.int32))
    if whole.method is None:
        whole.method = np.zeros(len(whole.values), np.int16)
    whole.values[part] = entered
    whole.quality[part] = Quality.EDITED
    whole.method[part] = Method.MANUAL
    whole.missing[place] = int((whole.values[begin:end] == MISSING_VALUE).sum())
    return np.flatnonzero(differs) + first


def _note(connection: Connection, whole: Assembled, laid: Sequence[Laid], now: datetime) -> None:
    """Findings of the days with an edit: that it is contradicted, or is no more."""
    wrong = [each for each in laid if len(each.contradicted)]
    days, places = whole.days, sorted({each.place for each in wrong})
    of_day = [[each for each in wrong if each.place == place] for place in places]
    where = [np.concatenate([each.contradicted for each in edits]) for edits in of_day]
    evidence: list[dict[str, Any]] = [
        {"edits": [each.edit for each in edits], "intervals": sorted(intervals.tolist())}
        for edits, intervals in zip(of_day, where, strict=True)
    ]
    unknown = np.full(len(places), np.nan)
    found = Findings(
        RULE,
        days.channel[places],
        days.number[places],
        np.array([intervals.min() for intervals in where], np.int64),
        np.array([intervals.max() for intervals in where], np.int64),
        np.full(len(places), int(Severity.WARNING), np.int64),
        unknown,
        unknown,
        evidence,
    )
    judged = np.unique(np.array([each.place for each in laid], np.int64))
    store(connection, [found] if wrong else [], days.channel[judged], days.number[judged], [RULE], now)
    if wrong or any(each.noted for each in laid):
        parameters = {"edits": [each.edit for each in laid], "wrong": [each.edit for each in wrong], "now": now}
        connection.execute(_CONTRADICTED, parameters)
