"""Advances proposed for a contract: predicted consumption, priced by the law in force, spread over the advances due.

This is where settlement's pricing and tariffs' law meet for a bill that does not exist yet. A proposal is made anew
each time; who accepts it says by its digest which one they saw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, text

from central.invoicing.advances.prediction import (
    MonthAhead,
    MonthBefore,
    MonthOfYear,
    advances_of,
    counted_ahead,
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
from central.settlement.registry import read_records
from central.workflow.advance_bills import PointMonth, of_item, of_supply, predict_month, prices_in
from central.workflow.advance_law import Law
from central.workflow.advance_readings import (
    Weights,
    read_counted,
    read_items,
    read_used,
    read_weather,
    year_earlier,
)
from central.workflow.what_if import NO_STATEMENT
from shared.metering_day import next_month
from shared.quantities import Commodity

MONTHS = 12

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
            f"No supply point is billed for distribution or supply under contract {contract['number']} from {start} to "
            f"{end}.",
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
    counted = read_counted(connection, list(commodities), before, months[0])
    lengths = {month.month: Fraction((next_month(month.year, month.month) - month).days) for month in months}
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
        services = {
            code: quantities
            for code, days in counted[item.supply_point].items()
            if (quantities := counted_ahead(months, used_by_months(days, lengths)))
        }
        whole = records[item.supply_point]
        record = of_supply(whole, item.id, services) if item.alone else of_item(whole, item.id, services)
        for place, (month, each) in enumerate(zip(months, ahead, strict=True)):
            prices = prices_in(record, month)
            if prices is not None:
                told = {code: quantities[place] for code, quantities in services.items()}
                predicted = predict_month(record, prices, month, each, known, law, told)
                points += [] if predicted is None else [predicted]
    return points


def _month_of_year(month: date, points: Sequence[PointMonth], *, advance_due: bool) -> MonthOfYear:
    mine = [each for each in points if each.month == month]
    gross = sum((each.gross for each in mine), Decimal("0.00"))
    mwh = sum((MonthAhead(each.quantities, "planned").mwh for each in mine), Decimal())
    return MonthOfYear(mwh, gross, advance_due=advance_due)
