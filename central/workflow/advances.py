"""Advances proposed for a contract: predicted consumption, priced by the law in force, spread over the advances due.

This is where settlement's pricing and tariffs' law meet for a bill that does not exist yet. A proposal is made anew
each time; who accepts it says by its digest which one they saw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, text

from central.invoicing.advances.prediction import (
    MAXIMA,
    REACTIVE,
    MonthAhead,
    MonthBefore,
    MonthOfYear,
    advances_of,
    months_ahead,
    used_by_months,
)
from central.platform import audit
from central.platform.errors import BadInput, Refused
from central.platform.identity import Person
from central.platform.plain import plain
from central.registry.calendar import Terms, calendar_rows, generate_calendar
from central.registry.contracts import VERSIONED
from central.registry.versions import read_versions
from central.settlement.document import digest_of
from central.settlement.facts import ContractItem, PointFacts, PointRecord, Span
from central.settlement.measured import NotMeasuredError
from central.settlement.model import CannotPriceError
from central.settlement.prices import PriceBook
from central.settlement.quantities import Measured, PartMeasured
from central.settlement.registry import read_records
from central.settlement.settle import parts_of, price_whole
from central.settlement.spans import facts_of
from central.workflow.advance_law import Law
from central.workflow.advance_readings import (
    Weights,
    read_items,
    read_used,
    read_weather,
    year_earlier,
)
from central.workflow.quote import quoted, spread
from central.workflow.what_if import NO_STATEMENT
from shared.metering_day import next_month
from shared.quantities import Commodity

MONTHS = 12
KNOWN_BEFORE = frozenset({"fixed", "area"})
"""How a service is counted whose quantity is agreed; what is measured for a service is not predicted."""

SET_ROWS = text("""
    -- the proposed amounts; a row stays where an advance of its time was sent
    UPDATE payment_calendar pc SET advance_amount = given.amount, edited = true
      FROM unnest(CAST(:starts AS date[]), CAST(:amounts AS numeric[])) AS given (start, amount)
     WHERE pc.contract = :contract AND lower(pc.period) = given.start AND pc.advance_due
       AND NOT EXISTS (SELECT FROM advance a WHERE a.contract = pc.contract AND a.period && pc.period
                          AND a.state IN ('sent', 'paid', 'deducted'))
    RETURNING pc.id
