"""Routes of acts on meters: mounting, removal, exchange; transformers of a point, with the mappings behind them."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from central.documents import api as documents_api
from central.documents import files
from central.network.continuation import split_mappings
from central.network.point_tables import measuring_point
from central.network.points import require_point
from central.network.points_api import TransformerIn, TransformerOut
from central.network.transformers import find_transformers, ratio_at, set_transformers
from central.network.web import Body, Identifier, Instant, Operator, Reader, Reason, Store, Text, Tree
from central.platform import audit
from central.platform.change import Confirmed, Preview, PreviewOnly, look, sentence, weigh
from central.platform.overview import Asked, Column, Kind, Overview
from central.platform.web import Db, Now
from central.workflow import meter_acts
from central.workflow.tables import meter_act
from central.workflow.work_order_tables import work_order

router = APIRouter()

ACTS = Overview(
    "acts on meters",
    source=meter_act,
    joined=meter_act.outerjoin(measuring_point, measuring_point.c.id == meter_act.c.measuring_point).outerjoin(
        work_order, work_order.c.id == meter_act.c.work_order
    ),
    key=meter_act.c.id,
    columns=(
        Column("id", meter_act.c.id, Kind.INTEGER),
        Column("kind", meter_act.c.kind, Kind.CHOICE, ("mounting", "removal", "exchange")),
        Column("measuring_point", measuring_point.c.name),
        Column("at", meter_act.c.at, Kind.INSTANT),
        Column("removed", meter_act.c.removed),
        Column("mounted", meter_act.c.mounted),
        Column("reason", meter_act.c.reason),
        Column("made_at", meter_act.c.made_at, Kind.INSTANT),
        Column("made_by", meter_act.c.made_by),
        Column("work_order", work_order.c.number),
    ),
    default_sort=(("at", True),),
)

Value = Annotated[int, Field(ge=0, lt=10**18)]


class StateIn(Body):
    """What a register showed, in its last digit."""

    register_: Annotated[str, Field(alias="register", min_length=1, max_length=64)]
    value: Value
    rollover: bool = False


class NewSeal(Body):
    """A seal that is put on."""

    number: Text
    kind: Literal["terminal", "meter", "transformer", "cabinet", "breaker"] = "terminal"


class DocumentOf(Body):
    """A stored document that belongs to the act."""

    document: Identifier
    role: Literal["photo", "other"] = "photo"


class RemovedIn(Body):
    """The meter that is taken down: final states of what is settled, seals that are taken off."""

    meter: Text
    states: Annotated[list[StateIn], Field(default_factory=list, max_length=64)]
    seals: Annotated[list[Text], Field(default_factory=list, max_length=64)]


class AttachmentOf(Body):
    """Where the mounted meter answers."""

    concentrator: Text
    bus: Text
    address: Tree
    channel: Annotated[int, Field(ge=0, le=255)] = 0
    overrides: Tree = Field(default_factory=dict)


class MountedIn(Body):
    """The meter that is hung: initial states of what is settled, new seals, where it answers, what is settled."""

    meter: Text
    template: Text
    states: Annotated[list[StateIn], Field(default_factory=list, max_length=64)]
    seals: Annotated[list[NewSeal], Field(default_factory=list, max_length=64)]
    attachment: AttachmentOf | None = None
    directions: list[Literal["A+", "A-", "R+", "R-", "V", "VT", "NT", "JT"]] | None = None
    supply_point: Text | None = None


class _Act(Body):
    at: Instant
    reason: Reason
    work_order: Text | None = Field(default=None, description="number of the order under way that the act carries out")
    documents: Annotated[list[DocumentOf], Field(default_factory=list, max_length=64)]


class MountingIn(_Act):
    """A meter is hung."""

    mounted: MountedIn


class RemovalIn(_Act):
    """A meter is taken down."""

    removed: RemovedIn


class ExchangeIn(_Act):
    """A meter takes another's place."""

    removed: RemovedIn
    mounted: MountedIn


class ActRow(BaseModel):
    """An act as listed."""

    id: int
    kind: str
    measuring_point: str
    at: datetime
    removed: str | None
    mounted: str | None
    reason: str
    made_at: datetime
    made_by: str
    work_order: str | None


class DocumentOfAct(documents_api.DocumentOut):
    """A document of the act and what it is there."""

    role: str


class ActOut(ActRow):
    """An act with states, what was and is fed, and its documents."""

    facts: dict[str, Any]
    documents: list[DocumentOfAct]


class TouchedOut(BaseModel):
    """Things of one kind that a change would touch, over which days (`until` exclusive)."""

    room: str
    kind: str
    count: int
    since: date | None
    until: date | None
    examples: list[str]


class Consequences(BaseModel):
    """What a change of a point's meter would touch, and the sentences that refuse it."""

    touched: list[TouchedOut]
    refused: list[str]


class TransformersIn(Body):
    """All instrument transformers of a point from `since` on; none: direct metering."""

    since: Instant
    transformers: Annotated[list[TransformerIn], Field(max_length=6)]
    reason: Reason


class TransformersOut(BaseModel):
    """The transformers, what they multiply by, and the channels whose mappings go on with that."""

    multiplier: int
    channels: list[int]
    transformers: list[TransformerOut]


