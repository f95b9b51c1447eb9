"""Acts of the registry: what happened to a supply point between a day and the one before, and the record that tells it.

Pure. The record is CDSMASTERDATA; the operator gets the point as it stands on the day of the act.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import Final, Literal, cast

from central.market.payloads.master_data import (
    MasterData,
    PointConsumption,
    PointData,
    PointMetering,
    PointNetwork,
    PointParty,
    Suspension,
)
from central.workflow.telling.act_table import NAME, action_of, acts_between, customer_of

MW: Final = Decimal(1000)


@dataclass(frozen=True, slots=True)
class PointFacts:
    """What is registered of a supply point on a day; powers in kW, consumption in MWh a year."""

    ean: str
    name: str
    point_type: str
    state: str
    level: str
    metering_type: str | None
    household: bool
    tdd_class: str | None
    temperature_zone: str | None
    planned_mwh: Decimal | None
    operator: str | None
    supplier: str | None
    area: str | None
    customer: str | None = None
    customer_number: str | None = None
    rate: str | None = None
    breaker_phases: int | None = None
    breaker_amps: int | None = None
    input_kw: Decimal | None = None
    year_kw: Decimal | None = None
    month_kw: Decimal | None = None


_FACTS: Final[Mapping[str, Callable[[PointFacts], object]]] = {
    "change_of_rate": attrgetter("rate"),
    "change_of_breaker": attrgetter("breaker_phases", "breaker_amps"),
    "change_of_capacity": attrgetter("input_kw", "year_kw", "month_kw"),
    "change": attrgetter(
        "name", "level", "metering_type", "household", "tdd_class", "temperature_zone", "planned_mwh", "operator",
        "area", "customer", "customer_number",
    ),
}  # fmt: skip
"""By act the facts whose change it is."""


def acts_of(before: PointFacts | None, now: PointFacts | None, *, exchanged: bool) -> list[str]:
    """The acts of a day, in the order of the rules; [] where nothing that the operator knows has changed."""
    return acts_between(before, now, _FACTS, exchanged=exchanged)


def lacking(facts: PointFacts) -> str | None:
    """Why the point cannot be told, in a sentence; None where nothing is missing."""
    if facts.operator is None:
        return f"The operator of {facts.ean} has no EAN: fill it in at its party."
    if facts.metering_type is None:
        return f"The supply point {facts.ean} has no metering type: fill it in."
    return None


def record(acts: Sequence[str], facts: PointFacts, day: date) -> MasterData:
    """The message of the acts of a day; of a point that has ended `facts` are those of the day before."""
    return MasterData(
        points=[
            PointData(
                opm=facts.ean,
                action=action_of(acts),
                kind="delivery" if facts.point_type == "production" else "take_off",
                first_day=day,
                name=facts.name[:NAME],
                network=_network(facts),
                metering=_metering(facts),
                consumption=_consumption(facts),
                parties=[PointParty(role="supplier", id=facts.supplier, first_day=day)] if facts.supplier else [],
                customer=customer_of(facts),
                suspensions=[Suspension(first_day=day)] if "suspension" in acts else [],
            )
        ]
    )


def _network(facts: PointFacts) -> PointNetwork:
    return PointNetwork(
        operator=facts.operator or "", level=cast(Literal["VVN", "VN", "NN"], facts.level), area=facts.area
    )


def _metering(facts: PointFacts) -> PointMetering:
    kind = facts.metering_type or "C4"
    if kind in ("A", "B"):
        return PointMetering(
            kind=cast(Literal["A", "B"], kind),
            reading_cycle="daily" if kind == "A" else "monthly",
            resolution="PT15M",
        )
    return PointMetering(kind="C", category=cast(Literal["C1", "C2", "C3", "C4"], kind))


def _consumption(facts: PointFacts) -> PointConsumption:
    category: Literal["VO", "MOO", "MOP", "VYR"] = "MOO" if facts.household else "MOP"
    if facts.level != "NN":
        category = "VO"
    if facts.point_type == "production":
        category = "VYR"
    return PointConsumption(
        category=category,
        rate=facts.rate,
        tdd_class=facts.tdd_class,
        temperature_zone=facts.temperature_zone,
        planned_annual_kwh=None if facts.planned_mwh is None else int(facts.planned_mwh * 1000),
        breaker_phases=facts.breaker_phases,
        breaker_amps=None if facts.breaker_amps is None else Decimal(facts.breaker_amps),
        reserved_month_mw=_mw(facts.month_kw),
        reserved_year_mw=_mw(facts.year_kw),
        reserved_input_mw=_mw(facts.input_kw),
    )


def _mw(kw: Decimal | None) -> Decimal | None:
    return None if kw is None else kw / MW
