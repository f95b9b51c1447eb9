"""Acts of the registry: what happened to a supply point between a day and the one before, and the record that tells it.

Pure. The record is CDSMASTERDATA; the operator gets the point as it stands on the day of the act.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal, cast

from central.market.payloads.master_data import (
    MasterData,
    PointConsumption,
    PointCustomer,
    PointData,
    PointMetering,
    PointNetwork,
    PointParty,
    Suspension,
)

MW: Final = Decimal(1000)
LIVE: Final = ("connected", "suspended")


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


def acts_of(before: PointFacts | None, now: PointFacts | None, *, exchanged: bool) -> list[str]:
    """The acts of a day, in the order of the rules; [] where nothing that the operator knows has changed."""
    was = before is not None and before.state in LIVE
    is_live = now is not None and now.state in LIVE
    if not is_live:
        return ["end"] if was else []
    if not was or before is None or now is None:
        return ["registration"]
    changed = {
        "suspension": before.state != now.state and now.state == "suspended",
        "resumption": before.state != now.state and now.state == "connected",
        "change_of_supplier": before.supplier != now.supplier,
        "exchange": exchanged,
        "change_of_rate": before.rate != now.rate,
        "change_of_breaker": (before.breaker_phases, before.breaker_amps) != (now.breaker_phases, now.breaker_amps),
        "change_of_capacity": (before.input_kw, before.year_kw, before.month_kw)
        != (now.input_kw, now.year_kw, now.month_kw),
        "change": _rest(before) != _rest(now),
    }
    return [act for act, happened in changed.items() if happened]


def _rest(facts: PointFacts) -> tuple[object, ...]:
    return (
        facts.name, facts.level, facts.metering_type, facts.household, facts.tdd_class, facts.temperature_zone,
        facts.planned_mwh, facts.operator, facts.area, facts.customer, facts.customer_number,
    )  # fmt: skip


def lacking(facts: PointFacts) -> str | None:
    """Why the point cannot be told, in a sentence; None where nothing is missing."""
    if facts.operator is None:
        return f"The operator of {facts.ean} has no EAN: fill it in at its party."
    if facts.metering_type is None:
        return f"The supply point {facts.ean} has no metering type: fill it in."
    return None


def record(acts: Sequence[str], facts: PointFacts, day: date) -> MasterData:
    """The message of the acts of a day; of a point that has ended `facts` are those of the day before."""
    action: Literal["register", "change", "cancel", "suspend"] = "change"
    if "registration" in acts:
        action = "register"
    elif "end" in acts:
        action = "cancel"
    elif "suspension" in acts:
        action = "suspend"
    return MasterData(
        points=[
            PointData(
                opm=facts.ean,
                action=action,
                kind="delivery" if facts.point_type == "production" else "take_off",
                first_day=day,
                name=facts.name[:100],
                network=_network(facts),
                metering=_metering(facts),
                consumption=_consumption(facts),
                parties=[PointParty(role="supplier", id=facts.supplier, first_day=day)] if facts.supplier else [],
                customer=_customer(facts),
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


def _customer(facts: PointFacts) -> PointCustomer | None:
    if facts.customer is None:
        return None
    return PointCustomer(
        kind="household" if facts.household else "business",
        name=facts.customer[:100],
        company_number=None if facts.household else facts.customer_number,
    )


def _mw(kw: Decimal | None) -> Decimal | None:
    return None if kw is None else kw / MW
