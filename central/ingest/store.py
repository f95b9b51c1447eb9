"""One transaction: numbers first, then only what belongs to numbers that are new.

`store` works inside the caller's transaction and commits nothing. A repeated batch changes nothing, so whoever is in
doubt whether a commit happened does it again.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

import msgspec
import numpy as np
import psycopg
from numpy.typing import NDArray

from central.ingest.decode import Number, Prepared
from central.ingest.message import Message, Refusal
from central.ingest.pack import COPY_BLOCK, COPY_READING, PackedRows
from central.ingest.reasons import Reason
from central.platform.copy_binary import HEADER, TRAILER
from shared.wire import signed_epoch

Connection = psycopg.Connection[tuple[Any, ...]]

COPY_SLICE: Final = 256 * 1024

# Sorted, so that two processes that got the same batches wait for each other in the same order.
_INSERT_BATCH: Final = b"""
    INSERT INTO batch (edge, epoch, seq, received_at, evidence_channels, first_start, last_end, consolidated_at)
    SELECT edge, epoch, seq, %s, channels::integer[],
           timestamptz 'epoch' + first_ms * interval '1 millisecond',
           timestamptz 'epoch' + last_ms * interval '1 millisecond',
           CASE WHEN channels = '{}' THEN %s END
    FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[])
         AS new (edge, epoch, seq, channels, first_ms, last_ms)
    ORDER BY edge, epoch, seq
    ON CONFLICT (edge, epoch, seq) DO NOTHING
    RETURNING id, edge, epoch, seq
"""

_CLOSED: Final = b"""
    SELECT b.edge, b.epoch, b.seq
    FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS repeated (edge, epoch, seq)
    JOIN batch b ON b.edge = repeated.edge AND b.epoch = repeated.epoch AND b.seq = repeated.seq
    WHERE b.closed
"""

_INSERT_QUARANTINE: Final = b"""
    INSERT INTO quarantine (received_at, last_received_at, topic, edge, epoch, seq, index, reason_code, reason, body,
                            user_properties, digest)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s)
    ON CONFLICT (edge, epoch, seq, index) DO NOTHING
"""

# A message without a number comes again and again, because nothing acknowledges it: keep it once and count.
_INSERT_UNNUMBERED: Final = b"""
    INSERT INTO quarantine (received_at, last_received_at, topic, edge, epoch, seq, index, reason_code, reason, body,
                            user_properties, digest)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s)
    ON CONFLICT (digest) WHERE digest IS NOT NULL
    DO UPDATE SET times = quarantine.times + 1, last_received_at = excluded.last_received_at
"""

_INSERT_EVENT: Final = b"""
    INSERT INTO edge_event (at, edge, device, kind, data, batch_id, received_at)
    SELECT timestamptz 'epoch' + at_ms * interval '1 millisecond', edge, device, kind, data::jsonb, batch_id, %s
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[])
         AS new (at_ms, edge, device, kind, data, batch_id)
"""


@dataclass(slots=True)
class Stored:
    """What a transaction did."""

    batches: int = 0
    repeated: int = 0
    values: int = 0
    readings: int = 0
    events: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    """By reason code; unnumbered messages too."""


def store(connection: Connection, prepared: Prepared, received_at: datetime, copy_block: str = COPY_BLOCK) -> Stored:
    """Store a prepared transaction; raises psycopg's errors and leaves the transaction to the caller."""
    ids = insert_batches(connection, prepared, received_at)
    stored = Stored(batches=int((ids > 0).sum()))
    stored.repeated = (
        len(prepared.messages) - stored.batches - sum(1 for place, _ in prepared.refusals if place is None)
    )
    fill(connection, prepared, ids, received_at, stored, copy_block)
    repeats = [number for number, batch_id in zip(prepared.numbers, ids.tolist(), strict=True) if not batch_id]
    if repeats:
        _keep_closed(connection, repeats, received_at, stored)
    return stored


def fill(
    connection: Connection,
    prepared: Prepared,
    ids: NDArray[np.int64],
    received_at: datetime,
    stored: Stored,
    copy_block: str = COPY_BLOCK,
) -> None:
    """Store what belongs to the positions that have a batch id (0: none); also unnumbered refusals."""
    stored.values += _copy(connection, copy_block, prepared.blocks, ids)
    stored.readings += _copy(connection, COPY_READING, prepared.readings, ids)
    events = [event for event in prepared.events if ids[event.position]]
    if events:
        columns = zip(*((e.at_ms, e.edge, e.device, e.kind, e.data, int(ids[e.position])) for e in events), strict=True)
        connection.execute(_INSERT_EVENT, [received_at, *map(list, columns)])
        stored.events += len(events)
    refusals = [refusal for place, refusal in prepared.refusals if place is None or ids[place]]
    insert_quarantine(connection, refusals, received_at)
    for refusal in refusals:
        stored.refused[refusal.reason.code] = stored.refused.get(refusal.reason.code, 0) + 1


