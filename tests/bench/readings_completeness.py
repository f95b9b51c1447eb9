"""How fast the completeness map of a year of 1,000 meters with two channels is there, verified against counted truth.

Part (d) of `make bench ONLY=readings`; alone: `python -m tests.bench.readings --part completeness`.
"""

import statistics
import time
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, text

from central.platform.database import make_engine, transaction
from central.platform.migrations import upgrade
from central.readings.calendar import number_of
from central.readings.completeness import CompletenessMap, read_map
from central.readings.completeness_api import told
from central.readings.completeness_counts import fold_counts
from central.readings.rows import ProfileWriter
from deploy.stack.local import LocalStack
from shared.metering_day import month_days
from shared.quantities import MISSING_VALUE, Commodity, Quality
from tests.bench.harness import Figure

METERS: Final = 1_000
CHANNELS: Final = 2
YEAR: Final = 2025
RUNS: Final = 7
QUARTER_MS: Final = 900_000
LAST: Final = date(YEAR, 12, 31)
TODAY: Final = date(YEAR + 1, 1, 1)
NOW: Final = datetime(YEAR + 1, 1, 1, 11, tzinfo=UTC)
"""Noon of the day after the year: 48 quarter-hours of an open day, of which 40 came."""
CAME: Final = 40

_NETWORK = text("""
    INSERT INTO concentrator (id, name, place) SELECT 'K' || k, 'K' || k, 'bench' FROM generate_series(1, 10) k;
    INSERT INTO meter (id, serial, model, commodity, concentrator)
    SELECT 'M' || m, m::text, 'bench', 'electricity', 'K' || 1 + m % 10 FROM generate_series(1, :meters) m;
    INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms)
    SELECT 'K' || 1 + m % 10, 'M' || m, r::text, 'Wh', 0, 'interval', 900000
    FROM generate_series(1, :meters) m, generate_series(1, :channels) r ORDER BY m, r;
    INSERT INTO channel (point, direction, commodity, unit, exponent, kind, step_ms)
    SELECT 'P' || m, (ARRAY['A+', 'A-'])[r], 'electricity', 'Wh', 0, 'interval', 900000
    FROM generate_series(1, :meters) m, generate_series(1, :channels) r ORDER BY m, r;
    INSERT INTO channel_mapping (evidence_channel, channel, valid, consolidated_at)
    SELECT e.id, c.id, tstzrange('2024-01-01', NULL), now()
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM evidence_channel) e
    JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM channel) c USING (n);
""")


class Truth:
    """What was put in: by meter and day, values that are there and values among them that were not measured."""

    def __init__(self) -> None:
        self.present = np.zeros((METERS, 366), np.int64)
        self.replaced = np.zeros((METERS, 366), np.int64)


def fill(engine: Engine, truth: Truth) -> None:
    """A year of versions: 5 % of days with values missing, 3 % with estimates, 5 % with a second, better version."""
    random = np.random.default_rng(5)
    with transaction(engine) as connection:
        for statement in str(_NETWORK).split(";\n")[:-1]:
            connection.execute(text(statement), {"meters": METERS, "channels": CHANNELS})
        channels = list(connection.execute(text("SELECT id FROM channel ORDER BY id")).scalars())
    for month in range(1, 13):
        with transaction(engine) as connection:
            for day in month_days(Commodity.ELECTRICITY, YEAR, month):
                _fill_day(connection, random, channels, day.date, day.length, truth)
        while fold_counts(engine):
            pass
    _fill_today(engine, channels, truth)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _fill_day(
    connection: Connection, random: np.random.Generator, channels: list[int], day: date, length: int, truth: Truth
) -> None:
    place = (day - date(YEAR, 1, 1)).days
    values = random.integers(0, 5_000, (len(channels), length), np.int32)
    quality = np.zeros((len(channels), length), np.int16)
    holed, estimated = random.random(len(channels)) < 0.05, random.random(len(channels)) < 0.03
    values[holed, 10:34], quality[holed, 10:34] = MISSING_VALUE, Quality.MISSING
    quality[estimated, 50:58] = Quality.ESTIMATED
    mended = random.random(len(channels)) < 0.05
    for version, rows in ((1, np.arange(len(channels))), (2, np.flatnonzero(mended))):
        if version == 2:
            values[rows], quality[rows] = 7, 0
        writer = ProfileWriter(NOW, "bench")
        missing = (values == MISSING_VALUE).sum(axis=1)
        for row in rows.tolist():
            kept: NDArray[np.int16] | None = quality[row] if quality[row].any() else None
            writer.add(
                channels[row],
                number_of(day),
                version,
                QUARTER_MS,
                values[row],
                kept,
                None,
                int(missing[row]),
                np.zeros(1, np.int64),
                bytes(32),
            )
        writer.write(connection)
    by_meter = (METERS, CHANNELS, length)
    truth.present[:, place] = (values != MISSING_VALUE).reshape(by_meter).sum(axis=(1, 2))
    truth.replaced[:, place] = (quality == Quality.ESTIMATED).reshape(by_meter).sum(axis=(1, 2))


