"""Cancel an invoice: cancelling bases for all its lines, and the document that says so; nothing is settled anew."""

from datetime import datetime

from sqlalchemy import Connection, select

from central.invoicing import states
from central.invoicing.delivery.withdrawing import withdraw_document
from central.invoicing.invoices import require_invoice
from central.invoicing.issue import Issued, issue_invoices
from central.invoicing.selection import Grouping, Selection
from central.invoicing.tables import invoice, invoice_line
from central.platform import audit
from central.platform.errors import Refused
from central.platform.identity import Person
from central.settlement.cancelling import cancel_bases


def cancel_invoice(connection: Connection, number: str, reason: str, person: Person, now: datetime) -> Issued:
    """Take an invoice back by a cancelling document; its open item is set off by the credit note's.

    What of it waits to be delivered is withdrawn. Its bases stay invoiced beside those that cancel them, so nothing
    waits to be invoiced again by itself; the days of which nothing is billed any more may be updated, or settled by a
    new run (`settlement/freeing.py`). Raises NotFound, and Refused where its state or one of its lines does not allow
    it, or a check is in error.
    """
    connection.execute(select(invoice.c.id).where(invoice.c.number == number).with_for_update())
    row = require_invoice(connection, number)
    states.advance(row.state, "cancel", number)
    billed = select(invoice_line.c.basis).where(invoice_line.c.invoice == row.id, invoice_line.c.basis.is_not(None))
    made = cancel_bases(connection, list(connection.execute(billed).scalars()), reason, person, now)
    grouping: Grouping = "payer" if row.kind == "collective" else "contract"
    issued = issue_invoices(connection, Selection(bases=made), person, now, grouping)
    if issued.left_out or len(issued.numbers) != 1:
        reasons = "; ".join(entry["reason"] for entry in issued.left_out) or "its lines fall into several documents"
        raise Refused("not_cancelled_whole", f"Invoice {number} cannot be cancelled as a whole: {reasons}.")
    withdraw_document(connection, number, f"Stornováno dokladem {issued.numbers[0]}: {reason}", person, now)
    audit.record(connection, person, "invoice.cancel", f"invoice/{number}", {"by": issued.numbers[0]}, now, why=reason)
    return issued
