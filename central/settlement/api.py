"""Routes of the settlement: runs, approval, billing bases. A run is ordered through the workflow, which has the law."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from central.platform.identity import Person, require
from central.platform.overview import Asked
from central.platform.web import Db, Now
from central.settlement import catalogue_api, findings_api, sales_api, stock_api, why_api
from central.settlement.bases import OVERVIEW, find_omissions, find_runs, get_basis
from central.settlement.calendar_rows import row_sums
from central.settlement.cancelling import cancel_accruals, cancel_bases, delete_basis
from central.settlement.compared import compare_runs
from central.settlement.late import find_late_versions
from central.settlement.runs import approve_run, discard_run, require_run
from central.settlement.superior_split_api import router as splits

router = APIRouter(prefix="/v1", tags=["settlement"])
for part in (catalogue_api, findings_api, sales_api, stock_api, why_api):
    router.include_router(part.router)

Reader = Annotated[Person, Depends(require("read"))]
Settler = Annotated[Person, Depends(require("settle"))]
Id = Annotated[int, Path(ge=0, lt=2**63)]
Why = Annotated[str, Field(min_length=3, max_length=1_000, pattern="^[^\x00]*$", description="kept with the record")]


class Reason(BaseModel, extra="forbid"):
    """Why an act is done."""

    why: Why


class CancelOrder(BaseModel, extra="forbid"):
    """Bases that cancelling ones are made for, and the reason, which stands on the document."""

    bases: Annotated[list[Annotated[int, Field(ge=0, lt=2**63)]], Field(min_length=1, max_length=10_000)]
    reason: Why


class BasisOut(BaseModel):
    """A row of the overview of billing bases; decimals as text, `valid_to` exclusive."""

    id: int
    run: int | None
    run_number: str | None
    ean: str
    contract_item: int
    contract: int
    contract_number: str
    payer: int
    payer_code: str
    service: str
    rate: int
    component: str
    name: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    price_unit: str
    amount: Decimal
    vat_percent: Decimal
    valid_from: datetime
    valid_to: datetime
    statement_type: int
    state: str
    mark: str | None
    original: int | None
    reason: str | None
    made_at: datetime
    made_by: str
    cancelled_at: datetime | None
    cancelled_by: str | None
    cancelled_why: str | None


@router.get("/settlement/runs", summary="Settlement runs")
def list_runs(
    connection: Db, person: Reader, limit: Annotated[int, Query(ge=1, le=1_000)] = 100
) -> list[dict[str, Any]]:
    """The newest first, with counts."""
    return [_plain(row._mapping) for row in find_runs(connection, limit=limit)]


@router.get("/settlement/runs/{run}", summary="A run with what it left out")
def get_run(run: Id, connection: Db, person: Reader) -> dict[str, Any]:
    """Counts, packages, digest, each supply point left out with its reason, and profiles that changed since (late)."""
    require_run(connection, run)
    found = find_runs(connection, run)[0]
    omissions = [_plain(row._mapping) for row in find_omissions(connection, run)]
    late = [_plain(row._mapping) for row in find_late_versions(connection, run)]
    return {**_plain(found._mapping), "omissions": omissions, "late": late}


@router.post("/settlement/runs/{run}/approve", summary="Approve a run")
def approve(run: Id, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """Pin the run's inputs; its bases may be invoiced from now on."""
    bases = approve_run(connection, run, person, clock.now())
    return {"id": run, "state": "approved", "billing_bases": bases}


@router.post("/settlement/runs/{run}/discard", summary="Throw a draft away")
def discard(run: Id, order: Reason, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """Its bases are cancelled and its points are open again; nothing is taken off the record."""
    bases = discard_run(connection, run, order.why, person, clock.now())
    return {"id": run, "state": "discarded", "billing_bases": bases}


@router.post("/settlement/runs/{run}/cancel-accrual", status_code=201, summary="Cancel what a run has accrued")
def cancel_accrual(run: Id, order: Reason, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """Dohadné storno (16) of all its accruals, as the next accounting period opens."""
    return {"made": cancel_accruals(connection, run, order.why, person, clock.now())}


@router.get("/settlement/runs/{first}/compare/{second}", summary="What differs between two runs, and why")
def compare(first: Id, second: Id, connection: Db, person: Reader) -> dict[str, Any]:
    """By point and component: quantities, prices, amounts; and by point the causes: another version of a profile,
    another state, a changed fact of the registry, another package, or the rule."""
    return compare_runs(connection, first, second)


@router.get("/bases", summary="Billing bases: filter, sort, page")
def list_bases(
    connection: Db,
    person: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(OVERVIEW.asked())],
) -> list[BasisOut]:
    """Podklady pro fakturaci, such as `run=12`, `ean=...&state=approved` or `statement_type=5`."""
    page = OVERVIEW.find(connection, asked)
    page.tell(request, response)
    return [BasisOut(**row) for row in page.rows]


@router.post("/bases/cancel", status_code=201, summary="Make cancelling bases")
def cancel(order: CancelOrder, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """The opposite of each invoiced basis, or of each approved accrual, to the haléř; all or none."""
    return {"made": cancel_bases(connection, order.bases, order.reason, person, clock.now())}


@router.get("/bases/{basis}", summary="A billing basis")
def show_basis(basis: Id, connection: Db, person: Reader) -> dict[str, Any]:
    """With what it was measured and priced by, what it follows (`original`) and what follows it."""
    return _plain(get_basis(connection, basis)._mapping)


@router.post("/bases/{basis}/delete", status_code=204, summary="Delete a basis that is not invoiced")
def delete(basis: Id, order: Reason, connection: Db, clock: Now, person: Settler) -> None:
    """Zrušit: it stays on the record as cancelled, with who, when and why."""
    delete_basis(connection, basis, order.why, person, clock.now())


@router.get("/payment-calendar/{row}/bases", summary="What stands in a row of the payment calendar")
def calendar_row(row: Id, connection: Db, person: Reader) -> dict[str, Any]:
    """Number and sum of its bases by group of statements, and the statement that the row orders."""
    return row_sums(connection, row)


def _plain(row: Any) -> dict[str, Any]:
    """Decimals as text: a JSON number would pass through a binary float at the other end."""
    return {name: format(value, "f") if isinstance(value, Decimal) else value for name, value in row.items()}


router.include_router(splits)
