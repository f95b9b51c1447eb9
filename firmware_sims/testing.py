"""Stand-ins for the ports of firmware_sims."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from firmware_sims.dlms.meter import LOAD_PROFILE, EventRow, MeterSpec, ProfileRow, ProfileSpec, RegisterSpec
from shared.identifiers import Obis

CHANNELS = tuple(
    RegisterSpec(Obis(1, 0, quantity, 29, 0), unit=30 if quantity <= 2 else 32) for quantity in (1, 2, 3, 4)
)
"""A+, A-, R+, R- of a quarter-hour load profile."""
ENERGY = RegisterSpec(Obis(1, 0, 1, 8, 0), unit=30, scaler=1)


def meter_spec(**changes: Any) -> MeterSpec:
    """An industrial meter with a quarter-hour profile of four channels; `changes` to MeterSpec or its ProfileSpec."""
    of_profile = {name: changes.pop(name) for name in ProfileSpec.__dataclass_fields__ if name in changes}
    profile = replace(ProfileSpec(LOAD_PROFILE, 900, CHANNELS), **of_profile)
    return replace(MeterSpec("48211001", "RZV0000048211001", (ENERGY,), (profile,)), **changes)


def value_at(channel: int, end: datetime) -> int:
    """The value that `MemoryMeterData` gives channel number `channel` for the interval that ends at `end`."""
    return (int(end.timestamp()) // 60 * (channel + 3)) % 50_000


class MemoryMeterData:
    """A meter's data from a formula, with a clock, holes, statuses, registers and events that the test sets."""

    def __init__(self, spec: MeterSpec, now: datetime) -> None:
        self.clock = now
        self.registers: dict[Obis, int] = {}
        self.holes: set[datetime] = set()
        self.statuses: dict[datetime, int] = {}
        self.logged: list[EventRow] = []
        self._profiles = {profile.obis: profile for profile in spec.profiles}

    def now(self) -> datetime:
        return self.clock

    def rows(self, profile: Obis, after: datetime, until: datetime) -> Sequence[ProfileRow]:
        spec = self._profiles[profile]
        period = timedelta(seconds=spec.period_s)
        seconds = (int(after.timestamp()) // spec.period_s + 1) * spec.period_s
        end = datetime.fromtimestamp(seconds, UTC)
        rows: list[ProfileRow] = []
        while end <= until:
            if end not in self.holes:
                values = [value_at(channel, end) for channel in range(len(spec.channels))]
                rows.append(ProfileRow(end, self.statuses.get(end, 0), values))
            end += period
        return rows

    def register(self, obis: Obis) -> int:
        return self.registers.get(obis, 0)

    def captured_at(self, obis: Obis) -> datetime:
        return self.clock - timedelta(minutes=3)

    def events(self, after: datetime, until: datetime) -> Sequence[EventRow]:
        return [event for event in self.logged if after < event.at <= until]
