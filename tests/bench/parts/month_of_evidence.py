"""A month of evidence of many meters, as ingest would have stored it, with seeded faults that validation must find.

Two channels a meter (active and reactive energy taken), a block a channel and day, a batch a concentrator of 32 meters
and day; January 2026, 31 days of 96 quarter-hours. December is there as profiles, so that rules have a history.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from central.platform.copy_binary import HEADER, PG_EPOCH_DAYS, PG_EPOCH_MS, TRAILER, Column, pack_rows
from shared.quantities import Flag

DAYS: Final = 31
LENGTH: Final = 96
FIRST: Final = date(2026, 1, 1)
FIRST_NUMBER: Final = 20_454
"""Days from 1970-01-01 to FIRST."""
FIRST_MS: Final = 1_767_222_000_000
STEP_MS: Final = 900_000
PER_CONCENTRATOR: Final = 32
FAULTS: Final = ("gap", "negative", "spike", "frozen", "conflict", "clock", "idle", "jump")
"""One meter in a hundred has each of them, on its active channel."""
IDLE: Final = range(5, 26)

_BLOCK = 'COPY block (start, batch_id, evidence_channel, step, marks, "values", quality) FROM STDIN (FORMAT BINARY)'
_PROFILE = (
    'COPY day_profile (channel, day, version, "values", step_ms, missing, made_at, made_by, batches, digest, total, '
    "peak) FROM STDIN (FORMAT BINARY)"
)


@dataclass(frozen=True)
class Month:
    """The seeded month of so many meters."""

    meters: int

    @property
    def channels(self) -> int:
        """Channel 2m is meter m's active one, 2m + 1 its reactive one."""
        return 2 * self.meters

    @property
    def values_count(self) -> int:
        """All intervals of the month."""
        return self.channels * DAYS * LENGTH

    def faulty(self, kind: str) -> NDArray[np.int64]:
        """Meters with this fault."""
        share = max(self.meters // 100, 1)
        return FAULTS.index(kind) * share + np.arange(share, dtype=np.int64)

    def day_of(self, meters: NDArray[np.int64]) -> NDArray[np.int64]:
        """The day of the month, from 0, on which each of these meters has its fault."""
        result: NDArray[np.int64] = 10 + meters % 10
        return result

    def day(self, number: int) -> NDArray[np.int32]:
        """Ordinary values of a day (from 0; December's are below 0) with those faults that are values."""
        generator = np.random.default_rng((self.meters, number + 100))
        phase = (np.arange(self.meters)[:, None] * 0.37 + np.arange(LENGTH) / LENGTH) * 2 * np.pi
        shape = np.sin(phase)
        values = np.empty((self.channels, LENGTH), np.int32)
        values[0::2] = 800 + 500 * shape + generator.integers(0, 100, shape.shape)
        values[1::2] = 200 + 100 * shape + generator.integers(0, 50, shape.shape)
        if number in IDLE:
            values[2 * self.faulty("idle")] = values[2 * self.faulty("idle") + 1] = 0
        for kind, change in _CHANGES.items():
            meters = self.faulty(kind)
            rows = 2 * meters[self.day_of(meters) == number]
            for place, value in change.items():
                values[rows, place] = value
        return values


_CHANGES: Final[Mapping[str, Mapping[int, int]]] = {
    "negative": {50: -7},
    "spike": {60: 14_000},
    "frozen": dict.fromkeys(range(20, 40), 777),
    "jump": {69: 100, 70: 5_500},
}


def store(url: str, month: Month) -> NDArray[np.int64]:
    """Registry, history and evidence into a migrated database; the sums of what is there, (channels, days)."""
    sums = np.zeros((month.channels, DAYS), np.int64)
    with psycopg.connect(url) as connection:
        _store_registry(connection, month)
        _store_history(connection, month)
        for number in range(DAYS):
            sums[:, number] = _store_day(connection, month, number)
        connection.commit()
        connection.autocommit = True
        connection.execute("ANALYZE")
        connection.execute("CHECKPOINT")
    return sums


def _store_registry(connection: psycopg.Connection[Any], month: Month) -> None:
    statements = [
        "INSERT INTO concentrator (id, name, place) SELECT 'C' || n, 'C' || n, '' "
        "FROM generate_series(0, (%(meters)s - 1) / %(share)s) n",
        "INSERT INTO meter (id, serial, model, commodity, concentrator) "
        "SELECT 'M' || n, n, 'bench', 'electricity', 'C' || n / %(share)s FROM generate_series(0, %(meters)s - 1) n",
        "INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms) "
        "SELECT 'C' || n / 2 / %(share)s, 'M' || n / 2, 'r' || n %% 2, (ARRAY['Wh', 'varh'])[n %% 2 + 1], 0, "
        "'interval', %(step)s FROM generate_series(0, 2 * %(meters)s - 1) n ORDER BY n",
        "INSERT INTO party (code, name, roles, street, city, postal_code) "
        "VALUES ('LDS', 'B', '{operator}', '', '', '')",
        "INSERT INTO supply_point (ean, name, object, street, city, postal_code, commodity, voltage_level, "
        "metering_type, operator) SELECT to_char(859182400000000000 + n, 'FM000000000000000000'), 'P' || n, '', '', "
        "'', '', 'electricity', 'NN', 'C1', (SELECT id FROM party) "
        "FROM generate_series(0, %(meters)s - 1) n ORDER BY n",
        "INSERT INTO contract (number, kind, customer, payer, valid) "
        "SELECT 'S', 'distribution', id, id, '[2020-01-01,)' FROM party",
        "INSERT INTO contract_item (contract, supply_point, prices, rate, breaker_phases, breaker_amps, valid) "
        "SELECT (SELECT id FROM contract), id, 'LDS', 'C02d', 3, 25, '[2020-01-01,)' FROM supply_point",
        "INSERT INTO channel (supply_point, point, direction, commodity, unit, exponent, kind, step_ms) "
        "SELECT sp.id, sp.name, direction, 'electricity', unit, 0, 'interval', %(step)s FROM supply_point sp "
        "CROSS JOIN (VALUES ('A+', 'Wh', 0), ('R+', 'varh', 1)) AS kind (direction, unit, place) "
        "ORDER BY sp.id, place",
        "INSERT INTO channel_mapping (evidence_channel, channel, valid, consolidated_at) "
        "SELECT e.id, c.id, '[2020-01-01,)', now() FROM (SELECT id, row_number() OVER (ORDER BY id) AS n "
        "FROM evidence_channel) e JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM channel) c USING (n)",
    ]
    for statement in statements:
        connection.execute(statement, {"meters": month.meters, "share": PER_CONCENTRATOR, "step": STEP_MS})


def _store_history(connection: psycopg.Connection[Any], month: Month) -> None:
    """December's profiles; their digests are not read by anybody here."""
    with connection.cursor() as cursor, cursor.copy(_PROFILE) as copy:
        copy.write(HEADER)
        for number in range(-DAYS, 0):
            values = month.day(number)
            rows = len(values)
            columns = [
                Column("int4", np.arange(1, rows + 1)),
                Column("date", np.full(rows, FIRST_NUMBER + number - PG_EPOCH_DAYS)),
                Column("int4", np.ones(rows, np.int32)),
                Column("int4[]", values),
                Column("int4", np.full(rows, STEP_MS)),
                Column("int2", np.zeros(rows, np.int16)),
                Column("timestamptz", np.zeros(rows, np.int64)),
                Column("text", b"bench"),
                Column("int8[]", np.ones((rows, 1), np.int64)),
                Column("bytea", np.zeros((rows, 32), np.uint8)),
                Column("int8", values.sum(axis=1, dtype=np.int64)),
                Column("int4", values.max(axis=1)),
            ]
            copy.write(pack_rows(rows, columns))
        copy.write(TRAILER)


def _store_day(connection: psycopg.Connection[Any], month: Month, number: int) -> NDArray[np.int64]:
    """Batches and blocks of one day; the sums of its values."""
    values = month.day(number)
    start = FIRST_MS + number * LENGTH * STEP_MS
    owner = np.arange(month.channels) // (2 * PER_CONCENTRATOR)
    batches = _batches(connection, number + 1, owner, start)
    first_batch = batches[owner]
    special = np.zeros(month.channels, np.bool_)
    parts = []
    for kind in ("gap", "clock"):
        meters = month.faulty(kind)
        rows = 2 * meters[month.day_of(meters) == number]
        special[rows] = True
        if kind == "gap":
            parts += [(rows, values[rows, :40], 0, None), (rows, values[rows, 44:], 44, None)]
            values[rows, 40:44] = 0
        else:
            flags = np.zeros((len(rows), LENGTH), np.int32)
            flags[:, 8:12] = int(Flag.CLOCK_INVALID)
            parts.append((rows, values[rows], 0, flags))
    usual = np.flatnonzero(~special)
    parts.append((usual, values[usual], 0, None))
    blocks = [
        _pack(rows, given, start + place * STEP_MS, first_batch[rows], flags) for rows, given, place, flags in parts
    ]
    meters = month.faulty("conflict")
    rows = 2 * meters[month.day_of(meters) == number]
    if len(rows):
        second = _batches(connection, 1_000 + number, owner, start, only=np.unique(owner[rows]))
        values[rows, 30] += 1
        blocks.append(_pack(rows, values[rows, 30:31], start + 30 * STEP_MS, second[owner[rows]], None))
    with connection.cursor() as cursor, cursor.copy(_BLOCK) as copy:
        copy.write(HEADER)
        for block in blocks:
            copy.write(block)
        copy.write(TRAILER)
    return values.sum(axis=1, dtype=np.int64)


def _batches(
    connection: psycopg.Connection[Any],
    seq: int,
    owner: NDArray[np.int64],
    start: int,
    only: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """A batch a concentrator: ids by the concentrator's number."""
    numbers = np.unique(owner) if only is None else only
    rows = connection.execute(
        """
        INSERT INTO batch (edge, epoch, seq, received_at, evidence_channels, first_start, last_end)
        SELECT 'C' || n, 1, %(seq)s, to_timestamp(%(end)s),
               ARRAY(SELECT generate_series(n * %(size)s + 1, least((n + 1) * %(size)s, %(most)s))),
               to_timestamp(%(start)s), to_timestamp(%(end)s)
        FROM unnest(%(numbers)s::integer[]) AS n ORDER BY n
        RETURNING substr(edge, 2)::integer, id
        """,
        {
            "seq": seq,
            "size": 2 * PER_CONCENTRATOR,
            "most": len(owner),
            "start": start // 1000,
            "end": (start + LENGTH * STEP_MS) // 1000,
            "numbers": numbers.tolist(),
        },
    ).fetchall()
    ids = np.zeros(int(owner.max()) + 1, np.int64)
    for number, identifier in rows:
        ids[number] = identifier
    return ids


def _pack(
    rows: NDArray[np.int64],
    values: NDArray[np.int32],
    start_ms: int,
    batch: NDArray[np.int64],
    flags: NDArray[np.int32] | None,
) -> bytes:
    count = len(rows)
    if not count:
        return b""
    return pack_rows(
        count,
        [
            Column("timestamptz", np.full(count, (start_ms - PG_EPOCH_MS) * 1000)),
            Column("int8", batch),
            Column("int4", rows + 1),
            Column("int4", np.full(count, STEP_MS)),
            Column("int2", np.zeros(count, np.int16)),
            Column("int4[]", values),
            Column("int4[]", flags),
        ],
    )


def expected_findings(month: Month) -> Iterator[tuple[str, set[tuple[int, int]]]]:
    """By rule the (channel, day from 0) that must be found, whatever else is."""
    rules = {
        "missing": "gap",
        "negative": "negative",
        "spike": "spike",
        "frozen": "frozen",
        "conflict": "conflict",
        "clock": "clock",
        "jump": "jump",
    }
    for rule, kind in rules.items():
        meters = month.faulty(kind)
        yield rule, set(zip((2 * meters + 1).tolist(), month.day_of(meters).tolist(), strict=True))
    idle = (2 * month.faulty("idle") + 1).tolist()
    # Fourteen days without use are let pass at low voltage: the fourteenth is found.
    yield "zero", {(channel, day) for channel in idle for day in IDLE if day >= IDLE.start + 13}
