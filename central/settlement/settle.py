"""Settle points from their facts, what was measured, and the price books. Pure: one point's failure is its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from central.readings.gas.energy import MissingTermError
from central.readings.gas.period import day_volumes
from central.readings.profiles import Profiles
from central.settlement.evidence import as_text
from central.settlement.facts import ChannelFacts, PointFacts
from central.settlement.gas_month import gas_month, missing_term
from central.settlement.measured import (
    ChannelSum,
    NotMeasuredError,
    RegisterPeriod,
    StateReading,
    in_cubic_metres,
    in_mega,
    quarter_hour_kw,
    register_consumption,
)
from central.settlement.model import QUANTITIES, CannotPriceError, Line, Priced
from central.settlement.price_month import price_month
from central.settlement.prices import PriceBook
from shared.quantities import Commodity

BookFinder = Callable[[Commodity, str], PriceBook | None]


@dataclass(frozen=True)
class Measured:
    """What was measured in the month: sums of interval channels, their profile months, periods of state channels.

    `unvalidated`: the channels with days whose validation is still to be done, and the first such day.
    """

    sums: Mapping[int, ChannelSum]
    profiles: Mapping[Commodity, Profiles]
    states: Mapping[int, Sequence[RegisterPeriod]]
    unvalidated: Mapping[int, date] = field(default_factory=dict)


@dataclass
class PointMonth:
    """The quantities of one point, and per quantity the measurements that it was made of."""

    quantities: dict[str, Decimal] = field(default_factory=dict)
    sources: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    maximum_at: datetime | None = None

    def put(self, name: str, value: Decimal, sources: list[dict[str, Any]]) -> None:
        self.quantities[name] = value
        self.sources[name] = sources


@dataclass(frozen=True)
class Settled:
    """A settled point: its lines, quantities and pinned measurements, by which package."""

    facts: PointFacts
    book: PriceBook
    priced: Priced
    month: PointMonth

    def measurements(self, line: Line) -> list[dict[str, Any]]:
        """The measurements behind one line, by the quantities that its rule names."""
        named = {
            name
            for value in line.inputs.get("parameters", {}).values()
            for name in str(value).split("+")
            if name in QUANTITIES
        }
        return [source for name in sorted(named) for source in self.month.sources.get(name, [])]


@dataclass(frozen=True)
class Omitted:
    """A point that is left out: the component, the day where there is one, and a sentence."""

    facts: PointFacts
    component: str
    reason: str
    day: date | None = None


def settle_points(
    points: Sequence[PointFacts], measured: Measured, book_of: BookFinder, now: datetime
) -> tuple[list[Settled], list[Omitted]]:
    """Settle each point; one that cannot be is left out with its reason while the others go on."""
    settled: list[Settled] = []
    omitted: list[Omitted] = []
    for facts in points:
        outcome = settle_point(facts, measured, book_of, now)
        if isinstance(outcome, Settled):
            settled.append(outcome)
        else:
            omitted.append(outcome)
    return settled, omitted


def settle_point(facts: PointFacts, measured: Measured, book_of: BookFinder, now: datetime) -> Settled | Omitted:
    """Settle one point for its month, or say why not."""
    if facts.problem is not None:
        return Omitted(facts, "contract", facts.problem)
    if facts.end > now:
        return Omitted(facts, "period", f"Období místa {facts.ean} končí až {facts.end.isoformat()}.")
    book = book_of(facts.commodity, facts.tariff.operator)
    if book is None:
        return Omitted(
            facts,
            "package",
            f"Pro ceník {facts.tariff.operator} ({facts.commodity}) není v období místa {facts.ean} platný balíček.",
        )
    for channel in facts.channels:
        day = measured.unvalidated.get(channel.id)
        if day is not None:
            return Omitted(
                facts,
                "validation",
                f"Místo {facts.ean}: kanál {channel.direction} má dny, které čekají na ověření, první {day}. "
                "Zúčtujte místo, až ověření skončí.",
                day,
            )
    try:
        month = _quantities(facts, measured, book)
        priced = price_month(facts.tariff, {**facts.agreed, **month.quantities}, _first_day(facts), book)
    except NotMeasuredError as error:
        return Omitted(facts, "measurement", f"Místo {facts.ean}: {error.reason}", error.day)
    except CannotPriceError as error:
        return Omitted(facts, error.component, f"Místo {facts.ean}: {error.reason}")
    return Settled(facts=facts, book=book, priced=priced, month=month)


def _quantities(facts: PointFacts, measured: Measured, book: PriceBook) -> PointMonth:
    if facts.commodity is Commodity.GAS:
        return _gas(facts, measured, book)
    if facts.level == "NN":
        return _low_voltage(facts, measured, book)
    return _high_voltage(facts, measured)


def _high_voltage(facts: PointFacts, measured: Measured) -> PointMonth:
    month = PointMonth()
    active, total = _interval(facts, "A+", measured, required=True)
    if active is not None and total is not None:
        source = _profile_source(facts, active)
        month.put("energy_mwh", in_mega(total.total, active.exponent), [source])
        at = {"maximum_at": total.maximum_at.isoformat()}
        month.put("max_quarter_hour_kw", quarter_hour_kw(total.maximum, active.exponent), [{**source, **at}])
        month.maximum_at = total.maximum_at
    given, total = _interval(facts, "A-", measured, required=False)
    if given is not None and total is not None:
        at = {"maximum_at": total.maximum_at.isoformat()}
        power = quarter_hour_kw(total.maximum, given.exponent)
        month.put("max_quarter_hour_output_kw", power, [{**_profile_source(facts, given), **at}])
    for direction, name in (("R+", "reactive_taken_mvarh"), ("R-", "reactive_delivery_mvarh")):
        reactive, total = _interval(facts, direction, measured, required=False)
        if reactive is not None and total is not None:
            month.put(name, in_mega(total.total, reactive.exponent), [_profile_source(facts, reactive)])
    return month


def _low_voltage(facts: PointFacts, measured: Measured, book: PriceBook) -> PointMonth:
    month = PointMonth()
    registers = book.rate_registers(facts.tariff.rate or "")
    if registers is None:
        raise CannotPriceError("rate", f"Sazba {facts.tariff.rate or '(nezadána)'} není v balíčku {book.name}.")
    energy, sources = Decimal(0), []
    for register in registers:
        channel = facts.channel(register, "state")
        if channel is None:
            raise NotMeasuredError(f"sazba {facts.tariff.rate} potřebuje registr {register}, místo ho nemá.")
        periods = measured.states.get(channel.id, ())
        consumed = in_mega(register_consumption(periods, f"registr {register}"), channel.exponent)
        source = _state_source(channel, periods)
        if register != "JT":
            month.put(f"energy_{register.lower()}_mwh", consumed, [source])
        energy += consumed
        sources.append(source)
    month.put("energy_mwh", energy, sources)
    return month


def _gas(facts: PointFacts, measured: Measured, book: PriceBook) -> PointMonth:
    month = PointMonth()
    volume, total = _interval(facts, "V", measured, required=True)
    if volume is None or total is None:
        return month
    source = _profile_source(facts, volume)
    month.put("volume_m3", in_cubic_metres(total.total, volume.exponent), [source])
    month.sources["energy_mwh"] = [source]
    terms = facts.gas.get(volume.id)
    if terms is None:
        return month
    profiles = measured.profiles[Commodity.GAS]
    volumes = day_volumes(profiles, profiles.channels.index(volume.id))
    try:
        converted = gas_month(volumes, volume.exponent, terms, book.rounding_step("energy_mwh"))
    except MissingTermError as error:
        raise NotMeasuredError(missing_term(volume.direction, error), error.day) from error
    for name, value in converted.items():
        month.put(name, value, [source])
    return month


def _interval(
    facts: PointFacts, direction: str, measured: Measured, *, required: bool
) -> tuple[ChannelFacts | None, ChannelSum | None]:
    channel = facts.channel(direction, "interval")
    if channel is None:
        if required:
            raise NotMeasuredError(f"místo nemá průběhový kanál {direction}.")
        return None, None
    total = measured.sums[channel.id]
    if total.missing_day is not None:
        raise NotMeasuredError(
            f"kanál {direction}: měsíc není úplný, chybí {total.missing_count} hodnot, první dne {total.missing_day}.",
            total.missing_day,
        )
    return channel, total


def _profile_source(facts: PointFacts, channel: ChannelFacts) -> dict[str, Any]:
    return {
        "kind": "profile",
        "channel": channel.id,
        "direction": channel.direction,
        "from": facts.start.isoformat(),
        "to": facts.end.isoformat(),
    }


def _state_source(channel: ChannelFacts, periods: Sequence[RegisterPeriod]) -> dict[str, Any]:
    return {
        "kind": "state",
        "channel": channel.id,
        "direction": channel.direction,
        "unit": channel.unit,
        "exponent": channel.exponent,
        "periods": [
            {
                "factor": period.factor,
                "from": None if period.start is None else _state(period.start),
                "to": None if period.end is None else _state(period.end),
            }
            for period in periods
        ],
    }


def _state(reading: StateReading) -> dict[str, Any]:
    document: dict[str, Any] = {
        "evidence_channel": reading.evidence_channel,
        "at": reading.at.isoformat(),
        "value": reading.value,
        "exponent": reading.exponent,
        "batch": reading.batch,
        "quality": reading.quality,
        "kind": reading.kind,
    }
    if reading.entry is not None:
        document["entry"] = reading.entry
    if reading.split is not None:
        document["split"] = dict(reading.split)
    return document


def _first_day(facts: PointFacts) -> date:
    return date.fromisoformat(str(facts.document["period"][0]))


def quantities_document(month: PointMonth) -> dict[str, Any]:
    """The quantities as the run keeps them: decimals as text, and when the highest quarter-hour began."""
    document: dict[str, Any] = {name: as_text(value) for name, value in month.quantities.items()}
    if month.maximum_at is not None:
        document["max_quarter_hour_at"] = month.maximum_at.isoformat()
    return document
