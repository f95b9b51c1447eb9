"""One device as the collector, the buses and the status see it: what is due, how it fares, its lanes."""

import asyncio
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from edge.bus.health import Health
from edge.bus.line import Line
from edge.bus.owner import Bus
from edge.config import DeviceConfig
from edge.drivers.port import MeterDriver
from edge.schedule import DeviceProgress, Due, RowsDue, days_left, due, next_instant
from shared.metering_day import MeteringDay

REQUEST_S: Final = 3.0
"""A request for rows takes about so long, at most: live data of other meters on the line wait for it, and may be 5 s
late."""
LIVE_ROWS: Final = 8
"""More rows of the running day than that are no live data any more: they are read as back-fill, before older days."""
ROW_OCTETS: Final = 16
COLUMN_OCTETS: Final = 5
"""A row on the wire with its stamp, and each value in it: a guess, until the meter's own pace is known."""


@dataclass(slots=True)
class DeviceState:
    """One device as the collector sees it; read by the status file."""

    config: DeviceConfig
    bus: Bus
    driver: MeterDriver
    progress: DeviceProgress
    phase: timedelta = timedelta()
    """States are sampled so much after their instant."""
    last_success: datetime | None = None
    failures: int = 0
    last_error: str = ""
    mismatch: str = ""
    """Why another meter than the configured one seems to answer; empty if the right one did."""
    due: Due = field(default_factory=Due)
    days_left: int = 0
    """Days that are over and of which something is to be read."""
    looked_at: datetime | None = None
    stale_at: datetime | None = None
    """`due` holds from `looked_at` until `stale_at`."""
    live: "asyncio.Task[None] | None" = None
    backfill: "asyncio.Task[None] | None" = None
    storing: int = 0
    """Deposits under way: nothing is started meanwhile, since what is due is not known."""
    line_retry_at: float = 0.0
    clock_drift_s: float | None = None
    """Meter's clock minus ours, as last seen."""
    reading: dict[str, tuple[MeteringDay, ...]] = field(default_factory=dict)
    """Days that are being read, by lane: the other lane keeps off them."""
    tail: tuple[MeteringDay, float] | None = None
    """A day whose last row was not there yet, and when to ask again."""
    leaving: bool = False
    """The configuration takes it out: nothing is begun any more."""
    at_work: int = 0
    """Jobs on the line now."""
    row_s: float = 0.0
    """What reading a row takes, wall seconds, as of late; 0 before the first."""

    @property
    def health(self) -> Health:
        """Failures in a row and the rest after them, as the bus has them."""
        return self.bus.probation.health(self.config.id)

    def refresh(self, now: datetime) -> None:
        """Look what is due at `now`."""
        self.due = due(self.config, self.progress, now, self.phase)
        self.days_left = days_left(self.config, self.progress, now)
        self.looked_at, self.stale_at = now, next_instant(self.config, self.progress, now, self.phase)

    def refresh_if_stale(self, now: datetime) -> None:
        """Look again if the clock has brought news, or went back."""
        if self.looked_at is None or self.stale_at is None or not self.looked_at <= now < self.stale_at:
            self.refresh(now)

    def backfill_due(self, wall: float) -> tuple[RowsDue, ...]:
        """Days to be read now as back-fill, the newest first."""
        rows = self.due.rows
        days = tuple(day for day in self.due.days if rows is None or day.day != rows.day)
        if rows is not None and not self._is_live(rows):
            days = rows, *days
        return tuple(day for day in days if not self._waits(day, wall))

    def live_due(self, wall: float) -> RowsDue | None:
        """Rows of the running day to be read now as live data."""
        rows = self.due.rows
        return rows if rows is not None and self._is_live(rows) and not self._waits(rows, wall) else None

    def _is_live(self, rows: RowsDue) -> bool:
        start, end = rows.span
        return end - start <= LIVE_ROWS * step_ms(rows)

    def _waits(self, rows: RowsDue, wall: float) -> bool:
        tail = self.tail is not None and self.tail[0] == rows.day and wall < self.tail[1]
        return tail or any(rows.day in days for days in self.reading.values())

    def pieces(self, rows: RowsDue, line: Line) -> list[tuple[int, int]]:
        """Spans of one request each, the newest first, none longer than the line's other users can wait."""
        assert self.config.profile is not None
        octets = ROW_OCTETS + COLUMN_OCTETS * len(self.config.profile.registers)
        row_s = self.row_s or line.transmission_s(octets)
        start, end = rows.span
        step = step_ms(rows)
        count = (end - start) // step
        requests = max(1, math.ceil(count * row_s / REQUEST_S))
        most = math.ceil(count / requests) * step
        return [(max(start, last - most), last) for last in range(end, start, -most)]

    def took(self, rows: int, seconds: float) -> None:
        """A request for so many rows took so long."""
        each = seconds / max(1, rows)
        self.row_s = each if not self.row_s else 0.7 * self.row_s + 0.3 * each


def step_ms(rows: RowsDue) -> int:
    """Length of an interval, ms."""
    return rows.day.step // timedelta(milliseconds=1)


@contextmanager
def on_the_line(device: DeviceState) -> Iterator[None]:
    """Around a job's conversation with the device: who takes it out waits for the end."""
    device.at_work += 1
    try:
        yield
    finally:
        device.at_work -= 1


def round_reached(devices: Mapping[str, DeviceState], schedule: str) -> tuple[datetime | None, datetime | None]:
    """How far all devices of `schedule` have come together: last instant dealt with, last instant sampled by all."""
    marks = [
        device.progress.sample
        for device in devices.values()
        if device.config.states is not None and device.config.states.at == schedule
    ]
    if not marks or any(mark is None for mark in marks):
        return None, None
    handled = min(mark.handled for mark in marks if mark is not None)
    sampled = [mark.sampled for mark in marks if mark is not None]
    return handled, None if None in sampled else min(instant for instant in sampled if instant is not None)
