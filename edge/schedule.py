"""What is due: pure. From the clock's reading, the configuration and what is stored already.

* Intervals of a load profile are due when they are over: those of the running day at once where the profile is read
  live, else with their day; the newest day first. Only what is in no timeline is asked for, what was lost on the way is
  due again, and a hole is asked for a few times more.
* States are sampled at each quarter-hour, or at the beginning of each month (gas: 06:00 local). The sample keeps its
  own time; later than `LATE` it is flagged. An instant whose window has passed unsampled is a gap: reported, never
  made up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from edge.config import DeviceConfig, ProfileConfig, States
from edge.timeline import Known, Span, Timeline, next_ask, wanted
from shared.clock import EPOCH
from shared.metering_day import PRAGUE, MeteringDay, day_of, month_bounds
from shared.quantities import Commodity

QUARTER: Final = timedelta(minutes=15)
NO_PHASE: Final = timedelta()
LATE: Final = timedelta(seconds=60)
"""A sample later than this after its instant carries the late flag."""
WINDOW: Final[dict[States, timedelta]] = {"quarter-hour": QUARTER, "month": timedelta(days=1)}
"""So long after its instant a state may still be sampled."""
DAYS_AT_ONCE: Final = 8
"""Days of one meter that are read in one session, if nothing more urgent comes up."""
NOTHING_DUE: Final = timedelta(days=1)
"""A device that has nothing on the calendar (only live series) is looked at again after so long."""


@dataclass(frozen=True, slots=True)
class SampleMark:
    """How far a device's samples have come: last instant dealt with (sampled or a gap), last instant sampled."""

    handled: datetime
    sampled: datetime | None = None


@dataclass(slots=True)
class DeviceProgress:
    """What is stored of one device."""

    registers: dict[str, Timeline] = field(default_factory=dict)
    """By register on the wire."""
    sample: SampleMark | None = None


@dataclass(frozen=True, slots=True)
class RowsWanted:
    """One span of one register that is to be read."""

    span: Span
    again: bool = False
    """To be marked as re-read."""
    asked: int = 0
    """So often it was asked for in vain."""


@dataclass(frozen=True, slots=True)
class RowsDue:
    """What is to be read of one metering day: by register on the wire, oldest first."""

    day: MeteringDay
    registers: dict[str, tuple[RowsWanted, ...]]

    @property
    def span(self) -> Span:
        """From the first to the last row that is wanted."""
        spans = [each.span for found in self.registers.values() for each in found]
        return min(start for start, _ in spans), max(end for _, end in spans)


@dataclass(frozen=True, slots=True)
class SampleDue:
    """States to be sampled for `instant`, until `until`."""

    instant: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class GapDue:
    """Instants `first` to `last` that nobody sampled."""

    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Due:
    """All that is due for one device."""

    gap: GapDue | None = None
    sample: SampleDue | None = None
    rows: RowsDue | None = None
    """Of the day to which the last interval that is over belongs, where the profile is read live."""
    days: tuple[RowsDue, ...] = ()
    """Of days that are over, newest first, at most `DAYS_AT_ONCE`."""


def states_commodity(device: DeviceConfig) -> Commodity:
    """Whose months count for the device's states."""
    if device.states is not None and device.states.commodity is not None:
        return device.states.commodity
    return device.profile.commodity if device.profile is not None else Commodity.ELECTRICITY


def boundary(at: States, commodity: Commodity, now: datetime) -> datetime:
    """The last sampling instant at or before `now`."""
    if at == "quarter-hour":
        return now - timedelta(
            minutes=now.minute % 15, seconds=now.second, microseconds=now.microsecond
        )  # Prague is always whole hours from UTC
    local = now.astimezone(PRAGUE)
    start = month_bounds(commodity, local.year, local.month)[0]
    if start <= now:
        return start
    before = local.replace(day=1) - timedelta(days=1)
    return month_bounds(commodity, before.year, before.month)[0]


def following(at: States, commodity: Commodity, instant: datetime) -> datetime:
    """The sampling instant after the sampling instant `instant`."""
    if at == "quarter-hour":
        return instant + QUARTER
    local = instant.astimezone(PRAGUE)
    return month_bounds(commodity, local.year, local.month)[1]


def preceding(at: States, commodity: Commodity, instant: datetime) -> datetime:
    """The sampling instant before the sampling instant `instant`."""
    return boundary(at, commodity, instant - timedelta(microseconds=1))


def first_mark(device: DeviceConfig, now: datetime) -> SampleMark | None:
    """Where a device that was never sampled begins: with the instant that is right now, or else with the next."""
    if device.states is None:
        return None
    at, commodity = device.states.at, states_commodity(device)
    last = boundary(at, commodity, now)
    return SampleMark(preceding(at, commodity, last) if now - last <= LATE else last)


def is_ahead(device: DeviceConfig, mark: SampleMark, now: datetime, phase: timedelta = NO_PHASE) -> bool:
    """Whether `mark` lies more than one instant ahead of `now`: it was made by a clock that was wrong, and whoever
    waited for it to be passed would sample nothing until then.
    """
    if device.states is None or mark.handled <= now:
        return False
    at, commodity = device.states.at, states_commodity(device)
    return mark.handled > following(at, commodity, boundary(at, commodity, now - phase))


