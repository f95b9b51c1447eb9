"""What is due, from clock, configuration and progress; days and gaps of the Czech calendar."""

from datetime import UTC, date, datetime, timedelta

import pytest

from edge.blocks import ms
from edge.schedule import (
    DAYS_AT_ONCE,
    DeviceProgress,
    GapDue,
    RowsWanted,
    SampleDue,
    SampleMark,
    boundary,
    days_left,
    due,
    first_mark,
    following,
    is_ahead,
    next_instant,
    preceding,
)
from edge.timeline import Known, Stretch, hole, paint
from shared.metering_day import MeteringDay
from shared.quantities import Commodity
from shared.testing import ManualClock
from tests.unit.edge.examples import MARCH, device

QUARTER = timedelta(minutes=15)
LU, EA, GA = device("LU-1"), device("EA-1"), device("GA-1")
REGISTERS = ("1-0:1.29.0", "1-0:3.29.0")
APRIL = datetime(2026, 3, 31, 22, 0, tzinfo=UTC)


def day_stretch(day: date, known: Known = Known.READ) -> Stretch:
    found = MeteringDay(Commodity.ELECTRICITY, day)
    return Stretch(ms(found.start), ms(found.end), known)


def read(*days: date, registers: tuple[str, ...] = REGISTERS) -> DeviceProgress:
    timeline: list[Stretch] = []
    for day in days:
        timeline = paint(timeline, day_stretch(day))
    return DeviceProgress(dict.fromkeys(registers, timeline))


def test_a_day_is_due_as_soon_as_it_is_over() -> None:
    clock = ManualClock(MARCH + timedelta(days=1) - timedelta(seconds=1))
    assert due(LU, DeviceProgress(), clock.now()).days == ()
    clock.advance(timedelta(seconds=1))
    (day,) = due(LU, DeviceProgress(), clock.now()).days
    assert day.day == MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 1))
    assert tuple(day.registers) == REGISTERS
    assert day.span == (ms(day.day.start), ms(day.day.end))
    assert not any(each.again for found in day.registers.values() for each in found)


def test_days_come_newest_first_and_not_before_since() -> None:
    found = due(LU, DeviceProgress(), APRIL).days
    assert [day.day.date for day in found] == [date(2026, 3, 31) - timedelta(days=n) for n in range(DAYS_AT_ONCE)]
    assert days_left(LU, DeviceProgress(), APRIL) == 31


def test_a_day_that_was_not_read_is_found_between_others() -> None:
    progress = read(*(date(2026, 3, n) for n in range(1, 32) if n != 17))
    (day,) = due(LU, progress, APRIL).days
    assert day.day.date == date(2026, 3, 17)


def test_only_the_registers_that_miss_a_day_and_those_again_are_said() -> None:
    progress = read(*(date(2026, 3, n) for n in range(1, 32)))
    again = day_stretch(date(2026, 3, 5), Known.AGAIN)
    progress.registers[REGISTERS[1]] = paint(progress.registers[REGISTERS[1]], again)
    (day,) = due(LU, progress, APRIL).days
    wanted = RowsWanted((again.start_ms, again.end_ms), again=True)
    assert (day.day.date, day.registers) == (date(2026, 3, 5), {REGISTERS[1]: (wanted,)})


def test_intervals_of_the_running_day_are_due_when_they_are_over() -> None:
    half_past = MARCH + timedelta(days=1, minutes=30)
    found = due(LU, read(date(2026, 3, 1)), half_past - timedelta(seconds=1))
    assert found.rows is not None
    assert found.rows.span == (ms(MARCH + timedelta(days=1)), ms(half_past - QUARTER))
    assert found.days == ()
    progress = read(date(2026, 3, 1))
    for name in REGISTERS:
        stretch = Stretch(ms(MARCH + timedelta(days=1)), ms(half_past - QUARTER), Known.READ)
        progress.registers[name] = paint(progress.registers[name], stretch)
    assert due(LU, progress, half_past - timedelta(seconds=1)).rows is None
    rows = due(LU, progress, half_past).rows
    assert rows is not None
    assert rows.span == (ms(half_past - QUARTER), ms(half_past))
    assert next_instant(LU, progress, half_past - timedelta(seconds=1)) == half_past


