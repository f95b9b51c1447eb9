"""When external sources are asked."""

from datetime import UTC, datetime, time, timedelta

import pytest

from central.platform.external.sources import LONGEST_WAIT, Schedule, wait_after

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "last", "expected"),
    [
        (Schedule(), None, None),
        (Schedule(), NOW, None),
        (Schedule(every_minutes=90), None, NOW),
        (Schedule(every_minutes=90), NOW - timedelta(minutes=30), NOW + timedelta(minutes=60)),
        (Schedule(daily_at=time(14, 30)), None, NOW),
        (
            Schedule(daily_at=time(14, 30)),
            datetime(2026, 3, 2, 8, tzinfo=UTC),
            datetime(2026, 3, 2, 13, 30, tzinfo=UTC),
        ),
        (Schedule(daily_at=time(8)), datetime(2026, 3, 2, 8, tzinfo=UTC), datetime(2026, 3, 3, 7, tzinfo=UTC)),
        # Summer time begins on 29 March: the same local time is an hour earlier in UTC.
        (Schedule(daily_at=time(8)), datetime(2026, 3, 28, 8, tzinfo=UTC), datetime(2026, 3, 29, 6, tzinfo=UTC)),
    ],
)
def test_next(schedule: Schedule, last: datetime | None, expected: datetime | None) -> None:
    assert schedule.next(last, NOW if last is None else max(NOW, last)) == expected


def test_a_clock_that_was_set_back_does_not_stop_the_runs() -> None:
    assert Schedule(every_minutes=90).next(NOW + timedelta(days=1), NOW) == NOW


def test_waits_double_up_to_an_hour() -> None:
    assert [wait_after(n) // timedelta(minutes=1) for n in (1, 2, 3, 7)] == [1, 2, 4, 60]
    assert wait_after(10**6) == LONGEST_WAIT
