"""The route that lists what a run found and billed nothing for."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel
from sqlalchemy import Connection, text

from central.platform.identity import Person, require
from central.platform.web import Db
from central.settlement.runs import require_run

router = APIRouter(tags=["settlement"])

MOST = 10_000

FINDINGS = text("""
    -- findings of a run by point, in the order that they were made
    SELECT sp.ean, si.contract_item, found.value ->> 'component' AS component, found.value ->> 'text' AS text,
           found.value ->> 'mark' AS mark
      FROM settlement_input si
      JOIN supply_point sp ON sp.id = si.supply_point
     CROSS JOIN LATERAL jsonb_array_elements(si.findings) WITH ORDINALITY AS found (value, place)
     WHERE si.run = :run AND (CAST(:component AS text) IS NULL OR found.value ->> 'component' = :component)
     ORDER BY sp.ean, si.contract_item, lower(si.valid), found.place
     LIMIT :limit
""")


class FindingOut(BaseModel):
    """A component that was not evaluated, or evaluated without a payment; `mark` says how sure its rule is."""

    ean: str
    contract_item: int
    component: str
    text: str
    mark: str


@router.get("/settlement/runs/{run}/findings", summary="What a run found without a payment, or assumed")
def find_findings(
    run: Annotated[int, Path(gt=0, lt=2**63)],
    connection: Db,
    person: Annotated[Person, Depends(require("read"))],
    component: Annotated[str | None, Query(max_length=100, pattern=r"^[a-z0-9_]*$")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 1_000,
) -> list[FindingOut]:
    """By supply point: the sentences that its bill carries as remarks."""
    return read_findings(connection, run, component, limit)


def read_findings(connection: Connection, run: int, component: str | None, limit: int) -> list[FindingOut]:
    """The findings of a run, of one component or all; NotFound where there is no such run."""
    require_run(connection, run)
    asked = {"run": run, "component": component, "limit": limit}
    return [FindingOut(**row) for row in connection.execute(FINDINGS, asked).mappings()]
