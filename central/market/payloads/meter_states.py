"""CDSDATA 122: meter states (stavy měřidel) of low-voltage points. Documented: what it is for; the layout is ours."""

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any, Final

import msgspec

from central.market.payloads.meters import EnergyUnit, ReadingReason, ReadingType, Register

FORMAT: Final = "CDSDATA"


class MeterState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one register on a day; state x multiplier is in `unit`."""

    meter: str
    register: Register
    day: date
    state: Decimal
    multiplier: Decimal
    unit: EnergyUnit
    reason: ReadingReason
    kind: ReadingType | None = None


class PointStates(msgspec.Struct, frozen=True, kw_only=True):
    """A supply point (OPM) with the states read there; `profiles` belong to message 121 and stay empty here."""

    opm: str
    meters: list[MeterState]
    version: int | None = None
    profiles: list[Any] = []


class MeterStates(msgspec.Struct, frozen=True, kw_only=True):
    """The payload."""

    locations: list[PointStates]


def problems(states: MeterStates) -> list[str]:
    """What the operator would refuse, one sentence each."""
    found = []
    for point in states.locations:
        if not point.meters:
            found.append(f"The supply point {point.opm} has no state of a meter.")
        if point.profiles:
            found.append(f"The supply point {point.opm} has profiles; they belong to message 121.")
        counted = Counter((state.meter, state.register, state.day, state.reason) for state in point.meters)
        found += [
            f"The register {register} of the meter {meter} at {point.opm} stands {times} times for {day} ({reason})."
            for (meter, register, day, reason), times in counted.items()
            if times > 1
        ]
        found += [
            f"The register {state.register} of the meter {state.meter} at {point.opm} has the multiplier 0."
            for state in point.meters
            if state.multiplier == 0
        ]
    return found
