"""A month of 10,000 meters x 2 channels: values, tariffs and a tree, and two layouts of them in the database.

5 % of the days have a second version; some values are missing. The truth stays in memory to compare with.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from central.platform.copy_binary import HEADER, TRAILER, Column, pack_rows
from central.platform.database import make_engine, transaction
from central.readings.calendar import number_of, to_ms
from central.readings.digest import day_digest
from central.readings.rows import ProfileWriter
from shared.metering_day import month_days
from shared.quantities import MISSING_VALUE, Commodity, Quality

FIRST: Final = date(2026, 1, 1)
DAYS: Final = month_days(Commodity.ELECTRICITY, 2026, 1)
QUARTERS: Final = 96
STEP_MS: Final = 900_000
SCHEDULES: Final = 8
NARROW: Final = "narrow_value"
MADE_AT: Final = datetime(2026, 2, 1, tzinfo=UTC)
_PG_MS: Final = 946_684_800_000


@dataclass(frozen=True)
class Month:
    """Values (channels, days, quarters), first versions where there are two, tariffs, tree.

    Channel 2m + 1 is the active energy of meter m, 2m + 2 its reactive energy. Meters 0 to tops - 1 are the top of the
    tree, then come the middle ones, then the leaves; `parent` is each meter's node, -1 for the top.
    """

    values: NDArray[np.int32]
    replaced: NDArray[np.bool_]
    first_versions: NDArray[np.int32]
    low: NDArray[np.bool_]
    schedule: NDArray[np.int64]
    parent: NDArray[np.int64]
    nodes: int

    @property
    def channels(self) -> int:
        return len(self.values)

    @property
    def meters(self) -> int:
        return self.channels // 2


def make_month(meters: int, seed: int = 1) -> Month:
    """1 % of the meters are the top of the tree, 10 % stand in the middle; a tree as a site's, losses 1 to 4 %."""
    random = np.random.default_rng(seed)
    tops, middles = meters // 100, meters // 10
    nodes, leaves = tops + middles, meters - tops - middles
    days, intervals = len(DAYS), len(DAYS) * QUARTERS
    parent = np.full(meters, -1, np.int64)
    parent[tops:nodes] = np.sort(random.integers(0, tops, middles))
    parent[nodes:] = tops + np.sort(random.integers(0, middles, leaves))
    active = np.zeros((meters, intervals), np.int32)
    day_shape = 1 + np.sin(np.linspace(0, 2 * np.pi, QUARTERS, endpoint=False) - 2)
    shape = np.tile(day_shape, days)[None, :]
    for start in range(nodes, meters, 500):
        part = active[start : start + 500]
        size = random.integers(20, 2_000, (len(part), 1))
        part[:] = size * shape * random.uniform(0.6, 1.4, part.shape)
    for level in (range(tops, nodes), range(tops)):
        for node in level:
            sums = active[parent == node].sum(axis=0, dtype=np.int64)
            active[node] = np.minimum(sums * random.uniform(1.01, 1.04) + random.integers(-3, 40, intervals), 2**31 - 1)
    values = np.empty((2 * meters, days, QUARTERS), np.int32)
    values[0::2] = active.reshape(meters, days, QUARTERS)
    values[1::2] = random.integers(0, 900, (meters, days, QUARTERS), dtype=np.int32)
    replaced = random.random((2 * meters, days)) < 0.05
    first_versions = values[replaced] + random.integers(1, 50, (int(replaced.sum()), QUARTERS), dtype=np.int32)
    holed = (random.random((2 * meters, days)) < 0.002) & ~replaced
    for channel, day in zip(*np.nonzero(holed), strict=True):
        begin = int(random.integers(0, QUARTERS))
        values[channel, day, begin : begin + int(random.integers(1, 13))] = MISSING_VALUE
    low = np.zeros((SCHEDULES, days, QUARTERS), np.bool_)
    for number in range(SCHEDULES):
        low[number, :, : 20 + number] = True
        low[number, :, 52 + number : 60 + number] = True
        low[number, :, 80 + number : 86] = True
    schedule = np.repeat(random.integers(0, SCHEDULES, meters), 2)
    return Month(values, replaced, first_versions, low.reshape(SCHEDULES, intervals), schedule, parent, nodes)


