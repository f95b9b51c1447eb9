"""Reminders (upomínky): what is past due by the days of a level gets a letter, one for each contract account.

Levels are data (days after due, fee, penalty a day, wording); an item climbs one level at a time and is at each level
once. Fee (one a letter, of the highest level in it) and penalty (of each item by its own level) are open items of their
own: later letters ask for what is open of them too, without interest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, text

from central.invoicing.payments.letters import day_cs, letter, money_cs, qr_payment
from central.invoicing.payments.matching import lock_payments
from central.invoicing.payments.numbers import FEE, PENALTY, REMINDER, draw_numbers
from central.invoicing.payments.receivables import NewReceivable, open_receivable
from central.invoicing.payments.reminder_tables import reminder, reminder_item, reminder_level
from central.platform import audit
from central.platform.errors import BadInput, NotFound
from central.platform.identity import Person
from central.registry.tables import party
from shared.metering_day import PRAGUE

CENT: Final = Decimal("0.01")

PAST_DUE = text("""
    -- items past due whose next level has come; fees and penalties are asked for with the others, not by themselves
    SELECT r.*, seller.code AS seller_code, payer.code AS payer_code, payer.name AS payer_name,
           CAST(:day AS date) - r.due AS days, n.level AS next_level, had.since,
           had.charged_days
      FROM receivable r
      JOIN party seller ON seller.id = r.seller
      JOIN party payer ON payer.id = r.payer
     CROSS JOIN LATERAL (
           SELECT coalesce(max(i.level), 0) AS level, max(m.made_on) AS since,
                  coalesce(max(i.charged_days), 0) AS charged_days
             FROM reminder_item i JOIN reminder m ON m.id = i.reminder WHERE i.receivable = r.id) had
      JOIN reminder_level n ON n.level = (SELECT min(l.level) FROM reminder_level l WHERE l.level > had.level)
                           AND CAST(:day AS date) - r.due >= n.days_after_due
     WHERE r.is_open AND r.amount > 0 AND r.due < CAST(:day AS date) AND r.kind NOT IN ('fee', 'penalty')
       AND (had.since IS NULL OR had.since < CAST(:day AS date))
       AND (CAST(:payers AS bigint[]) IS NULL OR r.payer = ANY (:payers))
     ORDER BY r.seller, r.payer, r.account, r.currency, r.due, r.id
""")

CHARGED = text("""
    -- fees and penalties of earlier reminders that are still open
    SELECT r.* FROM receivable r
     WHERE r.is_open AND r.kind IN ('fee', 'penalty') AND r.payer = ANY (CAST(:payers AS bigint[]))
     ORDER BY r.due, r.id
""")

NAMES: Final = {"fee": "Poplatek za upomínku", "penalty": "Smluvní pokuta"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of reminders. `penalty_daily_percent`: of what is left, for each day past due that was not
    charged yet; None: no penalty."""

    level: int
    days_after_due: int
    fee: Decimal
    penalty_daily_percent: Decimal | None
    pay_within_days: int
    wording: str


def penalty(rest: Decimal, days: int, daily_percent: Decimal) -> Decimal:
    """The contractual penalty of an item: percent a day of what is left, rounded half up to 0.01."""
    return (rest * daily_percent / 100 * days).quantize(CENT, ROUND_HALF_UP)


def charge(rest: Decimal, days: int, charged_days: int, level: Level) -> tuple[Decimal, int]:
    """What an item is charged as it reaches its level, and the days past due that are charged then.

    By its own level, whatever the others of the letter have reached; a day that was charged is not charged again.
    """
    if level.penalty_daily_percent is None:
        return Decimal("0.00"), charged_days
    amount = penalty(rest, max(days - charged_days, 0), level.penalty_daily_percent)
    return amount, max(days, charged_days)


def find_levels(connection: Connection) -> list[Level]:
    """All levels, the first one first."""
    rows = connection.execute(select(reminder_level).order_by(reminder_level.c.level)).mappings()
    return [Level(**row) for row in rows]


def save_levels(connection: Connection, levels: Sequence[Level], reason: str, person: Person, now: datetime) -> None:
    """Take the place of all levels. They are numbered from 1 and each one comes later than the one before."""
    ordered = sorted(levels, key=lambda level: level.level)
    if [level.level for level in ordered] != list(range(1, len(ordered) + 1)):
        raise BadInput("levels", "Levels are numbered 1, 2, 3, ... without a gap.")
    days = [level.days_after_due for level in ordered]
    if days != sorted(set(days)):
        raise BadInput("levels", f"Each level comes more days after due than the one before; these are {days}.")
    before = {str(level.level): _plain(level) for level in find_levels(connection)}
    connection.execute(delete(reminder_level))
    if ordered:
        connection.execute(insert(reminder_level), [_plain(level) for level in ordered])
    after = {str(level.level): _plain(level) for level in ordered}
    audit.record(
        connection, person, "reminder_levels.save", "reminder_levels", {}, now, before=before, after=after, why=reason
    )


def find_past_due(connection: Connection, day: date, payers: Sequence[int] | None = None) -> Sequence[Row[Any]]:
    """Items for which a reminder is due on the day, with the level that comes next."""
    return connection.execute(PAST_DUE, {"day": day, "payers": None if payers is None else list(payers)}).all()


