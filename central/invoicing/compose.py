"""Compose invoice documents from billing bases and the inputs that their run pinned. Pure: rows in, documents out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from central.invoicing.document import (
    DocumentLine,
    Fact,
    InvoiceDocument,
    PartyDetails,
    PointSection,
    RegisterStates,
    recapitulate,
)
from central.invoicing.printed import instant, number
from central.settlement.marks import DOCUMENTED

ORDER = (12, 13, 14, 26, 6, 5, 17, 27, 2001, 7, 15, 8, 9, 10, 11, 16, 1001, 1002, 1019, 1020, 1022, 1023)
"""The order of rate codes on an invoice: what is paid for the connection, for energy, then the other payments."""

DIRECTIONS = {"VT": "VT (vysoký tarif)", "NT": "NT (nízký tarif)", "JT": "JT (jednotarif)"}


@dataclass(frozen=True, slots=True)
class BasisRow:
    """A billing basis to be invoiced."""

    id: int
    supply_point: int
    rate: int
    name: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    price_unit: str
    amount: Decimal
    vat_percent: Decimal
    why: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PointInput:
    """What a run pinned for a point (`id`: the input): facts, quantities, states, lines for information, findings."""

    id: int
    supply_point: int
    facts: Mapping[str, Any]
    start: datetime
    end: datetime
    quantities: Mapping[str, str]
    readings: Sequence[Mapping[str, Any]]
    information: Sequence[Mapping[str, Any]]
    findings: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Terms:
    """Dates of an invoice: issue, days to pay."""

    issue_date: date
    payment_days: int


def compose(
    invoice_number: str,
    supplier: PartyDetails,
    customer: PartyDetails,
    points: Sequence[tuple[PointInput, Sequence[BasisRow]]],
    terms: Terms,
) -> InvoiceDocument:
    """The document of one invoice; lines are numbered through all its points.

    The tax point is the last metering day of the period, when the consumption is read.
    """
    sections: list[PointSection] = []
    count = 0
    for given, bases in points:
        section = _section(given, bases, count)
        count += len(section.lines)
        sections.append(section)
    lines = [line for section in sections for line in section.lines]
    last_day = max(date.fromisoformat(given.facts["period"][1]) for given, _ in points) - timedelta(days=1)
    return InvoiceDocument(
        number=invoice_number,
        variable_symbol=invoice_number,
        issue_date=terms.issue_date,
        tax_date=last_day,
        due_date=terms.issue_date + timedelta(days=terms.payment_days),
        supplier=supplier,
        customer=customer,
        points=sections,
        sources=_sources(lines),
        vat_rows=recapitulate(lines),
    )


def _sources(lines: Sequence[DocumentLine]) -> list[str]:
    """The decisions behind the lines; one that a value was only taken over from says so."""
    sure = {line.source for line in lines if line.source and line.mark == DOCUMENTED}
    unsure = {line.source for line in lines if line.source} - sure
    return [*sorted(sure), *(f"{source} (převzato, pro zúčtované období neověřeno)" for source in sorted(unsure))]


def _section(given: PointInput, bases: Sequence[BasisRow], count: int) -> PointSection:
    point, contract = given.facts["supply_point"], given.facts["contract"]
    street, postal_code, city = point["address"]
    return PointSection(
        supply_point=given.supply_point,
        label="EIC" if point["commodity"] == "gas" else "EAN",
        code=point["ean"],
        name=point["name"],
        address=f"{street}, {postal_code} {city}",
        contract=contract["number"],
        commodity=point["commodity"],
        start=given.start,
        end=given.end,
        facts=_facts(given, bases),
        registers=[register for reading in _in_order(given.readings) for register in _registers(reading, given.facts)],
        lines=_lines(given, bases, count),
        remarks=[finding["text"] for finding in given.findings],
    )


def _lines(given: PointInput, bases: Sequence[BasisRow], count: int) -> list[DocumentLine]:
    vat = bases[0].vat_percent if bases else Decimal(0)
    lines = [
        DocumentLine(
            number=0,
            supply_point=basis.supply_point,
            basis=basis.id,
            rate=basis.rate,
            name=basis.name,
            quantity=basis.quantity,
            unit=basis.unit,
            unit_price=basis.unit_price,
            price_unit=basis.price_unit,
            amount=basis.amount,
            vat_percent=basis.vat_percent,
            source=str(basis.why.get("price", {}).get("source", "")),
            example=bool(basis.why.get("price", {}).get("example")),
            mark=str(basis.why.get("mark", DOCUMENTED)),
            assumptions=[entry["text"] for entry in basis.why.get("assumptions", ())],
        )
        for basis in bases
    ]
    lines += [
        DocumentLine(
            number=0,
            supply_point=given.supply_point,
            basis=None,
            input=given.id,
            rate=entry["rate"],
            name=entry["name"],
            quantity=Decimal(entry["quantity"]),
            unit=entry["unit"],
            unit_price=Decimal(0),
            price_unit=entry["price_unit"],
            amount=Decimal("0.00"),
            vat_percent=vat,
            source=str(entry.get("source", "")),
            mark=str(entry.get("mark", DOCUMENTED)),
            assumptions=[assumption["text"] for assumption in entry.get("assumptions", ())],
        )
        for entry in given.information
    ]
    rank = {rate: place for place, rate in enumerate(ORDER)}
    lines.sort(key=lambda line: (rank.get(line.rate or 0, len(ORDER)), line.rate or 0))
    return [replace(line, number=count + place) for place, line in enumerate(lines, start=1)]


def _facts(given: PointInput, bases: Sequence[BasisRow]) -> list[Fact]:
    point, item = given.facts["supply_point"], given.facts["item"]
    facts: list[Fact] = []

    def put(label: str, value: str | None, unit: str = "") -> None:
        if value not in (None, ""):
            facts.append(Fact(label, f"{value} {unit}".strip()))

    if point["commodity"] == "gas":
        _gas_facts(given, bases, put)
    elif point["level"] == "NN":
        put("Distribuční sazba", item["rate"])
        if item["breaker_phases"] is not None:
            put("Hlavní jistič", f"{item['breaker_phases']}×{item['breaker_amps']} A")
        put("Typ měření", point["metering_type"])
    else:
        put("Napěťová hladina, typ měření", f"{point['level']}, {point['metering_type']}")
        put("Roční rezervovaná kapacita", _plain(item["reserved_capacity_year_kw"]), "kW")
        put("Měsíční rezervovaná kapacita", _plain(item["reserved_capacity_month_kw"]), "kW")
        put("Rezervovaný příkon", _plain(item["reserved_input_kw"]), "kW")
        put("Čtvrthodinové maximum", _maximum(given))
        put("Odebraná činná energie", _plain(given.quantities.get("energy_mwh")), "MWh")
    if not given.readings:
        put("Měřidlo", ", ".join(_meters(given.facts)))
    return facts


def _gas_facts(given: PointInput, bases: Sequence[BasisRow], put: Any) -> None:
    why = next((basis.why for basis in bases if "calorific_value_kwh_m3" in basis.why), {})
    energy = next((basis.quantity for basis in bases if "calorific_value_kwh_m3" in basis.why), None)
    put("Přepočtená roční spotřeba", _plain(given.facts["item"]["annual_mwh"]), "MWh")
    put("Denní rezervovaná kapacita", _plain(given.facts["item"]["gas_daily_capacity_m3"]), "m³")
    put("Objem za období", _plain(given.quantities.get("volume_m3")), "m³")
    put("Objemový koeficient", _plain(why.get("volume_coefficient")))
    put("Spalné teplo", _plain(why.get("calorific_value_kwh_m3")), "kWh/m³")
    put("Energie", None if energy is None else number(_trimmed(energy * 1000)), "kWh")


def _maximum(given: PointInput) -> str | None:
    power, at = given.quantities.get("max_quarter_hour_kw"), given.quantities.get("max_quarter_hour_at")
    if power is None or at is None:
        return None
    return f"{_plain(power)} kW, {instant(datetime.fromisoformat(at))}"


def _meters(facts: Mapping[str, Any]) -> list[str]:
    return sorted({mapping["serial"] for channel in facts["channels"] for mapping in channel["mappings"]})


def _in_order(readings: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The high tariff before the low one, as the lines have them."""
    return sorted(readings, key=lambda reading: list(DIRECTIONS).index(reading["direction"]))


