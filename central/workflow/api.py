"""Routes that drive several rooms: settle a month, prepare a new database."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from central.checks.run import Scope, run_checks
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.workflow.housekeeping.api import router as housekeeping_router
from central.workflow.maintenance_api import router as maintenance_router
from central.workflow.market_api import router as market_router
from central.workflow.meter_acts_api import router as meter_acts_router
from central.workflow.prepare import prepare
from central.workflow.registry_import_api import router as registry_import_router
from central.workflow.settle_month import settle_month

router = APIRouter(prefix="/v1", tags=["workflow"])
router.include_router(housekeeping_router)
router.include_router(market_router)
router.include_router(maintenance_router)
router.include_router(meter_acts_router)
router.include_router(registry_import_router)

Settler = Annotated[Person, Depends(require("settle"))]
Admin = Annotated[Person, Depends(require("admin"))]


class SettleOrder(BaseModel, extra="forbid"):
    """Settle a month; `points` limits it to these supply points."""

    month: Annotated[str, Field(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$", examples=["2026-03"])]
    points: list[int] | None = None


@router.post("/settlement/runs", status_code=201, summary="Settle a month")
def settle(order: SettleOrder, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """A draft run of every supply point that no approved run holds for the month; what cannot be settled is listed.

    The active checks run over the new bases at once (automatická kontrola).
    """
    prepare(connection, person, clock.now())
    made = settle_month(connection, date.fromisoformat(f"{order.month}-01"), clock, person, order.points)
    checked = run_checks(connection, Scope(run=made.id), "automatic", person, clock.now())
    return {
        "id": made.id,
        "number": made.number,
        "settled": made.settled,
        "omitted": made.omitted,
        "billing_bases": made.bases,
        "checks": checked.results,
    }


@router.post("/prepare", summary="Install shipped law and checks")
def prepare_database(connection: Db, clock: Now, person: Admin) -> dict[str, Any]:
    """Install what ships with the product where a scope has no package yet, and missing standard checks."""
    return {"packages": prepare(connection, person, clock.now())}