def make_reminders(connection: Connection, payers: Sequence[str] | None, person: Person, now: datetime) -> list[int]:
    """Make the letters that are due today, for these payers (codes; None: all); the ids, none where nothing is due."""
    lock_payments(connection)
    today = now.astimezone(PRAGUE).date()
    levels = {level.level: level for level in find_levels(connection)}
    rows = find_past_due(connection, today, _parties(connection, payers))
    earlier: dict[tuple[Any, ...], list[Row[Any]]] = {}
    for row in connection.execute(CHARGED, {"payers": sorted({row.payer for row in rows})}):
        earlier.setdefault(_letter_of(row), []).append(row)
    made: list[int] = []
    for key, group in groupby(rows, key=_letter_of):
        items = list(group)
        made.append(_remind(connection, items, earlier.get(key, []), levels, today, person, now))
    if made:
        details = {"letters": len(made), "first": made[0], "last": made[-1], "items": len(rows)}
        audit.record(connection, person, "reminder.make", "reminders", details, now)
    return made


def require_reminder(connection: Connection, identifier: int) -> Row[Any]:
    """The reminder's row with its letter, or NotFound."""
    row = connection.execute(select(reminder).where(reminder.c.id == identifier)).one_or_none()
    if row is None:
        raise NotFound("reminder_not_found", f"There is no reminder {identifier}; see GET /v1/reminders.")
    return row


def _remind(
    connection: Connection,
    items: Sequence[Row[Any]],
    earlier: Sequence[Row[Any]],
    levels: Mapping[int, Level],
    today: date,
    person: Person,
    now: datetime,
) -> int:
    first = items[0]
    level = levels[max(item.next_level for item in items)]
    pay_by = today + timedelta(days=level.pay_within_days)
    number = draw_numbers(connection, REMINDER, today, 1)[0]
    owed = sum((item.rest for item in (*items, *earlier)), Decimal("0.00"))
    charged = {item.id: charge(item.rest, item.days, item.charged_days, levels[item.next_level]) for item in items}
    penalties = sum((amount for amount, _ in charged.values()), Decimal("0.00"))
    extra = {
        kind: _extra(connection, kind, amount, first, pay_by, today)
        for kind, amount in (("fee", level.fee), ("penalty", penalties))
        if amount > 0
    }
    total = owed + level.fee + penalties
    rows = [[item.number, day_cs(item.due), str(item.days), money_cs(item.rest, item.currency)] for item in items]
    rows += [
        [f"{NAMES[item.kind]} {item.number}", day_cs(item.due), str(max((today - item.due).days, 0) or ""),
         money_cs(item.rest, item.currency)]
        for item in earlier
    ]  # fmt: skip
    rows += [
        [NAMES[kind], day_cs(pay_by), "", money_cs(amount, first.currency)]
        for kind, amount in (("fee", level.fee), ("penalty", penalties))
        if amount > 0
    ]
    iban = connection.execute(select(party.c.iban).where(party.c.id == first.seller)).scalar()
    content, digest = letter(
        connection,
        title=f"{level.level}. upomínka",
        number=number,
        seller=first.seller,
        payer=first.payer,
        day=today,
        text=[level.wording, f"Zaplaťte prosím do {day_cs(pay_by)} pod variabilním symbolem {first.variable_symbol}."],
        columns=["Doklad", "Splatnost", "Dnů po", "Dluh"],
        rows=rows,
        total=("Celkem k úhradě", money_cs(total, first.currency)),
        payment=qr_payment(iban, total, first.currency, pay_by, first.variable_symbol, number),
    )
    identifier: int = connection.execute(
        insert(reminder)
        .values(
            number=number,
            seller=first.seller,
            payer=first.payer,
            account=first.account,
            level=level.level,
            made_on=today,
            pay_by=pay_by,
            amount=total,
            fee=extra.get("fee"),
            penalty=extra.get("penalty"),
            content=content,
            digest=digest,
            made_at=now,
            made_by=person.name,
        )
        .returning(reminder.c.id)
    ).scalar_one()
    connection.execute(
        insert(reminder_item),
        [
            {"reminder": identifier, "receivable": item.id, "level": item.next_level, "rest": item.rest,
             "days": item.days, "charged_days": charged[item.id][1]}
            for item in items
        ],
    )  # fmt: skip
    return identifier


def _letter_of(item: Row[Any]) -> tuple[Any, ...]:
    return item.seller, item.payer, item.account, item.currency


def _extra(connection: Connection, kind: str, amount: Decimal, item: Row[Any], due: date, today: date) -> int:
    prefix = FEE if kind == "fee" else PENALTY
    return open_receivable(
        connection,
        NewReceivable(
            kind=kind,
            number=draw_numbers(connection, prefix, today, 1)[0],
            seller=item.seller,
            payer=item.payer,
            account=item.account,
            contract=item.contract,
            variable_symbol=item.variable_symbol,
            issued_on=today,
            due=due,
            amount=amount,
            currency=item.currency,
        ),
    )


def _parties(connection: Connection, codes: Sequence[str] | None) -> list[int] | None:
    if codes is None:
        return None
    found = {row.code: row.id for row in connection.execute(select(party).where(party.c.code.in_(codes)))}
    missing = [code for code in codes if code not in found]
    if missing:
        raise NotFound("party_not_found", f"There is no party {missing[0]}; see GET /v1/parties.")
    return list(found.values())


def _plain(level: Level) -> dict[str, Any]:
    return {name: getattr(level, name) for name in Level.__dataclass_fields__}
