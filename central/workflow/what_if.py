"""What if (co kdyby): a point's past period on other agreed values, another rate or package. Nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from central.platform.errors import BadInput, NotFound, Refused
from central.settlement.facts import PointFacts
from central.settlement.measured import NotMeasuredError
from central.settlement.model import CannotPriceError, Part
from central.settlement.quantities import Measured, measure_parts
from central.settlement.registry import read_facts
from central.settlement.scope import Scope, points_in
from central.settlement.settle import parts_of, price_whole
from central.settlement.what_if import Change, agreed_capacity, changed, cheapest_capacity
from central.tariffs.install import packages_in_force
from central.workflow.quote import quoted
from central.workflow.settle_month import Period, in_force, read_measured
from shared.metering_day import next_month
from shared.quantities import Commodity

LONGEST_DAYS = 800
NO_STATEMENT = -1
"""No run holds anything of this type: points are taken whether they are settled or not."""


@dataclass(frozen=True, slots=True)
class PointParts:
    """A point's parts as they would be settled, and what else its bill stands on."""

    facts: PointFacts
    parts: Sequence[Part]
    measured: Measured

    @property
    def ean(self) -> str:
        return self.facts.ean


def what_if(connection: Connection, point: int, period: Period, change: Change) -> dict[str, Any]:
    """The period as it is and as it would be, with the difference in Kč without VAT.

    Raises BadInput for an impossible period, NotFound for an unknown point, Refused where it cannot be settled as it is
    or as it would be.
    """
    _require(period)
    read = read_parts(connection, point, period)
    other = changed(read.parts, change)
    as_is, would_be = _priced(read, read.parts), _priced(read, other)
    difference = Decimal(would_be["net"]) - Decimal(as_is["net"])
    return {"ean": read.ean, "as_is": as_is, "what_if": would_be, "difference": format(difference, "f")}


def cheapest(connection: Connection, point: int, last: date, count: int = 12) -> dict[str, Any]:
    """The cheapest yearly and monthly reserved capacity over the `count` months that end with the month of `last`.

    In hindsight: the maxima are known. Raises NotFound and Refused as `what_if` does, Refused also at low voltage.
    """
    end = next_month(last.year, last.month)
    begun = last.year * 12 + last.month - count
    period = Period(date(begun // 12, begun % 12 + 1, 1), end)
    read = read_parts(connection, point, period)
    if read.facts.commodity is not Commodity.ELECTRICITY or any(part.point.level == "NN" for part in read.parts):
        raise Refused(
            "no_reserved_capacity", f"Point {read.ean} is not above low voltage: it has no reserved capacity to choose."
        )
    months = _months(read.parts)
    if len(months) < count:
        raise Refused(
            "months_missing",
            f"Point {read.ean} has {len(months)} months from {period} to be settled; {count} are needed.",
        )
    try:
        costs = agreed_capacity(months)
        plan = cheapest_capacity(months)
    except CannotPriceError as error:
        raise _refused(read.ean, error) from error
    agreed = sum(costs, Decimal("0.00"))
    return {
        "ean": read.ean,
        "from": period.first,
        "to": period.end,
        "yearly_kw": plan.yearly_kw,
        "months": [
            {
                "month": f"{month[0].first:%Y-%m}",
                "maximum_kw": _told(max((part.measured.get("max_quarter_hour_kw") or Decimal(0)) for part in month)),
                "agreed_yearly_kw": _told(month[-1].agreed.get("reserved_capacity_year_kw")),
                "agreed_monthly_kw": _told(month[-1].agreed.get("reserved_capacity_month_kw")),
                "agreed_cost": format(cost, "f"),
                "monthly_kw": kw,
                "cost": format(lower, "f"),
            }
            for month, cost, kw, lower in zip(months, costs, plan.monthly_kw, plan.costs, strict=True)
        ],
        "agreed_cost": format(agreed, "f"),
        "cost": format(plan.cost, "f"),
        "saved": format(agreed - plan.cost, "f"),
    }


def read_parts(connection: Connection, point: int, period: Period) -> PointParts:
    """The parts of a point's period with their measurements, settled already or not."""
    packages = packages_in_force(connection, period.first, period.end)
    points = points_in(connection, Scope(points=[point]), period.first, period.end)
    if not points:
        raise NotFound(
            "point_not_found",
            f"There is no point of consumption {point} that is supplied from {period}.",
        )
    books = [in_force(package) for package in packages]
    facts = read_facts(connection, points, period.first, period.end, books, NO_STATEMENT)
    if not facts:
        raise Refused("nothing_to_settle", f"Point {point} has nothing to be settled from {period}.")
    (found,) = facts
    if found.problem is not None:
        raise Refused("not_settled", found.problem.reason)
    measured = read_measured(connection, period, facts, packages)
    try:
        parts = parts_of(found, measure_parts(found, measured))
    except NotMeasuredError as error:
        raise Refused("not_measured", f"Místo {found.ean}: {error.reason}") from error
    except CannotPriceError as error:
        raise _refused(found.ean, error) from error
    return PointParts(found, parts, measured)


def _priced(read: PointParts, parts: Sequence[Part]) -> dict[str, Any]:
    """The whole bill: network services, supply with its taxes, own services, as far as the contracts have them."""
    try:
        return quoted(price_whole(read.facts, parts, read.measured), parts)
    except NotMeasuredError as error:
        raise Refused("not_measured", f"Místo {read.ean}: {error.reason}") from error
    except CannotPriceError as error:
        raise _refused(read.ean, error) from error


def _refused(ean: str, error: CannotPriceError) -> Refused:
    return Refused("not_priced", f"Místo {ean}, {error.component}: {error.reason}")


def _require(period: Period) -> None:
    if period.end <= period.first:
        raise BadInput("period", f"The period {period} has no day; its end is exclusive and must be later.")
    if (period.end - period.first).days > LONGEST_DAYS:
        raise BadInput("period", f"The period {period} is longer than {LONGEST_DAYS} days; ask for shorter ones.")


def _months(parts: Sequence[Part]) -> list[list[Part]]:
    months: dict[date, list[Part]] = {}
    for part in parts:
        months.setdefault(part.first.replace(day=1), []).append(part)
    return list(months.values())


def _told(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")
