"""Shared energy as it was allocated to members by day: from EDC's export, or computed by the keys. Pure.

What EDC settles holds; ours stands in for it until it comes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from central.platform.errors import BadInput
from central.readings.sharing.export import Export
from central.readings.sharing.groups import HeldKey
from central.readings.sharing.shared_energy import Shared
from central.readings.sharing.static import Units
from shared.metering_day import PRAGUE, MeteringDay, days_between
from shared.quantities import Commodity

Role = Literal["producer", "consumer"]
LARGEST: Final = 2**31 - 1
"""Units of 0.01 kWh that a quarter-hour can have: 21 GWh."""
_MEMBER: Final = re.compile(r"(IN|OUT)-([0-9]{18})-([DO])", re.ASCII)
_ROLES: Final[Mapping[str, Role]] = {"D": "producer", "O": "consumer"}


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a member gave or got on a metering day: 0.01 kWh in each of its quarter-hours."""

    ean: str
    role: Role
    day: date
    units: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A day of a member that the export has in part only: so many quarter-hours are missing, nothing was taken."""

    ean: str
    role: Role
    day: date
    missing: int


@dataclass(frozen=True, slots=True)
class _Column:
    """A column over all quarter-hours of the export; `there` says which ones it has."""

    units: Units
    there: NDArray[np.bool_]


def of_export(export: Export) -> tuple[list[Allocation], list[Incomplete]]:
    """The whole days of every member of an export: IN - OUT of the layout with all members, else sums of pairs.

    Raises BadInput for a value that is finer than 0.01 kWh, given twice, off the quarter-hours, or shared below zero.
    """
    days = days_between(Commodity.ELECTRICITY, export.first, export.end)
    columns = {name: _column(export, place, name, days) for place, name in enumerate(export.parsed.keys)}
    members: dict[tuple[str, Role], _Column] = {}
    named = {name: found for name in columns if (found := _MEMBER.fullmatch(name)) is not None}
    if named and len(named) < len(columns):
        raise BadInput(
            "edc_layout", "The export mixes columns of members with columns of pairs; import each by itself."
        )
    if named:
        for ean, letter in sorted({(found[2], found[3]) for found in named.values()}):
            both = [columns.get(f"{word}-{ean}-{letter}") for word in ("IN", "OUT")]
            if both[0] is None or both[1] is None:
                raise BadInput("edc_layout", f"The export has one of IN-{ean}-{letter} and OUT-{ean}-{letter} only.")
            there = both[0].there & both[1].there
            members[ean, _ROLES[letter]] = _Column(np.where(there, both[0].units - both[1].units, 0), there)
    else:
        for name, column in columns.items():
            for ean, role in zip(name.split("-"), _ROLES.values(), strict=True):
                before = members.get((ean, role))
                members[ean, role] = column if before is None else _sum(before, column)
    taken: list[Allocation] = []
    left: list[Incomplete] = []
    for (ean, role), column in members.items():
        _require_possible(ean, column.units, days)
        begin = 0
        for day in days:
            stop = begin + day.length
            count = int(column.there[begin:stop].sum())
            if count == day.length:
                taken.append(Allocation(ean, role, day.date, tuple(column.units[begin:stop].tolist())))
            elif count:
                left.append(Incomplete(ean, role, day.date, day.length - count))
            begin = stop
    return taken, left


def of_computed(shared: Shared, keys: Sequence[HeldKey]) -> list[Allocation]:
    """What we compute, of each member on the days on which it is one."""
    gave, got = shared.given.sum(axis=1), shared.given.sum(axis=0)
    member_on = _member_days(keys, shared.days)
    sides: list[tuple[Role, list[str], Units]] = [
        ("producer", shared.producers, gave),
        ("consumer", shared.consumers, got),
    ]
    return [
        Allocation(
            ean,
            role,
            day.date,
            tuple(energy[place, int(shared.offset[number]) : int(shared.offset[number + 1])].tolist()),
        )
        for role, eans, energy in sides
        for place, ean in enumerate(eans)
        for number, day in enumerate(shared.days)
        if (ean, role, day.date) in member_on
    ]


def nothing(ean: str, role: Role, day: date) -> Allocation:
    """Of who is no member any more: nothing in every quarter-hour."""
    return Allocation(ean, role, day, (0,) * MeteringDay(Commodity.ELECTRICITY, day).length)


def _member_days(keys: Iterable[HeldKey], days: Sequence[MeteringDay]) -> set[tuple[str, Role, date]]:
    found: set[tuple[str, Role, date]] = set()
    for key in keys:
        for day in days:
            if key.first <= day.date and (key.end is None or day.date < key.end):
                found.add((key.producer, "producer", day.date))
                found.add((key.consumer, "consumer", day.date))
    return found


def _column(export: Export, place: int, name: str, days: Sequence[MeteringDay]) -> _Column:
    at, units, finer = export.column(place)
    if finer:
        raise BadInput(
            "edc_value", f"The column {name} has {finer} values finer than 0.01 kWh, which EDC never writes."
        )
    start_ms, step_ms = int(days[0].start.timestamp() * 1000), int(days[0].step.total_seconds() * 1000)
    if off := at[(at - start_ms) % step_ms != 0].tolist():
        raise BadInput("edc_value", f"The column {name} has a value at {_told(off[0])}, which begins no quarter-hour.")
    places = (at - start_ms) // step_ms
    counts = np.bincount(places, minlength=sum(day.length for day in days))
    if (twice := np.flatnonzero(counts > 1)).size:
        instant = _told(start_ms + int(twice[0]) * step_ms)
        raise BadInput("edc_value", f"The column {name} has {int(counts[twice[0]])} values at {instant}.")
    whole = np.zeros(len(counts), np.int64)
    whole[places] = units
    return _Column(whole, counts > 0)


def _sum(one: _Column, other: _Column) -> _Column:
    there = one.there & other.there
    return _Column(np.where(there, one.units + other.units, 0), there)


def _require_possible(ean: str, units: Units, days: Sequence[MeteringDay]) -> None:
    wrong = np.flatnonzero((units < 0) | (units > LARGEST))
    if len(wrong):
        begin = days[0].start + int(wrong[0]) * days[0].step
        value = int(units[wrong[0]])
        raise BadInput(
            "edc_value",
            f"The member {ean} would share {value // 100 if value >= 0 else value / 100} kWh at "
            f"{begin.astimezone(PRAGUE):%Y-%m-%d %H:%M}; from 0 to {LARGEST // 100} kWh are shared in a quarter-hour.",
        )


def _told(at_ms: int) -> str:
    return f"{(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at_ms)).astimezone(PRAGUE):%Y-%m-%d %H:%M:%S}"
