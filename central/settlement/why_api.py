"""The route that explains a billing basis."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from sqlalchemy import Connection, text

from central.platform.errors import NotFound
from central.platform.identity import Person, require
from central.platform.web import Db
from central.settlement.why import Explained, explain

router = APIRouter(tags=["settlement"])

Reader = Annotated[Person, Depends(require("read"))]
BasisId = Annotated[int, Path(gt=0, lt=2**63)]

BASIS = text("""
    -- a basis with the input of its run; none behind one made by hand
    SELECT b.id, sp.ean, b.run, b.state, b.rate, b.component, b.name, b.quantity, b.unit, b.unit_price, b.price_unit,
           b.amount, lower(b.valid) AS valid_from, upper(b.valid) AS valid_to, b.why, b.measurements,
           si.package, si.quantities, si.facts, si.digest, si.profiles
      FROM billing_basis b
      JOIN supply_point sp ON sp.id = b.supply_point
      LEFT JOIN settlement_input si ON si.id = b.input
     WHERE b.id = :basis
""")


@router.get("/bases/{basis}/why", summary="Why this number")
def why_basis(basis: BasisId, connection: Db, person: Reader) -> dict[str, Any]:
    """Formula, inputs with source and version, rule and price with its decision; `text` says it in cs and en."""
    return explain_basis(connection, basis)


def explain_basis(connection: Connection, basis: int) -> dict[str, Any]:
    """The explanation of a basis; NotFound where there is none of that id."""
    row = connection.execute(BASIS, {"basis": basis}).one_or_none()
    if row is None:
        raise NotFound("basis_not_found", f"There is no billing basis {basis}; see GET /v1/bases.")
    explained = Explained(
        rate=row.rate,
        component=row.component,
        name=row.name,
        quantity=row.quantity,
        unit=row.unit,
        unit_price=row.unit_price,
        price_unit=row.price_unit,
        amount=row.amount,
        valid=(row.valid_from, row.valid_to),
        why=row.why,
        measurements=row.measurements or (),
        package=row.package,
        quantities=row.quantities,
        facts=row.facts,
        facts_digest=row.digest,
        profiles=row.profiles or (),
    )
    return {"basis": row.id, "ean": row.ean, "run": row.run, "state": row.state, **explain(explained)}
