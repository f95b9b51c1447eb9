"""Routes of the supply topology: elements and their states, what feeds what, outages."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import func

from central.network import outages, topology
from central.network.element_states import ElementState
from central.network.points import require_point
from central.network.topology_tables import ELEMENT_KINDS, network_element, outage
from central.network.web import Body, Identifier, Instant, Note, Operator, Reader, Reason, Text
from central.platform import audit
from central.platform.etag import IfMatch, require_match, show
from central.platform.hooks import HOOKS
from central.platform.overview import Asked, Column, Kind, Overview
from central.platform.web import Db, Now
from shared.metering_day import PRAGUE

router = APIRouter()

OUTAGE_CHANGED = "outage.changed"
"""Published with `channels` (ids) and the days `first` to `last`, both included, that may be judged anew."""

ELEMENTS = Overview(
    "network elements",
    source=network_element,
    key=network_element.c.id,
    columns=(
        Column("name", network_element.c.name),
        Column("kind", network_element.c.kind, Kind.CHOICE, ELEMENT_KINDS),
        Column("state", network_element.c.state, Kind.CHOICE, tuple(str(state) for state in ElementState)),
        Column("state_since", network_element.c.state_since, Kind.DATE),
        Column("project", network_element.c.project),
        Column("place", network_element.c.place),
        Column("rated_kva", network_element.c.rated_kva, Kind.INTEGER),
    ),
    default_sort=(("name", False),),
    search=func.fold(network_element.c.name + " " + network_element.c.place),
)
OUTAGES = Overview(
    "outages",
    source=outage,
    joined=outage.outerjoin(network_element, network_element.c.id == outage.c.element),
    key=outage.c.id,
    columns=(
        Column("id", outage.c.id, Kind.INTEGER),
        Column("planned", outage.c.planned, Kind.BOOLEAN),
        Column("cause", outage.c.cause),
        Column("element", network_element.c.name),
        Column("start", func.lower(outage.c.valid), Kind.INSTANT),
        Column("end", func.upper(outage.c.valid), Kind.INSTANT),
        Column("announced_at", outage.c.announced_at, Kind.INSTANT),
        Column("recorded_at", outage.c.recorded_at, Kind.INSTANT),
        Column("recorded_by", outage.c.recorded_by),
        Column("cancelled_at", outage.c.cancelled_at, Kind.INSTANT),
        Column("revision", outage.c.revision, Kind.INTEGER),
    ),
    default_sort=(("start", True),),
)


class ElementIn(Body):
    """A node, feeder or transformer in its first state."""

    name: Text
    kind: Literal["node", "feeder", "transformer"]
    state: ElementState = ElementState.PLANNED
    since: date
    project: Note = ""
    place: Note = ""
    rated_kva: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    reason: Reason


class ElementOut(BaseModel):
    """An element in its present state."""

    name: str
    kind: str
    state: str
    state_since: date
    project: str
    place: str
    rated_kva: int | None


class Step(Body):
    """The next state of an element."""

    state: ElementState
    since: date
    project: Note = ""
    reason: Reason


class StepOut(BaseModel):
    """A state that an element had."""

    state: str
    since: date
    project: str
    person: str
    reason: str


class ElementSupplyIn(Body):
    """What feeds an element from `since` on."""

    fed_from: Text
    since: Instant
    reason: Reason


class PointSupplyIn(Body):
    """What a measuring point hangs behind from `since` on; `parent` is the point of the meter above it."""

    element: Text | None = None
    parent: Text | None = None
    since: Instant
    reason: Reason


class PointSupplyOut(BaseModel):
    """What a measuring point hangs and hung behind."""

    element: str | None
    parent: str | None
    since: datetime | None
    until: datetime | None


class OutageIn(Body):
    """An outage: points behind `element` and those named; without `end` it goes on."""

    planned: bool
    cause: Text
    element: Text | None = None
    points: Annotated[list[Text], Field(default_factory=list, max_length=10_000)]
    start: Instant
    end: Instant | None = None
    announced_at: Instant | None = None


class OutageRevision(Body):
    """What is known of an outage now; `points` are those named by hand."""

    cause: Text
    points: Annotated[list[Text], Field(default_factory=list, max_length=10_000)]
    start: Instant
    end: Instant | None = None
    reason: Reason


class Cancellation(Body):
    """Why an outage did not take place."""

    reason: Reason


class OutageRow(BaseModel):
    """An outage as listed."""

    id: int
    planned: bool
    cause: str
    element: str | None
    start: datetime
    end: datetime | None
    announced_at: datetime | None
    recorded_at: datetime
    recorded_by: str
    cancelled_at: datetime | None
    revision: int


class HitPoint(BaseModel):
    """A point that an outage hits, and how that is known."""

    measuring_point: str
    named_by: str


class OutageOut(OutageRow):
    """An outage with the points that it hits."""

    points: list[HitPoint]


@router.get("/network-elements", summary="Nodes, feeders, transformers")
def find_elements(
    connection: Db, _: Reader, request: Request, response: Response, asked: Annotated[Asked, Depends(ELEMENTS.asked())]
) -> list[ElementOut]:
    """Filtered, sorted, by pages."""
    page = ELEMENTS.find(connection, asked)
    page.tell(request, response)
    return [ElementOut(**row) for row in page.rows]


@router.post("/network-elements", status_code=201, summary="Create a network element")
def create_element(connection: Db, person: Operator, clock: Now, response: Response, body: ElementIn) -> ElementOut:
    """Refused when the name is in use."""
    spec = body.model_dump(exclude={"since", "reason"})
    found = ElementOut(**topology.create_element(connection, spec, body.since, body.reason, person))
    subject, now = f"network_element/{body.name}", clock.now()
    after = found.model_dump()
    audit.record(connection, person, "network_element.create", subject, {}, now, after=after, why=body.reason)
    show(response, found.model_dump())
    return found


@router.post("/network-elements/{name:path}/states", summary="Bring an element into its next state")
def advance_element(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    name: str,
    body: Step,
    if_match: IfMatch = None,
) -> ElementOut:
    """By the table of states; with its date and project. If-Match says which state was seen."""
    before = ElementOut(**topology.require_element(connection, name, lock=True)).model_dump()
    require_match(if_match, before, f"the network element {name}")
    row = topology.advance_element(connection, name, body.state, body.since, body.project, body.reason, person)
    after, subject = ElementOut(**row).model_dump(), f"network_element/{name}"
    audit.record(
        connection,
        person,
        "network_element.advance",
        subject,
        {},
        clock.now(),
        before=before,
        after=after,
        why=body.reason,
    )
    show(response, after)
    return ElementOut(**after)


@router.get("/network-elements/{name:path}/states", summary="States that an element had")
def find_steps(connection: Db, _: Reader, name: str) -> list[StepOut]:
    """Oldest first."""
    return [StepOut(**row) for row in topology.find_steps(connection, name)]


@router.post("/network-elements/{name:path}/supply", summary="What feeds an element")
def feed_element(connection: Db, person: Operator, clock: Now, name: str, body: ElementSupplyIn) -> ElementOut:
    """From an instant on; what fed it until then ends. Refused where it would feed itself."""
    topology.feed_element(connection, name, body.fed_from, body.since)
    details, now = body.model_dump(mode="json"), clock.now()
    audit.record(connection, person, "network_element.feed", f"network_element/{name}", details, now, why=body.reason)
    return ElementOut(**topology.require_element(connection, name))


@router.get("/network-elements/{name:path}/measuring-points", summary="Points behind an element")
def points_behind(connection: Db, _: Reader, clock: Now, name: str, at: Instant | None = None) -> list[str]:
    """At an instant (now), whatever lies between."""
    element = topology.require_element(connection, name)["id"]
    return [row["name"] for row in topology.points_behind(connection, element, at or clock.now())]


@router.get("/network-elements/{name:path}", summary="One network element")
def get_element(connection: Db, _: Reader, response: Response, name: str) -> ElementOut:
    """Its tag is in the header ETag."""
    found = ElementOut(**topology.require_element(connection, name))
    show(response, found.model_dump())
    return found


@router.post("/measuring-points/{name:path}/supply", summary="What a point hangs behind")
def supply_point(connection: Db, person: Operator, clock: Now, name: str, body: PointSupplyIn) -> list[PointSupplyOut]:
    """Element and parent meter from an instant on; what was until then ends."""
    topology.supply_point(connection, name, body.element, body.parent, body.since)
    details, now = body.model_dump(mode="json"), clock.now()
    audit.record(connection, person, "measuring_point.supply", f"measuring_point/{name}", details, now, why=body.reason)
    return find_supply(connection, person, name)


@router.get("/measuring-points/{name:path}/supply", summary="What a point hung and hangs behind")
def find_supply(connection: Db, _: Reader, name: str) -> list[PointSupplyOut]:
    """Oldest first."""
    require_point(connection, name)
    return [PointSupplyOut(**row) for row in topology.find_supply(connection, name)]


@router.get("/outages", summary="Outages")
def find_outages(
    connection: Db, _: Reader, request: Request, response: Response, asked: Annotated[Asked, Depends(OUTAGES.asked())]
) -> list[OutageRow]:
    """Filtered, sorted, by pages; the newest first."""
    page = OUTAGES.find(connection, asked)
    page.tell(request, response)
    return [OutageRow(**row) for row in page.rows]


@router.post("/outages", status_code=201, summary="Record an outage")
def record_outage(connection: Db, person: Operator, clock: Now, response: Response, body: OutageIn) -> OutageOut:
    """The points behind its element, as they are at its beginning, and those that are named."""
    now = clock.now()
    row = outages.record_outage(connection, **body.model_dump(), person=person, now=now)
    found = _outage(connection, row["id"])
    audit.record(connection, person, "outage.record", f"outage/{row['id']}", {}, now, after=found)
    _tell(connection, row["id"], [found], now)
    show(response, found)
    return OutageOut(**found)


@router.get("/outages/{identifier}", summary="One outage")
def get_outage(connection: Db, _: Reader, response: Response, identifier: Identifier) -> OutageOut:
    """With the points that it hits; its tag is in the header ETag."""
    found = _outage(connection, identifier)
    show(response, found)
    return OutageOut(**found)


@router.patch("/outages/{identifier}", summary="Revise an outage")
def revise_outage(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    identifier: Identifier,
    body: OutageRevision,
    if_match: IfMatch = None,
) -> OutageOut:
    """Cause, span and points; also how it is ended. If-Match says which state was seen."""
    outages.require_outage(connection, identifier, lock=True)
    before, now = _outage(connection, identifier), clock.now()
    require_match(if_match, before, f"the outage {identifier}")
    hit_before = outages.hit_channels(connection, identifier)
    outages.revise_outage(connection, identifier, **body.model_dump(exclude={"reason"}))
    after = _outage(connection, identifier)
    subject = f"outage/{identifier}"
    audit.record(connection, person, "outage.revise", subject, {}, now, before=before, after=after, why=body.reason)
    _tell(connection, identifier, [before, after], now, hit_before)
    show(response, after)
    return OutageOut(**after)


@router.post("/outages/{identifier}/cancellation", summary="Say that an outage did not take place")
def cancel_outage(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    identifier: Identifier,
    body: Cancellation,
    if_match: IfMatch = None,
) -> OutageOut:
    """It gives no reason for anything any more. If-Match says which state was seen."""
    outages.require_outage(connection, identifier, lock=True)
    now, before = clock.now(), _outage(connection, identifier)
    require_match(if_match, before, f"the outage {identifier}")
    outages.cancel_outage(connection, identifier, now)
    after, subject = _outage(connection, identifier), f"outage/{identifier}"
    audit.record(connection, person, "outage.cancel", subject, {}, now, before=before, after=after, why=body.reason)
    _tell(connection, identifier, [before], now)
    show(response, after)
    return OutageOut(**after)


def _outage(connection: Db, identifier: int) -> dict[str, Any]:
    row = outages.require_outage(connection, identifier)
    return {**row, "points": [dict(each) for each in outages.hit_points(connection, identifier)]}


def _tell(
    connection: Db, identifier: int, spans: list[dict[str, Any]], now: datetime, more: list[int] | None = None
) -> None:
    """Days of the past that the outage covers, or covered, are to be judged anew."""
    start = min(span["start"] for span in spans)
    end = min(max(span["end"] or now for span in spans), now)
    channels = sorted({*outages.hit_channels(connection, identifier), *(more or ())})
    if channels and start <= end:
        first, last = start.astimezone(PRAGUE).date(), end.astimezone(PRAGUE).date()
        HOOKS.publish(connection, OUTAGE_CHANGED, {"channels": channels, "first": first, "last": last})
