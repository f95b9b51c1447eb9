"""From the states that a settled point stands on to the message of meter states (122). Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from central.invoicing.document import RegisterStates
from central.market.payloads.meter_states import MeterState, MeterStates, PointStates
from central.market.payloads.meters import ReadingReason, Register
from central.workflow.telling.bill_meters import Days, days_of, energy_unit, meter_name, registers_of


@dataclass(frozen=True, slots=True)
class Borders:
    """What happens at the begin and the end of a settled time: the point is connected, its supplier or customer
    changes, it ends."""

    begins: bool = False
    changed: bool = False
    ends: bool = False


def states_of(
    readings: Sequence[Mapping[str, Any]], facts: Mapping[str, Any], days: Days, borders: Borders
) -> list[MeterState]:
    """The last state of every register within the days, and the first one of a meter that begins in them.

    `readings` and `facts` are those that the settlement pinned. An exchange tells the last state of the old meter and
    the first one of the new.
    """
    found: dict[tuple[Any, ...], MeterState] = {}
    for register, shown in registers_of(readings, facts):
        for place, states in enumerate(shown):
            earlier = shown[place - 1] if place else None
            later = shown[place + 1] if place + 1 < len(shown) else None
            for state in _of_time(register, states, days, borders, earlier, later):
                found.setdefault((state.meter, state.register, state.day, state.reason), state)
    return list(found.values())


def message(opm: str, states: Sequence[MeterState]) -> MeterStates:
    """The message of a point's states."""
    return MeterStates(locations=[PointStates(opm=opm, meters=list(states))])


def _of_time(
    register: Register,
    states: RegisterStates,
    days: Days,
    borders: Borders,
    earlier: RegisterStates | None,
    later: RegisterStates | None,
) -> Iterator[MeterState]:
    first, last = days_of(states, days)
    unit = energy_unit(states)
    if unit is None or last < first:
        return

    def state(day: date, value: Decimal, reason: ReadingReason) -> MeterState:
        return MeterState(
            meter=meter_name(states),
            register=register,
            day=day,
            state=value,
            multiplier=Decimal(states.multiplier),
            unit=unit,
            reason=reason,
        )

    if earlier is not None and earlier.meter != states.meter:
        yield state(first, states.start, "exchange")
    elif earlier is None and borders.begins and first == days.first_day:
        yield state(first, states.start, "start")
    reason: ReadingReason = "periodic"
    if later is not None and later.meter != states.meter:
        reason = "exchange"
    elif last == days.last_day and borders.ends:
        reason = "end"
    elif last == days.last_day and borders.changed:
        reason = "change_of_supplier"
    yield state(last, states.end, reason)
