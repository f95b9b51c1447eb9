"""Compose invoice documents from billing bases and the inputs that their run pinned. Pure: rows in, documents out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from central.invoicing.advances.deductions import DeductedAdvance
from central.invoicing.compose_rows import BasisRow, PointInput
from central.invoicing.compose_taken import gas_facts, register_states
from central.invoicing.document import (
    DocumentLine,
    Fact,
    InvoiceDocument,
    Original,
    PartyDetails,
    PointSection,
    VatRow,
    recapitulate,
)
from central.invoicing.kinds import TaxDays, document_type, tax_date
from central.invoicing.tax_point import consumption_of
from central.invoicing.wording import Wording, trimmed, wording
from central.settlement.marks import DOCUMENTED

ORDER = (12, 13, 14, 26, 6, 5, 17, 27, 2001, 7, 15, 8, 9, 10, 11, 16, 1001, 1002, 1019, 1020, 1022, 1023)
"""The order of rate codes on an invoice: what is paid for the connection, for energy, then the other payments."""

_RANK = {rate: place for place, rate in enumerate(ORDER)}

INFORMING = frozenset({"regular", "annual", "collective"})
"""Kinds of documents that show lines for information, too."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Dates of an invoice: issue, days to pay."""

    issue_date: date
    payment_days: int


@dataclass(frozen=True, slots=True)
class About:
    """What kind of document it is, in which language, what it deducts, and what it corrects or cancels and why."""

    kind: str = "regular"
    language: str = "cs"
    deductions: Sequence[DeductedAdvance] = ()
    original: Original | None = None
    reason: str | None = None
    before: Sequence[VatRow] = ()
    """The recapitulations of the original and of what corrected it so far."""


def compose(
    invoice_number: str,
    supplier: PartyDetails,
    customer: PartyDetails,
    points: Sequence[tuple[PointInput, Sequence[BasisRow]]],
    terms: Terms,
    about: About | None = None,
) -> InvoiceDocument:
    """The document of one invoice; lines are numbered through all its points.

    The tax point is what kinds.json says of the kind: by how the consumption is known, or the day of issue.
    """
    about = about or About()
    words = wording(about.language)
    sections: list[PointSection] = []
    count = 0
    for given, bases in points:
        section = _section(given, bases, count, about.kind, words)
        count += len(section.lines)
        sections.append(section)
    lines = [line for section in sections for line in section.lines]
    vat_rows = recapitulate(lines, about.before)
    return InvoiceDocument(
        number=invoice_number,
        variable_symbol=invoice_number,
        issue_date=terms.issue_date,
        tax_date=tax_date(about.kind, TaxDays(issue=terms.issue_date, consumption=consumption_of(points))),
        due_date=terms.issue_date + timedelta(days=terms.payment_days),
        supplier=supplier,
        customer=customer,
        points=sections,
        sources=_sources(lines, words),
        vat_rows=vat_rows,
        document_type=document_type(about.kind, sum((row.gross for row in vat_rows), Decimal(0))),
        kind=about.kind,
        language=about.language,
        deductions=about.deductions,
        original=about.original,
        reason=about.reason,
    )


def _sources(lines: Sequence[DocumentLine], words: Wording) -> list[str]:
    """The decisions behind the lines; one that a value was only taken over from says so."""
    sure = {line.source for line in lines if line.source and line.mark == DOCUMENTED}
    unsure = {line.source for line in lines if line.source} - sure
    return [*sorted(sure), *(words.unsure.format(source=source) for source in sorted(unsure))]


def _section(given: PointInput, bases: Sequence[BasisRow], count: int, kind: str, words: Wording) -> PointSection:
    point, contract = given.facts["supply_point"], given.facts["contract"]
    street, postal_code, city = point["address"]
    informing = kind in INFORMING
    return PointSection(
        supply_point=given.supply_point,
        label="EIC" if point["commodity"] == "gas" else "EAN",
        code=point["ean"],
        name=point["name"],
        address=", ".join(filter(None, (street.strip(), f"{postal_code} {city}".strip()))),
        contract=contract["number"],
        commodity=point["commodity"],
        start=given.start,
        end=given.end,
        facts=_facts(given, bases, words),
        registers=register_states(given.readings, given.facts, words),
        lines=_lines(given, bases, count, informing, words),
        remarks=[finding["text"] for finding in given.findings] if informing else [],
        past=given.past if informing else (),
    )


def _lines(
    given: PointInput, bases: Sequence[BasisRow], count: int, informing: bool, words: Wording
) -> list[DocumentLine]:
    vat = bases[0].vat_percent if bases else Decimal(0)
    lines = [
        DocumentLine(
            number=0,
            supply_point=basis.supply_point,
            basis=basis.id,
            rate=basis.rate,
            name=words.rate(basis.rate, basis.name),
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
            start=basis.start if (basis.start, basis.end) != (given.start, given.end) else None,
            end=basis.end if (basis.start, basis.end) != (given.start, given.end) else None,
            statement_type=basis.statement_type,
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
            name=words.rate(entry["rate"], entry["name"]),
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
        for entry in (given.information if informing else ())
    ]
    lines.sort(key=lambda line: (_RANK.get(line.rate or 0, len(ORDER)), line.rate or 0))
    return [replace(line, number=count + place) for place, line in enumerate(lines, start=1)]


def _facts(given: PointInput, bases: Sequence[BasisRow], words: Wording) -> list[Fact]:
    point, item = given.facts["supply_point"], given.facts.get("item")
    facts: list[Fact] = []
    if item is None:
        return facts

    def put(label: str, value: str | None, unit: str = "") -> None:
        if value not in (None, ""):
            facts.append(Fact(words.facts[label], f"{value} {unit}".strip()))

    def plain(value: str | None) -> str | None:
        return None if value is None else words.number(trimmed(Decimal(value)))

    if point["commodity"] == "gas":
        put("annual_consumption", plain(item["annual_mwh"]), "MWh")
        put("daily_capacity", plain(item["gas_daily_capacity_m3"]), "m³")
        facts += gas_facts(given, bases, words)
    elif point["level"] == "NN":
        put("distribution_rate", item["rate"])
        if item["breaker_phases"] is not None:
            put("breaker", f"{item['breaker_phases']}×{item['breaker_amps']} A")
        put("metering_type", point["metering_type"])
    else:
        put("level_and_type", f"{point['level']}, {point['metering_type']}")
        put("capacity_year", plain(item["reserved_capacity_year_kw"]), "kW")
        put("capacity_month", plain(item["reserved_capacity_month_kw"]), "kW")
        put("reserved_input", plain(item["reserved_input_kw"]), "kW")
        power, at = given.quantities.get("max_quarter_hour_kw"), given.quantities.get("max_quarter_hour_at")
        if power is not None and at is not None:
            put("maximum", f"{plain(power)} kW, {words.instant(datetime.fromisoformat(at))}")
        put("energy_taken", plain(given.quantities.get("energy_mwh")), "MWh")
    put("shared_energy", plain(given.quantities.get("shared_energy_mwh")), "MWh")
    if not given.readings:
        put("meter", ", ".join(_meters(given.facts)))
    return facts


def _meters(facts: Mapping[str, Any]) -> list[str]:
    return sorted({mapping["serial"] for channel in facts["channels"] for mapping in channel["mappings"]})
