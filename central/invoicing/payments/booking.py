"""Read and book a file of bank statements: whole, once, all of it or nothing (one transaction of the caller).

The same octets again have no effect. A movement that another statement had brought is booked once: told by the bank's
reference where both statements are of one form, else by account, day, amount, counter account and symbols, and by where
it lies in the account's day (`repeated.py`).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, insert, select, text

from central.invoicing.account import AccountError, parse_iban
from central.invoicing.payments.abo import looks_like_abo, read_abo
from central.invoicing.payments.camt import looks_like_camt, read_camt
from central.invoicing.payments.matching import MANY, PAYERS_OF_INCOMING, Matched, lock_payments, match_payments
from central.invoicing.payments.repeated import Movement, Piece, find_repeated, pieces
from central.invoicing.payments.statement import MOST_AMOUNT, Item, Statement, require_sums
from central.invoicing.payments.tables import bank_file, bank_statement
from central.platform import audit
from central.platform.errors import BadInput
from central.platform.identity import Person
from central.platform.plans import plans_kept
from shared.metering_day import PRAGUE

MOST_OCTETS: Final = 300_000_000

OWN_ACCOUNTS = text("""
    -- accounts of those who invoice here: of operators, and of whoever has a receivable
    SELECT a.iban, a.party, a.currency
      FROM (SELECT replace(upper(p.iban), ' ', '') AS iban, p.id AS party, 'CZK' AS currency, 1 AS preferred
              FROM party p WHERE p.iban IS NOT NULL
            UNION ALL
            SELECT replace(upper(pa.iban), ' ', ''), pa.party, pa.currency, 0 FROM party_account pa) a
      JOIN party o ON o.id = a.party
     WHERE 'operator' = ANY (o.roles) OR EXISTS (SELECT FROM receivable r WHERE r.seller = o.id)
     ORDER BY a.iban, a.preferred, a.party
""")

INCOMING = """
CREATE TEMPORARY TABLE incoming (
    place integer, booked_on date, value_on date, amount numeric(14, 2), currency text, counter_account text,
    counter_name text, variable_symbol text, constant_symbol text, specific_symbol text, message text, reference text,
    content bytea, parked text, seller bigint, earlier bigint, payer bigint, account bigint,
    state text NOT NULL DEFAULT 'parked', by_hand boolean NOT NULL DEFAULT false,
    symbol bigint GENERATED ALWAYS AS (variable_symbol::bigint) STORED
) ON COMMIT DROP
"""

COLUMNS: Final = (
    "place", "booked_on", "value_on", "amount", "currency", "counter_account", "counter_name", "variable_symbol",
    "constant_symbol", "specific_symbol", "message", "reference", "content", "parked", "seller",
)  # fmt: skip

_PLACE, _BOOKED_ON, _AMOUNT, _REFERENCE, _CONTENT = (
    COLUMNS.index(name) for name in ("place", "booked_on", "amount", "reference", "content")
)

BY_REFERENCE = text("""
    -- the n-th movement of one reference, day and amount is the n-th that is stored
    WITH stored AS (
        SELECT p.id, p.reference, p.booked_on, p.amount,
               row_number() OVER (PARTITION BY p.reference, p.booked_on, p.amount ORDER BY p.id) AS n
          FROM payment p
         WHERE p.iban = :iban AND p.form = :form AND p.parent IS NULL AND p.reference IS NOT NULL
           AND p.booked_on IN (SELECT DISTINCT booked_on FROM incoming)),
    come AS (
        SELECT i.place, i.reference, i.booked_on, i.amount,
               row_number() OVER (PARTITION BY i.reference, i.booked_on, i.amount ORDER BY i.place) AS n
          FROM incoming i WHERE i.reference IS NOT NULL)
    UPDATE incoming i SET earlier = stored.id
      FROM come JOIN stored USING (reference, booked_on, amount, n)
     WHERE i.place = come.place
