"""Routes of the settlement: runs, approval, billing bases. A run is ordered through the workflow, which has the law."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.settlement import catalogue_api, sales_api
from central.settlement.bases import find_bases, find_omissions, find_runs
from central.settlement.late import find_late_versions
from central.settlement.runs import approve_run, require_run

router = APIRouter(prefix="/v1", tags=["settlement"])
for part in (catalogue_api, sales_api):
    router.include_router(part.router)

Reader = Annotated[Person, Depends(require("read"))]
Settler = Annotated[Person, Depends(require("settle"))]


@router.get("/settlement/runs", summary="Settlement runs")
def list_runs(
    connection: Db, person: Reader, limit: Annotated[int, Query(ge=1, le=1_000)] = 100
) -> list[dict[str, Any]]:
    """The newest first, with counts."""
    return [_plain(row._mapping) for row in find_runs(connection, limit=limit)]


@router.get("/settlement/runs/{run}", summary="A run with what it left out")
def get_run(run: int, connection: Db, person: Reader) -> dict[str, Any]:
    """Counts, packages, digest, each supply point left out with its reason, and profiles that changed since (late)."""
    require_run(connection, run)
    found = find_runs(connection, run)[0]
    omissions = [_plain(row._mapping) for row in find_omissions(connection, run)]
    late = [_plain(row._mapping) for row in find_late_versions(connection, run)]
    return {**_plain(found._mapping), "omissions": omissions, "late": late}


@router.post("/settlement/runs/{run}/approve", summary="Approve a run")
def approve(run: int, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """Pin the run's inputs; its bases may be invoiced from now on."""
    bases = approve_run(connection, run, person, clock.now())
    return {"id": run, "state": "approved", "billing_bases": bases}


@router.get("/bases", summary="Billing bases")
def list_bases(
    connection: Db,
    person: Reader,
    run: int | None = None,
    ean: str | None = None,
    state: Literal["new", "approved", "invoiced", "cancelled"] | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> list[dict[str, Any]]:
    """Podklady pro fakturaci of a run, a supply point or a state; decimals as text."""
    return [_plain(row._mapping) for row in find_bases(connection, run, ean, state, limit)]


def _plain(row: Any) -> dict[str, Any]:
    """Decimals as text: a JSON number would pass through a binary float at the other end."""
    return {name: format(value, "f") if isinstance(value, Decimal) else value for name, value in row.items()}
