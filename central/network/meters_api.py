"""Routes of concentrators and meters: create, find, get, revise; where a meter hung."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel
from sqlalchemy import func

from central.network import generated, meters, mountings
from central.network.point_tables import measuring_point, mounting
from central.network.points_api import MountingOut
from central.network.tables import concentrator, meter
from central.network.web import Body, Operator, Reader, Reason, Store
from central.platform import audit
from central.platform.errors import Refused
from central.platform.etag import IfMatch, require_match, show
from central.platform.overview import Asked, Column, Kind, Overview
from central.platform.web import Db, Now

router = APIRouter()

CONCENTRATORS = Overview(
    "concentrators",
    source=concentrator,
    key=concentrator.c.id,
    columns=(
        Column("id", concentrator.c.id),
        Column("name", concentrator.c.name),
        Column("place", concentrator.c.place),
    ),
    default_sort=(("id", False),),
    search=func.fold(concentrator.c.id + " " + concentrator.c.name + " " + concentrator.c.place),
)
METERS = Overview(
    "meters",
    source=meter,
    key=meter.c.id,
    # The open mounting is one at most: mountings of a meter do not overlap.
    joined=meter.outerjoin(mounting, (mounting.c.meter == meter.c.id) & func.upper_inf(mounting.c.valid)).outerjoin(
        measuring_point, measuring_point.c.id == mounting.c.measuring_point
    ),
    columns=(
        Column("id", meter.c.id, searched=True),
        Column("serial", meter.c.serial, searched=True),
        Column("model", meter.c.model),
        Column("commodity", meter.c.commodity, Kind.CHOICE, ("electricity", "gas")),
        Column("concentrator", meter.c.concentrator),
        Column("place", meter.c.place, searched=True),
        Column("measuring_point", measuring_point.c.name, sortable=False),
    ),
    default_sort=(("id", False),),
    search=func.fold(meter.c.id + " " + meter.c.serial + " " + meter.c.place),
)


class Concentrator(Body):
    """A concentrator; the id is its name at the broker."""

    id: str
    name: str
    place: str


class ConcentratorRevision(Body):
    """What is said of a concentrator from now on."""

    name: str
    place: str
    reason: Reason


class Meter(Body):
    """A physical meter; the id is its name on the wire."""

    id: str
    serial: str
    model: str
    commodity: Literal["electricity", "gas"]
    concentrator: str
    place: str = ""


class MeterRow(BaseModel):
    """A meter as listed, with the point where it hangs."""

    id: str
    serial: str
    model: str
    commodity: str
    concentrator: str
    place: str
    measuring_point: str | None


class MeterRevision(Body):
    """What is said of a meter from now on; it changes its concentrator where it is attached."""

    serial: str
    model: str
    place: str = ""
    reason: Reason


@router.get("/concentrators", summary="Concentrators")
def find_concentrators(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(CONCENTRATORS.asked())],
) -> list[Concentrator]:
    """Filtered, sorted, by pages."""
    page = CONCENTRATORS.find(connection, asked)
    page.tell(request, response)
    return [Concentrator(**row) for row in page.rows]


@router.get("/concentrators/{identifier}", summary="One concentrator")
def get_concentrator(connection: Db, _: Reader, response: Response, identifier: str) -> Concentrator:
    """By its id; its tag is in the header ETag."""
    found = Concentrator(**meters.require_concentrator(connection, identifier))
    show(response, found.model_dump())
    return found


@router.post("/concentrators", status_code=201, summary="Create a concentrator")
def create_concentrator(connection: Db, person: Operator, clock: Now, body: Concentrator) -> Concentrator:
    """Refused when the id is in use."""
    if not meters.create_concentrators(connection, [body.model_dump()]).inserted:
        raise Refused("exists", f"The concentrator {body.id} is stored already; revise it.")
    audit.record(connection, person, "concentrator.create", f"concentrator/{body.id}", body.model_dump(), clock.now())
    return body


@router.patch("/concentrators/{identifier}", summary="Revise a concentrator")
def revise_concentrator(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    identifier: str,
    body: ConcentratorRevision,
    if_match: IfMatch = None,
) -> Concentrator:
    """Name and place; If-Match says which state was seen."""
    before = Concentrator(**meters.require_concentrator(connection, identifier, lock=True)).model_dump()
    require_match(if_match, before, f"the concentrator {identifier}")
    after = Concentrator(**meters.revise_concentrator(connection, identifier, body.name, body.place))
    subject, now = f"concentrator/{identifier}", clock.now()
    changed: dict[str, Any] = {"before": before, "after": after.model_dump()}
    audit.record(connection, person, "concentrator.revise", subject, {}, now, why=body.reason, **changed)
    show(response, after.model_dump())
    return after


@router.get("/meters", summary="Meters")
def find_meters(
    connection: Db, _: Reader, request: Request, response: Response, asked: Annotated[Asked, Depends(METERS.asked())]
) -> list[MeterRow]:
    """Filtered, sorted, by pages; `measuring_point=` asks for those that hang nowhere."""
    page = METERS.find(connection, asked)
    page.tell(request, response)
    return [MeterRow(**row) for row in page.rows]


@router.get("/meters/{identifier}", summary="One meter")
def get_meter(connection: Db, _: Reader, response: Response, identifier: str) -> Meter:
    """By its id; its tag is in the header ETag."""
    found = Meter(**meters.require_meter(connection, identifier))
    show(response, found.model_dump())
    return found


@router.post("/meters", status_code=201, summary="Create a meter")
def create_meter(connection: Db, person: Operator, clock: Now, body: Meter) -> Meter:
    """Refused when the id is in use."""
    if not meters.create_meters(connection, [body.model_dump()]).inserted:
        raise Refused("exists", f"The meter {body.id} is stored already; revise it.")
    audit.record(connection, person, "meter.create", f"meter/{body.id}", body.model_dump(), clock.now())
    return body


@router.patch("/meters/{identifier}", summary="Revise a meter")
def revise_meter(
    connection: Db,
    person: Operator,
    clock: Now,
    store: Store,
    response: Response,
    identifier: str,
    body: MeterRevision,
    if_match: IfMatch = None,
) -> Meter:
    """Serial number, model and place; If-Match says which state was seen. Its concentrator hears of a new number."""
    before = Meter(**meters.require_meter(connection, identifier, lock=True)).model_dump()
    require_match(if_match, before, f"the meter {identifier}")
    after = Meter(**meters.revise_meter(connection, identifier, body.serial, body.model, body.place))
    subject, now = f"meter/{identifier}", clock.now()
    changed: dict[str, Any] = {"before": before, "after": after.model_dump()}
    audit.record(connection, person, "meter.revise", subject, {}, now, why=body.reason, **changed)
    generated.regenerate(connection, store, [after.concentrator], body.reason, person, now)
    show(response, after.model_dump())
    return after


@router.get("/meters/{identifier}/mountings", summary="Where a meter hung")
def find_mountings(connection: Db, _: Reader, identifier: str) -> list[MountingOut]:
    """Oldest first."""
    meters.require_meter(connection, identifier)
    return [MountingOut(**row) for row in mountings.find_mountings(connection, meter=identifier)]
