"""Stand-ins for the ports of firmware_sims."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from firmware_sims.dlms.meter import EventRow, MeterSpec, ProfileRow
from shared.identifiers import Obis


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

    def events(self, after: datetime, until: datetime) -> Sequence[EventRow]:
        return [event for event in self.logged if after < event.at <= until]
