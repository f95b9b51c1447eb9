"""The quantities of a point's parts, each with the measurements that it was made of. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from central.readings.gas.energy import MissingTermError
from central.settlement.evidence import StretchKey, as_text
from central.settlement.facts import RESERVED_OUTPUT, ChannelFacts, PointFacts, Span
from central.settlement.gas_month import gas_parts, highest_days, missing_term
from central.settlement.interval_mask import parse_mask, told_mask
from central.settlement.law import law_of
from central.settlement.measured import (
    ChannelSum,
    DaySums,
    NotMeasuredError,
    RegisterPeriod,
    StateReading,
    in_cubic_metres,
    in_mega,
    quarter_hour_kw,
    register_consumption,
    unfed_days,
)
from central.settlement.model import Beside, CannotPriceError
from central.settlement.services import Count, nothing_counted
from central.settlement.shared_energy import SHARED, shared_of
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

LOW_VOLTAGE = "NN"
"""Level that is billed by register states; the others are billed by profiles."""
PEAKS = {
    "max_quarter_hour_kw": "max_quarter_hour_at",
    "max_quarter_hour_output_kw": "max_quarter_hour_output_at",
    "max_quarter_hour_without_exempt_kw": "max_quarter_hour_without_exempt_at",
    "max_daily_taken_thousand_m3": "max_daily_taken_at",
    "daily_taken_23h_thousand_m3": "daily_taken_23h_at",
    "daily_taken_25h_thousand_m3": "daily_taken_25h_at",
}
"""Quantities that are a highest value, and what tells when it was; the others add up."""
EVALUATED = {"energy_mwh": "A+", "reactive_taken_mvarh": "R+"}
"""Quantities that a rule may take of some intervals only, and the direction that they are measured in."""
MEANS = frozenset({"volume_coefficient", "calorific_value_kwh_m3"})
"""Quantities that are told by part only."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why nothing may be settled by a channel yet: a component, what waits, and the first day."""

    component: str
    what: str
    day: date


@dataclass(frozen=True)
class Measured:
    """What was measured of some points: profiles by day, register periods by channel and its two instants.

    `waiting`: the channels with days that are not fit to be settled yet. `count`: what own services are billed by.
    `without_exempt`: by entry of a network and its channel, what it took less what exempt points behind it did, and the
    exponent of that. `beside`: by point what is settled already of its months.
    """

    days: Mapping[Commodity, DaySums] = field(default_factory=dict)
    states: Mapping[StretchKey, Sequence[RegisterPeriod]] = field(default_factory=dict)
    waiting: Mapping[int, Waiting] = field(default_factory=dict)
    count: Count = nothing_counted
    without_exempt: Mapping[tuple[int, int], tuple[DaySums, int]] = field(default_factory=dict)
    beside: Mapping[int, Beside] = field(default_factory=dict)


@dataclass
class PartMeasured:
    """The quantities of one part, per quantity the measurements behind it, when the highest began, what was unfed."""

    quantities: dict[str, Decimal] = field(default_factory=dict)
    sources: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    peaks_at: dict[str, datetime] = field(default_factory=dict)
    unfed: list[tuple[str, date, date]] = field(default_factory=list)
    """Registers of the rate that no meter fed, and on which days, half-open."""

    def put(self, name: str, value: Decimal, sources: list[dict[str, Any]]) -> None:
        self.quantities[name] = value
        self.sources[name] = sources


def registers_of(span: Span) -> Sequence[str]:
    """The registers that a low-voltage part is billed by; raises CannotPriceError for an unknown rate."""
    registers = span.book.rate_registers(span.tariff.rate or "")
    if registers is None:
        rate = span.tariff.rate or "(nezadána)"
        raise CannotPriceError("rate", f"Sazba {rate} není v balíčku {span.book.name} {span.book.version}.")
    if span.item.is_unmetered and registers:
        raise CannotPriceError(
            "unmetered",
            f"Položka smlouvy má od {span.first} neměřený odběr, sazba {span.tariff.rate} se však měří "
            f"({', '.join(registers)}); opravte sazbu, nebo neměřený odběr z položky odeberte.",
            span.first,
        )
    return registers


def measure_parts(facts: PointFacts, measured: Measured) -> list[PartMeasured]:
    """The quantities of a point's parts, in their order.

    Raises NotMeasuredError for what is missing, CannotPriceError for a rate that no package knows.
    """
    for span in facts.spans:
        if span.item.is_unmetered and span.version.level != LOW_VOLTAGE:
            raise CannotPriceError(
                "unmetered", f"Neměřený odběr je jen na hladině NN, místo má dne {span.first} jinou.", span.first
            )
    if facts.commodity is Commodity.GAS:
        parts = _gas(facts, measured)
    else:
        parts = [
            _low_voltage(facts, span, measured) if span.version.level == LOW_VOLTAGE else _high(facts, span, measured)
            for span in facts.spans
        ]
    for span, part in zip(facts.spans, parts, strict=True):
        _require_not_negative(span, part)
        shared = shared_of(facts, span)
        if shared is not None:
            part.put(SHARED, *shared)
    return parts


