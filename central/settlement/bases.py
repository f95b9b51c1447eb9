"""Look at runs and billing bases."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, text

from central.platform.errors import NotFound
from central.platform.overview import Column, Kind, Overview
from central.registry.tables import contract, party, supply_point
from central.settlement.stock_items import OF_BASIS
from central.settlement.tables import BASIS_STATES, SERVICES, billing_basis, settlement_run

RUNS = text("""
    -- runs with their counts, the newest first; a deleted or replaced basis no longer counts
    SELECT r.id, r.number, lower(r.period) AS period_from, upper(r.period) AS period_to, r.statement, r.state,
           r.packages, r.digest, r.made_at, r.made_by, r.approved_at, r.approved_by, r.reason,
           (SELECT count(*) FROM settlement_input si WHERE si.run = r.id AND si.replaced_by IS NULL) AS settled,
           (SELECT count(*) FROM settlement_omission so WHERE so.run = r.id) AS omitted,
           (SELECT count(*) FROM billing_basis b WHERE b.run = r.id AND b.state <> 'cancelled') AS billing_bases,
           (SELECT coalesce(sum(b.amount), 0) FROM billing_basis b WHERE b.run = r.id AND b.state <> 'cancelled') AS net
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

_basis = billing_basis
_start, _end = func.lower(_basis.c.valid), func.upper(_basis.c.valid)

OVERVIEW = Overview(
    name="billing bases",
    source=_basis,
    key=_basis.c.id,
    joined=_basis.join(supply_point, supply_point.c.id == _basis.c.supply_point)
    .join(contract, contract.c.id == _basis.c.contract)
    .join(party, party.c.id == _basis.c.payer)
    .outerjoin(settlement_run, settlement_run.c.id == _basis.c.run),
    columns=(
        Column("id", _basis.c.id, Kind.INTEGER),
        Column("run", _basis.c.run, Kind.INTEGER),
        Column("run_number", settlement_run.c.number, through=(_basis.c.run, settlement_run.c.id)),
        Column("ean", supply_point.c.ean, through=(_basis.c.supply_point, supply_point.c.id)),
        Column("contract_item", _basis.c.contract_item, Kind.INTEGER),
        Column("contract", _basis.c.contract, Kind.INTEGER),
        Column("contract_number", contract.c.number, through=(_basis.c.contract, contract.c.id)),
        Column("payer", _basis.c.payer, Kind.INTEGER),
        Column("payer_code", party.c.code, through=(_basis.c.payer, party.c.id)),
        Column("service", _basis.c.service, Kind.CHOICE, SERVICES),
        Column("rate", _basis.c.rate, Kind.INTEGER),
        Column("component", _basis.c.component),
        Column("name", _basis.c.name),
        Column("quantity", _basis.c.quantity, Kind.DECIMAL),
        Column("unit", _basis.c.unit),
        Column("unit_price", _basis.c.unit_price, Kind.DECIMAL),
        Column("price_unit", _basis.c.price_unit),
        Column("amount", _basis.c.amount, Kind.DECIMAL),
        Column("vat_percent", _basis.c.vat_percent, Kind.DECIMAL),
        Column("valid_from", _start, Kind.INSTANT),
        Column("valid_to", _end, Kind.INSTANT),
        Column("statement_type", _basis.c.statement_type, Kind.INTEGER),
        Column("state", _basis.c.state, Kind.CHOICE, BASIS_STATES),
        Column("mark", _basis.c.why["mark"].astext),
        Column("original", _basis.c.original, Kind.INTEGER),
        Column("reason", _basis.c.reason),
        Column("made_at", _basis.c.made_at, Kind.INSTANT),
        Column("made_by", _basis.c.made_by),
        Column("cancelled_at", _basis.c.cancelled_at, Kind.INSTANT),
        Column("cancelled_by", _basis.c.cancelled_by),
        Column("cancelled_why", _basis.c.cancelled_why),
    ),
    default_sort=(("id", False),),
)
"""Bases of all runs and those made by hand; what a basis rests on and why shows the basis itself."""

BASIS = text(f"""
    SELECT b.id, b.run, b.input, sp.ean, c.number AS contract_number, b.service, b.rate, b.component, b.name,
           b.quantity, b.unit, b.unit_price, b.price_unit, b.amount, b.vat_percent, lower(b.valid) AS valid_from,
           upper(b.valid) AS valid_to, b.statement_type, b.state, b.measurements, b.why, b.fingerprint, b.original,
           b.reason, b.made_at, b.made_by, b.cancelled_at, b.cancelled_by, b.cancelled_why, b.replaced_by,
           b.earlier_runs, k.code AS stock_item, k.ote_item_type,
           (SELECT array_agg(o.id ORDER BY o.id) FROM billing_basis o WHERE o.original = b.id) AS followers
      FROM billing_basis b
      JOIN supply_point sp ON sp.id = b.supply_point
      JOIN contract c ON c.id = b.contract
      LEFT JOIN LATERAL ({OF_BASIS}) k ON true
     WHERE b.id = :basis
""")  # noqa: S608 - the lateral query is a constant of ours


def find_runs(connection: Connection, run: int | None = None, limit: int = 100) -> Sequence[Row[Any]]:
    """Runs with counts of points settled and left out, bases, and their net sum."""
    return connection.execute(RUNS, {"run": run, "limit": limit}).all()


def find_omissions(connection: Connection, run: int) -> Sequence[Row[Any]]:
    """The points that a run left out, with the reasons."""
    return connection.execute(OMISSIONS, {"run": run}).all()


def get_basis(connection: Connection, basis: int) -> Row[Any]:
    """A basis whole: what it was measured and priced by, what it follows and what follows it; NotFound without it."""
    row = connection.execute(BASIS, {"basis": basis}).one_or_none()
    if row is None:
        raise NotFound("basis_not_found", f"There is no billing basis {basis}; see GET /v1/bases.")
    return row
