"""Prescriptions (předpisy záloh): made from payment calendars, sent as numbered advance requests, withdrawn.

Under combined services the supplier that is valid on each day pays for a point, so one row of the calendar of a
framework contract becomes an advance a supplier with a part a point; else who pays on the day when the advance is due
pays for the whole row.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range

from central.invoicing.advances.amounts import share
from central.invoicing.advances.faces import keep_faces
from central.invoicing.advances.states import TRANSITIONS, advanced
from central.invoicing.advances.tables import advance, advance_deposit, advance_part
from central.invoicing.advances.vat import VatRates
from central.invoicing.delivery.withdrawing import withdraw_document
from central.invoicing.numbering import NumberSeries
from central.invoicing.payments import receivables
from central.invoicing.payments.matching import lock_payments
from central.platform import audit
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person
from central.registry.tables import contract
from shared.metering_day import PRAGUE

CURRENCY = "CZK"

HELD = text("""
    -- rows of calendars with an advance that is due before a day, each with the points that it is for and with who
    -- sells and pays on which days
    SELECT pc.id AS calendar, pc.contract, lower(pc.period) AS start, upper(pc.period) AS "end", pc.advance_on,
           pc.advance_amount, c.kind, ci.supply_point, sp.commodity, sp.operator AS seller, sp.planned_mwh,
           CASE WHEN c.kind = 'framework' THEN coalesce(sp.supplier, held.payer) ELSE held.payer END AS payer,
           lower(days.days) AS since, upper(days.days) AS until
      FROM payment_calendar pc
      JOIN contract c ON c.id = pc.contract
      JOIN contract_valid held ON held.id = c.id AND held.held && pc.period
      JOIN contract_item ci ON ci.contract = c.id AND ci.valid && pc.period
      JOIN supply_point_valid sp ON sp.id = ci.supply_point AND sp.valid && pc.period
           AND sp.state IN ('connected', 'suspended')
     CROSS JOIN LATERAL (SELECT pc.period * held.held * ci.valid * sp.valid AS days) days
     WHERE pc.advance_due AND pc.advance_amount > 0 AND pc.advance_on >= :since AND pc.advance_on < :until
       AND (CAST(:contracts AS bigint[]) IS NULL OR pc.contract = ANY (:contracts)) AND NOT isempty(days.days)
     ORDER BY pc.contract, pc.period, ci.supply_point, lower(days.days)
""")

TAKEN = text("""
    -- advances that stand in the way of what would be prescribed: sent ones stay, prescribed ones may be made anew
    SELECT id, contract, seller, payer, lower(period) AS start, upper(period) AS "end", due, amount, vat_percent, state
      FROM advance
     WHERE state <> 'cancelled' AND contract = ANY (:contracts)
       AND (due >= :since AND due < :until OR period && daterange(:first, :end))
     ORDER BY id FOR UPDATE
""")

PARTS = text("SELECT advance, supply_point, amount FROM advance_part WHERE advance = ANY (:ids)")
GONE = text("DELETE FROM advance WHERE id = ANY (:ids)")
SENT = text("""
    UPDATE advance a SET number = given.number, due = given.due, issued_on = :today, state = :state
      FROM unnest(CAST(:ids AS bigint[]), CAST(:numbers AS text[]), CAST(:dues AS date[])) AS given (id, number, due)
     WHERE a.id = given.id
""")
SENDING = TRANSITIONS["send"]["prescribed"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days on which a point is under a calendar row, with who sells and pays; `until` is exclusive."""

    supply_point: int
    commodity: str
    seller: int
    payer: int
    since: date
    until: date
    planned_mwh: Decimal | None


@dataclass(frozen=True, slots=True)
class Prescription:
    """An advance as it should be asked for; `parts` by supply point sum to `amount`."""

    contract: int
    seller: int
    payer: int
    start: date
    end: date
    due: date
    amount: Decimal
    commodity: str
    parts: Mapping[int, Decimal]


@dataclass(frozen=True, slots=True)
class CalendarRow:
    """The row of a payment calendar that asks for an advance of `amount` on day `due`."""

    contract: int
    framework: bool
    start: date
    end: date
    due: date
    amount: Decimal


