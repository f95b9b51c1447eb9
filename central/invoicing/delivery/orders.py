"""Order deliveries, take them back, say that one came back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, text, update

from central.invoicing.advances.papers import paper_of_advance, paper_of_document
from central.invoicing.delivery.documents import DOCUMENTS
from central.invoicing.delivery.mail import require_address
from central.invoicing.delivery.states import QUEUED, following
from central.invoicing.delivery.tables import delivery
from central.platform import audit
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person

_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(6579564)")
"""Two orders of one document do not both find that nothing of it is under way."""

_WANTED = text(f"""
    -- documents and where they would go; one that is under way or was sent this way already stays where it is
    WITH document AS ({DOCUMENTS})
    SELECT d.*, payer.email, payer.name, payer.street, payer.postal_code, payer.city,
           (SELECT x.state FROM delivery x WHERE x.number = d.number AND x.kind = :kind
                AND x.state IN ('queued', 'sending', 'deferred', 'sent') LIMIT 1) AS already,
           (SELECT count(*) FROM delivery x WHERE x.number = d.number) AS earlier,
           coalesce(seller.ico, seller.id::text) AS seller_name,
           d.invoice IS NULL OR EXISTS (SELECT FROM invoice_file f WHERE f.invoice = d.invoice AND f.kind = 'pdf')
               AS files
      FROM document d JOIN party payer ON payer.id = d.payer JOIN party seller ON seller.id = d.seller
     WHERE CAST(:numbers AS text[]) IS NULL AND d.sort = :sort AND d.waits
        OR d.number = ANY (CAST(:numbers AS text[]))
     ORDER BY d.number
""")  # noqa: S608 - a constant of this package

MOST_PAPERS: Final = 500
"""Papers of advances are made when they are first asked for: so many in one act."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """How many deliveries wait now, and the documents left out with the reason."""

    queued: int
    left_out: list[dict[str, str]]


def order_deliveries(
    connection: Connection,
    kind: str,
    numbers: Sequence[str] | None,
    address: str | None,
    person: Person,
    at: datetime,
    sort: str = "invoices",
) -> Ordered:
    """Queue documents for mail or print: these numbers, or all of a sort that did not leave yet.

    `address` is for one document whose payer gets it elsewhere this time. Raises NotFound for an unknown number.
    """
    if address is not None and (numbers is None or len(numbers) != 1 or kind != "mail"):
        raise BadInput("address", "An address of its own is for the mail of one document; name that document.")
    given = None if numbers is None else list(dict.fromkeys(numbers))
    connection.execute(_ONE_AT_A_TIME)
    rows = connection.execute(_WANTED, {"kind": kind, "numbers": given, "sort": sort}).all()
    if given is not None and (unknown := sorted(set(given) - {row.number for row in rows})):
        raise NotFound("invoice_not_found", f"There is no document {unknown[0]}; see GET /v1/invoices.")
    papers = 0
    wanted: list[dict[str, Any]] = []
    left_out: list[dict[str, str]] = []
    for row in rows:
        reason, to = _where(row, kind, address)
        if not reason and row.invoice is None:
            papers += 1
            reason = _keep_paper(connection, row, papers)
        if reason:
            left_out.append({"number": row.number, "reason": reason})
            continue
        wanted.append(
            {
                "number": row.number,
                "invoice": row.invoice,
                "advance": row.advance,
                "advance_document": row.advance_document,
                "kind": kind,
                "state": QUEUED,
                "address": to,
                "message_id": f"<{row.number}.{row.earlier + 1}.{row.seller_name}@rozvodna>",
                "due_at": at if kind == "mail" else None,
                "queued_at": at,
                "queued_by": person.name,
            }
        )
    if wanted:
        connection.execute(insert(delivery), wanted)
        details = {"kind": kind, "documents": len(wanted)}
        audit.record(connection, person, "delivery.order", "delivery", details, at)
    return Ordered(len(wanted), left_out)


def _keep_paper(connection: Connection, row: Row[Any], papers: int) -> str:
    """Make the paper of an advance or of its tax document, so that it leaves as it is kept; why not, or nothing."""
    if papers > MOST_PAPERS:
        return f"More than {MOST_PAPERS} papers of advances at once; order the rest again."
    if row.advance is not None:
        paper_of_advance(connection, row.advance, "pdf")
    else:
        paper_of_document(connection, row.number, "pdf")
    return ""


def _where(row: Row[Any], kind: str, address: str | None) -> tuple[str, str]:
    """Why a document is left out, or nothing and its address."""
    if row.already is not None:
        return f"It is {row.already} already.", ""
    if row.cancelled:
        return "It is cancelled.", ""
    if not row.files:
        return "It has no PDF.", ""
    if kind == "print" and not row.city.strip():
        return f"{row.name} has no postal address; fill it in or send the document by mail.", ""
    if kind == "print":
        return "", f"{row.name}, {row.street}, {row.postal_code} {row.city}"
    if address is None and not row.email:
        return f"{row.name} has no mail address; fill it in or send the document in print.", ""
    try:
        return "", require_address(address or row.email)
    except BadInput as error:
        if address is not None:
            raise
        return error.message, ""


def change_state(
    connection: Connection, number: int, event: str, why: str, person: Person, at: datetime
) -> dict[str, Any]:
    """Take back what has not left ("withdraw"), or say that a message came back ("bounce")."""
    row = connection.execute(select(delivery).where(delivery.c.id == number).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("delivery_not_found", f"There is no delivery {number}; see GET /v1/deliveries.")
    state = following(row.state, event)
    if state is None or (event == "bounce" and row.kind != "mail"):
        raise Refused("delivery_state", f"Delivery {number} is {row.state} by {row.kind}; it cannot {event}.")
    connection.execute(update(delivery).where(delivery.c.id == number).values(state=state, due_at=None, answer=why))
    audit.record(connection, person, f"delivery.{event}", f"delivery/{number}", {"state": state}, at, why=why)
    return {"id": number, "state": state}
