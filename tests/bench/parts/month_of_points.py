"""Supply points with a month of evidence: half of them at high voltage with four profiles each, half at low voltage
with register states, every other of these with two tariffs. The quantities follow from the number of the point.
"""

from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from central.platform.copy_binary import HEADER, PG_EPOCH_DAYS, TRAILER, Column, pack_rows
from central.readings.calendar import number_of
from shared.metering_day import MeteringDay, month_days, next_month
from shared.quantities import Commodity

FIRST: Final = date(2026, 1, 1)
END: Final = next_month(FIRST.year, FIRST.month)
DAYS: Final = month_days(Commodity.ELECTRICITY, FIRST.year, FIRST.month)
NOW: Final = datetime(2026, 2, 2, tzinfo=UTC)
STEP_MS: Final = 900_000
DIRECTIONS: Final = ("A+", "A-", "R+", "R-")
SIZES: Final = (40_000, 100, 8_000, 200)
"""Wh and varh of a quarter-hour of each direction, before the shape of the day."""
CHANNELS_AT_ONCE: Final = 4_000

REGISTRY = """
INSERT INTO party (code, name, street, city, postal_code, roles)
SELECT 'LDS', 'Operator', 'Hlavní 1', 'Brno', '602 00', ARRAY['operator']
 UNION ALL SELECT 'C' || n, 'Odběratel ' || n, 'Dlouhá ' || n, 'Brno', '602 00', ARRAY['customer']
  FROM generate_series(1, %(points)s) n;
INSERT INTO supply_point
       (ean, name, object, street, city, postal_code, commodity, voltage_level, metering_type, operator)
SELECT '8591824' || lpad(n::text, 11, '0'), 'Místo ' || n, 'Areál', 'Dlouhá ' || n, 'Brno', '602 00', 'electricity',
       CASE WHEN n %% 2 = 1 THEN 'VN' ELSE 'NN' END, CASE WHEN n %% 2 = 1 THEN 'B' ELSE 'C2' END,
       (SELECT id FROM party WHERE code = 'LDS')
  FROM generate_series(1, %(points)s) n;
INSERT INTO contract (number, kind, customer, payer, valid)
SELECT 'S/' || n, 'distribution', p.id, p.id, '[2025-01-01,)'::daterange
  FROM generate_series(1, %(points)s) n JOIN party p ON p.code = 'C' || n;
INSERT INTO contract_item
       (contract, supply_point, prices, rate, breaker_phases, breaker_amps, reserved_input_kw, valid, kind)
SELECT c.id, s.id, 'CEZ', CASE n %% 4 WHEN 0 THEN 'D02d' WHEN 2 THEN 'D25d' END, CASE WHEN n %% 2 = 0 THEN 3 END,
       CASE WHEN n %% 2 = 0 THEN 25 END, CASE WHEN n %% 2 = 1 THEN 400 END, '[2025-01-01,)'::daterange, 'distribution'
  FROM generate_series(1, %(points)s) n
  JOIN contract c ON c.number = 'S/' || n
  JOIN supply_point s ON s.ean = '8591824' || lpad(n::text, 11, '0');
INSERT INTO reserved_capacity (supply_point, kind, kw, valid)
SELECT s.id, 'year', 200, '[2025-01-01,)'::daterange FROM supply_point s WHERE voltage_level = 'VN';
INSERT INTO concentrator (id, name, place) VALUES ('bench', 'Bench', 'Brno');
INSERT INTO meter (id, serial, model, commodity, concentrator)
SELECT 'M' || s.id, s.id::text, 'bench', 'electricity', 'bench' FROM supply_point s;
INSERT INTO measuring_point (name, commodity) SELECT 'P' || id, 'electricity' FROM supply_point;
INSERT INTO logical_meter (name, measuring_point, commodity)
SELECT 'L' || s.id, m.id, 'electricity' FROM supply_point s JOIN measuring_point m ON m.name = 'P' || s.id;
INSERT INTO channel (supply_point, point, direction, commodity, unit, exponent, kind, step_ms, logical_meter)
SELECT s.id, 'P' || s.id, d.direction, 'electricity', CASE WHEN d.direction ~ 'R' THEN 'varh' ELSE 'Wh' END, 0,
       d.kind, CASE d.kind WHEN 'interval' THEN 900000 ELSE 0 END, l.id
  FROM supply_point s
  JOIN contract_item i ON i.supply_point = s.id
  JOIN logical_meter l ON l.name = 'L' || s.id
 CROSS JOIN (VALUES ('A+', 'interval', 1), ('A-', 'interval', 1), ('R+', 'interval', 1), ('R-', 'interval', 1),
                    ('JT', 'state', 2), ('VT', 'state', 3), ('NT', 'state', 3)) AS d (direction, kind, shape)
 WHERE d.shape = CASE WHEN i.rate IS NULL THEN 1 WHEN i.rate = 'D02d' THEN 2 ELSE 3 END
 ORDER BY s.id, d.direction;
INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms)
SELECT 'bench', 'M' || c.supply_point, c.direction, c.unit, 0, c.kind, c.step_ms FROM channel c ORDER BY c.id;
INSERT INTO channel_mapping (evidence_channel, channel, valid)
SELECT e.id, c.id, '[2025-01-01,)'::tstzrange FROM channel c
  JOIN evidence_channel e ON e.device = 'M' || c.supply_point AND e.register = c.direction;
INSERT INTO batch (edge, epoch, seq, received_at, evidence_channels) VALUES ('bench', 1, 1, %(now)s, '{}');
INSERT INTO register_reading (at, batch_id, value, evidence_channel, quality, marks)
SELECT at, (SELECT max(id) FROM batch), 1000000 + CASE WHEN at = %(stop)s THEN 300000 + 7 * e.id ELSE 0 END, e.id, 0, 0
  FROM evidence_channel e CROSS JOIN (VALUES (%(start)s::timestamptz), (%(stop)s::timestamptz)) AS border (at)
 WHERE e.kind = 'state'
"""
_PROFILES = """
COPY day_profile (channel, day, version, "values", step_ms, missing, made_at, made_by, batches, digest, total, peak)
FROM STDIN (FORMAT BINARY)
"""
_CHANNELS = """
    SELECT c.id, c.direction FROM channel c WHERE c.kind = 'interval' ORDER BY c.id
"""


