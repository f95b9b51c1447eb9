"""How long a verification holds: examples of the kinds that the law has."""

from datetime import date

import pytest

from central.network.maintenance.verification import Period, valid_until


@pytest.mark.parametrize(
    ("years", "to_year_end", "verified_on", "until"),
    [
        (12, True, date(2014, 3, 2), date(2026, 12, 31)),
        (16, True, date(2010, 12, 31), date(2026, 12, 31)),
        (5, False, date(2021, 3, 2), date(2026, 3, 1)),
        (5, False, date(2020, 2, 29), date(2025, 2, 28)),
        (4, False, date(2020, 2, 29), date(2024, 2, 28)),
        (None, True, date(2021, 3, 2), None),
    ],
)
def test_the_last_day_of_a_verification(
    years: int | None, to_year_end: bool, verified_on: date, until: date | None
) -> None:
    assert valid_until(Period("static_direct", years, None, to_year_end), verified_on) == until