@router.post("/measuring-points/{name:path}/mounting", status_code=201, summary="Hang a meter")
def mount(connection: Db, person: Operator, clock: Now, store: Store, name: str, body: MountingIn) -> ActOut:
    """With initial states, seals, its address and what it feeds; a managed concentrator reads it from then on."""
    return _change(connection, store, name, body, None, body.mounted, person, clock.now())


@router.post("/measuring-points/{name:path}/removal", status_code=201, summary="Take a meter down")
def remove(connection: Db, person: Operator, clock: Now, store: Store, name: str, body: RemovalIn) -> ActOut:
    """With final states and seals. Refused while the supply point is billed."""
    return _change(connection, store, name, body, body.removed, None, person, clock.now())


@router.post("/measuring-points/{name:path}/exchange", status_code=201, summary="Exchange a meter")
def exchange(connection: Db, person: Operator, clock: Now, store: Store, name: str, body: ExchangeIn) -> ActOut:
    """Final and initial states, seals, documents; the channels go on, so profiles and bills run through it."""
    return _change(connection, store, name, body, body.removed, body.mounted, person, clock.now())


@router.post("/measuring-points/{name:path}/transformers", status_code=201, summary="Set instrument transformers")
def put_transformers(
    connection: Db,
    person: Operator,
    clock: Now,
    name: str,
    body: TransformersIn,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> TransformersOut | Preview:
    """Those until then end; mappings at the point end too and go on with the new multiplier.

    With `preview=true` only says what would be touched.
    """
    require_point(connection, name, lock=True)
    now, factor_before = clock.now(), ratio_at(connection, name, body.since)
    before = [TransformerOut(**row).model_dump() for row in find_transformers(connection, point=name, at=body.since)]
    specs = [each.model_dump() for each in body.transformers]
    change = meter_acts.change_at(connection, name, "transformers", "set", body.since)
    if preview:
        return look(connection, change, {"transformers": before}, {"transformers": specs})
    touched = weigh(connection, change, confirmed=confirmed)
    factor = set_transformers(connection, name, specs, body.since)
    channels = split_mappings(connection, name, factor_before, factor, body.since)
    found = [TransformerOut(**row) for row in find_transformers(connection, point=name, at=body.since)]
    audit.record(
        connection,
        person,
        "transformers.set",
        f"measuring_point/{name}",
        {
            "since": body.since.isoformat(),
            "multiplier": factor,
            "channels": channels,
            "touched": [sentence(each) for each in touched],
        },
        now,
        before={"multiplier": factor_before, "transformers": before},
        after={"multiplier": factor, "transformers": [each.model_dump() for each in found]},
        why=body.reason,
    )
    return TransformersOut(multiplier=factor, channels=channels, transformers=found)


@router.get("/meter-acts/consequences", summary="What a change of the meter would touch")
def find_consequences(connection: Db, _: Reader, measuring_point: str, at: Instant) -> Consequences:
    """Profiles, bases and invoices from the day of `at` on, before anything is changed."""
    touched, refused = meter_acts.touched_from(connection, measuring_point, at)
    rows = [TouchedOut(**{**asdict(each), "examples": list(each.examples)}) for each in touched]
    return Consequences(touched=rows, refused=refused)


@router.get("/meter-acts", summary="Mountings, removals and exchanges")
def find_acts(
    connection: Db, _: Reader, request: Request, response: Response, asked: Annotated[Asked, Depends(ACTS.asked())]
) -> list[ActRow]:
    """Filtered, sorted, by pages; the newest first."""
    page = ACTS.find(connection, asked)
    page.tell(request, response)
    return [ActRow(**row) for row in page.rows]


@router.get("/meter-acts/{identifier}", summary="One act on a meter")
def get_act(connection: Db, _: Reader, identifier: Identifier) -> ActOut:
    """With its documents."""
    return _shown(connection, meter_acts.require_act(connection, identifier))


def _change(
    connection: Connection,
    store: Store,
    name: str,
    body: _Act,
    removed: RemovedIn | None,
    mounted: MountedIn | None,
    person: Operator,
    now: datetime,
) -> ActOut:
    act = meter_acts.change_meter(
        connection,
        store,
        name,
        body.at,
        removed=None if removed is None else _removed(removed),
        mounted=None if mounted is None else _mounted(mounted),
        reason=body.reason,
        documents=[(each.document, each.role) for each in body.documents],
        person=person,
        now=now,
        work_order=body.work_order,
    )
    return _shown(connection, act)


def _removed(body: RemovedIn) -> meter_acts.Removed:
    return meter_acts.Removed(body.meter, _states(body.states), body.seals)


def _mounted(body: MountedIn) -> meter_acts.Mounted:
    return meter_acts.Mounted(
        body.meter,
        body.template,
        _states(body.states),
        [(each.number, each.kind) for each in body.seals],
        None if body.attachment is None else meter_acts.Attachment(**body.attachment.model_dump()),
        body.directions,
        body.supply_point,
    )


def _states(states: list[StateIn]) -> list[meter_acts.State]:
    return [meter_acts.State(each.register_, each.value, each.rollover) for each in states]


def _shown(connection: Connection, act: Any) -> ActOut:
    roles = {row["document"]: row["role"] for row in meter_acts.find_documents(connection, act["id"])}
    documents = [
        DocumentOfAct(**documents_api.shown(row).model_dump(), role=roles[row["id"]])
        for row in files.find(connection, list(roles))
    ]
    return ActOut(**act, documents=documents)
