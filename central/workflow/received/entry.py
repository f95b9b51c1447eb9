"""Received invoices that a person enters, imports as an ISDOC, or takes away again; each act is recorded."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, RowMapping, delete, select
from sqlalchemy.exc import IntegrityError

from central.market.tables import received_invoice, received_invoice_item
from central.platform import audit
from central.platform.constraints import explain
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person
from central.platform.plain import plain
from central.registry.tables import party
from central.workflow.received.invoice import Origin, ReceivedInvoice, find_there, keep
from central.workflow.received.isdoc_invoice import Given, company_numbers, parse_isdoc, read_isdoc
from central.workflow.received.known import points_of


def enter(connection: Connection, invoice: ReceivedInvoice, person: Person, at: datetime) -> int:
    """Keep what was entered by hand; Refused where one of that issuer and number is there."""
    return _enter(connection, invoice, Origin("hand", person=person.name), person, at)


def import_isdoc(connection: Connection, content: bytes, given: Given, person: Person, at: datetime) -> int:
    """Keep what an ISDOC says, with its octets; BadInput where it cannot be read, Refused where it is there."""
    ean_of = _eans(connection, company_numbers(parse_isdoc(content)))
    invoice = read_isdoc(content, replace(given, ean_of=ean_of))
    return _enter(connection, invoice, Origin("isdoc", original=content, person=person.name), person, at)


def with_problems(invoice: ReceivedInvoice, problems: Sequence[str]) -> ReceivedInvoice:
    """The invoice with what is odd in it."""
    return replace(invoice, problems=[*invoice.problems, *problems])


def remove(connection: Connection, number: int, person: Person, at: datetime, why: str) -> None:
    """Take away what was entered or imported; Refused for a message's, NotFound."""
    row = _require(connection, number)
    if row["source"] == "message":
        raise Refused("evidence", f"The invoice {row['number']} came as the message {row['inbox']}: it stays.")
    table, items = received_invoice, received_invoice_item
    lines = connection.execute(select(items).where(items.c.invoice == number).order_by(items.c.place)).mappings()
    before = {**plain({name: value for name, value in row.items() if name != "original"}), "items": plain(list(lines))}
    try:
        with connection.begin_nested():
            connection.execute(delete(items).where(items.c.invoice == number))
            connection.execute(delete(table).where(table.c.id == number))
    except IntegrityError as error:
        raise explain(error) from error
    subject = f"received_invoice/{number}"
    audit.record(connection, person, "received_invoice.remove", subject, {}, at, before=before, why=why)


def _enter(connection: Connection, invoice: ReceivedInvoice, origin: Origin, person: Person, at: datetime) -> int:
    if invoice.point is not None and not points_of(connection, [invoice.point]):
        strange = f"The point {invoice.point} is not ours."
        invoice = with_problems(invoice, [strange])
    there = find_there(connection, [invoice.key]).get(invoice.key)
    if there is not None:
        raise _exists(invoice, there["id"], there["source"])
    try:
        with connection.begin_nested():
            (number,) = keep(connection, [invoice], origin, at)
    except IntegrityError as error:
        raise explain(error) from error
    act: Literal["enter", "import"] = "enter" if origin.source == "hand" else "import"
    told = {"issuer": invoice.issuer, "number": invoice.number, "net": str(invoice.net), "items": len(invoice.items)}
    audit.record(connection, person, f"received_invoice.{act}", f"received_invoice/{number}", told, at, after=told)
    return number


def _exists(invoice: ReceivedInvoice, number: int, source: str) -> Refused:
    return Refused(
        "exists", f"The invoice {invoice.number} of {invoice.issuer} is there already: {number}, came by {source}."
    )


def _require(connection: Connection, number: int) -> RowMapping:
    table = received_invoice
    row = connection.execute(select(table).where(table.c.id == number).with_for_update()).mappings().one_or_none()
    if row is None:
        raise NotFound("received_invoice_not_found", f"There is no received invoice {number}.")
    return row


def _eans(connection: Connection, numbers: Sequence[str]) -> dict[str, str]:
    """EAN by company number, so that an invoice is known again whichever way it comes."""
    query = select(party.c.ico, party.c.ean13).where(party.c.ico.in_(numbers), party.c.ean13.is_not(None))
    return {str(ico): str(ean) for ico, ean in connection.execute(query)}
