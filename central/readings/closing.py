"""Closed days: those that something above the readings has pinned. Later versions of them are made, and marked late."""

from collections.abc import Sequence
from datetime import date, datetime

import numpy as np
from sqlalchemy import Connection, text

from central.platform.arrays import int_array
from central.readings.assemble import Days
from central.readings.calendar import date_of, number_of
from central.readings.vee.rule import Bools

_CLOSE = text("""
    INSERT INTO closed_period (channel, closed_by, days, closed_at)
    SELECT DISTINCT id, :by, daterange(:first, :end), CAST(:at AS timestamptz)
    FROM unnest(CAST(:channels AS integer[])) AS given (id)
    ON CONFLICT (channel, closed_by) DO NOTHING
""")
_CLOSED = text("""
    SELECT c.channel, lower(c.days) AS first, upper(c.days) AS stop
    FROM unnest(CAST(:channels AS integer[])) AS given (id)
    JOIN closed_period c ON c.channel = given.id AND c.days && daterange(:first, :last, '[]')
""")


def close_days(connection: Connection, by: str, channels: Sequence[int], first: date, end: date, at: datetime) -> None:
    """Close the days from `first` to before `end` of these channels; `by` names what pinned them."""
    if channels:
        connection.execute(_CLOSE, {"by": by, "channels": list(channels), "first": first, "end": end, "at": at})


def closed_days(connection: Connection, days: Days) -> Bools:
    """Which of these days are closed."""
    closed = np.zeros(len(days), np.bool_)
    if not len(days):
        return closed
    parameters = {
        "channels": int_array(np.unique(days.channel)),
        "first": date_of(int(days.number.min())),
        "last": date_of(int(days.number.max())),
    }
    for row in connection.execute(_CLOSED, parameters):
        low, high = np.searchsorted(days.channel, [row.channel, row.channel + 1])
        mine = days.number[low:high]
        closed[low:high] |= (mine >= number_of(row.first)) & (mine < number_of(row.stop))
    return closed