def store_profiles(url: str, month: Month) -> None:
    """Day profiles as consolidation writes them: day by day, a later version later."""
    engine = make_engine(url, name="bench")
    firsts = np.zeros(month.replaced.shape, np.int64)
    firsts[month.replaced] = np.arange(len(month.first_versions))
    none = np.empty(0, np.int64)
    for later in (False, True):
        for day, metering_day in enumerate(DAYS):
            writer, number = ProfileWriter(MADE_AT, "bench"), number_of(metering_day.date)
            for channel in range(month.channels):
                second = bool(month.replaced[channel, day])
                if later and not second:
                    continue
                first = second and not later
                values = month.first_versions[firsts[channel, day]] if first else month.values[channel, day]
                missing = values == MISSING_VALUE
                quality = np.where(missing, Quality.MISSING, 0).astype(np.int16) if missing.any() else None
                digest = day_digest(channel + 1, number, STEP_MS, values, quality)
                version = 2 if later else 1
                writer.add(
                    channel + 1, number, version, STEP_MS, values, quality, None, int(missing.sum()), none, digest
                )
            with transaction(engine) as connection:
                writer.write(connection)
    engine.dispose()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE day_profile")


def narrow_rows(month: Month, day: int) -> list[NDArray[Any]]:
    """Columns channel, ms, version, value of one day, a row a value that is there."""
    columns: list[list[NDArray[Any]]] = [[], [], [], []]
    starts = to_ms(DAYS[day].start) + np.arange(QUARTERS, dtype=np.int64) * STEP_MS
    again = month.replaced[:, day]
    firsts = month.first_versions[_places(month)[again, day]]
    every = np.arange(1, month.channels + 1)
    for channels, values, version in (
        (every[~again], month.values[~again, day], 1),
        (every[again], firsts, 1),
        (every[again], month.values[again, day], 2),
    ):
        there = values != MISSING_VALUE
        columns[0].append(np.repeat(channels, there.sum(axis=1)).astype(np.int32))
        columns[1].append(np.broadcast_to(starts, values.shape)[there])
        columns[2].append(np.full(int(there.sum()), version, np.int16))
        columns[3].append(values[there])
    return [np.concatenate(parts) for parts in columns]


def _places(month: Month) -> NDArray[np.int64]:
    places = np.zeros(month.replaced.shape, np.int64)
    places[month.replaced] = np.arange(len(month.first_versions))
    return places


def store_narrow(url: str, month: Month) -> None:
    """A hypertable row a value, without an index: what is read whole needs none."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            f"CREATE TABLE {NARROW} (channel integer NOT NULL, ts timestamptz NOT NULL, version smallint NOT NULL, "
            "value integer NOT NULL)".encode()
        )
        connection.execute(
            f"SELECT create_hypertable('{NARROW}', by_range('ts', INTERVAL '7 days'), "
            "create_default_indexes => false)".encode()
        )
        for day in range(len(DAYS)):
            channel, ms, version, value = narrow_rows(month, day)
            with (
                connection.cursor() as cursor,
                cursor.copy(f"COPY {NARROW} FROM STDIN (FORMAT BINARY)".encode()) as copy,
            ):
                copy.write(HEADER)
                for low in range(0, len(channel), 500_000):
                    part = slice(low, low + 500_000)
                    columns = [
                        Column("int4", channel[part]),
                        Column("timestamptz", (ms[part] - _PG_MS) * 1000),
                        Column("int2", version[part]),
                        Column("int4", value[part]),
                    ]
                    copy.write(pack_rows(len(channel[part]), columns))
                copy.write(TRAILER)
        connection.execute(f"VACUUM ANALYZE {NARROW}".encode())
