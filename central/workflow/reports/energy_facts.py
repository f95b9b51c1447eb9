"""Reads the points of a network with their energy in a period: by sets, whatever their number."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, text

from central.readings.profiles import Profiles, read_chunks
from central.settlement.loss import LossTerm, raised
from central.workflow.reports.cells import Found, Key
from central.workflow.reports.energy import Energy, Point, SettledPart, network_energy, settled_energy
from central.workflow.reports.scope import Scope
from shared.quantities import MISSING_VALUE, Commodity, Quality

TAKEN: Final = "A+"
DELIVERED: Final = "A-"
_TO_MEGA: Final = -6

_POINTS: Final = text("""
    -- electricity points of the network in the period, each time of it in which one state of facts held
    SELECT id, ean, point_type, voltage_level, category, state,
           greatest(coalesce(lower(valid), :first), :first) AS first, least(coalesce(upper(valid), :end), :end) AS stop
      FROM supply_point_valid
     WHERE commodity = 'electricity' AND valid && daterange(:first, :end) AND state IN ('connected', 'suspended')
       AND operator = :operator AND (CAST(:area AS bigint) IS NULL OR area = :area)
     ORDER BY ean, lower(valid) NULLS FIRST
""")
_OWN: Final = text("""
    -- points whose customer is the operator itself
    SELECT DISTINCT i.supply_point FROM contract_item i JOIN contract k ON k.id = i.contract
     WHERE k.customer = :operator AND i.kind <> 'purchase' AND i.valid && daterange(:first, :end)
       AND i.supply_point = ANY (:points)
""")
_CHANNELS: Final = text("""
    SELECT id, supply_point, direction, exponent FROM channel
     WHERE supply_point = ANY (:points) AND kind = 'interval' AND commodity = 'electricity' AND unit = 'Wh'
       AND direction IN ('A+', 'A-')
     ORDER BY id
""")
_LOSSES: Final = text("""
    -- surcharges for transformer losses within the period
    SELECT supply_point, percent, coalesce(lower(valid), :first) AS first, coalesce(upper(valid), :end) AS stop
      FROM point_condition
     WHERE kind = 'loss' AND supply_point = ANY (:points) AND valid && daterange(:first, :end)
     ORDER BY supply_point, lower(valid)
""")
_SETTLED: Final = text("""
    -- approved settlements of distribution, the newest first; accruals are guesses that are taken back
    SELECT i.supply_point, (lower(i.valid) AT TIME ZONE 'Europe/Prague')::date AS first,
           (upper(i.valid) AT TIME ZONE 'Europe/Prague')::date AS stop,
           CAST(i.quantities ->> 'energy_mwh' AS numeric) AS mwh
      FROM settlement_input i JOIN contract_item k ON k.id = i.contract_item
     WHERE i.approved AND i.valid && tstzrange(:begin, :finish) AND i.supply_point = ANY (:points)
       AND i.statement_type NOT IN (4, 11) AND k.kind IN ('distribution', 'framework', 'combined')
     ORDER BY i.supply_point, i.run DESC, lower(i.valid)
""")


@dataclass(slots=True)
class _Known:
    """A point as read: the facts of its last time, its days, its channels by direction."""

    facts: Any
    days: list[tuple[date, date]] = field(default_factory=list)
    connected: list[tuple[date, date]] = field(default_factory=list)
    channels: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))


def find(connection: Connection, scope: Scope, _: Mapping[str, Any]) -> dict[Key, Found]:
    """What `network_energy` makes of the network's points."""
    return network_energy(read_points(connection, scope))


