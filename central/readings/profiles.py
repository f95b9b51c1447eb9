"""Day profiles as a matrix: channels x intervals, newest or pinned versions, one query whatever their number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from central.network.tables import channel
from central.platform.copy_binary import PG_EPOCH_DAYS, unpack_rows
from central.platform.errors import BadInput, NotFound
from central.readings.calendar import Ints, number_of
from central.readings.rows import copy_out
from shared.metering_day import STEP, MeteringDay, days_between
from shared.quantities import MISSING_VALUE, Commodity, Quality

# All versions come and numpy keeps the newest: a sort of whole rows in the database costs more than the few old ones.
_NEWEST = """
COPY (
    SELECT channel, day, version, "values", quality, {method} FROM day_profile
    WHERE channel = ANY(%s::integer[]) AND day >= %s AND day < %s {only}
) TO STDOUT (FORMAT BINARY)
"""
_PINNED = """
COPY (
    SELECT p.channel, p.day, p.version, p."values", p.quality, NULL::smallint[]
    FROM unnest(%s::integer[], %s::date[], %s::integer[]) AS pin (channel, day, version)
    JOIN day_profile p USING (channel, day, version)
    WHERE p.day >= %s AND p.day < %s
) TO STDOUT (FORMAT BINARY)
"""
_TYPES = ("int4", "date", "int4", "int4[]", "int2[]", "int2[]")


@dataclass(frozen=True, slots=True)
class Profiles:
    """Profiles of channels of one commodity over consecutive metering days.

    `values` and `quality` are (channels, intervals of all days one after another), MISSING_VALUE and Quality.MISSING
    where nothing is known; `versions` is (channels, days), 0 where a day has no version; day d has the columns
    `offset[d]` to `offset[d + 1]`. `method` has the shape of `values`, or is None: all as delivered, or not asked for.
    """

    channels: Sequence[int]
    days: Sequence[MeteringDay]
    offset: Ints
    values: NDArray[np.int32]
    quality: NDArray[np.int16]
    versions: NDArray[np.int32]
    method: NDArray[np.int16] | None = None


def read_newest(
    connection: Connection,
    commodity: Commodity,
    channels: Sequence[int],
    first: date,
    end: date,
    *,
    with_method: bool = False,
) -> Profiles:
    """The newest version of every day from `first` to before `end`; channels must be of this commodity."""
    return _read(connection, commodity, channels, first, end, with_method, "")


def read_base(
    connection: Connection, commodity: Commodity, channels: Sequence[int], first: date, end: date
) -> Profiles:
    """Like `read_newest`, before estimation: what was delivered or entered, with methods."""
    return _read(connection, commodity, channels, first, end, True, "AND base_digest IS NULL")


def _read(
    connection: Connection,
    commodity: Commodity,
    channels: Sequence[int],
    first: date,
    end: date,
    with_method: bool,
    only: str,
) -> Profiles:
    profiles = _empty(commodity, channels, first, end)
    query = _NEWEST.format(method="method" if with_method else "NULL::smallint[]", only=only)
    method = _fill(profiles, copy_out(connection, query, (list(channels), first, end)))
    return profiles if method is None else replace(profiles, method=method)


def read_pinned(
    connection: Connection, commodity: Commodity, first: date, end: date, pins: Mapping[tuple[int, date], int]
) -> Profiles:
    """Exactly these versions, by (channel, day) from `first` to before `end`; NotFound names one that is not there."""
    channels = sorted({number for number, _ in pins})
    profiles = _empty(commodity, channels, first, end)
    names = list(pins)
    wanted = ([name[0] for name in names], [name[1] for name in names], [pins[name] for name in names])
    _fill(profiles, copy_out(connection, _PINNED, (*wanted, first, end)))
    row_of = {number: row for row, number in enumerate(channels)}
    for (number, day), version in pins.items():
        if not first <= day < end or profiles.versions[row_of[number], (day - first).days] != version:
            raise NotFound("version_not_found", f"Channel {number} has no version {version} of {day} in this period.")
    return profiles


def commodity_of(connection: Connection, channels: Sequence[int]) -> Commodity:
    """The one commodity of interval channels; mixed or unknown channels are refused."""
    rows = connection.execute(
        select(channel.c.id, channel.c.commodity, channel.c.kind, channel.c.step_ms).where(channel.c.id.in_(channels))
    ).all()
    for number in sorted(set(channels) - {row.id for row in rows}):
        raise NotFound("channel_not_found", f"There is no channel {number}.")
    commodities = {row.commodity for row in rows}
    if len(commodities) != 1:
        raise BadInput("commodity", "Profiles are read for channels of one commodity at a time.")
    found = Commodity(commodities.pop())
    for row in rows:
        if row.kind != "interval" or row.step_ms != STEP[found].total_seconds() * 1000:
            raise BadInput("channel_kind", f"Channel {row.id} has states and no profile; ask for its states.")
    return found


def _empty(commodity: Commodity, channels: Sequence[int], first: date, end: date) -> Profiles:
    days = days_between(commodity, first, end)
    if not days:
        raise BadInput("period", f"The period {first} to {end} has no day; its end is exclusive.")
    offset = np.concatenate([np.zeros(1, np.int64), np.cumsum([day.length for day in days])])
    shape = (len(channels), int(offset[-1]))
    return Profiles(
        list(channels),
        days,
        offset,
        np.full(shape, MISSING_VALUE, np.int32),
        np.full(shape, Quality.MISSING, np.int16),
        np.zeros((len(channels), len(days)), np.int32),
    )


def _fill(profiles: Profiles, copied: bytes) -> NDArray[np.int16] | None:
    """Place the rows; returns the methods if any row has them."""
    order = np.argsort(np.asarray(profiles.channels, np.int64), kind="stable")
    known = np.asarray(profiles.channels, np.int64)[order]
    first = number_of(profiles.days[0].date)
    method: NDArray[np.int16] | None = None
    for columns in unpack_rows(copied, _TYPES):
        if method is None and columns[-1] is not None:
            method = np.zeros(profiles.values.shape, np.int16)
        _place(profiles, columns, known, order, first, method)
    return method


def _place(
    profiles: Profiles, columns: list[Any], known: Ints, order: Ints, first: int, into: NDArray[np.int16] | None
) -> None:
    numbers, days, versions, values, quality, method = columns
    row = order[np.searchsorted(known, numbers)]
    day = days.astype(np.int64) + PG_EPOCH_DAYS - first
    length = values.shape[1]
    # Ascending versions, so that among equal days of this group the newest is written last.
    by_version = np.argsort(versions, kind="stable")
    fits = profiles.offset[day + 1] - profiles.offset[day] == length
    keep = by_version[(fits & (versions > profiles.versions[row, day]))[by_version]]
    row, day = row[keep], day[keep]
    profiles.versions[row, day] = versions[keep]
    place = profiles.offset[day][:, None] + np.arange(length)
    profiles.values[row[:, None], place] = values[keep]
    profiles.quality[row[:, None], place] = 0 if quality is None else quality[keep]
    if into is not None:
        into[row[:, None], place] = 0 if method is None else method[keep]
