"""Blocks out of and day profiles into the database by binary COPY."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.pq import ExecStatus
from sqlalchemy import Connection

from central.platform.arrays import int_array
from central.platform.copy_binary import (
    HEADER,
    PG_EPOCH_DAYS,
    PG_EPOCH_MS,
    TRAILER,
    Array,
    Column,
    pack_rows,
    unpack_rows,
)
from central.readings.assemble import Blocks
from central.readings.calendar import Ints, date_of, from_ms, to_ms
from central.readings.completeness_counts import count_replaced, record_counts
from central.readings.touched import Spans
from shared.quantities import MISSING_VALUE

_BLOCKS = """
COPY (
    SELECT b.evidence_channel, b.start, b.step, b.batch_id, b."values", b.quality
    FROM (
        SELECT evidence_channel, 'epoch'::timestamptz + begin_ms * interval '1 millisecond' AS begin,
               'epoch'::timestamptz + end_ms * interval '1 millisecond' AS finish
        FROM unnest(%s::integer[], %s::bigint[], %s::bigint[]) AS given (evidence_channel, begin_ms, end_ms)
    ) span
    JOIN block b ON b.evidence_channel = span.evidence_channel AND b.start >= span.begin AND b.start < span.finish
    WHERE b.start >= %s AND b.start < %s
      AND NOT EXISTS (SELECT FROM batch r WHERE r.id = b.batch_id AND r.revoked_at IS NOT NULL)
) TO STDOUT (FORMAT BINARY)
"""
_BLOCK_TYPES = ("int4", "timestamptz", "int4", "int8", "int4[]", "int4[]")

_PROFILES = """
COPY day_profile (channel, day, version, "values", quality, method, step_ms, missing, made_at, made_by, batches, digest,
                  base_digest, late, total, peak)