def _fill_today(engine: Engine, channels: list[int], truth: Truth) -> None:
    start = datetime(YEAR, 12, 31, 23, tzinfo=UTC)
    with transaction(engine) as connection:
        connection.execute(
            text("INSERT INTO open_day SELECT id, :day, :due FROM channel"),
            {"day": TODAY, "due": NOW + timedelta(days=1)},
        )
        connection.execute(
            text("""
                INSERT INTO block (start, batch_id, evidence_channel, step, marks, "values")
                SELECT CAST(:start AS timestamptz) + q * interval '15 minutes', 1, e.id, 900000, 0, ARRAY[1]
                FROM evidence_channel e, generate_series(0, :came - 1) q
            """),
            {"start": start, "came": CAME},
        )
    truth.present[:, 365] = CAME * CHANNELS


def ask(engine: Engine, last: date = LAST) -> tuple[float, CompletenessMap]:
    """The map from the first day of the year to `last`, and how many milliseconds it and its answer (JSON) took."""
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        begun = time.perf_counter()
        found = read_map(connection, date(YEAR, 1, 1), last, NOW)
        told(found)
        return (time.perf_counter() - begun) * 1000, found


def check(found: CompletenessMap, truth: Truth, engine: Engine) -> None:
    """Every cell as it was put in, and all of it as the versions themselves count it."""
    order = [int(meter[1:]) - 1 for _, meter in found.meters]
    assert found.present.tolist() == truth.present[order].tolist(), "completeness: present values differ"
    assert found.replaced.tolist() == truth.replaced[order].tolist(), "completeness: replaced values differ"
    with engine.connect() as connection:
        counted = connection.execute(
            text("""
                SELECT sum(cardinality("values") - missing) FROM (
                    SELECT DISTINCT ON (channel, day) "values", missing FROM day_profile
                    ORDER BY channel, day, version DESC) newest
            """)
        ).scalar_one()
    assert int(found.present[:, :365].sum()) == counted, "completeness: the versions count another number"


def measure(stack: LocalStack, runs: int = RUNS) -> dict[str, Figure]:
    """`completeness_ms` of the year, `completeness_open_ms` with the running day that is read from blocks.

    Medians of `runs`, over a database that is filled, checked cell by cell and dropped.
    """
    name = "bench_completeness"
    url = stack.create_database(name)
    upgrade(url)
    engine = make_engine(url)
    truth = Truth()
    fill(engine, truth)
    _, found = ask(engine, TODAY)
    check(found, truth, engine)
    days = {"completeness_ms": LAST, "completeness_open_ms": TODAY}
    figures = {key: statistics.median(ask(engine, last)[0] for _ in range(runs)) for key, last in days.items()}
    engine.dispose()
    stack.drop_database(name)
    return {key: Figure(round(number, 1), "ms") for key, number in figures.items()}