def read_points(connection: Connection, scope: Scope) -> list[Point]:
    """The points of the network with what they took and delivered."""
    period = {"first": scope.first, "end": scope.end}
    known: dict[int, _Known] = {}
    for row in connection.execute(_POINTS, {**period, "operator": scope.operator, "area": scope.area}):
        point = known.setdefault(row.id, _Known(row))
        point.facts = row
        point.days.append((row.first, row.stop))
        if row.state == "connected":
            point.connected.append((row.first, row.stop))
    points = list(known)
    own = set(connection.execute(_OWN, {**period, "operator": scope.operator, "points": points}).scalars())
    losses: dict[int, list[LossTerm]] = defaultdict(list)
    for row in connection.execute(_LOSSES, {**period, "points": points}):
        losses[row.supply_point].append(LossTerm(row.percent, row.first, row.stop))
    for row in connection.execute(_CHANNELS, {"points": points}):
        known[row.supply_point].channels[row.direction].append(row)
    measured = _measured(connection, scope, known, losses)
    settled = _settled(connection, scope, points)
    return [_point(point, number in own, measured, settled.get(number, []), scope) for number, point in known.items()]


def _settled(connection: Connection, scope: Scope, points: Sequence[int]) -> dict[int, list[SettledPart]]:
    found: dict[int, list[SettledPart]] = defaultdict(list)
    asked = {"begin": scope.begin, "finish": scope.finish, "points": points}
    for row in connection.execute(_SETTLED, asked):
        found[row.supply_point].append(SettledPart(row.first, row.stop, row.mwh))
    return found


def _point(
    point: _Known, own: bool, measured: Mapping[int, Energy], settled: Sequence[SettledPart], scope: Scope
) -> Point:
    facts = point.facts
    taken = together([measured[row.id] for row in point.channels[TAKEN]])
    if taken is None and (facts.point_type == "consumption" or settled):
        taken = settled_energy(settled, point.connected, scope.first, scope.end)
    return Point(
        ean=facts.ean,
        kind=facts.point_type,
        level=facts.voltage_level,
        category=facts.category,
        own=own,
        taken=taken,
        delivered=together([measured[row.id] for row in point.channels[DELIVERED]]),
    )


def together(energies: Sequence[Energy]) -> Energy | None:
    """Energy of several channels; None where there are none."""
    unknown = next((each for each in energies if each.mwh is None), None)
    if unknown is not None or not energies:
        return unknown
    return Energy(sum((each.mwh for each in energies if each.mwh is not None), Decimal(0)))


def _measured(
    connection: Connection, scope: Scope, known: Mapping[int, _Known], losses: Mapping[int, Sequence[LossTerm]]
) -> dict[int, Energy]:
    """By channel: its energy on the days of its point."""
    owner = {
        row.id: (point, row, losses.get(number, ()) if row.direction == TAKEN else ())
        for number, point in known.items()
        for listed in point.channels.values()
        for row in listed
    }
    found: dict[int, Energy] = {}
    for chunk in read_chunks(connection, Commodity.ELECTRICITY, sorted(owner), scope.first, scope.end):
        dates = [day.date for day in chunk.days]
        for place, channel in enumerate(chunk.channels):
            point, row, terms = owner[channel]
            found[channel] = channel_energy(chunk, place, dates, point.days, row.exponent, terms)
    return found


def channel_energy(
    chunk: Profiles,
    place: int,
    dates: Sequence[date],
    days: Sequence[tuple[date, date]],
    exponent: int,
    losses: Sequence[LossTerm],
) -> Energy:
    """What channel `place` of a chunk measured on `days`; not known where one of their quarter-hours is missing."""
    try:
        values = raised(chunk.values[place], dates, chunk.offset, losses)
    except OverflowError as error:
        return Energy(None, str(error))
    total = missing = 0
    for columns in _columns(dates, chunk, days):
        some = values[columns]
        gaps = (some == MISSING_VALUE) | (chunk.quality[place, columns] == Quality.MISSING)
        missing += int(gaps.sum())
        total += int(np.where(gaps, 0, some).sum(dtype=np.int64))
    if missing:
        return Energy(None, f"{missing} quarter-hours have no value")
    return Energy(Decimal(total).scaleb(exponent + _TO_MEGA))


def _columns(dates: Sequence[date], chunk: Profiles, days: Sequence[tuple[date, date]]) -> Iterator[slice]:
    for first, end in days:
        low, high = (first - dates[0]).days, (end - dates[0]).days
        yield slice(int(chunk.offset[low]), int(chunk.offset[high]))