FROM STDIN (FORMAT BINARY)
"""

# Versions packed at a time: bounds the memory beside the values themselves to some 10 MB.
_ROWS = 4_096


def driver(connection: Connection) -> psycopg.Connection[Any]:
    """The psycopg connection under an SQLAlchemy one, in the same transaction."""
    raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # psycopg is the driver
    return raw


def copy_out(connection: Connection, statement: str, parameters: Sequence[Any] | Mapping[str, Any]) -> bytes:
    """Everything a COPY ... TO STDOUT gives."""
    raw = driver(connection)
    parts: list[Any] = []
    with raw.cursor() as cursor, cursor.copy(statement, parameters) as copy:
        while part := copy.read():
            parts.append(part)
            # What has arrived is taken from libpq as it lies there: the driver's way costs 5 us more for each row.
            size, part = raw.pgconn.get_copy_data(1)
            while size > 0:
                parts.append(part)
                size, part = raw.pgconn.get_copy_data(1)
            if size < 0:
                while result := raw.pgconn.get_result():
                    if result.status != ExecStatus.COMMAND_OK:
                        raise psycopg.errors.error_from_result(result)
                break
    return b"".join(parts)


def read_blocks(connection: Connection, spans: Spans) -> list[Blocks]:
    """All blocks that begin within the spans, in groups of equal length."""
    if not len(spans.evidence):
        return []
    parameters = (
        *(int_array(column) for column in (spans.evidence, spans.from_ms, spans.to_ms)),
        from_ms(int(spans.from_ms.min())),
        from_ms(int(spans.to_ms.max())),
    )
    groups = []
    for columns in unpack_rows(copy_out(connection, _BLOCKS, parameters), _BLOCK_TYPES):
        evidence, start, step, batch, values, flags = columns
        assert evidence is not None and start is not None and step is not None and batch is not None
        if values is None or values.shape[1] == 0:
            continue
        groups.append(
            Blocks(
                evidence.astype(np.int64),
                start // 1000 + PG_EPOCH_MS,
                step.astype(np.int64),
                batch,
                values,
                flags,
            )
        )
    return groups


class ProfileWriter:
    """Gathers new versions and copies them in at the end, rows of equal layout together."""

    def __init__(self, made_at: datetime, made_by: str, *, followed: bool = True) -> None:
        """With `followed`, virtual meters above the written days are computed anew afterwards."""
        self._followed = followed
        self._noted_at = made_at
        self._made_at = (to_ms(made_at) - PG_EPOCH_MS) * 1000 + made_at.microsecond % 1000
        self._made_by = made_by.encode()
        self._groups: dict[tuple[int, bool, bool, int, bool], list[tuple[Any, ...]]] = {}
        self.count = 0

    def add(
        self,
        channel: int,
        day_number: int,
        version: int,
        step_ms: int,
        values: NDArray[np.int32],
        quality: NDArray[np.int16] | None,
        method: NDArray[np.int16] | None,
        missing: int,
        batches: Ints,
        digest: bytes,
        base_digest: bytes | None = None,
        *,
        late: bool = False,
    ) -> None:
        """One new version of one day.

        `base_digest` is the digest of the content before estimation, None where nothing was estimated; `late` says
        that the day was closed before.
        """
        layout = (len(values), quality is not None, method is not None, len(batches), base_digest is not None)
        row = (channel, day_number, version, step_ms, missing, values, quality, method, batches, digest)
        self._groups.setdefault(layout, []).append((*row, base_digest, late))
        self.count += 1

    def write(self, connection: Connection) -> None:
        """COPY all of them; a version that another process has written meanwhile raises UniqueViolation."""
        if not self.count:
            return
        with driver(connection).cursor() as cursor, cursor.copy(_PROFILES) as copy:
            copy.write(HEADER)
            for layout, rows in self._groups.items():
                for low in range(0, len(rows), _ROWS):
                    copy.write(self._pack(rows[low : low + _ROWS], *layout[1:]))
            copy.write(TRAILER)
        if self._followed:
            self._note(connection)
        self._record_counts(connection)

    def _record_counts(self, connection: Connection) -> None:
        """Completeness hears of every version in the transaction that makes it."""
        heads = [(*row[:3], row[4]) for rows in self._groups.values() for row in rows]
        channels, numbers, versions, missing = np.array(heads, np.int64).T
        replaced = [
            count_replaced([row[6] for row in rows[low : low + _ROWS]])
            if layout[1]
            else np.zeros(len(rows[low : low + _ROWS]), np.int64)
            for layout, rows in self._groups.items()
            for low in range(0, len(rows), _ROWS)
        ]
        record_counts(connection, channels, numbers, versions, missing, np.concatenate(replaced))

    def _note(self, connection: Connection) -> None:
        """Put the days into the work list of the formulas. Whether any formula needs them is asked later, by who takes
        the work: here a formula that is just being entered could not be seen."""
        channels: dict[int, list[int]] = {}
        for rows in self._groups.values():
            for row in rows:
                channels.setdefault(row[1], []).append(row[0])
        with driver(connection).cursor() as cursor:
            cursor.executemany(
                "INSERT INTO formula_work (day, channels, due) VALUES (%s, %s::integer[], %s)",
                [(date_of(number), sorted(each), self._noted_at) for number, each in sorted(channels.items())],
            )

    def _pack(
        self, rows: list[tuple[Any, ...]], has_quality: bool, has_method: bool, batches: int, has_base: bool
    ) -> bytes:
        channel, day, version, step, missing, values, quality, method, used, digest, base, late = zip(
            *rows, strict=True
        )
        matrix = np.stack(values)
        used_array: Array = np.stack(used) if batches else np.empty((len(rows), 0), np.int64)
        return pack_rows(
            len(rows),
            [
                Column("int4", np.array(channel)),
                Column("date", np.array(day) - PG_EPOCH_DAYS),
                Column("int4", np.array(version)),
                Column("int4[]", matrix),
                Column("int2[]", np.stack(quality) if has_quality else None),
                Column("int2[]", np.stack(method) if has_method else None),
                Column("int4", np.array(step)),
                Column("int2", np.array(missing)),
                Column("timestamptz", np.full(len(rows), self._made_at)),
                Column("text", self._made_by),
                Column("int8[]", used_array),
                Column("bytea", _digests(digest)),
                Column("bytea", _digests(base) if has_base else None),
                Column("bool", np.array(late)),
                Column("int8", np.where(matrix == MISSING_VALUE, 0, matrix).sum(axis=1, dtype=np.int64)),
                Column("int4", matrix.max(axis=1)),
            ],
        )


def _digests(digests: Sequence[bytes]) -> Array:
    return np.frombuffer(b"".join(digests), np.uint8).reshape(len(digests), 32)