""")


@dataclass(frozen=True, slots=True)
class PointMonth:
    """A month to come of a contract item: what it will use, what that rests on, and the predicted bill.

    `quantities` are those of the item's days in the month; `gross` has the VAT of each line at its own rate.
    """

    ean: str
    month: date
    quantities: Mapping[str, Decimal]
    source: str
    net: Decimal
    gross: Decimal
    package: str
    prices_of: date


@dataclass(frozen=True, slots=True)
class Proposal:
    """Proposed advances by the first day of their month; `points` say month by month where the money comes from."""

    contract: str
    start: date
    spread: str
    net: Decimal
    gross: Decimal
    advances: Mapping[date, Decimal]
    points: Sequence[PointMonth]

    def document(self) -> dict[str, Any]:
        """All of it as plain values; `digest` names this very proposal."""
        told = {
            "contract": self.contract,
            "start": self.start.isoformat(),
            "spread": self.spread,
            "net": f"{self.net:f}",
            "gross": f"{self.gross:f}",
            "advances": [
                {"month": month.isoformat(), "amount": f"{amount:.2f}"} for month, amount in self.advances.items()
            ],
            "points": [
                {
                    "ean": each.ean,
                    "month": each.month.isoformat(),
                    "quantities": plain(each.quantities),
                    "source": each.source,
                    "net": f"{each.net:f}",
                    "gross": f"{each.gross:f}",
                    "package": each.package,
                    "prices_of": each.prices_of.isoformat(),
                }
                for each in self.points
            ],
        }
        return {**told, "digest": digest_of(told)}


def propose(
    connection: Connection,
    contract: RowMapping,
    start: date,
    *,
    spread: str | None = None,
    heating_share: Decimal = Decimal(0),
) -> Proposal:
    """Advances of twelve months from `start` (the first of a month) by the predicted bills.

    `spread` takes the place of the contract's own; `heating_share` of the consumption is corrected by degree days,
    where the operator keeps them. Raises Refused where nothing can be predicted or priced, or no advance is due.
    """
    if start.day != 1:
        raise BadInput("start", f"A proposal begins with a month; {start} is not the first of one.")
    months = _months(start)
    end = next_month(months[-1].year, months[-1].month)
    due = _due(connection, contract, start, end)
    if not any(due.values()):
        raise Refused(
            "no_advances",
            f"The contract {contract['number']} has no advance due from {start} to {end}: its terms ask for none.",
        )
    items = read_items(connection, contract["id"], start, end)
    if not items:
        raise Refused(
            "nothing_to_predict",
            f"No supply point is billed for distribution under contract {contract['number']} from {start} to {end}.",
        )
    points = _predicted(connection, items, months, Fraction(heating_share))
    if not points:
        raise Refused(
            "nothing_to_predict",
            f"No supply point of contract {contract['number']} is supplied on any day from {start} to {end}.",
        )
    chosen = spread or _spread(connection, contract, start)
    year = [_month_of_year(month, points, advance_due=due[month]) for month in months]
    amounts = iter(advances_of(year, chosen))
    return Proposal(
        contract=contract["number"],
        start=start,
        spread=chosen,
        net=sum((each.net for each in points), Decimal("0.00")),
        gross=sum((month.gross for month in year), Decimal("0.00")),
        advances={month: next(amounts) for month in months if due[month]},
        points=points,
    )


def accept(
    connection: Connection,
    contract: RowMapping,
    proposal: Proposal,
    digest: str,
    why: str,
    person: Person,
    now: datetime,
) -> int:
    """Write proposed amounts into the contract's calendar; how many rows. What was sent stays as it is.

    Rows that are not there yet are made by the contract's terms. Refused where the proposal is another by now.
    """
    document = proposal.document()
    if digest != document["digest"]:
        raise Refused(
            "proposal_changed",
            f"The proposal for contract {proposal.contract} from {proposal.start} has changed since it was looked at; "
            "look at it again.",
        )
    last = _months(proposal.start)[-1]
    generate_calendar(connection, contract, proposal.start, next_month(last.year, last.month))
    changed = connection.execute(
        SET_ROWS,
        {
            "contract": contract["id"],
            "starts": list(proposal.advances),
            "amounts": list(proposal.advances.values()),
        },
    ).all()
    details = {name: document[name] for name in ("start", "spread", "gross", "advances", "digest")}
    audit.record(connection, person, "advance.accept", f"contract/{proposal.contract}", details, now, why=why)
    return len(changed)


def _months(start: date) -> list[date]:
    months = [start]
    while len(months) < MONTHS:
        months.append(next_month(months[-1].year, months[-1].month))
    return months


def _terms_of(connection: Connection, contract: RowMapping) -> list[tuple[date | None, Mapping[str, Any]]]:
    return [(version.since, version.facts) for version in read_versions(connection, VERSIONED, contract["id"])]


def _due(connection: Connection, contract: RowMapping, start: date, end: date) -> dict[date, bool]:
    """In which months an advance is due, by the contract's terms."""
    valid = contract["valid"]
    terms = [
        (since, Terms(facts["statement_months"], facts["advance_months"], facts["advance_amount"]))
        for since, facts in _terms_of(connection, contract)
    ]
    first, last = max(start, valid.lower or start), min(end, valid.upper or end)
    rows = calendar_rows(first, last, valid.upper, terms) if first < last else iter(())
    due = {row.start.replace(day=1): row.advance_due for row in rows}
    return {month: due.get(month, False) for month in _months(start)}


def _spread(connection: Connection, contract: RowMapping, start: date) -> str:
    held = [facts for since, facts in _terms_of(connection, contract) if since is None or since <= start]
    spread: str = held[-1]["advance_spread"] if held else contract["advance_spread"]
    return "even" if spread == "manual" else spread


def _predicted(
    connection: Connection, items: Sequence[Row[Any]], months: Sequence[date], heating_share: Fraction
) -> list[PointMonth]:
    before = year_earlier(months[0])
    commodities = {item.supply_point: Commodity(item.commodity) for item in items}
    used = read_used(connection, list(commodities), before, months[0])
    weather = read_weather(connection, before, months[0])
    weights = {
        commodity: Weights(
            connection,
            commodity,
            [
                item.load_profile_class
                for item in items
                if item.load_profile_class and item.commodity == commodity.value
            ],
            months,
        )
        for commodity in set(commodities.values())
    }
    law = Law(connection)
    end = next_month(months[-1].year, months[-1].month)
    records = {
        record.id: record for record in read_records(connection, sorted(commodities), months[0], end, NO_STATEMENT)
    }
    points: list[PointMonth] = []
    for item in items:
        shape = weights[Commodity(item.commodity)].of(item.load_profile_class)
        by_number = {month.month: weight for month, weight in zip(months, shape, strict=True)}
        known = used_by_months(used[item.supply_point], by_number)
        year = [
            MonthBefore(
                weight,
                known.get(year_earlier(month), {}),
                weather.get((item.temperature_zone or "", year_earlier(month))),
            )
            for month, weight in zip(months, shape, strict=True)
        ]
        planned = item.planned_mwh if item.planned_mwh is not None else item.annual_mwh
        if item.unmetered_flat or item.unmetered_w is not None:
            planned = Decimal(0)  # billed by what is installed: no energy is predicted
        ahead = months_ahead(year, planned, heating_share)
        if ahead is None:
            raise Refused(
                "nothing_to_predict",
                f"Supply point {item.ean} has neither a settled month in the year from {before} nor a planned "
                "consumption; enter the planned consumption.",
            )
        record = of_item(records[item.supply_point], item.id)
        for month, each in zip(months, ahead, strict=True):
            if (item.since or month) < next_month(month.year, month.month) and month < (item.until or date.max):
                predicted = predict_month(record, item.prices, month, each, known, law)
                points += [] if predicted is None else [predicted]
    return points


