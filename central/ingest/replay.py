"""Replay of quarantine: the ordinary checks again, stored and deleted from quarantine in one transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import psycopg
from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.types import Integer

from central.ingest.check import milliseconds
from central.ingest.decode import Prepared, prepare
from central.ingest.message import Message, Refusal
from central.ingest.reasons import WHOLE_BODY
from central.ingest.registry import Registry
from central.ingest.store import Stored, fill, insert_batches
from central.ingest.tables import batch, quarantine
from central.platform.errors import NotFound, Refused
from shared.clock import EPOCH
from shared.wire import signed_epoch


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay stored, and under which batch."""

    id: int
    batch_id: int
    stored: Stored


def replay(connection: Connection, entry_id: int, at: datetime) -> Replayed:
    """Take an entry in as if it had come now; raises NotFound, or Refused with the reason while it is still bad.

    Its values go under the batch that it came with, which is consolidated again. A whole body may hold blocks that
    are bad for themselves: those become entries of their own.
    """
    entry = connection.execute(select(quarantine).where(quarantine.c.id == entry_id).with_for_update()).first()
    if entry is None:
        raise NotFound(
            "quarantine_not_found", f"There is no entry {entry_id} in quarantine; it may be replayed already."
        )
    if entry.discarded_at is not None:
        raise Refused("discarded", f"Entry {entry_id} was discarded by {entry.discarded_by}: {entry.discard_reason}")
    properties = [(str(name), str(value)) for name, value in entry.user_properties]
    message = Message(entry.topic, bytes(entry.body), properties)
    raw = _psycopg(connection)
    prepared, _ = prepare([message], Registry(raw, listen=False), milliseconds(at))
    _require_good(entry_id, int(entry._mapping["index"]), prepared)  # Row has a method of that name
    connection.execute(delete(quarantine).where(quarantine.c.id == entry_id))
    batch_id = _batch_id(connection, raw, prepared, at)
    stored = Stored()
    try:
        with raw.transaction():
            fill(raw, prepared, np.array([batch_id], np.int64), at, stored)
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.InternalError) as error:
        raise Refused("still_refused", f"Entry {entry_id} cannot be stored: {error}.") from None
    if prepared.channels[0]:
        _widen(connection, batch_id, prepared)
    return Replayed(entry_id, batch_id, stored)


def _psycopg(connection: Connection) -> "psycopg.Connection[Any]":
    driver: psycopg.Connection[Any] | None = connection.connection.driver_connection
    assert driver is not None
    return driver


def _require_good(entry_id: int, index: int, prepared: Prepared) -> None:
    """A refused block stays as a whole; a body stays when it cannot be read, has no number, or holds nothing good."""
    refusals = [refusal for _, refusal in prepared.refusals]
    something = bool(prepared.blocks or prepared.readings or prepared.events)
    whole = next((refusal for refusal in refusals if refusal.index == WHOLE_BODY), None)
    if whole is not None:
        raise _refused(entry_id, whole)
    if refusals and (index != WHOLE_BODY or not something):
        raise _refused(entry_id, refusals[0])


def _refused(entry_id: int, refusal: Refusal) -> Refused:
    return Refused(refusal.reason.code, f"Entry {entry_id} stays in quarantine: {refusal.sentence}")


def _batch_id(connection: Connection, raw: "psycopg.Connection[Any]", prepared: Prepared, at: datetime) -> int:
    """The batch whose number was committed when the entry was kept."""
    number = prepared.numbers[0]
    found = connection.scalar(
        select(batch.c.id)
        .where(batch.c.edge == number.edge, batch.c.epoch == signed_epoch(number.epoch), batch.c.seq == number.seq)
        .with_for_update()
    )
    return int(found) if found is not None else int(insert_batches(raw, prepared, at)[0])


def _widen(connection: Connection, batch_id: int, prepared: Prepared) -> None:
    """Let consolidation look at the batch once more, with the channels that it has now."""
    first, last = prepared.first_ms[0], prepared.last_ms[0]
    assert first is not None and last is not None
    channels = func.unnest(batch.c.evidence_channels.op("||")(array(prepared.channels[0], type_=Integer)))
    each = select(channels.label("channel")).distinct().correlate(batch).subquery()
    together = select(func.array_agg(each.c.channel, type_=ARRAY(Integer))).scalar_subquery()
    connection.execute(
        update(batch)
        .where(batch.c.id == batch_id)
        .values(
            evidence_channels=together,
            first_start=func.least(batch.c.first_start, _instant(first)),
            last_end=func.greatest(batch.c.last_end, _instant(last)),
            consolidated_at=None,
            closed=False,
        )
    )


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, EPOCH.tzinfo)
