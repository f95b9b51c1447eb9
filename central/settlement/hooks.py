"""What settlement answers to lower rooms: which billing bases a change touches, and what is billed and must stay."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from central.platform.hooks import Change, Hooks, Touched

ENDING = frozenset({"close", "remove", "end"})

TOUCHED = text("""
    -- billing bases of the points within the time that a change touches, by run; a gas day ends at 06:00
    SELECT count(*) AS things, min(lower(b.valid) AT TIME ZONE 'Europe/Prague')::date AS since,
           max(upper(b.valid) AT TIME ZONE 'Europe/Prague')::date AS until,
           array_agg(DISTINCT coalesce(r.number, 'by hand')) AS runs
      FROM billing_basis b LEFT JOIN settlement_run r ON r.id = b.run
     WHERE b.supply_point = ANY (:points) AND b.state <> 'cancelled'
       AND (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date > :since
       AND (CAST(:until AS date) IS NULL OR (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date < :until)
""")

BILLED = text("""
    -- the last approved basis, not yet invoiced, of a point that would end earlier
    SELECT sp.ean, r.number, b.id, (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date AS until
      FROM billing_basis b LEFT JOIN settlement_run r ON r.id = b.run JOIN supply_point sp ON sp.id = b.supply_point
     WHERE b.supply_point = ANY (:points) AND b.state = 'approved'
       AND (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date > :since
     ORDER BY upper(b.valid) DESC, sp.ean LIMIT 1
""")


def affected_by(connection: Connection, change: Change) -> Iterator[Touched]:
    """Billing bases of the change's points from its first day on."""
    if not change.supply_points:
        return
    period = {"points": list(change.supply_points), "since": change.since, "until": change.until}
    row = connection.execute(TOUCHED, period).one()
    yield Touched("settlement", "billing_basis", row.things, row.since, row.until, tuple((row.runs or [])[:5]))


def refuses(connection: Connection, change: Change) -> str | None:
    """A point or contract cannot end before the day until which it is settled."""
    if change.act not in ENDING or not change.supply_points:
        return None
    row = connection.execute(BILLED, {"points": list(change.supply_points), "since": change.since}).first()
    if row is None:
        return None
    holder = (
        f"Basis {row.id} made by hand bills"
        if row.number is None
        else f"Settlement run {row.number} has billing bases of"
    )
    return (
        f"{holder} supply point {row.ean} until {row.until}; "
        f"{change.kind.replace('_', ' ')} {change.name} cannot {change.act} on {change.since}: take that day or a "
        "later one, or cancel the bases."
    )


def register(hooks: Hooks) -> None:
    """Answer for settlement."""
    hooks.register("settlement", affected_by=affected_by, refuses=refuses)