def prescriptions_of(row: CalendarRow, stretches: Sequence[Stretch]) -> list[Prescription]:
    """Share the amount of a calendar row among its points, and gather the parts by who sells and pays.

    A point weighs by its days, and by its planned consumption where every point of the row has one. What a share comes
    to in the end is exact: the prescriptions sum to the row.
    """
    counted = list(stretches)
    if not row.framework:
        on_due = [stretch for stretch in stretches if stretch.since <= row.due < stretch.until]
        counted = on_due or counted
    if not counted:
        return []
    planned = all(stretch.planned_mwh for stretch in counted)
    weights = [
        Fraction((stretch.until - stretch.since).days) * (Fraction(stretch.planned_mwh or 0) if planned else 1)
        for stretch in counted
    ]
    gathered: dict[tuple[int, int], dict[int, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    commodities: dict[tuple[int, int], str] = {}
    for stretch, amount in zip(counted, share(row.amount, weights), strict=True):
        sides = (stretch.seller, stretch.payer)
        commodities.setdefault(sides, stretch.commodity)
        gathered[sides][stretch.supply_point] += amount
    return [
        Prescription(
            contract=row.contract,
            seller=seller,
            payer=payer,
            start=row.start,
            end=row.end,
            due=row.due,
            amount=sum(parts.values(), Decimal()),
            commodity=commodities[seller, payer],
            parts=dict(parts),
        )
        for (seller, payer), parts in sorted(gathered.items())
        if sum(parts.values(), Decimal())
    ]


def prescribe(
    connection: Connection, since: date, until: date, person: Person, now: datetime, contracts: list[int] | None = None
) -> dict[str, int]:
    """Prescribe what calendars ask for from `since` to `until` (exclusive); what was sent stays as it is.

    A row of a calendar for which something was sent is left alone; what is only prescribed is made anew where it
    changed, and goes where nothing asks for it any more. Counts: made, kept, removed, left_alone.
    """
    asked = {"since": since, "until": until, "contracts": contracts}
    rows = connection.execute(HELD, asked).all()
    wanted = [
        each for group in _by_calendar(rows).values() for each in prescriptions_of(_row(group[0]), _stretches(group))
    ]
    concerned = sorted({each.contract for each in wanted} | set(contracts or _prescribed(connection, since, until)))
    taken = connection.execute(
        TAKEN,
        {
            "contracts": concerned,
            "since": since,
            "until": until,
            "first": min((each.start for each in wanted), default=since),
            "end": max((each.end for each in wanted), default=until),
        },
    ).all()
    sent: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in taken:
        if row.state != "prescribed":
            sent[row.contract].append(row)
    free = [each for each in wanted if not any(_meets(each, row) for row in sent[each.contract])]
    rates = VatRates(connection)
    kept = _same(connection, [row for row in taken if row.state == "prescribed"], free, rates)
    gone = [row.id for row in taken if row.state == "prescribed" and row.id not in kept]
    if gone:
        connection.execute(GONE, {"ids": gone})
    right = {_name(each) for each in kept.values()}
    new = [each for each in free if _name(each) not in right]
    _store(connection, new, rates, person, now)
    counts = {"made": len(new), "kept": len(kept), "removed": len(gone), "left_alone": len(wanted) - len(free)}
    details = {"since": since.isoformat(), "until": until.isoformat(), **counts}
    audit.record(connection, person, "advance.prescribe", "advance", details, now)
    return counts


def _prescribed(connection: Connection, since: date, until: date) -> list[int]:
    columns = advance.c
    query = select(columns.contract).where(columns.state == "prescribed", columns.due >= since, columns.due < until)
    return list(connection.execute(query.distinct()).scalars())


def _by_calendar(rows: Sequence[Row[Any]]) -> dict[int, list[Row[Any]]]:
    groups: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        groups[row.calendar].append(row)
    return groups


def _row(row: Row[Any]) -> CalendarRow:
    return CalendarRow(row.contract, row.kind == "framework", row.start, row.end, row.advance_on, row.advance_amount)


def _stretches(rows: Sequence[Row[Any]]) -> list[Stretch]:
    return [
        Stretch(row.supply_point, row.commodity, row.seller, row.payer, row.since, row.until, row.planned_mwh)
        for row in rows
    ]


def _name(each: Prescription) -> tuple[int, int, int, date, date]:
    """What there is one advance of."""
    return each.contract, each.seller, each.payer, each.start, each.end


def _meets(wanted: Prescription, row: Row[Any]) -> bool:
    return bool(wanted.start < row.end and row.start < wanted.end)


def _same(
    connection: Connection, rows: Sequence[Row[Any]], wanted: Sequence[Prescription], rates: VatRates
) -> dict[int, Prescription]:
    """Prescribed advances that are as they should be, by id."""
    parts: dict[int, dict[int, Decimal]] = defaultdict(dict)
    for part in connection.execute(PARTS, {"ids": [row.id for row in rows]}):
        parts[part.advance][part.supply_point] = part.amount
    named = {_name(each): each for each in wanted}
    same: dict[int, Prescription] = {}
    for row in rows:
        found = named.get((row.contract, row.seller, row.payer, row.start, row.end))
        if found is not None and (row.due, row.amount, row.vat_percent, parts[row.id]) == (
            found.due, found.amount, rates.on(found.commodity, found.due), dict(found.parts),
        ):  # fmt: skip
            same[row.id] = found
    return same


def _store(connection: Connection, new: Sequence[Prescription], rates: VatRates, person: Person, now: datetime) -> None:
    if not new:
        return
    rows = [
        {
            "contract": each.contract,
            "seller": each.seller,
            "payer": each.payer,
            "period": Range(each.start, each.end, bounds="[)"),
            "due": each.due,
            "amount": each.amount,
            "vat_percent": rates.on(each.commodity, each.due),
            "currency": CURRENCY,
            "state": "prescribed",
            "made_at": now,
            "made_by": person.name,
        }
        for each in new
    ]
    ids = connection.execute(insert(advance).returning(advance.c.id, sort_by_parameter_order=True), rows).scalars()
    connection.execute(
        insert(advance_part),
        [
            {"advance": identifier, "supply_point": point, "amount": amount}
            for identifier, each in zip(ids, new, strict=True)
            for point, amount in each.parts.items()
        ],
    )


def send_advances(
    connection: Connection, until: date, person: Person, now: datetime, contracts: list[int] | None = None
) -> list[str]:
    """Send what is prescribed and due before `until`: numbers without holes, an open item each. The numbers.

    What is due already gets the contract's days to pay.
    """
    today = now.astimezone(PRAGUE).date()
    query = (
        select(advance, contract.c.due_days)
        .join(contract, contract.c.id == advance.c.contract)
        .where(advance.c.state == "prescribed", advance.c.due < until)
        .order_by(advance.c.due, advance.c.id)
        .with_for_update(of=advance)
    )
    if contracts is not None:
        query = query.where(advance.c.contract.in_(contracts))
    rows = connection.execute(query).all()
    if not rows:
        raise Refused(
            "nothing_to_send", f"No advance that is due before {until} waits to be sent; prescribe advances first."
        )
    numbers = list(NumberSeries(connection, "advance", today).take(len(rows)))
    dues = [row.due if row.due >= today else today + timedelta(days=row.due_days) for row in rows]
    connection.execute(
        SENT,
        {"ids": [row.id for row in rows], "numbers": numbers, "dues": dues, "today": today, "state": SENDING},
    )
    keep_faces(connection, "advance", [row.id for row in rows])
    receivables.open_receivables(
        connection,
        [
            receivables.NewReceivable(
                kind="advance",
                number=number,
                seller=row.seller,
                payer=row.payer,
                variable_symbol=number,
                issued_on=today,
                due=due,
                amount=row.amount,
                contract=row.contract,
                advance=row.id,
                currency=row.currency,
            )
            for row, number, due in zip(rows, numbers, dues, strict=True)
        ],
    )
    details = {"until": until.isoformat(), "advances": len(numbers), "first": numbers[0], "last": numbers[-1]}
    audit.record(connection, person, "advance.send", "advance", details, now)
    return numbers


def require_advance(connection: Connection, identifier: int) -> Row[Any]:
    """The advance's row, locked, or NotFound."""
    row = connection.execute(select(advance).where(advance.c.id == identifier).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("advance_not_found", f"There is no advance {identifier}; see GET /v1/advances.")
    return row


def cancel_advance(connection: Connection, identifier: int, why: str, person: Person, now: datetime) -> None:
    """Withdraw an advance for which nothing came: its open item is closed, what waits of its delivery withdrawn.

    Refused where something came.
    """
    lock_payments(connection)
    row = require_advance(connection, identifier)
    name = row.number or str(identifier)
    state = advanced(row.state, "cancel", name)
    came = connection.execute(
        select(advance_deposit.c.id)
        .where(advance_deposit.c.advance == identifier, advance_deposit.c.released_on.is_(None))
        .limit(1)
    ).first()
    if came is not None:
        raise Refused(
            "advance_paid",
            f"For the advance {name} a payment came; release the payment first, then cancel the advance.",
        )
    connection.execute(update(advance).where(advance.c.id == identifier).values(state=state))
    item = receivables.find(connection, advance=identifier)
    if item is not None:
        receivables.close_by(connection, [item.id], why, person, now)
    if row.number is not None:
        withdraw_document(connection, row.number, f"Zrušeno: {why}", person, now)
    audit.record(connection, person, "advance.cancel", f"advance/{identifier}", {"number": row.number}, now, why=why)
