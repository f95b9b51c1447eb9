"""Czech public holidays and types of day."""

from datetime import date

import pytest

from shared.holidays import DayType, day_type, easter_sunday, holidays_of, is_holiday


@pytest.mark.parametrize(
    "sunday", [date(1961, 4, 2), date(2000, 4, 23), date(2024, 3, 31), date(2025, 4, 20), date(2026, 4, 5)]
)
def test_easter(sunday: date) -> None:
    assert easter_sunday(sunday.year) == sunday


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        (date(2026, 3, 2), DayType.WORKDAY),
        (date(2026, 3, 7), DayType.SATURDAY),
        (date(2026, 3, 8), DayType.SUNDAY),
        (date(2026, 4, 3), DayType.SUNDAY),  # Good Friday
        (date(2015, 4, 3), DayType.WORKDAY),  # Good Friday before it was a holiday
        (date(2026, 4, 6), DayType.SUNDAY),  # Easter Monday
        (date(2026, 12, 24), DayType.SUNDAY),
        (date(2026, 11, 17), DayType.SUNDAY),
    ],
)
def test_types_of_day(day: date, kind: DayType) -> None:
    assert day_type(day) is kind


def test_thirteen_a_year() -> None:
    assert len(holidays_of(2026)) == 13
    assert is_holiday(date(2026, 7, 5))
    assert not is_holiday(date(2026, 7, 7))
