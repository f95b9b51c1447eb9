"""CDSGASMASTERDATA: registration, change, cancelling and suspension of gas supply points (OPM plynu).

Documented: the format, the attributes of `Data` with their values (a rejection, how a contract was negotiated) and a
group for the calculation of the predicted consumption (GRP). The layout is ours, that of CDSMASTERDATA.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Final, Literal

import msgspec

from central.market.payloads.days import backward, overlapping
from central.market.payloads.master_data import Action, PointCustomer, PointParty

FORMAT: Final = "CDSGASMASTERDATA"


class ContractStatement(msgspec.Struct, frozen=True, kw_only=True):
    """What is said about a contract: withdrawn from (ARE), and where it was negotiated (M, P, D)."""

    rejection: Literal["withdrawal"] | None = None
    negotiation: Literal["outside_premises", "in_premises", "distance"] | None = None


class GasNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """Where the point lies: EAN of the distributor (PDS), network area (síť), pressure (tlaková hladina)."""

    operator: str
    pressure: Literal["low", "medium", "high"] | None = None
    area: str | None = None


class GasMetering(msgspec.Struct, frozen=True, kw_only=True):
    """How it is metered: A, B, C, or C read monthly (CM)."""

    kind: Literal["A", "B", "C", "CM"]
    reading_cycle: Literal["daily", "monthly", "yearly"] | None = None


class GasConsumption(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken: category of the customer, load-profile class (třída TDD), planned annual consumption in kWh.

    `reserved_daily_m3` is the reserved daily capacity (denní rezervovaná distribuční kapacita) in m3 a day.
    """

    category: Literal["DOM", "MO", "SO", "VO"]
    tdd_class: str | None = None
    planned_annual_kwh: int | None = None
    reserved_daily_m3: Decimal | None = None


class GasSuspension(msgspec.Struct, frozen=True, kw_only=True):
    """Days on which no data are sent (pozastavení zasílání dat); the state in m3 that was read at its begin."""

    first_day: date
    last_day: date | None = None
    reading_m3: Decimal | None = None


class GasPointData(msgspec.Struct, frozen=True, kw_only=True):
    """A gas supply point by its EIC, and what becomes of it."""

    opm: str
    action: Action
    first_day: date
    last_day: date | None = None
    name: str | None = None
    group: str | None = None
    network: GasNetwork | None = None
    metering: GasMetering | None = None
    consumption: GasConsumption | None = None
    parties: list[PointParty] = []
    customer: PointCustomer | None = None
    suspensions: list[GasSuspension] = []


class GasMasterData(msgspec.Struct, frozen=True, kw_only=True):
    """The payload: data of one or more points, and what is said about their contracts."""

    points: list[GasPointData]
    statement: ContractStatement | None = None


def problems(data: GasMasterData) -> list[str]:
    """What the operator would refuse, one sentence each."""
    counted = Counter((point.opm, point.action, point.first_day) for point in data.points)
    found = [
        f"The gas supply point {opm} stands {times} times with the action {action} from {day}."
        for (opm, action, day), times in counted.items()
        if times > 1
    ]
    return found + [sentence for point in data.points for sentence in _of_point(point)]


def _of_point(point: GasPointData) -> Iterator[str]:
    what = f"The gas supply point {point.opm}"
    yield from backward(what, point)
    if point.action in {"register", "change"}:
        yield from _of_whole(what, point)
    if point.action == "suspend":
        yield from _of_suspended(what, point)
    for suspension in point.suspensions:
        yield from backward(f"A suspension of the gas supply point {point.opm}", suspension)
    yield from overlapping(f"A suspension of the gas supply point {point.opm}", point.suspensions)
    for party in point.parties:
        who = f"The {party.role} {party.id} of the gas supply point {point.opm}"
        yield from backward(who, party)
        if party.share_percent is not None and party.share_percent > 100:
            yield f"{who} has a share of {party.share_percent} %."


def _of_whole(what: str, point: GasPointData) -> Iterator[str]:
    parts = {"network": point.network, "metering": point.metering, "consumption": point.consumption}
    if missing := [name for name, part in parts.items() if part is None]:
        yield f"{what} has no {', no '.join(missing)}; all are needed to register or change it."
    taken, metering = point.consumption, point.metering
    if taken is None or metering is None:
        return
    if metering.kind in {"A", "B"}:
        if taken.reserved_daily_m3 is None:
            yield f"{what} is metered by type {metering.kind} and has no reserved daily capacity."
    elif missing := [
        name
        for name, value in (
            ("load-profile class", taken.tdd_class),
            ("planned annual consumption", taken.planned_annual_kwh),
        )
        if value is None
    ]:
        yield f"{what} is metered by type {metering.kind} and has no {', no '.join(missing)}."
    if taken.planned_annual_kwh is not None and taken.planned_annual_kwh < 0:
        yield f"{what} has a planned annual consumption of {taken.planned_annual_kwh} kWh, expected 0 or more."


def _of_suspended(what: str, point: GasPointData) -> Iterator[str]:
    if not point.suspensions:
        yield f"{what} is to be suspended and has no days of a suspension."
    for suspension in point.suspensions:
        if suspension.reading_m3 is None:
            yield f"{what} is to be suspended from {suspension.first_day} without the reading of its begin."
    planned = point.consumption.planned_annual_kwh if point.consumption is not None else None
    if planned not in {None, 0}:
        yield f"{what} is to be suspended with a planned annual consumption of {planned} kWh, expected 0."
