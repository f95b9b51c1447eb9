"""Routes of the year-end: plan, carry on, and the listing for the accountant."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field
from sqlalchemy import text

from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.registry.web import Body, Why
from central.workflow.year_end import LISTING, MOST_CONTRACTS, carry_on, plan_year_end, require_year_end

router = APIRouter(prefix="/year-ends", tags=["workflow"])

Reader = Annotated[Person, Depends(require("read"))]
Issuer = Annotated[Person, Depends(require("invoice"))]
Id = Annotated[int, Path(ge=1, lt=2**63)]

WORKS = text("""
    SELECT y.id, y.year, y.kind, y.made_at, y.made_by, count(*) FILTER (WHERE done.state = 'waiting') AS waiting,
           count(*) FILTER (WHERE done.state = 'done') AS done, count(*) FILTER (WHERE done.state = 'failed') AS failed
      FROM year_end y LEFT JOIN year_end_contract done ON done.year_end = y.id
     WHERE CAST(:id AS bigint) IS NULL OR y.id = :id
     GROUP BY y.id ORDER BY y.year DESC, y.id DESC LIMIT 1000
""")


class YearEndOrder(Body):
    """Work of a year: annual statements, accruals for its accounting close, or the cancelling of these."""

    year: Annotated[int, Field(ge=2000, le=2099)]
    kind: Literal["annual", "accrual", "accrual_cancel"]
    why: Why


class Step(Body):
    """How many contracts are done at once, all in one transaction; `again`: also those that failed."""

    limit: Annotated[int, Field(ge=1, le=MOST_CONTRACTS)] = 20
    again: bool = False


@router.post("", status_code=201, summary="Plan year-end work")
def plan(order: YearEndOrder, connection: Db, clock: Now, person: Issuer) -> dict[str, Any]:
    """Once a year and kind; again adds the contracts that are new to it."""
    identifier = plan_year_end(connection, order.year, order.kind, order.why, person, clock.now())
    return dict(connection.execute(WORKS, {"id": identifier}).mappings().one())


@router.get("", summary="Year-end work")
def find_works(connection: Db, _: Reader) -> list[dict[str, Any]]:
    """The newest year first, with how many contracts wait, are done, or failed."""
    return [dict(row) for row in connection.execute(WORKS, {"id": None}).mappings()]


@router.post("/{identifier}/continue", summary="Carry year-end work on")
def proceed(identifier: Id, step: Step, connection: Db, clock: Now, person: Issuer) -> dict[str, int]:
    """The next contracts by number; call it until none waits. What fails is listed with its reason."""
    return carry_on(connection, identifier, step.limit, clock, person, again=step.again)


@router.get("/{identifier}/contracts", summary="Year-end work by contract")
def find_contracts(
    identifier: Id,
    connection: Db,
    _: Reader,
    state: Literal["waiting", "done", "failed"] | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> list[dict[str, Any]]:
    """For the accountant: what was made for each contract, over which days, its sum and VAT; decimals as text."""
    require_year_end(connection, identifier)
    rows = connection.execute(LISTING, {"id": identifier, "state": state, "limit": limit, "offset": offset}).mappings()
    return [
        {name: f"{value:f}" if name in ("net", "vat") and value is not None else value for name, value in row.items()}
        for row in rows
    ]
