"""Routes of billing bases that need the law or a settlement: update, make by hand, accrue, settle a leaver."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from central.platform.errors import BadInput, Refused
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.settlement.by_hand import ByHand, commodity_of, make_basis
from central.settlement.calendar_rows import require_rows
from central.settlement.scope import Scope
from central.tariffs.install import packages_in_force
from central.workflow.prepare import prepare
from central.workflow.settle_month import Period
from central.workflow.update_bases import UpdateDone, accrue, settle_leaver, update_bases, update_rows
from shared.metering_day import next_month

router = APIRouter()

Settler = Annotated[Person, Depends(require("settle"))]
Id = Annotated[int, Field(gt=0, lt=2**63)]
Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2100, 1, 1))]
Word = Annotated[str, Field(min_length=1, max_length=200, pattern="^[^\x00]*$")]
Why = Annotated[str, Field(min_length=3, max_length=1_000, pattern="^[^\x00]*$", description="kept with the record")]
Figure = Annotated[Decimal, Field(ge=-(10**9), le=10**9, max_digits=20, decimal_places=8)]


class Time(BaseModel, extra="forbid"):
    """A month, or the days `from` to before `to`, of points, of contracts or of all."""

    points: Annotated[list[Id], Field(min_length=1, max_length=100_000)] | None = None
    contracts: Annotated[list[Id], Field(min_length=1, max_length=100_000)] | None = None
    month: Annotated[str, Field(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$", examples=["2026-03"])] | None = None
    first: Annotated[Day | None, Field(alias="from")] = None
    end: Annotated[Day | None, Field(alias="to")] = None
    statement: Literal["regular", "preliminary", "annual"] = "regular"

    def period(self) -> Period:
        """The days that are meant; BadInput where that is not clear."""
        if self.month is not None and self.first is None and self.end is None:
            first = date.fromisoformat(f"{self.month}-01")
            return Period(first, next_month(first.year, first.month))
        if self.month is None and self.first is not None and self.end is not None and self.first < self.end:
            return Period(self.first, self.end)
        raise BadInput("period", "Give a month, or a first day (from) and a later end (to).")

    def scope(self) -> Scope:
        """The points and contracts that are meant."""
        return Scope(points=_ids(self.points), contracts=_ids(self.contracts))


class UpdateOrder(Time):
    """Update what is not invoiced: of calendar rows by what they order, or of points, contracts or all for a time."""

    why: Why
    calendar_rows: Annotated[list[Id], Field(min_length=1, max_length=100_000)] | None = None


class AccrualOrder(BaseModel, extra="forbid"):
    """Accrue what is delivered before `until` and not invoiced, of these contracts or of all."""

    until: Day
    contracts: Annotated[list[Id], Field(min_length=1, max_length=100_000)] | None = None
    why: Why


class FinalOrder(BaseModel, extra="forbid"):
    """Settle a contract to the day on which it ends (exclusive)."""

    contract: Id
    end: Day
    why: Why


class BasisIn(BaseModel, extra="forbid"):
    """A basis made by hand for the days `from` to before `to`; the price is free, the VAT that of the package."""

    ean: Word
    contract: Word
    first: Annotated[Day, Field(alias="from")]
    end: Annotated[Day, Field(alias="to")]
    service: Literal["distribution", "other"] = "distribution"
    rate: Annotated[int, Field(ge=1, le=9_999)]
    name: Word
    quantity: Figure
    unit: Annotated[str, Field(min_length=1, max_length=20, pattern="^[^\x00]*$")]
    unit_price: Figure
    price_unit: Annotated[str, Field(min_length=1, max_length=30, pattern="^[^\x00]*$")] | None = None
    statement_type: Annotated[int, Field(ge=0, le=16)] = 0
    original: Id | None = None
    reason: Why


@router.post("/bases", status_code=201, summary="Make a billing basis by hand")
def make_by_hand(order: BasisIn, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """It may be invoiced at once, is never changed, and can be deleted while it is not invoiced."""
    prepare(connection, person, clock.now())
    commodity = commodity_of(connection, order.ean)
    packages = packages_in_force(connection, order.first, max(order.end, order.first + timedelta(days=1)))
    vat = {package.vat_percent for package in packages if package.commodity == commodity}
    if len(vat) != 1:
        found = "none" if not vat else ", ".join(f"{percent} %" for percent in sorted(vat))
        raise Refused(
            "no_vat",
            f"The packages of {commodity} in force from {order.first} to {order.end} give {found} as VAT; expected one "
            "rate. Install a package for the time, or split the basis.",
        )
    basis = make_basis(
        connection,
        ByHand(
            **order.model_dump(exclude={"price_unit"}),
            price_unit=order.price_unit or f"Kč/{order.unit}",
        ),
        vat.pop(),
        person,
        clock.now(),
    )
    return {"id": basis}


@router.post("/bases/update", summary="Update billing bases")
def update(order: UpdateOrder, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """Aktualizace podkladů: what changed is replaced by a draft, what did not keeps its identity and its results;
    invoiced bases are never touched. The active checks run over the draft at once."""
    prepare(connection, person, clock.now())
    if order.calendar_rows is None:
        done = [update_bases(connection, order.period(), order.statement, order.scope(), order.why, clock, person)]
        return {"updates": [_shown(each) for each in done], "idle_rows": []}
    if order.points or order.contracts or order.month or order.first or order.end:
        raise BadInput("calendar_rows", "Rows of the payment calendar say themselves what they order: give them alone.")
    rows = require_rows(connection, order.calendar_rows)
    done, idle = update_rows(connection, rows, order.why, clock, person)
    return {"updates": [_shown(each) for each in done], "idle_rows": idle}


@router.post("/settlement/accrual", status_code=201, summary="Accrue what is not invoiced")
def order_accrual(order: AccrualOrder, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """Dohadné podklady for the accounting close, a draft run for each time; cancelled when the next period opens."""
    prepare(connection, person, clock.now())
    done = accrue(connection, order.until, order.contracts, order.why, clock, person)
    return {"updates": [_shown(each) for each in done]}


@router.post("/settlement/final", status_code=201, summary="Settle a leaver")
def order_final(order: FinalOrder, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """Mimořádné konečné vyúčtování at a change of supplier or customer: to the day on which the contract ends."""
    prepare(connection, person, clock.now())
    return _shown(settle_leaver(connection, order.contract, order.end, order.why, clock, person))


def _ids(given: list[int] | None) -> tuple[int, ...] | None:
    return None if given is None else tuple(given)


def _shown(done: UpdateDone) -> dict[str, Any]:
    updated = done.updated
    return {
        "statement": done.statement,
        "from": done.period.first,
        "to": done.period.end,
        "run": updated.run,
        "kept": updated.kept,
        "replaced": updated.replaced,
        "added": updated.added,
        "removed": updated.removed,
        "negative": done.negative,
        "left_out": list(updated.left_out),
        "checks": done.checks,
    }
