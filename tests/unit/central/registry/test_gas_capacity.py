"""Days of daily capacity beside the yearly one of a gas point."""

from datetime import date

import pytest

from central.platform.errors import BadInput
from central.registry.gas_capacity import check_days

MARCH, MIDDLE, APRIL = date(2026, 3, 1), date(2026, 3, 16), date(2026, 4, 1)


@pytest.mark.parametrize(
    ("kind", "start", "end"),
    [("month", MARCH, APRIL), ("month", MARCH, date(2027, 3, 1)), ("sliding", MIDDLE, date(2026, 3, 20))],
)
def test_what_may_be_ordered(kind: str, start: date, end: date) -> None:
    assert check_days("27ZG", kind, start, end) == end


@pytest.mark.parametrize(
    ("kind", "start", "end", "told"),
    [
        ("month", MIDDLE, APRIL, "first of a month"),
        ("month", MARCH, MIDDLE, "first of a month"),
        ("month", MARCH, None, "give an end"),
        ("sliding", MARCH, MARCH, "give an end"),
        ("sliding", APRIL, MARCH, "give an end"),
    ],
)
def test_what_may_not(kind: str, start: date, end: date | None, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        check_days("27ZG", kind, start, end)
