"""The payment calendar (platební kalendář): rows per contract and month with the events that are to come."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select
from sqlalchemy.dialects.postgresql import Range

from central.platform.errors import BadInput, NotFound
from central.platform.overview import Column, Kind, Overview
from central.registry.capacity_rules import months_later
from central.registry.contract_tables import CONTRACT_KINDS, contract, payment_calendar
from central.registry.contracts import VERSIONED
from central.registry.validity import ends, starts
from central.registry.versions import Version, read_versions

ACTIVE_FOR_CHECKS = "processing_period.active_for_checks"
"""Topic: a processing period has become active for checks. The event: `month`."""

ADVANCE_DAY = 15
"""Day of the month on which an advance is due (ours: neither law nor contract says)."""
MOST_MONTHS = 120


@dataclass(frozen=True, slots=True)
class Terms:
    """How a contract is paid: a statement every `statement_months`, an advance every `advance_months` (0: none)."""

    statement_months: int
    advance_months: int
    advance_amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Row:
    """A period of a contract and what is to happen in it; `end` is exclusive."""

    start: date
    end: date
    advance_due: bool
    regular_due: bool
    annual_due: bool
    advance_amount: Decimal | None
    advance_on: date | None


def calendar_rows(
    start: date, end: date, ends_on: date | None, terms: Sequence[tuple[date | None, Terms]]
) -> Iterator[Row]:
    """The rows of the months from `start` to `end` (exclusive): `terms` by the day since when they hold.

    Statements come at the end of each calendar quarter, half or year by their months; a yearly settlement is *annual*,
    a shorter one *regular*. In the month in which the contract ends (`ends_on`) a statement comes in any case. Advances
    come in the first of each of their months and not in a month that has a regular statement of its own.
    """
    first = start
    while first < end:
        following = months_later(first.replace(day=1), 1)
        stop = min(following, end)
        held = next(each for since, each in reversed(terms) if since is None or since < stop)
        last = ends_on is not None and stop >= ends_on
        turn = first.month % held.statement_months == 0
        statement = turn or last
        annual = statement and held.statement_months == 12
        advance = (
            held.advance_months > 0
            and (first.month - 1) % held.advance_months == 0
            and held.statement_months > 1
            and held.advance_amount is not None
        )
        yield Row(
            start=first,
            end=stop,
            advance_due=advance,
            regular_due=statement and not annual,
            annual_due=annual,
            advance_amount=held.advance_amount if advance else None,
            advance_on=_advance_day(first, stop) if advance else None,
        )
        first = stop


def _advance_day(start: date, end: date) -> date:
    day = start.replace(day=ADVANCE_DAY)
    return day if start <= day < end else start


def generate_calendar(connection: Connection, row: RowMapping, start: date, end: date) -> int:
    """Make the contract's rows for the months within [start, end); edited rows stay as they are. How many were made."""
    valid = row["valid"]
    first = max(start.replace(day=1), valid.lower or start.replace(day=1))
    last = min(end, valid.upper or end)
    if not first < last:
        raise BadInput(
            "period",
            f"The contract {row['number']} is valid {valid.lower} to {valid.upper or 'open'}; nothing of it lies in "
            f"{start} to {end}.",
        )
    if (last.year - first.year) * 12 + last.month - first.month > MOST_MONTHS:
        raise BadInput("period", f"The period {start} to {end} is longer than {MOST_MONTHS} months; make it in parts.")
    table = payment_calendar
    mine = (table.c.contract == row["id"]) & table.c.period.overlaps(Range(first, last, bounds="[)"))
    connection.execute(delete(table).where(mine & ~table.c.edited))
    kept = [period for (period,) in connection.execute(select(table.c.period).where(mine))]
    terms = [(version.since, _terms(version)) for version in read_versions(connection, VERSIONED, row["id"])]
    rows = [
        _stored(row["id"], made)
        for made in calendar_rows(first, last, valid.upper, terms)
        if not any(made.start < (period.upper or date.max) and (period.lower or date.min) < made.end for period in kept)
    ]
    if rows:
        connection.execute(insert(table), rows)
    return len(rows)


def end_calendar(connection: Connection, row: RowMapping) -> None:
    """Make the last row of a contract that was closed anew, if it has one: it ends with the contract and is settled."""
    ended: date = row["valid"].upper
    table = payment_calendar
    last = (table.c.contract == row["id"]) & table.c.period.contains(ended - timedelta(days=1)) & ~table.c.edited
    period = connection.execute(select(table.c.period).where(last)).scalar()
    if period is not None:
        generate_calendar(connection, row, period.lower, ended)


def _terms(version: Version) -> Terms:
    facts = version.facts
    return Terms(facts["statement_months"], facts["advance_months"], facts["advance_amount"])


def _stored(contract_id: int, made: Row) -> dict[str, Any]:
    return {
        "contract": contract_id,
        "period": Range(made.start, made.end, bounds="[)"),
        "advance_due": made.advance_due,
        "regular_due": made.regular_due,
        "annual_due": made.annual_due,
        "advance_amount": made.advance_amount,
        "advance_on": made.advance_on,
    }


OVERVIEW = Overview(
    name="payment calendar",
    source=payment_calendar,
    key=payment_calendar.c.id,
    joined=payment_calendar.join(contract, contract.c.id == payment_calendar.c.contract),
    columns=(
        Column("id", payment_calendar.c.id, Kind.INTEGER),
        Column("contract", payment_calendar.c.contract, Kind.INTEGER),
        Column("contract_number", contract.c.number),
        Column("contract_kind", contract.c.kind, Kind.CHOICE, CONTRACT_KINDS),
        Column("start", starts(payment_calendar.c.period), Kind.DATE),
        Column("end", ends(payment_calendar.c.period), Kind.DATE),
        Column("advance_due", payment_calendar.c.advance_due, Kind.BOOLEAN),
        Column("regular_due", payment_calendar.c.regular_due, Kind.BOOLEAN),
        Column("annual_due", payment_calendar.c.annual_due, Kind.BOOLEAN),
        Column("advance_amount", payment_calendar.c.advance_amount, Kind.DECIMAL),
        Column("advance_on", payment_calendar.c.advance_on, Kind.DATE),
        Column("edited", payment_calendar.c.edited, Kind.BOOLEAN),
    ),
    default_sort=(("start", False), ("contract_number", False)),
)
"""Rows of all contracts: what is to come in a period."""


def find_calendar(connection: Connection, contract_id: int) -> Sequence[RowMapping]:
    """The contract's rows in the order of time."""
    table = payment_calendar
    columns = [column for column in table.c if column.name not in ("period", "contract")]
    query = (
        select(*columns, starts(table.c.period).label("start"), ends(table.c.period).label("end"))
        .where(table.c.contract == contract_id)
        .order_by(starts(table.c.period))
    )
    return connection.execute(query).mappings().all()


def require_row(connection: Connection, identifier: int) -> RowMapping:
    """A row of a calendar, locked, with its contract's number, or NotFound."""
    table = payment_calendar
    query = (
        select(table, contract.c.number)
        .join(contract, contract.c.id == table.c.contract)
        .where(table.c.id == identifier)
        .with_for_update(of=table)
    )
    found = connection.execute(query).mappings().first()
    if found is None:
        raise NotFound("calendar_row_not_found", f"There is no row {identifier} of a payment calendar.")
    return found
