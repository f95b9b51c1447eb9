"""Routes of supply points: overview, one point, create, revise, state, versions, history."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, StringConstraints

from central.platform import audit
from central.platform.change import Confirmed, Preview, PreviewOnly
from central.platform.errors import BadInput
from central.platform.etag import IfMatch
from central.platform.hooks import Change
from central.platform.overview import Asked
from central.platform.web import Db, Now
from central.registry import points
from central.registry.acts import Ask, changed_fields, revise, tag_of
from central.registry.point_states import Act
from central.registry.series import draw
from central.registry.versions import read_versions
from central.registry.web import (
    Body,
    Day,
    Ending,
    Event,
    Operator,
    Reader,
    VersionOut,
    Why,
    history,
    require_new,
    versions,
)

router = APIRouter()

VoltageLevel = Literal["VVN", "VN", "NN"]
MeteringType = Literal["A", "B", "C1", "C2", "C3", "C4"]
Category = Literal["household", "business"]
PressureLevel = Literal["low", "medium", "high"]
GasGroup = Annotated[str, StringConstraints(min_length=1, max_length=10)]
"""Group of the calculation of the predicted consumption (GRP); the market's messages have ten characters for it."""


class SupplyPointIn(Body):
    """A supply point; parties, area and object by their codes. Without `ean`, the next number of `series` is drawn."""

    ean: str | None = None
    series: str | None = None
    name: str
    object: str
    street: str
    city: str
    postal_code: str
    commodity: Literal["electricity", "gas"]
    operator: str
    supplier: str | None = None
    point_type: Literal["consumption", "production", "entry"] = "consumption"
    voltage_level: VoltageLevel | None = None
    metering_type: MeteringType | None = None
    category: Category = "business"
    load_profile_class: str | None = None
    temperature_zone: str | None = None
    planned_mwh: Decimal | None = None
    pressure_level: PressureLevel | None = None
    gas_group: GasGroup | None = None
    area: str | None = None
    site_object: str | None = None
    state: Literal["requested", "connected"] = "connected"


class SupplyPointChange(Body):
    """What becomes another from `since` on; what is not given stays."""

    since: Day
    why: Why
    name: str | None = None
    object: str | None = None
    street: str | None = None
    city: str | None = None
    postal_code: str | None = None
    operator: str | None = None
    supplier: str | None = None
    voltage_level: VoltageLevel | None = None
    metering_type: MeteringType | None = None
    category: Category | None = None
    load_profile_class: str | None = None
    temperature_zone: str | None = None
    planned_mwh: Decimal | None = None
    pressure_level: PressureLevel | None = None
    gas_group: GasGroup | None = None
    area: str | None = None
    site_object: str | None = None


class SupplyPointOut(BaseModel):
    """A supply point as it is since `since`; `operator`, `supplier`, `area` and `site_object` are ids."""

    id: int
    ean: str
    name: str
    object: str
    street: str
    city: str
    postal_code: str
    commodity: str
    point_type: str
    voltage_level: str | None
    metering_type: str | None
    category: str
    load_profile_class: str | None
    temperature_zone: str | None
    planned_mwh: Decimal | None
    pressure_level: str | None
    gas_group: str | None
    operator: int
    supplier: int | None
    area: int | None
    site_object: int | None
    state: str
    since: date | None


@router.get("/supply-points", summary="Supply points: filter, sort, page")
def find_supply_points(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(points.OVERVIEW.asked())],
) -> list[SupplyPointOut]:
    """Odběrná a předávací místa."""
    page = points.OVERVIEW.find(connection, asked)
    page.tell(request, response)
    return [SupplyPointOut(**row) for row in page.rows]


@router.get("/supply-points/{ean}", summary="One supply point")
def get_supply_point(connection: Db, _: Reader, response: Response, ean: str) -> SupplyPointOut:
    """By its EAN 18 or EIC."""
    return _shown(connection, response, ean)


@router.get("/supply-points/{ean}/versions", summary="What held of a supply point, and since when")
def get_supply_point_versions(connection: Db, _: Reader, ean: str) -> list[VersionOut]:
    """In the order of time."""
    return versions(connection, points.VERSIONED, points.require_supply_point(connection, ean)["id"])


@router.get("/supply-points/{ean}/history", summary="Who changed a supply point, when, what and why")
def get_supply_point_history(connection: Db, _: Reader, ean: str) -> list[Event]:
    """Newest first."""
    points.require_supply_point(connection, ean)
    return history(connection, f"supply_point/{ean}")


@router.post("/supply-points", status_code=201, summary="Create a supply point")
def create_supply_point(
    connection: Db, person: Operator, clock: Now, response: Response, body: SupplyPointIn
) -> SupplyPointOut:
    """Check digits are verified; refused when the EAN is in use or the series is exhausted."""
    if (body.ean is None) == (body.series is None):
        raise BadInput("ean", "A supply point needs either its EAN or EIC, or a number series to draw it from.")
    ean = body.ean or draw(connection, str(body.series), ("ean18",) if body.commodity == "electricity" else ("eic",))
    given = body.model_dump(exclude={"series"}) | {"ean": ean}
    require_new(points.create_supply_points(connection, [given]), f"The supply point {ean}")
    details = body.model_dump(mode="json") | {"ean": ean}
    audit.record(connection, person, "supply_point.create", f"supply_point/{ean}", details, clock.now(), after=details)
    return _shown(connection, response, ean)


@router.post("/supply-points/{ean}/revise", summary="Change facts of a supply point from a day on")
def revise_supply_point(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    ean: str,
    body: SupplyPointChange,
    if_match: IfMatch = None,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> SupplyPointOut | Preview:
    """With `preview=true` only says what would be touched. Needs If-Match."""
    row = points.require_supply_point(connection, ean, lock=True)
    changes = body.model_dump(exclude_unset=True, exclude={"since", "why"})
    before = read_versions(connection, points.VERSIONED, row["id"])
    after = points.revised_point(connection, row, changes, body.since)
    fields = changed_fields(before, body.since, changes)
    change = Change("supply_point", row["id"], ean, "revise", body.since, None, fields, (row["id"],))
    ask = Ask(person, clock, if_match, body.why, preview, confirmed)
    return revise(connection, points.VERSIONED, row, after, change, ask) or _shown(connection, response, ean)


@router.post("/supply-points/{ean}/{act}", summary="Connect, suspend, resume or end a supply point")
def advance_supply_point(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    ean: str,
    act: Act,
    body: Ending,
    if_match: IfMatch = None,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> SupplyPointOut | Preview:
    """Refused when its state does not allow the act, or when it is still under contract or billed beyond the end."""
    row = points.require_supply_point(connection, ean, lock=True)
    after = points.advanced(connection, row, act, body.on)
    change = Change("supply_point", row["id"], ean, str(act), body.on, None, frozenset({"state"}), (row["id"],))
    ask = Ask(person, clock, if_match, body.why, preview, confirmed)
    return revise(connection, points.VERSIONED, row, after, change, ask) or _shown(connection, response, ean)


def _shown(connection: Db, response: Response, ean: str) -> SupplyPointOut:
    row = points.require_supply_point(connection, ean)
    response.headers["ETag"] = tag_of(connection, points.VERSIONED, row)
    return SupplyPointOut(**row)