def _require_not_negative(span: Span, part: PartMeasured) -> None:
    """What flowed in one direction is no less than nothing: below it a meter or a formula is wrong, and would pay."""
    for name, value in part.quantities.items():
        if value.is_signed() and value and name not in PEAKS:
            raise NotMeasuredError(
                f"od {span.first} do {span.end} je {name} {as_text(value)}, tedy pod nulou; opravte hodnoty, vzorec "
                "nebo znaménko kanálu.",
                span.first,
            )


def _high(facts: PointFacts, span: Span, measured: Measured) -> PartMeasured:
    part = PartMeasured()
    active, total = _interval(facts, span, "A+", measured, required=True)
    if active is not None and total is not None:
        source = _profile_source(facts, span, active, total)
        part.put("energy_mwh", in_mega(total.total, active.exponent), [source])
        at = {"maximum_at": total.maximum_at.isoformat()}
        part.put("max_quarter_hour_kw", quarter_hour_kw(total.maximum, active.exponent), [{**source, **at}])
        part.peaks_at["max_quarter_hour_kw"] = total.maximum_at
        if span.tariff.network_entry and (facts.supply_point, active.id) in measured.without_exempt:
            rest, exponent = measured.without_exempt[facts.supply_point, active.id]
            total = rest.between(active.id, span.first, span.end)
            _require_complete("A+ bez osvobozených míst", total)
            power = max(quarter_hour_kw(total.maximum, exponent), Decimal(0))
            part.put("max_quarter_hour_without_exempt_kw", power, [source])
            part.peaks_at["max_quarter_hour_without_exempt_kw"] = total.maximum_at
    _output(facts, span, measured, part)
    for direction, name in (("R+", "reactive_taken_mvarh"), ("R-", "reactive_delivery_mvarh")):
        reactive, total = _interval(facts, span, direction, measured, required=False)
        if reactive is not None and total is not None:
            source = _profile_source(facts, span, reactive, total)
            part.put(name, in_mega(total.total, reactive.exponent), [source])
    _evaluated(facts, span, measured, part)
    return part


def _evaluated(facts: PointFacts, span: Span, measured: Measured, part: PartMeasured) -> None:
    """The sums of the intervals that the part's power factor is of, where it is not all of them."""
    text = _mask_of(span)
    mask = None if text is None else parse_mask(text)
    if mask is None:
        return
    for name, direction in EVALUATED.items():
        channel = facts.channel_of(span, direction, "interval")
        if channel is not None and name in part.quantities:
            total = measured.days[facts.commodity].evaluated_between(channel.id, span.first, span.end, mask)
            source = {**part.sources[name][0], "intervals": text}
            part.put(f"evaluated_{name}", in_mega(total, channel.exponent), [source])


def _mask_of(span: Span) -> str | None:
    day = span.first.isoformat()
    for rule in law_of(span.book).rules(span.tariff):
        text = told_mask(rule.parameters)
        if text is not None and (rule.valid is None or rule.valid[0] <= day < rule.valid[1]):
            return text
    return None


def _output(facts: PointFacts, span: Span, measured: Measured, part: PartMeasured) -> None:
    """What was given into the network: its energy and its highest quarter-hour."""
    given, total = _interval(facts, span, "A-", measured, required=False)
    if given is None or total is None:
        return
    source = _profile_source(facts, span, given, total)
    at = {"maximum_at": total.maximum_at.isoformat()}
    part.put("max_quarter_hour_output_kw", quarter_hour_kw(total.maximum, given.exponent), [{**source, **at}])
    part.peaks_at["max_quarter_hour_output_kw"] = total.maximum_at
    part.put("energy_returned_mwh", in_mega(total.total, given.exponent), [source])


def _low_voltage(facts: PointFacts, span: Span, measured: Measured) -> PartMeasured:
    part = PartMeasured()
    if RESERVED_OUTPUT in span.agreed:
        _output(facts, span, measured, part)
    registers = registers_of(span)
    if not registers:
        return part  # a rate without registers is of unmetered takes: nothing is read, no energy is known
    energy, sources = Decimal(0), []
    for register in registers:
        channel = facts.channel_of(span, register, "state")
        if channel is None:
            raise NotMeasuredError(f"sazba {span.tariff.rate} potřebuje registr {register}, místo ho nemá.")
        if channel.kind == "interval":
            total = _complete(facts, span, channel, measured)
            consumed = in_mega(total.total, channel.exponent)
            source = _profile_source(facts, span, channel, total)
        else:
            bounds = facts.instant(span.first), facts.instant(span.end)
            periods = measured.states.get((channel.id, *bounds), ())
            consumed = in_mega(register_consumption(periods, f"registr {register}"), channel.exponent)
            source = state_source(channel, periods)
            part.unfed += [(register, *days) for days in unfed_days(periods, *bounds)]
        if register != "JT":
            part.put(f"energy_{register.lower()}_mwh", consumed, [source])
        energy += consumed
        sources.append(source)
    part.put("energy_mwh", energy, sources)
    return part


