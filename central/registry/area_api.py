"""Routes of networks (LDS), the tree of objects, and number series."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import select

from central.platform import audit
from central.platform.errors import NotFound
from central.platform.etag import IfMatch, require_match, show
from central.platform.overview import Asked
from central.platform.web import Db, Now
from central.registry import areas, series
from central.registry.party_tables import network_area, number_series
from central.registry.point_tables import site_object
from central.registry.web import Body, Day, Event, Operator, Reader, Why, history

router = APIRouter()

Text = Annotated[str, Field(min_length=1, max_length=500)]


class AreaIn(Body):
    """A local network: its licence holder and its superior distributor by their codes."""

    code: Text
    name: Text
    commodity: Literal["electricity", "gas"]
    licensee: str
    superior: str
    licence: str | None = None
    valid_from: Day
    valid_to: Day | None = None


class AreaChange(Body):
    """What becomes another of a network, and why; `valid_to` (exclusive) closes it."""

    why: Why
    name: Text | None = None
    superior: str | None = None
    licence: str | None = None
    valid_to: Day | None = None


class AreaOut(BaseModel):
    """A local network as stored; parties by code."""

    id: int
    code: str
    name: str
    commodity: str
    licensee: str
    superior: str
    licence: str | None
    valid_from: date | None
    valid_to: date | None


class ObjectIn(Body):
    """An object; `parent` is the code of what it is a part of."""

    code: Text
    name: Text
    kind: Literal["site", "building", "flat", "other"]
    parent: str | None = None
    street: str | None = None
    city: str | None = None
    postal_code: str | None = None
    area_m2: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)] | None = None


class ObjectChange(Body):
    """What becomes another of an object, and why."""

    why: Why
    name: Text | None = None
    kind: Literal["site", "building", "flat", "other"] | None = None
    parent: str | None = None
    street: str | None = None
    city: str | None = None
    postal_code: str | None = None
    area_m2: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)] | None = None


class ObjectOut(BaseModel):
    """An object as stored; `parent` by code."""

    id: int
    code: str
    name: str
    kind: str
    parent: str | None
    street: str | None
    city: str | None
    postal_code: str | None
    area_m2: Decimal | None


class SeriesIn(Body):
    """A range of numbers: `prefix` and a number of `digits` digits, for EAN 18 and EIC the check digit is added."""

    code: Text
    purpose: Literal["ean18", "eic", "contract", "contract_account", "work_order"]
    prefix: Annotated[str, Field(max_length=30)]
    digits: Annotated[int, Field(ge=1, le=15)]
    first: Annotated[int, Field(ge=0, lt=10**15)]
    last: Annotated[int, Field(ge=0, lt=10**15)]


class SeriesOut(BaseModel):
    """A number series: `next_number` is beyond `last_number` when it is exhausted."""

    id: int
    code: str
    purpose: str
    prefix: str
    digits: int
    first_number: int
    last_number: int
    next_number: int


@router.get("/network-areas", summary="Local networks: filter, sort, page")
def find_areas(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(areas.AREAS.asked())],
) -> list[AreaOut]:
    """Each with its licence holder and superior distributor."""
    page = areas.AREAS.find(connection, asked)
    page.tell(request, response)
    return [AreaOut(**row) for row in page.rows]


@router.post("/network-areas", status_code=201, summary="Create a local network")
def create_area(connection: Db, person: Operator, clock: Now, response: Response, body: AreaIn) -> AreaOut:
    """Refused unless the parties have the roles of an operator and of a superior distributor."""
    facts = body.model_dump(exclude={"valid_from", "valid_to"})
    areas.create_area(connection, facts, body.valid_from, body.valid_to)
    details = body.model_dump(mode="json")
    audit.record(
        connection, person, "network_area.create", f"network_area/{body.code}", details, clock.now(), after=details
    )
    return _area(connection, response, body.code)


@router.get("/network-areas/{code}", summary="One local network")
def get_area(connection: Db, _: Reader, response: Response, code: str) -> AreaOut:
    """By its code."""
    return _area(connection, response, code)


@router.get("/network-areas/{code}/history", summary="Who changed a network, when, what and why")
def get_area_history(connection: Db, _: Reader, code: str) -> list[Event]:
    """Newest first."""
    areas.require_area(connection, code)
    return history(connection, f"network_area/{code}")


@router.post("/network-areas/{code}/revise", summary="Change what is said of a network, or close it")
def revise_area(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    code: str,
    body: AreaChange,
    if_match: IfMatch = None,
) -> AreaOut:
    """Its licence holder stays; points that are not ended keep it open. Needs If-Match."""
    row = areas.require_area(connection, code, lock=True)
    require_match(if_match, row, f"the network {code}")
    areas.revise_area(connection, row, body.model_dump(exclude_unset=True, exclude={"why"}))
    after = areas.require_area(connection, code)
    audit.record(
        connection, person, "network_area.revise", f"network_area/{code}", {}, clock.now(), before=row, after=after,
        why=body.why,
    )  # fmt: skip
    return _area(connection, response, code)


@router.get("/objects", summary="Objects: filter, sort, page")
def find_objects(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(areas.OBJECTS.asked("within"))],
    within: Annotated[str | None, Query(description="the object of this code and all its parts")] = None,
) -> list[ObjectOut]:
    """Sites, buildings, flats."""
    conditions = []
    if within is not None:
        areas.require_object(connection, within)
        conditions.append(site_object.c.id.in_(areas.within(connection, within)))
    page = areas.OBJECTS.find(connection, asked, *conditions)
    page.tell(request, response)
    return [ObjectOut(**row) for row in page.rows]


@router.get("/objects/{code}", summary="One object")
def get_object(connection: Db, _: Reader, response: Response, code: str) -> ObjectOut:
    """By its code."""
    return _object(connection, response, code)


@router.get("/objects/{code}/history", summary="Who changed an object, when, what and why")
def get_object_history(connection: Db, _: Reader, code: str) -> list[Event]:
    """Newest first."""
    areas.require_object(connection, code)
    return history(connection, f"site_object/{code}")


@router.post("/objects", status_code=201, summary="Create an object")
def create_object(connection: Db, person: Operator, clock: Now, response: Response, body: ObjectIn) -> ObjectOut:
    """As a part of another one, or on its own."""
    areas.create_object(connection, body.model_dump())
    details = body.model_dump(mode="json")
    audit.record(
        connection, person, "site_object.create", f"site_object/{body.code}", details, clock.now(), after=details
    )
    return _object(connection, response, body.code)


@router.post("/objects/{code}/revise", summary="Change an object")
def revise_object(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    code: str,
    body: ObjectChange,
    if_match: IfMatch = None,
) -> ObjectOut:
    """Refused when it would become a part of itself. Needs If-Match."""
    row = areas.require_object(connection, code, lock=True)
    require_match(if_match, row, f"the object {code}")
    areas.revise_object(connection, row, body.model_dump(exclude_unset=True, exclude={"why"}))
    after = areas.require_object(connection, code)
    audit.record(
        connection, person, "site_object.revise", f"site_object/{code}", {}, clock.now(), before=row, after=after,
        why=body.why,
    )  # fmt: skip
    return _object(connection, response, code)


@router.get("/number-series", summary="Number series")
def find_series(connection: Db, _: Reader) -> list[SeriesOut]:
    """By code."""
    rows = connection.execute(select(number_series).order_by(number_series.c.code)).mappings()
    return [SeriesOut(**row) for row in rows]


@router.post("/number-series", status_code=201, summary="Create a number series")
def create_series(connection: Db, person: Operator, clock: Now, body: SeriesIn) -> SeriesOut:
    """Supply points, contracts and contract accounts are created with the next number of a series."""
    series.create_series(connection, body.code, body.purpose, body.prefix, body.digits, body.first, body.last)
    details = body.model_dump()
    audit.record(
        connection, person, "number_series.create", f"number_series/{body.code}", details, clock.now(), after=details
    )
    row = connection.execute(select(number_series).where(number_series.c.code == body.code)).mappings().first()
    if row is None:
        raise NotFound("series_not_found", f"There is no number series {body.code}.")
    return SeriesOut(**row)


def _area(connection: Db, response: Response, code: str) -> AreaOut:
    show(response, areas.require_area(connection, code))
    page = areas.AREAS.find(connection, Asked(), network_area.c.code == code)
    return AreaOut(**page.rows[0])


def _object(connection: Db, response: Response, code: str) -> ObjectOut:
    show(response, areas.require_object(connection, code))
    page = areas.OBJECTS.find(connection, Asked(), site_object.c.code == code)
    return ObjectOut(**page.rows[0])
