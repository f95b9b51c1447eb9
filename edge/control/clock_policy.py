"""When a meter's clock may be set: pure.

A step over a quarter-hour boundary makes the meter close an interval early, or record one twice. So a clock is set
only while the meter's time and the right one lie in the same quarter-hour, well away from its ends. A small drift
waits for that moment; one that never has it (a quarter-hour or more) needs an explicit order, and is told.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.clock import EPOCH

QUARTER: Final = timedelta(minutes=15)
MARGIN: Final = timedelta(seconds=5)
"""So far from a boundary both times must be: setting takes a moment."""


@dataclass(frozen=True, slots=True)
class SetNow:
    """Set it; `crosses` boundaries of quarter-hours lie between the meter's time and the right one."""

    drift: timedelta
    """Meter minus right."""
    crosses: int = 0


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Both times lie in one quarter-hour from `at` on, if the drift stays."""

    at: datetime


@dataclass(frozen=True, slots=True)
class NeedsOrder:
    """There is no such moment."""

    drift: timedelta


def judge_clock(meter: datetime, right: datetime, *, over_boundary: bool) -> SetNow | WaitUntil | NeedsOrder:
    """What to do with a meter that shows `meter` when it is `right`."""
    drift = meter - right
    early, late = min(meter, right), max(meter, right)
    crosses = abs(_quarter(late) - _quarter(early))
    begins = EPOCH + _quarter(late) * QUARTER
    if crosses == 0 and early - begins >= MARGIN and begins + QUARTER - late >= MARGIN:
        return SetNow(drift)
    if over_boundary:
        return SetNow(drift, crosses)
    if abs(drift) + 2 * MARGIN >= QUARTER:
        return NeedsOrder(drift)
    # The earlier of the two passes the next boundary last: from then on, for a while, they share a quarter-hour.
    boundary = begins if crosses else begins + QUARTER if late + MARGIN > begins + QUARTER else begins
    return WaitUntil(right + (boundary + MARGIN - early))


def _quarter(instant: datetime) -> int:
    return (instant - EPOCH) // QUARTER