def _gas(facts: PointFacts, measured: Measured) -> list[PartMeasured]:
    parts = [PartMeasured() for _ in facts.spans]
    for part, span in zip(parts, facts.spans, strict=True):
        volume, total = _interval(facts, span, "V", measured, required=True)
        if volume is not None and total is not None:
            source = _profile_source(facts, span, volume, total)
            part.put("volume_m3", in_cubic_metres(total.total, volume.exponent), [source])
            part.sources["energy_mwh"] = [source]
    channel = facts.channel_of(facts.spans[0], "V", "interval")
    if any(facts.channel_of(span, "V", "interval") != channel for span in facts.spans):
        raise NotMeasuredError("místo se v období účtuje z různých kanálů objemu; zúčtujte každou část zvlášť.")
    if channel is None:
        return parts
    terms = facts.record.gas.get(channel.id)
    sums = measured.days[Commodity.GAS]
    volumes = [sums.day_volumes(channel.id, span.first, span.end) for span in facts.spans]
    for part, days in zip(parts, volumes, strict=True):
        for name, (value, day) in highest_days(days, channel.exponent, terms).items():
            at = MeteringDay(Commodity.GAS, day).start
            part.put(name, value, [{**part.sources["volume_m3"][0], "maximum_at": at.isoformat()}])
            part.peaks_at[name] = at
    if terms is None:
        return parts
    step = facts.spans[0].book.rounding_step("energy_mwh")
    try:
        converted = gas_parts(volumes, channel.exponent, terms, step)
    except MissingTermError as error:
        raise NotMeasuredError(missing_term(channel.direction, error), error.day) from error
    for part, values in zip(parts, converted, strict=True):
        for name, value in values.items():
            part.put(name, value, part.sources["volume_m3"])
    return parts


def _interval(
    facts: PointFacts, span: Span, direction: str, measured: Measured, *, required: bool
) -> tuple[ChannelFacts | None, ChannelSum | None]:
    channel = facts.channel_of(span, direction, "interval")
    if channel is None:
        if required:
            raise NotMeasuredError(f"místo nemá průběhový kanál {direction}.")
        return None, None
    if channel.kind != "interval":
        raise NotMeasuredError(
            f"položka smlouvy se má účtovat z kanálu {direction} ({channel.id}), který nemá průběh.", span.first
        )
    return channel, _complete(facts, span, channel, measured)


def _complete(facts: PointFacts, span: Span, channel: ChannelFacts, measured: Measured) -> ChannelSum:
    total = measured.days[facts.commodity].between(channel.id, span.first, span.end)
    _require_complete(channel.direction, total)
    return total


def _require_complete(what: str, total: ChannelSum) -> None:
    if total.missing_day is not None:
        raise NotMeasuredError(
            f"kanál {what}: období není úplné, chybí {total.missing_count} hodnot, první dne {total.missing_day}.",
            total.missing_day,
        )


def _profile_source(facts: PointFacts, span: Span, channel: ChannelFacts, total: ChannelSum) -> dict[str, Any]:
    source = {
        "kind": "profile",
        "channel": channel.id,
        "direction": channel.direction,
        "from": facts.instant(span.first).isoformat(),
        "to": facts.instant(span.end).isoformat(),
    }
    return {**source, "quality": dict(total.quality)} if total.quality else source


def state_source(channel: ChannelFacts, periods: Sequence[RegisterPeriod]) -> dict[str, Any]:
    """What a quantity of a register stands on: the states at both ends of each of its periods."""
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


def quantities_document(spans: Sequence[Span], parts: Sequence[PartMeasured]) -> dict[str, Any]:
    """The quantities as the run keeps them: decimals as text; of several parts the sums or highest values and each."""
    document = _told(_together(parts))
    if len(parts) > 1:
        document["parts"] = [
            {"from": span.first.isoformat(), "to": span.end.isoformat(), **_told(part)}
            for span, part in zip(spans, parts, strict=True)
        ]
    return document


def _together(parts: Sequence[PartMeasured]) -> PartMeasured:
    if len(parts) == 1:
        return parts[0]
    whole = PartMeasured()
    for part in parts:
        for name, value in part.quantities.items():
            if name in MEANS:
                continue
            before = whole.quantities.get(name)
            if name not in PEAKS:
                whole.quantities[name] = value if before is None else before + value
            elif before is None or value > before:
                whole.quantities[name] = value
                whole.peaks_at[name] = part.peaks_at[name]
    return whole


def _told(part: PartMeasured) -> dict[str, Any]:
    document: dict[str, Any] = {name: as_text(value) for name, value in part.quantities.items()}
    for name, at in part.peaks_at.items():
        document[PEAKS[name]] = at.isoformat()
    return document


def readings_document(parts: Iterable[PartMeasured]) -> list[dict[str, Any]]:
    """The states that the parts stand on, each register once a part."""
    return [
        source
        for part in parts
        for name, sources in sorted(part.sources.items())
        if name.startswith("energy_") and not (name == "energy_mwh" and "energy_vt_mwh" in part.sources)
        for source in sources
        if source["kind"] == "state"
    ]
