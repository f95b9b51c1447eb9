"""What a welcome means for the days to be read: pure."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from edge.config import DeviceConfig
from edge.outbox.model import DayKey
from shared.clock import EPOCH
from shared.metering_day import MeteringDay, day_of


def days_in_evidence(devices: Iterable[DeviceConfig], marks: Sequence[tuple[str, str, int]]) -> list[DayKey]:
    """Days of `devices` that may be in evidence already, by central's high-water `marks` (device, register, ms).

    An outbox that knows nothing of the past must read them all again, since below a mark there may be holes (days are
    read newest first); what it reads of them is marked as re-read.
    """
    ends = {(device, register): EPOCH + timedelta(milliseconds=at) for device, register, at in marks}
    days = []
    for device in devices:
        profile = device.profile
        if profile is None:
            continue
        for register in profile.registers:
            end = ends.get((device.id, register.register))
            if end is None:
                continue
            day = day_of(profile.commodity, profile.since)
            while day.start < end:
                days.append(DayKey(device.id, register.register, day.date))
                day = MeteringDay(profile.commodity, day.next.date)
    return days
