"""Book a movement anyway that was taken for one of another statement: a person says that it is another one."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from central.invoicing.payments.booking import COLUMNS, Own, read_statements, rows_of
from central.invoicing.payments.matching import lock_payments
from central.invoicing.payments.tables import bank_file, bank_statement, payment
from central.platform import audit
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person


def book_anyway(
    connection: Connection, statement: int, places: Sequence[int], reason: str, person: Person, now: datetime
) -> list[int]:
    """Book these repeated movements of a statement (by their place in it); the ids of the payments, parked.

    Each one once, and only one that was not booked. Raises NotFound for an unknown statement, Refused otherwise.
    """
    lock_payments(connection)
    row = connection.execute(
        select(bank_statement, bank_file.c.content)
        .join(bank_file, bank_file.c.id == bank_statement.c.file)
        .where(bank_statement.c.id == statement)
    ).one_or_none()
    if row is None:
        raise NotFound("statement_not_found", f"There is no statement {statement}; see GET /v1/bank-statements.")
    earlier = dict(row.repeated)
    booked = select(payment.c.place).where(payment.c.statement == statement, payment.c.place.in_(places))
    done = set(connection.execute(booked).scalars())
    for place in places:
        if place not in earlier or place in done:
            raise Refused(
                "not_repeated",
                f"Movement {place} of statement {statement} is no repeated one that waits; see its list of repeated "
                "movements.",
            )
    read = read_statements(bytes(row.content))[row.place - 1]
    wanted = [item for item in read.items if item.place in set(places)]
    made = [
        dict(zip(COLUMNS, values, strict=True))
        | {"statement": statement, "iban": row.iban, "form": read.form, "state": "parked"}
        for values in rows_of(wanted, Own(row.iban, row.seller, row.currency), row.currency)
    ]
    ids = list(
        connection.execute(insert(payment).returning(payment.c.id, sort_by_parameter_order=True), made).scalars()
    )
    details = {
        "payments": {str(new): earlier[values["place"]] for new, values in zip(ids, made, strict=True)},
        "places": list(places),
    }
    audit.record(connection, person, "payment.book_anyway", f"bank_statement/{statement}", details, now, why=reason)
    return ids


def waiting(connection: Connection, statement: int, repeated: Sequence[Sequence[int]]) -> list[dict[str, int]]:
    """The repeated movements of a statement that nobody booked anyway: their place, and the payment they were taken
    for."""
    booked = set(connection.execute(select(payment.c.place).where(payment.c.statement == statement)).scalars())
    return [{"place": place, "payment": earlier} for place, earlier in repeated if place not in booked]
