"""Sums of channels by calendar month: high and low tariff by their schedules, and each month's highest interval."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from central.network.tables import channel as channel_table
from central.readings.aggregates import sum_period
from central.readings.profiles import Profiles, commodity_of, read_chunks
from central.readings.registers.schedules import Assignment, low_tariff, read_assignments
from shared.metering_day import MeteringDay, next_month
from shared.quantities import Commodity


@dataclass(frozen=True, slots=True)
class MonthSums:
    """A channel's days `first` to before `end` of one month, in its unit x 10^`exponent`.

    `high` and `low` (VT, NT) are None where no schedule of tariffs holds on all of the days; `maximum` with the
    beginning of its interval (the first of equal ones) is None where no value is. Missing values stand in no sum.
    """

    channel: int
    unit: str
    exponent: int
    first: date
    end: date
    total: int
    high: int | None
    low: int | None
    maximum: int | None
    maximum_at: datetime | None
    missing: int


def sum_months(connection: Connection, channels: Sequence[int], first: date, end: date) -> list[MonthSums]:
    """From the newest versions, by channel and month; the first and last month may be parts.

    BadInput where channels have no profile or are of two commodities, NotFound where one is not there.
    """
    wanted = sorted(set(channels))
    commodity = commodity_of(connection, wanted)
    table = channel_table.c
    query = select(table.id, table.unit, table.exponent).where(table.id.in_(wanted))
    facts = {row.id: row for row in connection.execute(query)}
    assignments = read_assignments(connection, wanted) if commodity is Commodity.ELECTRICITY else {}
    found = [
        each
        for since, until in _months(first, end)
        for chunk in read_chunks(connection, commodity, wanted, since, until)
        for each in _sum_chunk(chunk, assignments, facts)
    ]
    return sorted(found, key=lambda each: (each.channel, each.first))


def _months(first: date, end: date) -> Iterator[tuple[date, date]]:
    while first < end:
        until = min(next_month(first.year, first.month), end)
        yield first, until
        first = until


def _sum_chunk(chunk: Profiles, assignments: dict[int, list[Assignment]], facts: dict[int, Any]) -> Iterator[MonthSums]:
    masks: list[np.ndarray[Any, np.dtype[np.bool_]]] = []
    place_of: dict[tuple[Any, ...], int] = {}
    schedule = np.full(len(chunk.channels), -1, np.int64)
    for row, channel in enumerate(chunk.channels):
        held = assignments.get(channel)
        if not held:
            continue
        name = tuple((each.schedule.code, each.since, each.until) for each in held)
        if name not in place_of:
            mask = low_tariff(held, chunk.days)
            place_of[name] = -1 if mask is None else len(masks)
            masks += [] if mask is None else [mask]
        schedule[row] = place_of[name]
    low = np.array(masks, np.bool_).reshape(len(masks), chunk.values.shape[1])
    sums = sum_period(chunk, low, schedule)
    for row, channel in enumerate(chunk.channels):
        at = int(sums.maximum_at[row])
        is_told_apart = schedule[row] >= 0
        yield MonthSums(
            channel,
            facts[channel].unit,
            facts[channel].exponent,
            chunk.days[0].date,
            chunk.days[-1].next.date,
            int(sums.total[row]),
            int(sums.high[row]) if is_told_apart else None,
            int(sums.low[row]) if is_told_apart else None,
            None if at < 0 else int(sums.maximum[row]),
            None if at < 0 else _instant(chunk, at),
            int(sums.missing[row]),
        )


def _instant(chunk: Profiles, place: int) -> datetime:
    number = int(np.searchsorted(chunk.offset, place, side="right")) - 1
    day: MeteringDay = chunk.days[number]
    return day.instant(place - int(chunk.offset[number]))
