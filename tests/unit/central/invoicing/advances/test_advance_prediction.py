"""Predictions by hand: last year, weather, load-profile class, plan; and how a year's money lies over its advances."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.invoicing.advances.prediction import (
    MonthBefore,
    MonthOfYear,
    Weather,
    advances_of,
    corrected,
    months_ahead,
)

D = Decimal
F = Fraction


def test_last_year_comes_first_and_the_class_fills_what_is_not_known() -> None:
    before = [
        MonthBefore(F(3), {"energy_vt_mwh": D("3.000"), "energy_nt_mwh": D("6.000"), "max_quarter_hour_kw": D(9)}),
        MonthBefore(F(1), {"energy_vt_mwh": D("1.000"), "energy_nt_mwh": D("2.000")}),
        MonthBefore(F(2), {}),
    ]
    ahead = months_ahead(before, D(100))
    assert ahead is not None
    assert [(month.source, month.quantities, month.mwh) for month in ahead] == [
        ("last_year", {"energy_vt_mwh": D("3.000"), "energy_nt_mwh": D("6.000")}, D("9.000")),
        ("last_year", {"energy_vt_mwh": D("1.000"), "energy_nt_mwh": D("2.000")}, D("3.000")),
        ("load_profile", {"energy_vt_mwh": D("2.000"), "energy_nt_mwh": D("4.000")}, D("6.000")),
    ]


def test_the_plan_is_shared_by_the_class_to_the_last_kilowatt_hour() -> None:
    ahead = months_ahead([MonthBefore(F(weight), {}) for weight in (1, 1, 1)], D("10.000"))
    assert ahead is not None
    assert [month.mwh for month in ahead] == [D("3.333"), D("3.334"), D("3.333")]
    assert months_ahead([MonthBefore(F(1), {})], None) is None


@pytest.mark.parametrize(
    ("heating", "weather", "used"),
    [
        (F(0), Weather(D(500), D(400)), "10"),
        (F(1), Weather(D(500), D(400)), "12.5"),  # a mild month: normal weather takes a quarter more
        (F(4, 5), Weather(D(500), D(400)), "12"),
        (F(1), Weather(D(0), D(0)), "10"),
        (F(1), None, "10"),
    ],
)
def test_weather_moves_the_part_that_heats(heating: Fraction, weather: Weather | None, used: str) -> None:
    assert corrected(D(10), weather, heating) == D(used)


YEAR = [MonthOfYear(D(mwh), D(gross), advance_due=due) for mwh, gross, due in (
    (1, "100", False), (4, "1000", True), (2, "500", False), (1, "300.01", True), (0, "200", False),
)]  # fmt: skip


@pytest.mark.parametrize(
    ("spread", "amounts"),
    [
        ("even", ["1060", "1060"]),  # 2100.01 / 2 = 1050.005
        ("curve", ["1850", "260"]),  # 2110 by 7 : 1 = 1846.25 : 263.75, in tens
        ("expected", ["1610", "500"]),  # 2110 by 1600 : 500.01 = 1607.62 : 502.38, in tens
    ],
)
def test_a_year_lies_over_its_advances(spread: str, amounts: list[str]) -> None:
    assert advances_of(YEAR, spread) == [D(amount) for amount in amounts]
    assert advances_of([MonthOfYear(D(1), D(1), advance_due=False)], spread) == []


@given(
    st.lists(
        st.builds(
            MonthOfYear,
            st.integers(0, 10**6).map(lambda n: D(n) / 1000),
            st.integers(0, 10**8).map(lambda n: D(n) / 100),
            advance_due=st.booleans(),
        ),
        min_size=1,
        max_size=24,
    ),
    st.sampled_from(["even", "curve", "expected"]),
)
def test_advances_are_whole_tens_that_cover_the_year(months: list[MonthOfYear], spread: str) -> None:
    amounts = advances_of(months, spread)
    total = sum((month.gross for month in months), D(0))
    assert len(amounts) == sum(month.advance_due for month in months)
    assert all(amount >= 0 and amount % 10 == 0 for amount in amounts)
    if amounts:
        assert total <= sum(amounts) < total + 10 * len(amounts)


@given(st.lists(st.fractions(0, 1, max_denominator=1000), min_size=1, max_size=12), st.integers(0, 10**9))
def test_a_plan_is_shared_exactly(weights: list[Fraction], planned: int) -> None:
    ahead = months_ahead([MonthBefore(weight, {}) for weight in weights], D(planned) / 1000)
    assert ahead is not None
    assert sum(month.mwh for month in ahead) == D(planned) / 1000