def store_points(url: str, points: int) -> None:
    """Registry, profiles and states of so many supply points; a day profile is a row as consolidation writes it."""
    bounds = {"start": DAYS[0].start, "stop": DAYS[-1].end, "now": NOW}
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in REGISTRY.split(";\n"):
            wanted = {name: value for name, value in {**bounds, "points": points}.items() if f"%({name})s" in statement}
            # without parameters a percent sign stands for itself
            connection.execute(statement.encode() if wanted else statement.replace("%%", "%").encode(), wanted or None)
        rows = connection.execute(_CHANNELS.encode()).fetchall()
        channels = np.array([row[0] for row in rows], np.int64)
        sizes = np.array([SIZES[DIRECTIONS.index(row[1])] for row in rows], np.int64)
        for day in DAYS:
            with connection.cursor() as cursor, cursor.copy(_PROFILES.encode()) as copy:
                copy.write(HEADER)
                for low in range(0, len(channels), CHANNELS_AT_ONCE):
                    part = slice(low, low + CHANNELS_AT_ONCE)
                    copy.write(_packed(channels[part], sizes[part], day))
                copy.write(TRAILER)
        connection.execute(b"VACUUM ANALYZE")


def day_values(channels: NDArray[np.int64], sizes: NDArray[np.int64], day: MeteringDay) -> NDArray[np.int32]:
    """Values of a day: a bell over noon, a little other for each channel and day."""
    shape = 50 + 50 * np.sin(np.linspace(0, np.pi, day.length))
    mixed = (channels * 7919 + number_of(day.date) * 104_729) % 1_000
    scale = sizes * (500 + mixed) // 1_000
    values: NDArray[np.int32] = (scale[:, None] * shape[None, :] / 100).astype(np.int32)
    return values


def _packed(channels: NDArray[np.int64], sizes: NDArray[np.int64], day: MeteringDay) -> bytes:
    values, rows = day_values(channels, sizes, day), len(channels)
    ones, zeros = np.ones(rows, np.int64), np.zeros(rows, np.int64)
    made_at = np.full(rows, (NOW - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds() * 1e6, np.int64)
    return pack_rows(
        rows,
        [
            Column("int4", channels),
            Column("date", ones * number_of(day.date) - PG_EPOCH_DAYS),
            Column("int4", ones),
            Column("int4[]", values),
            Column("int4", ones * STEP_MS),
            Column("int2", zeros),
            Column("timestamptz", made_at),
            Column("text", b"bench"),
            Column("int8[]", np.empty((rows, 0), np.int64)),
            Column("bytea", bytes(32)),
            Column("int8", values.sum(axis=1, dtype=np.int64)),
            Column("int4", values.max(axis=1)),
        ],
    )
