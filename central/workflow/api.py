"""Routes that drive several rooms: settle a month, prepare a new database."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from central.checks.bases import Scope as CheckScope
from central.checks.customer.coded import install_python_checks
from central.checks.run import run_checks
from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.settlement.cancelling import settle_preliminary
from central.settlement.scope import Scope
from central.workflow.advances_api import router as advances_router
from central.workflow.bases_api import router as bases_router
from central.workflow.corrections_api import router as corrections_router
from central.workflow.external.api import router as external_router
from central.workflow.housekeeping.api import router as housekeeping_router
from central.workflow.maintenance_api import router as maintenance_router
from central.workflow.market_api import router as market_router
from central.workflow.meter_acts_api import router as meter_acts_router
from central.workflow.packages_api import router as packages_router
from central.workflow.prepare import prepare
from central.workflow.received.asking_api import router as asking_router
from central.workflow.received.interval_api import router as received_intervals_router
from central.workflow.received.invoice_api import router as received_invoices_router
from central.workflow.received.tariff_api import router as received_tariffs_router
from central.workflow.registry_import_api import router as registry_import_router
from central.workflow.reports.api import router as reports_router
from central.workflow.settle_month import Period, settle
from central.workflow.telling.api import router as telling_router
from central.workflow.what_if_api import router as what_if_router
from central.workflow.year_end_api import router as year_end_router

router = APIRouter(prefix="/v1", tags=["workflow"])
router.include_router(bases_router)
router.include_router(corrections_router)
router.include_router(external_router)
router.include_router(housekeeping_router)
router.include_router(market_router)
router.include_router(telling_router)
router.include_router(packages_router)
router.include_router(maintenance_router)
router.include_router(meter_acts_router)
router.include_router(asking_router)
router.include_router(received_intervals_router)
router.include_router(received_invoices_router)
router.include_router(received_tariffs_router)
router.include_router(registry_import_router)
router.include_router(advances_router)
router.include_router(reports_router)
router.include_router(what_if_router)
router.include_router(year_end_router)

Settler = Annotated[Person, Depends(require("settle"))]
Admin = Annotated[Person, Depends(require("admin"))]
PositiveId = Annotated[int, Field(gt=0, lt=2**63)]
CODE = r"^[^\x00]{1,100}$"


class SettleScope(BaseModel, extra="forbid"):
    """What a run is limited to; conditions add up, none is every consumption point."""

    points: Annotated[list[PositiveId], Field(max_length=100_000)] | None = None
    contracts: Annotated[list[PositiveId], Field(max_length=100_000)] | None = None
    area: Annotated[str, Field(pattern=CODE)] | None = None
    collection: Annotated[str, Field(pattern=CODE)] | None = None
    node: Annotated[str, Field(pattern=CODE)] | None = None


class SettleOrder(BaseModel, extra="forbid"):
    """Settle a month, or the days `from` to before `to`; `points` is short for a scope of these supply points."""

    month: Annotated[str, Field(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$", examples=["2026-03"])] | None = None
    first: Annotated[date | None, Field(alias="from", ge=date(2000, 1, 1), lt=date(2100, 1, 1))] = None
    end: Annotated[date | None, Field(alias="to", ge=date(2000, 1, 1), lt=date(2100, 1, 1))] = None
    statement: Literal["regular", "preliminary", "accrual", "annual", "final"] = "regular"
    scope: SettleScope = SettleScope()
    points: Annotated[list[PositiveId], Field(max_length=100_000)] | None = None

    def period(self) -> Period:
        """The days that are meant; BadInput where that is not clear."""
        if self.month is not None and self.first is None and self.end is None:
            return Period.of_month(date.fromisoformat(f"{self.month}-01"))
        if self.month is None and self.first is not None and self.end is not None:
            return Period(self.first, self.end)
        raise BadInput("period", "Give either a month, or both the first day (from) and the day after the last (to).")

    def limits(self) -> Scope:
        """The scope that is meant; BadInput where points are given twice."""
        given = self.scope.points
        if given is not None and self.points is not None:
            raise BadInput("points", "Give the supply points once: in the scope or beside it.")
        points, contracts = given if given is not None else self.points, self.scope.contracts
        return Scope(
            points=points,
            contracts=contracts,
            area=self.scope.area,
            collection=self.scope.collection,
            node=self.scope.node,
        )


@router.post("/settlement/runs", status_code=201, summary="Settle a period")
def settle_period(order: SettleOrder, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """A draft run of every supply point of the scope that no approved run holds; what cannot be settled is listed.

    An annual one takes back, line by line, what was billed preliminarily in its time. The active checks run over the
    new bases at once (automatická kontrola).
    """
    prepare(connection, person, clock.now())
    made = settle(connection, order.period(), order.statement, order.limits(), clock, person)
    negative = settle_preliminary(connection, made.id, (), person, clock.now())
    checked = run_checks(connection, CheckScope(run=made.id), "automatic", person, clock.now())
    return {
        "id": made.id,
        "number": made.number,
        "settled": made.settled,
        "omitted": made.omitted,
        "billing_bases": made.bases + len(negative),
        "checks": checked.results,
    }


@router.post("/prepare", summary="Install shipped law and checks")
def prepare_database(connection: Db, clock: Now, person: Admin) -> dict[str, Any]:
    """Install what ships with the product where a scope has no package yet, missing standard checks, and the checks
    that installed packages of the customer bring (which also happens when the interface starts)."""
    packages = prepare(connection, person, clock.now())
    checks = install_python_checks(connection, person, clock.now())
    return {"packages": packages, "customer_checks": checks}
