"""Routes of gas: areas, calorific values and their import, conversions, energy of channels, means of months."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, File, Form, Query, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row

from central.platform.errors import BadInput, Refused
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.readings.gas import calorific, calorific_csv, conversions, period
from central.readings.gas.coefficient import Conversion
from central.readings.gas.energy import ROUNDINGS, GasEnergy, mean_calorific
from central.readings.gas.exact import shown
from central.readings.gas.terms import GasTerms
from shared.metering_day import next_month

router = APIRouter(prefix="/gas")

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern="^[^\\x00]+$")]
Sentence = Annotated[str, Field(min_length=1, max_length=500, pattern="^[^\\x00]+$")]
Day = Annotated[date, Field(ge=date(1990, 1, 1), le=date(2400, 1, 1))]
First = Annotated[date, Query(alias="from", ge=date(1990, 1, 1), le=date(2400, 1, 1), description="first gas day")]
End = Annotated[date, Query(alias="to", ge=date(1990, 1, 1), le=date(2400, 1, 1), description="the day after the last")]
Number = Annotated[Decimal, Field(max_digits=12, decimal_places=8, allow_inf_nan=False)]
Id = Annotated[int, Field(ge=1, le=2**31 - 1)]
LONGEST = 400
SHOWN_ERRORS = 50


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AreaIn(_Body):
    """An area with one calorific value a gas day; `source` says who publishes it and where."""

    id: Name
    name: Sentence
    source: Sentence


class AreaOut(BaseModel):
    """An area as stored."""

    id: str
    name: str
    source: str


class ValueIn(_Body):
    """A calorific value in kWh/m3: of the gas day `first`, or of the month that begins on it."""

    area: Name
    first: Day
    value: Decimal = Field(allow_inf_nan=False, max_digits=9, decimal_places=6)
    period: Literal["day", "month"] = "day"


class ValuesIn(_Body):
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


class ConversionIn(_Body):
    """How a channel's volume is converted from the gas day `first` to before `end` (null: until further notice).

    `fixed` takes `coefficient`; `computed` takes `temperature_k`, `gauge_kpa`, `compressibility` and one of
    `altitude_m`, `barometric_kpa`; `converter` takes none, k is 1.
    """

    channel: Id
    area: Name
    kind: Literal["fixed", "computed", "converter"]
    first: Day
    end: Day | None = None
    source: Sentence
    reason: Sentence
    coefficient: Number | None = None
    temperature_k: Annotated[Decimal, Field(max_digits=7, decimal_places=3, allow_inf_nan=False)] | None = None
    gauge_kpa: Annotated[Decimal, Field(max_digits=10, decimal_places=4, allow_inf_nan=False)] | None = None
    compressibility: Annotated[Decimal, Field(max_digits=9, decimal_places=7, allow_inf_nan=False)] | None = None
    altitude_m: Annotated[Decimal, Field(max_digits=6, decimal_places=1, allow_inf_nan=False)] | None = None
    barometric_kpa: Annotated[Decimal, Field(max_digits=8, decimal_places=4, allow_inf_nan=False)] | None = None


class CloseIn(_Body):
    """Ends a conversion before a gas day."""

    end: Day
    reason: Sentence


class ConversionOut(BaseModel):
    """A conversion as stored; `k` is its coefficient with 8 decimals, computed with exactly."""

    id: int
    channel: int
    area: str
    kind: str
    first: date
    end: date | None
    source: str
    k: Decimal
    assumed: list[str]
    coefficient: Decimal | None
    temperature_k: Decimal | None
    gauge_kpa: Decimal | None
    compressibility: Decimal | None
    altitude_m: Decimal | None
    barometric_kpa: Decimal | None


class DayEnergyOut(BaseModel):
    """A gas day; its energy is for comparison only, the period's is not the sum of rounded days."""

    day: date
    volume_m3: Decimal
    volume_coefficient: Decimal
    calorific_value_kwh_m3: Decimal
    energy_kwh: Decimal
    conversion: int
    calorific_period: str
    calorific_version: int
    calorific_source: str


class EnergyOut(BaseModel):
    """E = V x k x Hs over gas days: means are weighted by volume, the energy is rounded once."""

    channel: int
    first: date
    end: date
    volume_m3: Decimal
    volume_coefficient: Decimal
    calorific_value_kwh_m3: Decimal
    energy: Decimal
    unit: str
    rounding: str
    rounding_source: str
    rounding_mark: str
    assumed: list[str]
    days: list[DayEnergyOut]


class MeanOut(BaseModel):
    """The mean calorific value of an area's month, weighted by the volume of the channels in it.

    `incomplete` are channels left out, because a volume or a value of a day is missing.
    """

    area: str
    month: date
    value: Decimal | None
    channels: int
    incomplete: list[int]


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
def enter_values(body: ValuesIn, connection: Db, clock: Now, person: Operator) -> StoredOut:
    """All or nothing; nothing is overwritten."""
    given = [calorific.GivenValue(one.area, one.period, one.first, one.value) for one in body.values]
    stored = calorific.store(connection, given, body.kind, body.source, body.reason, person, clock.now())
    return StoredOut(added=stored.added, corrected=stored.corrected, unchanged=stored.unchanged)


