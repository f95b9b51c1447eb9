"""Routes of ingest: quarantine with its replay, and what concentrators reported."""

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Row, select

from central.ingest import quarantine
from central.ingest.quarantine import Filter
from central.ingest.replay import Replayed, replay
from central.ingest.tables import edge_event
from central.platform import audit
from central.platform.errors import DomainError
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from shared.clock import EPOCH
from shared.wire import Block, unsigned_epoch

router = APIRouter(prefix="/v1", tags=["ingest"])

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
Text = Annotated[str | None, Query(max_length=200, pattern="^[^\\x00]*$")]


class EntryOut(BaseModel):
    """What could not be taken. `index` is the block's place in its batch, -1 for a whole message."""

    id: int
    received_at: AwareDatetime
    last_received_at: AwareDatetime
    times: int
    topic: str
    edge: str | None
    epoch: str | None
    """16 hexadecimal digits, as on the wire."""
    seq: int | None
    index: int
    reason_code: str
    reason: str
    size: int
    discarded_at: AwareDatetime | None
    discarded_by: str | None
    discard_reason: str | None


class BlockOut(BaseModel):
    """A block inside an entry, as it was delivered."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    device: str
    register_: Annotated[str, Field(alias="register")]
    unit: str
    exponent: int
    kind: str
    start: AwareDatetime | None
    """None when the instant is outside of any calendar."""
    start_ms: int
    step_ms: int
    values: list[int]
    quality: list[int] | None


class EntryDetailOut(EntryOut):
    """An entry with its bytes and, where they can be decoded, the first of its blocks."""

    user_properties: list[list[str]]
    body_base64: str
    blocks: list[BlockOut] | None


class QuarantineOut(BaseModel):
    """Entries oldest first; `counts` are of all that match, by reason."""

    counts: dict[str, int]
    items: list[EntryOut]


class ReplayedOut(BaseModel):
    """What a replay took in, and what of a whole message went back to quarantine, by reason."""

    id: int
    batch_id: int
    values: int
    readings: int
    events: int
    refused: dict[str, int]


class ReplayIn(BaseModel):
    """Which entries to replay."""

    model_config = ConfigDict(extra="forbid")

    edge: str | None = Field(default=None, max_length=200, pattern="^[^\\x00]*$")
    reason: str | None = Field(default=None, max_length=200, pattern="^[^\\x00]*$")
    after: int = Field(default=0, ge=0, le=2**63 - 1)
    limit: int = Field(default=1000, ge=1, le=10_000)


class DiscardIn(BaseModel):
    """Why an entry is given up."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, pattern="^[^\\x00]+$")


class KeptOut(BaseModel):
    """An entry that is still refused."""

    id: int
    code: str
    message: str


class ReplayManyOut(BaseModel):
    """What was replayed and what stays; `last_id` to go on from when there were more than the limit."""

    replayed: list[ReplayedOut]
    kept: list[KeptOut]
    last_id: int


class EventOut(BaseModel):
    """Something that happened at a meter or an agent."""

    id: int
    at: AwareDatetime
    edge: str
    device: str
    kind: str
    data: dict[str, Any]
    batch_id: int | None
    received_at: AwareDatetime


@router.get("/quarantine")
def list_quarantine(
    connection: Db,
    _: Reader,
    edge: Text = None,
    reason: Text = None,
    after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    discarded: bool = False,
) -> QuarantineOut:
    """What could not be taken, and how much of it for which reason; `discarded` shows what was given up instead."""
    chosen = Filter(edge, reason, discarded)
    rows = quarantine.find(connection, chosen, after, limit)
    return QuarantineOut(
        counts=quarantine.count_by_reason(connection, chosen), items=[EntryOut(**_entry(row)) for row in rows]
    )


@router.get("/quarantine/{entry_id}")
def get_quarantine(entry_id: Id, connection: Db, _: Reader) -> EntryDetailOut:
    """One entry with its bytes."""
    row = quarantine.get(connection, entry_id)
    body = bytes(row.body)
    blocks = quarantine.look_inside(body)
    return EntryDetailOut(
        **_entry(row),
        size=len(body),
        user_properties=row.user_properties,
        body_base64=base64.b64encode(body).decode(),
        blocks=None if blocks is None else [_block(block) for block in blocks],
    )