def _registers(reading: Mapping[str, Any], facts: Mapping[str, Any]) -> list[RegisterStates]:
    mappings = {
        mapping["evidence_channel"]: mapping for channel in facts["channels"] for mapping in channel["mappings"]
    }
    states = []
    for period in reading["periods"]:
        start, end = period["from"], period["to"]
        mapping = mappings[start["evidence_channel"]]
        counted = Decimal((end["value"] - start["value"]) * period["factor"]).scaleb(reading["exponent"] - 3)
        states.append(
            RegisterStates(
                meter=mapping["serial"],
                register=DIRECTIONS.get(reading["direction"], reading["direction"]),
                start_at=datetime.fromisoformat(start["at"]),
                start=_kilo(start),
                end_at=datetime.fromisoformat(end["at"]),
                end=_kilo(end),
                multiplier=mapping["multiplier"],
                consumption=_trimmed(counted),
                unit="kWh",
            )
        )
    return states


def _kilo(state: Mapping[str, Any]) -> Decimal:
    return _trimmed(Decimal(state["value"]).scaleb(state["exponent"] - 3))


def _trimmed(value: Decimal) -> Decimal:
    """Without trailing zeros behind the point, and never with an exponent."""
    return value.normalize() + 0


def _plain(value: str | None) -> str | None:
    return None if value is None else number(_trimmed(Decimal(value)))
