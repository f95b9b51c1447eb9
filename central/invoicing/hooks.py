"""What invoicing answers to lower rooms: which invoices a change touches, and what is invoiced and must stay."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from central.checks import documents
from central.checks.frame import Numbers
from central.invoicing.advances.hooks import listen
from central.platform.arrays import int_array
from central.platform.hooks import Change, Hooks, Touched

DOCUMENTS = text("""
    SELECT l.basis, i.number, l.line_no FROM invoice_line l JOIN invoice i ON i.id = l.invoice
     WHERE l.basis = ANY (CAST(:bases AS bigint[]))
""")

ENDING = frozenset({"close", "remove", "end"})

TOUCHED = text("""
    -- invoices of the points within the time that a change touches
    SELECT count(DISTINCT i.id) AS things, min(lower(b.valid) AT TIME ZONE 'Europe/Prague')::date AS since,
           max(upper(b.valid) AT TIME ZONE 'Europe/Prague')::date AS until, array_agg(DISTINCT i.number) AS numbers
      FROM invoice_line l JOIN invoice i ON i.id = l.invoice JOIN billing_basis b ON b.id = l.basis
     WHERE l.supply_point = ANY (:points) AND i.state <> 'cancelled'
       AND upper(b.valid) > CAST(:since AS timestamp) AT TIME ZONE 'Europe/Prague'
       AND (CAST(:until AS date) IS NULL OR lower(b.valid) < CAST(:until AS timestamp) AT TIME ZONE 'Europe/Prague')
""")

INVOICED = text("""
    -- the invoice that bills a point the longest beyond the day on which it would end
    SELECT sp.ean, i.number, (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date AS until
      FROM invoice_line l JOIN invoice i ON i.id = l.invoice JOIN billing_basis b ON b.id = l.basis
      JOIN supply_point sp ON sp.id = l.supply_point
     WHERE l.supply_point = ANY (:points) AND i.state <> 'cancelled'
       AND upper(b.valid) > CAST(:since AS timestamp) AT TIME ZONE 'Europe/Prague'
     ORDER BY upper(b.valid) DESC, i.number LIMIT 1
""")


def affected_by(connection: Connection, change: Change) -> Iterator[Touched]:
    """Invoices with bases of the change's points from its first day on."""
    if not change.supply_points:
        return
    period = {"points": list(change.supply_points), "since": change.since, "until": change.until}
    row = connection.execute(TOUCHED, period).one()
    yield Touched("invoicing", "invoice", row.things, row.since, row.until, tuple((row.numbers or [])[:5]))


def refuses(connection: Connection, change: Change) -> str | None:
    """A point or contract cannot end before the day until which it is invoiced."""
    if change.act not in ENDING or not change.supply_points:
        return None
    row = connection.execute(INVOICED, {"points": list(change.supply_points), "since": change.since}).first()
    if row is None:
        return None
    return (
        f"Invoice {row.number} bills supply point {row.ean} until {row.until}; {change.kind.replace('_', ' ')} "
        f"{change.name} cannot {change.act} on {change.since}: take that day or a later one, or cancel the invoice."
    )


def documents_of(connection: Connection, bases: Numbers) -> dict[int, tuple[str, int]]:
    """Number and line of the document that each of the bases stands in."""
    rows = connection.execute(DOCUMENTS, {"bases": int_array(bases)}).all()
    return {row.basis: (row.number, row.line_no) for row in rows}


def register(hooks: Hooks) -> None:
    """Answer for invoicing."""
    hooks.register("invoicing", affected_by=affected_by, refuses=refuses)
    documents.register(documents_of)
    listen(hooks)
