"""Which versions of a profile a billed measurement stands on, whoever tells them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from central.invoicing.trace import is_part_of_a_month, versions_of
from shared.metering_day import PRAGUE

PINNED = {"channel": 5, "first": "2026-03-01", "versions": [1, 2]}
FROM = {"from": "2026-02-28T23:00:00+00:00", "to": "2026-03-02T23:00:00+00:00"}
FROM_GAS = {"from": "2026-03-01T05:00:00+00:00"}
EXPECTED = {date(2026, 3, 1): 1, date(2026, 3, 2): 2}


@pytest.mark.parametrize(
    ("source", "pinned", "expected"),
    [
        ({"channel": 5, **FROM}, PINNED, EXPECTED),
        ({"channel": 5, **FROM, "versions": [1, 2]}, None, EXPECTED),  # a service that a channel counts
        ({"channel": 5, **FROM_GAS, "versions": [1, 2]}, None, EXPECTED),
        ({"channel": 5, "first": "2026-03-01", "versions": [1, 2]}, None, EXPECTED),  # a service that a formula counts
        ({"channel": 6, **FROM}, None, {}),
    ],
)
def test_versions_come_from_the_measurement_or_the_pinned_input(
    source: Mapping[str, Any], pinned: Mapping[str, Any] | None, expected: Mapping[date, int]
) -> None:
    assert versions_of(source, pinned) == expected


@pytest.mark.parametrize(
    ("first", "end", "part"),
    [
        ("2026-03-01", "2026-04-01", False),
        ("2026-01-01", "2027-01-01", False),
        ("2026-03-01", "2026-03-16", True),
        ("2026-03-16", "2026-04-01", True),
    ],
)
@pytest.mark.parametrize("hour", [0, 6])
def test_a_part_of_a_month_says_that_it_is_rounded_by_itself(first: str, end: str, part: bool, hour: int) -> None:
    start, stop = (datetime.fromisoformat(f"{day}T{hour:02d}:00").replace(tzinfo=PRAGUE) for day in (first, end))
    assert is_part_of_a_month(start.astimezone(UTC), stop.astimezone(UTC)) is part