def test_a_profile_that_is_not_read_live_waits_for_its_day() -> None:
    assert GA.profile is not None
    assert not GA.profile.reads_live, "gas is read by the day, if not configured otherwise"
    assert due(GA, DeviceProgress(), MARCH + timedelta(hours=12)).rows is None


def test_the_day_before_since_is_never_due() -> None:
    assert due(LU, DeviceProgress(), MARCH - timedelta(hours=1)).rows is None


def test_a_hole_is_due_when_its_time_has_come_and_only_it() -> None:
    progress = read(*(date(2026, 3, n) for n in range(1, 32)))
    begin = ms(MARCH + timedelta(days=4, hours=7))
    gap = hole(begin, begin + 2 * 900_000, 1, ms(APRIL))
    progress.registers[REGISTERS[0]] = paint(progress.registers[REGISTERS[0]], gap)
    assert due(LU, progress, APRIL).days == ()
    assert next_instant(LU, progress, APRIL + timedelta(minutes=46)) == APRIL + timedelta(hours=1)
    (day,) = due(LU, progress, APRIL + timedelta(hours=1)).days
    assert day.registers == {REGISTERS[0]: (RowsWanted((begin, begin + 2 * 900_000), asked=1),)}
    never = hole(begin, begin + 900_000, 9, ms(APRIL))
    progress.registers[REGISTERS[0]] = paint(
        read(*(date(2026, 3, n) for n in range(1, 32))).registers[REGISTERS[0]], never
    )
    assert due(LU, progress, APRIL + timedelta(hours=20)).days == ()


def test_the_gas_day_ends_at_six() -> None:
    six = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
    assert due(GA, DeviceProgress(), six - timedelta(seconds=1)).days == ()
    assert [day.day.date for day in due(GA, DeviceProgress(), six).days] == [date(2026, 3, 1)]
    assert next_instant(GA, DeviceProgress(), six - timedelta(hours=3)) == six


def test_since_in_the_middle_of_a_day_begins_with_the_next() -> None:
    data = device("LU-1")
    assert data.profile is not None
    late = MARCH + timedelta(hours=1)
    changed = type(data)(
        id=data.id,
        model=data.model,
        address=data.address,
        profile=type(data.profile)(obis=data.profile.obis, step_s=900, registers=data.profile.registers, since=late),
    )
    assert due(changed, DeviceProgress(), MARCH + timedelta(days=1)).days == ()
    assert len(due(changed, DeviceProgress(), MARCH + timedelta(days=2)).days) == 1


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (MARCH, MARCH),
        (MARCH + timedelta(seconds=899), MARCH),
        (datetime(2026, 3, 29, 1, 7, tzinfo=UTC), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
    ],
)
def test_quarter_hours(now: datetime, expected: datetime) -> None:
    assert boundary("quarter-hour", Commodity.ELECTRICITY, now) == expected
    assert preceding("quarter-hour", Commodity.ELECTRICITY, expected) == expected - QUARTER


def test_months_of_electricity_and_gas() -> None:
    gas_march = datetime(2026, 3, 1, 5, 0, tzinfo=UTC)
    gas_april = datetime(2026, 4, 1, 4, 0, tzinfo=UTC)
    assert boundary("month", Commodity.ELECTRICITY, APRIL) == APRIL
    assert boundary("month", Commodity.GAS, APRIL) == gas_march
    assert boundary("month", Commodity.GAS, gas_april) == gas_april
    assert following("month", Commodity.GAS, gas_march) == gas_april
    assert preceding("month", Commodity.ELECTRICITY, APRIL) == MARCH


def test_a_sample_is_due_at_its_instant_until_the_next() -> None:
    progress = DeviceProgress(sample=SampleMark(MARCH, MARCH))
    assert due(EA, progress, MARCH + QUARTER - timedelta(milliseconds=1)).sample is None
    found = due(EA, progress, MARCH + QUARTER + timedelta(minutes=14))
    assert found.sample == SampleDue(MARCH + QUARTER, MARCH + 2 * QUARTER)
    assert found.gap is None