def insert_batches(connection: Connection, prepared: Prepared, received_at: datetime) -> NDArray[np.int64]:
    """Batch ids by position; 0 where the number was committed before."""
    ids = np.zeros(len(prepared.numbers), np.int64)
    if not prepared.numbers:
        return ids
    epochs = [signed_epoch(number.epoch) for number in prepared.numbers]
    rows = connection.execute(
        _INSERT_BATCH,
        [
            received_at,
            received_at,
            [number.edge for number in prepared.numbers],
            epochs,
            [number.seq for number in prepared.numbers],
            ["{" + ",".join(map(str, channels)) + "}" for channels in prepared.channels],
            prepared.first_ms,
            prepared.last_ms,
        ],
    ).fetchall()
    place = {
        (number.edge, epoch, number.seq): n
        for n, (number, epoch) in enumerate(zip(prepared.numbers, epochs, strict=True))
    }
    for batch_id, edge, epoch, seq in rows:
        ids[place[edge, epoch, seq]] = batch_id
    return ids


def _copy(connection: Connection, statement: str, packed: Sequence[PackedRows], ids: NDArray[np.int64]) -> int:
    """COPY the rows of new batches; returns the number of values."""
    chosen = [(part, rows) for part in packed if len(rows := part.take(ids))]
    if not chosen:
        return 0
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.write(HEADER)
        for _, rows in chosen:
            # In slices, because libpq keeps a copy of each; whole transactions cost their size twice more.
            octets = rows.view(np.uint8).data
            for first in range(0, len(octets), COPY_SLICE):
                copy.write(octets[first : first + COPY_SLICE])
        copy.write(TRAILER)
    return sum(len(rows) * part.values for part, rows in chosen)


def insert_quarantine(connection: Connection, refusals: Iterable[Refusal], received_at: datetime) -> None:
    """Keep what was refused; what is kept already under the same number and index, or the same bytes, stays once."""
    numbered: list[list[Any]] = []
    unnumbered: list[list[Any]] = []
    in_order = sorted(refusals, key=lambda refusal: (refusal.edge or "", refusal.epoch or 0, refusal.seq or 0))
    for refusal in in_order:
        without = refusal.seq is None
        properties = [[_printable(text) for text in item] for item in refusal.message.properties]
        row = [
            received_at,
            received_at,
            _printable(refusal.message.topic),
            refusal.edge,
            None if refusal.epoch is None else signed_epoch(refusal.epoch),
            refusal.seq,
            refusal.index,
            refusal.reason.code,
            _printable(refusal.sentence),
            refusal.message.body if refusal.body is None else refusal.body,
            msgspec.json.encode(properties).decode(),
            digest_of(refusal.message) if without else None,
        ]
        (unnumbered if without else numbered).append(row)
    with connection.cursor() as cursor:
        if numbered:
            cursor.executemany(_INSERT_QUARANTINE, numbered)
        if unnumbered:
            cursor.executemany(_INSERT_UNNUMBERED, sorted(unnumbered, key=itemgetter(-1)))


def digest_of(message: Message) -> bytes:
    """Tells whether a message without a number was here before."""
    head = msgspec.json.encode([message.topic, message.properties])
    return hashlib.sha256(len(head).to_bytes(8, "big") + head + message.body).digest()


def _keep_closed(connection: Connection, repeats: Sequence[Number], received_at: datetime, stored: Stored) -> None:
    """A batch whose number was closed as a hole has come after all: nothing of it is thrown away."""
    by_number = {(number.edge, signed_epoch(number.epoch), number.seq): number for number in repeats}
    columns = [list(column) for column in zip(*by_number, strict=True)]
    refusals = []
    for edge, epoch, seq in connection.execute(_CLOSED, columns).fetchall():
        number = by_number[edge, epoch, seq]
        sentence = (
            f"Batch {seq} of {edge} came after its number had been closed, because a birth no longer held it; "
            "its meters may have been read again: compare, then replay."
        )
        refusals.append(Refusal(number.message, edge, number.epoch, seq, Reason.CLOSED_NUMBER, sentence))
    if refusals:
        insert_quarantine(connection, refusals, received_at)
        stored.refused[Reason.CLOSED_NUMBER.code] = len(refusals)


def _printable(text: str) -> str:
    """PostgreSQL's text has no NUL."""
    return text.replace("\0", "\ufffd")
