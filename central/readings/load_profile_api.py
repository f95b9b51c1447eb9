"""Routes of the load-profile classes (TDD): import, imports, a class's shape."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.readings.load_profile_import import (
    ClassDay,
    Head,
    find_imports,
    import_load_profiles,
    read_csv,
    read_workbook,
)
from central.readings.load_profiles import PREFERRED, read_load_profiles
from central.readings.transfer.api import OCTETS, Content
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

router = APIRouter(prefix="/load-profiles", tags=["readings"])

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
Day = Annotated[date, Field(ge=date(1990, 1, 1), lt=date(2400, 1, 1))]
Name = Annotated[str, Field(min_length=1, max_length=40)]
Kind = Literal["normalised", "recomputed"]
Mark = Literal["documented", "inferred", "assumed"]


class ClassDayIn(BaseModel):
    """Values of one class on one metering day: hours or quarter-hours; gas: the whole day or hours."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(alias="class", min_length=1, max_length=40)]
    day: Day
    values: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1, max_length=100)]


class ImportIn(BaseModel):
    """Series of load-profile classes with where they are from."""

    model_config = ConfigDict(extra="forbid")

    commodity: Commodity
    kind: Kind
    zone: Annotated[str, Field(max_length=40, description="temperature zone; empty: the whole country")] = ""
    source: Annotated[str, Field(min_length=1, max_length=400)]
    mark: Mark
    days: Annotated[list[ClassDayIn], Field(min_length=1, max_length=20_000)]


class ImportOut(BaseModel):
    """One import; `repeated`: the same content had been imported before and nothing was changed."""

    id: int
    commodity: Commodity
    kind: str
    zone: str
    source: str
    mark: str
    days: int
    imported_at: datetime
    imported_by: str
    repeated: bool = False


class ShapeOut(BaseModel):
    """Weights of the metering intervals of a day; null where the class is not known."""

    day: date
    kind: str
    weights: list[float] | None


@router.post("", status_code=201, summary="Import series of load-profile classes (TDD)")
def post_import(connection: Db, clock: Now, person: Operator, body: ImportIn) -> ImportOut:
    """All of it or nothing. The newest import of a day counts; earlier ones are kept."""
    head = Head(body.commodity, body.kind, body.zone, body.source, body.mark)
    days = [ClassDay(each.name, each.day, each.values) for each in body.days]
    return ImportOut(**import_load_profiles(connection, head, days, person, clock.now()))


@router.post("/csv", status_code=201, summary="Import series of load-profile classes from CSV")
def post_csv(
    connection: Db,
    clock: Now,
    person: Operator,
    commodity: Commodity,
    kind: Kind,
    source: Annotated[str, Query(min_length=1, max_length=400)],
    mark: Mark,
    content: Annotated[str, Body(media_type="text/csv")],
    zone: Annotated[str, Query(max_length=40)] = "",
) -> ImportOut:
    """Columns: day, place in the day from 1, then a class each. A bad line is named and nothing is imported."""
    days = _in_range(read_csv(content))
    head = Head(commodity, kind, zone, source, mark)
    return ImportOut(**import_load_profiles(connection, head, days, person, clock.now()))


@router.post(
    "/xlsx",
    status_code=201,
    summary="Import series of load-profile classes from a workbook (XLSX)",
    openapi_extra=OCTETS,
)
def post_workbook(
    connection: Db,
    clock: Now,
    person: Operator,
    commodity: Commodity,
    kind: Kind,
    source: Annotated[str, Query(min_length=1, max_length=400)],
    mark: Mark,
    content: Content,
    zone: Annotated[str, Query(max_length=40)] = "",
    sheet: Annotated[str | None, Query(max_length=100, description="by default the first one")] = None,
) -> ImportOut:
    """The table of the CSV on a sheet. A bad row is named and nothing is imported."""
    days = _in_range(read_workbook(content, sheet))
    head = Head(commodity, kind, zone, source, mark)
    return ImportOut(**import_load_profiles(connection, head, days, person, clock.now()))


def _in_range(days: list[ClassDay]) -> list[ClassDay]:
    for each in days:
        if not 1990 <= each.day.year < 2400:
            raise BadInput("load_profile_csv", f"The day {each.day} lies outside the years 1990 to 2399.")
    return days


@router.get("", summary="Imports of load-profile classes")
def list_imports(connection: Db, _: Reader) -> list[ImportOut]:
    """Newest first."""
    return [ImportOut(**row) for row in find_imports(connection)]


@router.get("/shape", summary="Shape of a load-profile class on a day")
def get_shape(
    connection: Db,
    _: Reader,
    commodity: Commodity,
    name: Annotated[str, Query(alias="class", max_length=40)],
    day: Day,
    zone: Annotated[str, Query(max_length=40)] = "",
) -> list[ShapeOut]:
    """As it is used: the newest import of each kind, spread over the metering intervals."""
    metering = MeteringDay(commodity, day)
    ends = [int(instant.timestamp() * 1000) for instant in (metering.start, metering.end)]
    profiles = read_load_profiles(connection, commodity, [name], ends[0], ends[1], zone)
    found: list[Any] = [(kind, profiles.series.get((name, kind))) for kind in PREFERRED]
    return [
        ShapeOut(day=day, kind=kind, weights=None if series is None else series.weights.tolist())
        for kind, series in found
    ]
