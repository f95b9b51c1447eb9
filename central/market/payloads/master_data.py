"""CDSMASTERDATA: registration, change, cancelling and suspension of supply points (OPM); messages 111 and 194.

Documented: 111 is refused without a category or a distribution rate (since 2018), and the load-profile class, the
temperature zone and the planned annual consumption are needed for category C4 and optional for C1 to C3 (since
15 April 2025). The rest is our proposal.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Final, Literal

import msgspec

from central.market.payloads.days import backward, overlapping

FORMAT: Final = "CDSMASTERDATA"
BULK: Final = "194"
"""Code of the bulk registration (hromadná registrace)."""
Action = Literal["register", "change", "cancel", "suspend"]
_WHOLE: Final[frozenset[Action]] = frozenset({"register", "change"})


class PointNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """Where the point lies: EAN of the distributor (PDS), network area (síť), point above it, level, connection."""

    operator: str
    level: Literal["VVN", "VN", "NN"]
    area: str | None = None
    parent: str | None = None
    connection_point: str | None = None


class PointMetering(msgspec.Struct, frozen=True, kw_only=True):
    """How it is metered: type A, B or C (typ měření), for C the category C1 to C4."""

    kind: Literal["A", "B", "C"]
    category: Literal["C1", "C2", "C3", "C4"] | None = None
    reading_cycle: Literal["daily", "monthly", "yearly"] | None = None
    resolution: Literal["PT15M", "PT60M"] | None = None


class PointConsumption(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken: category (kategorie odběru), rate (distribuční sazba), load-profile class (třída TDD).

    `planned_annual_kwh` is the planned annual consumption (odhad roční spotřeby, ORS); capacities (rezervovaná
    kapacita) and input (rezervovaný příkon) in MW; the main breaker (hlavní jistič) in phases and amperes.
    """

    category: Literal["VO", "VYR", "MOP", "MOO"] | None = None
    rate: str | None = None
    tdd_class: str | None = None
    temperature_zone: str | None = None
    planned_annual_kwh: int | None = None
    breaker_phases: int | None = None
    breaker_amps: Decimal | None = None
    reserved_month_mw: Decimal | None = None
    reserved_year_mw: Decimal | None = None
    reserved_input_mw: Decimal | None = None


class PointSource(msgspec.Struct, frozen=True, kw_only=True):
    """A generator behind the point (zdroj, výrobna); installed power in kW."""

    kind: Literal["photovoltaic", "wind", "hydro", "cogeneration", "biomass", "storage", "other"]
    installed_kw: Decimal
    commissioned: date | None = None


class PointParty(msgspec.Struct, frozen=True, kw_only=True):
    """A participant at the point: supplier (dodavatel), balance party (subjekt zúčtování), observer (pozorovatel)."""

    role: Literal["supplier", "balance_party", "observer"]
    id: str
    first_day: date
    last_day: date | None = None
    share_percent: Decimal | None = None


class PointCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """The customer (zákazník), with no more about a person than is asked for; `company_number` is the IČO."""

    kind: Literal["household", "business"]
    name: str
    company_number: str | None = None
    street: str | None = None
    house_number: str | None = None
    city: str | None = None
    post_code: str | None = None


class Suspension(msgspec.Struct, frozen=True, kw_only=True):
    """Days on which no data are sent (pozastavení zasílání dat na OPM)."""

    first_day: date
    last_day: date | None = None


class PointData(msgspec.Struct, frozen=True, kw_only=True):
    """A supply point and what becomes of it; its kind is take-off, delivery, between networks or losses (ztráty)."""

    opm: str
    action: Action
    kind: Literal["take_off", "delivery", "between_networks", "losses"]
    first_day: date
    last_day: date | None = None
    name: str | None = None
    network: PointNetwork | None = None
    metering: PointMetering | None = None
    consumption: PointConsumption | None = None
    sources: list[PointSource] = []
    parties: list[PointParty] = []
    customer: PointCustomer | None = None
    suspensions: list[Suspension] = []


class MasterData(msgspec.Struct, frozen=True, kw_only=True):
    """The payload: data of one or more points."""

    points: list[PointData]


def problems(data: MasterData) -> list[str]:
    """What the operator would refuse, one sentence each."""
    counted = Counter((point.opm, point.action, point.first_day) for point in data.points)
    found = [
        f"The supply point {opm} stands {times} times with the action {action} from {day}."
        for (opm, action, day), times in counted.items()
        if times > 1
    ]
    return found + [sentence for point in data.points for sentence in _of_point(point)]


def problems_of_bulk(data: MasterData) -> list[str]:
    """As `problems`, and that a bulk registration registers and does nothing else."""
    return problems(data) + [
        f"The supply point {point.opm} has the action {point.action}; a bulk registration takes register only."
        for point in data.points
        if point.action != "register"
    ]


def _of_point(point: PointData) -> Iterator[str]:
    what = f"The supply point {point.opm}"
    yield from backward(what, point)
    if point.action in _WHOLE:
        yield from _of_whole(what, point)
    if point.action == "suspend" and not point.suspensions:
        yield f"{what} is to be suspended and has no days of a suspension."
    for suspension in point.suspensions:
        yield from backward(f"A suspension of the supply point {point.opm}", suspension)
    yield from overlapping(f"A suspension of the supply point {point.opm}", point.suspensions)
    for party in point.parties:
        yield from backward(f"The {party.role} {party.id} of the supply point {point.opm}", party)
        if party.share_percent is not None and party.share_percent > 100:
            yield f"The {party.role} {party.id} of the supply point {point.opm} has a share of {party.share_percent} %."


def _of_whole(what: str, point: PointData) -> Iterator[str]:
    if point.network is None or point.metering is None:
        yield f"{what} has no network or no metering; both are needed to register or change it."
    taken = point.consumption or PointConsumption()
    if taken.category is None and taken.rate is None:
        yield f"{what} has neither a category nor a distribution rate; one of them is needed."
    metering = point.metering
    if metering is None:
        return
    if (metering.kind == "C") != (metering.category is not None):
        yield (
            f"{what} is metered by type {metering.kind} with the category {metering.category or 'none'}; "
            "type C has one of C1 to C4, other types have none."
        )
    if metering.category == "C4":
        needed = {
            "load-profile class": taken.tdd_class,
            "temperature zone": taken.temperature_zone,
            "planned annual consumption": taken.planned_annual_kwh,
        }
        if missing := [name for name, value in needed.items() if value is None]:
            yield f"{what} is metered by C4 and has no {', no '.join(missing)}."
    if taken.planned_annual_kwh is not None and taken.planned_annual_kwh < 0:
        yield f"{what} has a planned annual consumption of {taken.planned_annual_kwh} kWh, expected 0 or more."
    if taken.breaker_phases not in {None, 1, 3}:
        yield f"{what} has a main breaker of {taken.breaker_phases} phases, expected 1 or 3."