def of_item(record: PointRecord, item: int) -> PointRecord:
    """What holds of a point under one item: only its days are billed, and of its services those agreed before."""
    services = {
        item: [held for held in record.own.services.get(item, ()) if held.fact.quantity in KNOWN_BEFORE],
    }
    return replace(
        record,
        items=[held for held in record.items if held.fact.id == item],
        own=replace(record.own, services=services),
        supplies=(),
    )


def predict_month(
    record: PointRecord,
    prices: str,
    month: date,
    ahead: MonthAhead,
    known: Mapping[date, Mapping[str, Decimal]],
    law: Law,
) -> PointMonth | None:
    """The bill of a month to come as a settlement would make it: the item's own days, supply, services and VAT.

    `known` is what earlier months used. None where the point is not supplied under the item on any day. Raises Refused
    where no law is found or a price is missing.
    """
    found = law.of(record.commodity, prices, month)
    if found is None:
        raise Refused(
            "no_package", f"No legislative package with the price list {prices} can price {month:%Y-%m}; install one."
        )
    books, meant = found
    facts = facts_of(record, month, next_month(month.year, month.month), books)
    if facts is None or facts.is_without_contract:
        return None
    if facts.problem is not None:
        raise _unpriced(facts, month, facts.problem.reason)
    measured = _measured(facts, month, ahead.quantities, known.get(year_earlier(month), {}))
    try:
        parts = parts_of(facts, measured)
        bill = quoted(price_whole(facts, parts, Measured()), parts)
    except (CannotPriceError, NotMeasuredError) as error:
        raise _unpriced(facts, month, error.reason) from error
    return PointMonth(
        ean=facts.ean,
        month=month,
        quantities=_together(measured),
        source=ahead.source,
        net=Decimal(bill["net"]),
        gross=Decimal(bill["gross"]),
        package=", ".join(bill["packages"]),
        prices_of=meant,
    )


def _unpriced(facts: PointFacts, month: date, reason: str) -> Refused:
    return Refused("cannot_price", f"Supply point {facts.ean} cannot be priced for {month:%Y-%m}: {reason}")


def _measured(
    facts: PointFacts, month: date, whole: Mapping[str, Decimal], before: Mapping[str, Decimal]
) -> list[PartMeasured]:
    """A whole month's quantities by the parts of the point: energy by their days, maxima as they are."""
    lengths = [(span.end - span.first).days for span in facts.spans]
    rest = (next_month(month.year, month.month) - month).days - sum(lengths)
    found: list[dict[str, Decimal]] = [{} for _ in facts.spans]
    reactive = {name: before[name] for name in REACTIVE if name in before}
    for index, span in enumerate(facts.spans):
        above_low = span.tariff.level not in (None, "NN")
        quantities = {
            **_by_registers(whole, span.book, span.item),
            **(reactive if above_low else {}),
        }
        for name, value in quantities.items():
            found[index][name] = spread(value, [*lengths, rest] if rest else lengths)[index]
        if above_low:
            found[index] |= _maxima(span, before)
    return [PartMeasured(each) for each in found]


def _together(measured: Sequence[PartMeasured]) -> dict[str, Decimal]:
    """What the parts of a month come to: energies summed, the highest of maxima."""
    sums: dict[str, Decimal] = {}
    for part in measured:
        for name, value in part.quantities.items():
            sums[name] = value if name not in sums else max(sums[name], value) if name in MAXIMA else sums[name] + value
    return sums


def _by_registers(quantities: Mapping[str, Decimal], book: PriceBook, item: ContractItem) -> dict[str, Decimal]:
    """A planned total of a rate with tariffs counts in the high one: an advance is rather higher than lower."""
    registers = book.rate_registers(item.rate) if item.rate else None
    if registers and "VT" in registers and not any(name in quantities for name in ("energy_vt_mwh", "energy_nt_mwh")):
        total = quantities.get("energy_mwh", Decimal(0))
        low = {"energy_nt_mwh": Decimal(0)} if "NT" in registers else {}
        return {"energy_vt_mwh": total, **low, "energy_mwh": total}
    return dict(quantities)


def _maxima(span: Span, before: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The maxima of the same month of last year; where they are not known, what is reserved: no over-run is predicted
    without a cause."""
    names = ("reserved_capacity_year_kw", "reserved_capacity_month_kw")
    reserved = sum((span.agreed.get(name, Decimal(0)) for name in names), Decimal(0))
    return {"max_quarter_hour_kw": reserved, **{name: before[name] for name in MAXIMA if name in before}}


def _month_of_year(month: date, points: Sequence[PointMonth], *, advance_due: bool) -> MonthOfYear:
    mine = [each for each in points if each.month == month]
    gross = sum((each.gross for each in mine), Decimal("0.00"))
    mwh = sum((MonthAhead(each.quantities, "planned").mwh for each in mine), Decimal())
    return MonthOfYear(mwh, gross, advance_due=advance_due)
