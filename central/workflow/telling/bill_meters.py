"""The states that a bill stands on, as billing data (DUF) tell them, and why they were read. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final

from central.invoicing.compose_taken import register_states
from central.invoicing.document import RegisterStates
from central.invoicing.wording import Wording, wording
from central.market.payloads.meters import EnergyUnit, MeterPeriod, ReadingReason, Register, problems_of_meters
from shared.metering_day import PRAGUE

_REGISTERS: Final[Mapping[str, Register]] = {"VT": "high", "NT": "low", "JT": "single"}
_UNITS: Final[Mapping[str, EnergyUnit]] = {"kWh": "KWH", "kvarh": "KVARH"}
_LONGEST_METER: Final = 20


@dataclass(frozen=True, slots=True)
class Days:
    """The days [first_day, last_day] of a bill."""

    first_day: date
    last_day: date


def meters_of(
    readings: Sequence[Mapping[str, Any]], facts: Mapping[str, Any], days: Days, *, changed: bool
) -> list[MeterPeriod]:
    """What the registers of a settled point showed within the bill's days, each meter's time by itself.

    `readings` and `facts` are those that the settlement pinned. `changed`: supplier or customer change after the last
    day, so that the last states are read for that (CHS); states at an exchange say so, others are periodic. A period
    whose states do not give its consumption (constants that changed in between) is left out: the quantities are told.
    """
    found: list[MeterPeriod] = []
    for register, shown in registers_of(readings, facts):
        for place, states in enumerate(shown):
            later = shown[place + 1] if place + 1 < len(shown) else None
            exchanged = later is not None and later.meter != states.meter
            found += _periods(states, register, days, changed=changed, exchanged=exchanged)
    return found


def registers_of(
    readings: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]
) -> Iterator[tuple[Register, list[RegisterStates]]]:
    """What each register of energy taken showed, its times in their order."""
    for reading in readings:
        register = _REGISTERS.get(reading["direction"])
        if register is not None:
            yield register, register_states([reading], facts, _words())


def days_of(states: RegisterStates, days: Days) -> tuple[date, date]:
    """The first and the last of the days that lie between the states.

    A state within a day is of that day, one at midnight ends the day before.
    """
    end = states.end_at.astimezone(PRAGUE)
    last = end.date() if (end.hour, end.minute) != (0, 0) else end.date() - timedelta(days=1)
    return max(states.start_at.astimezone(PRAGUE).date(), days.first_day), min(last, days.last_day)


def energy_unit(states: RegisterStates) -> EnergyUnit | None:
    """Unit of the message; None where it has none for the register."""
    return _UNITS.get(states.unit)


def meter_name(states: RegisterStates) -> str:
    """The meter's number as a message holds it."""
    return states.meter[:_LONGEST_METER]


@cache
def _words() -> Wording:
    return wording("cs")


def _periods(
    states: RegisterStates, register: Register, days: Days, *, changed: bool, exchanged: bool
) -> Iterator[MeterPeriod]:
    unit = energy_unit(states)
    first, last = days_of(states, days)
    if unit is None or last < first:
        return
    reason: ReadingReason = "exchange" if exchanged else "periodic"
    if changed and last == days.last_day:
        reason = "change_of_supplier"
    period = MeterPeriod(
        meter=meter_name(states),
        register=register,
        first_day=first,
        last_day=last,
        first_state=states.start,
        last_state=states.end,
        multiplier=Decimal(states.multiplier),
        consumption=states.consumption,
        unit=unit,
        reason=reason,
    )
    if not any(problems_of_meters("the bill", [period], days)):
        yield period
