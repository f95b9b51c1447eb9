"""A meter's own clock: it drifts, and it can be set and shifted (class 8)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from firmware_sims.dlms.logs import CLOCK_SET_NEW, CLOCK_SET_OLD, MeterLogs
from firmware_sims.dlms.meter import EVENT_LOG, ClockSpec
from shared.dlms.datetime12 import decode_datetime
from shared.dlms.errors import DecodeError
from shared.metering_day import PRAGUE

SHIFT_MOST_S: Final = 900


class MeterClock:
    """What the meter takes for the time. `truth` is the real one."""

    def __init__(self, spec: ClockSpec, truth: Callable[[], datetime], logs: MeterLogs) -> None:
        self._spec = spec
        self._truth = truth
        self._logs = logs
        self._right_at: datetime | None = None
        self._set_at: datetime | None = None
        self._offset = timedelta(seconds=spec.offset_s)

    def now(self) -> datetime:
        """What the clock shows."""
        truth = self._truth()
        if self._right_at is None:
            self._right_at = truth
        drifted = (truth - self._right_at) * self._spec.drift_ppm / 1_000_000
        return truth + self._offset + drifted - self._stood(truth)

    def _stood(self, truth: datetime) -> timedelta:
        """How long it has stood since it was set."""
        stops = [stop for stop in self._spec.stops if self._set_at is None or stop[0] >= self._set_at]
        return sum((min(end, truth) - begin for begin, end in stops if begin < truth), timedelta())

    def set(self, octets: Any) -> None:
        """Attribute 2 is written. Raises ValueError for a value that is no time."""
        try:
            at = decode_datetime(octets, PRAGUE).instant
        except (DecodeError, TypeError) as error:
            raise ValueError(str(error)) from None
        self._step(at - self.now())

    def shift(self, seconds: Any) -> None:
        """Method 6. Raises ValueError for what the method does not take."""
        if type(seconds) is not int or abs(seconds) > SHIFT_MOST_S:
            raise ValueError(f"A clock is shifted by at most {SHIFT_MOST_S} s, not {seconds}.")
        self._step(timedelta(seconds=seconds))

    def _step(self, by: timedelta) -> None:
        before, truth = self.now(), self._truth()
        self._offset, self._right_at, self._set_at = before + by - truth, truth, truth
        self._logs.add(EVENT_LOG, truth, before, CLOCK_SET_OLD)
        self._logs.add(EVENT_LOG, truth, before + by, CLOCK_SET_NEW)
