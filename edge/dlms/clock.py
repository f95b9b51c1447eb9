"""The meter's clock (class 8): reading, and correcting by a shift where that is enough."""

import time
from datetime import datetime, timedelta
from typing import Final

from edge.dlms.errors import AccessDeniedError, NotOfferedError
from edge.dlms.port import ClockReading
from edge.dlms.read_profile import Actor, Getter
from shared.dlms import axdr
from shared.identifiers import Obis

CLOCK_CLASS: Final = 8
CLOCK: Final = Obis(0, 0, 1, 0, 0)
TIME: Final = 2
SHIFT_TIME: Final = 6
SHIFT_MOST: Final = timedelta(seconds=60)
"""A larger drift is no drift any more: the time is written. Meters take at most 900 s."""
_SECOND: Final = timedelta(seconds=1)


async def read_clock(meter: Getter) -> ClockReading:
    """The meter's clock."""
    stamp = meter.settings.convention.decode(await meter.get(CLOCK_CLASS, CLOCK, TIME))
    return ClockReading(stamp.instant, stamp.status)


async def set_clock(meter: Actor, at: datetime) -> None:
    """Make the clock show `at`, an aware instant: a small drift by a shift in whole seconds, another by writing it."""
    begun = time.monotonic()
    drift = (await read_clock(meter)).at - at
    if abs(drift) <= SHIFT_MOST:
        try:
            await meter.action(CLOCK_CLASS, CLOCK, SHIFT_TIME, axdr.int16(-round(drift / _SECOND)))
            return
        except (AccessDeniedError, NotOfferedError):  # many meters have only the attribute
            pass
    at += timedelta(seconds=time.monotonic() - begun)
    await meter.set(CLOCK_CLASS, CLOCK, TIME, axdr.octet_string(meter.settings.convention.encode(at)))
