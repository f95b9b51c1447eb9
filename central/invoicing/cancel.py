"""Cancel an invoice: cancelling bases for all that stands of it, and what says so; nothing is settled anew."""

from datetime import datetime

from sqlalchemy import Connection, select, text

from central.checks import shown
from central.invoicing import states
from central.invoicing.delivery.withdrawing import withdraw_document
from central.invoicing.invoices import require_invoice
from central.invoicing.issue import Issued, issue_invoices
from central.invoicing.payments.matching import lock_payments
from central.invoicing.payments.receivables import settle_corrected
from central.invoicing.selection import Grouping, Selection
from central.invoicing.standing import standing_bases
from central.invoicing.tables import invoice
from central.platform import audit
from central.platform.errors import Refused
from central.platform.identity import Person
from central.settlement.cancelling import cancel_bases
from central.settlement.turns import take_turn

CORRECTIONS = text("""
    -- a document and all that is about it, over any number of steps
    WITH RECURSIVE family AS (
        SELECT CAST(:document AS bigint) AS id
        UNION
        SELECT i.id FROM invoice i JOIN family f ON i.original = f.id
    )
    SELECT i.id, i.number, i.state FROM invoice i JOIN family f ON f.id = i.id ORDER BY i.id FOR UPDATE OF i
""")


def cancel_invoice(connection: Connection, number: str, reason: str, person: Person, now: datetime) -> Issued:
    """Take an invoice back by a cancelling document; its open item is set off by the credit note's.

    Of a corrected one what stands of its corrections goes with it, by a document about each; what a line has taken back
    stays taken back. What of them waits to be delivered is withdrawn. Bases stay invoiced beside those that cancel
    them, so nothing waits to be invoiced again by itself; the days of which nothing is billed any more may be updated,
    or settled by a new run (`settlement/freeing.py`). Raises NotFound, and Refused where its state or one of its lines
    does not allow it, nothing stands, or a check is in error.
    """
    # before rows are locked, and in this order: a year-end, an issue of corrections and a run of checks keep it, too
    take_turn(connection)
    shown.take_turn(connection)
    lock_payments(connection)
    connection.execute(select(invoice.c.id).where(invoice.c.number == number).with_for_update())
    row = require_invoice(connection, number)
    states.advance(row.state, "cancel", number)
    family = {each.id: each for each in connection.execute(CORRECTIONS, {"document": row.id})}
    standing = standing_bases(connection, list(family))
    if not standing:
        raise Refused("nothing_to_cancel", f"Nothing that invoice {number} bills stands any more.")
    made = cancel_bases(connection, sorted(set().union(*standing.values())), reason, person, now)
    grouping: Grouping = "payer" if row.kind == "collective" else "contract"
    issued = issue_invoices(connection, Selection(bases=made), person, now, grouping)
    if issued.left_out or len(issued.numbers) != len(standing):
        reasons = "; ".join(entry["reason"] for entry in issued.left_out) or "its lines fall into several documents"
        raise Refused("not_cancelled_whole", f"Invoice {number} cannot be cancelled as a whole: {reasons}.")
    # what the credit notes of corrections leave is the document's
    about = select(invoice.c.id).where(invoice.c.number.in_(issued.numbers), invoice.c.original != row.id)
    for document in connection.execute(about.order_by(invoice.c.id)).scalars().all():
        settle_corrected(connection, [(document, row.id)], person, now)
    by = ", ".join(issued.numbers)
    for taken in sorted({row.id, *standing}):
        withdraw_document(connection, family[taken].number, f"Stornováno dokladem {by}: {reason}", person, now)
    audit.record(connection, person, "invoice.cancel", f"invoice/{number}", {"by": by}, now, why=reason)
    return issued
