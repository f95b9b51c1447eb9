"""Acts of the registry at gas points: what happened between a day and the one before, and the record that tells it.

Pure. The record is CDSGASMASTERDATA; the operator gets the point as it stands on the day of the act. Documented: of a
suspended point the planned annual consumption is 0, its reading at the begin is told, and the planned consumption is
told anew at the end of the suspension.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import Final, Literal, cast

from central.market.payloads.gas_master_data import (
    GasConsumption,
    GasMasterData,
    GasMetering,
    GasNetwork,
    GasPointData,
    GasSuspension,
)
from central.market.payloads.master_data import PointParty
from central.workflow.telling.act_table import NAME, action_of, acts_between, customer_of

Category = Literal["DOM", "MO", "SO", "VO"]
Pressure = Literal["low", "medium", "high"]
_CATEGORIES: Final[dict[str, Category]] = {"household": "DOM", "low": "MO", "medium": "SO", "large": "VO"}
"""By the category of a contract item."""
_DAILY: Final = ("A", "B")
_READ_MONTHLY: Final = ("SO", "VO")
"""Categories whose points of type C are read monthly (CM). Assumed."""
_KWH: Final = 1000


@dataclass(frozen=True, slots=True)
class GasFacts:
    """What is registered of a gas point on a day; consumption in MWh a year.

    `daily_m3` is the daily capacity in m3: what the contract agrees with the monthly and sliding capacity of that day.
    """

    eic: str
    name: str
    point_type: str
    state: str
    metering_type: str | None
    household: bool
    tdd_class: str | None
    planned_mwh: Decimal | None
    operator: str | None
    supplier: str | None
    area: str | None
    customer: str | None = None
    customer_number: str | None = None
    category: str | None = None
    daily_m3: Decimal | None = None
    pressure: Pressure | None = None
    group: str | None = None


_PREFIX: Final = "gas_"
_FACTS: Final[Mapping[str, Callable[[GasFacts], object]]] = {
    "change_of_capacity": attrgetter("daily_m3"),
    "change": attrgetter(
        "name", "metering_type", "household", "tdd_class", "planned_mwh", "operator", "area", "customer",
        "customer_number", "category", "pressure", "group",
    ),
}  # fmt: skip
"""By act the facts whose change it is."""


def acts_of(before: GasFacts | None, now: GasFacts | None, *, exchanged: bool) -> list[str]:
    """The acts of a day, in the order of the rules; [] where nothing that the operator knows has changed."""
    return acts_between(before, now, _FACTS, exchanged=exchanged, prefix=_PREFIX)


def lacking(facts: GasFacts) -> str | None:
    """Why the point cannot be told, in a sentence; None where nothing is missing."""
    if facts.operator is None:
        return f"The operator of {facts.eic} has no EAN: fill it in at its party."
    if facts.metering_type is None:
        return f"The gas supply point {facts.eic} has no metering type: fill it in."
    if category_of(facts) is None:
        return (
            f"The gas supply point {facts.eic} has no category: fill it in at its contract item (household, low, "
            "medium, large)."
        )
    return None


def category_of(facts: GasFacts) -> Category | None:
    """What the contract item says; without it a household is one."""
    if facts.category is not None:
        return _CATEGORIES[facts.category]
    return "DOM" if facts.household else None


def record(acts: Sequence[str], facts: GasFacts, day: date, reading_m3: Decimal | None = None) -> GasMasterData:
    """The message of the acts of a day; of a point that has ended `facts` are those of the day before.

    `reading_m3` is the state of the point's meter at the begin of a suspension. `lacking` must have found nothing.
    """
    action = action_of(acts, _PREFIX)
    is_suspended = action == "suspend"
    category = category_of(facts)
    assert category is not None, "lacking() says so"
    return GasMasterData(
        points=[
            GasPointData(
                opm=facts.eic,
                action=action,
                first_day=day,
                name=facts.name[:NAME],
                group=facts.group,
                network=GasNetwork(operator=facts.operator or "", pressure=facts.pressure, area=facts.area),
                metering=_metering(facts, category),
                consumption=GasConsumption(
                    category=category,
                    tdd_class=facts.tdd_class,
                    planned_annual_kwh=_planned(facts),
                    reserved_daily_m3=facts.daily_m3,
                ),
                parties=[PointParty(role="supplier", id=facts.supplier, first_day=day)] if facts.supplier else [],
                customer=customer_of(facts),
                suspensions=[GasSuspension(first_day=day, reading_m3=reading_m3)] if is_suspended else [],
            )
        ]
    )


def _metering(facts: GasFacts, category: Category) -> GasMetering:
    kind = facts.metering_type or ""
    if kind in _DAILY:
        return GasMetering(kind=cast(Literal["A", "B"], kind), reading_cycle="daily" if kind == "A" else "monthly")
    if category in _READ_MONTHLY:
        return GasMetering(kind="CM", reading_cycle="monthly")
    return GasMetering(kind="C", reading_cycle="yearly")


def _planned(facts: GasFacts) -> int | None:
    if facts.state == "suspended":
        return 0
    return None if facts.planned_mwh is None else int(facts.planned_mwh * _KWH)
