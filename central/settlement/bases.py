"""Look at runs and billing bases."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

RUNS = text("""
    -- runs with their counts, the newest first
    SELECT r.id, r.number, lower(r.period) AS period_from, upper(r.period) AS period_to, r.statement, r.state,
           r.packages, r.digest, r.made_at, r.made_by, r.approved_at, r.approved_by,
           (SELECT count(*) FROM settlement_input si WHERE si.run = r.id) AS settled,
           (SELECT count(*) FROM settlement_omission so WHERE so.run = r.id) AS omitted,
           (SELECT count(*) FROM billing_basis b WHERE b.run = r.id) AS billing_bases,
           (SELECT coalesce(sum(b.amount), 0) FROM billing_basis b WHERE b.run = r.id) AS net
      FROM settlement_run r
     WHERE (CAST(:run AS bigint) IS NULL OR r.id = :run)
     ORDER BY r.id DESC
     LIMIT :limit
""")

OMISSIONS = text("""
    SELECT sp.ean, sp.name, so.component, so.day, so.reason
      FROM settlement_omission so
      JOIN supply_point sp ON sp.id = so.supply_point
     WHERE so.run = :run
     ORDER BY sp.ean
""")

BASES = text("""
    -- bases of a run, a point or a state, with the verdict of the checks left to the room above
    SELECT b.id, b.run, sp.ean, b.contract_item, b.rate, b.component, b.name, b.quantity, b.unit, b.unit_price,
           b.price_unit, b.amount, b.vat_percent, lower(b.valid) AS valid_from, upper(b.valid) AS valid_to,
           b.statement_type, b.state, b.measurements, b.why ->> 'mark' AS mark, b.why
      FROM billing_basis b
      JOIN supply_point sp ON sp.id = b.supply_point
     WHERE (CAST(:run AS bigint) IS NULL OR b.run = :run)
       AND (CAST(:ean AS text) IS NULL OR sp.ean = :ean)
       AND (CAST(:state AS text) IS NULL OR b.state = :state)
     ORDER BY b.run, sp.ean, b.id
     LIMIT :limit
""")


def find_runs(connection: Connection, run: int | None = None, limit: int = 100) -> Sequence[Row[Any]]:
    """Runs with counts of points settled and left out, bases, and their net sum."""
    return connection.execute(RUNS, {"run": run, "limit": limit}).all()


def find_omissions(connection: Connection, run: int) -> Sequence[Row[Any]]:
    """The points that a run left out, with the reasons."""
    return connection.execute(OMISSIONS, {"run": run}).all()


def find_bases(
    connection: Connection, run: int | None = None, ean: str | None = None, state: str | None = None, limit: int = 1_000
) -> Sequence[Row[Any]]:
    """Billing bases of a run, a supply point or a state."""
    return connection.execute(BASES, {"run": run, "ean": ean, "state": state, "limit": limit}).all()