@router.post("/quarantine/{entry_id}/replay")
def replay_one(entry_id: Id, connection: Db, clock: Now, person: Operator) -> ReplayedOut:
    """Take an entry in, if its cause is mended: 409 with the reason while it is not."""
    now = clock.now()
    replayed = replay(connection, entry_id, now)
    result = _replayed(replayed)
    audit.record(connection, person, "quarantine.replay", f"quarantine/{entry_id}", result.model_dump(), now)
    return result


@router.post("/quarantine/{entry_id}/discard")
def discard_one(entry_id: Id, given: DiscardIn, connection: Db, clock: Now, person: Operator) -> EntryOut:
    """Give an entry up: it leaves the counts and stays readable with its bytes, who discarded it and why."""
    now = clock.now()
    row = quarantine.discard(connection, entry_id, person.name, given.reason, now)
    details = {"reason": given.reason, "refused_for": row.reason_code, "edge": row.edge, "size": len(bytes(row.body))}
    audit.record(connection, person, "quarantine.discard", f"quarantine/{entry_id}", details, now)
    return EntryOut(**_entry(row), size=len(bytes(row.body)))


@router.post("/quarantine/replay")
def replay_many(chosen: ReplayIn, connection: Db, clock: Now, person: Operator) -> ReplayManyOut:
    """Take in all entries of an edge or a reason whose cause is mended; the others stay, each with its reason."""
    now = clock.now()
    done: list[ReplayedOut] = []
    kept: list[KeptOut] = []
    last = chosen.after
    for row in quarantine.find(connection, Filter(chosen.edge, chosen.reason), chosen.after, chosen.limit):
        last = row.id
        try:
            with connection.begin_nested():
                done.append(_replayed(replay(connection, row.id, now)))
        except DomainError as error:
            kept.append(KeptOut(id=row.id, code=error.code, message=error.message))
    details = {"edge": chosen.edge, "reason": chosen.reason, "replayed": [one.id for one in done], "kept": len(kept)}
    audit.record(connection, person, "quarantine.replay_many", "quarantine", details, now)
    return ReplayManyOut(replayed=done, kept=kept, last_id=last)


@router.get("/edge-events")
def list_edge_events(
    connection: Db,
    _: Reader,
    edge: Text = None,
    kind: Text = None,
    after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[EventOut]:
    """Meter events, gaps, clock corrections and closed holes, in the order in which they came."""
    query = select(edge_event).where(edge_event.c.id > after).order_by(edge_event.c.id).limit(limit)
    if edge is not None:
        query = query.where(edge_event.c.edge == edge)
    if kind is not None:
        query = query.where(edge_event.c.kind == kind)
    return [EventOut(**row._mapping) for row in connection.execute(query)]


def _entry(row: Row[Any]) -> dict[str, Any]:
    found = {name: value for name, value in row._mapping.items() if name in EntryOut.model_fields}
    found["epoch"] = None if row.epoch is None else f"{unsigned_epoch(row.epoch):016x}"
    return found


def _block(block: Block) -> BlockOut:
    try:
        start = EPOCH.fromtimestamp(block.start_ms / 1000, EPOCH.tzinfo)
    except (OverflowError, ValueError, OSError):
        start = None
    return BlockOut(
        device=block.key.device,
        register_=block.key.register,
        unit=block.key.unit,
        exponent=block.key.exponent,
        kind=block.key.kind,
        start=start,
        start_ms=block.start_ms,
        step_ms=block.step_ms,
        values=list(block.values),
        quality=None if block.quality is None else list(block.quality),
    )


def _replayed(replayed: Replayed) -> ReplayedOut:
    stored = replayed.stored
    return ReplayedOut(
        id=replayed.id,
        batch_id=replayed.batch_id,
        values=stored.values,
        readings=stored.readings,
        events=stored.events,
        refused=stored.refused,
    )