def test_what_nobody_sampled_is_a_gap_and_counted() -> None:
    progress = DeviceProgress(sample=SampleMark(MARCH, MARCH))
    found = due(EA, progress, MARCH + 5 * QUARTER)
    assert found.gap == GapDue(MARCH + QUARTER, MARCH + 4 * QUARTER, 4)
    assert found.sample == SampleDue(MARCH + 5 * QUARTER, MARCH + 6 * QUARTER)


def test_across_the_change_to_summer_time_no_instant_is_invented() -> None:
    before, after = datetime(2026, 3, 29, 0, 45, tzinfo=UTC), datetime(2026, 3, 29, 1, 15, tzinfo=UTC)
    found = due(EA, DeviceProgress(sample=SampleMark(before, before)), after)
    assert found.gap is not None
    assert (found.gap.first, found.gap.count) == (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), 1)


def test_nothing_is_due_twice_while_the_clock_stands_or_goes_back() -> None:
    progress = DeviceProgress(sample=SampleMark(MARCH + QUARTER, MARCH + QUARTER))
    assert due(EA, progress, MARCH + QUARTER).sample is None
    assert due(EA, progress, MARCH).gap is None
    assert due(EA, progress, MARCH).sample is None


@pytest.mark.parametrize(
    ("handled", "ahead"),
    [(MARCH, False), (MARCH + QUARTER, False), (MARCH + 2 * QUARTER, True), (MARCH + timedelta(days=365), True)],
)
def test_a_mark_more_than_one_instant_ahead_was_made_by_a_wrong_clock(handled: datetime, ahead: bool) -> None:
    assert is_ahead(EA, SampleMark(handled), MARCH + timedelta(minutes=3)) is ahead


def test_a_month_state_may_come_late_within_a_day_and_is_a_gap_after() -> None:
    progress = DeviceProgress(sample=SampleMark(MARCH, MARCH))
    late = due(LU, progress, APRIL + timedelta(hours=20))
    assert late.sample is not None
    assert late.sample.instant == APRIL
    too_late = due(LU, progress, APRIL + timedelta(days=3))
    assert too_late.sample is None
    assert too_late.gap == GapDue(APRIL, APRIL, 1)


def test_a_new_device_begins_with_the_instant_of_right_now_or_the_next() -> None:
    assert first_mark(LU, MARCH) == SampleMark(datetime(2026, 1, 31, 23, 0, tzinfo=UTC))
    assert first_mark(LU, MARCH + timedelta(days=2)) == SampleMark(MARCH)
    assert first_mark(EA, MARCH + timedelta(seconds=60)) == SampleMark(MARCH - QUARTER)
    assert first_mark(EA, MARCH + timedelta(seconds=61)) == SampleMark(MARCH)
    assert first_mark(GA, MARCH) is None


def test_the_next_instant_is_never_now() -> None:
    for config in (LU, EA, GA):
        for offset in (0, 1, 899, 900, 86_400):
            now = MARCH + timedelta(seconds=offset)
            assert now < next_instant(config, DeviceProgress(), now) <= now + timedelta(days=2)


def test_a_phase_puts_off_what_the_calendar_makes_due() -> None:
    phase = timedelta(seconds=7)
    progress = DeviceProgress(sample=SampleMark(MARCH))
    instant = MARCH + QUARTER
    assert due(EA, progress, instant + timedelta(seconds=6), phase).sample is None
    found = due(EA, progress, instant + phase, phase)
    assert found.sample is not None
    assert (found.sample.instant, found.gap) == (instant, None)
    assert next_instant(EA, progress, instant, phase) == instant + phase
    assert next_instant(EA, progress, instant + phase, phase) == instant + phase + QUARTER
    assert due(LU, DeviceProgress(), instant + timedelta(seconds=6), phase).rows is None
    assert due(LU, DeviceProgress(), instant + phase, phase).rows is not None
    assert next_instant(LU, DeviceProgress(), instant, phase) == instant + phase
