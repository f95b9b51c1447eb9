"""Routes of calorific values: areas, values and their import, means of months."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Response, UploadFile
from pydantic import BaseModel, Field
from sqlalchemy import Connection, Row

from central.platform.change import Confirmed, Preview, PreviewOnly, look, sentence, weigh
from central.platform.errors import BadInput
from central.platform.web import Db, Now
from central.readings.gas import calorific, calorific_csv, period
from central.readings.gas.energy import mean_calorific
from central.readings.gas.exact import shown
from central.readings.gas.forms import (
    Body,
    Day,
    End,
    First,
    Name,
    Operator,
    Reader,
    Sentence,
    check_period,
    require_text,
)
from central.readings.gas.touched import change_of_values
from shared.metering_day import next_month

router = APIRouter()
SHOWN_ERRORS = 50


class AreaIn(Body):
    """An area with one calorific value a gas day; `source` says who publishes it and where."""

    id: Name
    name: Sentence
    source: Sentence


class AreaOut(BaseModel):
    """An area as stored."""

    id: str
    name: str
    source: str


class ValueIn(Body):
    """A calorific value in kWh/m3: of the gas day `first`, or of the month that begins on it."""

    area: Name
    first: Day
    value: Decimal = Field(allow_inf_nan=False, max_digits=9, decimal_places=6)
    period: Literal["day", "month"] = "day"


class ValuesIn(Body):
    """Values to be entered; one that differs from what is stored is a correction, and becomes a new version."""

    values: Annotated[list[ValueIn], Field(min_length=1, max_length=5_000)]
    source: Sentence
    reason: Annotated[str, Field(max_length=500, pattern="^[^\\x00]*$")] = ""
    kind: Literal["entered", "downloaded"] = "entered"


class StoredOut(BaseModel):
    """New values, corrections, and values that were the same already."""

    added: int
    corrected: int
    unchanged: int


class ValueOut(BaseModel):
    """One version of a value."""

    area: str
    period: str
    first: date
    version: int
    value: Decimal
    kind: str
    source: str
    reason: str
    made_at: datetime
    made_by: str


class MeanOut(BaseModel):
    """The mean calorific value of an area's month, weighted by the volume of the channels in it.

    Channels left out: `incomplete` because a volume or a value of a day is missing, `partly` because they lie in the
    area on some days of the month only.
    """

    area: str
    month: date
    value: Decimal | None
    channels: int
    incomplete: list[int]
    partly: list[int]


@router.get("/areas", summary="Areas of calorific value")
def find_areas(connection: Db, _: Reader) -> list[AreaOut]:
    """By id."""
    return [AreaOut(**row._mapping) for row in calorific.find_areas(connection)]


@router.post("/areas", status_code=201, summary="Create an area of calorific value")
def create_area(body: AreaIn, connection: Db, clock: Now, person: Operator) -> AreaOut:
    """409 where it is there."""
    calorific.create_area(connection, body.id, body.name, body.source, person, clock.now())
    return AreaOut(**body.model_dump())


@router.post("/calorific-values", status_code=201, summary="Enter calorific values")
def enter_values(
    body: ValuesIn,
    connection: Db,
    clock: Now,
    person: Operator,
    response: Response,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> StoredOut | Preview:
    """All or nothing; nothing is overwritten. What is settled with other values is shown before it is touched."""
    given = [calorific.GivenValue(one.area, one.period, one.first, one.value) for one in body.values]
    told = _told(connection, given, preview=preview, confirmed=confirmed)
    if isinstance(told, Preview):
        response.status_code = 200
        return told
    stored = calorific.store(connection, given, body.kind, body.source, body.reason, person, clock.now(), told)
    return StoredOut(added=stored.added, corrected=stored.corrected, unchanged=stored.unchanged)


@router.post("/calorific-values/import", status_code=201, summary="Import calorific values from a CSV file")
def import_values(
    connection: Db,
    clock: Now,
    person: Operator,
    file: Annotated[UploadFile, File(description="CSV in UTF-8 with the columns area, day, value (kWh/m3)")],
    source: Annotated[str, Form(min_length=1, max_length=500, pattern="^[^\\x00]+$")],
    response: Response,
    reason: Annotated[str, Form(max_length=500, pattern="^[^\\x00]*$")] = "",
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> StoredOut | Preview:
    """All or nothing: 422 names every bad line, and nothing of the file is taken. Else as single values."""
    values, errors = calorific_csv.parse(file.file.read(calorific_csv.LONGEST_FILE + 1))
    if errors:
        named = "; ".join(f"line {error.line}: {error.text}" for error in errors[:SHOWN_ERRORS])
        more = f"; and {len(errors) - SHOWN_ERRORS} more" if len(errors) > SHOWN_ERRORS else ""
        raise BadInput("file_lines", f"Nothing was imported. {named}{more}. Correct the file and import it again.")
    told = _told(connection, values, preview=preview, confirmed=confirmed)
    if isinstance(told, Preview):
        response.status_code = 200
        return told
    stored = calorific.store(connection, values, "imported", source, reason, person, clock.now(), told)
    return StoredOut(added=stored.added, corrected=stored.corrected, unchanged=stored.unchanged)


@router.get("/calorific-values", summary="Calorific values of an area")
def find_values(
    connection: Db, _: Reader, area: str, first: First, end: End, all_versions: bool = False
) -> list[ValueOut]:
    """Days and means of months that begin in the period: the newest versions, or all."""
    check_period(first, end)
    found: Sequence[Row[Any]] = calorific.find_values(
        connection, require_text(area), first, end, all_versions=all_versions
    )
    return [ValueOut(**{name: row._mapping[name] for name in ValueOut.model_fields}) for row in found]


@router.get("/calorific-mean", summary="Mean calorific value of an area's month, weighted by volume")
def get_mean(connection: Db, _: Reader, area: str, month: First) -> MeanOut:
    """`from` is the month's first day."""
    if month.day != 1:
        raise BadInput("month", f"A month is given by its first day, not {month}.")
    found = period.area_energies(connection, require_text(area), month, next_month(month.year, month.month))
    mean = mean_calorific(found.parts)
    return MeanOut(
        area=area,
        month=month,
        value=None if mean is None else shown(mean, 4),
        channels=len(found.parts),
        incomplete=found.incomplete,
        partly=found.partly,
    )


def _told(
    connection: Connection, given: Sequence[calorific.GivenValue], *, preview: bool, confirmed: bool
) -> Preview | list[str]:
    """What storing the values would touch: shown, or weighed and put into sentences."""
    changing = calorific.find_changing(connection, given)
    change = change_of_values(connection, changing)
    if preview:
        after = {
            "values": [{"area": one.area, "first": one.first.isoformat(), "value": str(one.value)} for one in changing]
        }
        return (
            look(connection, change, {}, after) if change else Preview(before={}, after=after, touched=[], refused=[])
        )
    return [sentence(each) for each in weigh(connection, change, confirmed=confirmed)] if change else []
