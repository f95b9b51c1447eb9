"""Routes of gas: conversions and the energy of channels; those of calorific values are included."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from central.platform.change import Confirmed, Preview, PreviewOnly, look, sentence, weigh
from central.platform.errors import Refused
from central.platform.web import Db, Now
from central.readings.gas import conversions, period
from central.readings.gas.calorific_api import router as calorific_router
from central.readings.gas.coefficient import Conversion
from central.readings.gas.energy import ROUNDINGS, GasEnergy
from central.readings.gas.exact import shown
from central.readings.gas.forms import Body, Day, End, First, Id, Name, Operator, Reader, Sentence, check_period
from central.readings.gas.terms import GasTerms
from central.readings.gas.touched import change_of_conversion

router = APIRouter(prefix="/gas")
router.include_router(calorific_router)

Number = Annotated[Decimal, Field(max_digits=12, decimal_places=8, allow_inf_nan=False)]


class ConversionIn(Body):
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


class CloseIn(Body):
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


@router.get("/conversions", summary="Conversions of gas channels")
def find_conversions(connection: Db, _: Reader, channel: Id | None = None) -> list[ConversionOut]:
    """In the order of validity."""
    return [_conversion(one) for one in conversions.find_conversions(connection, channel)]


@router.post("/conversions", status_code=201, summary="Assign a conversion to a gas channel")
def assign_conversion(
    body: ConversionIn,
    connection: Db,
    clock: Now,
    person: Operator,
    response: Response,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> ConversionOut | Preview:
    """409 where it overlaps another of the channel. What is settled already is shown before it is touched."""
    given = Conversion(id=0, **body.model_dump(exclude={"reason"}))
    conversions.require_valid(connection, given)
    change = change_of_conversion(connection, given, given.first)
    if preview:
        response.status_code = 200
        return look(connection, change, {}, given.document())
    touched = [sentence(each) for each in weigh(connection, change, confirmed=confirmed)]
    identifier = conversions.assign(connection, given, person, body.reason, clock.now(), touched)
    return next(_conversion(o) for o in conversions.find_conversions(connection, body.channel) if o.id == identifier)


@router.post("/conversions/{identifier}/close", summary="End a conversion")
def close_conversion(
    identifier: Id,
    body: CloseIn,
    connection: Db,
    clock: Now,
    person: Operator,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> ConversionOut | Preview:
    """Before the gas day `end`. What is settled from that day on is shown before it is touched."""
    stored = conversions.require_conversion(connection, identifier)
    change = change_of_conversion(connection, stored, body.end)
    if preview:
        return look(connection, change, stored.document(), {**stored.document(), "to": body.end.isoformat()})
    touched = [sentence(each) for each in weigh(connection, change, confirmed=confirmed)]
    closed = conversions.close(connection, identifier, body.end, person, body.reason, clock.now(), touched)
    return _conversion(closed)


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
    check_period(first, end)
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