@router.post("/calorific-values/import", status_code=201, summary="Import calorific values from a CSV file")
def import_values(
    connection: Db,
    clock: Now,
    person: Operator,
    file: Annotated[UploadFile, File(description="CSV in UTF-8 with the columns area, day, value (kWh/m3)")],
    source: Annotated[str, Form(min_length=1, max_length=500, pattern="^[^\\x00]+$")],
    reason: Annotated[str, Form(max_length=500, pattern="^[^\\x00]*$")] = "",
) -> StoredOut:
    """All or nothing: 422 names every bad line, and nothing of the file is taken."""
    values, errors = calorific_csv.parse(file.file.read(calorific_csv.LONGEST_FILE + 1))
    if errors:
        named = "; ".join(f"line {error.line}: {error.text}" for error in errors[:SHOWN_ERRORS])
        more = f"; and {len(errors) - SHOWN_ERRORS} more" if len(errors) > SHOWN_ERRORS else ""
        raise BadInput("file_lines", f"Nothing was imported. {named}{more}. Correct the file and import it again.")
    stored = calorific.store(connection, values, "imported", source, reason, person, clock.now())
    return StoredOut(added=stored.added, corrected=stored.corrected, unchanged=stored.unchanged)


@router.get("/calorific-values", summary="Calorific values of an area")
def find_values(
    connection: Db, _: Reader, area: str, first: First, end: End, all_versions: bool = False
) -> list[ValueOut]:
    """Days and means of months that begin in the period: the newest versions, or all."""
    _check_period(first, end)
    rows: Sequence[Row[Any]] = calorific.find_values(connection, _text(area), first, end, all_versions=all_versions)
    return [ValueOut(**{name: row._mapping[name] for name in ValueOut.model_fields}) for row in rows]


@router.get("/calorific-mean", summary="Mean calorific value of an area's month, weighted by volume")
def get_mean(connection: Db, _: Reader, area: str, month: First) -> MeanOut:
    """`from` is the month's first day."""
    if month.day != 1:
        raise BadInput("month", f"A month is given by its first day, not {month}.")
    parts, incomplete = period.area_energies(connection, _text(area), month, next_month(month.year, month.month))
    mean = mean_calorific(parts)
    return MeanOut(
        area=area,
        month=month,
        value=None if mean is None else shown(mean, 4),
        channels=len(parts),
        incomplete=incomplete,
    )


@router.get("/conversions", summary="Conversions of gas channels")
def find_conversions(connection: Db, _: Reader, channel: Id | None = None) -> list[ConversionOut]:
    """In the order of validity."""
    return [_conversion(one) for one in conversions.find_conversions(connection, channel)]


@router.post("/conversions", status_code=201, summary="Assign a conversion to a gas channel")
def assign_conversion(body: ConversionIn, connection: Db, clock: Now, person: Operator) -> ConversionOut:
    """409 where it overlaps another of the channel."""
    given = Conversion(id=0, **body.model_dump(exclude={"reason"}))
    identifier = conversions.assign(connection, given, person, body.reason, clock.now())
    return next(_conversion(o) for o in conversions.find_conversions(connection, body.channel) if o.id == identifier)


@router.post("/conversions/{identifier}/close", summary="End a conversion")
def close_conversion(identifier: Id, body: CloseIn, connection: Db, clock: Now, person: Operator) -> ConversionOut:
    """Before the gas day `end`."""
    return _conversion(conversions.close(connection, identifier, body.end, person, body.reason, clock.now()))


@router.get("/channels/{identifier}/energy", summary="Energy of a gas channel")
def get_energy(
    connection: Db,
    _: Reader,
    identifier: Id,
    first: First,
    end: End,
    rounding: Literal["kwh", "mwh"] = "kwh",
) -> EnergyOut:
    """With everything that it stands on, day by day; 409 names a day of which something is missing."""
    _check_period(first, end)
    whole, terms = period.period_energy(connection, identifier, first, end)
    return _energy(identifier, first, end, whole, terms, rounding)


def _energy(channel: int, first: date, end: date, whole: GasEnergy, terms: GasTerms, rounding: str) -> EnergyOut:
    rule = ROUNDINGS[rounding]
    days = []
    for day in whole.days:
        conversion, value = terms.conversion(day.day), terms.calorific(day.day)
        if conversion is None or value is None:
            raise Refused("gas_term_missing", f"The gas day {day.day} has no conversion or calorific value.")
        days.append(
            DayEnergyOut(
                day=day.day,
                volume_m3=day.volume_m3,
                volume_coefficient=shown(day.coefficient, 8),
                calorific_value_kwh_m3=day.calorific_value,
                energy_kwh=shown(day.energy_kwh, 6),
                conversion=conversion.id,
                calorific_period=value.period,
                calorific_version=value.version,
                calorific_source=value.source,
            )
        )
    return EnergyOut(
        channel=channel,
        first=first,
        end=end,
        volume_m3=whole.volume_m3,
        volume_coefficient=shown(whole.coefficient, 8),
        calorific_value_kwh_m3=shown(whole.calorific_value, 6),
        energy=whole.rounded(rule),
        unit=rule.unit,
        rounding=rule.name,
        rounding_source=rule.source,
        rounding_mark=rule.mark,
        assumed=sorted({text for conversion in terms.conversions for text in conversion.assumed}),
        days=days,
    )


def _conversion(one: Conversion) -> ConversionOut:
    numbers = {name: getattr(one, name) for name in conversions.NUMBERS}
    return ConversionOut(
        id=one.id,
        channel=one.channel,
        area=one.area,
        kind=one.kind,
        first=one.first,
        end=one.end,
        source=one.source,
        k=shown(one.k, 8),
        assumed=one.assumed,
        **numbers,
    )


def _check_period(first: date, end: date) -> None:
    if not 0 < (end - first).days <= LONGEST:
        raise BadInput("period", f"The period {first} to {end} must have 1 to {LONGEST} days; its end is exclusive.")


def _text(given: str) -> str:
    if "\0" in given:
        raise BadInput("text", "A text cannot hold the character NUL.")
    return given