def due(device: DeviceConfig, progress: DeviceProgress, now: datetime, phase: timedelta = NO_PHASE) -> Due:
    """What is due for `device` at `now`; what the calendar makes due, `phase` after its instants."""
    now -= phase
    gap, sample = _samples_due(device, progress, now)
    days = islice(_days_due(device, progress, now), DAYS_AT_ONCE)
    return Due(gap, sample, _rows_due(device, progress, now), tuple(days))


def next_instant(
    device: DeviceConfig, progress: DeviceProgress, now: datetime, phase: timedelta = NO_PHASE
) -> datetime:
    """When, after `now`, something new can become due for `device`."""
    instants = []
    if device.profile is not None:
        shown = now - phase
        day = day_of(device.profile.commodity, shown)
        over = shown + day.step - (shown - day.start) % day.step if device.profile.reads_live else day.end
        instants.append(over + phase)
        asks = [next_ask(timeline, _ms(shown)) for timeline in progress.registers.values()]
        instants += [EPOCH + timedelta(milliseconds=at) + phase for at in asks if at is not None]
    if device.states is not None:
        at, commodity = device.states.at, states_commodity(device)
        last = boundary(at, commodity, now - phase)
        instants.append(following(at, commodity, last) + phase)
        if last + WINDOW[at] + phase > now:
            instants.append(last + WINDOW[at] + phase)
    return min(instants, default=now + NOTHING_DUE)


def days_left(device: DeviceConfig, progress: DeviceProgress, now: datetime) -> int:
    """Number of days that are over and of which something is to be read."""
    return sum(1 for _ in _days_due(device, progress, now))


def _samples_due(
    device: DeviceConfig, progress: DeviceProgress, now: datetime
) -> tuple[GapDue | None, SampleDue | None]:
    if device.states is None or progress.sample is None:
        return None, None
    at, commodity = device.states.at, states_commodity(device)
    handled, last = progress.sample.handled, boundary(at, commodity, now)
    if last <= handled:
        return None, None
    sample = SampleDue(last, last + WINDOW[at]) if now < last + WINDOW[at] else None
    last_missed = last if sample is None else preceding(at, commodity, last)
    if last_missed <= handled:
        return None, sample
    first_missed = following(at, commodity, handled)
    if at == "quarter-hour":
        count = (last_missed - first_missed) // QUARTER + 1
    else:
        count, instant = 1, first_missed
        while instant < last_missed:
            instant = following(at, commodity, instant)
            count += 1
    return GapDue(first_missed, last_missed, count), sample


def _ms(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(milliseconds=1)


def first_day(profile: ProfileConfig) -> MeteringDay:
    """The first metering day that is read: the first whole one since `since`."""
    first = day_of(profile.commodity, profile.since)
    return first if first.start >= profile.since else first.next


def _rows_due(device: DeviceConfig, progress: DeviceProgress, now: datetime) -> RowsDue | None:
    profile = device.profile
    if profile is None or not profile.reads_live:
        return None
    running = day_of(profile.commodity, now)
    over = now - (now - running.start) % running.step
    day = day_of(profile.commodity, over - running.step)
    if day < first_day(profile):
        return None
    return next(_by_day(profile, progress, day.start, over, now), None)


def _days_due(device: DeviceConfig, progress: DeviceProgress, now: datetime) -> Iterator[RowsDue]:
    profile = device.profile
    if profile is not None:
        begin, end = first_day(profile).start, day_of(profile.commodity, now).start
        if begin < end:
            yield from _by_day(profile, progress, begin, end, now)


def still_due(profile: ProfileConfig, progress: DeviceProgress, part: tuple[int, int], now: datetime) -> RowsDue | None:
    """What is to be read of `part` of one metering day, ms UTC; None if nothing is."""
    begin, end = (EPOCH + timedelta(milliseconds=each) for each in part)
    return next(_by_day(profile, progress, begin, end, now), None)


def _by_day(
    profile: ProfileConfig, progress: DeviceProgress, begin: datetime, end: datetime, now: datetime
) -> Iterator[RowsDue]:
    """What is wanted in [begin, end), by metering day, the newest first."""
    left = {
        register.register: list(wanted(progress.registers.get(register.register, []), _ms(begin), _ms(end), _ms(now)))
        for register in profile.registers
    }
    while latest := max((found[-1][0][1] for found in left.values() if found), default=0):
        day = day_of(profile.commodity, EPOCH + timedelta(milliseconds=latest - 1))
        start = _ms(day.start)
        registers: dict[str, tuple[RowsWanted, ...]] = {}
        for name, found in left.items():
            of_day: list[RowsWanted] = []
            while found and found[-1][0][1] > start:
                (first, last), stretch = found.pop()
                again = stretch is not None and stretch.known is Known.AGAIN
                of_day.append(RowsWanted((max(first, start), last), again, stretch.asked if stretch else 0))
                if first < start:
                    found.append(((first, start), stretch))
            if of_day:
                registers[name] = tuple(reversed(of_day))
        yield RowsDue(day, registers)
