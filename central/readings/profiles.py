"""Day profiles as a matrix: channels x intervals, newest or pinned versions, one query whatever their number."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from central.network.tables import channel
from central.platform.arrays import int_array
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


CHUNK = 1_000
"""Channels of a chunk: a month of them is 12 MB of values."""


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
    method = _fill(profiles, copy_out(connection, query, (int_array(channels), first, end)))
    return profiles if method is None else replace(profiles, method=method)


def read_chunks(
    connection: Connection,
    commodity: Commodity,
    channels: Sequence[int],
    first: date,
    end: date,
    size: int = CHUNK,
) -> Iterator[Profiles]:
    """As `read_newest`, `size` channels at a time, so that memory does not grow with their number.

    While the caller works on a chunk the next one is received in a thread: the connection must not be used meanwhile.
    """
    parts = [channels[low : low + size] for low in range(0, len(channels), size)]
    query = _NEWEST.format(method="NULL::smallint[]", only="")
    with ThreadPoolExecutor(1) as receiver:
        coming = [receiver.submit(copy_out, connection, query, (list(part), first, end)) for part in parts[:1]]
        for place, part in enumerate(parts):
            copied = coming.pop().result()
            for following in parts[place + 1 : place + 2]:
                coming.append(receiver.submit(copy_out, connection, query, (list(following), first, end)))
            profiles = _empty(commodity, part, first, end)
            _fill(profiles, copied)
            yield profiles


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
    whole = len(keep) == len(values) and bool((keep == np.arange(len(keep))).all())
    _write(profiles, profiles.values, row, day, values if whole else values[keep])
    _write(profiles, profiles.quality, row, day, 0 if quality is None else quality[keep])
    if into is not None:
        _write(profiles, into, row, day, 0 if method is None else method[keep])


def _write(profiles: Profiles, into: NDArray[Any], row: Ints, day: Ints, content: NDArray[Any] | int) -> None:
    """Put days of one length in; where all days of the period have it, a day is one step of the array."""
    if not len(day):
        return
    length = int(profiles.offset[day[0] + 1] - profiles.offset[day[0]])
    if length * len(profiles.days) == into.shape[1] and (np.diff(profiles.offset) == length).all():
        into.reshape(len(into), len(profiles.days), length)[row, day] = content
    else:
        into[row[:, None], profiles.offset[day][:, None] + np.arange(length)] = content