""")

DOUBTFUL = text("""
    -- days on which a movement comes that is like a stored one, and no reference says whether it is the same; and days
    -- of which the other form was read
    SELECT i.booked_on
      FROM incoming i
      JOIN payment p ON p.iban = :iban AND p.parent IS NULL AND p.booked_on = i.booked_on AND p.content = i.content
     WHERE i.earlier IS NULL AND NOT (p.form = :form AND p.reference IS NOT NULL AND i.reference IS NOT NULL)
     UNION
    SELECT p.booked_on FROM payment p
     WHERE p.iban = :iban AND p.parent IS NULL AND p.form <> :form
       AND p.booked_on IN (SELECT booked_on FROM incoming WHERE earlier IS NULL)
""")

KNOWN = text("""
    -- all movements of the statements that hold something of these days: their own and those that they repeated
    WITH again AS (
        SELECT b.id AS statement, (pair.value ->> 0)::integer AS place, (pair.value ->> 1)::bigint AS payment
          FROM bank_statement b CROSS JOIN LATERAL jsonb_array_elements(b.repeated) pair
         WHERE b.iban = :iban AND b.last_day >= CAST(:first AS date) - 40),
    held AS (
        SELECT statement FROM payment
         WHERE iban = :iban AND parent IS NULL AND booked_on = ANY (:days)
        UNION
        SELECT again.statement FROM again JOIN payment p ON p.id = again.payment WHERE p.booked_on = ANY (:days)),
    movement AS (
        SELECT statement, place, id FROM payment WHERE statement IN (SELECT statement FROM held)
        UNION ALL
        SELECT a.statement, a.place, a.payment FROM again a
         WHERE a.statement IN (SELECT statement FROM held)
           AND NOT EXISTS (SELECT FROM payment p WHERE p.statement = a.statement AND p.place = a.place))
    SELECT b.id AS statement, f.form AS read_as, b.number, (b.old_balance * 100)::bigint AS old,
           p.id, p.booked_on, (p.amount * 100)::bigint AS amount, p.content, p.form, p.reference
      FROM movement m
      JOIN payment p ON p.id = m.id
      JOIN bank_statement b ON b.id = m.statement
      JOIN bank_file f ON f.id = b.file
     ORDER BY b.id, m.place
""")

MARK = text("""
    UPDATE incoming i SET earlier = m.payment
      FROM unnest(CAST(:places AS integer[]), CAST(:payments AS bigint[])) AS m (place, payment) WHERE i.place = m.place
""")

BOOK = text("""
    INSERT INTO payment (statement, place, seller, iban, form, booked_on, value_on, amount, currency, counter_account,
                         counter_name, variable_symbol, constant_symbol, specific_symbol, message, reference, content,
                         payer, account, state, parked)
    SELECT :statement, place, seller, :iban, :form, booked_on, value_on, amount, currency, counter_account,
           counter_name, variable_symbol, constant_symbol, specific_symbol, message, reference, content,
           payer, account, state, parked
      FROM incoming WHERE earlier IS NULL ORDER BY place
