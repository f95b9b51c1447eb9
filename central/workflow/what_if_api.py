"""Routes of what-if: nothing is written."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.settlement.what_if import Change
from central.tariffs.install import require_installed
from central.workflow.settle_month import Period
from central.workflow.what_if import cheapest, what_if
from shared.metering_day import PRAGUE

router = APIRouter(tags=["settlement"])

Reader = Annotated[Person, Depends(require("read"))]
PointId = Annotated[int, Field(gt=0, lt=2**63)]
Kilowatts = Annotated[Decimal, Field(ge=0, le=10_000_000, max_digits=11, decimal_places=3)]
Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2100, 1, 1))]
Text = Annotated[str, Field(pattern=r"^[^\x00]{1,100}$")]


class PackageName(BaseModel, extra="forbid"):
    """An installed package, active or not."""

    name: Text
    version: Text


class WhatIfOrder(BaseModel, extra="forbid"):
    """A point, the days `from` to before `to`, and what is to be otherwise; `tariff_choice` "none" takes one away."""

    supply_point: PointId
    first: Annotated[Day, Field(alias="from")]
    end: Annotated[Day, Field(alias="to")]
    reserved_capacity_year_kw: Kilowatts | None = None
    reserved_capacity_month_kw: Kilowatts | None = None
    reserved_input_kw: Kilowatts | None = None
    rate: Annotated[str, Field(pattern=r"^[CD]\d\dd$")] | None = None
    breaker: Annotated[str, Field(pattern=r"^[13]x[1-9]\d{0,3}$", examples=["3x63"])] | None = None
    tariff_choice: Annotated[str, Field(pattern=r"^(single_component|none)$")] | None = None
    package: PackageName | None = None

    def agreed(self) -> dict[str, Decimal]:
        """The agreed values that are to be otherwise."""
        names = ("reserved_capacity_year_kw", "reserved_capacity_month_kw", "reserved_input_kw")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class CapacityOrder(BaseModel, extra="forbid"):
    """A point above low voltage; `month` is the last of the `months`, without it the last whole month."""

    supply_point: PointId
    months: Annotated[int, Field(ge=1, le=24)] = 12
    month: Annotated[str, Field(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$", examples=["2026-03"])] | None = None


@router.post("/settlement/what-if", summary="Settle a past period otherwise, without writing anything")
def post_what_if(order: WhatIfOrder, connection: Db, person: Reader) -> dict[str, Any]:
    """The period as it is (`as_is`), as it would be (`what_if`), and the difference without VAT; both as a quote."""
    agreed = order.agreed()
    if not agreed and all(value is None for value in (order.rate, order.breaker, order.tariff_choice, order.package)):
        raise BadInput("no_change", "Nothing is to be otherwise; give a reserved value, rate, breaker or package.")
    breaker = None
    if order.breaker is not None:
        phases, amperes = order.breaker.split("x")
        breaker = (int(phases), Decimal(amperes))
    package = order.package
    change = Change(
        agreed=agreed,
        rate=order.rate,
        breaker=breaker,
        tariff_choice="" if order.tariff_choice == "none" else order.tariff_choice,
        book=None if package is None else require_installed(connection, package.name, package.version),
    )
    return what_if(connection, order.supply_point, Period(order.first, order.end), change)


@router.post("/settlement/what-if/capacity", summary="The cheapest reserved capacity in hindsight")
def post_capacity(order: CapacityOrder, connection: Db, clock: Now, person: Reader) -> dict[str, Any]:
    """Yearly and monthly capacity that would have cost least, with each month's cost as agreed and as it would be."""
    if order.month is not None:
        last = date.fromisoformat(f"{order.month}-01")
    else:
        today = clock.now().astimezone(PRAGUE).date()
        last = date(today.year - (today.month == 1), (today.month - 2) % 12 + 1, 1)
    return cheapest(connection, order.supply_point, last, order.months)