""")


@dataclass(frozen=True, slots=True)
class Booked:
    """What a file of statements brought; `pending` entries the bank had not booked yet.

    `result` is "booked", or "known" where the same octets were read before.
    """

    file: int
    result: str
    statements: Sequence[int]
    payments: int
    repeated: int
    parked: int
    matched: Matched
    pending: int = 0


@dataclass(frozen=True, slots=True)
class Own:
    """An account of a party that invoices here."""

    iban: str
    party: int
    currency: str


def read_statements(content: bytes) -> list[Statement]:
    """The statements of a file in either form, each checked to add up. Raises BadInput."""
    if looks_like_abo(content):
        statements = read_abo(content)
    elif looks_like_camt(content):
        statements = read_camt(content)
    else:
        raise BadInput("statement_form", "The file is neither ABO (GPC: records 074, 075) nor CAMT.053 (XML).")
    for statement in statements:
        if max(abs(statement.old_balance), abs(statement.new_balance)) >= MOST_AMOUNT:
            raise BadInput("statement_sum", f"Statement {statement.number} has a balance beyond {MOST_AMOUNT}.")
        require_sums(statement)
    return statements


def book_statements(connection: Connection, name: str, content: bytes, person: Person, now: datetime) -> Booked:
    """Store the file, book its movements and match them. BadInput where it cannot be read, does not add up, or is of
    an account that is not ours."""
    lock_payments(connection)
    digest = hashlib.sha256(content).digest()
    known = connection.execute(select(bank_file.c.id).where(bank_file.c.sha256 == digest)).scalar()
    if known is not None:
        ids = connection.execute(
            select(bank_statement.c.id).where(bank_statement.c.file == known).order_by(bank_statement.c.place)
        )
        return Booked(known, "known", list(ids.scalars()), 0, 0, 0, Matched())
    statements = read_statements(content)
    own = [Own(row.iban, row.party, row.currency) for row in connection.execute(OWN_ACCOUNTS)]
    owners = [_owner(statement, own) for statement in statements]
    file = connection.execute(
        insert(bank_file)
        .values(name=name, form=statements[0].form, content=content, sha256=digest, read_at=now, read_by=person.name)
        .returning(bank_file.c.id)
    ).scalar_one()
    connection.exec_driver_sql(INCOMING)
    ids_: list[int] = []
    repeated = payments = 0
    for place, (statement, owner) in enumerate(zip(statements, owners, strict=True), start=1):
        number, new, again = _book(connection, file, place, statement, owner)
        ids_.append(number)
        payments += new
        repeated += again
    connection.exec_driver_sql("DROP TABLE incoming")
    until = max(now.astimezone(PRAGUE).date(), *(statement.last_day for statement in statements))
    matched = match_payments(connection, person, now, until)
    parked = connection.execute(
        text("SELECT count(*) FROM payment WHERE statement = ANY (:ids) AND state = 'parked'"), {"ids": ids_}
    ).scalar_one()
    pending = sum(statement.pending for statement in statements)
    details = {
        "file": name, "sha256": digest.hex(), "statements": len(ids_), "payments": payments, "repeated": repeated,
        "parked": parked, "pending": pending,
    }  # fmt: skip
    audit.record(connection, person, "bank_statement.book", f"bank_file/{file}", details, now)
    return Booked(file, "booked", ids_, payments, repeated, parked, matched, pending)


def _owner(statement: Statement, own: Sequence[Own]) -> Own:
    """The own account that a statement is of: by its IBAN, or by the 16 digits of ABO."""
    account = statement.account
    if account.startswith("CZ"):
        try:
            account = parse_iban(account).iban
        except AccountError as error:
            raise BadInput("unknown_account", f"Statement {statement.number}: {error}") from None
    found = {each.iban: each for each in reversed(own) if each.iban == account or each.iban[8:] == account}
    if len(found) == 1:
        return next(iter(found.values()))
    problem = "is no account of an operator" if not found else "is an account at several banks"
    raise BadInput(
        "unknown_account",
        f"The account {statement.account} of statement {statement.number} {problem} here; enter it as an account of "
        "the party that it belongs to, then send the statement again.",
    )


def _book(connection: Connection, file: int, place: int, statement: Statement, owner: Own) -> tuple[int, int, int]:
    currency = statement.currency or owner.currency
    connection.exec_driver_sql("TRUNCATE incoming")
    raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # psycopg is the driver
    rows = list(rows_of(statement.items, owner, currency))
    with raw.cursor() as cursor, cursor.copy(f"COPY incoming ({', '.join(COLUMNS)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    connection.exec_driver_sql("ANALYZE incoming")
    side = {"iban": owner.iban, "form": statement.form}
    connection.execute(BY_REFERENCE, side)
    _find_repeated(connection, statement, owner, rows)
    if len(statement.items) >= MANY:
        connection.execute(text("SET LOCAL enable_nestloop = off"))
    connection.execute(PAYERS_OF_INCOMING)
    connection.execute(text("SET LOCAL enable_nestloop = on"))
    repeated = connection.execute(text("SELECT place, earlier FROM incoming WHERE earlier IS NOT NULL ORDER BY place"))
    again = [[row.place, row.earlier] for row in repeated]
    identifier = connection.execute(
        insert(bank_statement)
        .values(
            file=file,
            place=place,
            seller=owner.party,
            iban=owner.iban,
            number=statement.number,
            first_day=statement.first_day,
            last_day=statement.last_day,
            currency=currency,
            old_balance=statement.old_balance,
            new_balance=statement.new_balance,
            credit=sum(item.amount for item in statement.items if item.amount > 0),
            debit=-sum(item.amount for item in statement.items if item.amount < 0),
            items=len(statement.items),
            repeated=again,
            pending=statement.pending,
        )
        .returning(bank_statement.c.id)
    ).scalar_one()
    with plans_kept(connection):
        booked = connection.execute(BOOK, {"statement": identifier, **side})
    return identifier, booked.rowcount, len(again)


def _find_repeated(connection: Connection, statement: Statement, owner: Own, rows: Sequence[tuple[Any, ...]]) -> None:
    """Mark the movements that no reference tells and another statement had brought."""
    side = {"iban": owner.iban, "form": statement.form}
    days = list(connection.execute(DOUBTFUL, side).scalars())
    if not days:
        return
    known: dict[date, list[Piece]] = {}
    stored = connection.execute(KNOWN, {"iban": owner.iban, "days": days, "first": min(days)})
    for (_, form, number, old), group in groupby(stored, key=lambda row: row[:4]):
        seen = [
            (row.booked_on, Movement(row.id, row.amount, bytes(row.content), row.form, row.reference)) for row in group
        ]
        for day, piece in pieces(form, number, old, seen).items():
            known.setdefault(day, []).append(piece)
    marked = connection.execute(text("SELECT place, earlier FROM incoming WHERE earlier IS NOT NULL"))
    named = {row.place: row.earlier for row in marked}
    come = [
        (row[_BOOKED_ON], Movement(0, int(row[_AMOUNT] * 100), row[_CONTENT], statement.form, row[_REFERENCE]))
        for row in rows
    ]
    places: dict[date, list[int]] = {}
    for row in rows:
        places.setdefault(row[_BOOKED_ON], []).append(row[_PLACE])
    cut = pieces(statement.form, statement.number, int(statement.old_balance * 100), come)
    earlier: dict[int, int] = {}
    for day in days:
        told = {place: named[real] for place, real in enumerate(places[day]) if real in named}
        found = find_repeated(cut[day], known.get(day, []), told)
        earlier |= {places[day][place]: payment for place, payment in found.items()}
    if earlier:
        connection.execute(MARK, {"places": list(earlier), "payments": list(earlier.values())})


def rows_of(items: Sequence[Item], owner: Own, currency: str) -> Iterator[tuple[Any, ...]]:
    """Movements as the columns of `incoming`; one of 0 is none."""
    for item in items:
        if item.amount == 0:
            continue
        told = (
            owner.iban,
            item.booked_on,
            item.amount,
            item.counter_account,
            item.variable_symbol,
            item.specific_symbol,
        )
        yield (
            item.place,
            item.booked_on,
            item.value_on,
            item.amount,
            item.currency or currency,
            item.counter_account,
            item.counter_name,
            item.variable_symbol,
            item.constant_symbol,
            item.specific_symbol,
            item.message,
            item.reference,
            hashlib.blake2b("|".join(map(str, told)).encode(), digest_size=16).digest(),
            _parked(item, currency),
            owner.party,
        )


def _parked(item: Item, currency: str) -> str:
    """Why a movement waits until it is matched."""
    if item.reversal:
        return "reversal"
    if item.currency not in (None, currency):
        return "other_currency"
    if item.amount < 0:
        return "outgoing"
    return "unknown_symbol" if item.variable_symbol else "no_symbol"
